//! `check`: checks that the tables still give the committed numbers.
//!
//! Tables are run again, from their first training step to their last test, in a separate folder of units, so that results
//! of an earlier program are not reused. Prepared videos are taken from the cache. An interrupted check resumes if the
//! program is the same.

mod baseline;
mod judge;
mod print;
mod request;
mod update;

use std::path::{Path, PathBuf};

use candle_core::Device;
use serde::Serialize;

use self::baseline::Baseline;
use self::judge::judge;
pub use self::judge::{By, RowCheck, Verdict};
pub use self::request::CheckRequest;
use crate::run::{DataRoots, Runner};
use crate::table::State;
use crate::{Console, Error, Interrupt, Result, store};
use plan::Workspace;

/// The settings of a check.
pub struct Checker<'a> {
    /// Device for the networks.
    pub device: &'a Device,
    /// The folders of baselines and cache.
    pub workspace: &'a Workspace,
    /// The folders of real videos.
    pub data_roots: DataRoots,
    /// Destination of progress and messages.
    pub console: &'a Console,
    /// Flag that stops the work.
    pub interrupt: &'a Interrupt,
}

/// The checked tables.
#[derive(Debug, Serialize)]
pub struct Checked {
    /// Each table's run.
    pub tables: Vec<TableCheck>,
    /// Folder of the new records and units.
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
    /// The programs and processors that made the baseline.
    pub baseline_of: Vec<String>,
}

impl Checked {
    fn rows(&self) -> impl Iterator<Item = &RowCheck> {
        self.tables.iter().flat_map(|table| &table.rows)
    }

    /// Returns `true` if a number moved beyond its noise, or a row failed.
    pub fn has_moved(&self) -> bool {
        self.rows().any(|row| matches!(row.verdict, Verdict::Moved | Verdict::Failed))
    }
}

impl Checker<'_> {
    /// Runs tables again and compares them with their committed records.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is nothing to compare with; errors of running a whole table.
    pub fn check(&self, request: &CheckRequest) -> Result<Checked> {
        let baselines = baseline::find(self.workspace, request)?;
        let place = self.workspace.cache.join("check");
        let _lock = store::lock(&place.join("lock"), "check", self.console, self.interrupt)?;
        // A different program must not continue with these units.
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
                    checked.extend(self.row(baseline, &row.id, &row.state, rows));
                }
            }
            checked.extend(baseline.gone(request).map(|row| {
                let reason = format!(
                    "the table no longer has this row; delete {} if the row was removed on purpose",
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

    /// Compares a row with its baseline; `None` if both are missing.
    fn row(&self, baseline: &Baseline, row: &str, state: &State, rows: usize) -> Option<RowCheck> {
        if let Some(how) = baseline.damaged.get(row) {
            return Some(RowCheck::alone(
                row,
                Verdict::Failed,
                format!("its committed record is unusable: {how}"),
            ));
        }
        let before = baseline.records.get(row);
        match (before, state) {
            (Some(before), State::Done { record }) => Some(judge(before, record, rows)),
            (None, State::Done { record }) => Some(RowCheck {
                now: Some(record.top1),
                ..RowCheck::alone(row, Verdict::NoBaseline, "no record is committed for it".into())
            }),
            (_, State::Failed { message }) => Some(RowCheck::alone(row, Verdict::Failed, message.clone())),
            (Some(_), State::Unavailable { reason }) => {
                Some(RowCheck::alone(row, Verdict::Failed, format!("it is committed, but {reason}")))
            }
            (Some(_), State::NotRun) => {
                Some(RowCheck::alone(row, Verdict::Failed, "it is committed but was not run".into()))
            }
            (None, State::Unavailable { .. } | State::NotRun) => None,
        }
    }
}

/// Deletes the folders of checks by other programs.
fn keep_only(place: &Path, kept: &Path) -> Result<()> {
    for path in base::files::list(place)? {
        if path.is_dir() && path != kept {
            std::fs::remove_dir_all(&path).map_err(Error::io("delete", &path))?;
        }
    }
    Ok(())
}
