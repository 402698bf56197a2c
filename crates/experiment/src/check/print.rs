//! Formats the result of a check.

use super::{Checked, RowCheck, TableCheck, Verdict};
use crate::grid::{Grid, Screen};
use crate::statistics::Estimate;
use base::text::{NONE, counted, points, signed_within};

/// Maximum number of listed changes of a plan.
const MOST_CHANGES: usize = 12;

impl Checked {
    /// Formats the result for a terminal.
    pub fn terminal(&self, screen: Screen) -> String {
        let mut text = String::new();
        for table in &self.tables {
            text.push_str(&format!("{}\n\n", table.terminal(screen)));
        }
        let count = |verdict: Verdict| self.rows().filter(|row| row.verdict == verdict).count();
        let all = self.rows().count();
        let mut parts = Vec::new();
        for (verdict, words) in [
            (Verdict::Same, "identical"),
            (Verdict::Within, "within their noise"),
            (Verdict::Moved, "moved"),
            (Verdict::Failed, "failed"),
            (Verdict::NoBaseline, "without a baseline"),
        ] {
            if count(verdict) > 0 {
                parts.push(format!("{} {words}", count(verdict)));
            }
        }
        text.push_str(&format!("{}: {}", counted(all, "row"), parts.join(", ")));
        if self.has_moved() {
            text.push_str(&format!(
                "\nIf this is intended, run the same command with --update to make these numbers the baseline. The new \
                 records are in {}",
                self.scratch.join("results").display()
            ));
        }
        text
    }
}

impl TableCheck {
    fn terminal(&self, screen: Screen) -> String {
        let head = ["row", "baseline", "now", "difference", "changed answers", "plan", "verdict"];
        let mut lines = vec![head.map(str::to_owned).to_vec()];
        lines.extend(self.rows.iter().map(line));
        let mut text = format!(
            "{}, {}; baseline of {}\n{}",
            self.table,
            self.run,
            self.baseline_of.join("; "),
            Grid::new(lines, 1).dispensable(&["answers turned", "plan", "difference"]).terminal(screen)
        );
        for row in &self.rows {
            for reason in &row.reasons {
                text.push_str(&format!("\n{}: {reason}", row.row));
            }
            for change in row.changes.iter().take(MOST_CHANGES) {
                text.push_str(&format!("\n{}: {change}", row.row));
            }
            if row.changes.len() > MOST_CHANGES {
                text.push_str(&format!("\n{}: and {} more", row.row, row.changes.len() - MOST_CHANGES));
            }
        }
        text
    }
}

fn line(row: &RowCheck) -> Vec<String> {
    let number = |estimate: Option<Estimate>| estimate.map_or(NONE.into(), |e| points(e.value));
    vec![
        row.row.clone(),
        number(row.before),
        number(row.now),
        row.difference.map_or(NONE.into(), |d| signed_within(d.value, d.low, d.high)),
        row.turned.map_or(NONE.into(), |[right, wrong]| format!("{right} right, {wrong} wrong")),
        if row.before.is_none() || row.now.is_none() {
            NONE.into()
        } else if row.changes.is_empty() {
            "the same".into()
        } else {
            counted(row.changes.len(), "change")
        },
        row.verdict.to_string(),
    ]
}
