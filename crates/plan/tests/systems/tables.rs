//! Tables of the checkout: their plans, and their errors after a change.

use std::path::Path;

use plan::spec::{ProfileName, Spec};
use plan::{Protocol, Request, TablePlan, Workspace};

fn workspace() -> Workspace {
    Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

pub(crate) fn plan(table: &str, profile: ProfileName) -> TablePlan {
    let (spec, file) = workspace().spec(table).unwrap();
    let request = Request { profile: Some(profile), ..Request::default() };
    TablePlan::resolve(spec, file, &request, &workspace()).unwrap()
}

pub(crate) fn protocol(table: &str, row: &str) -> Protocol {
    let plan = plan(table, ProfileName::Mini);
    let row = plan.rows.iter().find(|known| known.row.id == row).unwrap();
    row.work.protocols()[0].clone()
}

/// Reads a table with a change; returns the error.
pub(crate) fn refused(table: &str, from: &str, to: &str) -> String {
    let experiments = workspace().root.join("experiments");
    let file = experiments.join(format!("{table}.toml"));
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from} is not in {table}");
    match Spec::parse(&text.replace(from, to), &file, &experiments) {
        Ok(spec) => {
            let request = Request { profile: Some(ProfileName::Mini), ..Request::default() };
            TablePlan::resolve(spec, file, &request, &workspace()).unwrap_err().to_string()
        }
        Err(error) => error.to_string(),
    }
}
