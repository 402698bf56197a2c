//! A repeat: one training and test of a row.

use plan::{FusionPlan, RowPlan};

/// A split with a training seed and, for a fusion that learns, a fold of its training videos.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeat<'a> {
    /// The split to test on.
    pub(super) split: &'a str,
    /// The training seed.
    pub(super) seed: u64,
    /// Index of the fold of training videos that is held out and tested on instead, and the number of folds.
    pub(super) fold: Option<(usize, usize)>,
}

/// Iterates over all repeats of a row, without folds.
pub(super) fn repeats(row: &RowPlan) -> impl Iterator<Item = Repeat<'_>> {
    row.splits.iter().flat_map(|split| row.seeds.iter().map(move |&seed| Repeat { split, seed, fold: None }))
}

impl<'a> Repeat<'a> {
    /// Iterates over the repeats whose scores a fusion learns from: one per held-out fold.
    pub(super) fn folds(self, fusion: &FusionPlan) -> impl Iterator<Item = Self> + use<'a> {
        let of = fusion.fusion.folds();
        (0..of).map(move |number| Self { fold: Some((number, of)), ..self })
    }

    /// Returns the name of a repeat of a row.
    pub(super) fn name(&self, row: &RowPlan) -> String {
        let mut name = row.row.id.clone();
        if row.splits.len() > 1 {
            name.push_str(&format!(" split {}", self.split));
        }
        if row.seeds.len() > 1 {
            name.push_str(&format!(" seed {}", self.seed));
        }
        name
    }
}
