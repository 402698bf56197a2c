//! What is on disk, in the order of the page.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::html::anchor;
use super::question;
use experiment::claim::Verdict;
use experiment::error::Result;
use experiment::list;
use experiment::record::{RECORD_VERSION, Record};
use experiment::table;
use plan::Workspace;
use plan::spec::{self, Spec};
use plan::{Request, RowPlan, RunName, TablePlan, Work};

/// Papers with their tables.
pub(super) struct Book {
    pub(super) papers: Vec<Paper>,
}

pub(super) struct Paper {
    /// Its folder's name.
    pub(super) name: String,
    /// Its title, where `docs/` has a page of it.
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
    /// Its folder's name, such as `synth-mini`.
    pub(super) name: String,
    pub(super) folder: PathBuf,
    /// The data set that it was asked for, where its folder's name says so.
    pub(super) dataset: Option<String>,
    /// What it was run on, in words.
    pub(super) data: String,
    /// The flags of the commands that ask this question.
    pub(super) flags: String,
    pub(super) departures: Vec<String>,
    /// One a row of the spec.
    pub(super) rows: Vec<Found>,
    /// The spec's claims, each with its verdict where there is one.
    pub(super) claims: Vec<Judged>,
    /// What is wrong with the folder, in words.
    pub(super) problems: Vec<String>,
}

/// What there is of a row.
pub(super) struct Found {
    pub(super) row: spec::Row,
    /// The name of its place on the page.
    pub(super) anchor: String,
    pub(super) state: State,
}

pub(super) enum State {
    Recorded(Box<Recorded>),
    /// There is a file, which cannot be read.
    Damaged(String),
    /// These data sets cannot give it.
    Unavailable(String),
    NotRun,
}

pub(super) struct Recorded {
    pub(super) record: Record,
    /// Why it is not what the spec asks for now.
    pub(super) caveats: Vec<String>,
    /// The first row on the page that is the same test of the same nets.
    pub(super) same_as: Option<Same>,
}

/// Another row.
#[derive(Clone)]
pub(super) struct Same {
    pub(super) anchor: String,
    pub(super) name: String,
}

/// A claim of the spec.
pub(super) struct Judged {
    pub(super) claim: spec::Claim,
    /// `None` where nothing has judged this rule.
    pub(super) judged: Option<table::Claim>,
}

