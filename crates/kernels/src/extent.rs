//! How large anything may be. The inner loops read without looking, at places that follow from sizes; a size that wraps
//! round would lead them out of their arrays. So sizes are bounded where they come in, low enough that no sum and no
//! product of them that is formed afterwards can wrap, and lengths are found by [`values`] alone.

use std::fmt;

use candle_core::{Error, Result};

/// The longest axis of an array, and the largest window, stride or padding along one.
const LONGEST: usize = 1 << 30;

/// The most values of an array: 4 TiB.
const MOST: usize = 1 << 40;

/// Sizes beyond what is computed with.
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

/// The number of values of a shape.
///
/// # Errors
/// [`TooLarge`], also for an empty shape whose other axes would be too long.
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
