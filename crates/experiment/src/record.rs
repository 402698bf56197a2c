//! The record of a finished row: enough to run it again.
//!
//! A record is small and committed. Scores and weights are large and stay in
//! the cache, in the units that the record names.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::blocks::Blocks;
use crate::files::read_json;
use crate::right::Right;
use crate::statistics::Estimate;
use crate::{Error, Result, device};
use plan::spec::ProfileName;
use plan::{Protocol, Work};

/// The record's format; raised when a field changes its meaning.
pub const RECORD_VERSION: u32 = 2;

/// Tolerance for numbers that are rounded to a tenth.
const ROUNDED: f64 = 0.050_001;

/// The record of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// The format, [`RECORD_VERSION`].
    pub version: u32,
    /// The table, as `paper/tableN`.
    pub table: String,
    /// The row's id.
    pub row: String,
    /// The label of the row in the paper.
    pub label: String,
    /// The column in the paper.
    pub column: Option<String>,
    /// The paper's top-1 accuracy, in percent.
    pub reported: Option<f64>,
    /// The data sets and their fingerprints; the test uses the first.
    pub data: Vec<DatasetRecord>,
    /// The profile of the plan.
    pub profile: ProfileName,
    /// The measure in `top1`; omitted for top-1 accuracy.
    #[serde(default, skip_serializing_if = "Measure::is_top1")]
    pub measure: Measure,
    /// The measure in percent, mean over splits and seeds, with its 95 % interval.
    pub top1: Estimate,
    /// Top-5 accuracy in percent, mean over splits and seeds; omitted for pairs, for five classes or fewer, and by versions
    /// before 0.17.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub top5: Option<f64>,
    /// The block of each test video in each split, such as its film or actor; omitted for pairs, and by versions before 0.17.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub blocks: BTreeMap<String, Blocks>,
    /// Recall of each class in percent, over all splits and seeds.
    pub recall: BTreeMap<String, f64>,
    /// Number of test videos by class and predicted class, over all splits and seeds; empty for pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub confusion: BTreeMap<String, BTreeMap<String, usize>>,
    /// Every value that the numbers depend on.
    pub work: Work,
    /// Number of parameters of the networks whose scores are used.
    pub parameters: u64,
    /// Multiply-adds of one forward pass of one sample through each of them.
    pub multiply_adds: u64,
    /// The runs, one per split and seed.
    pub runs: Vec<RunRecord>,
    /// The program and machine that ran it.
    pub environment: Environment,
}

/// The measure of a row's number.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Measure {
    /// Top-1 accuracy of videos.
    #[default]
    Top1,
    /// The area under the ROC curve of pairs, in percent.
    PairArea,
}

impl Measure {
    fn is_top1(&self) -> bool {
        *self == Self::Top1
    }
}

/// The data that a row was run on.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct DatasetRecord {
    /// Its name.
    pub name: String,
    /// The seeds that it was rendered from, one for each draw, if it is generated; in a file a number, a list, or null.
    #[serde(rename = "data-seed", with = "one_or_many")]
    pub data_seeds: Vec<u64>,
    /// For each split, the hash of its lists and of the videos' contents.
    pub fingerprints: BTreeMap<String, String>,
    /// Properties that make its numbers say less than they seem to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub cautions: Vec<String>,
    /// Number of its videos that were accepted although ffmpeg reports errors in them; left out if zero.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub accepted: usize,
}

/// No number, one, or a list, in files.
mod one_or_many {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    #[serde(untagged)]
    enum Numbers {
        One(u64),
        Many(Vec<u64>),
    }

    pub(super) fn serialize<S: Serializer>(numbers: &[u64], serializer: S) -> Result<S::Ok, S::Error> {
        let written = match *numbers {
            [] => None,
            [one] => Some(Numbers::One(one)),
            _ => Some(Numbers::Many(numbers.to_vec())),
        };
        written.serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<u64>, D::Error> {
        Ok(match Option::deserialize(deserializer)? {
            None => Vec::new(),
            Some(Numbers::One(one)) => vec![one],
            Some(Numbers::Many(many)) => many,
        })
    }
}

fn is_zero(count: &usize) -> bool {
    *count == 0
}

/// The training and test of one split and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunRecord {
    /// The split.
    pub split: String,
    /// The training seed.
    pub seed: u64,
    /// The training stages in order; empty for fused scores.
    pub stages: Vec<StageRecord>,
    /// The name of the test unit: a hash of everything that it depends on.
    pub test_unit: String,
    /// The row's measure, in percent.
    pub top1: f64,
    /// The correctness of each test video, in the split's order; `None` for pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Right>,
    /// The answers for pairs, by the block of their first videos; `None` for other tests.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pairs: Option<BTreeMap<u32, PairAnswers>>,
    /// The test.
    pub test: TestOutcome,
}

