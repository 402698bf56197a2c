//! How many nets tables ask for, and how many of them there are.

use std::cell::RefCell;
use std::collections::BTreeSet;

use crate::store::Unit;

/// Counts over all tables of one command. Nets that rows share are trained once.
#[derive(Debug, Default)]
pub struct Census(RefCell<Counts>);

#[derive(Debug, Default)]
struct Counts {
    rows: usize,
    asked: usize,
    nets: BTreeSet<String>,
    trained: BTreeSet<String>,
    seen: BTreeSet<String>,
}

impl Census {
    /// A row asks for nets.
    pub(super) fn row(&self) {
        self.0.borrow_mut().rows += 1;
    }

    /// It asks for these.
    pub(super) fn ask(&self, units: &[Unit]) {
        let mut counts = self.0.borrow_mut();
        counts.asked += units.len();
        counts.nets.extend(units.iter().map(|unit| unit.name.clone()));
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
}

impl std::fmt::Display for Census {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let counts = self.0.borrow();
        write!(
            f,
            "{} rows ask {} times for a trained net; these are {} different nets, {} of them trained now",
            counts.rows,
            counts.asked,
            counts.nets.len(),
            counts.trained.len()
        )
    }
}
