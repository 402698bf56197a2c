//! `compare`: all finished rows on one data set, across papers and architectures. Everything comes from records.
//!
//! Rows are ranked among those that were tested on the same videos. [`matrix`] compares named rows pair by pair.

pub mod gather;
pub mod matrix;
mod pareto;
pub mod significance;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use polars::prelude::{
    Column, CsvWriter, DataFrame, NamedFrom, ParquetWriter, PolarsError, PolarsResult, SerWriter, Series,
    SortOptions,
};
use serde::Serialize;

use self::gather::{Entry, TestSet};
use self::pareto::Front;
use self::significance::Difference;
use crate::grid::{Grid, Screen, wrapped};
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
    /// Keeps only rows of the Pareto fronts: accuracy against multiply-adds of a test and of a training.
    pub pareto: bool,
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
    /// Multiply-adds of the training, the fewest first.
    TrainingMultiplyAdds,
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
    pub const ALL: [(&str, Self); 9] = [
        ("accuracy", Self::Accuracy),
        ("paper", Self::Paper),
        ("parameters", Self::Parameters),
        ("multiply-adds", Self::MultiplyAdds),
        ("training-multiply-adds", Self::TrainingMultiplyAdds),
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
            Self::TrainingMultiplyAdds => (TRAINING_MULTIPLY_ADDS, false),
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
    groups: Vec<Group>,
}

/// Rows that were tested on the same videos.
#[derive(Debug)]
struct Group {
    set: TestSet,
    /// The rows, sorted.
    entries: Vec<Entry>,
    /// The difference between each row and the next, if their records allow it.
    differences: Vec<Option<Difference>>,
    /// The Pareto fronts that each row is on.
    fronts: Vec<Front>,
}

impl Group {
    fn of(set: TestSet, entries: Vec<Entry>, request: &CompareRequest) -> PolarsResult<Self> {
        let order = request.sort.order(request.reverse, &entries)?;
        let mut entries: Vec<Entry> = order.into_iter().map(|place| entries[place].clone()).collect();
        let mut fronts = pareto::fronts(&entries);
        if request.pareto {
            let mut on_front = fronts.iter().map(|front| *front != Front::default());
            entries.retain(|_| on_front.next() == Some(true));
            fronts.retain(|front| *front != Front::default());
        }
        let differences = entries.windows(2).map(|pair| significance::between(&pair[0], &pair[1])).collect();
        Ok(Self { set, entries, differences, fronts })
    }
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
    let mut sets: BTreeMap<TestSet, Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        sets.entry(entry.test_set()).or_default().push(entry);
    }
    let groups = sets.into_iter().map(|(set, entries)| Group::of(set, entries, request));
    Ok(Comparison { dataset, groups: groups.collect::<PolarsResult<_>>().map_err(failed)? })
}

fn failed(error: PolarsError) -> Error {
    Error::Usage(format!("cannot build the table of rows: {error}"))
}

