//! The main job: a table's rows, trained, tested, recorded and printed.

mod videos;

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use data::dataset::{Dataset, DatasetSpec, OpenOptions, SourceHashes};
use data::prepare::PreparedVideo;
use serde::{Deserialize, Serialize};

use crate::claim::{Bootstrap, Comparison, Outcomes};
use crate::console::Console;
use crate::error::{Error, Result};
use crate::evaluate::{Test, evaluate};
use crate::interrupt::Interrupt;
use crate::plan::{Protocol, Request, RowPlan, TablePlan, TestPlan};
use crate::record::{DatasetRecord, Environment, RECORD_VERSION, Record, RunRecord, TrainOutcome};
use crate::scores::Scores;
use crate::store::{Store, Unit, write_atomic, write_json};
use crate::table::{self, State, Table};
use crate::train::{Training, WEIGHTS, build, network_error, train};
use crate::workspace::Workspace;
use videos::Part;

/// What `run` needs beside the table's name.
pub struct Runner<'a> {
    /// Where things lie.
    pub workspace: &'a Workspace,
    /// What is asked of the table.
    pub request: &'a Request,
    /// The folder of real videos.
    pub data_root: Option<PathBuf>,
    /// Whether finished units are done again.
    pub fresh: bool,
    /// Time between checkpoints, see [`Training::checkpoint_every`].
    pub checkpoint_every: Duration,
    /// Where progress goes.
    pub console: &'a Console,
    /// The way to stop.
    pub interrupt: &'a Interrupt,
}

/// What decides a trained net: equal ones are trained once, whichever table
/// asks.
#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TrainUnit<'a> {
    version: &'static str,
    dataset: &'a str,
    fingerprint: &'a str,
    video: &'a crate::plan::VideoPlan,
    input: data::inputs::FlowStack,
    crop: usize,
    model: &'a models::ModelConfig,
    train: &'a crate::plan::TrainPlan,
    seed: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct TestUnit<'a> {
    train: &'a str,
    test: &'a TestPlan,
}

/// What a test unit leaves beside its scores.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct TestOutcome {
    videos_expected: usize,
    videos_scored: usize,
    seconds: f64,
}

const SCORES: &str = "scores.parquet";

impl Runner<'_> {
    /// Runs a table and gives it back, judged; records and `table.md` are
    /// written as rows finish. Rows that fail are in the table as such.
    ///
    /// # Errors
    /// Anything that concerns the whole table: a spec, flag or data set that
    /// cannot be used, folders that cannot be written, an interruption.
    pub fn run(&self, name: &str) -> Result<Table> {
        let (spec, file) = self.workspace.spec(name)?;
        let plan = TablePlan::resolve(spec, file, self.request, |name| self.workspace.dataset_facts(name))?;
        let job = Job::open(self, &plan, false)?;
        probe_writable(&job.results)?;
        let mut states = BTreeMap::new();
        for row in &plan.rows {
            let state = if row.wanted { job.run_row(row)? } else { job.known(row)? };
            states.insert(row.row.id.clone(), state);
        }
        let table = job.table(&states)?;
        write_atomic(&job.results.join("table.md"), table.markdown().as_bytes())?;
        Ok(table)
    }

    /// Decodes (or renders) all videos that a table needs and computes their
    /// flow, in both directions where a row wants both; says what was done.
    /// Videos that are missing or bad do not stop the others.
    ///
    /// # Errors
    /// As [`Runner::run`], but for training; [`Error::Prepare`] in the end if a
    /// video is missing or bad.
    pub fn prepare(&self, name: &str) -> Result<String> {
        let (spec, file) = self.workspace.spec(name)?;
        let plan = TablePlan::resolve(spec, file, self.request, |name| self.workspace.dataset_facts(name))?;
        let job = Job::open(self, &plan, true)?;
        let prepared = job.prepare(&job.needed()).map_err(|error| match error {
            Error::Videos(report) => Error::Prepare(report),
            error => error,
        })?;
        Ok(format!("{}: {prepared}, in {}", plan.dataset.name, self.workspace.cache.join("videos").display()))
    }
}

/// Hours of training must not end at a folder that cannot be written.
fn probe_writable(folder: &Path) -> Result<()> {
    let probe = folder.join(".writable");
    write_atomic(&probe, b"")?;
    match std::fs::remove_file(&probe) {
        // Another run of this table has deleted the same probe.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::io("delete", &probe)),
    }
}

