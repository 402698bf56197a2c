//! `judge`: intervals and verdicts of recorded runs, computed again from their records. Nothing is trained or tested.

use serde::Serialize;

use crate::claim::Verdict;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::grid::{Grid, Screen};
use crate::interrupt::Interrupt;
use crate::judged::{claims, estimate};
use crate::record::Record;
use crate::run::{DataRoots, Runner};
use crate::run_folder::{RunFolder, VERDICTS, planned, recorded};
use crate::statistics::Estimate;
use crate::store::{write_atomic, write_json};
use crate::table::{Claim, Table};
use base::text::{NONE, counted, signed_within};
use plan::spec::Spec;
use plan::{TablePlan, Workspace};

/// Judges recorded runs again.
#[derive(Debug)]
pub struct Judge<'a> {
    /// The specs and their records.
    pub workspace: &'a Workspace,
    /// Folders of real videos, for records that do not hold the blocks of their videos.
    pub data_roots: DataRoots,
    /// Messages.
    pub console: &'a Console,
    /// Stops the command.
    pub interrupt: &'a Interrupt,
}

/// What changed.
#[derive(Debug, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Judged {
    /// Number of runs whose claims were judged.
    runs: usize,
    /// Number of claims in them, without those of rows that were not run.
    claims: usize,
    /// The claims whose verdict is another than before.
    changed: Vec<Changed>,
    /// Runs that could not be judged, with the reason.
    skipped: Vec<Skipped>,
}

/// A claim with another verdict than before.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Changed {
    table: String,
    run: String,
    claim: String,
    before: Verdict,
    margin_before: Option<Estimate>,
    now: Verdict,
    margin: Option<Estimate>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Skipped {
    table: String,
    run: String,
    reason: String,
}

impl Judge<'_> {
    /// Judges the runs of these tables and names again; all that are recorded if none is named. Writes their records, verdicts
    /// and tables where they are.
    ///
    /// # Errors
    /// Specs that cannot be read, files that cannot be written, [`Error::Usage`] if no run matches, an interrupt.
    pub fn again(&self, tables: &[String], runs: &[String]) -> Result<Judged> {
        let asked = tables.iter().map(|table| Ok(self.workspace.spec(table)?.0.name()));
        let asked = asked.collect::<Result<Vec<String>>>()?;
        let mut judged = Judged::default();
        for (spec, folders) in recorded(self.workspace)? {
            if !asked.is_empty() && !asked.contains(&spec.name()) {
                continue;
            }
            for folder in folders.iter().filter(|folder| runs.is_empty() || runs.contains(&folder.name)) {
                self.interrupt.check()?;
                match self.run(&spec, folder, &mut judged) {
                    Ok(()) => {}
                    Err(error) if error.is_of_the_disk() => return Err(error),
                    Err(error) => judged.skipped.push(Skipped {
                        table: spec.name(),
                        run: folder.name.clone(),
                        reason: error.to_string(),
                    }),
                }
            }
        }
        if judged.runs + judged.skipped.len() == 0 {
            return Err(Error::Usage(
                "no recorded run matches; `cargo xtask list` shows what has been run".into(),
            ));
        }
        Ok(judged)
    }

    fn run(&self, spec: &Spec, folder: &RunFolder, judged_runs: &mut Judged) -> Result<()> {
        let records = spec.row.iter().filter_map(|row| Record::if_whole(&folder.record(&row.id)));
        let mut records: Vec<Record> = records.collect();
        if records.is_empty() {
            return Ok(());
        }
        let (plan, request) = planned(self.workspace, spec, &folder.name)
            .ok_or_else(|| Error::Usage(format!("no request leads to a run named {}", folder.name)))?;
        let before = records.clone();
        if records
            .iter()
            .any(|record| record.blocks.is_empty() && record.runs.iter().all(|run| run.right.is_some()))
        {
            self.console.line(&format!("opening the data sets of {}, {}", spec.name(), folder.name));
            let runner = Runner {
                data_roots: self.data_roots.clone(),
                ..Runner::new(self.workspace, &request, self.console, self.interrupt)
            };
            runner.add_blocks(&plan, &mut records)?;
        }
        records.iter_mut().for_each(estimate);
        for (was, is) in before.iter().zip(&records).filter(|(was, is)| was != is) {
            write_json(&folder.record(&was.row), is)?;
        }
        let known = folder.claims().0;
        let of_rows = records.iter().map(|record| (record.row.as_str(), record));
        let mut claims = claims(spec, &plan.file.display().to_string(), of_rows)?;
        for claim in &mut claims {
            let same = |other: &&Claim| other.id == claim.id && other.rule == claim.rule;
            let Some(was) = known.iter().find(same) else { continue };
            if claim.verdict == Verdict::NotRun {
                // Its rows are of a version that recorded too little.
                (claim.verdict, claim.margin) = (was.verdict, was.margin);
            } else if claim.verdict != was.verdict {
                judged_runs.changed.push(Changed {
                    table: spec.name(),
                    run: folder.name.clone(),
                    claim: claim.says.clone(),
                    before: was.verdict,
                    margin_before: was.margin,
                    now: claim.verdict,
                    margin: claim.margin,
                });
            }
        }
        judged_runs.runs += 1;
        judged_runs.claims += claims.iter().filter(|claim| claim.verdict != Verdict::NotRun).count();
        self.write(spec, &plan, folder, &claims)
    }

    fn write(&self, spec: &Spec, plan: &TablePlan, folder: &RunFolder, claims: &[Claim]) -> Result<()> {
        write_json(&folder.file(VERDICTS), &claims)?;
        let (table, _) = Table::recorded(spec, Some(plan), folder);
        write_atomic(&folder.file("table.md"), table.markdown().as_bytes())
    }
}

impl Judged {
    /// Formats the changes for a screen.
    pub fn terminal(&self, screen: Screen) -> String {
        let head = format!(
            "judged {} of {}: {} changed",
            counted(self.claims, "claim"),
            counted(self.runs, "run"),
            counted(self.changed.len(), "verdict")
        );
        let mut parts = vec![head];
        if !self.changed.is_empty() {
            let mut lines = vec![["table", "run", "claim", "before", "now"].map(str::to_owned).to_vec()];
            let with = |verdict: Verdict, margin: Option<Estimate>| {
                let margin = margin.map_or(NONE.to_owned(), |m| signed_within(m.value, m.low, m.high));
                format!("{verdict}: {margin}")
            };
            for one in &self.changed {
                lines.push(vec![
                    one.table.clone(),
                    one.run.clone(),
                    one.claim.clone(),
                    with(one.before, one.margin_before),
                    with(one.now, one.margin),
                ]);
            }
            parts.push(Grid::new(lines, 5).terminal(screen));
        }
        parts.extend(
            self.skipped.iter().map(|one| format!("skipped {}, {}: {}", one.table, one.run, one.reason)),
        );
        parts.join("\n")
    }
}
