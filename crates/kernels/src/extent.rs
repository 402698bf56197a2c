//! Limits of sizes. The inner loops read without bounds checks at indices computed from sizes, so an overflow would lead
//! them out of their arrays. Sizes are therefore bounded on entry, low enough that no later sum or product of them can
//! overflow, and lengths are computed only by [`values`].

use std::fmt;

use candle_core::{Error, Result};

/// Maximum length of an axis, and maximum window, stride or padding along one.
const LONGEST: usize = 1 << 30;

/// Maximum number of values of an array: 4 TiB.
const MOST: usize = 1 << 40;

/// An error for sizes beyond the limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TooLarge {
    what: String,
    sizes: Vec<usize>,
}

impl TooLarge {
    fn refused<T>(what: &str, sizes: &[usize]) -> Result<T> {
        Err(Error::wrap(Self { what: what.to_owned(), sizes: sizes.to_vec() }))
    }
}

impl fmt::Display for TooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { what, sizes } = self;
        write!(f, "{what} of {sizes:?} is too large; expected at most {LONGEST} each and {MOST} values")
    }
}

impl std::error::Error for TooLarge {}

/// Computes the number of values of a shape.
///
/// # Errors
/// [`TooLarge`], also for an empty shape whose other axes are too long.
pub(crate) fn values(what: &str, shape: &[usize]) -> Result<usize> {
    axes(what, shape)?;
    let product = shape.iter().try_fold(1usize, |product, &size| {
        product.checked_mul(size.max(1)).filter(|&product| product <= MOST)
    });
    match product {
        Some(product) => Ok(if shape.contains(&0) { 0 } else { product }),
        None => TooLarge::refused(what, shape),
    }
}

/// Checks sizes along axes one by one.
///
/// # Errors
/// [`TooLarge`].
pub(crate) fn axes(what: &str, sizes: &[usize]) -> Result<()> {
    if sizes.iter().any(|&size| size > LONGEST) { TooLarge::refused(what, sizes) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_values_of_a_shape_are_counted_or_refused() {
        assert_eq!(values("x", &[]).unwrap(), 1);
        assert_eq!(values("x", &[2, 3, 4]).unwrap(), 24);
        assert_eq!(values("x", &[2, 0, 4]).unwrap(), 0);
        assert_eq!(values("x", &[1 << 20, 1 << 20]).unwrap(), MOST);
        for shape in [&[1 << 20, 1 << 20, 2][..], &[LONGEST + 1], &[0, 1 << 30, 1 << 30], &[usize::MAX, 2]] {
            let message = values("an output", shape).unwrap_err().to_string();
            assert!(message.contains("an output") && message.contains("too large"), "{message}");
        }
    }
}
