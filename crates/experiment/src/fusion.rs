//! Fuses the scores of several trained nets (Two-Stream ConvNets, Sect. 6). Nothing here trains a net; [`plan::fusion`]
//! defines the kinds of fusion and their settings.
//!
//! An SVM needs the scores of training videos. A net's scores on its own training videos are far better than on any
//! others, and an SVM trained on them would trust the stream that overfits most. Therefore the training videos are
//! divided into folds, and each fold is scored by nets that were trained on the others.

use crate::error::{Error, Result};
use crate::record::SvmOutcome;
use crate::scores::Scores;
use crate::svm::{Svm, SvmConfig, choose_c, features};
use plan::Fusion;
use plan::fusion::Svm as SvmSettings;

/// Fuses the scores of streams, all of the same videos. `folds` are the streams' scores on each held-out fold of the
/// training videos, as many as the fusion needs. For an SVM, also returns the outcome of its training.
///
/// # Errors
/// [`Error::Usage`] for streams of different videos, for a wrong number of streams or folds, and for missing logits;
/// [`Error::Svm`] if the SVM cannot be trained.
pub fn fuse(
    fusion: &Fusion,
    streams: &[&Scores],
    folds: &[Vec<&Scores>],
) -> Result<(Scores, Option<SvmOutcome>)> {
    if folds.len() != fusion.folds() {
        return Err(Error::Usage(format!(
            "the fusion needs the scores of {} held-out folds, found those of {}",
            fusion.folds(),
            folds.len()
        )));
    }
    let first = paired(streams)?;
    fusion.check(streams.len()).map_err(Error::Usage)?;
    for fold in folds {
        paired(fold)?;
        if fold.len() != streams.len() {
            return Err(Error::Usage(format!(
                "expected scores of all {} fused nets in a held-out fold, found scores of {}",
                streams.len(),
                fold.len()
            )));
        }
    }
    let (scores, outcome) = match fusion {
        Fusion::Svm(settings) => {
            let (scores, outcome) = by_svm(settings, streams, folds)?;
            (scores, Some(outcome))
        }
        of_single_videos => (of_each_video(of_single_videos, streams)?, None),
    };
    Ok((Scores { scores, logits: Vec::new(), ..first.clone() }, outcome))
}

/// Returns `true` if a fusion needs logits that the scores of an old test lack.
pub fn lacks_logits(fusion: &Fusion, scores: &Scores) -> bool {
    fusion.reads_logits() && scores.logits.is_empty()
}

/// Checks that all scores are of the same videos in the same order, and returns the first.
fn paired<'a>(streams: &[&'a Scores]) -> Result<&'a Scores> {
    let [first, rest @ ..] = streams else {
        return Err(Error::Usage("the fusion has no nets to fuse".into()));
    };
    match rest.iter().find(|s| (&s.videos, &s.classes) != (&first.videos, &first.classes)) {
        None => Ok(first),
        Some(_) => Err(Error::Usage("the fused nets were tested on different videos".into())),
    }
}

/// Fuses the scores of every video separately.
fn of_each_video(fusion: &Fusion, streams: &[&Scores]) -> Result<Vec<f32>> {
    let (videos, classes) = (streams[0].videos.len(), streams[0].classes.len());
    let mut values: Vec<&[f32]> = Vec::with_capacity(streams.len());
    for scores in streams {
        let of = if fusion.reads_logits() { &scores.logits } else { &scores.scores };
        if of.len() != videos * classes {
            return Err(Error::Usage(
                "the fusion needs scores before the softmax, which one of the fused nets lacks; test it again with \
                 --fresh"
                    .into(),
            ));
        }
        values.push(of);
    }
    let one = |video: usize| {
        let of: Vec<&[f32]> = values.iter().map(|values| &values[video * classes..][..classes]).collect();
        fusion.of_one_video(&of)
    };
    let fused: Option<Vec<Vec<f32>>> = (0..videos).map(one).collect();
    let learns =
        || Error::Usage(format!("{}: this fusion must be trained, but nothing trains it", fusion.words()));
    fused.map(|fused| fused.concat()).ok_or_else(learns)
}

