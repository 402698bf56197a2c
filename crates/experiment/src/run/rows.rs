//! The rows of a table: their records, and the table at its present state.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plan::rule::Comparison;
use plan::{RowPlan, Work};

use super::graph::{Does, StepId};
use super::job::Job;
use super::steps::{finished, trained};
use crate::answers::RowAnswers;
use crate::claim::Bootstrap;
use crate::error::{Error, Result};
use crate::outcomes::Outcomes;
use crate::record::{Measure, RECORD_VERSION, Record, RunRecord, StageRecord};
use crate::scores::SCORES;
use crate::store::write_json;
use crate::table::{self, State, Table};

impl Job<'_> {
    /// Returns the path of a row's record.
    pub(super) fn record_path(&self, row: &RowPlan) -> PathBuf {
        self.results.join(format!("{}.json", row.row.id))
    }

    /// Reads a row's record, if it is valid: equal to what would be written now, except for the environment.
    pub(super) fn known(&self, row: &RowPlan) -> Result<Option<Record>> {
        let path = self.record_path(row);
        let scores = self.graph.scores(row);
        if scores.is_empty() || !path.exists() {
            return Ok(None);
        }
        // An old or damaged record does not count; it will be rewritten.
        let Ok(record) = Record::read(&path) else { return Ok(None) };
        for (repeat, step) in scores {
            let unit = self.graph.unit(*step);
            let recorded = record.runs.iter().find(|r| (&*r.split, r.seed) == (repeat.split, repeat.seed));
            if recorded.is_none_or(|r| r.test_unit != unit.name) || finished(unit)?.is_none() {
                return Ok(None);
            }
        }
        // The step that writes the record reports scores that cannot be read.
        let Ok(now) = self.recorded(row) else { return Ok(None) };
        Ok((Record { environment: record.environment.clone(), ..now } == record).then_some(record))
    }

    /// Writes the record of a row whose tests are done.
    pub(super) fn record(&self, row: &RowPlan) -> Result<()> {
        write_json(&self.record_path(row), &self.recorded(row)?)
    }

    /// Makes the record of a row whose tests are done.
    fn recorded(&self, row: &RowPlan) -> Result<Record> {
        let scores = self.graph.scores(row);
        let test = |(_, step): &(_, StepId)| {
            let unit = self.graph.unit(*step);
            finished(unit)?.ok_or_else(|| gone(&unit.name))
        };
        let tests = scores.iter().map(test).collect::<Result<Vec<_>>>()?;
        let answers = self.answers(row)?;
        let values = answers.values()?;
        if values.len() != scores.len() {
            return Err(Error::Usage(format!(
                "row {}: expected answers of {} tests, found {}; a split has no test video",
                row.row.id,
                scores.len(),
                values.len()
            )));
        }
        let mut runs = Vec::with_capacity(scores.len());
        for (((repeat, step), test), (top1, right)) in scores.iter().zip(tests).zip(values) {
            runs.push(RunRecord {
                split: repeat.split.to_owned(),
                seed: repeat.seed,
                stages: self.stages(*step)?,
                test_unit: self.graph.unit(*step).name.clone(),
                top1,
                right,
                test,
            });
        }
        let rows = BTreeMap::from([(row.row.id.clone(), answers.outcomes()?)]);
        let top1 = Bootstrap::new(&rows)?.accuracy(&row.row.id).ok_or_else(|| {
            Error::Usage(format!("row {}: no accuracy, because no test video was scored", row.row.id))
        })?;
        let (mut parameters, mut multiply_adds) = (0, 0);
        for protocol in row.work.protocols() {
            let summary = protocol.net.model.summary().map_err(Error::network("describing the network"))?;
            parameters += summary.parameters() as u64;
            multiply_adds += summary.multiply_adds();
        }
        let classes = row.work.target().map_or(Ok(&[][..]), |set| self.library.classes(set))?;
        let predictions = answers.classes();
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
            recall: predictions.map_or_else(|| Ok(BTreeMap::new()), |of| of.recall(classes))?,
            confusion: predictions.map_or_else(|| Ok(BTreeMap::new()), |of| of.confusion(classes))?,
            work: row.work.clone(),
            parameters,
            multiply_adds,
            runs,
            environment: self.environment.clone(),
        })
    }

    /// Reads the answers of all tests of a row.
    fn answers(&self, row: &RowPlan) -> Result<RowAnswers> {
        let file = |(_, step): &(_, StepId)| self.graph.unit(*step).verified(SCORES);
        let files = self.graph.scores(row).iter().map(file).collect::<Result<Vec<PathBuf>>>()?;
        RowAnswers::read(&files, row.work.tested_by())
    }

    /// Returns the training stages of a tested net; empty for a fusion.
    fn stages(&self, scores: StepId) -> Result<Vec<StageRecord>> {
        let Does::Test { trained: net, .. } = self.graph.step(scores).does else { return Ok(Vec::new()) };
        let stage = |step| {
            let unit = self.graph.unit(step);
            let training = trained(unit)?.ok_or_else(|| gone(&unit.name))?;
            Ok(StageRecord { unit: unit.name.clone(), training })
        };
        self.graph.stages(net).into_iter().map(stage).collect()
    }

    /// Builds the table at its present state.
    pub(super) fn table(&self, states: &BTreeMap<String, State>) -> Result<Table> {
        // Outcomes of rows, by the data set of their tests.
        let mut sets: BTreeMap<&str, BTreeMap<String, Outcomes>> = BTreeMap::new();
        for row in &self.plan.rows {
            let Some(set) = row.work.target().filter(|_| states[&row.row.id].record().is_some()) else {
                continue;
            };
            let outcomes = self.answers(row)?.outcomes()?;
            sets.entry(set).or_default().insert(row.row.id.clone(), outcomes);
        }
        let bootstrap = Bootstrap::of_sets(sets.values())?;
        let spec = &self.plan.spec;
        let file = self.plan.file.display().to_string();
        let claims = spec
            .claim
            .iter()
            .map(|claim| {
                let rule = Comparison::parse(&claim.holds)
                    .map_err(|message| plan::Error::Spec { file: file.clone(), message })?;
                let (verdict, margin) = bootstrap.judge(&rule);
                Ok(table::Claim::of(claim, verdict, margin))
            })
            .collect::<Result<Vec<_>>>()?;
        let row = |row: &RowPlan| table::Row::of(&row.row, states[&row.row.id].clone());
        let rows = self.plan.rows.iter().map(row).collect();
        let mut table = Table::new(spec, rows, claims, self.plan.profile, String::new());
        table.is_of(self.plan);
        Ok(table)
    }
}

/// Makes the error for a finished unit that no longer exists.
fn gone(unit: &str) -> Error {
    Error::Unfinished { unit: unit.to_owned(), why: "another command has just deleted it (--fresh)".into() }
}

/// Derives the state of a row without steps from its plan.
pub(super) fn without_steps(row: &RowPlan, lacks: Option<String>) -> State {
    match (&row.work, lacks) {
        (Work::Unavailable { reason }, _) => State::Unavailable { reason: reason.clone() },
        (_, Some(message)) if row.wanted => State::Failed { message },
        _ => State::NotRun,
    }
}
