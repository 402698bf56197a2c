//! Coarse-to-fine TV-L1.
//!
//! The flow (u, v) from picture I0 to picture I1 minimises
//!
//! E(u, v) = integral of |grad u| + |grad v| + lambda |I1(x + (u, v)) - I0(x) - w(x)|
//!
//! (Zach, Pock and Bischof, "A Duality Based Approach for Realtime TV-L1
//! Optical Flow", DAGM 2007). Total variation keeps the edges of moving
//! objects sharp and the L1 data term is robust to occlusions; w is the change
//! of illumination, smooth in space (the `light` module has its equation). The
//! data term is linearised about the current flow u0,
//!
//! rho(u) = I1(x + u0) - I0(x) - w(x) + g . (u - u0),
//! g = (1 - b) grad I1(x + u0) + b grad I0(x),
//!
//! with b the `gradient-blend`. This holds only for motions of about a pixel;
//! hence
//!
//! 1. both pictures are smoothed and shrunk to a pyramid;
//! 2. from the coarsest level to the finest, `warps` times, the second picture
//!    is warped by the current flow, the data term linearised anew and the
//!    change of illumination updated;
//! 3. after each warp, `rounds` times, `iterations` primal-dual steps (the
//!    `solver` module has the equations) are followed by a median filter of
//!    both components, as in Wedel, Pock, Zach, Bischof and Cremers, "An
//!    Improved Algorithm for TV-L1 Optical Flow" (2009);
//! 4. the flow and w are enlarged to the next level and the dual variables start
//!    there from zero.
//!
//! Arithmetic is plain `f32` in a fixed order, so a pair gives the same bits
//! on any number of threads and with every vector width.

use std::num::NonZeroUsize;

use crate::TvL1Params;
use crate::bands::{self, Bands};
use crate::coarse_to_fine::{CoarseToFine, Level, Shape, Task};
use crate::light::{self, Light};
use crate::median;
use crate::pyramid::Gaussian;
use crate::solver::{self, DataTerm, State, Weights};
use crate::warp::{self, Bordered, Pair};

/// Data of a level besides its flow.
#[derive(Debug, Clone)]
pub(crate) struct Own {
    states: Vec<State>,
    /// The second picture.
    second: Bordered,
    data: DataTerm,
    light: Light,
}

/// Initialises a level: copies its flow to the states, and the change of illumination from the coarser level.
fn start(level: &mut Level<Own>, coarser: Option<&Level<Own>>) {
    let Level { bands, flow, own, .. } = level;
    own.light.start(coarser.map(|coarser| &coarser.own.light), bands);
    let flow = &*flow;
    bands::each(own.states.iter_mut(), |state| {
        state.clear_duals();
        for (component, flow) in flow.iter().enumerate() {
            for y in state.own() {
                state.flow_mut(component, y).copy_from_slice(flow.padded_row(y));
            }
        }
    });
}

/// Passes the flow of the states through the median filter.
fn filter(level: &mut Level<Own>, window: crate::MedianFilter) {
    let Level { bands, flow, scratch, own } = level;
    for (component, (flow, rough)) in flow.iter_mut().zip(scratch).enumerate() {
        bands::each(own.states.iter().zip(rough.bands_mut(bands)), |(state, mut rough)| {
            for y in state.own() {
                rough.padded_row_mut(y).copy_from_slice(state.flow(component, y));
                rough.repeat_ends(y);
            }
        });
        let rough = &*rough;
        bands::each(own.states.iter_mut().zip(flow.bands_mut(bands)), |(state, mut flow)| {
            median::filter(rough, window, state.own(), &mut flow);
            for y in state.own() {
                state.flow_mut(component, y).copy_from_slice(flow.padded_row_mut(y));
            }
        });
    }
}

impl CoarseToFine for TvL1Params {
    type Own = Own;
    type Work = ();

    /// No intensity is too large.
    const MOST_INTENSITY: f32 = f32::INFINITY;

    fn shape(&self) -> Shape {
        Shape::gaussian(self.levels, self.scale_factor, self.smoothing)
    }

    fn own(width: usize, height: usize, threads: NonZeroUsize) -> Own {
        let bands = |width, height| Bands::new(width, height, threads);
        Own {
            states: State::of_bands(width, height, &bands(width, height)),
            second: Bordered::new(width, height),
            data: DataTerm::new(width, height),
            light: Light::new(width, height, bands),
        }
    }

    fn solve(&self, task: Task<'_, Self>, (): &mut ()) {
        let Task { level, coarser, from, to, .. } = task;
        start(level, coarser);
        level.own.second.fill(to);
        let kernel = Gaussian::new(self.illumination_scale / light::CELL as f32);
        let weights = Weights { lambda: self.lambda, theta: self.theta, tau: self.tau };
        for _ in 0..self.warps {
            let Level { bands, flow, own: Own { states: _, second, data, light }, .. } = &mut *level;
            let (blend, limit) = (self.gradient_blend, self.illumination_limit);
            warp::linearise(Pair { first: from, second, flow, blend, limit }, data, light, bands);
            if limit > 0.0 {
                light.update(&mut data.constant, &kernel, bands);
            }
            for _ in 0..self.rounds {
                solver::iterate(&mut level.own.states, &level.own.data, weights, self.iterations);
                filter(level, self.median);
            }
        }
    }
}
