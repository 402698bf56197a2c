//! Locations of specs, data sets, results and the cache.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use data::dataset::{Dataset, DatasetSpec, plain_name};

use base::{did_you_mean, there_are};

use crate::error::{Error, Result};
use crate::spec::Spec;
use crate::table::{DatasetFacts, Request, Sources};

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
    /// Data sets outside the checkout, by name. [`Workspace::take_in`] adds them.
    pub own: BTreeMap<String, DatasetSpec>,
}

impl Workspace {
    /// Makes a workspace with the default folders below a checkout.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        let root = root.into();
        Self {
            results: root.join("results"),
            committed: None,
            cache: root.join(".cache"),
            units: None,
            own: BTreeMap::new(),
            root,
        }
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

    /// Takes in what a user names as a data set: a name, which is returned as it is, or a path. A TOML file or a folder of
    /// videos gets a name made from its own, by which the data set is known from then on.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such file or folder, or if a data set of the checkout has that name; the errors of
    /// [`DatasetSpec::load`].
    pub fn take_in(&mut self, asked: &str) -> Result<String> {
        let path = Path::new(asked);
        let known = self.datasets()?.iter().any(|known| known == asked);
        let is_path = asked.contains('/') || asked.ends_with(".toml") || path.is_dir();
        if known || !is_path {
            return Ok(asked.to_owned());
        }
        let real = path.canonicalize().map_err(|error| {
            Error::Usage(format!(
                "expected the name of a data set, a TOML file or a folder of videos; found `{asked}`: {error}"
            ))
        })?;
        if real.parent().is_some_and(|folder| folder == self.root.join("datasets")) {
            return Ok(path.file_stem().unwrap_or_default().to_string_lossy().into_owned());
        }
        let spec = own(&real)?;
        let name = spec.name.clone();
        if self.datasets()?.contains(&name) {
            return Err(Error::Usage(format!(
                "`{asked}` would be called `{name}`, which is a data set of the checkout; rename it"
            )));
        }
        // Records of the two would lie in one folder.
        let of_results =
            std::fs::read_link(own_link(&self.results, &name)).ok().filter(|known| known.exists());
        let known = self.own.get(&name).map(|spec| spec.path.clone()).or(of_results);
        if let Some(other) = known.filter(|other| *other != spec.path) {
            return Err(Error::Usage(format!(
                "`{asked}` would be called `{name}`, as {} is; describe it by a file of another name (`cargo xtask new dataset \
                 NAME --root DIR`), or delete {}",
                other.display(),
                own_link(&self.results, &name).display()
            )));
        }
        self.own.insert(name.clone(), spec);
        Ok(name)
    }

    /// Takes in the data set of a request, if it names one.
    ///
    /// # Errors
    /// Those of [`Workspace::take_in`].
    pub fn understand(&mut self, request: Request) -> Result<Request> {
        let dataset = request.dataset.as_deref().map(|asked| self.take_in(asked)).transpose()?;
        Ok(Request { dataset, ..request })
    }

    /// Notes the data sets that were taken in beside the records, by a link, so that later commands know them by their names.
    ///
    /// # Errors
    /// [`Error::File`] when the folder of results cannot be written.
    pub fn remember(&self) -> Result<()> {
        for (name, spec) in &self.own {
            let link = own_link(&self.results, name);
            if std::fs::read_link(&link).is_ok_and(|known| known == spec.path) {
                continue;
            }
            let folder = link.parent().unwrap_or(&self.results);
            std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
            // A link cannot be replaced in one step, so it is made beside the old one.
            let scratch = base::files::Scratch::new(folder)?;
            let new = scratch.path().join("link");
            std::os::unix::fs::symlink(&spec.path, &new).map_err(Error::io("create", &new))?;
            std::fs::rename(&new, &link).map_err(Error::io("write", &link))?;
        }
        Ok(())
    }

    /// Reads the description of a data set: of the checkout, of this command, or of an earlier one.
    ///
    /// # Errors
    /// [`Error::Usage`] with a suggestion if there is no such data set; the errors of [`DatasetSpec::load`].
    pub fn dataset_spec(&self, name: &str) -> Result<DatasetSpec> {
        let names = self.datasets()?;
        if names.iter().any(|known| known == name) {
            return Ok(DatasetSpec::load(&self.root.join("datasets").join(format!("{name}.toml")))?);
        }
        if let Some(spec) = self.own.get(name) {
            return Ok(spec.clone());
        }
        let is_name = name == plain_name(name);
        if let Some(target) = self
            .all_results()
            .filter(|_| is_name)
            .find_map(|results| std::fs::read_link(own_link(results, name)).ok())
        {
            return own(&target);
        }
        Err(Error::Usage(format!(
            "unknown data set `{name}`{}; `--dataset` also takes a folder of videos or a TOML file, and `cargo xtask new \
             dataset NAME --root DIR` writes one",
            there_are(name, names.iter().map(String::as_str))
        )))
    }
}

/// The link to a data set outside the checkout.
fn own_link(results: &Path, name: &str) -> PathBuf {
    results.join("datasets").join(name)
}

/// Reads a data set outside the checkout, given the real path of its file or folder.
fn own(path: &Path) -> Result<DatasetSpec> {
    if path.is_dir() {
        return Ok(DatasetSpec::of_folder(path)?);
    }
    let spec = DatasetSpec::load(path)?;
    Ok(DatasetSpec { name: plain_name(&spec.name), ..spec })
}

impl Sources for Workspace {
    fn spec(&self, table: &str) -> Result<(Spec, PathBuf)> {
        Self::spec(self, table)
    }

    /// Does not need the videos.
    fn facts(&self, dataset: &str) -> Result<DatasetFacts> {
        Ok(Dataset::describe(&self.dataset_spec(dataset)?)?)
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
