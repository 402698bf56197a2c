//! Resolves the request of `run`, runs its tables and prints them, here or in a cluster's job.

use std::time::Duration;

use base::text::counted;
use experiment::budgets::Budgets;
use experiment::device::Device;
use experiment::table::{Table, verdicts};
use experiment::trained::Trained;
use experiment::{Console, Error, Interrupt, Ranks, Request, Result, Runner, Workspace, json};
use plan::{Remembered, TablePlan};

use crate::flags::Run;
use crate::screen::{say, screen};

/// The processes that a launcher started together with this one.
pub(crate) fn ranks() -> Result<Ranks> {
    Ranks::world().map_err(|error| Error::Usage(error.to_string()))
}

/// Does the work of a command on the first of several ranks; the others train along.
pub(crate) fn together(
    runner: &Runner<'_>,
    console: &Console,
    work: impl FnOnce() -> Result<()>,
) -> Result<()> {
    let ranks = &runner.ranks;
    if ranks.is_first() {
        let done = work();
        // That they are gone already is no error of the work's.
        _ = runner.dismiss_ranks();
        return done;
    }
    runner.train_along().inspect_err(|error| {
        console.error(&format!("rank {} of {}: {error}", ranks.rank(), ranks.size()));
        ranks.abort(error.exit_code());
    })
}

/// The request of `run`, with its tables and nets found.
pub(crate) struct Asked {
    pub(crate) workspace: Workspace,
    pub(crate) request: Request,
    /// By their full names.
    pub(crate) tables: Vec<String>,
    given: Option<Trained>,
}

impl Asked {
    pub(crate) fn of(flags: &Run, console: &Console, interrupt: &Interrupt) -> Result<Self> {
        let mut workspace = flags.workspace();
        let given = match &flags.from {
            Some(name) => Some(experiment::export::from(name, &workspace, console, interrupt)?),
            None => None,
        };
        let (request, tables) = match &given {
            None => (flags.request(), workspace.full_names(&flags.tables)?),
            Some(trained) => {
                let (table, own) = experiment::export::question(trained)?;
                let tables = if flags.tables.is_empty() {
                    vec![table]
                } else {
                    workspace.full_names(&flags.tables)?
                };
                (flags.request_of(own), tables)
            }
        };
        let request = workspace.understand(request)?;
        // A mistake in the last table shows before the first is trained.
        let sources = Remembered::new(&workspace);
        for name in &tables {
            let (spec, file) = workspace.spec(name)?;
            TablePlan::resolve(spec, file, &request, &sources)?;
        }
        Ok(Self { workspace, request, tables, given })
    }

    /// Returns the request at each budget of the flags; the request itself if they have none.
    pub(crate) fn at_budgets(&self, flags: &Run) -> Vec<(f64, Request)> {
        if flags.budget.is_empty() {
            return vec![(1.0, self.request.clone())];
        }
        let at = |&budget: &f64| (budget, Request { budget: Some(budget), ..self.request.clone() });
        flags.budget.iter().map(at).collect()
    }

    pub(crate) fn runner<'a>(
        &'a self,
        flags: &Run,
        device: &'a Device,
        console: &'a Console,
        interrupt: &'a Interrupt,
    ) -> Runner<'a> {
        Runner {
            data_roots: flags.roots.data_roots(),
            fresh: flags.fresh,
            device,
            given: self.given.as_ref(),
            checkpoint_every: Duration::from_secs(flags.checkpoint_every),
            ..Runner::new(&self.workspace, &self.request, console, interrupt)
        }
    }
}

/// Runs tables at several budgets. Prints accuracies and verdicts of all budgets in one table, and writes them, with a chart, beside
/// the records of the largest.
pub(crate) fn print_budgets(flags: &Run, names: &[String], runners: &[(f64, Runner<'_>)]) -> Result<()> {
    let mut printed = Ok(());
    let mut failed = 0;
    for name in names {
        let mut tables = Vec::with_capacity(runners.len());
        for (budget, runner) in runners {
            runner.console.line(&format!("{name} at {budget} times the iterations"));
            let table = runner.run(name)?;
            failed += table.failed().count();
            tables.push((*budget, table));
        }
        let budgets = Budgets::new(tables);
        let (_, largest) =
            runners.iter().max_by(|(a, _), (b, _)| a.total_cmp(b)).ok_or(Error::NothingToRun)?;
        for file in budgets.write(&largest.results(name)?)? {
            largest.console.line(&format!("wrote {}", file.display()));
        }
        printed = printed.and(say(if flags.json { json(&budgets) } else { budgets.terminal(screen()) }));
    }
    if failed > 0 {
        return Err(Error::Usage(format!(
            "{} failed; run again with one --budget to see why",
            counted(failed, "row")
        )));
    }
    printed
}

/// Runs tables and prints each as it is finished. One that cannot be printed, since the terminal is gone, is on disk all the
/// same, and the next one is run; the end of the command says so.
pub(crate) fn print_tables(flags: &Run, names: &[String], runner: &Runner<'_>) -> Result<()> {
    let mut tables = Vec::with_capacity(names.len());
    let mut printed = Ok(());
    for name in names {
        let mut table = runner.run(name)?;
        table.more = flags.more;
        printed = printed.and(say(match &runner.request.rows {
            _ if flags.json => json(&table),
            rows if rows.is_empty() => table.terminal(screen()),
            rows => table.of_rows(rows).terminal(screen()),
        }));
        if !flags.json
            && let Some(differences) =
                experiment::beside::differences(runner.workspace, runner.request, &table)?
        {
            runner.console.line(&differences);
        }
        tables.push(table);
    }
    if !flags.json && tables.len() > 1 {
        printed = printed.and(say(verdicts(&tables)));
    }
    runner.console.line(&runner.census.to_string());
    let total = tables.iter().map(|table| table.rows.len()).sum();
    let failed: Vec<&str> = tables.iter().flat_map(Table::failed).collect();
    if tables.iter().all(|table| table.is_unavailable(&runner.request.rows)) {
        Err(Error::NothingToRun)
    } else if failed.is_empty() {
        printed
    } else {
        Err(Error::RowsFailed { failed: failed.len(), total, names: failed.join(", ") })
    }
}
