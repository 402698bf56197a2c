//! `compare`: all finished rows on one data set, across papers and architectures, in one table.
//!
//! Everything comes from records, except the difference of two rows: it comes from the scores of their tests, if these are
//! still in the cache.

pub mod gather;
mod significance;

use std::collections::BTreeSet;
use std::path::Path;

use polars::prelude::{
    Column, CsvWriter, DataFrame, NamedFrom, ParquetWriter, PolarsError, PolarsResult, SerWriter, Series,
    SortOptions,
};
use serde::Serialize;

use self::gather::Entry;
use self::significance::Difference;
use crate::grid::{Grid, Screen, wrapped};
use crate::scores::predictions::Predictions;
use crate::store::write_atomic;
use crate::{Error, Result};
use base::text::{NONE, brief, duration, json, points, reported, whole, within};
use base::{did_you_mean, there_are};
use plan::Workspace;

/// Selection and order of the rows to compare.
#[derive(Debug, Clone, Default)]
pub struct CompareRequest {
    /// The data set that rows were tested on; `synth` unless given.
    pub dataset: Option<String>,
    /// Only runs of these names, such as `synth-mini.data-seed-105`.
    pub runs: Vec<String>,
    /// Only rows whose table, name, label or architecture contains one of these texts.
    pub only: Vec<String>,
    /// The column to sort by.
    pub sort: SortBy,
    /// Reverses the order: worst first.
    pub reverse: bool,
}

/// A column to sort by; the best comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum SortBy {
    /// Top-1 accuracy, the highest first.
    #[default]
    Accuracy,
    /// The paper's accuracy, the highest first.
    Paper,
    /// Number of parameters, the fewest first.
    Parameters,
    /// Multiply-adds of testing one video, the fewest first.
    MultiplyAdds,
    /// Training samples per second, the most first.
    TrainingSpeed,
    /// Test videos per second, the most first.
    TestSpeed,
    /// Peak memory, the least first.
    Memory,
    /// Training time, the shortest first.
    TrainingTime,
}

impl SortBy {
    /// All columns with their names on the command line.
    pub const ALL: [(&str, Self); 8] = [
        ("accuracy", Self::Accuracy),
        ("paper", Self::Paper),
        ("parameters", Self::Parameters),
        ("multiply-adds", Self::MultiplyAdds),
        ("training-speed", Self::TrainingSpeed),
        ("test-speed", Self::TestSpeed),
        ("memory", Self::Memory),
        ("training-time", Self::TrainingTime),
    ];

    /// Returns the name of the column in [`frame`], and `true` if the highest value comes first.
    fn column(self) -> (&'static str, bool) {
        match self {
            Self::Accuracy => (ACCURACY, true),
            Self::Paper => (PAPER, true),
            Self::Parameters => (PARAMETERS, false),
            Self::MultiplyAdds => (MULTIPLY_ADDS, false),
            Self::TrainingSpeed => (TRAINING_SPEED, true),
            Self::TestSpeed => (TEST_SPEED, true),
            Self::Memory => (MEMORY, false),
            Self::TrainingTime => (TRAINING_TIME, false),
        }
    }

    /// Returns the positions of the entries in this order. Entries without a number in the column come last in both
    /// directions.
    fn order(self, reverse: bool, entries: &[Entry]) -> PolarsResult<Vec<usize>> {
        let (column, highest_first) = self.column();
        let options = SortOptions {
            descending: highest_first != reverse,
            nulls_last: true,
            maintain_order: true,
            ..SortOptions::default()
        };
        let places = frame(entries)?.column(column)?.arg_sort(options);
        Ok(places.into_no_null_iter().map(|place| place as usize).collect())
    }
}

impl std::str::FromStr for SortBy {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        base::named("column", text, Self::ALL)
    }
}

/// Rows of several tables, side by side.
#[derive(Debug)]
pub struct Comparison {
    dataset: String,
    /// The rows, sorted.
    entries: Vec<Entry>,
    /// The difference between each row and the next, if their tests can be paired.
    differences: Vec<Option<Difference>>,
}

