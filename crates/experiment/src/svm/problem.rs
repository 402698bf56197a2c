//! A checked training set, for training on all or some of its examples.

use super::config::SvmConfig;
use super::error::SvmError;
use super::solver::{LANES, Solver};
use super::trained::{Svm, all_finite};

/// Maximum number of classes; more are a mistake, and their weights may not fit into memory.
const MAX_CLASSES: usize = 1 << 16;

/// Checked examples, for training on all or some of them.
pub(super) struct Problem {
    /// (N, width): the features, the bias, zeros.
    rows: Vec<f64>,
    width: usize,
    features: usize,
    labels: Vec<u32>,
    classes: usize,
}

impl Problem {
    pub(super) fn new(
        x: &[f32],
        labels: &[u32],
        classes: usize,
        bias: Option<f64>,
    ) -> Result<Self, SvmError> {
        if labels.is_empty() {
            return Err(SvmError::Empty);
        }
        if classes > MAX_CLASSES {
            return Err(SvmError::Classes { most: MAX_CLASSES, found: classes });
        }
        if x.is_empty() || !x.len().is_multiple_of(labels.len()) {
            return Err(SvmError::Rows { rows: labels.len(), found: x.len() });
        }
        if let Some(example) = labels.iter().position(|&label| label as usize >= classes) {
            return Err(SvmError::Label { example, label: labels[example], classes });
        }
        let features = x.len() / labels.len();
        all_finite(x, features)?;
        let width = (features + 1).next_multiple_of(LANES);
        let mut rows = vec![0.0; labels.len() * width];
        for (row, x) in rows.chunks_exact_mut(width).zip(x.chunks_exact(features)) {
            for (to, &from) in row.iter_mut().zip(x) {
                *to = f64::from(from);
            }
            row[features] = bias.unwrap_or(0.0);
        }
        Ok(Self { rows, width, features, labels: labels.to_vec(), classes })
    }

    /// Trains on the examples with these indices.
    pub(super) fn solve(&self, examples: &[usize], config: &SvmConfig) -> Result<Svm, SvmError> {
        let mut seen = vec![false; self.classes];
        for &example in examples {
            seen[self.labels[example] as usize] = true;
        }
        // Classes with examples are numbered consecutively.
        let present: Vec<usize> = (0..self.classes).filter(|&class| seen[class]).collect();
        let mut number = vec![0; self.classes];
        for (new, &class) in present.iter().enumerate() {
            number[class] = new;
        }
        let examples = examples
            .iter()
            .map(|&i| (&self.rows[i * self.width..][..self.width], number[self.labels[i] as usize]))
            .collect();
        let mut solver = Solver::new(examples, present.len(), self.width, config.c);
        let fit = solver.run(config);
        if !(fit.objective.is_finite() && fit.gap.is_finite()) {
            return Err(SvmError::Overflow { c: config.c });
        }

        let mut weights = vec![0.0; self.classes * self.features];
        let mut intercepts = vec![0.0; self.classes];
        for (&class, trained) in present.iter().zip(solver.weights().chunks_exact(self.width)) {
            weights[class * self.features..][..self.features].copy_from_slice(&trained[..self.features]);
            intercepts[class] = config.bias.unwrap_or(0.0) * trained[self.features];
        }
        Ok(Svm { classes: self.classes, features: self.features, weights, intercepts, seen, fit })
    }

    /// Counts the examples that `svm` classifies correctly.
    pub(super) fn correct(&self, svm: &Svm, examples: &[usize]) -> usize {
        let right = |&&i: &&usize| {
            let row = &self.rows[i * self.width..][..self.features];
            let scores: Vec<f64> = svm.scores(row.iter().copied()).collect();
            svm.best(&scores) == self.labels[i]
        };
        examples.iter().filter(right).count()
    }
}