/// A table being run on an opened data set.
struct Job<'a> {
    runner: &'a Runner<'a>,
    plan: &'a TablePlan,
    dataset: Dataset,
    fingerprints: BTreeMap<String, String>,
    store: Store,
    results: PathBuf,
    environment: Environment,
    prepared: OnceCell<BTreeMap<usize, Arc<PreparedVideo>>>,
}

impl<'a> Job<'a> {
    fn open(runner: &'a Runner<'a>, plan: &'a TablePlan, partial: bool) -> Result<Self> {
        let workspace = runner.workspace;
        let spec = DatasetSpec::load(&workspace.dataset_file(&plan.dataset.name)?)?;
        let options = OpenOptions {
            root: runner.data_root.clone(),
            data_seed: runner.request.data_seed,
            extraction: runner.request.extraction,
            partial,
        };
        let dataset = Dataset::open_with(&spec, &options)?;
        let hashes = SourceHashes::open(&workspace.cache.join("videos"));
        let mut fingerprints = BTreeMap::new();
        // What is only prepared needs no name for its data, and has none while videos are missing.
        let wanted = plan.rows.first().filter(|_| !partial).map_or(&[][..], |row| &row.splits);
        for (index, split) in dataset.splits.iter().enumerate().filter(|(_, s)| wanted.contains(&s.name)) {
            fingerprints.insert(split.name.clone(), dataset.fingerprint(index, &hashes)?);
        }
        hashes.save()?;
        Ok(Self {
            runner,
            plan,
            dataset,
            fingerprints,
            store: Store::new(workspace.cache.join("units")),
            results: workspace.results.join(&plan.results),
            environment: Environment::here(&workspace.root),
            prepared: OnceCell::new(),
        })
    }

    fn units(&self, row: &RowPlan, split: &str, seed: u64) -> (Unit, Unit) {
        let Protocol { video, input, crop, model, train, test } = &row.protocol;
        let train = self.store.unit(
            "train",
            &TrainUnit {
                version: env!("CARGO_PKG_VERSION"),
                dataset: &self.plan.dataset.name,
                fingerprint: &self.fingerprints[split],
                video,
                input: *input,
                crop: *crop,
                model,
                train,
                seed,
            },
        );
        let test = self.store.unit("test", &TestUnit { train: &train.name, test });
        (train, test)
    }

    /// All (split, seed) of a row.
    fn runs(row: &RowPlan) -> impl Iterator<Item = (&str, u64)> {
        row.splits.iter().flat_map(|split| row.seeds.iter().map(move |&seed| (split.as_str(), seed)))
    }

    /// The state of a row as it is on disk: its record counts only while its
    /// plan is the present one and its scores are there.
    fn known(&self, row: &RowPlan) -> Result<State> {
        let path = self.record_path(row);
        if !path.exists() {
            return Ok(State::NotRun);
        }
        // An old or damaged record is no answer; it will be written anew.
        let Ok(record) = Record::read(&path) else { return Ok(State::NotRun) };
        let mut count = 0;
        for (split, seed) in Self::runs(row) {
            let (train, test) = self.units(row, split, seed);
            let Some(run) = record.runs.iter().find(|run| run.split == split && run.seed == seed) else {
                return Ok(State::NotRun);
            };
            let same = run.train_unit == train.name && run.test_unit == test.name;
            if !same || tested(&test)?.is_none() {
                return Ok(State::NotRun);
            }
            count += 1;
        }
        let whole = record.version == RECORD_VERSION && record.runs.len() == count;
        Ok(if whole { State::Done { record: Box::new(record) } } else { State::NotRun })
    }

    fn record_path(&self, row: &RowPlan) -> PathBuf {
        self.results.join(format!("{}.json", row.row.id))
    }

