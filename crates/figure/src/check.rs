//! Checks the data of a picture.

use std::fmt::Display;

use super::{FigureError, Result};

/// Checks that `found` is the product of the sides and is not 0.
pub(super) fn sized(picture: &'static str, values: &str, sides: &[usize], found: usize) -> Result<()> {
    let product = sides.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
    if product == Some(found) && found > 0 {
        return Ok(());
    }
    let sides: Vec<String> = sides.iter().map(usize::to_string).collect();
    let expected = format!("{values}, {}, none of them 0", sides.join(" x "));
    Err(FigureError::Shape { what: picture, expected, found: format!("{found} values") })
}

/// Checks that each value is good; `expected` describes good values, `hint` advises what to do about others.
pub(super) fn each<T: Display>(
    what: &'static str,
    values: impl IntoIterator<Item = T>,
    good: impl Fn(&T) -> bool,
    expected: &str,
    hint: &'static str,
) -> Result<()> {
    match values.into_iter().enumerate().find(|(_, value)| !good(value)) {
        None => Ok(()),
        Some((index, value)) => {
            let (expected, found) = (expected.to_owned(), value.to_string());
            Err(FigureError::Value { what, expected, found, index, hint })
        }
    }
}
