//! Specs and data sets that are read once for many plans.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;

use crate::error::Result;
use crate::spec::Spec;
use crate::table::{DatasetFacts, Sources};

/// Sources of which each spec and each data set is read once. To describe a user's own data set its whole folder is searched,
/// and a plan asks for the facts of its data set once a row. What changes on disk meanwhile is not seen; errors are not kept.
pub struct Remembered<'a> {
    sources: &'a dyn Sources,
    specs: RefCell<BTreeMap<String, (Spec, PathBuf)>>,
    facts: RefCell<BTreeMap<String, DatasetFacts>>,
}

impl<'a> Remembered<'a> {
    /// Remembers what these sources say from now on.
    pub fn new(sources: &'a dyn Sources) -> Self {
        Self { sources, specs: RefCell::default(), facts: RefCell::default() }
    }
}

impl Sources for Remembered<'_> {
    fn spec(&self, table: &str) -> Result<(Spec, PathBuf)> {
        once(&self.specs, table, |table| self.sources.spec(table))
    }

    fn facts(&self, dataset: &str) -> Result<DatasetFacts> {
        once(&self.facts, dataset, |dataset| self.sources.facts(dataset))
    }
}

fn once<T: Clone>(
    known: &RefCell<BTreeMap<String, T>>,
    name: &str,
    read: impl FnOnce(&str) -> Result<T>,
) -> Result<T> {
    if let Some(known) = known.borrow().get(name) {
        return Ok(known.clone());
    }
    let found = read(name)?;
    known.borrow_mut().insert(name.to_owned(), found.clone());
    Ok(found)
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::{Request, TablePlan, Workspace};

    /// A workspace that counts what is asked of it.
    struct Counted {
        workspace: Workspace,
        asked: RefCell<BTreeMap<String, usize>>,
    }

    impl Counted {
        fn new() -> Self {
            let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
            Self { workspace, asked: RefCell::default() }
        }

        fn ask(&self, what: &str) {
            *self.asked.borrow_mut().entry(what.to_owned()).or_default() += 1;
        }
    }

    impl Sources for Counted {
        fn spec(&self, table: &str) -> Result<(Spec, PathBuf)> {
            self.ask(table);
            Sources::spec(&self.workspace, table)
        }

        fn facts(&self, dataset: &str) -> Result<DatasetFacts> {
            self.ask(dataset);
            Sources::facts(&self.workspace, dataset)
        }
    }

    /// A table has up to a dozen rows, and a data set up to hundreds of thousands of videos.
    #[test]
    fn a_plan_describes_each_data_set_once_whatever_the_number_of_rows() {
        let mut most = 0;
        for table in Counted::new().workspace.tables().unwrap() {
            let counted = Counted::new();
            let (spec, file) = counted.workspace.spec(&table).unwrap();
            most = most.max(spec.row.len());
            TablePlan::resolve(spec, file, &Request::default(), &counted).unwrap();
            let asked = counted.asked.into_inner();
            assert!(!asked.is_empty() && asked.values().all(|&times| times == 1), "{table}: {asked:?}");
        }
        assert!(most > 5, "a table of many rows");
    }

    #[test]
    fn many_plans_describe_each_data_set_once_and_are_the_same() {
        let counted = Counted::new();
        let remembered = Remembered::new(&counted);
        for table in counted.workspace.tables().unwrap() {
            let plan = |sources: &dyn Sources| {
                let (spec, file) = counted.workspace.spec(&table).unwrap();
                TablePlan::resolve(spec, file, &Request::default(), sources).unwrap()
            };
            let (one, other) = (plan(&remembered), plan(&counted.workspace));
            assert_eq!(format!("{one:?}"), format!("{other:?}"), "{table}");
        }
        assert!(counted.asked.into_inner().values().all(|&times| times == 1));
    }

    #[test]
    fn errors_are_not_remembered() {
        let counted = Counted::new();
        let remembered = Remembered::new(&counted);
        assert!(remembered.facts("none").is_err() && remembered.facts("none").is_err());
        assert_eq!(counted.asked.into_inner()["none"], 2);
    }
}
