//! Checks shared by all configurations. Numbers may come from untrusted files, so each is checked against a bound before it
//! is used.

use crate::{Error, Result, Window};

/// Largest width, number of classes or other size of a layer.
const LARGEST: usize = 1 << 24;

/// Largest height or width of a frame.
const LARGEST_SIDE: usize = 1 << 14;

/// Largest number of blocks of a stage.
const MOST_BLOCKS: usize = 1000;

/// Longest clip, and longest window over its time steps.
const LONGEST_CLIP: usize = 1 << 16;

/// Makes the error for a setting out of range.
pub(crate) fn refused(
    model: &'static str,
    what: &'static str,
    found: impl ToString,
    expected: &'static str,
) -> Error {
    Error::Setting { model, what, found: found.to_string(), expected }
}

/// Checks that sizes are from 1 to [`LARGEST`].
pub(crate) fn sizes<const N: usize>(model: &'static str, sizes: [(&'static str, usize); N]) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| !(1..=LARGEST).contains(size)) {
        Some((what, found)) => Err(refused(model, what, found, "1 to 16777216")),
        None => Ok(()),
    }
}

/// Checks that height and width of the input are from 1 to [`LARGEST_SIDE`].
pub(crate) fn picture(model: &'static str, sides: [usize; 2]) -> Result<()> {
    match sides.into_iter().find(|side| !(1..=LARGEST_SIDE).contains(side)) {
        Some(found) => Err(refused(model, "a side of the input", found, "1 to 16384")),
        None => Ok(()),
    }
}

/// Checks that kernel and stride of a window are from 1 to [`LARGEST_SIDE`], and its padding below the kernel.
pub(crate) fn window(model: &'static str, what: &'static str, window: Window) -> Result<()> {
    let Window { kernel, stride, padding } = window;
    let sides = 1..=LARGEST_SIDE;
    if sides.contains(&kernel) && sides.contains(&stride) && padding < kernel {
        return Ok(());
    }
    let expected = "a kernel and a stride of 1 to 16384 and a padding below the kernel";
    Err(refused(model, what, format!("kernel {kernel}, stride {stride}, padding {padding}"), expected))
}

/// Checks that the numbers of blocks are from 1 to [`MOST_BLOCKS`].
pub(crate) fn blocks(model: &'static str, blocks: &[usize]) -> Result<()> {
    match blocks.iter().find(|blocks| !(1..=MOST_BLOCKS).contains(*blocks)) {
        Some(found) => Err(refused(model, "the number of blocks in a stage", found, "1 to 1000")),
        None => Ok(()),
    }
}

/// Checks that numbers of time steps are from 1 to [`LONGEST_CLIP`].
pub(crate) fn time_steps<const N: usize>(
    model: &'static str,
    sizes: [(&'static str, usize); N],
) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| !(1..=LONGEST_CLIP).contains(size)) {
        Some((what, found)) => Err(refused(model, what, found, "1 to 65536")),
        None => Ok(()),
    }
}

/// Checks that a dropout probability is from 0 to below 1.
pub(crate) fn dropout(model: &'static str, probability: f64) -> Result<()> {
    match (0.0..1.0).contains(&probability) {
        true => Ok(()),
        false => Err(refused(model, "dropout", probability, "at least 0 and below 1")),
    }
}

/// Checks all sizes of a list, like [`sizes`].
pub(crate) fn each(model: &'static str, what: &'static str, list: &[usize]) -> Result<()> {
    list.iter().try_for_each(|&size| sizes(model, [(what, size)]))
}