    /// Runs what is missing of a row. An error of the row is its state; only
    /// an interruption ends the table.
    fn run_row(&self, row: &RowPlan) -> Result<State> {
        let id = &row.row.id;
        if !self.runner.fresh {
            let known = self.known(row)?;
            if known.record().is_some() {
                return Ok(known);
            }
        }
        let state = if let Some(message) = videos::lacks(row) {
            State::Failed { message }
        } else {
            match self.record(row) {
                Ok(record) => {
                    write_json(&self.record_path(row), &record)?;
                    State::Done { record: Box::new(record) }
                }
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                // A data set that cannot be prepared fails every row alike.
                Err(e) if self.prepared.get().is_none() => return Err(e),
                Err(e) => State::Failed { message: e.to_string() },
            }
        };
        self.runner.console.line(&match &state {
            State::Done { record } => format!(
                "{id}: {:.1} % [{:.1}, {:.1}]{}, trained in {}",
                record.top1.value,
                record.top1.low,
                record.top1.high,
                row.row.reported.map_or(String::new(), |r| format!(", paper {r:.1}")),
                table::duration(record.seconds())
            ),
            State::Failed { message } => format!("{id}: failed: {message}"),
            State::NotRun => format!("{id}: not run"),
        });
        Ok(state)
    }

    fn record(&self, row: &RowPlan) -> Result<Record> {
        let mut runs = Vec::new();
        let mut outcomes = Outcomes::default();
        let mut recall = Recall::default();
        let share = 1.0 / (row.splits.len() * row.seeds.len()) as f64;
        for (split, seed) in Self::runs(row) {
            let (run, scores) = self.run_one(row, split, seed)?;
            scores.add_to(&mut outcomes, share);
            recall.add(&scores);
            runs.push(run);
        }
        let rows = BTreeMap::from([(row.row.id.clone(), outcomes)]);
        let top1 = Bootstrap::new(&rows).accuracy(&row.row.id).ok_or_else(|| {
            Error::Usage(format!("row {}: no test video was scored, so there is no accuracy", row.row.id))
        })?;
        let summary = row.protocol.model.summary().map_err(network_error("describing the network"))?;
        Ok(Record {
            version: RECORD_VERSION,
            table: self.plan.spec.name(),
            row: row.row.id.clone(),
            label: row.row.label.clone(),
            column: row.row.column.clone(),
            reported: row.row.reported,
            dataset: DatasetRecord {
                name: self.plan.dataset.name.clone(),
                data_seed: self.plan.dataset.data_seed,
                fingerprints: row
                    .splits
                    .iter()
                    .map(|split| (split.clone(), self.fingerprints[split].clone()))
                    .collect(),
            },
            profile: self.plan.profile,
            top1,
            recall: recall.percent(&self.dataset.classes),
            protocol: row.protocol.clone(),
            parameters: summary.parameters() as u64,
            multiply_adds: summary.multiply_adds(),
            runs,
            environment: self.environment.clone(),
        })
    }

    /// Trains and tests one net, or finds it done.
    fn run_one(&self, row: &RowPlan, split: &str, seed: u64) -> Result<(RunRecord, Scores)> {
        let (console, interrupt) = (self.runner.console, self.runner.interrupt);
        let (train_unit, test_unit) = self.units(row, split, seed);
        let id = &row.row.id;
        let name = match (row.splits.len(), row.seeds.len()) {
            (1, 1) => id.clone(),
            (_, 1) => format!("{id} split {split}"),
            (1, _) => format!("{id} seed {seed}"),
            _ => format!("{id} split {split} seed {seed}"),
        };

        let training = {
            let _lock = train_unit.lock(console, interrupt)?;
            if self.runner.fresh {
                train_unit.clear()?;
            }
            match train_unit.outcome::<TrainOutcome>()? {
                Some(outcome) => outcome,
                None => {
                    let videos = self.videos(row, split, Part::Train)?;
                    let job = Training {
                        name: &name,
                        protocol: &row.protocol,
                        seed,
                        videos: &videos,
                        unit: &train_unit,
                        checkpoint_every: self.runner.checkpoint_every,
                    };
                    let outcome = train(&job, console, interrupt)?;
                    train_unit.finish(&outcome)?;
                    outcome
                }
            }
        };

        let _lock = test_unit.lock(console, interrupt)?;
        if self.runner.fresh {
            test_unit.clear()?;
        }
        let path = test_unit.path(SCORES);
        let (outcome, scores) = match tested(&test_unit)? {
            Some(outcome) => (outcome, Scores::read(&path)?),
            None => {
                let videos = self.videos(row, split, Part::Test)?;
                let (params, network) = build(&row.protocol, seed)?;
                params
                    .load(&train_unit.path(WEIGHTS))
                    .map_err(network_error("loading the trained weights"))?;
                let begun = Instant::now();
                let test = Test {
                    name: &format!("{name} test"),
                    protocol: &row.protocol,
                    network: &*network,
                    videos: &videos,
                    classes: &self.dataset.classes,
                    split,
                    seed,
                };
                let scores = evaluate(&test, console, interrupt)?;
                scores.write(&path)?;
                let outcome = TestOutcome {
                    videos_expected: videos.len(),
                    videos_scored: scores.videos.len(),
                    seconds: (begun.elapsed().as_secs_f64() * 10.0).round() / 10.0,
                };
                test_unit.finish(&outcome)?;
                (outcome, scores)
            }
        };
        let run = RunRecord {
            split: split.to_owned(),
            seed,
            train_unit: train_unit.name,
            test_unit: test_unit.name,
            top1: scores.accuracy(),
            videos_expected: outcome.videos_expected,
            videos_scored: outcome.videos_scored,
            training,
            test_seconds: outcome.seconds,
        };
        Ok((run, scores))
    }

