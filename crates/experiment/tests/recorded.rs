//! Tests that committed tables equal those printed from their records.

use std::path::Path;

use experiment::list;
use experiment::table::Table;
use plan::Workspace;

/// Compares byte for byte. The verdicts are the committed ones, since the scores behind them are not committed.
#[test]
fn every_committed_table_follows_from_its_records() {
    let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let mut count = 0;
    let mut others = Vec::new();
    for (spec, folders) in list::recorded(&workspace).unwrap() {
        for folder in folders {
            let committed = std::fs::read_to_string(folder.join("table.md")).unwrap();
            let plan = list::planned(&workspace, &spec, &list::name(&folder));
            let (plan, _) = plan.unwrap_or_else(|| panic!("no question leads to {}", folder.display()));
            let (table, problems) = Table::recorded(&spec, Some(&plan), &folder);
            assert_eq!(problems, Vec::<String>::new(), "{}", folder.display());
            count += 1;
            let now = table.markdown();
            if now != committed {
                let line = now.lines().zip(committed.lines()).find(|(now, then)| now != then);
                others.push(format!("{}: {line:#?}", folder.display()));
            }
        }
    }
    assert_eq!(others, Vec::<String>::new());
    assert!(count >= 25, "only {count} tables are committed");
}
