//! Reads all papers, tables and runs from disk, in the order of the page.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use super::html::anchor;
use super::question;
use experiment::Result;
use experiment::record::{RECORD_VERSION, Record};
use experiment::run_folder::{RunFolder, VERDICTS, planned, recorded};
use experiment::table::{Row, Table};
use plan::spec::Spec;
use plan::{Remembered, RowPlan, Sources, Workspace};

/// All papers with their tables.
pub(super) struct Book {
    pub(super) papers: Vec<Paper>,
}

pub(super) struct Paper {
    /// Name of its folder.
    pub(super) name: String,
    /// Its title from its page in `docs/`, or else the name of its folder.
    pub(super) title: String,
    pub(super) tables: Vec<Tabled>,
}

/// A table and its runs.
pub(super) struct Tabled {
    pub(super) spec: Spec,
    pub(super) runs: Vec<Ran>,
}

/// A run of a table.
pub(super) struct Ran {
    /// Name of its folder, such as `synth-mini`.
    pub(super) name: String,
    pub(super) folder: RunFolder,
    /// Data set of the run, if the name of its folder is that of a known request.
    pub(super) dataset: Option<String>,
    /// Command-line flags that ask for this run.
    pub(super) flags: String,
    /// Its numbers and verdicts.
    pub(super) table: Table,
    /// Further facts about each row, in the order of the table.
    beside: Vec<Beside>,
    /// Problems with the folder, in words.
    pub(super) problems: Vec<String>,
}

/// Facts about a row other than its numbers.
pub(super) struct Beside {
    /// Its anchor on the page.
    pub(super) anchor: String,
    /// Reasons why its record differs from what the spec now asks for.
    pub(super) caveats: Vec<String>,
    /// The first row on the page with the same tests of the same nets.
    pub(super) same_as: Option<Same>,
}

/// A row on the page.
#[derive(Clone, Copy)]
pub(super) struct Line<'a> {
    pub(super) row: &'a Row,
    pub(super) beside: &'a Beside,
}

/// A reference to another row.
#[derive(Clone)]
pub(super) struct Same {
    pub(super) anchor: String,
    pub(super) name: String,
}

impl Book {
    /// Reads specs, records and verdicts.
    ///
    /// # Errors
    /// An error for a spec that cannot be read.
    pub(super) fn open(workspace: &Workspace) -> Result<Self> {
        let mut papers: Vec<Paper> = Vec::new();
        // Runs share their data sets.
        let sources = Remembered::new(workspace);
        // The first row for each list of test units.
        let mut known = BTreeMap::new();
        for (spec, folders) in recorded(workspace)? {
            let runs = folders.iter().filter_map(|folder| Ran::open(&sources, &spec, folder, &mut known));
            let table = Tabled { runs: runs.collect(), spec };
            match papers.last_mut().filter(|paper| paper.name == table.spec.paper) {
                Some(paper) => paper.tables.push(table),
                None => papers.push(Paper::new(workspace, table)),
            }
        }
        Ok(Self { papers })
    }

    pub(super) fn tables(&self) -> impl Iterator<Item = &Tabled> {
        self.papers.iter().flat_map(|paper| &paper.tables)
    }

    pub(super) fn runs(&self) -> impl Iterator<Item = (&Tabled, &Ran)> {
        self.tables().flat_map(|table| table.runs.iter().map(move |run| (table, run)))
    }
}

impl Paper {
    fn new(workspace: &Workspace, first: Tabled) -> Self {
        let name = first.spec.paper.clone();
        // The first line of the page is, for example, "# Two-Stream ConvNets: every table".
        let page = workspace.root.join("docs").join(format!("{name}.md"));
        let text = base::files::read_text(&page).unwrap_or_default();
        let heading = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let title = heading.and_then(|h| h.split(':').next()).unwrap_or(&name).trim().to_owned();
        Self { title, tables: vec![first], name }
    }

    /// Returns the authors and the venue: the beginning that the sources of all its tables share.
    pub(super) fn source(&self) -> String {
        let parts =
            |table: &Tabled| -> Vec<String> { table.spec.source.split(", ").map(str::to_owned).collect() };
        let mut tables = self.tables.iter().map(parts);
        let mut source = tables.next().unwrap_or_default();
        for other in tables {
            let same = source.iter().zip(&other).take_while(|(a, b)| a == b).count();
            source.truncate(same);
        }
        source.join(", ")
    }

