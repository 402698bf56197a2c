//! Locations of specs, data sets, results and the cache.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use data::dataset::{Dataset, DatasetSpec};

use base::{did_you_mean, there_are};

use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::table::{DatasetFacts, Sources};

/// The folders of the workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// Root of the checkout.
    pub root: PathBuf,
    /// Folder of records and tables. Default: `results/`.
    pub results: PathBuf,
    /// Folder of further records, read and never written: the checkout's own `results/` if a user's runs are kept elsewhere.
    pub committed: Option<PathBuf>,
    /// Folder of frames, flow and published weights. Default: `.cache/`.
    pub cache: PathBuf,
    /// Folder of checkpoints, weights and scores, if it is not `units/` in the cache; used by regression checks.
    pub units: Option<PathBuf>,
}

impl Workspace {
    /// Makes a workspace with the default folders below a checkout.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { results: root.join("results"), committed: None, cache: root.join(".cache"), units: None, root }
    }

    /// The folders in which records are looked for, those that count first.
    pub fn all_results(&self) -> impl Iterator<Item = &Path> {
        std::iter::once(&*self.results).chain(self.committed.as_deref())
    }

    /// The records that a regression check compares with.
    pub fn baseline(&self) -> &Path {
        self.committed.as_deref().unwrap_or(&self.results)
    }

    /// Returns the folder of finished and unfinished units of work.
    pub fn units(&self) -> PathBuf {
        self.units.clone().unwrap_or_else(|| self.cache.join("units"))
    }

    /// Returns the files of all specs, in name order.
    ///
    /// # Errors
    /// [`Error::File`] when `experiments/` cannot be listed.
    pub fn spec_files(&self) -> Result<Vec<PathBuf>> {
        let experiments = self.root.join("experiments");
        let mut files = Vec::new();
        for paper in list(&experiments)? {
            if paper.is_dir() {
                files
                    .extend(list(&paper)?.into_iter().filter(|f| f.extension().is_some_and(|e| e == "toml")));
            }
        }
        files.sort();
        Ok(files)
    }

    /// Returns the full names of all tables, in name order.
    ///
    /// # Errors
    /// See [`Workspace::spec_files`].
    pub fn tables(&self) -> Result<Vec<String>> {
        Ok(self.spec_files()?.iter().map(|file| self.table_name(file)).collect())
    }

    /// Returns the spec file of a table, by its full name (`two-stream/table1b`)
    /// or by its short name (`table1b`) if only one paper has it.
    ///
    /// # Errors
    /// [`Error::UnknownTable`].
    pub fn find(&self, table: &str) -> Result<PathBuf> {
        let name = self.full_names(&[table])?.remove(0);
        Ok(self.root.join("experiments").join(format!("{name}.toml")))
    }

    /// Returns the full names of the tables of one command. A short name that several papers share means the table of the
    /// paper that all other tables of the command belong to.
    ///
    /// # Errors
    /// [`Error::UnknownTable`] for an unknown or ambiguous name.
    pub fn full_names(&self, asked: &[impl AsRef<str>]) -> Result<Vec<String>> {
        let known = self.tables()?;
        let meant: Vec<Vec<&String>> =
            asked.iter().map(|name| meant_by(name.as_ref(), &known)).collect::<Result<_>>()?;
        let papers: BTreeSet<&str> = meant
            .iter()
            .filter_map(|names| match names[..] {
                [name] => name.split('/').next(),
                _ => None,
            })
            .collect();
        let one = |names: &Vec<&String>| match names[..] {
            [name] => Some(name.clone()),
            _ if papers.len() == 1 => {
                let of_paper =
                    |name: &&&String| name.split('/').next().is_some_and(|paper| papers.contains(paper));
                names.iter().find(of_paper).map(|name| (*name).clone())
            }
            _ => None,
        };
        asked
            .iter()
            .zip(&meant)
            .map(|(asked, names)| {
                one(names).ok_or_else(|| {
                    let several: Vec<&str> = names.iter().map(|name| name.as_str()).collect();
                    Error::UnknownTable(format!(
                        "`{}` is ambiguous: {}; give the full name",
                        asked.as_ref(),
                        several.join(" or ")
                    ))
                })
            })
            .collect()
    }

    /// Reads the spec of a table.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], and the errors of [`Spec::read`].
    pub fn spec(&self, table: &str) -> Result<(Spec, PathBuf)> {
        let file = self.find(table)?;
        let shown = file.strip_prefix(&self.root).unwrap_or(&file).to_owned();
        let text = base::files::read_text(&file)?;
        Ok((Spec::parse(&text, &shown, &self.root.join("experiments"))?, shown))
    }

    fn table_name(&self, file: &Path) -> String {
        let path = file.strip_prefix(self.root.join("experiments")).unwrap_or(file);
        let path = path.to_string_lossy();
        path.strip_suffix(".toml").unwrap_or(&path).to_owned()
    }

    /// Returns the names of all data sets, in the order of their files.
    ///
    /// # Errors
    /// [`Error::File`] when `datasets/` cannot be listed.
    pub fn datasets(&self) -> Result<Vec<String>> {
        let files = list(&self.root.join("datasets"))?;
        let files = files.iter().filter(|f| f.extension().is_some_and(|e| e == "toml"));
        Ok(files.filter_map(|f| f.file_stem().map(|stem| stem.to_string_lossy().into_owned())).collect())
    }

    /// Returns the file that describes a data set.
    ///
    /// # Errors
    /// [`Error::Usage`] with a suggestion if the data set does not exist.
    pub fn dataset_file(&self, name: &str) -> Result<PathBuf> {
        let names = self.datasets()?;
        if names.iter().any(|known| known == name) {
            return Ok(self.root.join("datasets").join(format!("{name}.toml")));
        }
        Err(Error::Usage(format!(
            "unknown data set `{name}`{}",
            there_are(name, names.iter().map(String::as_str))
        )))
    }
}

impl Sources for Workspace {
    fn spec(&self, table: &str) -> Result<(Spec, PathBuf)> {
        Self::spec(self, table)
    }

    /// Does not need the videos.
    fn facts(&self, dataset: &str) -> Result<DatasetFacts> {
        Ok(Dataset::describe(&DatasetSpec::load(&self.dataset_file(dataset)?)?)?)
    }
}

/// Returns the tables that match a full or short name; at least one.
fn meant_by<'a>(asked: &str, known: &'a [String]) -> Result<Vec<&'a String>> {
    let short = |name: &'a String| name.split('/').nth(1);
    let hits: Vec<&String> =
        known.iter().filter(|name| *name == asked || short(name) == Some(asked)).collect();
    if hits.is_empty() {
        let all = known.iter().map(String::as_str).chain(known.iter().filter_map(short));
        let hint = did_you_mean(asked, all);
        return Err(Error::UnknownTable(format!(
            "unknown table `{asked}`{hint}; there are: {}",
            known.join(", ")
        )));
    }
    Ok(hits)
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::metadata(folder).map_err(Error::io("list", folder))?;
    Ok(base::files::list(folder)?)
}
