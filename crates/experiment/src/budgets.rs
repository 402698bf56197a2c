//! One table at several training budgets: how accuracies and verdicts change with the number of iterations.

use std::path::{Path, PathBuf};

use base::text::{NONE, brief, points, range, signed_within, within};
use figure::{Spot, growth};
use serde::Serialize;

use crate::compare::gather::Training;
use crate::error::Result;
use crate::grid::{Form, Grid, Screen};
use crate::store::write_atomic;
use crate::table::{Claim, Row, Table};

/// A table at several budgets, the smallest first.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Budgets {
    /// Multiples of the profile's iterations, each with the finished table.
    tables: Vec<(f64, Table)>,
}

impl Budgets {
    /// Takes one table, finished at several multiples of its profile's iterations.
    pub fn new(mut tables: Vec<(f64, Table)>) -> Self {
        tables.sort_by(|(a, _), (b, _)| a.total_cmp(b));
        Self { tables }
    }

    /// Formats accuracies and verdicts for a screen.
    pub fn terminal(&self, screen: Screen) -> String {
        self.render(Form::Terminal(screen))
    }

    /// Formats accuracies and verdicts as Markdown.
    pub fn markdown(&self) -> String {
        self.render(Form::Markdown)
    }

    /// Writes `budgets.md` and, if a row is finished, the chart `budgets.svg` into a folder; returns the files.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn write(&self, folder: &Path) -> Result<Vec<PathBuf>> {
        let mut files = vec![folder.join("budgets.md")];
        write_atomic(&files[0], self.markdown().as_bytes())?;
        if self.tables.iter().any(|(_, table)| table.rows.iter().any(|row| row.state.record().is_some())) {
            files.push(folder.join("budgets.svg"));
            write_atomic(&files[1], self.chart()?.as_bytes())?;
        }
        Ok(files)
    }

    fn render(&self, form: Form) -> String {
        let [rows, claims] = [self.rows(), self.claims()].map(|grid| grid.render(form));
        let profile = self.tables.first().map_or(String::new(), |(_, table)| table.profile.to_string());
        format!(
            "accuracy in percent with 95 % interval, at multiples of the iterations of `{profile}`:\n\n{rows}\n\nclaims, each with \
             its margin in points:\n\n{claims}\n"
        )
    }

    fn heading(&self, first: &str) -> Vec<String> {
        let budgets = self.tables.iter().map(|(budget, _)| format!("x {budget}"));
        std::iter::once(first.to_owned()).chain(budgets).collect()
    }

    fn rows(&self) -> Grid {
        let mut lines = vec![self.heading("row")];
        let is_run = |row: &&Row| self.tables.iter().any(|(_, table)| accuracy(table, &row.id) != NONE);
        for row in self.tables.iter().take(1).flat_map(|(_, table)| &table.rows).filter(is_run) {
            let mut line = vec![row.id.clone()];
            line.extend(self.tables.iter().map(|(_, table)| accuracy(table, &row.id)));
            lines.push(line);
        }
        Grid::new(lines, 1)
    }

    fn claims(&self) -> Grid {
        let mut lines = vec![self.heading("claim")];
        let is_judged = |claim: &&Claim| {
            let of = |(_, table): &(f64, Table)| {
                table.claims.iter().any(|of| of.id == claim.id && of.margin.is_some())
            };
            self.tables.iter().any(of)
        };
        for claim in self.tables.iter().take(1).flat_map(|(_, table)| &table.claims).filter(is_judged) {
            let mut line = vec![claim.says.clone()];
            line.extend(self.tables.iter().map(|(_, table)| verdict(table, &claim.id)));
            lines.push(line);
        }
        Grid::new(lines, usize::MAX)
    }

    /// Draws the accuracy of each finished row against the multiply-adds of its training, as an SVG file.
    ///
    /// # Errors
    /// If no row is finished.
    pub fn chart(&self) -> Result<String> {
        let Some((_, first)) = self.tables.first() else { return Ok(String::new()) };
        let names: Vec<&str> = first.rows.iter().map(|row| row.id.as_str()).collect();
        let mut spots = Vec::new();
        for (budget, table) in &self.tables {
            for (group, row) in table.rows.iter().enumerate() {
                let Some(record) = row.state.record() else { continue };
                let Some(training) = Training::of(&record.work) else { continue };
                let top1 = record.top1;
                spots.push(Spot {
                    name: &row.id,
                    tip: format!(
                        "{} at x {budget}: {} % [{}], {} multiply-adds of training",
                        row.id,
                        points(top1.value),
                        range(top1.low, top1.high),
                        brief(training.multiply_adds)
                    ),
                    place: None,
                    group,
                    cost: training.multiply_adds,
                    value: [top1.value, top1.low, top1.high],
                });
            }
        }
        let axes = ("multiply-adds of training, logarithmic", "top-1 accuracy, %");
        Ok(growth(&spots, &names, axes, &format!("{}: accuracy against training", first.name))?.file())
    }
}

fn accuracy(table: &Table, id: &str) -> String {
    let record = table.rows.iter().find(|row| row.id == id).and_then(|row: &Row| row.state.record());
    record.map_or(NONE.to_owned(), |record| within(record.top1.value, record.top1.low, record.top1.high))
}

fn verdict(table: &Table, id: &str) -> String {
    let Some(claim) = table.claims.iter().find(|claim| claim.id == id) else { return NONE.to_owned() };
    match claim.margin {
        Some(margin) => {
            format!("{}: {}", claim.verdict, signed_within(margin.value, margin.low, margin.high))
        }
        None => claim.verdict.to_string(),
    }
}
