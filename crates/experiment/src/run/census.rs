//! Counts the nets that tables need, and those that were trained.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::store::Unit;
use base::text::counted;

/// Counts of nets over all tables of one command. Nets that rows share are trained once.
#[derive(Debug, Default)]
pub struct Census(RefCell<Units>);

#[derive(Debug, Default)]
struct Units {
    nets: BTreeSet<String>,
    trained: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl Census {
    /// Adds the nets that the wanted rows of a table need.
    pub(super) fn ask(&self, nets: impl IntoIterator<Item = String>) {
        self.0.borrow_mut().nets.extend(nets);
    }

    /// Adds a net that this command has trained.
    pub(super) fn trained(&self, unit: &Unit) {
        self.0.borrow_mut().trained.insert(unit.name.clone());
    }

    /// Returns `true` if this command has trained the net.
    pub(super) fn was_trained(&self, unit: &Unit) -> bool {
        self.0.borrow().trained.contains(&unit.name)
    }

    /// Returns `true` the first time this command reaches the unit: `--fresh` forgets each only once.
    pub(super) fn first_sight(&self, unit: &Unit) -> bool {
        self.0.borrow_mut().seen.insert(unit.name.clone())
    }

    /// Returns the number of different nets that the rows need.
    pub fn nets(&self) -> usize {
        self.0.borrow().nets.len()
    }

    /// Returns the number of nets that this command has trained.
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
