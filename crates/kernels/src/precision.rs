//! Precision of products.

mod set;

use serde::{Deserialize, Serialize};

/// The precision of the products in convolutions and fully connected layers. Values, sums, weights and everything else
/// are f32 in both.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Precision {
    /// Factors of f32, as on the CPU.
    #[default]
    Fp32,
    /// Factors rounded to TF32 (8 bits of exponent, 10 of fraction), for the matrix units of GPUs since Ampere.
    Tf32,
}

impl Precision {
    /// Returns `true` for the precision of a CPU.
    #[must_use]
    pub fn is_fp32(&self) -> bool {
        *self == Self::Fp32
    }
}
