//! Gathers the finished rows of all tables, identical rows once.

use std::collections::BTreeMap;

use crate::Result;
use crate::record::{Measure, Record};
use crate::run_folder::{RunFolder, recorded};
use plan::cost::multiply_adds_of_a_video;
use plan::{Work, Workspace};

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
    /// Returns `true` if its table, row, label or architecture contains the text, ignoring case.
    pub(super) fn says(&self, text: &str) -> bool {
        let text = text.to_lowercase();
        let places = [&self.tables, &self.record.row, &self.record.label, &self.architecture];
        places.iter().any(|place| place.to_lowercase().contains(&text))
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
