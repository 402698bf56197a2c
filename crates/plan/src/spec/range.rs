//! Numbers with bounds. What is outside is refused where it stands in the file, with its line and column.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer};

/// The most iterations of a training.
pub(crate) const MOST_ITERATIONS: usize = 1_000_000_000;

/// The most of anything else that a plan counts: videos of a batch, positions of a test, pixels of a side.
pub(crate) const MOST: usize = 65_536;

/// The largest factor of a profile, and the largest rate, weight or margin.
pub(crate) const LARGEST: f64 = 1e6;

/// What a number may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Range {
    fits: fn(f64) -> bool,
    expected: &'static str,
}

/// Above 0.
pub(crate) const POSITIVE: Range =
    Range { fits: |x| x > 0.0 && x <= LARGEST, expected: "a number above 0, at most a million" };
/// What may be 0: a penalty.
pub(crate) const PENALTY: Range =
    Range { fits: |x| (0.0..=1.0).contains(&x), expected: "a number from 0 to 1" };
/// What would never end at 1: momentum, dropout.
pub(crate) const SHARE: Range =
    Range { fits: |x| (0.0..1.0).contains(&x), expected: "at least 0 and below 1" };

impl Range {
    /// Refuses a number outside; in words.
    pub(crate) fn check(self, what: &str, found: f64) -> Result<f64, String> {
        let Self { fits, expected } = self;
        if fits(found) { Ok(found) } else { Err(refused(what, found, expected)) }
    }
}

/// Refuses a count of nothing and one beyond `most`; in words.
pub(crate) fn counted(what: &str, found: usize, most: usize) -> Result<usize, String> {
    match (1..=most).contains(&found) {
        true => Ok(found),
        false => Err(refused(what, found, &format!("1 to {most}"))),
    }
}

/// Of a key, the error names the place by itself.
const KEY: &str = "";

fn refused(what: &str, found: impl fmt::Display, expected: &str) -> String {
    match what {
        KEY => format!("found {found}, expected {expected}"),
        what => format!("{what} is {found}, expected {expected}"),
    }
}

/// Reads a key whose value has to pass.
fn read<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
    check: impl FnOnce(T) -> Result<T, String>,
) -> Result<T, D::Error> {
    check(T::deserialize(deserializer)?).map_err(D::Error::custom)
}

/// A count.
pub(super) fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    read(deserializer, |found: usize| counted(KEY, found, MOST))
}

/// Iterations.
pub(super) fn iterations<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    read(deserializer, |found: usize| counted(KEY, found, MOST_ITERATIONS))
}

/// A number above 0.
pub(super) fn positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, |found: f64| POSITIVE.check(KEY, found))
}

/// The same, of single precision.
pub(super) fn bound<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    read(deserializer, |found: f32| POSITIVE.check(KEY, f64::from(found)).map(|_| found))
}

/// A penalty.
pub(super) fn penalty<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, |found: f64| PENALTY.check(KEY, found))
}

/// A share.
pub(super) fn share<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    read(deserializer, |found: f64| SHARE.check(KEY, found))
}

/// As [`count`], of a key that may be absent.
pub(super) fn some_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    count(deserializer).map(Some)
}

/// As [`positive`], of a key that may be absent.
pub(super) fn some_positive<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    positive(deserializer).map(Some)
}

/// As [`bound`], of a key that may be absent.
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