/// Compares the finished rows that the request selects.
///
/// # Errors
/// Specs that cannot be read; [`Error::Usage`] for an unknown data set or run, and if no row is left.
pub fn compare(workspace: &Workspace, request: &CompareRequest) -> Result<Comparison> {
    let dataset = request.dataset.clone().unwrap_or_else(|| "synth".to_owned());
    workspace.dataset_spec(&dataset)?;
    let all = gather::entries(workspace)?;
    let here: Vec<Entry> = all.into_iter().filter(|entry| entry.record.data[0].name == dataset).collect();
    let mut runs: Vec<&str> = here.iter().map(|entry| entry.run.as_str()).collect();
    runs.sort_unstable();
    runs.dedup();
    if let Some(run) = request.runs.iter().find(|run| !runs.contains(&run.as_str())) {
        let known = there_are(run, runs);
        return Err(Error::Usage(format!("no recorded run `{run}` on {dataset}{known}")));
    }
    let wanted = |entry: &Entry| {
        let of_run = request.runs.is_empty() || request.runs.contains(&entry.run);
        of_run && (request.only.is_empty() || request.only.iter().any(|text| entry.says(text)))
    };
    let names: BTreeSet<String> = here.iter().flat_map(|entry| entry.names()).collect();
    let entries: Vec<Entry> = here.into_iter().filter(wanted).collect();
    if entries.is_empty() {
        let hint = request.only.iter().map(|text| did_you_mean(text, names.iter().map(String::as_str)));
        return Err(Error::Usage(format!(
            "no finished row on {dataset} matches{}; `cargo xtask list` shows what has been run",
            hint.collect::<String>()
        )));
    }
    let order = request.sort.order(request.reverse, &entries).map_err(failed)?;
    let entries: Vec<Entry> = order.into_iter().map(|place| entries[place].clone()).collect();
    let units = workspace.units();
    let predictions: Vec<_> = entries.iter().map(|entry| significance::predictions(&units, entry)).collect();
    let tested: Vec<_> = entries.iter().zip(&predictions).collect();
    let difference = |pair: &[(&Entry, &Option<Predictions>)]| {
        let [(first, Some(a)), (second, Some(b))] = pair else { return Ok(None) };
        let same_data = first.record.data[0].fingerprints == second.record.data[0].fingerprints;
        if same_data { significance::between(a, b) } else { Ok(None) }
    };
    let differences = tested.windows(2).map(difference).collect::<Result<_>>()?;
    Ok(Comparison { dataset, entries, differences })
}

fn failed(error: PolarsError) -> Error {
    Error::Usage(format!("cannot build the table of rows: {error}"))
}

const ACCURACY: &str = "accuracy";
const LOW: &str = "low";
const HIGH: &str = "high";
const PAPER: &str = "paper";
const PARAMETERS: &str = "parameters";
const MULTIPLY_ADDS: &str = "multiply-adds a video";
const TRAINING_SPEED: &str = "training samples/s";
const TEST_SPEED: &str = "test videos/s";
const MEMORY: &str = "memory MiB";
const TRAINING_TIME: &str = "training s";

/// Builds a data frame of the entries and their numbers, one line each.
fn frame(entries: &[Entry]) -> PolarsResult<DataFrame> {
    let texts = |name: &str, of: fn(&Entry) -> &str| {
        Column::from(Series::new(name.into(), entries.iter().map(of).collect::<Vec<_>>()))
    };
    let numbers = |name: &str, of: fn(&Entry) -> Option<f64>| {
        Column::from(Series::new(name.into(), entries.iter().map(of).collect::<Vec<_>>()))
    };
    let columns = vec![
        texts("tables", |entry| &entry.tables),
        texts("row", |entry| &entry.record.row),
        texts("label", |entry| &entry.record.label),
        texts("architecture", |entry| &entry.architecture),
        texts("run", |entry| &entry.run),
        numbers(ACCURACY, |entry| Some(entry.record.top1.value)),
        numbers(LOW, |entry| Some(entry.record.top1.low)),
        numbers(HIGH, |entry| Some(entry.record.top1.high)),
        numbers(PAPER, |entry| entry.record.reported),
        numbers(PARAMETERS, |entry| Some(entry.record.parameters as f64)),
        numbers(MULTIPLY_ADDS, Entry::multiply_adds),
        numbers(TRAINING_SPEED, Entry::training_speed),
        numbers(TEST_SPEED, Entry::test_speed),
        numbers(MEMORY, Entry::memory),
        numbers(TRAINING_TIME, |entry| entry.record.seconds()),
    ];
    DataFrame::new(entries.len(), columns)
}

