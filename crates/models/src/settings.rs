//! Checks that the configurations share. Numbers come from files of others, so each has a bound before anything is made
//! of it.

use crate::{Error, Result, Window};

/// The largest width, number of classes or other size of a layer.
const LARGEST: usize = 1 << 24;

/// The largest height or width of a picture.
const LARGEST_SIDE: usize = 1 << 14;

/// The most blocks of a stage.
const MOST_BLOCKS: usize = 1000;

/// The longest clip, and the longest window over its time steps.
const LONGEST_CLIP: usize = 1 << 16;

/// Refuses a setting for what it is.
pub(crate) fn refused(
    model: &'static str,
    what: &'static str,
    found: impl ToString,
    expected: &'static str,
) -> Error {
    Error::Setting { model, what, found: found.to_string(), expected }
}

/// Refuses a size of zero, and one that no layer has.
pub(crate) fn sizes<const N: usize>(model: &'static str, sizes: [(&'static str, usize); N]) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| !(1..=LARGEST).contains(size)) {
        Some((what, found)) => Err(refused(model, what, found, "1 to 16777216")),
        None => Ok(()),
    }
}

/// Refuses a picture without pixels, and one that no video has.
pub(crate) fn picture(model: &'static str, sides: [usize; 2]) -> Result<()> {
    match sides.into_iter().find(|side| !(1..=LARGEST_SIDE).contains(side)) {
        Some(found) => Err(refused(model, "a side of the input", found, "1 to 16384")),
        None => Ok(()),
    }
}

/// Refuses a window that is empty, stands still, or begins beside the picture.
pub(crate) fn window(model: &'static str, what: &'static str, window: Window) -> Result<()> {
    let Window { kernel, stride, padding } = window;
    let sides = 1..=LARGEST_SIDE;
    if sides.contains(&kernel) && sides.contains(&stride) && padding < kernel {
        return Ok(());
    }
    let expected = "a kernel and a stride of 1 to 16384 and a padding below the kernel";
    Err(refused(model, what, format!("kernel {kernel}, stride {stride}, padding {padding}"), expected))
}

/// Refuses more blocks than any network has.
pub(crate) fn blocks(model: &'static str, blocks: &[usize]) -> Result<()> {
    match blocks.iter().find(|blocks| !(1..=MOST_BLOCKS).contains(*blocks)) {
        Some(found) => Err(refused(model, "the blocks of a stage", found, "1 to 1000")),
        None => Ok(()),
    }
}

/// Refuses a clip without time steps, and one that is longer than any video.
pub(crate) fn time_steps<const N: usize>(
    model: &'static str,
    sizes: [(&'static str, usize); N],
) -> Result<()> {
    match sizes.into_iter().find(|(_, size)| !(1..=LONGEST_CLIP).contains(size)) {
        Some((what, found)) => Err(refused(model, what, found, "1 to 65536")),
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

/// Refuses a size of a list, as [`sizes`] does.
pub(crate) fn each(model: &'static str, what: &'static str, list: &[usize]) -> Result<()> {
    list.iter().try_for_each(|&size| sizes(model, [(what, size)]))
}
