//! The main job: a table's rows, trained, tested, recorded and printed.

mod census;
mod confusion;
mod fusion;
mod given;
pub(crate) mod library;
mod looking;
mod nets;
mod pictures;
mod preparing;
mod ranks;
mod units;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use candle_core::Device;
use nn::Ranks;

pub use self::census::Census;
use self::confusion::Confusion;
use self::given::Given;
use self::library::Library;
use self::nets::{Tested, finished};
pub use self::units::{Cut, Of, Planned, Task, UnderWay};
use crate::answers::Answers;
use crate::claim::{Bootstrap, Outcomes};
use crate::console::Console;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::list;
use crate::record::{Environment, Measure, RECORD_VERSION, Record, RunRecord};
use crate::scores::SCORES;
use crate::store::{Store, Unit, write_atomic, write_json};
use crate::table::{self, State, Table};
use crate::train::network_error;
use crate::trained::Trained;
use base::text;
use plan::Workspace;
use plan::rule::Comparison;
use plan::{Request, RowPlan, TablePlan, Work};

/// What `run` needs beside the table's name.
pub struct Runner<'a> {
    /// Where things lie.
    pub workspace: &'a Workspace,
    /// What is asked of the table.
    pub request: &'a Request,
    /// The folders of real videos.
    pub data_roots: DataRoots,
    /// Whether finished units are done again, once each.
    pub fresh: bool,
    /// Where networks are computed, and TV-L1 flow.
    pub device: &'a Device,
    /// Time between checkpoints, see [`crate::train::Training::checkpoint_every`].
    pub checkpoint_every: Duration,
    /// Where progress goes.
    pub console: &'a Console,
    /// The way to stop.
    pub interrupt: &'a Interrupt,
    /// An exported row, whose nets are not trained but taken as they are.
    pub given: Option<&'a Trained>,
    /// The processes that train nets together with this one.
    pub ranks: Ranks,
    /// Counts the nets of all tables.
    pub census: Census,
    /// Whether cache files are taken as they are, up to their headers: where another process has just prepared them. What is
    /// damaged in them is an error when it is read.
    pub trust_cache: bool,
    /// Where nothing is trained, tested or fused here, and rows stand on what is done: says why a unit is not.
    pub absent: Option<&'a dyn Fn(&str) -> String>,
}

/// The folders of real videos.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataRoots {
    /// Of the data set that the table is run on.
    pub main: Option<PathBuf>,
    /// Of data sets by name.
    pub named: BTreeMap<String, PathBuf>,
}

impl DataRoots {
    /// The folder of a data set; `main` is the one that the table is run on.
    fn of(&self, set: &str, main: &str) -> Option<PathBuf> {
        self.named.get(set).or(self.main.as_ref().filter(|_| set == main)).cloned()
    }
}

/// One training and test of a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Run<'a> {
    /// The split of the data set that is tested on.
    split: &'a str,
    /// The training seed.
    seed: u64,
    /// The part of the training videos that is left out and tested on instead, and of how many parts.
    fold: Option<(usize, usize)>,
}

impl Runner<'_> {
    /// Runs a table and gives it back, judged; records and `table.md` are
    /// written as rows finish. Rows that fail are in the table as such.
    ///
    /// # Errors
    /// Anything that concerns the whole table: a spec, flag or data set that
    /// cannot be used, folders that cannot be written, an interruption.
    pub fn run(&self, name: &str) -> Result<Table> {
        // A misspelt name would be a folder that nothing reads.
        for set in self.data_roots.named.keys() {
            self.workspace.dataset_file(set)?;
        }
        let plan = self.plan(name, self.request)?;
        let job = Job::open(self, &plan, None)?;
        job.set_precision()?;
        probe_writable(&job.results)?;
        job.count()?;
        let mut states = BTreeMap::new();
        for row in &plan.rows {
            let state = if row.wanted { job.run_row(row)? } else { job.known(row)? };
            states.insert(row.row.id.clone(), state);
        }
        let table = job.table(&states)?;
        write_atomic(&job.results.join("table.md"), table.markdown().as_bytes())?;
        write_json(&job.results.join(list::VERDICTS), &table.claims)?;
        Ok(table)
    }
}

impl Runner<'_> {
    /// The plan of a table.
    fn plan(&self, table: &str, request: &Request) -> Result<TablePlan> {
        let (spec, file) = self.workspace.spec(table)?;
        Ok(TablePlan::resolve(spec, file, request, self.workspace)?)
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

/// A table being run on opened data sets.
struct Job<'a> {
    runner: &'a Runner<'a>,
    plan: &'a TablePlan,
    library: Library<'a>,
    store: Store,
    given: Vec<Given>,
    results: PathBuf,
    environment: Environment,
}