/// Trains an SVM on the scores of the folds and returns its decision values.
fn by_svm(
    settings: &SvmSettings,
    streams: &[&Scores],
    folds: &[Vec<&Scores>],
) -> Result<(Vec<f32>, SvmOutcome)> {
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
        x.extend(stacked(fold));
        labels.extend(&fold[0].labels);
        numbers.extend(std::iter::repeat_n(number, fold[0].videos.len()));
    }
    let config = SvmConfig::default();
    let choice = choose_c(&x, &labels, classes, &numbers, &settings.c, &config)?;
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
    Ok((scores, outcome))
}

#[cfg(test)]
mod tests {
    use plan::fusion::{Mean, ScoresOf};

    use super::*;

    fn softmax(pair: [f32; 2]) -> [f32; 2] {
        let share = 1.0 / (1.0 + (pair[1] - pair[0]).exp());
        [share, 1.0 - share]
    }

    /// Scores of videos of two classes, from their logits.
    fn scores(logits: &[[f32; 2]]) -> Scores {
        Scores {
            split: "1".into(),
            seed: 0,
            classes: vec!["walk".into(), "run".into()],
            videos: (0..logits.len()).map(|video| format!("v{video}")).collect(),
            labels: (0..logits.len() as u32).map(|video| video % 2).collect(),
            scores: logits.iter().flat_map(|&pair| softmax(pair)).collect(),
            logits: logits.concat(),
        }
    }

    fn mean_of(weights: &[f64], of: ScoresOf) -> Fusion {
        Fusion::Mean(Mean { weights: weights.to_vec(), of })
    }

    fn fused(fusion: &Fusion, streams: &[&Scores]) -> Vec<f32> {
        let (scores, outcome) = fuse(fusion, streams, &[]).unwrap();
        assert!(outcome.is_none() && scores.logits.is_empty());
        assert_eq!((&scores.videos, &scores.labels), (&streams[0].videos, &streams[0].labels));
        scores.scores
    }

    fn refused(fusion: &Fusion, streams: &[&Scores], folds: &[Vec<&Scores>]) -> String {
        fuse(fusion, streams, folds).unwrap_err().to_string()
    }

    /// A net that is confident of the first class, and one that slightly prefers the second.
    fn two() -> (Scores, Scores) {
        (scores(&[[6.0, 0.0]]), scores(&[[0.0, 1.0]]))
    }

    #[test]
    fn a_mean_is_of_all_streams_alike_unless_they_have_weights() {
        let (mut a, mut b) = two();
        (a.scores, b.scores) = (vec![0.75, 0.25], vec![0.25, 0.75]);
        let equal = mean_of(&[], ScoresOf::Softmax);
        assert_eq!(fused(&equal, &[&a, &b]), [0.5, 0.5]);
        assert_eq!(fused(&equal, &[&a, &a, &b, &b]), [0.5, 0.5]);
        assert_eq!(fused(&mean_of(&[1.0, 3.0], ScoresOf::Softmax), &[&a, &b]), [0.375, 0.625]);
        assert_eq!(fused(&mean_of(&[0.0, 2.0], ScoresOf::Softmax), &[&a, &b]), [0.25, 0.75]);
    }

    /// A confident net has more weight before the softmax than after it.
    #[test]
    fn a_mean_of_logits_is_the_softmax_of_their_mean() {
        let (a, b) = two();
        let softmax = |logit: f64| (1.0 / (1.0 + (-logit).exp())) as f32;
        let found = fused(&mean_of(&[], ScoresOf::Logits), &[&a, &b]);
        assert!((found[0] - softmax(2.5)).abs() < 1e-6, "{found:?}");
        let found = fused(&mean_of(&[1.0, 3.0], ScoresOf::Logits), &[&a, &b]);
        assert!((found[0] - softmax(0.75)).abs() < 1e-6, "{found:?}");
        let after = fused(&mean_of(&[1.0, 3.0], ScoresOf::Softmax), &[&a, &b]);
        assert!(after[0] < 0.5 && found[0] > 0.5, "{after:?} {found:?}");
        // Logits that no f32 exponential holds.
        let (a, b) = (scores(&[[1000.0, -1000.0]]), scores(&[[900.0, -900.0]]));
        assert_eq!(fused(&mean_of(&[], ScoresOf::Logits), &[&a, &b]), [1.0, 0.0]);
    }