/// The answers for the similar pairs of a block.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PairAnswers {
    /// The sum over the pairs of the share of dissimilar pairs that are farther apart.
    pub right: f64,
    /// Number of similar pairs.
    pub all: usize,
}

/// One training stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StageRecord {
    /// The training unit's name, the hash of its plan.
    pub unit: String,
    /// The outcome of the training.
    pub training: TrainOutcome,
}

/// The outcome of a test unit, stored beside its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TestOutcome {
    /// Number of test videos of the split.
    pub videos_expected: usize,
    /// Number of test videos with a score.
    pub videos_scored: usize,
    /// Duration of the test in seconds.
    pub seconds: f64,
    /// The test units whose scores were fused; empty for a single net.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<String>,
    /// The SVM that fused them, if one did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub svm: Option<SvmOutcome>,
}

/// The SVM of a fusion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SvmOutcome {
    /// Number of training videos, each with scores of nets that were trained without its fold.
    pub videos: usize,
    /// The C that was chosen.
    pub c: f64,
    /// Each candidate and its accuracy over the folds, in percent.
    pub candidates: Vec<(f64, f64)>,
    /// True if the solver reached its tolerance.
    pub converged: bool,
}

/// The outcome of a training unit, stored beside its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainOutcome {
    /// Number of iterations.
    pub iterations: usize,
    /// Duration of the training in seconds, over all sessions.
    pub seconds: f64,
    /// Training samples per second.
    pub samples_per_second: f64,
    /// Peak memory of the process in the last session of the training, in MiB, if the system reports it.
    pub peak_memory_mib: Option<u64>,
    /// Number of training videos.
    pub videos: usize,
    /// Number of processes that trained it together in the last session, if several. Samples and videos are of all
    /// processes; memory is of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<usize>,
    /// The scale of the contrastive loss, if there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrastive: Option<ContrastiveScale>,
    /// Facts about the GPU, if it was trained on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuOutcome>,
    /// The loss curve, thinned: iteration, mean loss since the point before.
    pub loss: Vec<(usize, f64)>,
}

/// Facts about the last session of a training on a GPU.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GpuOutcome {
    /// The GPU's name.
    pub name: String,
    /// Peak memory in use on the GPU, in MiB.
    pub peak_memory_mib: u64,
    /// Fraction of the time spent waiting for batches.
    pub waiting: f64,
}

/// The scale of a contrastive loss, found from the features at the start of the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContrastiveScale {
    /// The margin, a distance between features.
    pub margin: f32,
    /// The factor of the loss.
    pub weight: f32,
}

/// The program and machine that ran a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Environment {
    /// The project's commit, with `+changes` for a tree that differs from it.
    pub commit: Option<String>,
    /// The project's version.
    pub version: String,
    /// The version of the tensor library.
    pub candle: String,
    /// `cpu`, or `cuda:0` and the GPU's name.
    pub device: String,
    /// Number of threads of the computation.
    pub threads: usize,
    /// The processor's name.
    pub processor: Option<String>,
    /// Operating system and architecture.
    pub system: String,
}

