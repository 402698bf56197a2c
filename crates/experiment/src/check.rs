//! `check`: whether the tables still give the numbers that are committed.
//!
//! Tables are run again, from their first training step to their last test, beside the cache's own units, so that nothing
//! that an earlier program has trained stands in for what this one does. Prepared videos are taken from the cache. An
//! interrupted check goes on where it was, as long as the program is the same one.

mod baseline;
mod judge;
mod print;
mod request;
mod update;

use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::Serialize;

use self::baseline::Baseline;
use self::judge::{Answered, judge};
pub use self::judge::{By, RowCheck, Verdict};
pub use self::request::CheckRequest;
use crate::record::Record;
use crate::run::{DataRoots, Runner};
use crate::scores::{SCORES, Scores};
use crate::table::State;
use crate::{Console, Error, Interrupt, Result, store};
use plan::Workspace;

/// What a check needs beside that.
pub struct Checker<'a> {
    /// Where networks are computed.
    pub device: &'a Device,
    /// Where the baselines and the cache lie.
    pub workspace: &'a Workspace,
    /// The folders of real videos.
    pub data_roots: DataRoots,
    /// Where progress goes.
    pub console: &'a Console,
    /// The way to stop.
    pub interrupt: &'a Interrupt,
}

/// The tables that were checked.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Each table's run.
    pub tables: Vec<TableCheck>,
    /// Where the new records lie.
    #[serde(skip)]
    scratch: PathBuf,
}

/// A run of a table beside its baseline.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct TableCheck {
    /// The table's full name.
    pub table: String,
    /// The run's name.
    pub run: String,
    /// The rows, in the table's order.
    pub rows: Vec<RowCheck>,
    /// The programs and processors that the baseline is from.
    pub baseline_of: Vec<String>,
}

impl Checked {
    fn rows(&self) -> impl Iterator<Item = &RowCheck> {
        self.tables.iter().flat_map(|table| &table.rows)
    }

    /// Whether a number moved beyond its noise, or a row could not be run.
    pub fn has_moved(&self) -> bool {
        self.rows().any(|row| matches!(row.verdict, Verdict::Moved | Verdict::Failed))
    }
}

impl Checker<'_> {
    /// Runs tables again and compares them with their committed records.
    ///
    /// # Errors
    /// [`Error::Usage`] where there is nothing to compare with; what running a table can fail with as a whole.
    pub fn check(&self, request: &CheckRequest) -> Result<Checked> {
        let baselines = baseline::find(self.workspace, request)?;
        let place = self.workspace.cache.join("check");
        let _lock = store::lock(&place.join("lock"), "check", self.console, self.interrupt)?;
        // Another program must not go on with what this one has left.
        let scratch = place.join(&store::program()?.1.to_hex()[..16]);
        keep_only(&place, &scratch)?;
        let workspace = Workspace {
            results: scratch.join("results"),
            committed: None,
            units: Some(scratch.join("units")),
            ..self.workspace.clone()
        };
        let mut tables = Vec::with_capacity(baselines.len());
        let rows: usize = baselines.iter().map(|baseline| baseline.rows(request)).sum();
        for baseline in &baselines {
            self.console.line(&format!("checking {}, {}", baseline.table, baseline.run));
            let question = crate::Request { rows: request.rows.clone(), ..baseline.run.request() };
            let runner = Runner {
                data_roots: self.data_roots.clone(),
                device: self.device,
                ..Runner::new(&workspace, &question, self.console, self.interrupt)
            };
            let table = runner.run(&baseline.table)?;
            let mut checked = Vec::new();
            for row in &table.rows {
                let asked = request.rows.is_empty() || request.rows.contains(&row.id);
                if asked {
                    checked.extend(self.row(baseline, &workspace, &row.id, &row.state, rows)?);
                }
            }
            checked.extend(baseline.gone(request).map(|row| {
                let reason = format!(
                    "the table has no such row any more; delete {} if it is not to come back",
                    baseline.folder.join(format!("{row}.json")).display()
                );
                RowCheck::alone(row, Verdict::Failed, reason)
            }));
            tables.push(TableCheck {
                table: baseline.table.clone(),
                run: baseline.run.to_string(),
                rows: checked,
                baseline_of: baseline.origins(),
            });
        }
        let checked = Checked { tables, scratch };
        if !checked.has_moved() && !checked.differs() {
            checked.forget()?;
        }
        Ok(checked)
    }

    /// A row beside its baseline; nothing where neither can be had.
    fn row(
        &self,
        baseline: &Baseline,
        workspace: &Workspace,
        row: &str,
        state: &State,
        rows: usize,
    ) -> Result<Option<RowCheck>> {
        if let Some(how) = baseline.damaged.get(row) {
            return Ok(Some(RowCheck::alone(
                row,
                Verdict::Failed,
                format!("what is committed for it: {how}"),
            )));
        }
        let before = baseline.records.get(row);
        Ok(match (before, state) {
            (Some(before), State::Done { record }) => {
                let answers = self.answers(before, record, workspace)?;
                Some(judge(before, record, &answers, rows)?)
            }
            (None, State::Done { record }) => Some(RowCheck {
                now: Some(record.top1),
                ..RowCheck::alone(row, Verdict::NoBaseline, "nothing is committed for it".into())
            }),
            (_, State::Failed { message }) => Some(RowCheck::alone(row, Verdict::Failed, message.clone())),
            (Some(_), State::Unavailable { reason }) => {
                Some(RowCheck::alone(row, Verdict::Failed, format!("it is committed, but {reason}")))
            }
            (Some(_), State::NotRun) => {
                Some(RowCheck::alone(row, Verdict::Failed, "it is committed and was not run".into()))
            }
            (None, State::Unavailable { .. } | State::NotRun) => None,
        })
    }

    /// The answers of each run of a row, those of the baseline from its record, or from its scores where the cache has them.
    fn answers(&self, before: &Record, now: &Record, workspace: &Workspace) -> Result<Vec<Answered>> {
        let by_class = !now.work.tested_by().is_pairs();
        let runs = before.runs.iter().zip(&now.runs);
        runs.map(|(was, is)| {
            let known = || {
                let unit = store::recorded_unit(&self.workspace.units(), &was.test_unit)?;
                Scores::read(&unit.verified(SCORES).ok()?).ok().map(|scores| scores.right())
            };
            let before = was.right.clone().or_else(|| if by_class { known() } else { None });
            let unit = store::recorded_unit(&workspace.units(), &is.test_unit);
            let now = match unit.filter(|_| by_class) {
                Some(unit) => Some(Scores::read(&unit.verified(SCORES)?)?),
                None => None,
            };
            Ok(Answered { before, now })
        })
        .collect()
    }
}

/// Deletes what checks of other programs have left.
fn keep_only(place: &Path, kept: &Path) -> Result<()> {
    for path in base::files::list(place)? {
        if path.is_dir() && path != kept {
            std::fs::remove_dir_all(&path).map_err(Error::io("delete", &path))?;
        }
    }
    Ok(())
}
