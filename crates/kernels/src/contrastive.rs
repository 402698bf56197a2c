//! The contrastive loss of pairs: those that are alike are pulled together, others pushed apart up to a margin.

use candle_core::{Result, bail};

use crate::check;
use crate::op::{Array, Gradient, Op};

/// The distance that the margin is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairDistance {
    /// The sum of absolute differences, in the term of dissimilar pairs alone; similar ones have the squared Euclidean
    /// distance. The form of the Siamese cross-view network.
    L1,
    /// The Euclidean distance in both terms (Hadsell, Chopra & LeCun, CVPR 2006, without their factors of 1/2).
    L2,
}

/// The mean over P pairs of `s |D|² + (1 - s) max(0, m - dist(D))²`, with `D = x - y` the difference of two vectors, (P, F)
/// and (P, F), and s = 1 for similar pairs; a scalar.
///
/// Where two dissimilar vectors are equal, the gradient of their distance is taken as zero.
#[derive(Debug, Clone, PartialEq)]
pub struct ContrastiveLoss {
    similar: Vec<bool>,
    margin: f32,
    distance: PairDistance,
}

impl ContrastiveLoss {
    /// Of pairs that are similar or not, with the margin m.
    #[must_use]
    pub fn new(similar: Vec<bool>, margin: f32, distance: PairDistance) -> Self {
        Self { similar, margin, distance }
    }

    /// Checks the inputs and returns F.
    fn features(&self, x: &Array<'_>, y: &Array<'_>) -> Result<usize> {
        let op = self.name();
        if !(self.margin > 0.0 && self.margin.is_finite()) {
            bail!("{op}: the margin is {}, expected a number above 0", self.margin);
        }
        let &[pairs, features] = x.dims else {
            bail!("{op}: the input has shape {:?}, expected (P, F)", x.dims);
        };
        check::dims(op, "the second input", y, x.dims)?;
        if pairs == 0 || features == 0 || pairs != self.similar.len() {
            bail!("{op}: {} pairs are known, and {pairs} of {features} values given", self.similar.len());
        }
        Ok(features)
    }

    /// The distance of a dissimilar pair.
    fn distance(&self, x: &[f32], y: &[f32]) -> f64 {
        let differences = x.iter().zip(y).map(|(&x, &y)| f64::from(x) - f64::from(y));
        match self.distance {
            PairDistance::L1 => differences.map(f64::abs).sum(),
            PairDistance::L2 => differences.map(|d| d * d).sum::<f64>().sqrt(),
        }
    }
}

impl Op for ContrastiveLoss {
    fn name(&self) -> &'static str {
        "contrastive-loss"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x, y] = check::inputs(self.name(), inputs)?;
        let features = self.features(&x, &y)?;
        let mut loss = 0f64;
        for ((x, y), &similar) in
            x.data.chunks_exact(features).zip(y.data.chunks_exact(features)).zip(&self.similar)
        {
            loss += if similar {
                x.iter().zip(y).map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum::<f64>()
            } else {
                // A NaN stays one: it is not below the margin, and `max` would drop it.
                let short = f64::from(self.margin) - self.distance(x, y);
                if short < 0.0 { 0.0 } else { short * short }
            };
        }
        Ok((vec![(loss / self.similar.len() as f64) as f32], Vec::new()))
    }

    fn backward_cpu(
        &self,
        inputs: &[Array<'_>],
        _output: Array<'_>,
        gradient: Array<'_>,
        wanted: &[bool],
    ) -> Result<Vec<Gradient>> {
        let [x, y] = check::inputs(self.name(), inputs)?;
        let features = self.features(&x, &y)?;
        let &[gradient] = gradient.data else {
            bail!("{}: the gradient has shape {:?}, expected a scalar", self.name(), gradient.dims);
        };
        let scale = 2.0 * f64::from(gradient) / self.similar.len() as f64;
        let mut of_x = vec![0f32; x.data.len()];
        let pairs = x.data.chunks_exact(features).zip(y.data.chunks_exact(features)).zip(&self.similar);
        for (out, ((x, y), &similar)) in of_x.chunks_exact_mut(features).zip(pairs) {
            let distance = self.distance(x, y);
            let short = f64::from(self.margin) - distance;
            if !similar && (short < 0.0 || distance == 0.0) {
                continue;
            }
            for (out, (&x, &y)) in out.iter_mut().zip(x.iter().zip(y)) {
                let difference = f64::from(x) - f64::from(y);
                let along = match (similar, self.distance) {
                    (true, _) => difference,
                    (false, PairDistance::L1) if difference == 0.0 => 0.0,
                    (false, PairDistance::L1) => -short * difference.signum(),
                    (false, PairDistance::L2) => -short * difference / distance,
                };
                *out = (scale * along) as f32;
            }
        }
        let of_y = wanted.get(1) == Some(&true);
        let negated = of_y.then(|| Gradient::Values(of_x.iter().map(|gradient| -gradient).collect()));
        let of_x = if wanted.first() == Some(&true) { Gradient::Values(of_x) } else { Gradient::None };
        Ok(vec![of_x, negated.unwrap_or(Gradient::None)])
    }
}