    /// The table as it stands.
    fn table(&self, states: &BTreeMap<String, State>) -> Result<Table> {
        let mut outcomes = BTreeMap::new();
        for row in &self.plan.rows {
            if states[&row.row.id].record().is_none() {
                continue;
            }
            let mut of_row = Outcomes::default();
            let share = 1.0 / (row.splits.len() * row.seeds.len()) as f64;
            for (split, seed) in Self::runs(row) {
                let (_, test) = self.units(row, split, seed);
                Scores::read(&test.path(SCORES))?.add_to(&mut of_row, share);
            }
            outcomes.insert(row.row.id.clone(), of_row);
        }
        let bootstrap = Bootstrap::new(&outcomes);
        let spec = &self.plan.spec;
        let file = self.plan.file.display().to_string();
        let claims = spec
            .claim
            .iter()
            .map(|claim| {
                let rule = Comparison::parse(&claim.holds)
                    .map_err(|message| Error::Spec { file: file.clone(), message })?;
                let (verdict, margin) = bootstrap.judge(&rule);
                Ok(table::Claim {
                    id: claim.id.clone(),
                    says: claim.says.clone(),
                    place: claim.place.clone(),
                    rule: claim.holds.clone(),
                    verdict,
                    margin,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Table {
            name: spec.name(),
            title: spec.title.clone(),
            source: spec.source.clone(),
            data: describe_data(self.plan),
            profile: self.plan.profile,
            columns: spec.columns.clone(),
            rows: self
                .plan
                .rows
                .iter()
                .map(|row| table::Row {
                    id: row.row.id.clone(),
                    label: row.row.label.clone(),
                    column: row.row.column.clone(),
                    reported: row.row.reported,
                    state: states[&row.row.id].clone(),
                })
                .collect(),
            quoted: spec.quoted.clone(),
            claims,
            departures: self.plan.departures.clone(),
        })
    }
}

/// The outcome of a test unit, while its scores are there too.
fn tested(unit: &Unit) -> Result<Option<TestOutcome>> {
    Ok(unit.outcome()?.filter(|_| unit.path(SCORES).exists()))
}

/// "synth (data seed 0), split 1, 1 seed".
pub(crate) fn describe_data(plan: &TablePlan) -> String {
    let seed = plan.dataset.data_seed.map_or(String::new(), |seed| format!(" (data seed {seed})"));
    let (splits, seeds) =
        plan.rows.first().map_or((&[][..], 0), |row| (row.splits.as_slice(), row.seeds.len()));
    format!(
        "{}{seed}, split{} {}, {seeds} training seed{}",
        plan.dataset.name,
        if splits.len() == 1 { "" } else { "s" },
        splits.join(", "),
        if seeds == 1 { "" } else { "s" }
    )
}

/// Correct and all test videos of each class.
#[derive(Default)]
struct Recall(BTreeMap<u32, (usize, usize)>);

impl Recall {
    fn add(&mut self, scores: &Scores) {
        for (video, &label) in scores.labels.iter().enumerate() {
            let entry = self.0.entry(label).or_default();
            entry.0 += usize::from(scores.prediction(video) == label);
            entry.1 += 1;
        }
    }

    fn percent(&self, classes: &[String]) -> BTreeMap<String, f64> {
        self.0
            .iter()
            .map(|(&class, &(correct, all))| {
                let percent = 100.0 * correct as f64 / all as f64;
                (classes[class as usize].clone(), (percent * 10.0).round() / 10.0)
            })
            .collect()
    }
}
