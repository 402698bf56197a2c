//! Fusion of the scores of trained nets: the kinds of fusion with their settings, and the arithmetic of those without
//! training. A fusion that learns is trained in the `experiment` crate.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A rule that joins the scores of several nets.
#[derive(Debug, Clone, PartialEq)]
pub enum Fusion {
    /// The weighted mean of the scores.
    Mean(Mean),
    /// A multi-class linear SVM on the stacked L2-normalised scores (Two-Stream ConvNets, Sect. 6).
    Svm(Svm),
}

/// A weighted mean of scores.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mean {
    /// Weight of each stream, in the order of `streams`: numbers of 0 or more, at least one above 0. Default: all equal.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// Scores that are averaged: `softmax` (default) or `logits`.
    #[serde(default, skip_serializing_if = "ScoresOf::is_softmax")]
    pub of: ScoresOf,
}

impl Mean {
    /// Fuses the scores of one video; sums in f64, in the order of the streams.
    fn of_one_video(&self, streams: &[&[f32]]) -> Vec<f32> {
        let weight = |stream: usize| self.weights.get(stream).copied().unwrap_or(1.0);
        let all: f64 = (0..streams.len()).map(weight).sum();
        let one = |class: usize| {
            let weighted = |(stream, scores): (usize, &&[f32])| weight(stream) * f64::from(scores[class]);
            streams.iter().enumerate().map(weighted).sum::<f64>() / all
        };
        let means = (0..streams.first().map_or(0, |scores| scores.len())).map(one);
        match self.of {
            ScoresOf::Softmax => means.map(|score| score as f32).collect(),
            ScoresOf::Logits => softmax(&means.collect::<Vec<_>>()),
        }
    }
}

/// Returns the scores of a video whose mean scores before the softmax are these.
pub fn softmax(logits: &[f64]) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = logits.iter().map(|logit| (logit - highest).exp()).collect();
    let all: f64 = shares.iter().sum();
    shares.into_iter().map(|share| (share / all) as f32).collect()
}

/// Scores of a net for a video, averaged over its views.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScoresOf {
    /// Probabilities: the output of the softmax.
    #[default]
    Softmax,
    /// Logits: the input of the softmax. The fused scores are the softmax of the mean logits.
    Logits,
}

impl ScoresOf {
    fn is_softmax(&self) -> bool {
        *self == Self::Softmax
    }
}

/// Settings of the SVM that fuses scores.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Svm {
    /// Number of folds of the training videos, 2 or more. The SVM learns from the scores of each fold, computed by nets
    /// trained on the other folds; scores of a net on its own training videos would be too good.
    pub folds: usize,
    /// Candidates for the SVM's C: one or more numbers above 0. The value with the best accuracy over the folds is used.
    pub c: Vec<f64>,
}

/// Kind of fusion, as a spec and a stored plan write it. Both keep the settings of an SVM in a separate key.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FuseBy {
    /// The mean of the softmax scores, with equal weights.
    Average,
    /// A linear SVM on the scores, trained as `[shared.svm]` says.
    Svm,
    /// A weighted mean of the scores.
    Mean(Mean),
}

impl FuseBy {
    /// Returns the fusion of `streams` streams; `svm` holds the settings of an SVM.
    ///
    /// # Errors
    /// A message if settings are missing or out of range.
    pub fn fusion(&self, svm: Option<&Svm>, streams: usize) -> Result<Fusion, String> {
        let fusion = match (self, svm) {
            (Self::Average, _) => Fusion::Mean(Mean::default()),
            (Self::Mean(mean), _) => Fusion::Mean(mean.clone()),
            (Self::Svm, Some(svm)) => Fusion::Svm(svm.clone()),
            (Self::Svm, None) => return Err("fuse.by = \"svm\" needs [shared.svm]".into()),
        };
        fusion.check(streams)?;
        Ok(fusion)
    }
}

impl Fusion {
    /// Returns the written form: the kind, and the settings of an SVM separately.
    pub fn written(&self) -> (FuseBy, Option<&Svm>) {
        match self {
            Self::Mean(mean) if *mean == Mean::default() => (FuseBy::Average, None),
            Self::Mean(mean) => (FuseBy::Mean(mean.clone()), None),
            Self::Svm(svm) => (FuseBy::Svm, Some(svm)),
        }
    }

    /// Describes the fusion in words, for example "mean of the scores".
    pub fn words(&self) -> String {
        match self {
            Self::Mean(Mean { weights, of }) => {
                let scores = match of {
                    ScoresOf::Softmax => "scores",
                    ScoresOf::Logits => "scores before the softmax",
                };
                let weights: Vec<String> = weights.iter().map(ToString::to_string).collect();
                match weights.is_empty() {
                    true => format!("mean of the {scores}"),
                    false => format!("mean of the {scores}, weights {}", weights.join(" : ")),
                }
            }
            Self::Svm(svm) => format!("SVM, scores of {} held-out folds", svm.folds),
        }
    }

    /// Returns the number of folds whose held-out scores it learns from; 0 for a fusion without training.
    pub fn folds(&self) -> usize {
        match self {
            Self::Mean(_) => 0,
            Self::Svm(svm) => svm.folds,
        }
    }

