//! A trained SVM and its decision values.

use serde::Serialize;

use super::config::Fit;
use super::error::SvmError;

/// A trained SVM.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Svm {
    pub(super) classes: usize,
    pub(super) features: usize,
    pub(super) weights: Vec<f64>,
    pub(super) intercepts: Vec<f64>,
    pub(super) seen: Vec<bool>,
    pub(super) fit: Fit,
}

impl Svm {
    /// Computes the scores w_m . x + b_m of each row of `x`, (N, F): (N, K). A class
    /// without examples scores 0.
    ///
    /// # Errors
    /// If the length is not a multiple of F or a feature is not finite.
    pub fn decision(&self, x: &[f32]) -> Result<Vec<f64>, SvmError> {
        if !x.len().is_multiple_of(self.features) {
            return Err(SvmError::Width { expected: self.features, found: x.len() });
        }
        all_finite(x, self.features)?;
        let rows = x.chunks_exact(self.features);
        Ok(rows.flat_map(|row| self.scores(row.iter().copied().map(f64::from))).collect())
    }

    /// Returns the result of the training.
    pub fn fit(&self) -> &Fit {
        &self.fit
    }

    pub(super) fn scores<'a>(
        &'a self,
        row: impl Iterator<Item = f64> + Clone + 'a,
    ) -> impl Iterator<Item = f64> + 'a {
        self.weights.chunks_exact(self.features).zip(&self.intercepts).map(move |(weights, intercept)| {
            weights.iter().zip(row.clone()).map(|(w, x)| w * x).sum::<f64>() + intercept
        })
    }

    pub(super) fn best(&self, scores: &[f64]) -> u32 {
        let mut best = None;
        for (class, (&score, &seen)) in (0..).zip(scores.iter().zip(&self.seen)) {
            if seen && best.is_none_or(|(_, highest)| score > highest) {
                best = Some((class, score));
            }
        }
        best.map_or(0, |(class, _)| class)
    }
}

/// Checks the features, rows of `width` values.
///
/// # Errors
/// If a value is infinite or NaN.
pub(super) fn all_finite(x: &[f32], width: usize) -> Result<(), SvmError> {
    match x.iter().position(|value| !value.is_finite()) {
        Some(at) => Err(SvmError::NotFinite { row: at / width, column: at % width, value: x[at] }),
        None => Ok(()),
    }
}
