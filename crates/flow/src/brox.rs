//! The method of Brox, Bruhn, Papenberg and Weickert, "High Accuracy Optical
//! Flow Estimation Based on a Theory for Warping" (ECCV 2004).
//!
//! The flow w = (u, v) from picture I0 to picture I1 minimises (section 2.1
//! and 2.2 of the paper)
//!
//! ```text
//! E(u, v) = integral of Psi(|I1(x + w) - I0(x)|^2)
//!         + gamma Psi(|grad I1(x + w) - grad I0(x)|^2)
//!         + alpha Psi(|grad u|^2 + |grad v|^2),
//! Psi(s^2) = sqrt(s^2 + epsilon^2).
//! ```
//!
//! The constancy of the gradient tolerates slow changes of brightness over the
//! picture, Psi tolerates outliers and edges of motion, and the last term is
//! total variation. The paper has one Psi around both data terms; a separate Psi
//! for each is the form of Bruhn and Weickert, "Towards Ultimate Motion
//! Estimation" (ICCV 2005): if one of the two constancies fails, the other still
//! counts.
//!
//! Nothing is linearised in E itself. Its Euler-Lagrange equations (2.3) are
//! solved by two nested fixed-point iterations from coarse to fine (3.1, 3.2):
//!
//! 1. both pictures are smoothed and shrunk to a pyramid in small steps eta
//!    (`scale_factor`);
//! 2. outer iteration k (`warps`): with w of the previous step, the second
//!    picture and its derivatives are taken at x + w, and the increment dw is
//!    sought for which, to first order,
//!    I1(x + w + dw) - I0 = I_z + I_x du + I_y dv, and likewise
//!    I_xz + I_xx du + I_xy dv and I_yz + I_xy du + I_yy dv for the gradient;
//! 3. inner iteration l (`inner_iterations`): Psi' is frozen at the current
//!    dw, which leaves a linear system
//!
//!    ```text
//!    Psi'_0 I_x (I_z + I_x du + I_y dv)
//!    + gamma Psi'_1 (I_xx (I_xz + I_xx du + I_xy dv) + I_xy (I_yz + I_xy du + I_yy dv))
//!    - alpha div(Psi'_s grad(u + du)) = 0
//!    ```
//!
//!    and likewise for v (the `system` module has the discrete form);
//! 4. the system is relaxed by successive over-relaxation (`sor_iterations`,
//!    the `sor` module);
//! 5. the flow is enlarged to the next level.
//!
//! The code's unknown is w + dw as a whole. All arithmetic is `f32` in a fixed
//! order with fused multiply-adds, so a pair gives the same bits on every
//! machine, with every vector width and any number of threads.

mod bands;
mod data;
mod derivatives;
mod grid;
mod params;
#[cfg(test)]
mod reference;
mod sor;
mod system;

use std::num::NonZeroUsize;

use crate::bands::each;
use crate::coarse_to_fine::{CoarseToFine, Level, Shape, Task};
use crate::plane::Plane;
use crate::{MedianFilter, median};

use data::{Data, First, Second};
use derivatives::Derivatives;
use grid::State;
use system::{Coefficients, Weights};

pub use params::BroxParams;

/// Passes the flow through the median filter.
fn filter(level: &mut Level<[Plane; 2]>, window: MedianFilter) {
    let Level { bands, flow, scratch, .. } = level;
    for (flow, rough) in flow.iter_mut().zip(scratch) {
        std::mem::swap(flow, rough);
        each(bands.ranges().zip(rough.bands_mut(bands)), |(rows, mut rough)| {
            rows.for_each(|y| rough.repeat_ends(y));
        });
        let rough = &*rough;
        each(bands.ranges().zip(flow.bands_mut(bands)), |(rows, mut flow)| {
            median::filter(rough, window, rows, &mut flow);
        });
    }
}

/// Memory for the current level, as large as the largest level so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Work {
    first: First,
    second: Second,
    derivatives: [Derivatives; 2],
    state: State,
    data: Data,
    system: Coefficients,
}