    #[test]
    fn scores_that_do_not_belong_together_are_refused() {
        let (a, b) = two();
        let equal = mean_of(&[], ScoresOf::Softmax);
        let others = Scores { videos: vec!["another".into()], ..b.clone() };
        assert!(refused(&equal, &[&a, &others], &[]).contains("different videos"));
        let classes = Scores { classes: vec!["walk".into(), "jump".into()], ..b.clone() };
        assert!(refused(&equal, &[&a, &classes], &[]).contains("different videos"));
        assert!(refused(&equal, &[], &[]).contains("no nets"));
        let weighted = mean_of(&[1.0, 1.0, 2.0], ScoresOf::Softmax);
        assert!(refused(&weighted, &[&a, &b], &[]).contains("3 numbers for 2 streams"));
        let old = Scores { logits: Vec::new(), ..b.clone() };
        let logits = mean_of(&[], ScoresOf::Logits);
        assert!(lacks_logits(&logits, &old) && !lacks_logits(&equal, &old) && !lacks_logits(&logits, &b));
        assert!(refused(&logits, &[&a, &old], &[]).contains("test it again"));
        assert!(refused(&equal, &[&a, &b], &[vec![&a, &b]]).contains("0 held-out folds"));
    }

    /// One stream's scores are always right, the other's are noise: the SVM learns which from the folds.
    #[test]
    fn an_svm_learns_which_stream_to_believe() {
        let truth: Vec<[f32; 2]> =
            (0..20).map(|v| if v % 2 == 0 { [2.0, 0.0] } else { [0.0, 2.0] }).collect();
        let noise: Vec<[f32; 2]> =
            (0..20).map(|v| if v % 3 == 0 { [3.0, 0.0] } else { [0.0, 3.0] }).collect();
        let (good, bad) = (scores(&truth), scores(&noise));
        let svm = Fusion::Svm(SvmSettings { folds: 2, c: vec![0.1, 10.0] });
        let streams = [&good, &bad];
        let (found, outcome) = fuse(&svm, &streams, &[vec![&good, &bad], vec![&good, &bad]]).unwrap();
        let outcome = outcome.unwrap();
        assert_eq!((found.accuracy(), outcome.videos, outcome.candidates.len()), (100.0, 40, 2));
        assert!(outcome.converged && [0.1, 10.0].contains(&outcome.c));
        assert!(fused(&mean_of(&[], ScoresOf::Softmax), &streams) != found.scores);
        assert!(refused(&svm, &streams, &[vec![&good, &bad]]).contains("2 held-out folds"));
        assert!(refused(&svm, &streams, &[vec![&good, &bad], vec![&good]]).contains("scores of 1"));
    }

    /// A class without training videos is never predicted.
    #[test]
    fn an_svm_does_not_answer_with_what_it_has_not_seen() {
        let widen = |found: Scores| {
            let mut wide = Scores { classes: vec!["walk".into(), "run".into(), "jump".into()], ..found };
            wide.scores = wide.scores.chunks(2).flat_map(|pair| [pair[0], pair[1], 0.0]).collect();
            wide
        };
        let videos: Vec<[f32; 2]> =
            (0..8).map(|v| if v % 2 == 0 { [1.0, 0.0] } else { [0.0, 1.0] }).collect();
        let known = widen(scores(&videos));
        let svm = Fusion::Svm(SvmSettings { folds: 2, c: vec![1.0] });
        let fold = || vec![&known, &known];
        let (found, _) = fuse(&svm, &[&known, &known], &[fold(), fold()]).unwrap();
        assert!(found.scores.chunks(3).all(|video| video[2] == f32::MIN));
        assert_eq!(found.accuracy(), 100.0);
    }
}
