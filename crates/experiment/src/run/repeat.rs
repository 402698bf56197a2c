//! One training and test of a row.

use plan::{FusionPlan, RowPlan};

/// A split with a training seed, or a fold of its training videos: what a row is repeated over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Repeat<'a> {
    /// The split of the data set that is tested on.
    pub(super) split: &'a str,
    /// The training seed.
    pub(super) seed: u64,
    /// The part of the training videos that is left out and tested on instead, and of how many parts.
    pub(super) fold: Option<(usize, usize)>,
}

/// All repeats of a row, without folds.
pub(super) fn repeats(row: &RowPlan) -> impl Iterator<Item = Repeat<'_>> {
    row.splits.iter().flat_map(|split| row.seeds.iter().map(move |&seed| Repeat { split, seed, fold: None }))
}

impl<'a> Repeat<'a> {
    /// The repeats whose scores a fusion learns from: one a fold, which is left out.
    pub(super) fn folds(self, fusion: &FusionPlan) -> impl Iterator<Item = Self> + use<'a> {
        let of = fusion.svm.as_ref().map_or(0, |svm| svm.folds);
        (0..of).map(move |number| Self { fold: Some((number, of)), ..self })
    }

    /// What a repeat of a row is called.
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
