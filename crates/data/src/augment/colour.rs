//! Colour jitter along the principal components of natural pictures (Krizhevsky et al. 2012, Sect. 4.1).
//!
//! Two-Stream ConvNets says only "RGB jittering". Our choice is the jitter of the network that its spatial
//! stream is modelled on: the sum of three fixed colour vectors is added to every pixel of a sample, each
//! vector times its eigenvalue and a normal number drawn once per sample. Values are not clamped to
//! 0..=255 afterwards.

use rand::Rng;
use serde::{Deserialize, Serialize};

use crate::error::InputError;

/// Jitter along three colour vectors.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PcaJitter {
    /// Standard deviation of the drawn factors.
    pub sigma: f32,
    /// Length along each vector, for pixels in 0..1; multiplied by 255 when it is used.
    pub eigenvalues: [f32; 3],
    /// A row for each of R, G and B; column i belongs to eigenvalue i.
    pub eigenvectors: [[f32; 3]; 3],
}

impl PcaJitter {
    /// Jitter along the components of ImageNet's colours, as published with Facebook's ResNet training code,
    /// with Krizhevsky's standard deviation of 0.1.
    #[must_use]
    pub fn imagenet() -> Self {
        Self {
            sigma: 0.1,
            eigenvalues: [0.2175, 0.0188, 0.0045],
            eigenvectors: [
                [-0.5675, 0.7192, 0.4009],
                [-0.5808, -0.0045, -0.8140],
                [-0.5836, -0.6948, 0.4203],
            ],
        }
    }

    pub(super) fn validate(&self) -> Result<(), InputError> {
        let refuse = |found| Err(InputError::Colour { name: "colour jitter", found });
        if !(self.sigma.is_finite() && self.sigma >= 0.0) {
            return refuse([self.sigma; 3]);
        }
        for row in [self.eigenvalues].iter().chain(&self.eigenvectors) {
            if !row.iter().all(|value| value.is_finite()) {
                return refuse(*row);
            }
        }
        Ok(())
    }

    /// Draws the offsets that are added to R, G and B of one sample, on the scale 0..=255.
    pub fn draw(&self, rng: &mut impl Rng) -> [f32; 3] {
        let factors: [f64; 3] = std::array::from_fn(|i| {
            normal(rng) * f64::from(self.sigma) * f64::from(self.eigenvalues[i]) * 255.0
        });
        self.eigenvectors
            .map(|row| row.iter().zip(factors).map(|(&v, factor)| f64::from(v) * factor).sum::<f64>() as f32)
    }
}

/// Draws a standard normal number by the Box-Muller method; the second number of the pair is discarded.
fn normal(rng: &mut impl Rng) -> f64 {
    let mut uniform = || (rng.random::<u64>() >> 11) as f64 / (1_u64 << 53) as f64;
    // `1 - u` keeps the logarithm finite.
    let radius = (-2.0 * (1.0 - uniform()).ln()).sqrt();
    radius * (std::f64::consts::TAU * uniform()).cos()
}
