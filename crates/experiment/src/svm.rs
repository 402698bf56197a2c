//! The multi-class linear SVM that fuses the streams of Two-Stream ConvNets
//! (Simonyan & Zisserman 2014, Sect. 2: "a multi-class linear SVM \[6\] on
//! stacked L2-normalised softmax scores").
//!
//! The SVM is that of Crammer & Singer (2001). With N examples x_i of F
//! features, labels y_i out of K classes and one weight vector w_m a class, it
//! minimises
//!
//! ```text
//! 1/2 sum_m |w_m|^2 + C sum_i max_m (e_i^m - (w_{y_i} - w_m) . x_i),    e_i^m = 0 for m = y_i, else 1
//! ```
//!
//! by the sequential dual method of Keerthi et al. (2008), LIBLINEAR's
//! `-s 4`: see [`Svm::train`]. [`choose_c`] finds C by cross-validation.
//!
//! Letters: N examples, F features, K classes. Everything is computed in f64
//! on the calling thread, so the same input gives the same bits.

mod choose;
mod error;
mod problem;
mod solver;
#[cfg(test)]
mod tests;

pub use choose::{CANDIDATES, Candidate, Choice, choose_c};
pub use error::SvmError;

use problem::Problem;
use serde::{Deserialize, Serialize};

/// What a training depends on beside its examples.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct SvmConfig {
    /// The weight C of one example's loss against 1/2 |w|^2; the sum over
    /// examples is not divided by their number.
    pub c: f64,
    /// The largest violation of the optimality conditions at which training
    /// ends, in units of the margin (LIBLINEAR's `-e`).
    pub tolerance: f64,
    /// Training also ends after so many passes over the examples.
    pub max_sweeps: usize,
    /// The value of a feature that is appended to every example and whose
    /// weight is regularised like all others (LIBLINEAR's `-B`, scikit-learn's
    /// `intercept_scaling`); `None` for no bias, LIBLINEAR's default.
    pub bias: Option<f64>,
}

impl Default for SvmConfig {
    /// C = 1, no bias and 100000 sweeps (most leave nearly all out), as LIBLINEAR;
    /// tolerance 1e-4, as scikit-learn.
    fn default() -> Self {
        Self { c: 1.0, tolerance: 1e-4, max_sweeps: 100_000, bias: None }
    }
}

/// How a training ended.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Fit {
    /// Whether `violation` is within the tolerance.
    pub converged: bool,
    /// Passes over the examples; passes that left shrunk ones out count too.
    pub sweeps: usize,
    /// The largest violation of the optimality conditions over all examples
    /// at the returned weights, in units of the margin.
    pub violation: f64,
    /// The value of the function that is minimised.
    pub objective: f64,
    /// `objective` less the dual's value: how far `objective` can be above
    /// the minimum.
    pub gap: f64,
}

/// A trained SVM.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Svm {
    classes: usize,
    features: usize,
    weights: Vec<f64>,
    intercepts: Vec<f64>,
    seen: Vec<bool>,
    fit: Fit,
}

impl Svm {
    /// Trains on the rows of `x`, (N, F), with a label below `classes` each.
    ///
    /// A class without examples takes no part: its weights are zero and it is
    /// never predicted. Too few sweeps are not an error; look at [`Svm::fit`].
    ///
    /// # Errors
    /// If there are no examples, lengths do not fit, a label is not below
    /// `classes`, a feature is not finite, or a value of `config` is unusable.
    pub fn train(x: &[f32], labels: &[u32], classes: usize, config: &SvmConfig) -> Result<Self, SvmError> {
        config.check()?;
        let problem = Problem::new(x, labels, classes, config.bias)?;
        let all: Vec<usize> = (0..labels.len()).collect();
        problem.solve(&all, config)
    }

    /// The scores w_m . x + b_m of each row of `x`, (N, F): (N, K). A class
    /// that had no examples scores 0.
    ///
    /// # Errors
    /// If the length is no multiple of F or a feature is not finite.
    pub fn decision(&self, x: &[f32]) -> Result<Vec<f64>, SvmError> {
        if !x.len().is_multiple_of(self.features) {
            return Err(SvmError::Width { expected: self.features, found: x.len() });
        }
        all_finite(x, self.features)?;
        let rows = x.chunks_exact(self.features);
        Ok(rows.flat_map(|row| self.scores(row.iter().copied().map(f64::from))).collect())
    }

    /// The class with the highest score for each row of `x`, (N, F), the
    /// first one where several are equal, among the classes that had examples.
    ///
    /// # Errors
    /// As [`Svm::decision`].
    pub fn predict(&self, x: &[f32]) -> Result<Vec<u32>, SvmError> {
        let decision = self.decision(x)?;
        Ok(decision.chunks_exact(self.classes).map(|scores| self.best(scores)).collect())
    }

    /// The number of classes K.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// The number of features F, without the bias.
    pub fn features(&self) -> usize {
        self.features
    }

    /// The weights, (K, F).
    pub fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// What is added to each class's score, (K); zeros without a bias.
    pub fn intercepts(&self) -> &[f64] {
        &self.intercepts
    }

    /// How the training ended.
    pub fn fit(&self) -> &Fit {
        &self.fit
    }

    fn scores<'a>(&'a self, row: impl Iterator<Item = f64> + Clone + 'a) -> impl Iterator<Item = f64> + 'a {
        self.weights.chunks_exact(self.features).zip(&self.intercepts).map(move |(weights, intercept)| {
            weights.iter().zip(row.clone()).map(|(w, x)| w * x).sum::<f64>() + intercept
        })
    }

    fn best(&self, scores: &[f64]) -> u32 {
        let mut best = None;
        for (class, (&score, &seen)) in (0..).zip(scores.iter().zip(&self.seen)) {
            if seen && best.is_none_or(|(_, highest)| score > highest) {
                best = Some((class, score));
            }
        }
        best.map_or(0, |(class, _)| class)
    }
}

impl SvmConfig {
    /// # Errors
    /// If a value is unusable.
    fn check(&self) -> Result<(), SvmError> {
        positive("C", self.c)?;
        positive("the tolerance", self.tolerance)?;
        self.bias.map_or(Ok(()), |bias| positive("the bias", bias))?;
        if self.max_sweeps == 0 { Err(SvmError::NoSweeps) } else { Ok(()) }
    }
}

/// The features of one video: each stream's softmax scores, divided by their
/// own L2 norm, one stream after the other. Scores that are all zero stay so.
pub fn features(scores: &[&[f32]]) -> Vec<f32> {
    let mut features = Vec::with_capacity(scores.iter().map(|stream| stream.len()).sum());
    for stream in scores {
        let norm = stream.iter().map(|&score| f64::from(score).powi(2)).sum::<f64>().sqrt();
        let divisor = if norm == 0.0 { 1.0 } else { norm };
        features.extend(stream.iter().map(|&score| (f64::from(score) / divisor) as f32));
    }
    features
}

/// # Errors
/// If `value` is not a positive number of ordinary size.
fn positive(what: &'static str, value: f64) -> Result<(), SvmError> {
    // Products of a few such values stay far from the largest f64.
    if value > 0.0 && value <= f64::from(f32::MAX) { Ok(()) } else { Err(SvmError::Setting { what, value }) }
}

/// # Errors
/// If one of the rows of `width` values holds infinity or what is no number.
fn all_finite(x: &[f32], width: usize) -> Result<(), SvmError> {
    match x.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(SvmError::NotFinite { row: at / width, column: at % width, value: x[at] }),
        None => Ok(()),
    }
}
