//! A table for readers: the paper's numbers beside ours, and its claims.
//!
//! It is built from records and scores only, and printed for a terminal, as
//! Markdown, or as JSON. No number is typed by hand.

mod recorded;

use crate::claim::Verdict;
use crate::grid::{Form, Grid, Screen, wrapped};
use crate::record::{Measure, Record};
use crate::statistics::Estimate;
use base::text::{NONE, counted, duration, points, range, reported, signed, signed_range};
use plan::TablePlan;
use plan::rule::Comparison;
use plan::spec::{self, Columns, ProfileName, Quoted, Spec};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// A table, ready to be printed.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Table {
    /// `paper/tableN`.
    pub name: String,
    /// The table's title in the paper.
    pub title: String,
    /// Reference to the paper.
    pub source: String,
    /// The data of our run: data set, splits, seeds.
    pub data: String,
    /// The scale.
    pub profile: ProfileName,
    /// The paper's columns.
    pub columns: Option<Columns>,
    /// The rows, in the paper's order.
    pub rows: Vec<Row>,
    /// Numbers of other work.
    pub quoted: Vec<Quoted>,
    /// The claims, judged.
    pub claims: Vec<Claim>,
    /// Our departures from the paper.
    pub departures: Vec<String>,
    /// Properties of the data that make the numbers say less than they seem to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub cautions: Vec<String>,
    /// True for a data set that the spec does not name: the paper's numbers are of other videos and are not shown.
    #[serde(skip)]
    pub own_data: bool,
    /// Prints top-5 accuracy and the mean over classes too.
    #[serde(skip)]
    pub more: bool,
}

/// A row of a table.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Row {
    /// The row's id.
    pub id: String,
    /// The label of the row in the paper.
    pub label: String,
    /// The column in the paper.
    pub column: Option<String>,
    /// Place of its number in the paper, if not in the table.
    #[serde(rename = "where")]
    pub place: Option<String>,
    /// The paper's accuracy, in percent.
    pub reported: Option<f64>,
    /// Our result.
    pub state: State,
}

impl Table {
    /// Creates the table of a spec.
    pub(crate) fn new(
        spec: &Spec,
        rows: Vec<Row>,
        claims: Vec<Claim>,
        profile: ProfileName,
        data: String,
    ) -> Self {
        let Spec { title, source, columns, quoted, .. } = spec.clone();
        let (name, departures) = (spec.name(), Vec::new());
        let mut cautions: Vec<String> = Vec::new();
        for row in &rows {
            let State::Done { record } = &row.state else { continue };
            for data in &record.data {
                let said = data.cautions.iter().map(|caution| format!("{}, {caution}", data.name));
                cautions.extend(said.filter(|said| !cautions.contains(said)).collect::<Vec<_>>());
            }
        }
        Self {
            name,
            title,
            source,
            data,
            profile,
            columns,
            rows,
            quoted,
            claims,
            departures,
            cautions,
            own_data: false,
            more: false,
        }
    }

    /// Says what the intervals cover.
    fn intervals(&self) -> String {
        let records = || self.rows.iter().filter_map(|row| row.state.record());
        let in_blocks = records().any(|record| {
            record.runs.iter().any(|run| run.pairs.is_some())
                || record.blocks.values().any(|blocks| !blocks.are_single())
        });
        let over = if in_blocks { "test videos in independent blocks" } else { "test videos" };
        let several = records().any(|record| record.seed_spread().is_some());
        let covers = if several { " and trainings" } else { ", for these nets" };
        format!("95 % intervals over {over}{covers}")
    }

    /// Takes data, profile and departures from the plan.
    pub(crate) fn is_of(&mut self, plan: &TablePlan) {
        (self.data, self.profile) = (plan.data_words(), plan.profile);
        self.departures.clone_from(&plan.departures);
        let known = plan.cautions();
        self.cautions
            .extend(known.into_iter().filter(|said| !self.cautions.contains(said)).collect::<Vec<_>>());
        self.own_data = plan.has_own_data();
    }
}

impl Claim {
    /// Returns how many times as many test videos would decide an undecided claim, if its margin stayed as it is.
    pub fn videos_to_decide(&self) -> Option<f64> {
        let margin = self.margin.filter(|_| self.verdict == Verdict::Undecided)?;
        let half = (margin.high - margin.low) / 2.0;
        // An interval shrinks with the root of the number of videos.
        Some((half / margin.value).powi(2)).filter(|factor| factor.is_finite())
    }