    pub(super) fn anchor(&self) -> String {
        anchor([self.name.as_str()])
    }
}

impl Tabled {
    pub(super) fn anchor(&self) -> String {
        anchor([self.spec.paper.as_str(), &self.spec.short_name()])
    }
}

impl Ran {
    /// Reads a run. Returns `None` for a folder without any record.
    fn open(
        sources: &dyn Sources,
        spec: &Spec,
        folder: &RunFolder,
        known: &mut BTreeMap<Vec<String>, Same>,
    ) -> Option<Self> {
        let ids = folder.files().into_iter().filter_map(|path| {
            let name = path.file_name()?.to_str()?;
            name.strip_suffix(".json").map(str::to_owned)
        });
        let files: Vec<String> = ids.collect();
        if files.is_empty() {
            return None;
        }
        let name = folder.name.clone();
        let asked = planned(sources, spec, &name);
        let plan = asked.as_ref().map(|(plan, _)| plan);
        let (table, mut problems) = Table::recorded(spec, plan, folder);
        let short = spec.short_name();
        let beside = table.rows.iter().map(|row| {
            let anchor = anchor([spec.paper.as_str(), &short, &name, &row.id]);
            let plan = plan.and_then(|plan| plan.rows.iter().find(|planned| planned.row.id == row.id));
            let caveats = row.state.record().map_or_else(Vec::new, |record| caveats(record, plan));
            let same_as = row.state.record().and_then(|record| {
                let units = record.runs.iter().map(|run| run.test_unit.clone()).collect();
                let name = format!("{} {name} {}", spec.name(), row.id);
                let here = Same { anchor: anchor.clone(), name };
                match known.entry(units) {
                    Entry::Occupied(first) => Some(first.get().clone()),
                    Entry::Vacant(place) => {
                        place.insert(here);
                        None
                    }
                }
            });
            Beside { anchor, caveats, same_as }
        });
        let beside = beside.collect();
        for file in files.iter().filter(|file| format!("{file}.json") != VERDICTS) {
            if !spec.row.iter().any(|row| row.id == *file) {
                problems
                    .push(format!("{file}.json does not belong to any row of the table; it is not shown"));
            }
        }
        if plan.is_none() {
            problems.push(format!(
                "no request of this version writes to a folder named {name}, so rows that were not run cannot be described"
            ));
        }
        Some(Self {
            dataset: plan.map(|plan| plan.dataset.clone()),
            flags: asked.as_ref().map_or_else(String::new, |(plan, request)| question::flags(plan, request)),
            folder: folder.clone(),
            table,
            beside,
            problems,
            name,
        })
    }

    pub(super) fn anchor(&self, table: &Tabled) -> String {
        anchor([table.spec.paper.as_str(), &table.spec.short_name(), &self.name])
    }

    /// Returns its rows in the order of the table.
    pub(super) fn rows(&self) -> impl Iterator<Item = Line<'_>> {
        self.table.rows.iter().zip(&self.beside).map(|(row, beside)| Line { row, beside })
    }

    pub(super) fn recorded(&self) -> impl Iterator<Item = (Line<'_>, &Record)> {
        self.rows().filter_map(|line| Some((line, line.row.state.record()?)))
    }
}

/// Lists the differences between a record and its plan.
fn caveats(record: &Record, plan: Option<&RowPlan>) -> Vec<String> {
    let mut caveats = Vec::new();
    if record.version != RECORD_VERSION {
        caveats
            .push(format!("the record has format {}; this program writes {RECORD_VERSION}", record.version));
    }
    if let Some(plan) = plan {
        if plan.work != record.work {
            caveats.push("the spec has changed since it was run".to_owned());
        }
        let asked = plan.splits.len() * plan.seeds.len();
        if record.runs.len() != asked {
            caveats.push(format!("{} of {asked} splits and seeds were run", record.runs.len()));
        }
    }
    let (expected, scored) = record.videos();
    if expected != scored {
        caveats.push(format!("partial: {scored} of {expected} test videos were scored"));
    }
    caveats
}
