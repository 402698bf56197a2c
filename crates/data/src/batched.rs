//! What is given to an estimator of many pairs at once.

use crate::error::DataError;
use flow::{Batched, FlowField, GrayImage, TvL1Params};

/// Frames of a size that are handed over together.
pub(crate) fn frames_at_once(batched: &dyn Batched, width: usize, height: usize) -> usize {
    // A pair has two.
    batched.frames_at_once(width, height).max(2)
}

/// The fields of the pairs, which are checked to be one a pair.
pub(crate) fn fields(
    batched: &dyn Batched,
    params: &TvL1Params,
    frames: &[GrayImage],
    pairs: &[(usize, usize)],
) -> Result<Vec<FlowField>, DataError> {
    if pairs.is_empty() {
        return Ok(Vec::new());
    }
    let fields = batched.compute(params, frames, pairs)?;
    if fields.len() != pairs.len() {
        return Err(DataError::invalid(
            format!("flow by {}", batched.name()),
            format!("{} fields", pairs.len()),
            fields.len(),
        ));
    }
    Ok(fields)
}
