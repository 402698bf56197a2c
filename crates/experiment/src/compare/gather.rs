//! Gathers the finished rows of all tables, identical rows once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use crate::Result;
use crate::record::{Measure, Record};
use crate::run_folder::{RunFolder, recorded};
use base::text::{counted, numbered};
use plan::cost::{multiply_adds_of_a_video, training};
use plan::{NetPlan, Work, Workspace};

/// A finished row.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The full names of the tables that have it, separated by commas.
    pub tables: String,
    /// The name of its run, such as `synth-mini`.
    pub run: String,
    /// The networks, such as `cnn-m-2048`.
    pub architecture: String,
    /// Its record.
    pub record: Record,
}

/// The cost of a training.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Training {
    /// Number of training samples, over all stages.
    pub samples: f64,
    /// Multiply-adds forward and backward, over all stages.
    pub multiply_adds: f64,
}

impl Training {
    /// Returns what one run of a row costs: all its networks with all stages before them, each once.
    pub fn of(work: &Work) -> Option<Self> {
        let mut nets: Vec<&NetPlan> = Vec::new();
        for net in work.stages() {
            if !nets.contains(&net) {
                nets.push(net);
            }
        }
        let mut sum = Self { samples: 0.0, multiply_adds: 0.0 };
        for net in nets {
            sum.samples += (net.samples() * net.train.iterations) as f64;
            sum.multiply_adds += training(net).ok()?.multiply_adds();
        }
        Some(sum)
    }
}

/// The videos of a test. Accuracies on different ones are not ranked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct TestSet {
    /// The data set.
    pub dataset: String,
    /// The seeds that it was rendered from, if it is generated.
    pub data_seeds: Vec<u64>,
    /// The tested splits, with the fingerprints of their lists and contents.
    splits: Vec<(String, Option<String>)>,
    /// Number of videos that were tested, over all splits.
    pub videos: usize,
}

impl TestSet {
    fn of(record: &Record) -> Self {
        let data = record.data.first();
        let mut videos: BTreeMap<&str, usize> = BTreeMap::new();
        for run in &record.runs {
            videos.insert(&run.split, run.test.videos_scored);
        }
        let fingerprint = |split: &str| data.and_then(|data| data.fingerprints.get(split)).cloned();
        Self {
            dataset: data.map(|data| data.name.clone()).unwrap_or_default(),
            data_seeds: data.map(|data| data.data_seeds.clone()).unwrap_or_default(),
            splits: videos.keys().map(|split| ((*split).to_owned(), fingerprint(split))).collect(),
            videos: videos.values().sum(),
        }
    }
}

impl fmt::Display for TestSet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.dataset)?;
        if !self.data_seeds.is_empty() {
            write!(out, " ({})", numbered("data seed", &self.data_seeds))?;
        }
        let plain = |split| if self.data_seeds.len() > 1 { data::split::plain(split) } else { split };
        let names: BTreeSet<&str> = self.splits.iter().map(|(name, _)| plain(name)).collect();
        let names = Vec::from_iter(names);
        let splits = if names.len() == 1 { "split" } else { "splits" };
        write!(out, ", {splits} {}: {}", names.join(", "), counted(self.videos, "test video"))
    }
}

/// Returns every recorded row whose measure is top-1 accuracy. Rows of several tables with the same test units are one entry.
///
/// # Errors
/// If the specs cannot be listed or read.
pub fn entries(workspace: &Workspace) -> Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = Vec::new();
    // Positions of the entries, by run and test units.
    let mut known: BTreeMap<(String, Vec<String>), usize> = BTreeMap::new();
    for (spec, runs) in recorded(workspace)? {
        for run in runs {
            let name = run.name.clone();
            for row in &spec.row {
                let Some(record) = read(&run, &row.id) else { continue };
                let units: Vec<String> = record.runs.iter().map(|run| run.test_unit.clone()).collect();
                if let Some(&same) = known.get(&(name.clone(), units.clone())) {
                    let tables = &mut entries[same].tables;
                    if !tables.split(", ").any(|table| table == spec.name()) {
                        tables.push_str(&format!(", {}", spec.name()));
                    }
                    continue;
                }
                known.insert((name.clone(), units), entries.len());
                entries.push(Entry {
                    tables: spec.name(),
                    run: name.clone(),
                    architecture: architecture(&record.work),
                    record,
                });
            }
        }
    }
    Ok(entries)
}

