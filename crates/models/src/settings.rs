//! Checks that the configurations share.

use crate::{Error, Result};

/// Refuses a size of zero.
pub(crate) fn at_least_one<const N: usize>(
    model: &'static str,
    sizes: [(&'static str, usize); N],
) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| *size == 0) {
        Some((what, found)) => {
            Err(Error::Setting { model, what, found: found.to_string(), expected: "at least 1" })
        }
        None => Ok(()),
    }
}

/// Refuses a size above the largest that there is.
pub(crate) fn at_most(
    model: &'static str,
    what: &'static str,
    found: usize,
    most: usize,
    expected: &'static str,
) -> Result<()> {
    if found <= most {
        return Ok(());
    }
    Err(Error::Setting { model, what, found: found.to_string(), expected })
}

/// Refuses what is no probability of dropping.
pub(crate) fn dropout(model: &'static str, probability: f64) -> Result<()> {
    if (0.0..1.0).contains(&probability) {
        return Ok(());
    }
    Err(Error::Setting {
        model,
        what: "dropout",
        found: probability.to_string(),
        expected: "at least 0 and below 1",
    })
}

/// The smallest of a list of sizes.
pub(crate) fn smallest(sizes: &[usize]) -> usize {
    sizes.iter().copied().min().unwrap_or(0)
}