    /// Returns `true` if it needs the scores before the softmax.
    pub fn reads_logits(&self) -> bool {
        matches!(self, Self::Mean(Mean { of: ScoresOf::Logits, .. }))
    }

    /// Returns the reason if new videos cannot be fused with these settings alone. Such a row can be neither exported nor
    /// used for predictions.
    pub fn only_in_tests(&self) -> Option<&'static str> {
        match self {
            Self::Mean(_) => None,
            Self::Svm(_) => {
                Some("fuses its streams by an SVM, which is not kept; use the row that averages them")
            }
        }
    }

    /// Fuses the scores of one video, given per stream and class (logits if [`Fusion::reads_logits`]). Returns `None` for a
    /// fusion that has to be trained first.
    pub fn of_one_video(&self, streams: &[&[f32]]) -> Option<Vec<f32>> {
        match self {
            Self::Mean(mean) => Some(mean.of_one_video(streams)),
            Self::Svm(_) => None,
        }
    }

    /// Checks that `streams` streams can be fused with these settings.
    ///
    /// # Errors
    /// A message with the wrong setting.
    pub fn check(&self, streams: usize) -> Result<(), String> {
        match self {
            Self::Mean(Mean { weights, .. }) if weights.is_empty() => Ok(()),
            Self::Mean(Mean { weights, .. }) => {
                if weights.len() != streams {
                    let found = weights.len();
                    return Err(format!(
                        "mean.weights has {found} numbers for {streams} streams; give one for each stream"
                    ));
                }
                let good = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
                if !good || weights.iter().sum::<f64>() <= 0.0 {
                    return Err(format!(
                        "mean.weights = {weights:?}; expected numbers of 0 or more, at least one above 0"
                    ));
                }
                Ok(())
            }
            Self::Svm(Svm { folds, .. }) if *folds < 2 => {
                Err(format!("svm.folds = {folds}; expected two or more"))
            }
            Self::Svm(Svm { c, .. }) if c.is_empty() || !c.iter().all(|c| c.is_finite() && *c > 0.0) => {
                Err(format!("svm.c = {c:?}; expected one or more numbers above 0"))
            }
            Self::Svm(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str, svm: Option<&Svm>) -> Result<Fusion, String> {
        let by: FuseBy = serde_json::from_str(json).map_err(|e| e.to_string())?;
        by.fusion(svm, 2)
    }

    #[test]
    fn weights_are_one_for_each_stream_and_not_all_nothing() {
        let mean = |weights: &str| read(&format!(r#"{{"mean":{{"weights":{weights}}}}}"#), None);
        let fusion = mean("[1, 1.5]").unwrap();
        assert_eq!(fusion, Fusion::Mean(Mean { weights: vec![1.0, 1.5], of: ScoresOf::Softmax }));
        assert_eq!(fusion.words(), "mean of the scores, weights 1 : 1.5");
        assert!(mean("[1.0]").unwrap_err().contains("1 numbers for 2 streams"));
        for bad in ["[0.0, 0.0]", "[-1.0, 2.0]"] {
            assert!(mean(bad).unwrap_err().contains("above 0"), "{bad}");
        }
        // Equal weights by default: the same plan as "average", under the same name.
        assert_eq!(mean("[]").unwrap().written().0, FuseBy::Average);
        let unknown = read(r#"{"mean":{"weight":[1.0, 1.0]}}"#, None).unwrap_err();
        assert!(unknown.contains("unknown field `weight`"), "{unknown}");
    }

    #[test]
    fn a_mean_of_one_video_is_weighted() {
        let (a, b): (&[f32], &[f32]) = (&[1.0, 0.0], &[0.0, 1.0]);
        let mean =
            |weights: &[f64], of| Fusion::Mean(Mean { weights: weights.to_vec(), of }).of_one_video(&[a, b]);
        assert_eq!(mean(&[], ScoresOf::Softmax).unwrap(), [0.5, 0.5]);
        assert_eq!(mean(&[1.0, 3.0], ScoresOf::Softmax).unwrap(), [0.25, 0.75]);
        let logits = mean(&[1.0, 3.0], ScoresOf::Logits).unwrap();
        assert!((logits[1] - 1.0 / (1.0 + (-0.5_f32).exp())).abs() < 1e-6, "{logits:?}");
        assert_eq!(Fusion::Svm(Svm { folds: 2, c: vec![1.0] }).of_one_video(&[a, b]), None);
    }

    #[test]
    fn a_fusion_says_what_it_needs() {
        let svm = Svm { folds: 3, c: vec![1.0] };
        let by_svm = read(r#""svm""#, Some(&svm)).unwrap();
        assert_eq!((by_svm.folds(), by_svm.reads_logits()), (3, false));
        assert!(by_svm.only_in_tests().is_some_and(|why| why.contains("not kept")));
        assert!(read(r#""svm""#, None).unwrap_err().contains("[shared.svm]"));
        let logits = read(r#"{"mean":{"of":"logits"}}"#, None).unwrap();
        assert_eq!((logits.folds(), logits.reads_logits(), logits.only_in_tests()), (0, true, None));
    }
}
