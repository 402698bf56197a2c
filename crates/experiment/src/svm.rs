//! The multi-class linear SVM that fuses the streams of Two-Stream ConvNets
//! (Simonyan & Zisserman 2014, Sect. 2: "a multi-class linear SVM \[6\] on
//! stacked L2-normalised softmax scores").
//!
//! The SVM is that of Crammer & Singer (2001). With N examples x_i of F
//! features, labels y_i out of K classes and one weight vector w_m per class, it
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
mod config;
mod error;
mod problem;
mod solver;
#[cfg(test)]
mod tests;
mod trained;

pub use choose::{CANDIDATES, Candidate, Choice, choose_c};
pub use config::{Fit, SvmConfig};
pub use error::SvmError;
pub use trained::Svm;

use problem::Problem;

impl Svm {
    /// Trains on the rows of `x`, (N, F), each with a label below `classes`.
    ///
    /// A class without examples is left out: its weights are zero and it is
    /// never predicted. Too few sweeps are not an error; see [`Svm::fit`].
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
}

/// Computes the features of one video: each stream's softmax scores, divided by
/// their L2 norm, one stream after the other. Scores that are all zero stay zero.
pub fn features(scores: &[&[f32]]) -> Vec<f32> {
    let mut features = Vec::with_capacity(scores.iter().map(|stream| stream.len()).sum());
    for stream in scores {
        let norm = stream.iter().map(|&score| f64::from(score).powi(2)).sum::<f64>().sqrt();
        let divisor = if norm == 0.0 { 1.0 } else { norm };
        features.extend(stream.iter().map(|&score| (f64::from(score) / divisor) as f32));
    }
    features
}
