//! Reads a table from the records on disk.

use std::path::Path;

use super::{Claim, Row, State, Table};
use crate::claim::Verdict;
use crate::list;
use crate::record::Record;
use plan::spec::{self, ProfileName, Spec};
use plan::{RunName, TablePlan, Work};

impl Table {
    /// Reads the table of a run from the records and judged claims in its folder, and lists the problems found. A claim that
    /// has not been judged by its present rule counts as not run. `plan` is the plan that the folder's name stands for;
    /// without it, unavailable rows count as not run.
    pub fn recorded(spec: &Spec, plan: Option<&TablePlan>, folder: &Path) -> (Self, Vec<String>) {
        let name = list::name(folder);
        let mut problems = Vec::new();
        let mut state = |row: &spec::Row| {
            let file = folder.join(format!("{}.json", row.id));
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
        let mut table = Self::new(spec, rows, judged(spec, folder, &mut problems), profile, name);
        if let Some(plan) = plan {
            table.is_of(plan);
        }
        (table, problems)
    }
}

fn judged(spec: &Spec, folder: &Path, problems: &mut Vec<String>) -> Vec<Claim> {
    let verdicts: Vec<Claim> = match base::files::read(&folder.join(list::VERDICTS), base::files::TEXT) {
        Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
            problems.push(format!("{} cannot be read: {error}", list::VERDICTS));
            Vec::new()
        }),
        Err(_) => Vec::new(),
    };
    let of = |claim: &spec::Claim| {
        let found = verdicts.iter().find(|judged| judged.id == claim.id && judged.rule == claim.holds);
        let (verdict, margin) =
            found.map_or((Verdict::NotRun, None), |judged| (judged.verdict, judged.margin));
        Claim::of(claim, verdict, margin)
    };
    spec.claim.iter().map(of).collect()
}