const ACCURACY: &str = "accuracy";
const LOW: &str = "low";
const HIGH: &str = "high";
const TOP5: &str = "top-5";
const CLASS_MEAN: &str = "class mean";
const SEEDS: &str = "seed deviation";
const PAPER: &str = "paper";
const PARAMETERS: &str = "parameters";
const MULTIPLY_ADDS: &str = "multiply-adds a video";
const TRAINING_MULTIPLY_ADDS: &str = "training multiply-adds";
const TRAINING_SAMPLES: &str = "training samples";
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
        Column::from(Series::new(
            "test set".into(),
            entries.iter().map(|entry| entry.test_set().to_string()).collect::<Vec<_>>(),
        )),
        numbers(ACCURACY, |entry| Some(entry.record.top1.value)),
        numbers(LOW, |entry| Some(entry.record.top1.low)),
        numbers(HIGH, |entry| Some(entry.record.top1.high)),
        numbers(TOP5, |entry| entry.record.top5),
        numbers(CLASS_MEAN, |entry| entry.record.mean_class_accuracy()),
        numbers(SEEDS, |entry| entry.record.seed_spread()),
        numbers(PAPER, |entry| entry.record.reported),
        numbers(PARAMETERS, |entry| Some(entry.record.parameters as f64)),
        numbers(MULTIPLY_ADDS, Entry::multiply_adds),
        numbers(TRAINING_MULTIPLY_ADDS, |entry| entry.training().map(|training| training.multiply_adds)),
        numbers(TRAINING_SAMPLES, |entry| entry.training().map(|training| training.samples)),
        numbers(TRAINING_SPEED, Entry::training_speed),
        numbers(TEST_SPEED, Entry::test_speed),
        numbers(MEMORY, Entry::memory),
        numbers(TRAINING_TIME, |entry| entry.record.seconds()),
        texts("machine", |entry| {
            entry.record.environment.processor.as_deref().unwrap_or(&entry.record.environment.system)
        }),
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
        (TOP5, tenths),
        (CLASS_MEAN, tenths),
        (SEEDS, tenths),
        (PAPER, reported),
        (PARAMETERS, whole),
        (MULTIPLY_ADDS, whole),
        (TRAINING_MULTIPLY_ADDS, whole),
        (TRAINING_SAMPLES, whole),
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
    fn entries(&self) -> Vec<Entry> {
        self.groups.iter().flat_map(|group| group.entries.iter().cloned()).collect()
    }

    /// Formats the comparison for a screen.
    pub fn terminal(&self, screen: Screen) -> String {
        let width = screen.width.unwrap_or(usize::MAX);
        let mut parts = vec![wrapped(&self.head(), width)];
        for group in &self.groups {
            parts.push(format!(
                "{}\n{}",
                wrapped(&group.set.to_string(), width),
                group.grid().terminal(screen)
            ));
        }
        parts.push(wrapped(&self.foot(), width));
        parts.join("\n\n")
    }

    /// Formats the comparison as Markdown.
    pub fn markdown(&self) -> String {
        let mut parts = vec![self.head()];
        for group in &self.groups {
            parts.push(format!("**{}**\n\n{}", group.set, group.grid().markdown()));
        }
        parts.push(self.foot());
        parts.join("\n\n")
    }

    /// Formats the rows as CSV, every number as it is printed; [`Comparison::write_parquet`] keeps all digits.
    ///
    /// # Errors
    /// [`Error::Usage`] if the frame cannot be written.
    pub fn csv(&self) -> Result<String> {
        let mut bytes = Vec::new();
        let mut printed = frame(&self.entries()).and_then(printed).map_err(failed)?;
        CsvWriter::new(&mut bytes).finish(&mut printed).map_err(failed)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Formats the rows as JSON, in order, each with its difference from the next on the same videos.
    pub fn json(&self) -> String {
        #[derive(Serialize)]
        #[serde(rename_all = "kebab-case")]
        struct Row<'a> {
            tables: &'a str,
            run: &'a str,
            test_set: String,
            architecture: &'a str,
            mean_class_accuracy: Option<f64>,
            seed_deviation: Option<f64>,
            multiply_adds_a_video: Option<f64>,
            training_multiply_adds: Option<f64>,
            training_samples: Option<f64>,
            training_samples_per_second: Option<f64>,
            test_videos_per_second: Option<f64>,
            memory_mib: Option<f64>,
            training_seconds: Option<f64>,
            on_pareto_front: Front,
            next: Option<&'a Difference>,
            record: &'a crate::record::Record,
        }
        let mut rows: Vec<Row<'_>> = Vec::new();
        for group in &self.groups {
            let next = group.differences.iter().map(Option::as_ref).chain([None]);
            for ((entry, next), front) in group.entries.iter().zip(next).zip(&group.fronts) {
                let training = entry.training();
                rows.push(Row {
                    tables: &entry.tables,
                    run: &entry.run,
                    test_set: group.set.to_string(),
                    architecture: &entry.architecture,
                    mean_class_accuracy: entry.record.mean_class_accuracy(),
                    seed_deviation: entry.record.seed_spread(),
                    multiply_adds_a_video: entry.multiply_adds(),
                    training_multiply_adds: training.map(|training| training.multiply_adds),
                    training_samples: training.map(|training| training.samples),
                    training_samples_per_second: entry.training_speed(),
                    test_videos_per_second: entry.test_speed(),
                    memory_mib: entry.memory(),
                    training_seconds: entry.record.seconds(),
                    on_pareto_front: *front,
                    next,
                    record: &entry.record,
                });
            }
        }
        json(&rows)
    }

    /// Writes the rows to a Parquet file, atomically.
    ///
    /// # Errors
    /// [`Error::File`] if the file cannot be written.
    pub fn write_parquet(&self, path: &Path) -> Result<()> {
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes)
            .finish(&mut frame(&self.entries()).map_err(failed)?)
            .map_err(failed)?;
        write_atomic(path, &bytes)
    }

    fn head(&self) -> String {
        let rows: usize = self.groups.iter().map(|group| group.entries.len()).sum();
        let mut head = format!(
            "{rows} rows on {}: top-1 accuracy in percent with its 95 % interval; speeds are of the machine that ran the row",
            self.dataset
        );
        if self.groups.len() > 1 {
            head.push_str(
                ". Rows are ranked within a group that was tested on the same videos. Between groups, a difference may be one of \
                 videos, so nothing is ranked",
            );
        }
        head
    }

    fn foot(&self) -> String {
        "training: multiply-adds forward and backward, and seconds, over all stages of one run. next: lead over the row below \
         in points, with its 95 % interval and the p-value of an exact sign-flip test over blocks of test videos; `-` for records \
         of versions before 0.17. front: on the Pareto front of accuracy against multiply-adds of a test (t), of a training (T)."
            .to_owned()
    }
}