impl Book {
    /// Reads specs, records and verdicts.
    ///
    /// # Errors
    /// Specs that cannot be read.
    pub(super) fn open(workspace: &Workspace) -> Result<Self> {
        let mut papers: Vec<Paper> = Vec::new();
        // By test units.
        let mut known = BTreeMap::new();
        for (spec, folders) in list::recorded(workspace)? {
            let runs = folders.iter().filter_map(|folder| Ran::open(workspace, &spec, folder, &mut known));
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
        // "Two-Stream ConvNets: every table" of the page's first line.
        let page = workspace.root.join("docs").join(format!("{name}.md"));
        let text = std::fs::read_to_string(page).unwrap_or_default();
        let heading = text.lines().next().and_then(|line| line.strip_prefix("# "));
        let title = heading.and_then(|h| h.split(':').next()).unwrap_or(&name).trim().to_owned();
        Self { title, tables: vec![first], name }
    }

    /// Authors and venue: what the sources of its tables begin with.
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
    /// `None` for a folder in which nothing was recorded.
    fn open(
        workspace: &Workspace,
        spec: &Spec,
        folder: &Path,
        known: &mut BTreeMap<Vec<String>, Same>,
    ) -> Option<Self> {
        let mut files: Vec<String> = std::fs::read_dir(folder)
            .ok()?
            .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
            .filter_map(|name| name.strip_suffix(".json").map(str::to_owned))
            .collect();
        files.sort();
        if files.is_empty() {
            return None;
        }
        let name = list::name(folder);
        let asked = planned(workspace, spec, &name);
        let plan = asked.as_ref().map(|(plan, _)| plan);
        let mut problems = Vec::new();
        let short = spec.short_name();
        let rows = spec.row.iter().map(|row| {
            let anchor = anchor([spec.paper.as_str(), &short, &name, &row.id]);
            let row_plan = plan.and_then(|plan| plan.rows.iter().find(|planned| planned.row.id == row.id));
            let file = folder.join(format!("{}.json", row.id));
            let state = match Record::read(&file) {
                Ok(record) => {
                    let here =
                        Same { anchor: anchor.clone(), name: format!("{} {name} {}", spec.name(), row.id) };
                    State::Recorded(Box::new(Recorded::new(record, row_plan, here, known)))
                }
                Err(error) if file.exists() => {
                    problems.push(format!("the record of {} cannot be read: {error}", row.id));
                    State::Damaged(error.to_string())
                }
                Err(_) => match row_plan.map(|row| &row.work) {
                    Some(Work::Unavailable { reason }) => State::Unavailable(reason.clone()),
                    _ => State::NotRun,
                },
            };
            Found { row: row.clone(), anchor, state }
        });
        let rows: Vec<Found> = rows.collect();
        for file in files.iter().filter(|file| format!("{file}.json") != list::VERDICTS) {
            if !spec.row.iter().any(|row| row.id == *file) {
                problems.push(format!("{file}.json belongs to no row of the table; it is not shown"));
            }
        }
        if plan.is_none() {
            problems.push(format!(
                "no question leads to a folder of the name {name} any more, so that nothing can be said of rows that were not run"
            ));
        }
        let claims = claims(spec, folder, &mut problems);
        Some(Self {
            dataset: plan.map(|plan| plan.dataset.clone()),
            data: plan.map_or_else(|| name.clone(), TablePlan::data_words),
            flags: asked.as_ref().map_or_else(String::new, |(plan, request)| question::flags(plan, request)),
            departures: plan.map_or_else(Vec::new, |plan| plan.departures.clone()),
            folder: folder.to_owned(),
            rows,
            claims,
            problems,
            name,
        })
    }

    pub(super) fn anchor(&self, table: &Tabled) -> String {
        anchor([table.spec.paper.as_str(), &table.spec.short_name(), &self.name])
    }

    pub(super) fn recorded(&self) -> impl Iterator<Item = (&Found, &Recorded)> {
        self.rows.iter().filter_map(|row| match &row.state {
            State::Recorded(recorded) => Some((row, &**recorded)),
            _ => None,
        })
    }

    /// Claims of that verdict; those that nothing has judged count as not run.
    pub(super) fn verdicts(&self, verdict: Verdict) -> usize {
        let of = |claim: &Judged| claim.judged.as_ref().map_or(Verdict::NotRun, |judged| judged.verdict);
        self.claims.iter().filter(|claim| of(claim) == verdict).count()
    }
}

impl Recorded {
    fn new(
        record: Record,
        plan: Option<&RowPlan>,
        here: Same,
        known: &mut BTreeMap<Vec<String>, Same>,
    ) -> Self {
        let mut caveats = Vec::new();
        if record.version != RECORD_VERSION {
            caveats.push(format!(
                "the record has format {}, this program writes {RECORD_VERSION}",
                record.version
            ));
        }
        if let Some(plan) = plan {
            if plan.work != record.work {
                caveats.push("it was run by another plan than the spec's present one".to_owned());
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
        let units: Vec<String> = record.runs.iter().map(|run| run.test_unit.clone()).collect();
        let same_as = known.get(&units).cloned();
        if same_as.is_none() {
            known.insert(units, here);
        }
        Self { record, caveats, same_as }
    }
}

/// The plan that led to a folder, if the folder's name still follows from one.
fn planned(workspace: &Workspace, spec: &Spec, folder: &str) -> Option<(TablePlan, Request)> {
    let request = folder.parse::<RunName>().ok()?.request();
    let (spec, file) = workspace.spec(&spec.name()).ok()?;
    let plan = TablePlan::resolve(spec, file, &request, workspace).ok()?;
    (plan.results.file_name().is_some_and(|name| name == folder)).then_some((plan, request))
}

fn claims(spec: &Spec, folder: &Path, problems: &mut Vec<String>) -> Vec<Judged> {
    let file = folder.join(list::VERDICTS);
    let judged: Vec<table::Claim> = match std::fs::read(&file) {
        Ok(text) => serde_json::from_slice(&text).unwrap_or_else(|error| {
            problems.push(format!("{} cannot be read: {error}", list::VERDICTS));
            Vec::new()
        }),
        Err(_) if spec.claim.is_empty() => Vec::new(),
        Err(error) => {
            problems.push(format!("there is no {}: {error}", list::VERDICTS));
            Vec::new()
        }
    };
    let of = |claim: &spec::Claim| {
        let same = |judged: &&table::Claim| judged.id == claim.id && judged.rule == claim.holds;
        Judged { claim: claim.clone(), judged: judged.iter().find(same).cloned() }
    };
    spec.claim.iter().map(of).collect()
}