/// Turns the numbers of a frame into texts with the digits of the printed table.
fn printed(mut frame: DataFrame) -> PolarsResult<DataFrame> {
    let tenths: fn(f64) -> String = points;
    let formats = [
        (ACCURACY, tenths),
        (LOW, tenths),
        (HIGH, tenths),
        (PAPER, reported),
        (PARAMETERS, whole),
        (MULTIPLY_ADDS, whole),
        (TRAINING_SPEED, whole),
        (TEST_SPEED, tenths),
        (MEMORY, whole),
        (TRAINING_TIME, whole),
    ];
    for (name, format) in formats {
        let column = frame.column(name)?.f64()?;
        let texts: Vec<Option<String>> = column.iter().map(|number| number.map(format)).collect();
        frame.replace(name, Column::from(Series::new(name.into(), texts)))?;
    }
    Ok(frame)
}

impl Comparison {
    /// Formats the comparison for a screen.
    pub fn terminal(&self, screen: Screen) -> String {
        let width = screen.width.unwrap_or(usize::MAX);
        let [head, foot] = [self.head(), self.foot()].map(|text| wrapped(&text, width));
        format!("{head}\n{}\n{foot}", self.grid().terminal(screen))
    }

    /// Formats the comparison as Markdown.
    pub fn markdown(&self) -> String {
        format!("{}\n\n{}\n\n{}", self.head(), self.grid().markdown(), self.foot())
    }

