//! The file of a new table, ready to run and to change.

use std::path::PathBuf;

use super::file::Draft;
use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::{Request, TablePlan, Workspace};

/// Drafts the table `PAPER/TABLE` that extends another one. Its two rows are the first of that table that can stand alone.
///
/// # Errors
/// [`Error::Usage`] for a name that is not of the form `PAPER/TABLE` or that exists, and if the other table has no two such
/// rows; [`Error::UnknownTable`] if there is no such table.
pub fn table(workspace: &Workspace, name: &str, extends: &str) -> Result<Draft> {
    let is_word = |word: &str| {
        word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let (paper, short) = match name.split('/').collect::<Vec<_>>()[..] {
        [paper, short] if is_word(paper) && is_word(short) => (paper, short),
        _ => {
            return Err(Error::Usage(format!(
                "`{name}` cannot be the name of a table; expected PAPER/TABLE in small letters, digits and `-`, such as \
                 two-stream/deeper-stacks"
            )));
        }
    };
    let path = workspace.root.join("experiments").join(format!("{name}.toml"));
    if path.exists() {
        return Err(Error::Usage(format!("{} exists; choose another name or edit it", path.display())));
    }
    let base = workspace.full_names(&[extends])?.remove(0);
    let other = base::files::read_text(&workspace.find(&base)?)?;
    // `table1b` is the table of number `1b`.
    let number = short.strip_prefix("table").filter(|rest| rest.starts_with(|c: char| c.is_ascii_digit()));
    let rows = rows(&other);
    for (at, first) in rows.iter().enumerate() {
        for second in &rows[at + 1..] {
            let text = text(paper, number.unwrap_or(short), name, &base, [first, second]);
            let shown = PathBuf::from("experiments").join(format!("{name}.toml"));
            let spec = Spec::parse(&text, &shown, &workspace.root.join("experiments"));
            let plan = spec.and_then(|spec| TablePlan::resolve(spec, shown, &Request::default(), workspace));
            if plan.is_ok() {
                return Ok(Draft { path, text, found: format!("two rows of {base}") });
            }
        }
    }
    Err(Error::Usage(format!(
        "{base} has no two rows that can stand alone; name another table with --extends"
    )))
}

/// A row of another table: its id, and its lines without those that belong to that table alone.
struct Row {
    id: String,
    lines: String,
}

fn rows(text: &str) -> Vec<Row> {
    let mut rows = Vec::new();
    for block in text.split("\n[[row]]\n").skip(1) {
        let end = block.find("\n[").unwrap_or(block.len());
        let own = ["column", "where", "reported", "#"];
        let lines: Vec<&str> = block[..end]
            .lines()
            .filter(|line| !line.is_empty() && !own.iter().any(|key| line.starts_with(key)))
            .collect();
        let id = lines.iter().find_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"'));
        if let Some(id) = id.filter(|_| lines.iter().any(|line| line.starts_with("net."))) {
            rows.push(Row { id: id.to_owned(), lines: lines.join("\n") });
        }
    }
    rows
}

fn text(paper: &str, table: &str, name: &str, base: &str, [first, second]: [&Row; 2]) -> String {
    format!(
        "#:schema ../table.schema.json
# {name}: say here in one line what the table asks.
#
# Data sets, protocols and scales are those of {base} unless given here. `cargo xtask show {name}` prints
# every value; docs/specs.md lists every key.

paper = \"{paper}\"
table = \"{table}\"
title = \"A title\"
source = \"Authors, venue, place in the paper\"
extends = \"{base}\"

# To change one value of a protocol or a scale, name it:
# [profile.mini]
# iterations = 0.004

# Each row trains and tests one network. `reported = 81.0` adds the paper's top-1 accuracy in percent.
[[row]]
{}

[[row]]
{}

# A claim is an inequality between rows, judged by its interval over the test videos.
[[claim]]
id = \"first-beats-second\"
says = \"say in words what is claimed\"
where = \"place in the paper\"
holds = \"{} > {}\"
",
        first.lines, second.lines, first.id, second.id
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workspace() -> Workspace {
        Workspace::new(std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
    }

    #[test]
    fn a_draft_of_every_table_can_be_planned() {
        let mut drafted = 0;
        for base in workspace().tables().unwrap() {
            match table(&workspace(), "mine/table7", &base) {
                Ok(draft) => {
                    assert!(
                        draft.text.contains("table = \"7\"")
                            && draft.path.ends_with("experiments/mine/table7.toml")
                    );
                    drafted += 1;
                }
                Err(error) => assert!(error.to_string().contains("no two rows"), "{base}: {error}"),
            }
        }
        assert!(drafted >= 6, "only {drafted} tables can be begun from");
    }

    #[test]
    fn a_name_that_leads_elsewhere_or_exists_is_refused() {
        for name in ["mine", "../mine", "mine/a/b", "Mine/a", "mine/", "two-stream/table1b"] {
            assert!(table(&workspace(), name, "table1b").is_err(), "{name}");
        }
    }
}