impl Group {
    fn grid(&self) -> Grid {
        Grid::new(self.lines(), 4).dispensable(&[
            "MiB",
            "videos/s",
            "samples/s",
            "top-5",
            "class mean",
            "± seeds",
            "front",
            "seconds",
            "multiply-adds a video",
            "parameters",
            "next",
            "architecture",
            "training",
            "paper",
            "run",
        ])
    }

    fn lines(&self) -> Vec<Vec<String>> {
        let head = [
            "row",
            "architecture",
            "tables",
            "run",
            "accuracy",
            "± seeds",
            "top-5",
            "class mean",
            "paper",
            "parameters",
            "multiply-adds a video",
            "training",
            "seconds",
            "samples/s",
            "videos/s",
            "MiB",
            "front",
            "next",
        ];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        let next = self.differences.iter().map(Option::as_ref).chain([None]);
        for ((entry, next), front) in self.entries.iter().zip(next).zip(&self.fronts) {
            let top1 = entry.record.top1;
            let or_dash = |number: Option<f64>, unit: fn(f64) -> String| number.map_or(NONE.into(), unit);
            lines.push(vec![
                entry.record.row.clone(),
                entry.architecture.clone(),
                entry.tables.clone(),
                entry.run.clone(),
                within(top1.value, top1.low, top1.high),
                or_dash(entry.record.seed_spread(), points),
                or_dash(entry.record.top5, points),
                or_dash(entry.record.mean_class_accuracy(), points),
                or_dash(entry.record.reported, reported),
                brief(entry.record.parameters as f64),
                or_dash(entry.multiply_adds(), brief),
                or_dash(entry.training().map(|training| training.multiply_adds), brief),
                or_dash(entry.record.seconds(), duration),
                or_dash(entry.training_speed(), whole),
                or_dash(entry.test_speed(), points),
                or_dash(entry.memory(), whole),
                front.to_string(),
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
            SortBy::TrainingMultiplyAdds => entry.training().map(|training| training.multiply_adds),
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