/// Thins a loss curve to at most `points` points, each the mean since the previous one.
pub fn thin(losses: &[f32], points: usize) -> Vec<(usize, f64)> {
    let step = losses.len().div_ceil(points).max(1);
    losses
        .chunks(step)
        .enumerate()
        .map(|(i, chunk)| {
            let mean = chunk.iter().map(|&x| f64::from(x)).sum::<f64>() / chunk.len() as f64;
            (i * step + chunk.len(), (mean * 1e4).round() / 1e4)
        })
        .collect()
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be read, [`Error::Damaged`] if it is not a record or its numbers contradict its answers.
    pub fn read(path: &Path) -> Result<Self> {
        let record: Self = read_json(path)?;
        record.check().map_err(Error::damaged(path))?;
        Ok(record)
    }

    /// Reads the record of a file, if there is one. A damaged record is logged and skipped.
    pub fn if_whole(path: &Path) -> Option<Self> {
        if !path.exists() {
            return None;
        }
        Self::read(path).inspect_err(|error| tracing::warn!("{error}")).ok()
    }

    /// Checks that the plan is possible and that every number follows from the answers for the single test videos.
    ///
    /// # Errors
    /// The first contradiction, in words.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        self.work.protocols().iter().try_for_each(Protocol::check)?;
        let Estimate { value, low, high } = self.top1;
        if !(0.0 <= low && low <= value && value <= high && high <= 100.0) {
            return Err(format!(
                "top1 is {value} in [{low}, {high}]; expected a percentage within its interval"
            ));
        }
        if self.runs.is_empty() {
            return Err("it has no runs; expected one for each split and seed".into());
        }
        let (mut right, mut all) = (0, 0);
        for run in &self.runs {
            let of = format!("split {}, seed {}", run.split, run.seed);
            let pairs_fit =
                |one: &PairAnswers| one.right >= 0.0 && one.right <= one.all as f64 * (1.0 + 1e-9);
            if !run.pairs.iter().flat_map(BTreeMap::values).all(pairs_fit) {
                return Err(format!("{of}: expected between 0 and all pairs right in each block"));
            }
            let Some(answers) = &run.right else { continue };
            let blocks = self.blocks.get(&run.split).map(|blocks| blocks.numbers().len());
            if blocks.is_some_and(|blocks| blocks != answers.bits().len()) {
                return Err(format!("{of}: expected a block for each of {} videos", answers.bits().len()));
            }
            let (correct, videos) = (answers.bits().iter().filter(|bit| **bit).count(), answers.bits().len());
            let accuracy = 100.0 * correct as f64 / videos as f64;
            if run.top1 != accuracy || videos != run.test.videos_scored {
                return Err(format!(
                    "{of}: {correct} of {videos} videos are right, expected top1 {accuracy}; found {} of {} videos",
                    run.top1, run.test.videos_scored
                ));
            }
            (right, all) = (right + correct, all + videos);
        }
        if self.measure != Measure::Top1 || self.runs.iter().any(|run| run.right.is_none()) {
            return Ok(());
        }
        let mean = self.runs.iter().map(|run| run.top1).sum::<f64>() / self.runs.len() as f64;
        // Records of older versions sum in another order.
        if (mean - value).abs() > ROUNDED {
            return Err(format!("top1 is {value}; expected {mean}, the mean of its runs"));
        }
        if self.confusion.is_empty() {
            return Ok(());
        }
        let taken = |class: &String| self.confusion.get(class).and_then(|taken| taken.get(class)).copied();
        let sum = |counts: &mut dyn Iterator<Item = usize>| counts.fold(0, usize::saturating_add);
        let correct = sum(&mut self.confusion.keys().filter_map(taken));
        let counted = sum(&mut self.confusion.values().flat_map(BTreeMap::values).copied());
        if (correct, counted) != (right, all) {
            return Err(format!(
                "{correct} of {counted} videos are right by class; expected {right} of {all}, as in its runs"
            ));
        }
        for (class, taken_for) in &self.confusion {
            let recall =
                100.0 * taken(class).unwrap_or(0) as f64 / sum(&mut taken_for.values().copied()) as f64;
            let said = self.recall.get(class);
            if said.is_none_or(|said| (said - recall).abs() > ROUNDED) {
                return Err(format!("the recall of {class} is {said:?}; expected {recall}"));
            }
        }
        Ok(())
    }

    /// Returns the mean over classes of their recall, in percent; `None` for pairs.
    pub fn mean_class_accuracy(&self) -> Option<f64> {
        let classes = self.recall.len();
        (classes > 0).then(|| self.recall.values().sum::<f64>() / classes as f64)
    }

    /// Returns the numbers of test videos expected and scored, over all runs.
    pub fn videos(&self) -> (usize, usize) {
        let tests = self.runs.iter().map(|run| &run.test);
        tests.fold((0, 0), |sum, test| (sum.0 + test.videos_expected, sum.1 + test.videos_scored))
    }

    /// Returns `true` if a test video is missing from the scores.
    pub fn is_partial(&self) -> bool {
        let (expected, scored) = self.videos();
        expected != scored
    }

    /// Returns the seconds of training over all runs and all stages, each stage once, even if other rows share it; `None`
    /// for fused scores.
    pub fn seconds(&self) -> Option<f64> {
        let stages: BTreeMap<&str, f64> = self
            .runs
            .iter()
            .flat_map(|run| &run.stages)
            .map(|stage| (stage.unit.as_str(), stage.training.seconds))
            .collect();
        (!stages.is_empty()).then(|| stages.values().sum())
    }

    /// Returns the standard deviation over seeds of the accuracy (the mean over
    /// splits of each seed), in points; `None` for a single seed.
    pub fn seed_spread(&self) -> Option<f64> {
        let mut seeds: BTreeMap<u64, Vec<f64>> = BTreeMap::new();
        for run in &self.runs {
            seeds.entry(run.seed).or_default().push(run.top1);
        }
        let means: Vec<f64> = seeds.values().map(|v| v.iter().sum::<f64>() / v.len() as f64).collect();
        if means.len() < 2 {
            return None;
        }
        let mean = means.iter().sum::<f64>() / means.len() as f64;
        let square: f64 = means.iter().map(|x| (x - mean).powi(2)).sum();
        Some((square / (means.len() - 1) as f64).sqrt())
    }
}

