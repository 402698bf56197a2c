//! What is checked every night is all that there is.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_table_is_checked_every_night() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut tables = BTreeSet::new();
    for paper in std::fs::read_dir(root.join("experiments")).expect("the specs") {
        let paper = paper.expect("a folder of specs").path();
        for spec in std::fs::read_dir(&paper).expect("a paper's specs") {
            let path = spec.expect("a spec").path();
            let name = |path: &Path| path.file_stem().expect("a name").to_string_lossy().into_owned();
            tables.insert(format!("{}/{}", name(&paper), name(&path)));
        }
    }
    let workflow = std::fs::read_to_string(root.join(".github/workflows/check.yml")).expect("the workflow");
    let (_, list) =
        workflow.split_once("\n        table:\n").expect("the job `tables` has a matrix of tables");
    let named = list.lines().map_while(|line| line.trim().strip_prefix("- "));
    let named: BTreeSet<String> = named.map(str::to_owned).collect();
    assert_eq!(named, tables, ".github/workflows/check.yml and experiments/ differ");
}
