//! How many nets tables need, and how many of them were trained.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::store::Unit;
use base::text::counted;

/// Counts over all tables of one command. Nets that rows share are trained once.
#[derive(Debug, Default)]
pub struct Census(RefCell<Units>);

#[derive(Debug, Default)]
struct Units {
    nets: BTreeSet<String>,
    trained: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl Census {
    /// The wanted rows of a table need these.
    pub(super) fn ask(&self, nets: impl IntoIterator<Item = String>) {
        self.0.borrow_mut().nets.extend(nets);
    }

    /// This one was trained now.
    pub(super) fn trained(&self, unit: &Unit) {
        self.0.borrow_mut().trained.insert(unit.name.clone());
    }

    /// Whether this command has trained it.
    pub(super) fn was_trained(&self, unit: &Unit) -> bool {
        self.0.borrow().trained.contains(&unit.name)
    }

    /// Whether this command has not come by the unit before: `--fresh` forgets each only once.
    pub(super) fn first_sight(&self, unit: &Unit) -> bool {
        self.0.borrow_mut().seen.insert(unit.name.clone())
    }

    /// The different nets that the rows need.
    pub fn nets(&self) -> usize {
        self.0.borrow().nets.len()
    }

    /// How many of them were trained by this command.
    pub fn nets_trained(&self) -> usize {
        self.0.borrow().trained.len()
    }
}

impl std::fmt::Display for Census {
    /// "5 networks: 2 trained, 3 reused".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (nets, trained) = (self.nets(), self.nets_trained());
        write!(f, "{}: {trained} trained, {} reused", counted(nets, "network"), nets.saturating_sub(trained))
    }
}
