//! Checks of what a picture is made from.

use std::fmt::Display;

use super::{FigureError, Result};

/// That `found` values are as many as the sides say, and some.
pub(super) fn sized(picture: &'static str, values: &str, sides: &[usize], found: usize) -> Result<()> {
    let product = sides.iter().try_fold(1usize, |product, &side| product.checked_mul(side));
    if product == Some(found) && found > 0 {
        return Ok(());
    }
    let sides: Vec<String> = sides.iter().map(usize::to_string).collect();
    let expected = format!("{values}, {}, none of them 0", sides.join(" x "));
    Err(FigureError::Shape { what: picture, expected, found: format!("{found} values") })
}

/// That each value is good; `expected` says what that is, `hint` what to do if one is not.
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