    /// Creates a judged claim from a claim of a spec.
    pub(crate) fn of(claim: &spec::Claim, verdict: Verdict, margin: Option<Estimate>) -> Self {
        let spec::Claim { id, says, place, holds: rule } = claim.clone();
        Self { id, says, place, rule, verdict, margin }
    }
}

impl Row {
    /// Creates a row from a row of a spec and its state.
    pub(crate) fn of(row: &spec::Row, state: State) -> Self {
        let spec::Row { id, label, column, place, reported, .. } = row.clone();
        Self { id, label, column, place, reported, state }
    }

    /// Returns our accuracy minus the paper's, in points.
    pub fn difference(&self) -> Option<f64> {
        Some(self.state.record()?.top1.value - self.reported?)
    }

    fn is_by_pairs(&self) -> bool {
        self.state.record().is_some_and(|record| record.measure == Measure::PairArea)
    }
}

/// The state of a row.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum State {
    /// Run, completely or partially.
    Done {
        /// Its record.
        record: Box<Record>,
    },
    /// Stopped by an error, or its record cannot be read.
    Failed {
        /// The error.
        message: String,
    },
    /// Not run yet.
    NotRun,
    /// Cannot be run on these data sets.
    Unavailable {
        /// The reason.
        reason: String,
    },
}

/// A claim, judged.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Claim {
    /// Its name.
    pub id: String,
    /// The claim in words.
    pub says: String,
    /// Place of the claim in the paper.
    #[serde(rename = "where")]
    pub place: String,
    /// The inequality.
    pub rule: String,
    /// The verdict on our numbers.
    pub verdict: Verdict,
    /// Margin by which the inequality holds, in points, with its 95 % interval.
    pub margin: Option<Estimate>,
}

impl Table {
    /// Formats the table for a screen.
    pub fn terminal(&self, screen: Screen) -> String {
        self.render(Form::Terminal(screen))
    }

    /// Returns the table with these rows alone, and the claims about them that could be judged.
    #[must_use]
    pub fn of_rows(&self, ids: &[String]) -> Self {
        let mut table = self.clone();
        table.rows.retain(|row| ids.contains(&row.id));
        table.claims.retain(|claim| {
            let rule = Comparison::parse(&claim.rule);
            let names = rule.as_ref().map_or_else(|_| Vec::new(), Comparison::rows);
            claim.verdict != Verdict::NotRun && names.iter().any(|name| ids.iter().any(|id| id == name))
        });
        table.quoted.clear();
        table
    }

    /// Formats the table as a Markdown file.
    pub fn markdown(&self) -> String {
        self.render(Form::Markdown)
    }

    /// Returns `true` if every one of these rows (all, if none is named) lacks data or weights.
    pub fn is_unavailable(&self, ids: &[String]) -> bool {
        let mut asked = self.rows.iter().filter(|row| ids.is_empty() || ids.contains(&row.id));
        asked.all(|row| matches!(row.state, State::Unavailable { .. }))
    }

    /// Returns the ids of the failed rows.
    pub fn failed(&self) -> impl Iterator<Item = &str> {
        self.rows.iter().filter(|row| matches!(row.state, State::Failed { .. })).map(|row| row.id.as_str())
    }