impl Work {
    /// Takes over a level: its pictures with their derivatives, and its flow.
    fn take(&mut self, level: &mut Level<[Plane; 2]>, [from, to]: [&Plane; 2]) {
        let (width, height) = (from.width, from.height);
        self.state.reshape(width, height);
        self.data.reshape(width, height);
        self.system.reshape(width, height);
        level.flow.iter().enumerate().for_each(|(at, plane)| self.state.take(at, plane));
        let ([a, b], [c, d]) = (&mut level.scratch, &mut level.own);
        let [of_first, of_second] = &mut self.derivatives;
        let first = Side::First(&mut self.first, from, [a, b], of_first);
        let second = Side::Second(&mut self.second, to, [c, d], of_second);
        // A level with several bands processes both pictures at once.
        match level.bands.count() {
            1 => [first, second].into_iter().for_each(Side::lay_out),
            _ => each([first, second], Side::lay_out),
        }
    }

    /// Linearises the data term about the flow, and improves the flow.
    fn warp(&mut self, energy: &Energy, threads: NonZeroUsize) {
        let &Energy { alpha, gamma, epsilon, inner_iterations, sor_iterations, omega, .. } = energy;
        let weights = Weights { alpha, gamma, epsilon };
        let Self { first, second, state, data, system, .. } = self;
        data::linearise(data, first, second, state, threads);
        for _ in 0..inner_iterations {
            system.build(state, data, weights, threads);
            sor::relax(state, system, omega, sor_iterations, threads);
        }
    }

    /// Hands the flow to the level.
    fn give(&self, level: &mut Level<[Plane; 2]>) {
        level.flow.iter_mut().enumerate().for_each(|(at, plane)| self.state.give(at, plane));
    }
}

/// A picture whose derivatives are computed, and their destination.
enum Side<'a> {
    First(&'a mut First, &'a Plane, [&'a mut Plane; 2], &'a mut Derivatives),
    Second(&'a mut Second, &'a Plane, [&'a mut Plane; 2], &'a mut Derivatives),
}

impl Side<'_> {
    fn lay_out(self) {
        match self {
            Self::First(to, picture, scratch, derivatives) => {
                data::take_first(to, picture, scratch, derivatives);
            }
            Self::Second(to, picture, scratch, derivatives) => to.take(picture, scratch, derivatives),
        }
    }
}

impl CoarseToFine for BroxParams {
    type Own = [Plane; 2];
    type Work = Work;

    /// Limits intensities so that no square overflows.
    const MOST_INTENSITY: f32 = 1e5;

    fn shape(&self) -> Shape {
        Shape::gaussian(self.levels, self.scale_factor, self.smoothing)
    }

    fn own(width: usize, height: usize, _threads: NonZeroUsize) -> [Plane; 2] {
        [(); 2].map(|()| Plane::new(width, height))
    }

    fn solve(&self, task: Task<'_, Self>, work: &mut Work) {
        let Task { level, from, to, threads, .. } = task;
        let &Self { alpha, gamma, epsilon, warps, inner_iterations, sor_iterations, omega, median, .. } =
            self;
        let energy = Energy { alpha, gamma, epsilon, warps, inner_iterations, sor_iterations, omega };
        work.take(level, [from, to]);
        for _ in 0..warps {
            work.warp(&energy, threads);
            if median != MedianFilter::None {
                work.give(level);
                filter(level, median);
                level.flow.iter().enumerate().for_each(|(at, plane)| work.state.take(at, plane));
            }
        }
        work.give(level);
    }
}

/// The weights of the energy, and the work to spend on a level.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Energy {
    pub(crate) alpha: f32,
    pub(crate) gamma: f32,
    pub(crate) epsilon: f32,
    pub(crate) warps: usize,
    pub(crate) inner_iterations: usize,
    pub(crate) sor_iterations: usize,
    pub(crate) omega: f32,
}

/// Improves the flow of a level from one picture to another: steps 2 to 4.
pub(crate) fn minimise(
    energy: &Energy,
    level: &mut Level<[Plane; 2]>,
    pictures: [&Plane; 2],
    threads: NonZeroUsize,
    work: &mut Work,
) {
    work.take(level, pictures);
    (0..energy.warps).for_each(|_| work.warp(energy, threads));
    work.give(level);
}
