//! Compares the rows of a user's run with the committed records of the same run.

use crate::error::Result;
use crate::record::Record;
use crate::run_folder::RunFolder;
use crate::table::{State, Table};
use base::text::{counted, points};
use plan::{Request, TablePlan, Workspace};

/// A row with a committed record.
struct Line {
    row: String,
    now: f64,
    committed: f64,
    same: bool,
}

/// Says how the finished rows of a table differ from the committed records; `None` if none of them is committed, or if the
/// workspace writes into the committed results itself.
///
/// # Errors
/// Those of resolving the table.
pub fn differences(workspace: &Workspace, request: &Request, table: &Table) -> Result<Option<String>> {
    let Some(committed) = &workspace.committed else { return Ok(None) };
    let (spec, file) = workspace.spec(&table.name)?;
    let plan = TablePlan::resolve(spec, file, request, workspace)?;
    let folder = RunFolder::at(committed.join(&plan.results));
    let mut lines = Vec::new();
    for row in &table.rows {
        let State::Done { record } = &row.state else { continue };
        let Some(before) = Record::if_whole(&folder.record(&row.id)) else { continue };
        lines.push(Line {
            row: row.id.clone(),
            now: record.top1.value,
            committed: before.top1.value,
            same: is_same(&before, record),
        });
    }
    Ok((!lines.is_empty()).then(|| words(&lines, &table.name)))
}

/// Returns `true` if two records hold the same answers or, if an old record lists none, the same numbers.
fn is_same(before: &Record, now: &Record) -> bool {
    let of_run = |(was, is): (&crate::record::RunRecord, &crate::record::RunRecord)| {
        let answers = was.right.is_none() || was.right == is.right;
        answers && (&was.split, was.seed, was.top1) == (&is.split, is.seed, is.top1)
    };
    before.top1 == now.top1
        && before.runs.len() == now.runs.len()
        && before.runs.iter().zip(&now.runs).all(of_run)
}

fn words(lines: &[Line], table: &str) -> String {
    let others: Vec<String> = lines
        .iter()
        .filter(|line| !line.same)
        .map(|line| format!("{} {} (committed {})", line.row, points(line.now), points(line.committed)))
        .collect();
    let same = lines.len() - others.len();
    if others.is_empty() {
        return format!("same as the committed records to the last answer: {}", counted(same, "row"));
    }
    format!(
        "beside the committed records: {same} of {} the same to the last answer; {}; `cargo xtask check {table}` tells noise \
         from change",
        counted(lines.len(), "row"),
        others.join(", ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_that_differ_are_named_with_both_numbers() {
        let line =
            |row: &str, now, committed| Line { row: row.into(), now, committed, same: now == committed };
        assert_eq!(
            words(&[line("a", 50.0, 50.0), line("b", 60.0, 60.0)], "p/t"),
            "same as the committed records to the last answer: 2 rows"
        );
        assert_eq!(
            words(&[line("a", 50.0, 50.0), line("b", 60.0, 61.3)], "p/t"),
            "beside the committed records: 1 of 2 rows the same to the last answer; b 60.0 (committed 61.3); `cargo xtask \
             check p/t` tells noise from change"
        );
    }
}