impl RunRecord {
    /// Returns the seconds of training of all its stages; `None` for fused scores.
    pub fn seconds(&self) -> Option<f64> {
        (!self.stages.is_empty()).then(|| self.stages.iter().map(|stage| stage.training.seconds).sum())
    }
}

impl Environment {
    /// Describes this process and its machine.
    pub fn here(root: &Path, device: &Device) -> Self {
        Self {
            commit: commit(root),
            version: env!("CARGO_PKG_VERSION").into(),
            candle: candle_version(root).unwrap_or_else(|| "unknown".into()),
            device: device::describe(device),
            threads: rayon::current_num_threads(),
            processor: processor(),
            system: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

fn commit(root: &Path) -> Option<String> {
    let git = |args: &[&str]| {
        let output = std::process::Command::new("git").arg("-C").arg(root).args(args).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let head = git(&["rev-parse", "--short=12", "HEAD"])?;
    // Records and tables do not change the code's behaviour.
    let changed = git(&["status", "--porcelain", "--", ".", ":!results"])?;
    Some(if changed.is_empty() { head } else { format!("{head}+changes") })
}

/// Reads the version of candle-core from the lock file.
fn candle_version(root: &Path) -> Option<String> {
    let lock = base::files::read_text(&root.join("Cargo.lock")).ok()?;
    let entry = lock.split("[[package]]").find(|p| p.contains("name = \"candle-core\""))?;
    let line = entry.lines().find_map(|line| line.strip_prefix("version = \""))?;
    Some(format!("candle-core {}", line.trim_end_matches('"')))
}

/// Returns the name of the processor, if the system reports it.
pub fn processor() -> Option<String> {
    let info = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = info.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_curve_keeps_the_means_and_the_end() {
        let losses: Vec<f32> = (0..10).map(|i| i as f32).collect();
        assert_eq!(thin(&losses, 4), vec![(3, 1.0), (6, 4.0), (9, 7.0), (10, 9.0)]);
        assert_eq!(thin(&[], 4), vec![]);
    }

    /// Two splits whose nets start from one net that learnt from another data set.
    #[test]
    fn the_time_of_a_training_is_that_of_all_stages_each_once() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("../../results/st-resnet/results/synth-mini/st-resnet-star-ucf101.json");
        let mut record = Record::read(&path).unwrap();
        let mut stages = record.runs[0].stages.iter().map(|stage| stage.training.seconds);
        let (all, last) = (stages.clone().sum::<f64>(), stages.next_back().unwrap());
        let found = record.seconds().unwrap();
        assert!(record.runs.len() == 1 && record.runs[0].stages.len() > 2);
        assert!((found - all).abs() < 1e-6 && found > 5.0 * last, "{found} of {all}, the last {last}");
        let mut second = record.runs[0].clone();
        second.stages.last_mut().unwrap().unit.push_str("-of-another-split");
        record.runs.push(second);
        assert!((record.seconds().unwrap() - all - last).abs() < 1e-6);
        record.runs.iter_mut().for_each(|run| run.stages.clear());
        assert_eq!(record.seconds(), None, "fused scores");
    }
}
