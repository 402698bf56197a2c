//! `compare A B ...`: named rows, pair by pair, from their records alone.

use std::collections::BTreeMap;

use serde::Serialize;

use super::gather::{Entry, TestSet, entries};
use super::significance::{Difference, between};
use crate::grid::{Grid, Screen, wrapped};
use crate::statistics::Estimate;
use crate::{Error, Result};
use base::did_you_mean;
use base::text::{NONE, json, signed, within};
use plan::Workspace;

/// Rows that were asked for by name, in groups that were tested on the same videos.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub struct Matrix {
    groups: Vec<Compared>,
}

/// Rows that were tested on the same videos.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Compared {
    test_set: String,
    rows: Vec<Named>,
    pairs: Vec<Pair>,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Named {
    name: String,
    run: String,
    top1: Estimate,
}

/// Two rows, by their places in the group.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Pair {
    first: usize,
    second: usize,
    difference: Option<Difference>,
}

/// Compares rows, each named `TABLE/ROW`, on every set of videos on which at least two of them were tested.
///
/// # Errors
/// Specs that cannot be read; [`Error::Usage`] for a row that is not recorded, and if no two rows share their test videos.
pub fn matrix(workspace: &Workspace, asked: &[String]) -> Result<Matrix> {
    let all = entries(workspace)?;
    let mut sets: BTreeMap<TestSet, Vec<(usize, &Entry)>> = BTreeMap::new();
    for (place, name) in asked.iter().enumerate() {
        let found: Vec<&Entry> = all.iter().filter(|entry| entry.is(name)).collect();
        if found.is_empty() {
            let known: Vec<String> = all.iter().flat_map(Entry::full_names).collect();
            let hint = did_you_mean(name, known.iter().map(String::as_str));
            return Err(Error::Usage(format!(
                "no recorded row `{name}`{hint}; expected TABLE/ROW; `cargo xtask compare` lists the rows"
            )));
        }
        for entry in found {
            sets.entry(entry.test_set()).or_default().push((place, entry));
        }
    }
    let several = |rows: &[(usize, &Entry)]| rows.iter().any(|(place, _)| *place != rows[0].0);
    let of_set = |(set, rows): (&TestSet, &Vec<(usize, &Entry)>)| Compared::of(set, rows, asked);
    let groups: Vec<Compared> = sets.iter().filter(|(_, rows)| several(rows)).map(of_set).collect();
    if groups.is_empty() {
        let tested =
            |(set, rows): (&TestSet, &Vec<(usize, &Entry)>)| format!("{} on {set}", asked[rows[0].0]);
        let where_tested: Vec<String> = sets.iter().map(tested).collect();
        return Err(Error::Usage(format!(
            "no two of these rows were tested on the same videos, so their difference may be one of videos: {}; run both tables \
             with the same --dataset and --data-seed",
            where_tested.join("; ")
        )));
    }
    Ok(Matrix { groups })
}

impl Compared {
    fn of(set: &TestSet, rows: &[(usize, &Entry)], asked: &[String]) -> Self {
        let named = rows.iter().map(|(place, entry)| Named {
            name: asked[*place].clone(),
            run: entry.run.clone(),
            top1: entry.record.top1,
        });
        let places = |first: usize| (first + 1..rows.len()).map(move |second| (first, second));
        let pairs = (0..rows.len()).flat_map(places).map(|(first, second)| Pair {
            first,
            second,
            difference: between(rows[first].1, rows[second].1),
        });
        Self { test_set: set.to_string(), rows: named.collect(), pairs: pairs.collect() }
    }

    fn difference(&self, first: usize, second: usize) -> Option<&Difference> {
        let is = |pair: &&Pair| (pair.first, pair.second) == (first, second);
        self.pairs.iter().find(is)?.difference.as_ref()
    }

    /// A line for each row, with its lead over each row below.
    fn grid(&self) -> Grid {
        let mut head = vec!["row".to_owned(), "run".to_owned(), "accuracy".to_owned()];
        head.extend(self.rows[1..].iter().map(|row| format!("less {}", row.name)));
        let mut lines = vec![head];
        for (first, row) in self.rows.iter().enumerate() {
            let top1 = row.top1;
            let mut line = vec![row.name.clone(), row.run.clone(), within(top1.value, top1.low, top1.high)];
            line.extend(
                (1..self.rows.len()).map(|second| {
                    self.difference(first, second).map_or(NONE.to_owned(), ToString::to_string)
                }),
            );
            lines.push(line);
        }
        Grid::new(lines, 2).dispensable(&["run"])
    }

    /// A sentence for each pair: the classes that differ most, and what the interval covers.
    fn notes(&self) -> Vec<String> {
        let note = |pair: &Pair| {
            let (first, second) = (&self.rows[pair.first].name, &self.rows[pair.second].name);
            let Some(difference) = &pair.difference else {
                return format!(
                    "{first} and {second}: a record is of a version before 0.17; run its table again"
                );
            };
            let classes: Vec<String> = difference
                .classes
                .iter()
                .map(|(class, points)| format!("{class} {}", signed(*points)))
                .collect();
            let most = if classes.is_empty() { "none".to_owned() } else { classes.join(", ") };
            let covers = if difference.covers_trainings {
                "the interval covers test videos and trainings"
            } else {
                "the interval covers test videos, for these nets"
            };
            format!("{first} less {second}: classes that differ most: {most}; {covers}")
        };
        self.pairs.iter().map(note).collect()
    }
}

/// The columns, in words.
const FOOT: &str = "less ROW: lead over that row in points, with its 95 % interval and the p-value of an exact sign-flip test over blocks \
     of test videos";

impl Matrix {
    /// Formats the matrix for a screen.
    pub fn terminal(&self, screen: Screen) -> String {
        let width = screen.width.unwrap_or(usize::MAX);
        let one = |group: &Compared| {
            let notes: Vec<String> = group.notes().iter().map(|note| wrapped(note, width)).collect();
            let set = wrapped(&group.test_set, width);
            format!("{set}\n{}\n{}", group.grid().terminal(screen), notes.join("\n"))
        };
        let groups: Vec<String> = self.groups.iter().map(one).collect();
        format!("{}\n\n{}", groups.join("\n\n"), wrapped(FOOT, width))
    }

    /// Formats the matrix as Markdown.
    pub fn markdown(&self) -> String {
        let one = |group: &Compared| {
            let notes: Vec<String> = group.notes().iter().map(|note| format!("- {note}")).collect();
            format!("**{}**\n\n{}\n\n{}", group.test_set, group.grid().markdown(), notes.join("\n"))
        };
        let groups: Vec<String> = self.groups.iter().map(one).collect();
        format!("{}\n\n{FOOT}", groups.join("\n\n"))
    }

    /// Formats the pairs as JSON.
    pub fn json(&self) -> String {
        json(self)
    }

    /// Formats the pairs as CSV, a line for each.
    pub fn csv(&self) -> String {
        let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
        let mut lines = vec!["test set,first,second,difference,low,high,p,covers trainings".to_owned()];
        for group in &self.groups {
            for pair in &group.pairs {
                let names = [&group.test_set, &group.rows[pair.first].name, &group.rows[pair.second].name];
                let numbers = pair.difference.as_ref().map_or(",,,,".to_owned(), |found| {
                    let Estimate { value, low, high } = found.points;
                    format!("{value:.1},{low:.1},{high:.1},{:.4},{}", found.p, found.covers_trainings)
                });
                lines.push(format!("{},{numbers}", names.map(|name| quoted(name)).join(",")));
            }
        }
        lines.join("\n")
    }
}
