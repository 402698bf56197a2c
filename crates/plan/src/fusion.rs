//! How the scores of finished nets become one: every kind of fusion with its settings, what others ask of it, and the
//! arithmetic of those that learn nothing. One that learns has its training in the experiment besides.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How the scores of several nets become one.
#[derive(Debug, Clone, PartialEq)]
pub enum Fusion {
    /// Their weighted mean.
    Mean(Mean),
    /// A multi-class linear SVM on the stacked L2-normalised scores (Two-Stream ConvNets, Sect. 6).
    Svm(Svm),
}

/// A weighted mean of scores.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Mean {
    /// The weight of each stream; equal ones if there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub weights: Vec<f64>,
    /// Of which scores.
    #[serde(default, skip_serializing_if = "ScoresOf::is_softmax")]
    pub of: ScoresOf,
}

impl Mean {
    /// Summed in f64 in the order of the streams.
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

fn softmax(logits: &[f64]) -> Vec<f32> {
    let highest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let shares: Vec<f64> = logits.iter().map(|logit| (logit - highest).exp()).collect();
    let all: f64 = shares.iter().sum();
    shares.into_iter().map(|share| (share / all) as f32).collect()
}

/// What a net says of a video, as the mean over its views.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScoresOf {
    /// Probabilities: what the softmax gives.
    #[default]
    Softmax,
    /// What goes into the softmax. The fused scores are the softmax of their mean.
    Logits,
}

impl ScoresOf {
    fn is_softmax(&self) -> bool {
        *self == Self::Softmax
    }
}

/// How the SVM of a fusion is trained.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Svm {
    /// The training videos are cut into so many folds, and each fold's scores come from nets trained on the others:
    /// a net's scores on its own training videos would promise what it does not keep.
    pub folds: usize,
    /// The values of C to choose from, by accuracy over the same folds.
    pub c: Vec<f64>,
}

/// A fusion as a spec and a stored plan write it. How an SVM is trained stands beside it in both.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FuseBy {
    /// The mean of the scores, all streams alike.
    Average,
    /// An SVM.
    Svm,
    /// A weighted mean.
    Mean(Mean),
}

impl FuseBy {
    /// The fusion of so many streams; `svm` is what is said of an SVM.
    ///
    /// # Errors
    /// In words, for settings that are missing or that nothing can be fused by.
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
    /// As it is written, with what stands beside it of an SVM.
    pub fn written(&self) -> (FuseBy, Option<&Svm>) {
        match self {
            Self::Mean(mean) if *mean == Mean::default() => (FuseBy::Average, None),
            Self::Mean(mean) => (FuseBy::Mean(mean.clone()), None),
            Self::Svm(svm) => (FuseBy::Svm, Some(svm)),
        }
    }

    /// In words: "mean of the scores".
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

    /// Folds of the training videos whose held-out scores it learns from; 0 if it learns nothing.
    pub fn folds(&self) -> usize {
        match self {
            Self::Mean(_) => 0,
            Self::Svm(svm) => svm.folds,
        }
    }

    /// Whether it needs the scores before the softmax.
    pub fn reads_logits(&self) -> bool {
        matches!(self, Self::Mean(Mean { of: ScoresOf::Logits, .. }))
    }

    /// Why the streams of a new video cannot be fused by these settings alone, if they cannot: then nothing can be
    /// predicted or exported.
    pub fn only_in_tests(&self) -> Option<&'static str> {
        match self {
            Self::Mean(_) => None,
            Self::Svm(_) => {
                Some("fuses its streams by an SVM, which is not kept; name the row that averages them")
            }
        }
    }

    /// The fused scores of one video, by class, from those of each stream, which are logits if it reads those; nothing where
    /// it learns first.
    pub fn of_one_video(&self, streams: &[&[f32]]) -> Option<Vec<f32>> {
        match self {
            Self::Mean(mean) => Some(mean.of_one_video(streams)),
            Self::Svm(_) => None,
        }
    }

    /// Checks that so many streams can be fused by these settings.
    ///
    /// # Errors
    /// In words.
    pub fn check(&self, streams: usize) -> Result<(), String> {
        match self {
            Self::Mean(Mean { weights, .. }) if weights.is_empty() => Ok(()),
            Self::Mean(Mean { weights, .. }) => {
                if weights.len() != streams {
                    let found = weights.len();
                    return Err(format!(
                        "mean.weights holds {found} numbers for {streams} streams; give one each"
                    ));
                }
                let good = weights.iter().all(|weight| weight.is_finite() && *weight >= 0.0);
                if !good || weights.iter().sum::<f64>() <= 0.0 {
                    return Err(format!(
                        "mean.weights = {weights:?}; expected numbers of 0 or more, one of them above 0"
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
        // All alike by default: the same plan as "average", under the same name.
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
