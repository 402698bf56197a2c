//! Tests of the SVM: against scikit-learn, against a slower solver, and at edge cases.

mod choice;
mod edges;
mod optimum;
mod sklearn;

use super::SvmError;
use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use super::{Svm, SvmConfig};

/// A training set.
#[derive(Clone)]
struct Set {
    x: Vec<f32>,
    labels: Vec<u32>,
    classes: usize,
    features: usize,
}

impl Set {
    /// Draws a small problem from `seed`: 1 to 14 examples, 1 to 4 features, 2 to 5
    /// classes. Some examples occur twice, with separately drawn labels, and some are zero.
    fn random(seed: u64) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (n, features, classes) =
            (1 + below(&mut rng, 14), 1 + below(&mut rng, 4), 2 + below(&mut rng, 4));
        let labels: Vec<u32> = (0..n).map(|_| below(&mut rng, classes) as u32).collect();
        let mut x: Vec<f32> = Vec::new();
        for i in 0..n {
            match below(&mut rng, 8) {
                0 if i > 0 => x.extend_from_within((i - 1) * features..),
                1 => x.extend(std::iter::repeat_n(0.0, features)),
                _ => x.extend((0..features).map(|_| uniform(&mut rng) * 4.0 - 2.0)),
            }
        }
        Self { x, labels, classes, features }
    }

    fn train(&self, config: &SvmConfig) -> Svm {
        Svm::train(&self.x, &self.labels, self.classes, config).unwrap()
    }

    fn rows(&self) -> impl Iterator<Item = (&[f32], usize)> {
        self.x.chunks_exact(self.features).zip(self.labels.iter().map(|&y| y as usize))
    }
}

/// Computes the minimised function directly from its formula; `weights` is (K, F).
fn objective(set: &Set, weights: &[f64], intercepts: &[f64], bias: f64, c: f64) -> f64 {
    let classes = intercepts.len();
    let mut loss = 0.0;
    for (row, y) in set.rows() {
        let score = |m: usize| {
            let weights = &weights[m * set.features..][..set.features];
            weights.iter().zip(row).map(|(w, &x)| w * f64::from(x)).sum::<f64>() + intercepts[m]
        };
        let margin = |m: usize| if m == y { 0.0 } else { 1.0 - (score(y) - score(m)) };
        loss += (0..classes).map(margin).fold(f64::NEG_INFINITY, f64::max);
    }
    let own = |values: &[f64]| values.iter().map(|w| w * w).sum::<f64>();
    let of_bias = if bias == 0.0 { 0.0 } else { own(intercepts) / (bias * bias) };
    0.5 * (own(weights) + of_bias) + c * loss
}

fn below(rng: &mut ChaCha8Rng, n: usize) -> usize {
    (rng.next_u32() as usize) % n
}

/// Draws a number in [0, 1).
fn uniform(rng: &mut ChaCha8Rng) -> f32 {
    (rng.next_u32() >> 8) as f32 / (1 << 24) as f32
}

fn worst(a: &[f64], b: &[f64]) -> f64 {
    assert_eq!(a.len(), b.len());
    a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f64::max)
}

/// Helpers to inspect solutions.
impl Svm {
    /// Returns the class of each row of `x`.
    fn predict(&self, x: &[f32]) -> Result<Vec<u32>, SvmError> {
        let decision = self.decision(x)?;
        Ok(decision.chunks_exact(self.classes).map(|scores| self.best(scores)).collect())
    }

    fn weights(&self) -> &[f64] {
        &self.weights
    }

    fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }
}
