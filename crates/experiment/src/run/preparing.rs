//! `prepare`: prepares the videos of a data set ahead of any run.

use super::library::{Library, wants_backward};
use super::runner::Runner;
use crate::error::{Error, Result};
use plan::spec::Cast;
use plan::{NetPlan, Remembered, Request, Sources as _, TablePlan};

impl Runner<'_> {
    /// Decodes (or renders) all videos of one data set that a table needs and computes their
    /// flow, in both directions if a row needs both. Returns a summary.
    /// Missing or bad videos do not stop the others.
    ///
    /// # Errors
    /// As [`Runner::run`], except for training; [`Error::Prepare`] at the end if a
    /// video is missing or bad; [`Error::Usage`] if the table does not use the data set.
    pub fn prepare(&self, table: Option<&str>, dataset: &str) -> Result<String> {
        let plan = self.plan_with(table, dataset)?;
        let library = Library::open(self, &plan, Some(dataset))?;
        let said = library.prepare_all(dataset).map_err(|error| match error {
            Error::Videos(report) => Error::Prepare(report),
            error => error,
        })?;
        Ok(format!("{said}, in {}", self.workspace.cache.join("videos").display()))
    }

    /// Resolves the plan of a table. If none is named, takes the table that needs most from the data set: flow in both
    /// directions before flow in one before frames only; the first of several.
    pub(super) fn plan_with(&self, table: Option<&str>, dataset: &str) -> Result<TablePlan> {
        // An unknown name is an error that lists the known ones.
        self.workspace.dataset_spec(dataset)?;
        let tables = match table {
            Some(table) => vec![table.to_owned()],
            None => self.workspace.tables()?,
        };
        // Tables share the data set, whose folder is searched to describe it.
        let sources = Remembered::new(self.workspace);
        let mut best: Option<(Wanted, TablePlan)> = None;
        // Tables that name the data set, then those that can run on it in place of their main one.
        for named in [true, false] {
            for table in &tables {
                let (spec, file) = sources.spec(table)?;
                let plays = |(_, cast): &(&String, &Cast)| cast.values().any(|p| p.set() == Some(dataset));
                let cast = spec.data.iter().find(plays).map(|(name, _)| name.clone());
                if cast.is_some() != named {
                    continue;
                }
                let as_whom = cast.unwrap_or_else(|| dataset.to_owned());
                let request = Request { dataset: Some(as_whom), ..self.request.clone() };
                let plan = TablePlan::resolve(spec, file, &request, &sources)?;
                let uses = |net: &&NetPlan| net.data.iter().any(|data| data.set == dataset);
                let wanted = plan.stages().filter(uses).map(Wanted::by).max();
                if wanted > best.as_ref().map(|(wanted, _)| *wanted) {
                    best = wanted.map(|wanted| (wanted, plan));
                }
            }
            if best.is_some() {
                break;
            }
        }
        best.map(|(_, plan)| plan).ok_or_else(|| {
            Error::Usage(format!("the data set `{dataset}` is not used in {}", tables.join(", ")))
        })
    }
}

/// The parts of a prepared video that a net needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Wanted {
    Frames,
    Flow,
    BothDirections,
}

impl Wanted {
    fn by(net: &NetPlan) -> Self {
        match net.video.flow {
            None => Self::Frames,
            Some(_) if wants_backward(net) => Self::BothDirections,
            Some(_) => Self::Flow,
        }
    }
}