impl<'a> Job<'a> {
    /// Opens the data sets of the wanted rows, or `only` one to be prepared.
    fn open(runner: &'a Runner<'a>, plan: &'a TablePlan, only: Option<&str>) -> Result<Self> {
        let workspace = runner.workspace;
        let store = Store::new(workspace.units());
        Ok(Self {
            runner,
            plan,
            given: Given::all(runner, plan, &store)?,
            library: Library::open(runner, plan, only)?,
            store,
            results: workspace.results.join(&plan.results),
            environment: Environment::here(&workspace.root, runner.device),
        })
    }

    /// Products are computed from now on as was asked for.
    fn set_precision(&self) -> Result<()> {
        let precision = self.runner.request.precision;
        precision
            .set(self.runner.device)
            .map_err(|e| Error::Usage(format!("the precision that was asked for: {e}")))
    }

    /// All (split, seed) of a row.
    fn runs(row: &RowPlan) -> impl Iterator<Item = Run<'_>> {
        row.splits.iter().flat_map(|split| row.seeds.iter().map(move |&seed| Run { split, seed, fold: None }))
    }

    /// Tells the census which nets the wanted rows ask for.
    fn count(&self) -> Result<()> {
        let runs = |row: &&RowPlan| row.work.target().is_some() && library::lacks(row).is_none();
        for row in self.plan.wanted().filter(runs) {
            self.runner.census.row();
            for run in Self::runs(row) {
                let folds = match &row.work {
                    Work::Fusion(fusion) => fusion::fold_runs(fusion, &run).collect(),
                    _ => Vec::new(),
                };
                for run in std::iter::once(run).chain(folds) {
                    for protocol in row.work.protocols() {
                        self.runner.census.ask(&self.train_units(&protocol.net, &run)?);
                    }
                }
            }
        }
        Ok(())
    }

    /// The unit that holds the scores of one run of a row.
    fn scores_unit(&self, row: &RowPlan, run: &Run<'_>) -> Result<Option<Unit>> {
        match &row.work {
            Work::Net(protocol) => self.test_unit(protocol, run).map(Some),
            Work::Fusion(fusion) => self.fuse_unit(fusion, run).map(Some),
            Work::Unavailable { .. } => Ok(None),
        }
    }

    /// The state of a row as it is on disk: its record counts only while its
    /// plan is the present one and its scores are there.
    fn known(&self, row: &RowPlan) -> Result<State> {
        if let Work::Unavailable { reason } = &row.work {
            return Ok(State::Unavailable { reason: reason.clone() });
        }
        let path = self.record_path(row);
        if !path.exists() || !self.library.has(&row.work) {
            return Ok(State::NotRun);
        }
        // An old or damaged record is no answer; it will be written anew.
        let Ok(record) = Record::read(&path) else { return Ok(State::NotRun) };
        let mut count = 0;
        for run in Self::runs(row) {
            let recorded = record.runs.iter().find(|r| (r.split.as_str(), r.seed) == (run.split, run.seed));
            let (Some(recorded), Some(unit)) = (recorded, self.scores_unit(row, &run)?) else {
                return Ok(State::NotRun);
            };
            if recorded.test_unit != unit.name || finished(&unit)?.is_none() {
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
        if let Work::Unavailable { reason } = &row.work {
            return Ok(State::Unavailable { reason: reason.clone() });
        }
        // What is to be done again need not be readable.
        if !self.runner.fresh {
            let known = self.known(row)?;
            if known.record().is_some() {
                return Ok(known);
            }
        }
        let state = if let Some(message) = library::lacks(row) {
            State::Failed { message }
        } else {
            match self.record(row) {
                Ok(record) => {
                    write_json(&self.record_path(row), &record)?;
                    State::Done { record: Box::new(record) }
                }
                Err(Error::Interrupted) => return Err(Error::Interrupted),
                // Videos that cannot be prepared end the table if every row needs them.
                Err(e) if self.plan.wanted().all(|row| self.library.is_broken(&row.work)) => return Err(e),
                Err(e) => State::Failed { message: e.to_string() },
            }
        };
        self.runner.console.line(&match &state {
            State::Done { record } => format!(
                "{id}: {:.1} % [{:.1}, {:.1}]{}{}",
                record.top1.value,
                record.top1.low,
                record.top1.high,
                row.row.reported.map_or(String::new(), |r| format!(", paper {}", text::reported(r))),
                record.seconds().map_or(String::new(), |s| format!(", trained in {}", text::duration(s)))
            ),
            State::Unavailable { reason } => format!("{id}: not available: {reason}"),
            State::Failed { message } => format!("{id}: failed: {message}"),
            State::NotRun => format!("{id}: not run"),
        });
        Ok(state)
    }

    fn record(&self, row: &RowPlan) -> Result<Record> {
        let mut runs = Vec::new();
        let mut outcomes = Outcomes::default();
        let mut confusion = Confusion::default();
        let share = 1.0 / (row.splits.len() * row.seeds.len()) as f64;
        for run in Self::runs(row) {
            let name = run_name(row, &run);
            let Tested { stages, unit, outcome, answers } = match &row.work {
                Work::Net(protocol) => self.tested(&name, protocol, &run)?,
                Work::Fusion(fusion) => self.fused(&name, fusion, &run)?,
                Work::Unavailable { reason } => return Err(Error::Usage(reason.clone())),
            };
            answers.add_to(&mut outcomes, share);
            let right = match &answers {
                Answers::Classes(scores) => {
                    confusion.add(scores);
                    Some(scores.right())
                }
                Answers::Pairs(_) => None,
            };
            runs.push(RunRecord {
                split: run.split.to_owned(),
                seed: run.seed,
                stages,
                test_unit: unit.name,
                top1: answers.value(),
                right,
                test: outcome,
            });
        }
        let rows = BTreeMap::from([(row.row.id.clone(), outcomes)]);
        let top1 = Bootstrap::new(&rows).accuracy(&row.row.id).ok_or_else(|| {
            Error::Usage(format!("row {}: no test video was scored, so there is no accuracy", row.row.id))
        })?;
        let (mut parameters, mut multiply_adds) = (0, 0);
        for protocol in row.work.protocols() {
            let summary = protocol.net.model.summary().map_err(network_error("describing the network"))?;
            parameters += summary.parameters() as u64;
            multiply_adds += summary.multiply_adds();
        }
        let classes = row.work.target().map_or(Ok(&[][..]), |set| self.library.classes(set))?;
        Ok(Record {
            version: RECORD_VERSION,
            table: self.plan.spec.name(),
            row: row.row.id.clone(),
            label: row.row.label.clone(),
            column: row.row.column.clone(),
            reported: row.row.reported,
            data: self.library.records(row)?,
            profile: self.plan.profile,
            measure: if row.work.tested_by().is_pairs() { Measure::PairArea } else { Measure::Top1 },
            top1,
            recall: confusion.recall(classes),
            confusion: confusion.named(classes),
            work: row.work.clone(),
            parameters,
            multiply_adds,
            runs,
            environment: self.environment.clone(),
        })
    }

    /// The table as it stands.
    fn table(&self, states: &BTreeMap<String, State>) -> Result<Table> {
        // By the data set that is tested on.
        let mut sets: BTreeMap<&str, BTreeMap<String, Outcomes>> = BTreeMap::new();
        for row in &self.plan.rows {
            let Some(set) = row.work.target().filter(|_| states[&row.row.id].record().is_some()) else {
                continue;
            };
            let mut of_row = Outcomes::default();
            let share = 1.0 / (row.splits.len() * row.seeds.len()) as f64;
            for run in Self::runs(row) {
                if let Some(unit) = self.scores_unit(row, &run)? {
                    Answers::read(&unit.path(SCORES), row.work.tested_by())?.add_to(&mut of_row, share);
                }
            }
            sets.entry(set).or_default().insert(row.row.id.clone(), of_row);
        }
        let bootstrap = Bootstrap::of_sets(sets.values());
        let spec = &self.plan.spec;
        let file = self.plan.file.display().to_string();
        let claims = spec
            .claim
            .iter()
            .map(|claim| {
                let rule = Comparison::parse(&claim.holds)
                    .map_err(|message| plan::Error::Spec { file: file.clone(), message })?;
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
            data: self.plan.data_words(),
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
                    place: row.row.place.clone(),
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

/// The name of one run of a row, for people.
fn run_name(row: &RowPlan, run: &Run<'_>) -> String {
    let mut name = row.row.id.clone();
    if row.splits.len() > 1 {
        name.push_str(&format!(" split {}", run.split));
    }
    if row.seeds.len() > 1 {
        name.push_str(&format!(" seed {}", run.seed));
    }
    name
}
