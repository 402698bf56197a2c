//! One pass backward over the positions of a normalisation.

use rayon::prelude::*;

use super::rows::{
    Affine, FromInput, FromOutput, Part, Sums, Term, ThroughStatistics, Whole, copy, input_gradient,
};
use crate::lanes::Lanes;
use crate::memory::unwritten;
use crate::simd::vectorised;

/// Number of values that stay in the cache between the loops of a pass.
const CACHED: usize = 1 << 13;

/// Source of the mask of a rectification.
#[derive(Debug, Clone, Copy)]
pub(super) enum Mask {
    /// No rectification.
    Absent,
    /// Recomputed from the input.
    Input,
    /// Taken from the output, since a residual was added.
    Output,
}

/// The work of a pass. "Masked" is the gradient before the rectification.
pub(super) struct Sweep<'a> {
    pub(super) affine: &'a Affine,
    pub(super) mask: Mask,
    /// Writes the masked gradient.
    pub(super) masked: bool,
    /// Computes its sums.
    pub(super) sums: bool,
    /// Writes the gradient of the input.
    pub(super) input: bool,
    /// Part to subtract from the gradient of the input.
    pub(super) statistics: Option<&'a ThroughStatistics>,
}

/// Results of a pass; empty if not requested.
pub(super) struct Swept {
    pub(super) masked: Vec<f32>,
    pub(super) input: Vec<f32>,
    /// Sums by channel of the masked gradient and of its product with the deviation from `affine.mean`.
    pub(super) sums: [Vec<f64>; 2],
}

impl<'a> Sweep<'a> {
    /// Creates a pass that computes nothing yet.
    pub(super) fn new(affine: &'a Affine) -> Self {
        Self { affine, mask: Mask::Absent, masked: false, sums: false, input: false, statistics: None }
    }

    pub(super) fn run(&self, lanes: Lanes, part: Part<'_>) -> Swept {
        match self.mask {
            Mask::Absent => self.run_with::<Whole>(lanes, part),
            Mask::Input => self.run_with::<FromInput>(lanes, part),
            Mask::Output => self.run_with::<FromOutput>(lanes, part),
        }
    }

    fn run_with<T: Term>(&self, lanes: Lanes, part: Part<'_>) -> Swept {
        let count = part.x.len();
        // SAFETY: the tasks write every value of both.
        let (mut masked, mut input) = unsafe {
            (unwritten(if self.masked { count } else { 0 }), unwritten(if self.input { count } else { 0 }))
        };
        let task = lanes.task();
        let (mut masked_tasks, mut input_tasks) = (masked.chunks_mut(task), input.chunks_mut(task));
        let tasks: Vec<_> =
            part.rows(task).map(|part| (part, masked_tasks.next(), input_tasks.next())).collect();
        let sums: Vec<_> = tasks
            .into_par_iter()
            .map(|(part, masked, input)| self.task::<T>(lanes, part, masked, input))
            .collect();
        let by_channel = |which: usize| lanes.folded(sums.iter().map(|sums| &sums[which][..]));
        let sums = if self.sums { [by_channel(0), by_channel(1)] } else { Default::default() };
        Swept { masked, input, sums }
    }

    fn task<T: Term>(
        &self,
        lanes: Lanes,
        part: Part<'_>,
        mut masked: Option<&mut [f32]>,
        mut input: Option<&mut [f32]>,
    ) -> [Vec<f64>; 2] {
        let width = if self.sums { lanes.width() } else { 0 };
        let mut sums = Sums::new(width);
        let block = lanes.whole_rows(CACHED);
        vectorised(
            #[inline(always)]
            || {
                for (i, part) in part.rows(block).enumerate() {
                    let range = i * block..i * block + part.x.len();
                    if let Some(out) = &mut masked {
                        copy::<T>(self.affine, part, &mut out[range.clone()]);
                    }
                    if let Some(out) = &mut input {
                        input_gradient::<T>(self.affine, self.statistics, part, &mut out[range]);
                    }
                    if self.sums {
                        sums.add::<T>(self.affine, part);
                    }
                }
            },
        );
        sums.into_total()
    }
}
