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
use crate::error::Result;
use crate::fusion::{fuse, lacks_logits};
use crate::record::TestOutcome;
use crate::scores::{SCORES, Scores};
use crate::store::Unit;
use plan::FusionPlan;
use plan::fusion::{FuseBy, Svm};

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
    svm: Option<&'a Svm>,
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
        let (by, svm) = fusion.fusion.written();
        let version = env!("CARGO_PKG_VERSION");
        let key = FuseKey { version, streams: &names(run)?, folds: &folds, by, svm };
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
                let folds = folds.iter().map(|fold| class_scores(fold)).collect::<Result<Vec<_>>>()?;
                let (fused, svm) = fuse(&fusion.fusion, &scores, &folds)?;
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
        let one = |(number, stream)| {
            let name = format!("{name}, stream {}", number + 1);
            let tested = self.tested(&name, stream, run)?;
            if !lacks_logits(&fusion.fusion, tested.answers.classes()?) {
                return Ok(tested);
            }
            self.runner.console.line(&format!(
                "{name}: tested before its scores before the softmax were kept, so it is tested again"
            ));
            {
                let _lock = self.take(&tested.unit)?;
                tested.unit.clear()?;
            }
            self.tested(&name, stream, run)
        };
        fusion.streams.iter().enumerate().map(one).collect()
    }
}

/// The scores of finished tests.
fn class_scores(streams: &[Tested]) -> Result<Vec<&Scores>> {
    streams.iter().map(|stream| stream.answers.classes()).collect()
}

/// The runs whose scores an SVM learns from: one a fold, which is left out.
pub(super) fn fold_runs<'a>(fusion: &FusionPlan, run: &Run<'a>) -> impl Iterator<Item = Run<'a>> {
    let of = fusion.fusion.folds();
    let run = *run;
    (0..of).map(move |number| Run { fold: Some((number, of)), ..run })
}
