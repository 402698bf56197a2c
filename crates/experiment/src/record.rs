//! What a finished row leaves behind: enough to redo it.
//!
//! A record is small and committed; scores and weights are large and stay in
//! the cache, in the units that the record names.

use std::collections::BTreeMap;
use std::path::Path;

use candle_core::Device;
use serde::{Deserialize, Serialize};

use crate::claim::Estimate;
use crate::files::read_json;
use crate::right::Right;
use crate::{Error, Result, device};
use plan::spec::ProfileName;
use plan::{Protocol, Work};

/// The record's format; raised when a field changes its meaning.
pub const RECORD_VERSION: u32 = 2;

/// What numbers that are rounded to a tenth may be off by.
const ROUNDED: f64 = 0.050_001;

/// One row, run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Record {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The table, as `paper/tableN`.
    pub table: String,
    /// The row's id.
    pub row: String,
    /// The paper's wording.
    pub label: String,
    /// The paper's column.
    pub column: Option<String>,
    /// The paper's top-1 accuracy, in percent.
    pub reported: Option<f64>,
    /// The data sets and their fingerprints; the first is the one that is tested on.
    pub data: Vec<DatasetRecord>,
    /// The profile that the plan came from.
    pub profile: ProfileName,
    /// What `top1` holds where it is not top-1 accuracy.
    #[serde(default, skip_serializing_if = "Measure::is_top1")]
    pub measure: Measure,
    /// Top-1 accuracy in percent, mean over splits and seeds, with the 95 %
    /// interval of a bootstrap over test videos (over actors, in a set of several views).
    pub top1: Estimate,
    /// Recall of each class in percent, over all splits and seeds.
    pub recall: BTreeMap<String, f64>,
    /// Test videos of each class by the class that they were taken for, over all splits and seeds; none of pairs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub confusion: BTreeMap<String, BTreeMap<String, usize>>,
    /// Every value that decided the numbers.
    pub work: Work,
    /// Learnable numbers of the networks whose scores are used.
    pub parameters: u64,
    /// Multiply-adds of one forward pass of one sample through each of them.
    pub multiply_adds: u64,
    /// The runs, one a split and seed.
    pub runs: Vec<RunRecord>,
    /// Where it ran.
    pub environment: Environment,
}

/// What a row's number is.
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
    /// The seed that it was rendered from, when it is generated.
    pub data_seed: Option<u64>,
    /// For each split: the hash of its lists and of the videos' contents.
    pub fingerprints: BTreeMap<String, String>,
}

/// The training and test of one split and seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct RunRecord {
    /// The split.
    pub split: String,
    /// The training seed.
    pub seed: u64,
    /// The training stages, the first one first; none for fused scores.
    pub stages: Vec<StageRecord>,
    /// The test unit's name. The names of units follow from all that they depend on.
    pub test_unit: String,
    /// The row's measure, in percent.
    pub top1: f64,
    /// Which test videos were right, in the split's order; none of pairs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub right: Option<Right>,
    /// The test.
    pub test: TestOutcome,
}

/// One training stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StageRecord {
    /// The training unit's name, the hash of its plan.
    pub unit: String,
    /// How the training went.
    pub training: TrainOutcome,
}

/// What a test unit leaves beside its scores.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TestOutcome {
    /// Test videos of the split.
    pub videos_expected: usize,
    /// Test videos that got a score.
    pub videos_scored: usize,
    /// How long the test took, in seconds.
    pub seconds: f64,
    /// The test units whose scores were fused; none for a single net.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub streams: Vec<String>,
    /// The SVM that fused them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub svm: Option<SvmOutcome>,
}

/// The SVM of a fusion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SvmOutcome {
    /// Training videos, each with scores of nets that were trained without its fold.
    pub videos: usize,
    /// The C that was chosen.
    pub c: f64,
    /// Each candidate and its accuracy over the folds, in percent.
    pub candidates: Vec<(f64, f64)>,
    /// Whether the solver reached its tolerance.
    pub converged: bool,
}

/// What a training unit leaves beside its weights.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainOutcome {
    /// Iterations done.
    pub iterations: usize,
    /// Seconds of training, over all sittings.
    pub seconds: f64,
    /// Training samples a second.
    pub samples_per_second: f64,
    /// The most memory that the process held while it trained, in its last sitting, in MiB, where the system tells.
    pub peak_memory_mib: Option<u64>,
    /// Training videos.
    pub videos: usize,
    /// Processes that trained it together, in its last sitting, where there were several. Samples and videos are those of
    /// all; memory is that of the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ranks: Option<usize>,
    /// The scale of the contrastive loss, where there was one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contrastive: Option<ContrastiveScale>,
    /// What is known of the GPU, if it was trained on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gpu: Option<GpuOutcome>,
    /// The loss curve, thinned: iteration, mean loss since the point before.
    pub loss: Vec<(usize, f64)>,
}

/// A training on a GPU, in its last sitting.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GpuOutcome {
    /// Its name.
    pub name: String,
    /// The most of its memory that was in use at once, in MiB.
    pub peak_memory_mib: u64,
    /// The share of the time in which batches were waited for.
    pub waiting: f64,
}

/// The scale of a contrastive loss, found from the features at the start of the training.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ContrastiveScale {
    /// The margin, a distance of features.
    pub margin: f32,
    /// The factor on the loss.
    pub weight: f32,
}

