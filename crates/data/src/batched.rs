//! Calls of an estimator that computes the flow of many pairs at once.

use crate::error::DataError;
use flow::{Batched, FlowField, GrayImage, TvL1Params};

/// Number of frames of this size that are handed over together; at least two.
pub(crate) fn frames_at_once(batched: &dyn Batched, width: usize, height: usize) -> usize {
    // A pair has two frames.
    batched.frames_at_once(width, height).max(2)
}

/// Computes the fields of the pairs and checks that there is one per pair.
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
