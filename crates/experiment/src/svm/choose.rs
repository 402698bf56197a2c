//! Chooses C by cross-validation.

use std::collections::BTreeSet;

use rayon::prelude::*;
use serde::Serialize;

use super::config::SvmConfig;
use super::error::SvmError;
use super::problem::Problem;

/// The usual candidates for C: powers of four, 2^-6 to 2^8.
///
/// Features of S streams have the squared norm S, so the useful range does not
/// depend on the network.
pub const CANDIDATES: [f64; 8] = [0.015_625, 0.062_5, 0.25, 1.0, 4.0, 16.0, 64.0, 256.0];

/// The chosen C and all candidates.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Choice {
    /// The candidate with the most correct videos; the smallest of equal ones.
    pub c: f64,
    /// All candidates, in the order given.
    pub candidates: Vec<Candidate>,
}

/// The result of cross-validation for one C.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Candidate {
    /// The candidate.
    pub c: f64,
    /// Number of videos that the SVM of the other folds got right.
    pub correct: usize,
    /// `correct` over the number of videos, in 0..=1.
    pub accuracy: f64,
    /// True if the training converged for every fold.
    pub converged: bool,
}

/// Chooses C for the rows of `x`, (N, F): each fold is held out once, an SVM is
/// trained on the others, and correct videos are counted over all folds.
///
/// `folds` has one number per video. Videos of one source (a group of UCF-101, an
/// actor) belong in one fold. A network is overconfident on its own training
/// videos, so a C chosen on their scores does not suit a test. `config.c` is not
/// used. Folds and candidates are trained on all threads; the result does not
/// depend on the number of threads.
///
/// # Errors
/// As [`Svm::train`](super::Svm::train); also with fewer than two folds, no
/// candidate, or a candidate that is not positive.
pub fn choose_c(
    x: &[f32],
    labels: &[u32],
    classes: usize,
    folds: &[usize],
    candidates: &[f64],
    config: &SvmConfig,
) -> Result<Choice, SvmError> {
    for &c in candidates {
        SvmConfig { c, ..*config }.check()?;
    }
    let problem = Problem::new(x, labels, classes, config.bias)?;
    if folds.len() != labels.len() {
        return Err(SvmError::Lengths { what: "fold", expected: labels.len(), found: folds.len() });
    }
    let distinct: Vec<usize> = folds.iter().copied().collect::<BTreeSet<_>>().into_iter().collect();
    if distinct.len() < 2 {
        return Err(SvmError::Folds { found: distinct.len() });
    }

    let jobs: Vec<(f64, usize)> =
        candidates.iter().flat_map(|&c| distinct.iter().map(move |&fold| (c, fold))).collect();
    let trained: Vec<Result<(usize, bool), SvmError>> = jobs
        .par_iter()
        .map(|&(c, fold)| {
            let (held, rest): (Vec<usize>, Vec<usize>) = (0..labels.len()).partition(|&i| folds[i] == fold);
            let svm = problem.solve(&rest, &SvmConfig { c, ..*config })?;
            Ok((problem.correct(&svm, &held), svm.fit().converged))
        })
        .collect();
    // Collected in order, so that the first error is always the same.
    let trained = trained.into_iter().collect::<Result<Vec<_>, _>>()?;

    let candidates: Vec<Candidate> = candidates
        .iter()
        .zip(trained.chunks_exact(distinct.len()))
        .map(|(&c, folds)| {
            let correct = folds.iter().map(|(correct, _)| correct).sum();
            let accuracy = correct as f64 / labels.len() as f64;
            Candidate { c, correct, accuracy, converged: folds.iter().all(|&(_, converged)| converged) }
        })
        .collect();
    let best = candidates
        .iter()
        .min_by(|a, b| b.correct.cmp(&a.correct).then(a.c.total_cmp(&b.c)))
        .ok_or(SvmError::NoCandidates)?;
    Ok(Choice { c: best.c, candidates })
}
