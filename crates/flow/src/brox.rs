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
//! The constancy of the gradient holds where brightness changes slowly over the
//! picture, Psi lets outliers and edges of motion pass, and the last term is
//! total variation. The paper has one Psi around both data terms; each with its
//! own is the form of Bruhn and Weickert, "Towards Ultimate Motion Estimation"
//! (ICCV 2005): where one of the two constancies fails the other still counts.
//!
//! Nothing is linearised in E itself. Its Euler-Lagrange equations (2.3) are
//! solved by two nested fixed-point iterations from coarse to fine (3.1, 3.2):
//!
//! 1. both pictures are smoothed and shrunk to a pyramid in small steps eta
//!    (`scale_factor`);
//! 2. outer iteration k (`warps`): with w of the step before, the second
//!    picture and its derivatives are taken at x + w, and the increment dw is
//!    sought for which, to first order,
//!    I1(x + w + dw) - I0 = I_z + I_x du + I_y dv, and likewise
//!    I_xz + I_xx du + I_xy dv and I_yz + I_xy du + I_yy dv for the gradient;
//! 3. inner iteration l (`inner_iterations`): Psi' is frozen at the present
//!    dw, which leaves a linear system
//!
//!    ```text
//!    Psi'_0 I_x (I_z + I_x du + I_y dv)
//!    + gamma Psi'_1 (I_xx (I_xz + I_xx du + I_xy dv) + I_xy (I_yz + I_xy du + I_yy dv))
//!    - alpha div(Psi'_s grad(u + du)) = 0
//!    ```
//!
//!    and its like for v (the `system` module has the discrete form);
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
mod frame;
mod grid;
mod params;
#[cfg(test)]
mod reference;
mod sor;
mod system;

use std::num::NonZeroUsize;

use crate::bands::{Bands, each};
use crate::plane::Plane;
use crate::tvl1::same_size;
use crate::{FlowError, FlowField, GrayImage, MedianFilter, median, pyramid};

use data::{Data, First, Second};
use derivatives::Derivatives;
use frame::Frame;
use grid::State;
use system::{Coefficients, Weights};

pub use params::BroxParams;

/// The estimator: checked parameters, ready for any number of pairs.
#[derive(Debug, Clone)]
pub struct Brox {
    params: BroxParams,
    threads: NonZeroUsize,
}

/// Scratch memory of [`Brox::compute_with`], kept from pair to pair. It fits
/// itself to the size of the pair; what it holds never shows in a result.
#[derive(Debug, Clone, Default)]
pub struct BroxWorkspace {
    frames: [Frame; 2],
    levels: Vec<Level>,
    work: Work,
    /// What the levels were laid out for.
    layout: Option<Layout>,
}

/// Width, height, levels, scale factor and threads.
type Layout = (usize, usize, usize, f32, NonZeroUsize);

/// A level of the pyramid: its flow, and scratch planes of its size.
#[derive(Debug, Clone)]
struct Level {
    bands: Bands,
    flow: [Plane; 2],
    scratch: [Plane; 4],
}

impl Level {
    fn new((width, height): (usize, usize), threads: NonZeroUsize) -> Self {
        let plane = || Plane::new(width, height);
        Self {
            bands: Bands::new(width, height, threads),
            flow: [plane(), plane()],
            scratch: [plane(), plane(), plane(), plane()],
        }
    }

    /// The start of a level: the flow of the next coarser one enlarged, or none.
    fn start(&mut self, coarser: Option<&Self>) {
        let Some(coarser) = coarser else {
            return self.flow.iter_mut().for_each(Plane::clear);
        };
        let (from, to) = (&coarser.flow[0], &self.flow[0]);
        let factors = [to.width as f32 / from.width as f32, to.height as f32 / from.height as f32];
        for ((from, to), factor) in coarser.flow.iter().zip(&mut self.flow).zip(factors) {
            pyramid::resize(from, to, factor, &self.bands);
        }
    }

    /// Passes the flow through the median filter.
    fn filter(&mut self, window: MedianFilter) {
        let Self { bands, flow, scratch } = self;
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
}

/// What the level in work needs, in the size of the largest so far.
#[derive(Debug, Clone, Default)]
struct Work {
    first: First,
    second: Second,
    derivatives: [Derivatives; 2],
    state: State,
    data: Data,
    system: Coefficients,
}

impl Work {
    /// Takes over a level: its pictures with their derivatives, and its flow.
    fn take(&mut self, level: &mut Level, from: &Plane, to: &Plane) {
        let (width, height) = (from.width, from.height);
        self.state.reshape(width, height);
        self.data.reshape(width, height);
        self.system.reshape(width, height);
        level.flow.iter().enumerate().for_each(|(at, plane)| self.state.take(at, plane));
        let [a, b, c, d] = &mut level.scratch;
        let [of_first, of_second] = &mut self.derivatives;
        let first = Side::First(&mut self.first, from, [a, b], of_first);
        let second = Side::Second(&mut self.second, to, [c, d], of_second);
        // A level that is shared out has both pictures in work at once.
        match level.bands.count() {
            1 => [first, second].into_iter().for_each(Side::lay_out),
            _ => each([first, second], Side::lay_out),
        }
    }
}

/// A picture of which the derivatives are wanted, and where.
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

impl Brox {
    /// An estimator with these parameters. It works on the calling thread.
    ///
    /// # Errors
    /// [`FlowError::BroxParameter`] when one is outside its range.
    pub fn new(params: BroxParams) -> Result<Self, FlowError> {
        params.check()?;
        Ok(Self { params, threads: NonZeroUsize::MIN })
    }

