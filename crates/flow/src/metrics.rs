//! Error measures of a field against the true one.
//!
//! Both measures are those of Baker et al., "A Database and Evaluation
//! Methodology for Optical Flow" (IJCV 2011), averaged over the pixels whose
//! true vector is known.

use crate::error::same_size;
use crate::{FlowError, FlowField};

/// Computes the mean endpoint error in pixels: the distance between the estimated
/// and the true vector, over the pixels whose true vector is known (not NaN, not
/// beyond [`crate::UNKNOWN_FLOW`]).
///
/// # Errors
/// If the fields differ in size, a buffer has the wrong length, or no true vector
/// is known.
pub fn endpoint_error(estimate: &FlowField, truth: &FlowField) -> Result<f64, FlowError> {
    mean_over_known(estimate, truth, |[u, v], [tu, tv]| (u - tu).hypot(v - tv))
}

/// Computes the mean angular error in degrees: the angle between (u, v, 1) of the
/// estimate and of the truth, over the pixels whose true vector is known.
///
/// # Errors
/// As for [`endpoint_error`].
pub fn angular_error(estimate: &FlowField, truth: &FlowField) -> Result<f64, FlowError> {
    mean_over_known(estimate, truth, |[u, v], [tu, tv]| {
        let dot = u * tu + v * tv + 1.0;
        let cross = [v - tv, tu - u, u * tv - v * tu];
        let sine = cross.iter().map(|c| c * c).sum::<f64>().sqrt();
        // Unlike the arc cosine, exact for equal vectors.
        sine.atan2(dot).to_degrees()
    })
}

fn mean_over_known(
    estimate: &FlowField,
    truth: &FlowField,
    error: impl Fn([f64; 2], [f64; 2]) -> f64,
) -> Result<f64, FlowError> {
    estimate.check()?;
    truth.check()?;
    same_size((estimate.width, estimate.height), (truth.width, truth.height))?;
    let estimated = estimate.u.iter().zip(&estimate.v);
    let true_vectors = truth.u.iter().zip(&truth.v);
    let (mut sum, mut known) = (0.0, 0_u64);
    for ((&u, &v), (&tu, &tv)) in estimated.zip(true_vectors) {
        if FlowField::is_known(tu, tv) {
            sum += error([u, v].map(f64::from), [tu, tv].map(f64::from));
            known += 1;
        }
    }
    if known == 0 {
        return Err(FlowError::NothingKnown);
    }
    Ok(sum / known as f64)
}