/// Where a row ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Environment {
    /// The project's commit, with `+changes` for a tree that differs from it.
    pub commit: Option<String>,
    /// The project's version.
    pub version: String,
    /// The tensor library.
    pub candle: String,
    /// `cpu`, or `cuda:0` and the GPU's name.
    pub device: String,
    /// Threads of the computation.
    pub threads: usize,
    /// The processor's name.
    pub processor: Option<String>,
    /// Operating system and architecture.
    pub system: String,
}

/// A loss curve of at most `points` points, each the mean since the one before.
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
    /// [`Error::File`], [`Error::Damaged`] for a file that is not a record, or whose numbers do not follow from its own
    /// answers.
    pub fn read(path: &Path) -> Result<Self> {
        let record: Self = read_json(path)?;
        record.check().map_err(Error::damaged(path))?;
        Ok(record)
    }

    /// The record of a file, if there is one; one that is damaged is said, and left out.
    pub fn if_whole(path: &Path) -> Option<Self> {
        if !path.exists() {
            return None;
        }
        Self::read(path).inspect_err(|error| tracing::warn!("{error}")).ok()
    }

    /// Whether its plan is one that can be, and every number follows from what is said of the test videos one by one; in
    /// words, the first that does not.
    ///
    /// # Errors
    /// The contradiction.
    pub(crate) fn check(&self) -> std::result::Result<(), String> {
        self.work.protocols().iter().try_for_each(Protocol::check)?;
        let Estimate { value, low, high } = self.top1;
        if !(0.0 <= low && low <= value && value <= high && high <= 100.0) {
            return Err(format!(
                "top1 is {value} in [{low}, {high}]; expected percent within their interval"
            ));
        }
        if self.runs.is_empty() {
            return Err("it holds no run, expected one of each split and seed".into());
        }
        let (mut right, mut all) = (0, 0);
        for run in &self.runs {
            let of = format!("split {}, seed {}", run.split, run.seed);
            let Some(answers) = &run.right else { continue };
            let (correct, videos) = (answers.bits().iter().filter(|bit| **bit).count(), answers.bits().len());
            let accuracy = 100.0 * correct as f64 / videos as f64;
            if run.top1 != accuracy || videos != run.test.videos_scored {
                return Err(format!(
                    "{of}: {correct} of {videos} videos are right, which is {accuracy}; it says {} of {}",
                    run.top1, run.test.videos_scored
                ));
            }
            (right, all) = (right + correct, all + videos);
        }
        if self.measure != Measure::Top1 || self.runs.iter().any(|run| run.right.is_none()) {
            return Ok(());
        }
        let mean = self.runs.iter().map(|run| run.top1).sum::<f64>() / self.runs.len() as f64;
        // Means of bootstrapped blocks are summed in another order, and rounded.
        if (mean - value).abs() > ROUNDED {
            return Err(format!("the mean of its runs is {mean}; it says {value}"));
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
                "{right} of {all} videos are right, and {correct} of {counted} by class; expected the same"
            ));
        }
        for (class, taken_for) in &self.confusion {
            let recall =
                100.0 * taken(class).unwrap_or(0) as f64 / sum(&mut taken_for.values().copied()) as f64;
            let said = self.recall.get(class);
            if said.is_none_or(|said| (said - recall).abs() > ROUNDED) {
                return Err(format!("the recall of {class} is {recall}; it says {said:?}"));
            }
        }
        Ok(())
    }

    /// Test videos that were expected and scored, over all runs.
    pub fn videos(&self) -> (usize, usize) {
        let tests = self.runs.iter().map(|run| &run.test);
        tests.fold((0, 0), |sum, test| (sum.0 + test.videos_expected, sum.1 + test.videos_scored))
    }

    /// Whether a test video is missing from the scores.
    pub fn is_partial(&self) -> bool {
        let (expected, scored) = self.videos();
        expected != scored
    }

    /// Seconds of training, over all runs and the whole chain of stages, each stage once, whether or not other rows share
    /// it; `None` for fused scores.
    pub fn seconds(&self) -> Option<f64> {
        let stages: BTreeMap<&str, f64> = self
            .runs
            .iter()
            .flat_map(|run| &run.stages)
            .map(|stage| (stage.unit.as_str(), stage.training.seconds))
            .collect();
        (!stages.is_empty()).then(|| stages.values().sum())
    }

    /// The spread (standard deviation) of the accuracy over seeds, where there
    /// are several: the mean over splits of each seed, in points.
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
    /// Seconds of training of all its stages; `None` for fused scores.
    pub fn seconds(&self) -> Option<f64> {
        (!self.stages.is_empty()).then(|| self.stages.iter().map(|stage| stage.training.seconds).sum())
    }
}

impl Environment {
    /// What can be found out about this process.
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
    // Records and tables do not change what the code does.
    let changed = git(&["status", "--porcelain", "--", ".", ":!results"])?;
    Some(if changed.is_empty() { head } else { format!("{head}+changes") })
}

/// The version of candle-core in the lock file.
fn candle_version(root: &Path) -> Option<String> {
    let lock = base::files::read_text(&root.join("Cargo.lock")).ok()?;
    let entry = lock.split("[[package]]").find(|p| p.contains("name = \"candle-core\""))?;
    let line = entry.lines().find_map(|line| line.strip_prefix("version = \""))?;
    Some(format!("candle-core {}", line.trim_end_matches('"')))
}

/// The name of the processor, where the system tells.
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