/// Reads a record that can be compared; `None` if it is missing, old, damaged, or of another measure.
fn read(run: &RunFolder, row: &str) -> Option<Record> {
    let record = Record::if_whole(&run.record(row))?;
    (record.measure == Measure::Top1 && !record.data.is_empty()).then_some(record)
}

fn architecture(work: &Work) -> String {
    let mut kinds: Vec<&str> = Vec::new();
    for protocol in work.protocols() {
        let kind = protocol.net.model.kind();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }
    match work.protocols().len() {
        0 | 1 => kinds.concat(),
        nets => format!("{nets} x {}", kinds.join(" + ")),
    }
}

impl Entry {
    /// Returns the videos that it was tested on.
    pub fn test_set(&self) -> TestSet {
        TestSet::of(&self.record)
    }

    /// Returns `true` if `asked` is its row, as `TABLE/ROW` with the table's full or short name.
    pub(super) fn is(&self, asked: &str) -> bool {
        let Some((table, row)) = asked.rsplit_once('/') else { return asked == self.record.row };
        let is_table =
            |full: &str| full == table || full.rsplit_once('/').is_some_and(|(_, short)| short == table);
        row == self.record.row && self.tables.split(", ").any(is_table)
    }

    /// Returns what the training of one run costs: all networks of the row with all stages before them, each once.
    pub fn training(&self) -> Option<Training> {
        Training::of(&self.record.work)
    }

    /// Returns `true` if its table, row, label or architecture contains the text, ignoring case.
    pub(super) fn says(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let places = [&self.tables, &self.record.row, &self.record.label, &self.architecture];
        places.iter().any(|place| place.to_lowercase().contains(&text))
    }

    /// Returns its names as `TABLE/ROW`, with the full and the short name of each table.
    pub(super) fn full_names(&self) -> Vec<String> {
        let short = |full: &'_ str| full.rsplit_once('/').map(|(_, short)| short.to_owned());
        let tables = self.tables.split(", ").flat_map(|full| [Some(full.to_owned()), short(full)]);
        tables.flatten().map(|table| format!("{table}/{}", self.record.row)).collect()
    }

    /// Returns the names by which the entry is found: its tables, its row and its architecture.
    pub(super) fn names(&self) -> Vec<String> {
        let tables = self.tables.split(", ").flat_map(|table| table.split('/'));
        tables.map(str::to_owned).chain([self.record.row.clone(), self.architecture.clone()]).collect()
    }

    /// Returns the multiply-adds of testing one video, if the number of its views is known in advance.
    pub fn multiply_adds(&self) -> Option<f64> {
        multiply_adds_of_a_video(&self.record.work)
    }

    /// Returns the training samples per second, averaged over the runs.
    pub fn training_speed(&self) -> Option<f64> {
        let of = |run: &crate::record::RunRecord| Some(run.stages.last()?.training.samples_per_second);
        let speeds: Option<Vec<f64>> = self.record.runs.iter().map(of).collect();
        speeds.map(|speeds| speeds.iter().sum::<f64>() / speeds.len().max(1) as f64)
    }

    /// Returns the test videos per second; `None` for fused scores, whose nets are tested in other units.
    pub fn test_speed(&self) -> Option<f64> {
        let tests = || self.record.runs.iter().map(|run| &run.test);
        let (videos, seconds) =
            tests().fold((0.0, 0.0), |sum, test| (sum.0 + test.videos_scored as f64, sum.1 + test.seconds));
        (seconds > 0.0 && tests().all(|test| test.streams.is_empty())).then_some(videos / seconds)
    }

    /// Returns the peak memory of the training, in MiB.
    pub(super) fn memory(&self) -> Option<f64> {
        let stages = self.record.runs.iter().flat_map(|run| &run.stages);
        stages.filter_map(|stage| stage.training.peak_memory_mib).max().map(|memory| memory as f64)
    }
}
