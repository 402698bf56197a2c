//! Runs a table on this machine: its steps, one after the other.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base::text;
use plan::RowPlan;

use super::forecast::Forecast;
use super::graph::{Does, StepId};
use super::job::Job;
use super::library::lacks;
use super::rows::without_steps;
use super::runner::Runner;
use crate::record::Record;
use crate::run_folder::VERDICTS;
use crate::store::{write_atomic, write_json};
use crate::table::{State, Table};
use crate::{Error, Result};

impl Runner<'_> {
    /// Runs a table and returns it with its claims judged. Records are written
    /// as rows finish, `table.md` at the end. Failed rows are marked in the table.
    ///
    /// # Errors
    /// Any error of the whole table: an unusable spec, flag or data set,
    /// folders that cannot be written, an interrupt.
    pub fn run(&self, name: &str) -> Result<Table> {
        // The folder of a misspelt data set would never be read.
        for set in self.data_roots.named.keys() {
            self.workspace.dataset_spec(set)?;
        }
        let plan = self.plan(name, self.request)?;
        let job = Job::open(self, &plan)?;
        job.set_precision()?;
        for alike in plan.rows_alike() {
            let (names, profile) = (alike.join(", "), plan.profile);
            self.console.line(&format!(
                "at {profile} these rows are one and the same, and get the same numbers: {names}"
            ));
        }
        probe_writable(&job.results)?;
        self.workspace.remember()?;
        let states = job.walk()?;
        let table = job.table(&states)?;
        write_atomic(&job.results.join("table.md"), table.markdown().as_bytes())?;
        write_json(&job.results.join(VERDICTS), &table.claims)?;
        Ok(table)
    }
}

/// Checks that a folder can be written, before hours of training.
fn probe_writable(folder: &Path) -> Result<()> {
    let probe = folder.join(".writable");
    write_atomic(&probe, b"")?;
    match std::fs::remove_file(&probe) {
        // Another run of this table has deleted the same probe.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        removed => removed.map_err(Error::io("delete", &probe)),
    }
}

impl Job<'_> {
    /// Does the missing steps of the wanted rows and returns the state of each row. A failed step fails all rows that need it;
    /// the others continue. Only an interrupt, a full disk or data that every row needs end the table.
    fn walk(&self) -> Result<BTreeMap<String, State>> {
        let own = self.plan.has_own_data();
        let mut states = BTreeMap::new();
        let mut missing: BTreeMap<StepId, &RowPlan> = BTreeMap::new();
        for row in &self.plan.rows {
            let state = match self.graph.record(row) {
                None => without_steps(row, lacks(row)),
                Some(record) => {
                    // A row that is run again does not need a readable record.
                    let again = row.wanted && self.runner.fresh;
                    match if again { None } else { self.known(row)? } {
                        Some(record) => {
                            let file = self.record_path(row);
                            tracing::info!(row = row.row.id, file = %file.display(), "the record is current");
                            State::Done { record: Box::new(record) }
                        }
                        None => {
                            if row.wanted {
                                missing.insert(record, row);
                            }
                            State::NotRun
                        }
                    }
                }
            };
            if let State::Failed { .. } = state {
                self.runner.console.error(&line(row, &state, own));
            }
            states.insert(row.row.id.clone(), state);
        }
        self.runner.census.ask(self.graph.nets(self.plan));

        let needed = self.graph.needed(missing.keys().copied());
        let forecast = Forecast::new(self, &missing)?;
        self.runner.console.expect(forecast.total());
        let mut nets = Nets::among(self, &needed);
        let mut failed: BTreeMap<StepId, String> = BTreeMap::new();
        for &id in &needed {
            let step = self.graph.step(id);
            let before = step.after().iter().find_map(|first| failed.get(first)).cloned();
            let done = match before {
                Some(message) => Err(message),
                None => match self.shown_step(id, &nets.name(id, &step.title), &forecast) {
                    Ok(()) => Ok(()),
                    Err(Error::Interrupted) => return Err(Error::Interrupted),
                    // Every other row would fail too.
                    Err(e) if e.is_of_the_disk() => return Err(e),
                    // Videos that cannot be prepared end the table if every row needs them.
                    Err(e) if self.plan.wanted().all(|row| self.library.is_broken(&row.work)) => {
                        return Err(e);
                    }
                    Err(e) => Err(e.to_string()),
                },
            };
            if let Some(row) = missing.get(&id) {
                let state = match &done {
                    Ok(()) => State::Done { record: Box::new(Record::read(&self.record_path(row))?) },
                    Err(message) => State::Failed { message: message.clone() },
                };
                match state {
                    State::Failed { .. } => self.runner.console.error(&line(row, &state, own)),
                    _ => self.runner.console.line(&line(row, &state, own)),
                }
                states.insert(row.row.id.clone(), state);
            }
            if let Err(message) = done {
                failed.insert(id, message);
            }
        }
        Ok(states)
    }
}

impl Job<'_> {
    /// Does a step as a part of the whole command's work.
    fn shown_step(&self, id: StepId, name: &str, forecast: &Forecast<'_>) -> Result<()> {
        let title = forecast.title(id);
        let _part = forecast.of(id).map(|seconds| self.runner.console.part(&title, seconds));
        self.do_step(id, name)
    }
}

/// Counts the nets that this walk trains.
struct Nets {
    all: Vec<StepId>,
    begun: usize,
}

impl Nets {
    fn among(job: &Job<'_>, needed: &BTreeSet<StepId>) -> Self {
        let trained_now = |id: &StepId| {
            matches!(job.graph.step(*id).does, Does::Train { .. })
                // The step itself reports a unit that cannot be read.
                && (job.runner.fresh || !job.is_done(*id).unwrap_or(false))
        };
        Self { all: needed.iter().copied().filter(trained_now).collect(), begun: 0 }
    }

    /// Returns the name of a step while it runs: "stack-10-on, net 2 of 9".
    fn name(&mut self, id: StepId, title: &str) -> String {
        let (begun, all) = (self.begun, self.all.len());
        if all < 2 || self.all.get(begun) != Some(&id) {
            return title.to_owned();
        }
        self.begun += 1;
        format!("{title}, net {} of {all}", begun + 1)
    }
}

/// Formats the result of a row as one line.
fn line(row: &RowPlan, state: &State, own_data: bool) -> String {
    let id = &row.row.id;
    match state {
        State::Done { record } => format!(
            "{id}: {} % [{}, {}]{}{}",
            text::points(record.top1.value),
            text::points(record.top1.low),
            text::points(record.top1.high),
            row.row
                .reported
                .filter(|_| !own_data)
                .map_or(String::new(), |r| format!(", paper {}", text::reported(r))),
            record.seconds().map_or(String::new(), |s| format!(", trained in {}", text::duration(s)))
        ),
        State::Unavailable { reason } => format!("{id}: not available: {reason}"),
        State::Failed { message } => format!("{id}: failed: {message}"),
        State::NotRun => format!("{id}: not run"),
    }
}
