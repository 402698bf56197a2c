//! Makes the checked numbers the baseline.

use std::path::{Path, PathBuf};

use super::{Checked, Checker, TableCheck, Verdict};
use crate::error::{Error, Result};
use crate::run_folder::VERDICTS;
use crate::store::write_atomic;
use base::text::points;

/// The heading of unreleased changes.
const UNRELEASED: &str = "## Unreleased";

impl Checked {
    /// Returns `true` if a row differs from its committed record at all.
    pub(super) fn differs(&self) -> bool {
        self.rows().any(|row| row.verdict != Verdict::Same)
    }

    /// Deletes the folder of the check.
    pub(super) fn forget(&self) -> Result<()> {
        std::fs::remove_dir_all(&self.scratch).map_err(Error::io("delete", &self.scratch))
    }
}

impl Checker<'_> {
    /// Makes the records of a check the baseline, moves its units into the cache, and lists the changed numbers in the
    /// project's change log. Returns the files that it wrote; none if nothing differs.
    ///
    /// # Errors
    /// [`Error::File`] if a file cannot be written; [`Error::Usage`] if rows have failed.
    pub fn update(&self, checked: &Checked) -> Result<Vec<PathBuf>> {
        let failed: Vec<&str> =
            checked.rows().filter(|row| row.verdict == Verdict::Failed).map(|row| row.row.as_str()).collect();
        if !failed.is_empty() {
            return Err(Error::Usage(format!(
                "no baseline is written while rows fail: {}",
                failed.join(", ")
            )));
        }
        if !checked.differs() {
            return Ok(Vec::new());
        }
        let mut written = Vec::new();
        for table in &checked.tables {
            let folder = Path::new(&table.table).join(&table.run);
            let (from, to) =
                (checked.scratch.join("results").join(&folder), self.workspace.baseline().join(&folder));
            let rows = table.rows.iter().filter(|row| row.verdict != Verdict::Same);
            let files: Vec<String> = rows.map(|row| format!("{}.json", row.row)).collect();
            // The table and its verdicts cover all rows, so a check of some rows does not replace them.
            let whole = self.is_whole(table, &to)?;
            let besides = ["table.md", VERDICTS].map(str::to_owned);
            for file in files.into_iter().chain(besides.into_iter().filter(|_| whole)) {
                let bytes = base::files::read(&from.join(&file), base::files::TEXT)?;
                write_atomic(&to.join(&file), &bytes)?;
                written.push(to.join(&file));
            }
        }
        self.adopt_units(&checked.scratch.join("units"))?;
        let news = entry(checked);
        if self.workspace.baseline() == self.workspace.root.join("results") {
            let log = self.workspace.root.join("CHANGELOG.md");
            let text = base::files::read_text(&log)?;
            write_atomic(&log, with_entry(&text, &news).as_bytes())?;
            written.push(log);
        } else {
            self.console
                .line(&format!("these are not the project's results; their entry for CHANGELOG.md:\n{news}"));
        }
        checked.forget()?;
        Ok(written)
    }

    /// Returns `true` if every record in a folder was checked.
    fn is_whole(&self, table: &TableCheck, folder: &Path) -> Result<bool> {
        for path in base::files::list(folder)? {
            let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
            let record = name.strip_suffix(".json").filter(|_| name != VERDICTS);
            if record.is_some_and(|id| table.rows.iter().all(|row| row.row != id)) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Moves finished units into the cache, replacing those of an earlier program.
    fn adopt_units(&self, from: &Path) -> Result<()> {
        let to = self.workspace.units();
        std::fs::create_dir_all(&to).map_err(Error::io("create", &to))?;
        for unit in base::files::list(from)? {
            let place = to.join(unit.file_name().unwrap_or_default());
            if place.exists() {
                std::fs::remove_dir_all(&place).map_err(Error::io("delete", &place))?;
            }
            std::fs::rename(&unit, &place).map_err(Error::io("move", &unit))?;
        }
        Ok(())
    }
}

/// Lists the numbers that moved, one line per table.
fn entry(checked: &Checked) -> String {
    let mut text = String::new();
    for table in &checked.tables {
        let changed = table.rows.iter().filter(|row| row.verdict != Verdict::Same);
        let said: Vec<String> = changed
            .map(|row| match (row.before, row.now) {
                (Some(before), Some(now)) => {
                    format!("{} {} -> {}", row.row, points(before.value), points(now.value))
                }
                (_, Some(now)) => format!("{} {} (new)", row.row, points(now.value)),
                _ => row.row.clone(),
            })
            .collect();
        if !said.is_empty() {
            text.push_str(&format!("- {} ({}): {}.\n", table.table, table.run, said.join(", ")));
        }
    }
    text
}

/// Inserts an entry into the change log, first among the unreleased changes.
fn with_entry(log: &str, entry: &str) -> String {
    if let Some(at) = log.find(UNRELEASED) {
        let (before, after) = log.split_at(at + UNRELEASED.len());
        return format!("{before}\n\n{entry}{}", after.trim_start_matches('\n'));
    }
    let at = log.find("\n## ").map_or(log.len(), |at| at + 1);
    let (before, after) = log.split_at(at);
    format!("{before}{UNRELEASED}\n\n{entry}\n{after}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_comes_first_of_what_is_not_released() {
        let log = "# Changelog\n\nEach entry.\n\n## 0.7.0\n\n- Old.\n";
        let once = with_entry(log, "- a 1.0 -> 2.0.\n");
        assert_eq!(
            once,
            "# Changelog\n\nEach entry.\n\n## Unreleased\n\n- a 1.0 -> 2.0.\n\n## 0.7.0\n\n- Old.\n"
        );
        let twice = with_entry(&once, "- b.\n");
        assert!(twice.contains("## Unreleased\n\n- b.\n- a 1.0 -> 2.0.\n\n## 0.7.0"), "{twice}");
    }
}
