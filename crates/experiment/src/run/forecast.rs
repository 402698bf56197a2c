//! The expected time of the steps of a table, for the display of progress.

use std::collections::{BTreeMap, BTreeSet};

use plan::{RowPlan, cost};

use super::graph::{Does, StepId};
use super::job::Job;
use crate::error::Result;
use crate::speed;

/// Expected seconds of each step that is not done yet, and the row for which it is done first.
pub(super) struct Forecast<'p> {
    seconds: BTreeMap<StepId, f64>,
    rows: BTreeMap<StepId, (usize, &'p str)>,
    /// Rows that are not done yet.
    count: usize,
    table: String,
}

impl<'p> Forecast<'p> {
    /// Forecasts the steps of the missing rows.
    ///
    /// # Errors
    /// If a network cannot be described or the speed of this machine cannot be measured.
    pub(super) fn new(job: &Job<'p>, missing: &BTreeMap<StepId, &'p RowPlan>) -> Result<Self> {
        let (mut seconds, mut rows) = (BTreeMap::new(), BTreeMap::new());
        let mut known = BTreeSet::new();
        let table = job.plan.spec.name();
        let count = missing.len();
        if missing.is_empty() {
            return Ok(Self { seconds, rows, count, table });
        }
        let speed = speed::of_this_machine()?;
        for (number, (&record, row)) in missing.iter().enumerate() {
            for id in job.graph.needed([record]) {
                if !known.insert(id) {
                    continue;
                }
                rows.insert(id, (number + 1, row.row.id.as_str()));
                // What cannot be read is the step's to report.
                if !job.runner.fresh && job.is_done(id).unwrap_or(false) {
                    continue;
                }
                let cost = match &job.graph.step(id).does {
                    Does::Train { net, .. } => cost::training(net)?,
                    Does::Test { protocol, repeat, .. } => {
                        cost::testing_on(job.plan, protocol, repeat.split, repeat.fold.map(|(_, of)| of))?
                    }
                    Does::Given { .. } | Does::Fuse { .. } | Does::Record { .. } => continue,
                };
                seconds.insert(id, cost.seconds(&speed));
            }
        }
        Ok(Self { seconds, rows, count, table })
    }

    /// Expected seconds of all steps.
    pub(super) fn total(&self) -> f64 {
        self.seconds.values().sum()
    }

    /// Expected seconds of a step; `None` if it is done or takes no time.
    pub(super) fn of(&self, step: StepId) -> Option<f64> {
        self.seconds.get(&step).copied()
    }

    /// "two-stream/table1b, row 3 of 9: stack-10-on".
    pub(super) fn title(&self, step: StepId) -> String {
        match self.rows.get(&step) {
            Some((number, row)) if self.count > 1 => {
                format!("{}, row {number} of {}: {row}", self.table, self.count)
            }
            Some((_, row)) => format!("{}: {row}", self.table),
            None => self.table.clone(),
        }
    }
}
