//! Reads a table from the records on disk.

use super::{Claim, Row, State, Table};
use crate::claim::Verdict;
use crate::record::Record;
use crate::run_folder::RunFolder;
use plan::spec::{self, ProfileName, Spec};
use plan::{RunName, TablePlan, Work};

impl Table {
    /// Reads the table of a run from the records and judged claims in its folder, and lists the problems found. A claim that
    /// has not been judged by its present rule counts as not run. `plan` is the plan that the folder's name stands for;
    /// without it, unavailable rows count as not run.
    pub fn recorded(spec: &Spec, plan: Option<&TablePlan>, run: &RunFolder) -> (Self, Vec<String>) {
        let name = run.name.clone();
        let mut problems = Vec::new();
        let mut state = |row: &spec::Row| {
            let file = run.record(&row.id);
            match Record::read(&file) {
                Ok(record) => State::Done { record: Box::new(record) },
                Err(error) if file.exists() => {
                    problems.push(format!("the record of {} cannot be read: {error}", row.id));
                    State::Failed { message: error.to_string() }
                }
                Err(_) => {
                    let planned = plan.and_then(|plan| plan.rows.iter().find(|p| p.row.id == row.id));
                    match planned.map(|row| &row.work) {
                        Some(Work::Unavailable { reason }) => State::Unavailable { reason: reason.clone() },
                        _ => State::NotRun,
                    }
                }
            }
        };
        let rows = spec.row.iter().map(|row| Row::of(row, state(row))).collect();
        let profile = name.parse::<RunName>().map_or(ProfileName::Mini, |name| name.profile);
        let mut table = Self::new(spec, rows, judged(spec, run, &mut problems), profile, name);
        if let Some(plan) = plan {
            table.is_of(plan);
        }
        (table, problems)
    }
}

fn judged(spec: &Spec, run: &RunFolder, problems: &mut Vec<String>) -> Vec<Claim> {
    let (verdicts, found) = run.claims();
    problems.extend(found);
    let of = |claim: &spec::Claim| {
        let found = verdicts.iter().find(|judged| judged.id == claim.id && judged.rule == claim.holds);
        let (verdict, margin) =
            found.map_or((Verdict::NotRun, None), |judged| (judged.verdict, judged.margin));
        Claim::of(claim, verdict, margin)
    };
    spec.claim.iter().map(of).collect()
}