    /// Explains the numbers of rows of pairs, if there are any. The text follows "accuracy in percent".
    pub fn of_pairs(&self) -> &'static str {
        let any = self.rows.iter().any(Row::is_by_pairs);
        if any { "; of pairs the area under the ROC curve, 50 being chance" } else { "" }
    }

    /// Counts the claims with this verdict.
    pub fn verdicts(&self, verdict: Verdict) -> usize {
        self.claims.iter().filter(|claim| claim.verdict == verdict).count()
    }

    fn render(&self, form: Form) -> String {
        let mut text = String::new();
        let mut paragraph = |part: String| {
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(&part);
            text.push('\n');
        };
        let mut paragraph = |part: String| match form {
            Form::Terminal(Screen { width: Some(width), .. }) if !part.starts_with(['╭', '│']) => {
                paragraph(wrapped(&part, width));
            }
            _ => paragraph(part),
        };
        let heading = |level: &str, words: &str| match form {
            Form::Terminal(_) => words.to_owned(),
            Form::Markdown => format!("{level} {words}"),
        };
        let said = |words: &str| match form {
            Form::Terminal(_) => words.to_owned(),
            Form::Markdown => base::text::markdown(words),
        };
        if form == Form::Markdown {
            paragraph(
                "<!-- Generated from the records beside this file by `cargo xtask run`; do not edit. -->"
                    .into(),
            );
        }
        paragraph(format!(
            "{}\n{}{}",
            heading("#", &said(&format!("{}: {}", self.name, self.title))),
            if form == Form::Markdown { "\n" } else { "" },
            said(&self.source)
        ));
        paragraph(format!(
            "Ours: {}; profile {}. Top-1 accuracy of test videos in percent{}.",
            said(&self.data),
            self.profile,
            self.of_pairs()
        ));
        for caution in &self.cautions {
            paragraph(format!("Caution: {}.", said(caution)));
        }
        if self.columns.is_some() {
            paragraph(self.grid(form));
        }
        paragraph(self.details(form));
        if !self.quoted.is_empty() {
            paragraph(heading("##", "Quoted from other work (not run)"));
            paragraph(self.quotes(form));
        }
        if !self.claims.is_empty() {
            let title = format!("Claims of the paper, judged on our numbers ({})", self.intervals());
            paragraph(heading("##", &title));
            paragraph(self.claims_table(form));
        }
        for row in &self.rows {
            match &row.state {
                State::Failed { message } => paragraph(format!("Row {} failed: {}", row.id, said(message))),
                State::Unavailable { reason } => {
                    paragraph(format!("Row {} is not available here: {}.", row.id, said(reason)));
                }
                State::Done { .. } | State::NotRun => {}
            }
        }
        for (set, accepted) in self.accepted() {
            paragraph(format!(
                "Accepted although ffmpeg reports errors in them (--accept-messages): {} of {}.",
                counted(accepted, "video"),
                said(&set)
            ));
        }
        if !self.departures.is_empty() {
            let mark = if form == Form::Markdown { "[docs/deviations.md]" } else { "docs/deviations.md" };
            paragraph(format!(
                "Departures from the paper (see {mark}): {}.",
                said(&self.departures.join("; "))
            ));
            if form == Form::Markdown {
                paragraph("[docs/deviations.md]: ../../../../docs/deviations.md".into());
            }
        }
        text
    }

    /// Returns the data sets with videos that were accepted although ffmpeg reports errors in them, and their number.
    fn accepted(&self) -> BTreeMap<String, usize> {
        let mut accepted = BTreeMap::new();
        let records = self.rows.iter().filter_map(|row| row.state.record());
        for data in records.flat_map(|record| &record.data).filter(|data| data.accepted > 0) {
            let most = accepted.entry(data.name.clone()).or_insert(0);
            *most = data.accepted.max(*most);
        }
        accepted
    }

    /// Lays out the table as in the paper: one line per label, two numbers per column.
    fn grid(&self, form: Form) -> String {
        let columns = self.columns.as_ref().map(|c| c.names.as_slice()).unwrap_or_default();
        let title = self.columns.as_ref().map_or("", |c| c.title.as_str());
        let mut head = vec![String::new()];
        for name in columns {
            if self.own_data {
                head.push(format!("{title} {name}"));
            } else {
                head.push(format!("{title} {name}: paper"));
                head.push(format!("{name}: ours"));
            }
        }
        let mut lines = vec![head];
        let mut labels: Vec<&str> = Vec::new();
        for row in self.rows.iter().filter(|row| row.column.is_some()) {
            if !labels.contains(&row.label.as_str()) {
                labels.push(&row.label);
            }
        }
        for label in labels {
            let mut line = vec![label.to_owned()];
            for name in columns {
                let cell =
                    self.rows.iter().find(|row| row.label == label && row.column.as_deref() == Some(name));
                if !self.own_data {
                    line.push(cell.and_then(|row| row.reported).map_or(NONE.into(), reported));
                }
                line.push(cell.map_or(NONE.into(), |row| row.state.number()));
            }
            lines.push(line);
        }
        Grid::new(lines, 1).render(form)
    }

    fn details(&self, form: Form) -> String {
        let spread = self.rows.iter().any(|row| row.state.record().and_then(Record::seed_spread).is_some());
        // A table of one column has no grid that describes its rows.
        let described = self.columns.is_none() || self.rows.iter().any(|row| row.place.is_some());
        let mut head = vec!["row".to_owned()];
        if described {
            head.push("what".into());
        }
        let numbers = head.len();
        head.extend(
            ["paper", "ours", "95 % interval", "ours - paper", "videos scored", "train"].map(str::to_owned),
        );
        if spread {
            head.push("sd over seeds".into());
        }
        if self.more {
            head.extend(["top-5", "mean over classes"].map(str::to_owned));
        }
        let mut lines = vec![head];
        for row in &self.rows {
            let mut line = vec![row.id.clone()];
            if described {
                let column = row.column.as_ref().map_or(String::new(), |column| format!(", {column}"));
                let place = row.place.as_ref().map_or(String::new(), |place| format!(" ({place})"));
                line.push(format!("{}{column}{place}", row.label));
            }
            line.extend([row.reported.map_or(NONE.into(), reported), row.state.number()]);
            match row.state.record() {
                Some(record) => {
                    let (expected, scored) = record.videos();
                    line.push(range(record.top1.low, record.top1.high));
                    line.push(row.difference().map_or(NONE.into(), signed));
                    line.push(if expected == scored {
                        format!("{scored} of {expected}")
                    } else {
                        format!("{scored} of {expected} (partial)")
                    });
                    line.push(record.seconds().map_or(NONE.into(), duration));
                }
                None => line.extend([NONE; 4].map(str::to_owned)),
            }
            if spread {
                let sd = row.state.record().and_then(Record::seed_spread);
                line.push(sd.map_or(NONE.into(), points));
            }
            if self.more {
                let of = |more: fn(&Record) -> Option<f64>| row.state.record().and_then(more);
                let more = [of(|record| record.top5), of(Record::mean_class_accuracy)];
                line.extend(more.map(|value| value.map_or(NONE.into(), points)));
            }
            lines.push(line);
        }
        if self.own_data {
            for line in &mut lines {
                // The difference first: it stands behind.
                line.remove(numbers + 3);
                line.remove(numbers);
            }
        }
        Grid::new(lines, numbers)
            .dispensable(&["train", "videos scored", "what", "95 % interval"])
            .render(form)
    }

    fn quotes(&self, form: Form) -> String {
        let mut lines = vec![["method", "column", "top-1", "where"].map(str::to_owned).to_vec()];
        for quote in &self.quoted {
            lines.push(vec![
                quote.label.clone(),
                quote.column.clone().unwrap_or_else(|| NONE.into()),
                points(quote.top1),
                quote.place.clone(),
            ]);
        }
        Grid::new(lines, 4).render(form)
    }

    fn claims_table(&self, form: Form) -> String {
        let mut lines =
            vec![["claim", "rule", "verdict", "margin", "95 % interval"].map(str::to_owned).to_vec()];
        for claim in &self.claims {
            lines.push(vec![
                claim.says.clone(),
                if form == Form::Markdown { format!("`{}`", claim.rule) } else { claim.rule.clone() },
                claim.verdict.to_string(),
                claim.margin.map_or(NONE.into(), |m| signed(m.value)),
                claim.margin.map_or(NONE.into(), |m| signed_range(m.low, m.high)),
            ]);
        }
        Grid::new(lines, 3).dispensable(&["rule"]).render(form)
    }
}

