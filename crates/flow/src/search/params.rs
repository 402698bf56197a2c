//! The parameters of the patch search where it is an option of another method.

use serde::{Deserialize, Serialize};

use super::PATCH;
use crate::FlowError;
use crate::error::within;

/// The search of patches of 8x8 pixels (Kroeger et al. 2016, section 2.1) that precedes the method's own iterations on a
/// level.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PatchSearch {
    /// The finest levels with a search are 2 to the power of this times as small as the pictures.
    pub finest: usize,
    /// Distance in pixels from a patch to the next, 1 to 8.
    pub patch_stride: usize,
    /// Most descent steps of a patch per level and pass.
    pub descent_steps: usize,
    /// Whole pixels to every side that a patch without a good match looks at, on levels of a quarter of the pictures'
    /// size or less; 0 for none.
    pub reach: usize,
}

impl PatchSearch {
    /// Checks every parameter against its range.
    pub(crate) fn check(&self, method: &'static str) -> Result<(), FlowError> {
        within(method, "finest", self.finest, 0..=8, "0 to 8")?;
        within(method, "patch-stride", self.patch_stride, 1..=PATCH, "1 to 8 pixels")?;
        within(method, "descent-steps", self.descent_steps, 1..=1000, "1 to 1000")?;
        within(method, "reach", self.reach, 0..=64, "0 to 64 pixels")
    }
}
