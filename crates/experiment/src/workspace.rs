//! Where things lie: specs, data sets, results, the cache.

use std::path::{Path, PathBuf};

use data::dataset::{Dataset, DatasetSpec};

use crate::error::{Error, Result, did_you_mean};
use crate::plan::{DatasetFacts, Sources};
use crate::spec::Spec;

/// The folders of the workspace.
#[derive(Debug, Clone)]
pub struct Workspace {
    /// The checkout.
    pub root: PathBuf,
    /// Records and tables, `results/` unless a flag says otherwise.
    pub results: PathBuf,
    /// Frames, flow, checkpoints, weights and scores: `.cache/` unless a flag
    /// says otherwise.
    pub cache: PathBuf,
}

impl Workspace {
    /// The usual folders below a checkout.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self { results: root.join("results"), cache: root.join(".cache"), root }
    }

    /// The files of all specs, in name order.
    ///
    /// # Errors
    /// [`Error::Io`] when `experiments/` cannot be listed.
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

    /// The full names of all tables, in name order.
    ///
    /// # Errors
    /// As [`Workspace::spec_files`].
    pub fn tables(&self) -> Result<Vec<String>> {
        Ok(self.spec_files()?.iter().map(|file| self.table_name(file)).collect())
    }

    /// The file of the table with that name: `table1b` where one paper alone
    /// has it, `two-stream/table1b` always.
    ///
    /// # Errors
    /// [`Error::UnknownTable`].
    pub fn find(&self, table: &str) -> Result<PathBuf> {
        let files = self.spec_files()?;
        let names: Vec<String> = files.iter().map(|file| self.table_name(file)).collect();
        let hits: Vec<usize> = (0..files.len())
            .filter(|&i| names[i] == table || names[i].split('/').nth(1) == Some(table))
            .collect();
        match hits[..] {
            [hit] => Ok(files[hit].clone()),
            [] => {
                let short = names.iter().filter_map(|name| name.split('/').nth(1));
                let known = names.iter().map(String::as_str).chain(short);
                Err(Error::UnknownTable(format!(
                    "no table `{table}`{}; there are: {}",
                    did_you_mean(table, known),
                    names.join(", ")
                )))
            }
            _ => {
                let several: Vec<&str> = hits.iter().map(|&i| names[i].as_str()).collect();
                Err(Error::UnknownTable(format!(
                    "`{table}` may mean {}; name one of them in full",
                    several.join(" or ")
                )))
            }
        }
    }

    /// Reads the spec of a table.
    ///
    /// # Errors
    /// [`Error::UnknownTable`], and those of [`Spec::read`].
    pub fn spec(&self, table: &str) -> Result<(Spec, PathBuf)> {
        let file = self.find(table)?;
        let shown = file.strip_prefix(&self.root).unwrap_or(&file).to_owned();
        let text = std::fs::read_to_string(&file).map_err(Error::io("read", &file))?;
        Ok((Spec::parse(&text, &shown)?, shown))
    }

    fn table_name(&self, file: &Path) -> String {
        let path = file.strip_prefix(self.root.join("experiments")).unwrap_or(file);
        path.with_extension("").to_string_lossy().into_owned()
    }

    /// The file that describes a data set.
    ///
    /// # Errors
    /// [`Error::Usage`] with a suggestion when there is no such data set.
    pub fn dataset_file(&self, name: &str) -> Result<PathBuf> {
        let folder = self.root.join("datasets");
        let names: Vec<String> = list(&folder)?
            .iter()
            .filter(|f| f.extension().is_some_and(|e| e == "toml"))
            .filter_map(|f| f.file_stem().map(|stem| stem.to_string_lossy().into_owned()))
            .collect();
        if names.iter().any(|known| known == name) {
            return Ok(folder.join(format!("{name}.toml")));
        }
        Err(Error::Usage(format!(
            "no data set `{name}`{}; there are: {}",
            did_you_mean(name, names.iter().map(String::as_str)),
            names.join(", ")
        )))
    }
}

impl Sources for Workspace {
    fn spec(&self, table: &str) -> Result<(Spec, PathBuf)> {
        Self::spec(self, table)
    }

    /// Its videos need not be there.
    fn facts(&self, dataset: &str) -> Result<DatasetFacts> {
        let spec = DatasetSpec::load(&self.dataset_file(dataset)?)?;
        let facts = Dataset::describe(&spec)?;
        Ok(DatasetFacts {
            name: dataset.to_owned(),
            classes: facts.classes,
            splits: facts.splits,
            data_seed: spec.data_seed(),
        })
    }
}

fn list(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = std::fs::read_dir(folder).map_err(Error::io("list", folder))?;
    let mut paths = entries
        .map(|entry| entry.map(|e| e.path()))
        .collect::<std::io::Result<Vec<_>>>()
        .map_err(Error::io("list", folder))?;
    paths.sort();
    Ok(paths)
}
