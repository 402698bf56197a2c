//! Tests that committed tables equal those printed from their records.

use std::path::Path;

use experiment::run_folder::{planned, recorded};
use experiment::table::Table;
use plan::Workspace;

/// Compares byte for byte. The verdicts are the committed ones, since the scores behind them are not committed.
#[test]
fn every_committed_table_follows_from_its_records() {
    let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let mut count = 0;
    let mut others = Vec::new();
    for (spec, folders) in recorded(&workspace).unwrap() {
        for folder in folders {
            let committed = std::fs::read_to_string(folder.file("table.md")).unwrap();
            let plan = planned(&workspace, &spec, &folder.name);
            let (plan, _) =
                plan.unwrap_or_else(|| panic!("no question leads to {}", folder.place().display()));
            let (table, problems) = Table::recorded(&spec, Some(&plan), &folder);
            assert_eq!(problems, Vec::<String>::new(), "{}", folder.place().display());
            count += 1;
            let now = table.markdown();
            if now != committed {
                let line = now.lines().zip(committed.lines()).find(|(now, then)| now != then);
                others.push(format!("{}: {line:#?}", folder.place().display()));
            }
        }
    }
    assert_eq!(others, Vec::<String>::new());
    assert!(count >= 25, "only {count} tables are committed");
}
