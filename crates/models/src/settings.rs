//! Checks that the configurations share.

use crate::{Error, Result};

/// Refuses a setting for what it is.
pub(crate) fn refused(
    model: &'static str,
    what: &'static str,
    found: impl ToString,
    expected: &'static str,
) -> Error {
    Error::Setting { model, what, found: found.to_string(), expected }
}

/// Refuses a size of zero.
pub(crate) fn at_least_one<const N: usize>(
    model: &'static str,
    sizes: [(&'static str, usize); N],
) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| *size == 0) {
        Some((what, found)) => Err(refused(model, what, found, "at least 1")),
        None => Ok(()),
    }
}

/// Refuses what is no probability of dropping.
pub(crate) fn dropout(model: &'static str, probability: f64) -> Result<()> {
    match (0.0..1.0).contains(&probability) {
        true => Ok(()),
        false => Err(refused(model, "dropout", probability, "at least 0 and below 1")),
    }
}

/// The smallest of a list of sizes.
pub(crate) fn smallest(sizes: &[usize]) -> usize {
    sizes.iter().copied().min().unwrap_or(0)
}
