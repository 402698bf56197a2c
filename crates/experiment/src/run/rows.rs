//! The rows of a table: their records, and the table at its present state.

use std::collections::BTreeMap;
use std::path::PathBuf;

use plan::{RowPlan, TablePlan, Work};

use super::graph::{Does, StepId};
use super::job::Job;
use super::library::Library;
use super::repeat::Repeat;
use super::runner::Runner;
use super::steps::{finished, trained};
use crate::answers::{RowAnswers, TestAnswers};
use crate::error::{Error, Result};
use crate::judged::{claims, estimate};
use crate::record::{DatasetRecord, Measure, RECORD_VERSION, Record, RunRecord, StageRecord};
use crate::scores::SCORES;
use crate::statistics::Estimate;
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
        let values = answers.tests()?;
        if values.len() != scores.len() {
            return Err(Error::Usage(format!(
                "row {}: expected answers of {} tests, found {}; a split has no test video",
                row.row.id,
                scores.len(),
                values.len()
            )));
        }
        let target = row.work.target().unwrap_or_default();
        let mut runs = Vec::with_capacity(scores.len());
        let mut blocks = BTreeMap::new();
        for (((repeat, step), test), TestAnswers { value, right, pairs }) in
            scores.iter().zip(tests).zip(values)
        {
            if let (Some(protocol), Some(_)) = (row.work.protocols().first(), &right) {
                blocks.insert(repeat.split.to_owned(), self.library.blocks(protocol, repeat)?);
            }
            runs.push(RunRecord {
                split: repeat.split.to_owned(),
                seed: repeat.seed,
                stages: self.stages(*step)?,
                test_unit: self.graph.unit(*step).name.clone(),
                top1: value,
                right,
                pairs: pairs.map(|pairs| self.library.numbered(target, pairs)).transpose()?,
                test,
            });
        }
        let (mut parameters, mut multiply_adds) = (0, 0);
        for protocol in row.work.protocols() {
            let summary = protocol.net.model.summary().map_err(Error::network("describing the network"))?;
            parameters += summary.parameters() as u64;
            multiply_adds += summary.multiply_adds();
        }
        let classes = row.work.target().map_or(Ok(&[][..]), |set| self.library.classes(set))?;
        let predictions = answers.classes();
        let top5 = predictions.filter(|_| classes.len() > 5).map(|of| of.top5()).transpose()?;
        let mut record = Record {
            version: RECORD_VERSION,
            table: self.plan.spec.name(),
            row: row.row.id.clone(),
            label: row.row.label.clone(),
            column: row.row.column.clone(),
            reported: row.row.reported,
            data: self.library.records(row)?,
            profile: self.plan.profile,
            measure: if row.work.tested_by().is_pairs() { Measure::PairArea } else { Measure::Top1 },
            top1: Estimate { value: 0.0, low: 0.0, high: 0.0 },
            top5,
            blocks,
            recall: predictions.map_or_else(|| Ok(BTreeMap::new()), |of| of.recall(classes))?,
            confusion: predictions.map_or_else(|| Ok(BTreeMap::new()), |of| of.confusion(classes))?,
            work: row.work.clone(),
            parameters,
            multiply_adds,
            runs,
            environment: self.environment.clone(),
        };
        estimate(&mut record);
        if record.videos().1 == 0 {
            return Err(Error::Usage(format!(
                "row {}: no accuracy, because no test video was scored",
                row.row.id
            )));
        }
        Ok(record)
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
        let spec = &self.plan.spec;
        let records = states.iter().filter_map(|(row, state)| Some((row.as_str(), state.record()?)));
        let claims = claims(spec, &self.plan.file.display().to_string(), records)?;
        let row = |row: &RowPlan| table::Row::of(&row.row, states[&row.row.id].clone());
        let rows = self.plan.rows.iter().map(row).collect();
        let mut table = Table::new(spec, rows, claims, self.plan.profile, String::new());
        table.is_of(self.plan);
        Ok(table)
    }
}

impl Runner<'_> {
    /// Adds the blocks of their test videos to records of versions before 0.17.
    ///
    /// # Errors
    /// Data sets that cannot be opened; [`Error::Usage`] if their videos are others than those of a record.
    pub(crate) fn add_blocks(&self, plan: &TablePlan, records: &mut [Record]) -> Result<()> {
        let library = Library::open(self, plan, None)?;
        for record in records {
            let row = plan.rows.iter().find(|row| row.row.id == record.row);
            let Some((row, protocol)) = row.and_then(|row| Some((row, row.work.protocols().first()?))) else {
                continue;
            };
            let now = library.records(row)?;
            let fingerprints = |of: &[DatasetRecord]| of.first().map(|data| data.fingerprints.clone());
            if fingerprints(&now) != fingerprints(&record.data) {
                return Err(Error::Usage(format!(
                    "the test videos of {} have changed since it was recorded; run it again",
                    record.row
                )));
            }
            for run in record.runs.iter().filter(|run| run.right.is_some()) {
                let repeat = Repeat { split: &run.split, seed: run.seed, fold: None };
                record.blocks.insert(run.split.clone(), library.blocks(protocol, &repeat)?);
            }
            record.check().map_err(|problem| Error::Usage(format!("{}: {problem}", record.row)))?;
        }
        Ok(())
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