/// Lists the claims of several tables by verdict, with their ids.
pub fn verdicts(tables: &[Table]) -> String {
    let mut lines = Vec::new();
    for verdict in [Verdict::Holds, Verdict::Undecided, Verdict::Contradicted, Verdict::NotRun] {
        let of_table = |table: &Table| -> Option<String> {
            let ids: Vec<&str> = table
                .claims
                .iter()
                .filter(|claim| claim.verdict == verdict)
                .map(|claim| claim.id.as_str())
                .collect();
            let name = table.name.rsplit('/').next().unwrap_or(&table.name);
            (!ids.is_empty()).then(|| format!("{name}: {}", ids.join(", ")))
        };
        let named: Vec<String> = tables.iter().filter_map(of_table).collect();
        let count = tables.iter().map(|table| table.verdicts(verdict)).sum::<usize>();
        if count > 0 {
            lines.push(format!("claims {verdict}: {count} ({})", named.join("; ")));
        }
    }
    lines.join("\n")
}

impl State {
    /// Returns the record, if there is one.
    pub fn record(&self) -> Option<&Record> {
        match self {
            Self::Done { record } => Some(record),
            Self::Failed { .. } | Self::NotRun | Self::Unavailable { .. } => None,
        }
    }

    /// Formats our accuracy, or why there is none.
    fn number(&self) -> String {
        match self {
            Self::Done { record } if record.is_partial() => {
                format!("{} (partial)", points(record.top1.value))
            }
            Self::Done { record } => points(record.top1.value),
            Self::Failed { .. } => "failed".into(),
            Self::NotRun => "not run".into(),
            Self::Unavailable { .. } => "n/a".into(),
        }
    }
}
