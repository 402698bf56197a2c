//! Fused scores: several finished nets speak with one voice (Two-Stream ConvNets, Sect. 6).
//!
//! An SVM needs the scores of training videos. A net's scores on videos that it was trained on are far better than
//! those on any others, and an SVM that learnt from them would trust the stream that overfits most. So the training
//! videos are cut into folds and each fold is scored by nets that were trained on the others.

use plan::FusionPlan;
use plan::spec::Svm as SvmPlan;

use crate::error::{Error, Result};
use crate::record::SvmOutcome;
use crate::scores::Scores;
use crate::svm::{Svm, SvmConfig, choose_c, features};

/// Fuses the scores of streams; `folds` are those of held-out training videos, of each fold by all streams.
///
/// # Errors
/// [`Error::Usage`] for streams that were tested on different videos; those of the SVM.
pub(super) fn fuse(
    fusion: &FusionPlan,
    streams: &[&Scores],
    folds: &[Vec<&Scores>],
) -> Result<(Scores, Option<SvmOutcome>)> {
    Ok(match &fusion.svm {
        None => (average(streams)?, None),
        Some(plan) => {
            let (fused, outcome) = by_svm(plan, streams, folds)?;
            (fused, Some(outcome))
        }
    })
}

/// Scores of the same videos in the same order, or the error that they are not.
fn paired(streams: &[&Scores]) -> Result<()> {
    match streams.iter().find(|s| (&s.videos, &s.classes) != (&streams[0].videos, &streams[0].classes)) {
        None => Ok(()),
        Some(_) => Err(Error::Usage("the nets to be fused were tested on different videos".into())),
    }
}

/// The mean of the scores.
fn average(streams: &[&Scores]) -> Result<Scores> {
    paired(streams)?;
    let mean = |i: usize| streams.iter().map(|s| f64::from(s.scores[i])).sum::<f64>() / streams.len() as f64;
    let scores = (0..streams[0].scores.len()).map(|i| mean(i) as f32).collect();
    Ok(Scores { scores, ..streams[0].clone() })
}

/// The decision values of an SVM that has learnt from the scores of the folds.
fn by_svm(plan: &SvmPlan, streams: &[&Scores], folds: &[Vec<&Scores>]) -> Result<(Scores, SvmOutcome)> {
    paired(streams)?;
    let classes = streams[0].classes.len();
    let stacked = |streams: &[&Scores]| -> Vec<f32> {
        let one = |video: usize| {
            let of: Vec<&[f32]> = streams.iter().map(|s| &s.scores[video * classes..][..classes]).collect();
            features(&of)
        };
        (0..streams[0].videos.len()).flat_map(one).collect()
    };
    let (mut x, mut labels, mut numbers) = (Vec::new(), Vec::new(), Vec::new());
    for (number, fold) in folds.iter().enumerate() {
        paired(fold)?;
        x.extend(stacked(fold));
        labels.extend(&fold[0].labels);
        numbers.extend(std::iter::repeat_n(number, fold[0].videos.len()));
    }
    let config = SvmConfig::default();
    let choice = choose_c(&x, &labels, classes, &numbers, &plan.c, &config)?;
    let svm = Svm::train(&x, &labels, classes, &SvmConfig { c: choice.c, ..config })?;
    // A class without training videos has no weights, and 0 would beat the others' negative values.
    let seen: Vec<bool> = (0..classes as u32).map(|class| labels.contains(&class)).collect();
    let values = svm.decision(&stacked(streams))?.into_iter().zip(seen.iter().cycle());
    let scores = values.map(|(value, &seen)| if seen { value as f32 } else { f32::MIN }).collect();
    let outcome = SvmOutcome {
        videos: labels.len(),
        c: choice.c,
        candidates: choice.candidates.iter().map(|one| (one.c, 100.0 * one.accuracy)).collect(),
        converged: svm.fit().converged,
    };
    Ok((Scores { scores, ..streams[0].clone() }, outcome))
}
