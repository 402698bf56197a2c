//! The method of Kroeger, Timofte, Dai and Van Gool, "Fast Optical Flow using Dense Inverse Search" (ECCV 2016).
//!
//! From the coarsest level of a pyramid of halves to the level `finest` (section 2.3):
//!
//! 1. patches search their displacement from that of the coarser level, and their mean, weighted by how well they fit,
//!    is a dense field (the `search` module);
//! 2. the field is refined by minimising an energy of constancy of brightness and of its gradient and of smoothness
//!    (2.5). Here that energy is the one of Brox et al. 2004 and its solver is that of the method [`crate::Method::Brox`].
//!
//! The field of the level `finest` is enlarged to the size of the pictures.

mod params;

use std::num::NonZeroUsize;

use crate::brox::{self, Energy};
use crate::coarse_to_fine::{CoarseToFine, Level, Shape, Task};
use crate::plane::Plane;
use crate::search::{Effort, Searcher};

pub use params::DisParams;

/// The finest level on which patches look around, of a quarter of the size: a finer one has too many places that look
/// alike.
const FIRST_TO_LOOK_AROUND: usize = 2;

/// Memory for the current level, as large as the largest level so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    searcher: Searcher,
    refinement: brox::Work,
}

impl CoarseToFine for DisParams {
    type Own = [Plane; 2];
    type Work = Work;

    /// Limits intensities so that no square overflows.
    const MOST_INTENSITY: f32 = 1e5;

    fn shape(&self) -> Shape {
        Shape {
            levels: self.levels,
            scale_factor: 0.5,
            smoothing: self.smoothing,
            finest: self.finest,
            halves: true,
        }
    }

    fn own(width: usize, height: usize, _threads: NonZeroUsize) -> [Plane; 2] {
        [(); 2].map(|()| Plane::new(width, height))
    }

    fn solve(&self, task: Task<'_, Self>, work: &mut Work) {
        let Task { level, number, from, to, threads, .. } = task;
        let Level { bands, flow, scratch, .. } = &mut *level;
        if number >= self.search_finest {
            let reach = if number >= FIRST_TO_LOOK_AROUND { self.reach } else { 0 };
            let effort = Effort { stride: self.patch_stride, steps: self.descent_steps, reach };
            work.searcher.improve(flow, &mut scratch[0], [from, to], effort, bands);
        }
        if self.warps == 0 {
            return;
        }
        let energy = Energy {
            alpha: self.alpha,
            gamma: self.gamma,
            epsilon: self.epsilon,
            warps: self.warps,
            inner_iterations: self.inner_iterations,
            sor_iterations: self.sor_iterations,
            omega: self.omega,
        };
        brox::minimise(&energy, level, [from, to], threads, &mut work.refinement);
    }
}