    /// The same with each pair shared out over so many threads of rayon's pool.
    /// Results are the same to the bit. A program that has many videos at once
    /// is better off with a video per thread.
    #[must_use]
    pub fn with_threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }

    /// The parameters.
    pub fn params(&self) -> &BroxParams {
        &self.params
    }

    /// Empty scratch memory for [`Brox::compute_with`].
    pub fn workspace(&self) -> BroxWorkspace {
        BroxWorkspace::default()
    }

    /// The flow from `from` to `to`, H x W vectors in pixels: what is at (x, y)
    /// in `from` is at (x + u, y + v) in `to`. Intensities beyond +-100,000 are
    /// cut off there.
    ///
    /// # Errors
    /// When the pictures differ in size, a buffer has the wrong length, or an
    /// intensity is not finite.
    pub fn compute(&self, from: &GrayImage, to: &GrayImage) -> Result<FlowField, FlowError> {
        self.compute_with(&mut self.workspace(), from, to)
    }

    /// [`Brox::compute`] with scratch memory of the caller's, for many pairs of
    /// one size. The result is the same.
    ///
    /// # Errors
    /// As [`Brox::compute`].
    pub fn compute_with(
        &self,
        workspace: &mut BroxWorkspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<FlowField, FlowError> {
        self.fill_both(workspace, from, to)?;
        self.solve(workspace, 0, 1)
    }

    /// The flow from `from` to `to` and that from `to` to `from`, the same as of
    /// two calls of [`Brox::compute_with`]. The pyramids are made once.
    ///
    /// # Errors
    /// As [`Brox::compute`].
    pub fn compute_both(
        &self,
        workspace: &mut BroxWorkspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<[FlowField; 2], FlowError> {
        self.fill_both(workspace, from, to)?;
        Ok([self.solve(workspace, 0, 1)?, self.solve(workspace, 1, 0)?])
    }

    fn fill_both(
        &self,
        workspace: &mut BroxWorkspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<(), FlowError> {
        from.check("first")?;
        to.check("second")?;
        same_size((from.width, from.height), (to.width, to.height))?;
        self.lay_out(workspace, from.width, from.height);
        self.fill(workspace, 0, from);
        self.fill(workspace, 1, to);
        Ok(())
    }

    /// Puts the next frame of a video, checked and of the size of the others, in
    /// the place of the second; the second becomes the first.
    pub(crate) fn next_frame(&self, workspace: &mut BroxWorkspace, frame: &GrayImage) {
        self.lay_out(workspace, frame.width, frame.height);
        workspace.frames.swap(0, 1);
        self.fill(workspace, 1, frame);
    }

    /// The flow between two frames of the workspace.
    pub(crate) fn solve(
        &self,
        workspace: &mut BroxWorkspace,
        from: usize,
        to: usize,
    ) -> Result<FlowField, FlowError> {
        let BroxWorkspace { frames, levels, work, .. } = workspace;
        for at in (0..levels.len()).rev() {
            let (fine, coarser) = levels.split_at_mut(at + 1);
            let level = &mut fine[at];
            level.start(coarser.first());
            work.take(level, &frames[from].levels[at], &frames[to].levels[at]);
            self.solve_level(level, work);
        }
        let [u, v] = &levels[0].flow;
        FlowField::new(u.width, u.height, unpad(u), unpad(v))
    }

    fn lay_out(&self, workspace: &mut BroxWorkspace, width: usize, height: usize) {
        let BroxParams { levels, scale_factor, .. } = self.params;
        let layout = (width, height, levels, scale_factor, self.threads);
        if workspace.layout != Some(layout) {
            let sizes = pyramid::level_sizes(width, height, levels, scale_factor);
            // What was there goes before the new is asked for.
            *workspace = BroxWorkspace::default();
            workspace.frames = [Frame::new(&sizes), Frame::new(&sizes)];
            workspace.levels = sizes.into_iter().map(|size| Level::new(size, self.threads)).collect();
            workspace.layout = Some(layout);
        }
    }

    fn fill(&self, workspace: &mut BroxWorkspace, slot: usize, image: &GrayImage) {
        let BroxWorkspace { frames, levels, .. } = workspace;
        let scratch = levels.iter_mut().map(|level| (&mut level.scratch[0], &level.bands));
        frames[slot].fill(image, (self.params.smoothing, self.params.scale_factor), scratch);
    }

    fn solve_level(&self, level: &mut Level, work: &mut Work) {
        let BroxParams { alpha, gamma, epsilon, omega, sor_iterations, median, .. } = self.params;
        let weights = Weights { alpha, gamma, epsilon };
        let Work { first, second, state, data, system, .. } = work;
        for _ in 0..self.params.warps {
            data::linearise(data, first, second, state, self.threads);
            for _ in 0..self.params.inner_iterations {
                system.build(state, data, weights, self.threads);
                sor::relax(state, system, omega, sor_iterations, self.threads);
            }
            if median != MedianFilter::None {
                level.flow.iter_mut().enumerate().for_each(|(at, plane)| state.give(at, plane));
                level.filter(median);
                level.flow.iter().enumerate().for_each(|(at, plane)| state.take(at, plane));
            }
        }
        level.flow.iter_mut().enumerate().for_each(|(at, plane)| state.give(at, plane));
    }
}

fn unpad(plane: &Plane) -> Vec<f32> {
    let mut values = Vec::with_capacity(plane.width * plane.height);
    (0..plane.height).for_each(|y| values.extend_from_slice(plane.row(y)));
    values
}
