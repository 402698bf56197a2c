//! Checks that the nightly workflow covers all recorded tables.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_recorded_table_is_checked_every_night() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tables = BTreeSet::new();
    let inside = |folder: &Path| -> Vec<_> {
        let entries = std::fs::read_dir(folder).expect("a folder of results");
        entries.map(|entry| entry.expect("an entry").path()).filter(|path| path.is_dir()).collect()
    };
    let name = |path: &Path| path.file_name().expect("a name").to_string_lossy().into_owned();
    for paper in inside(&root.join("results")) {
        for table in inside(&paper) {
            tables.insert(format!("{}/{}", name(&paper), name(&table)));
        }
    }
    let workflow = std::fs::read_to_string(root.join(".github/workflows/check.yml")).expect("the workflow");
    let (_, list) =
        workflow.split_once("\n        table:\n").expect("the job `tables` has a matrix of tables");
    let named = list.lines().map_while(|line| line.trim().strip_prefix("- "));
    let named: BTreeSet<String> = named.map(str::to_owned).collect();
    assert_eq!(named, tables, ".github/workflows/check.yml and results/ differ");
}
