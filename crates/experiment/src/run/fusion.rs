//! Fused scores: several finished nets speak with one voice (Two-Stream ConvNets, Sect. 6).
//!
//! An SVM needs the scores of training videos. A net's scores on videos that it was trained on are far better than
//! those on any others, and an SVM that learnt from them would trust the stream that overfits most. So the training
//! videos are cut into folds and each fold is scored by nets that were trained on the others.

use std::time::Instant;

use serde::Serialize;

use super::nets::{Tested, finished};
use super::{Job, Run};
use crate::answers::Answers;
use crate::error::{Error, Result};
use crate::record::{SvmOutcome, TestOutcome};
use crate::scores::{SCORES, Scores};
use crate::store::Unit;
use crate::svm::{Svm, SvmConfig, choose_c, features};
use plan::FusionPlan;
use plan::spec::{FuseBy, Svm as SvmPlan};

/// What decides fused scores.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct FuseKey<'a> {
    version: &'static str,
    /// Test units of the streams.
    streams: &'a [String],
    /// Test units of the folds, where there is an SVM.
    folds: &'a [String],
    by: FuseBy,
    svm: &'a Option<SvmPlan>,
}

impl Job<'_> {
    /// The unit of fused scores.
    pub(super) fn fuse_unit(&self, fusion: &FusionPlan, run: &Run<'_>) -> Result<Unit> {
        let names = |run: &Run<'_>| -> Result<Vec<String>> {
            fusion.streams.iter().map(|stream| Ok(self.test_unit(stream, run)?.name)).collect()
        };
        let mut folds = Vec::new();
        for run in fold_runs(fusion, run) {
            folds.extend(names(&run)?);
        }
        let key = FuseKey {
            version: env!("CARGO_PKG_VERSION"),
            streams: &names(run)?,
            folds: &folds,
            by: fusion.by,
            svm: &fusion.svm,
        };
        Ok(self.store.unit("fuse", &key))
    }

    /// Fuses the scores of nets, which are trained first where they are not.
    pub(super) fn fused(&self, name: &str, fusion: &FusionPlan, run: &Run<'_>) -> Result<Tested> {
        let unit = self.fuse_unit(fusion, run)?;
        let streams = self.streams(name, fusion, run)?;
        let folds = fold_runs(fusion, run)
            .map(|run| {
                let fold = run.fold.map_or(0, |(number, _)| number + 1);
                self.streams(&format!("{name}, fold {fold}"), fusion, &run)
            })
            .collect::<Result<Vec<_>>>()?;

        self.expect_done(&unit, finished(&unit))?;
        let _lock = self.take(&unit)?;
        let path = unit.path(SCORES);
        let (outcome, scores) = match finished(&unit)? {
            Some(outcome) => (outcome, Scores::read(&path)?),
            None => {
                let begun = Instant::now();
                let scores: Vec<&Scores> = class_scores(&streams)?;
                let (fused, svm) = match &fusion.svm {
                    None => (average(&scores)?, None),
                    Some(plan) => {
                        let folds =
                            folds.iter().map(|fold| class_scores(fold)).collect::<Result<Vec<_>>>()?;
                        let (fused, outcome) = by_svm(plan, &scores, &folds)?;
                        (fused, Some(outcome))
                    }
                };
                fused.write(&path)?;
                let outcome = TestOutcome {
                    videos_expected: streams.iter().map(|s| s.outcome.videos_expected).max().unwrap_or(0),
                    videos_scored: fused.videos.len(),
                    seconds: (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0,
                    streams: streams.iter().map(|stream| stream.unit.name.clone()).collect(),
                    svm,
                };
                unit.finish(&outcome)?;
                (outcome, fused)
            }
        };
        Ok(Tested { stages: Vec::new(), unit, outcome, answers: Answers::Classes(scores) })
    }

    fn streams(&self, name: &str, fusion: &FusionPlan, run: &Run<'_>) -> Result<Vec<Tested>> {
        let one = |(number, stream)| self.tested(&format!("{name}, stream {}", number + 1), stream, run);
        fusion.streams.iter().enumerate().map(one).collect()
    }
}

/// The scores of finished tests.
fn class_scores(streams: &[Tested]) -> Result<Vec<&Scores>> {
    streams.iter().map(|stream| stream.answers.classes()).collect()
}

/// The runs whose scores an SVM learns from: one a fold, which is left out.
pub(super) fn fold_runs<'a>(fusion: &FusionPlan, run: &Run<'a>) -> impl Iterator<Item = Run<'a>> {
    let of = fusion.svm.as_ref().map_or(0, |svm| svm.folds);
    let run = *run;
    (0..of).map(move |number| Run { fold: Some((number, of)), ..run })
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