    /// Formats the rows as CSV, every number as it is printed; [`Comparison::write_parquet`] keeps all digits.
    ///
    /// # Errors
    /// [`Error::Usage`] if the frame cannot be written.
    pub fn csv(&self) -> Result<String> {
        let mut bytes = Vec::new();
        let mut printed = frame(&self.entries).and_then(printed).map_err(failed)?;
        CsvWriter::new(&mut bytes).finish(&mut printed).map_err(failed)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Formats the rows as JSON, in order, each with its difference from the next.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Row<'a> {
            tables: &'a str,
            run: &'a str,
            architecture: &'a str,
            multiply_adds_a_video: Option<f64>,
            training_samples_per_second: Option<f64>,
            test_videos_per_second: Option<f64>,
            memory_mib: Option<f64>,
            training_seconds: Option<f64>,
            next: Option<&'a Difference>,
            record: &'a crate::record::Record,
        }
        let next = self.differences.iter().map(Option::as_ref).chain([None]);
        let rows: Vec<Row<'_>> = self
            .entries
            .iter()
            .zip(next)
            .map(|(entry, next)| Row {
                tables: &entry.tables,
                run: &entry.run,
                architecture: &entry.architecture,
                multiply_adds_a_video: entry.multiply_adds(),
                training_samples_per_second: entry.training_speed(),
                test_videos_per_second: entry.test_speed(),
                memory_mib: entry.memory(),
                training_seconds: entry.record.seconds(),
                next,
                record: &entry.record,
            })
            .collect();
        json(&rows)
    }

    /// Writes the rows to a Parquet file, atomically.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written.
    pub fn write_parquet(&self, path: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).finish(&mut frame(&self.entries).map_err(failed)?).map_err(failed)?;
        write_atomic(path, &bytes)
    }

    fn grid(&self) -> Grid {
        Grid::new(self.lines(), 4).dispensable(&[
            "MiB",
            "videos/s",
            "samples/s",
            "multiply-adds a video",
            "parameters",
            "next",
            "architecture",
            "training",
            "paper",
            "run",
        ])
    }

    fn head(&self) -> String {
        format!(
            "{} rows on {}: top-1 accuracy in percent with its 95 % interval; speeds are of the machine that ran the row",
            self.entries.len(),
            self.dataset
        )
    }

    fn foot(&self) -> String {
        "next: lead over the row below in points, with the 95 % interval of a paired bootstrap over test videos and \
         McNemar's exact p; only if both were tested on the same videos and their scores are in the cache."
            .to_owned()
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let head = [
            "row",
            "architecture",
            "tables",
            "run",
            "accuracy",
            "paper",
            "parameters",
            "multiply-adds a video",
            "samples/s",
            "videos/s",
            "MiB",
            "training",
            "next",
        ];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        let next = self.differences.iter().map(Option::as_ref).chain([None]);
        for (entry, next) in self.entries.iter().zip(next) {
            let top1 = entry.record.top1;
            let or_dash = |number: Option<f64>, unit: fn(f64) -> String| number.map_or(NONE.into(), unit);
            lines.push(vec![
                entry.record.row.clone(),
                entry.architecture.clone(),
                entry.tables.clone(),
                entry.run.clone(),
                within(top1.value, top1.low, top1.high),
                or_dash(entry.record.reported, reported),
                brief(entry.record.parameters as f64),
                or_dash(entry.multiply_adds(), brief),
                or_dash(entry.training_speed(), whole),
                or_dash(entry.test_speed(), points),
                or_dash(entry.memory(), whole),
                or_dash(entry.record.seconds(), duration),
                next.map_or(NONE.into(), ToString::to_string),
            ]);
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Committed rows, one of them twice; the test removes the paper's number from some.
    fn entries() -> Vec<Entry> {
        let folder =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results/two-stream/table1b/synth-mini");
        let read = |row: &str| Entry {
            tables: row.to_owned(),
            run: "synth-mini".to_owned(),
            architecture: "cnn-m-2048".to_owned(),
            record: crate::record::Record::read(&folder.join(format!("{row}.json"))).unwrap(),
        };
        let rows = ["stack-10-on", "slow-fusion", "single-on", "stack-10-on", "single-frame", "stack-5-on"];
        rows.map(read).to_vec()
    }

    fn number(sort: SortBy, entry: &Entry) -> Option<f64> {
        match sort {
            SortBy::Accuracy => Some(entry.record.top1.value),
            SortBy::Paper => entry.record.reported,
            SortBy::Parameters => Some(entry.record.parameters as f64),
            SortBy::MultiplyAdds => entry.multiply_adds(),
            SortBy::TrainingSpeed => entry.training_speed(),
            SortBy::TestSpeed => entry.test_speed(),
            SortBy::Memory => entry.memory(),
            SortBy::TrainingTime => entry.record.seconds(),
        }
    }

    /// Best or worst first; entries without a number last in both directions; ties keep their order.
    #[test]
    fn rows_are_sorted_as_by_a_loop() {
        let mut entries = entries();
        entries[1].record.reported = None;
        entries[4].record.reported = None;
        for (name, sort) in SortBy::ALL {
            for reverse in [false, true] {
                let highest_first = sort.column().1 != reverse;
                let mut expected: Vec<usize> = (0..entries.len()).collect();
                expected.sort_by(|&a, &b| match [a, b].map(|at| number(sort, &entries[at])) {
                    [Some(a), Some(b)] if highest_first => b.total_cmp(&a),
                    [Some(a), Some(b)] => a.total_cmp(&b),
                    [a, b] => b.is_some().cmp(&a.is_some()),
                });
                assert_eq!(sort.order(reverse, &entries).unwrap(), expected, "{name} {reverse}");
            }
        }
    }
}
