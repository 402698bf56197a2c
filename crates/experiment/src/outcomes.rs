//! The correct answers of a row, test by test and block by block: what intervals and tests are computed from.

use std::collections::BTreeMap;

/// The right answers in a block of one test, and all answers.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Answered {
    /// The number of right answers; for pairs a sum of shares.
    pub right: f64,
    /// The number of answers.
    pub all: f64,
}

/// The outcomes of a row: for each test, by split and training seed, the answers of each block.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcomes {
    tests: BTreeMap<(String, u64), BTreeMap<u32, Answered>>,
}

impl Outcomes {
    /// Adds answers to a block of a test.
    pub fn add(&mut self, split: &str, seed: u64, block: u32, right: f64, all: f64) {
        let test = self.tests.entry((split.to_owned(), seed)).or_default();
        let answered = test.entry(block).or_default();
        answered.right += right;
        answered.all += all;
    }

    /// Returns the tests by split and training seed.
    pub(crate) fn tests(&self) -> &BTreeMap<(String, u64), BTreeMap<u32, Answered>> {
        &self.tests
    }

    /// Returns the splits and training seeds.
    pub(crate) fn names(&self) -> impl Iterator<Item = &(String, u64)> {
        self.tests.keys()
    }

    /// Returns `true` if there is at least one answer in each of at least one test.
    pub(crate) fn is_scored(&self) -> bool {
        !self.tests.is_empty() && self.tests.values().all(|test| total(test).all > 0.0)
    }

    /// Returns the accuracy in percent: the mean over the tests.
    pub fn accuracy(&self) -> f64 {
        let of = |test: &BTreeMap<u32, Answered>| total(test).right / total(test).all;
        100.0 * self.tests.values().map(of).sum::<f64>() / self.tests.len() as f64
    }

    /// Sums the right answers of each block over all tests; `None` for shares of pairs.
    pub(crate) fn right_by_block(&self) -> Option<BTreeMap<u32, i64>> {
        let mut sums = BTreeMap::new();
        for (&block, answered) in self.tests.values().flatten() {
            let whole = answered.right.fract() == 0.0;
            *sums.entry(block).or_default() += whole.then_some(answered.right as i64)?;
        }
        Some(sums)
    }
}

/// Sums the answers of a test.
pub(crate) fn total(test: &BTreeMap<u32, Answered>) -> Answered {
    test.values().fold(Answered::default(), |sum, one| Answered {
        right: sum.right + one.right,
        all: sum.all + one.all,
    })
}
