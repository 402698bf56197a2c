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

fn custom<E: Error>(message: String) -> E {
    E::custom(message)
}

/// The reader of a key.
macro_rules! key {
    ($(#[doc = $doc:literal])* $name:ident: $number:ty, $check:expr) => {
        $(#[doc = $doc])*
        pub(super) fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<$number, D::Error> {
            let check: fn($number) -> Result<$number, String> = $check;
            check(<$number>::deserialize(deserializer)?).map_err(custom)
        }
    };
}

/// The same of a key that may be absent.
macro_rules! optional_key {
    ($name:ident: $number:ty, $of:ident) => {
        #[doc = concat!("As [`", stringify!($of), "`], of a key that may be absent.")]
        pub(super) fn $name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<$number>, D::Error> {
            $of(deserializer).map(Some)
        }
    };
}

key! {
    /// A count.
    count: usize, |found| counted(KEY, found, MOST)
}
key! {
    /// Iterations.
    iterations: usize, |found| counted(KEY, found, MOST_ITERATIONS)
}
key! {
    /// A number above 0.
    positive: f64, |found| POSITIVE.check(KEY, found)
}
key! {
    /// The same, of single precision.
    bound: f32, |found| POSITIVE.check(KEY, found.into()).map(|_| found)
}
key! {
    /// A penalty.
    penalty: f64, |found| PENALTY.check(KEY, found)
}
key! {
    /// A share.
    share: f64, |found| SHARE.check(KEY, found)
}
optional_key!(some_count: usize, count);
optional_key!(some_positive: f64, positive);
optional_key!(some_bound: f32, bound);

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
