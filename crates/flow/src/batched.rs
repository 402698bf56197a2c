//! Interface of estimators that process many pairs at once, such as on a GPU.

use std::fmt::Debug;

use crate::error::same_size;
use crate::{FlowError, FlowField, GrayImage, TvL1Params};

/// Default number of bytes of grey frames per call; their fields take twice as much.
const AT_ONCE: usize = 32 << 20;

/// An estimator of TV-L1 that works on many pairs of frames at once. Other crates implement it; the methods of this crate
/// take one pair at a time ([`crate::Estimator`]).
///
/// Its fields are those of [`crate::Method::TvL1`] up to rounding: the mean difference is below a thousandth of a pixel,
/// but single vectors may differ by more if the last bit decides between two branches. The same call gives the same
/// bits, and a field does not depend on the other pairs of the call.
pub trait Batched: Debug + Send + Sync {
    /// Returns a name that distinguishes its fields from those of other estimators. It becomes part of the names of cached
    /// files.
    fn name(&self) -> &str;

    /// Returns the suitable number of frames per call for a given size, at least two. Callers with more frames make several
    /// calls, which limits the memory to these frames and their fields.
    fn frames_at_once(&self, width: usize, height: usize) -> usize {
        (AT_ONCE / (width * height * size_of::<f32>()).max(1)).max(2)
    }

    /// Computes the flow of every pair, in order: from frame `i` to frame `j` for a pair (i, j) of indices into `frames`,
    /// which are H x W each. Several threads may call at once.
    ///
    /// # Errors
    /// As for [`check_pairs`], and [`FlowError::Device`] if the device fails.
    fn compute(
        &self,
        params: &TvL1Params,
        frames: &[GrayImage],
        pairs: &[(usize, usize)],
    ) -> Result<Vec<FlowField>, FlowError>;
}

/// Checks the arguments of [`Batched::compute`], for implementations, and returns the width and height of the frames, 0 if
/// there are none.
///
/// # Errors
/// If a parameter is outside its range, frames differ in size, a buffer has the wrong length, an intensity is not finite,
/// or the index of a frame is out of range.
pub fn check_pairs(
    params: &TvL1Params,
    frames: &[GrayImage],
    pairs: &[(usize, usize)],
) -> Result<(usize, usize), FlowError> {
    params.check()?;
    let size = |frame: &GrayImage| (frame.width, frame.height);
    let first = frames.first().map_or((0, 0), size);
    for frame in frames {
        frame.check("batched")?;
        same_size(first, size(frame))?;
    }
    match pairs.iter().find(|(from, to)| from.max(to) >= &frames.len()) {
        Some(&(from, to)) => Err(FlowError::Pair { from, to, frames: frames.len() }),
        None => Ok(first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_together_is_refused() {
        let params = TvL1Params::fast();
        let picture = |width| GrayImage::new(width, 2, vec![1.0; 2 * width]).unwrap();
        let frames = [picture(3), picture(3)];
        assert_eq!(check_pairs(&params, &frames, &[(0, 1), (1, 0)]).unwrap(), (3, 2));
        assert_eq!(check_pairs(&params, &[], &[]).unwrap(), (0, 0));
        let outside = check_pairs(&params, &frames, &[(0, 2)]).unwrap_err();
        assert_eq!(outside.to_string(), "expected a pair of frame indices below 2, found (0, 2)");
        let sizes = check_pairs(&params, &[picture(3), picture(4)], &[]).unwrap_err();
        assert!(matches!(sizes, FlowError::SizeMismatch { .. }));
        let mut odd = picture(3);
        odd.data[4] = f32::NAN;
        assert!(matches!(check_pairs(&params, &[odd], &[]).unwrap_err(), FlowError::NotFinite { .. }));
        let params = TvL1Params { warps: 0, ..params };
        assert!(matches!(check_pairs(&params, &frames, &[]).unwrap_err(), FlowError::Parameter { .. }));
    }
}
