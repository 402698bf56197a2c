//! Numbers with bounds. A number out of bounds is refused with its line and column in the file.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// Largest number of iterations of a training.
pub(crate) const MOST_ITERATIONS: usize = 1_000_000_000;

/// Upper bound on all other counts of a plan: videos of a batch, positions of a test, pixels of a side.
pub(crate) const MOST: usize = 65_536;

/// Largest factor of a profile, and largest rate, weight or margin.
pub(crate) const LARGEST: f64 = 1e6;

/// A range of allowed numbers, and its description.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    fits: fn(f64) -> bool,
    expected: &'static str,
}

/// Numbers above 0, up to [`LARGEST`].
pub(crate) const POSITIVE: Range =
    Range { fits: |x| x > 0.0 && x <= LARGEST, expected: "a number above 0, at most a million" };
/// Multiply-adds of a training.
pub(crate) const COMPUTE: Range =
    Range { fits: |x| (1.0..=1e24).contains(&x), expected: "a number from 1 to 1e24" };
/// Numbers from 0 to 1, such as a penalty.
pub(crate) const PENALTY: Range =
    Range { fits: |x| (0.0..=1.0).contains(&x), expected: "a number from 0 to 1" };
/// Numbers from 0 to below 1, such as momentum or dropout.
pub(crate) const SHARE: Range =
    Range { fits: |x| (0.0..1.0).contains(&x), expected: "at least 0 and below 1" };

impl Range {
    /// Returns the number if it is in range, otherwise a message; `what` names the number.
    pub(crate) fn check(self, what: &str, found: f64) -> Result<f64, String> {
        let Self { fits, expected } = self;
        if fits(found) { Ok(found) } else { Err(refused(what, found, expected)) }
    }
}

/// Returns the count if it is from 1 to `most`, otherwise a message; `what` names the count.
pub(crate) fn counted(what: &str, found: usize, most: usize) -> Result<usize, String> {
    match (1..=most).contains(&found) {
        true => Ok(found),
        false => Err(refused(what, found, &format!("1 to {most}"))),
    }
}

/// Stands for the key that is read; the parser's error already names its place.
const KEY: &str = "";

fn refused(what: &str, found: impl fmt::Display, expected: &str) -> String {
    match what {
        KEY => format!("found {found}, expected {expected}"),
        what => format!("{what} is {found}, expected {expected}"),
    }
}

/// Reads the value of a key and checks it.
fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    check: impl FnOnce(T) -> Result<T, String>,
) -> Result<T, D::Error> {
    check(T::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// Reads a count from 1 to [`MOST`].
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    read(deserializer, |found: usize| counted(KEY, found, MOST))
}

/// Reads a number of iterations.
pub(super) fn iterations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    read(deserializer, |found: usize| counted(KEY, found, MOST_ITERATIONS))
}

/// Reads a number above 0.
pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, |found: f64| POSITIVE.check(KEY, found))
}

/// Reads an amount of training.
pub(super) fn compute<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, |found: f64| COMPUTE.check(KEY, found))
}

/// Reads a number above 0, in single precision.
pub(super) fn bound<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    read(deserializer, |found: f32| POSITIVE.check(KEY, f64::from(found)).map(|_| found))
}

/// Reads a penalty, from 0 to 1.
pub(super) fn penalty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, |found: f64| PENALTY.check(KEY, found))
}

/// Reads a share, from 0 to below 1.
pub(super) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, |found: f64| SHARE.check(KEY, found))
}

/// Like [`count`], for an optional key.
pub(super) fn some_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    count(deserializer).map(Some)
}

/// Like [`positive`], for an optional key.
pub(super) fn some_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    positive(deserializer).map(Some)
}

/// Like [`penalty`], for an optional key.
pub(super) fn some_penalty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    penalty(deserializer).map(Some)
}

/// Like [`bound`], for an optional key.
pub(super) fn some_bound<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f32>, D::Error> {
    bound(deserializer).map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_are_refused_with_what_is_expected() {
        for odd in [f64::NAN, f64::INFINITY, -1.0, 2.0] {
            let message = SHARE.check("momentum", odd).unwrap_err();
            assert!(message.contains("momentum is") && message.contains("below 1"), "{message}");
            assert!(PENALTY.check("decay", odd).is_err());
        }
        assert!(POSITIVE.check("rate", 0.0).is_err() && POSITIVE.check("rate", f64::INFINITY).is_err());
        assert!(SHARE.check("momentum", 0.0).is_ok() && PENALTY.check("decay", 1.0).is_ok());
        assert!(counted("batch", 0, MOST).is_err() && counted("batch", MOST + 1, MOST).is_err());
        assert_eq!(counted("batch", MOST, MOST), Ok(MOST));
    }
}
