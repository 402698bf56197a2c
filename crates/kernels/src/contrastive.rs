//! The contrastive loss of pairs: similar pairs are pulled together, others pushed apart up to a margin.

use candle_core::{Result, bail};

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::op::Op;

/// The distance that is compared with the margin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairDistance {
    /// The sum of absolute differences, only in the term of dissimilar pairs; similar pairs use the squared Euclidean
    /// distance. The form of the Siamese cross-view network.
    L1,
    /// The Euclidean distance in both terms (Hadsell, Chopra & LeCun, CVPR 2006, without their factors of 1/2).
    L2,
}

impl PairDistance {
    /// Computes the distance of a dissimilar pair.
    #[must_use]
    pub fn of(self, x: &[f32], y: &[f32]) -> f64 {
        let differences = x.iter().zip(y).map(|(&x, &y)| f64::from(x) - f64::from(y));
        match self {
            Self::L1 => differences.map(f64::abs).sum(),
            Self::L2 => differences.map(|d| d * d).sum::<f64>().sqrt(),
        }
    }
}

/// The mean over P pairs of `s |D|² + (1 - s) max(0, m - dist(D))²`, with `D = x - y` the difference of a pair's two vectors
/// and s = 1 for similar pairs; a scalar. The input is (2P, F): the two vectors of a pair are consecutive rows.
///
/// If two dissimilar vectors are equal, the gradient of their distance is taken as zero.
#[derive(Debug, Clone, PartialEq)]
pub struct ContrastiveLoss {
    pub(crate) similar: Vec<bool>,
    pub(crate) margin: f32,
    pub(crate) distance: PairDistance,
    pub(crate) weight: f32,
}

impl ContrastiveLoss {
    /// Creates the loss of pairs that are similar or not, with the margin m.
    #[must_use]
    pub fn new(similar: Vec<bool>, margin: f32, distance: PairDistance) -> Self {
        Self { similar, margin, distance, weight: 1.0 }
    }

    /// Multiplies the loss by a weight.
    #[must_use]
    pub fn weighted(self, weight: f32) -> Self {
        Self { weight, ..self }
    }

    /// Checks the input and returns F.
    pub(crate) fn features(&self, pairs: &impl Shaped) -> Result<usize> {
        let op = self.name();
        if !(self.margin > 0.0 && self.margin.is_finite()) {
            bail!("{op}: the margin is {}, expected a number above 0", self.margin);
        }
        let &[vectors, features] = pairs.dims() else {
            bail!("{op}: the input has shape {:?}, expected (2P, F)", pairs.dims());
        };
        if vectors == 0 || features == 0 || vectors != 2 * self.similar.len() {
            bail!(
                "{op}: expected two vectors for each of {} pairs, found {vectors} vectors of {features} values",
                self.similar.len()
            );
        }
        Ok(features)
    }
}

impl Op for ContrastiveLoss {
    fn name(&self) -> &'static str {
        "contrastive-loss"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [pairs] = check::inputs(self.name(), inputs)?;
        let features = self.features(&pairs)?;
        let mut loss = 0f64;
        for (pair, &similar) in pairs.data.chunks_exact(2 * features).zip(&self.similar) {
            let (x, y) = pair.split_at(features);
            loss += if similar {
                x.iter().zip(y).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum::<f64>()
            } else {
                // NaN is kept: it is not below the margin, and `max` would drop it.
                let short = f64::from(self.margin) - self.distance.of(x, y);
                if short < 0.0 { 0.0 } else { short * short }
            };
        }
        Ok((vec![(f64::from(self.weight) * loss / self.similar.len() as f64) as f32], Vec::new()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [pairs] = check::inputs(self.name(), given.inputs)?;
        let features = self.features(&pairs)?;
        let &[gradient] = given.gradient.data else {
            bail!("{}: the gradient has shape {:?}, expected a scalar", self.name(), given.gradient.dims);
        };
        let scale = 2.0 * f64::from(self.weight) * f64::from(gradient) / self.similar.len() as f64;
        let mut gradients = vec![0f32; pairs.data.len()];
        let outs = gradients.chunks_exact_mut(2 * features);
        for (out, (pair, &similar)) in outs.zip(pairs.data.chunks_exact(2 * features).zip(&self.similar)) {
            let ((x, y), (of_x, of_y)) = (pair.split_at(features), out.split_at_mut(features));
            let distance = self.distance.of(x, y);
            let short = f64::from(self.margin) - distance;
            if !similar && (short < 0.0 || distance == 0.0) {
                continue;
            }
            for ((of_x, of_y), (&x, &y)) in of_x.iter_mut().zip(of_y).zip(x.iter().zip(y)) {
                let difference = f64::from(x) - f64::from(y);
                let along = match (similar, self.distance) {
                    (true, _) => difference,
                    (false, PairDistance::L1) if difference == 0.0 => 0.0,
                    (false, PairDistance::L1) => -short * difference.signum(),
                    (false, PairDistance::L2) => -short * difference / distance,
                };
                *of_x = (scale * along) as f32;
                *of_y = -*of_x;
            }
        }
        Ok(vec![Gradient::Values(gradients)])
    }
}
