//! Coarse-to-fine TV-L1.
//!
//! The flow (u, v) from picture I0 to picture I1 minimises
//!
//! E(u, v) = integral of |grad u| + |grad v| + lambda |I1(x + (u, v)) - I0(x) - w(x)|
//!
//! (Zach, Pock and Bischof, "A Duality Based Approach for Realtime TV-L1
//! Optical Flow", DAGM 2007). Total variation keeps the edges of moving
//! things sharp and the L1 data term shrugs off occlusions; w is the change of
//! illumination, smooth in space (the `light` module has its equation). The
//! data term is linearised about the present flow u0,
//!
//! rho(u) = I1(x + u0) - I0(x) - w(x) + g . (u - u0),
//! g = (1 - b) grad I1(x + u0) + b grad I0(x),
//!
//! with b the `gradient-blend`, which holds for motions of about a pixel only;
//! hence
//!
//! 1. both pictures are smoothed and shrunk to a pyramid;
//! 2. from the coarsest level to the finest, `warps` times, the second picture
//!    is warped by the present flow, the data term linearised anew and the
//!    change of illumination moved;
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

use crate::bands::{self, Bands};
use crate::frame::{Frame, Kernels, Picture};
use crate::light::{self, Light};
use crate::plane::Plane;
use crate::pyramid::{self, Gaussian};
use crate::solver::{self, DataTerm, State, Weights};
use crate::warp::{self, Pair};
use crate::{FlowError, FlowField, GrayImage, TvL1Params, median};

/// The estimator: checked parameters, ready for any number of pairs.
#[derive(Debug, Clone)]
pub struct TvL1 {
    params: TvL1Params,
    threads: NonZeroUsize,
}

/// Scratch memory of [`TvL1::compute_with`], kept from pair to pair. It fits
/// itself to the size of the pair; what it holds never shows in a result.
#[derive(Debug, Clone, Default)]
pub struct TvL1Workspace {
    frames: [Frame; 2],
    levels: Vec<Level>,
    /// What the levels were laid out for.
    layout: Option<Layout>,
}

/// Width, height, levels, scale factor and threads.
type Layout = (usize, usize, usize, f32, NonZeroUsize);

#[derive(Debug, Clone)]
struct Level {
    bands: Bands,
    states: Vec<State>,
    /// The flow after the median filter and before.
    flow: [Plane; 2],
    rough: [Plane; 2],
    data: DataTerm,
    light: Light,
}

impl Level {
    fn new((width, height): (usize, usize), threads: NonZeroUsize) -> Self {
        let plane = || Plane::new(width, height);
        let bands = Bands::new(width, height, threads);
        Self {
            states: State::of_bands(width, height, &bands),
            bands,
            flow: [plane(), plane()],
            rough: [plane(), plane()],
            data: DataTerm::new(width, height),
            light: Light::new(width, height, |width, height| Bands::new(width, height, threads)),
        }
    }

    /// The start of a level: the flow of the next coarser one enlarged, or none.
    fn start(&mut self, coarser: Option<&Self>) {
        let Self { bands, states, flow, light, .. } = self;
        if let Some(coarser) = coarser {
            let (from, to) = (&coarser.flow[0], &flow[0]);
            let factors = [to.width as f32 / from.width as f32, to.height as f32 / from.height as f32];
            for ((from, to), factor) in coarser.flow.iter().zip(flow.iter_mut()).zip(factors) {
                pyramid::resize(from, to, factor, bands);
            }
        } else {
            flow.iter_mut().for_each(Plane::clear);
        }
        light.start(coarser.map(|coarser| &coarser.light), bands);
        let flow = &*flow;
        bands::each(states.iter_mut(), |state| {
            state.clear_duals();
            for (component, flow) in flow.iter().enumerate() {
                for y in state.own() {
                    state.flow_mut(component, y).copy_from_slice(flow.padded_row(y));
                }
            }
        });
    }

    /// Passes the flow of the states through the median filter.
    fn filter(&mut self, window: crate::MedianFilter) {
        let Self { bands, states, flow, rough, .. } = self;
        for (component, (flow, rough)) in flow.iter_mut().zip(rough).enumerate() {
            bands::each(states.iter().zip(rough.bands_mut(bands)), |(state, mut rough)| {
                for y in state.own() {
                    rough.padded_row_mut(y).copy_from_slice(state.flow(component, y));
                    rough.repeat_ends(y);
                }
            });
            let rough = &*rough;
            bands::each(states.iter_mut().zip(flow.bands_mut(bands)), |(state, mut flow)| {
                median::filter(rough, window, state.own(), &mut flow);
                for y in state.own() {
                    state.flow_mut(component, y).copy_from_slice(flow.padded_row_mut(y));
                }
            });
        }
    }
}

impl TvL1 {
    /// An estimator with these parameters. It works on the calling thread.
    ///
    /// # Errors
    /// [`FlowError::Parameter`] when one is outside its range.
    pub fn new(params: TvL1Params) -> Result<Self, FlowError> {
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
    pub fn params(&self) -> &TvL1Params {
        &self.params
    }

    /// Empty scratch memory for [`TvL1::compute_with`].
    pub fn workspace(&self) -> TvL1Workspace {
        TvL1Workspace::default()
    }

    /// The flow from `from` to `to`, H x W vectors in pixels: what is at (x, y)
    /// in `from` is at (x + u, y + v) in `to`.
    ///
    /// # Errors
    /// When the pictures differ in size, a buffer has the wrong length, or an
    /// intensity is not finite.
    pub fn compute(&self, from: &GrayImage, to: &GrayImage) -> Result<FlowField, FlowError> {
        self.compute_with(&mut self.workspace(), from, to)
    }

    /// [`TvL1::compute`] with scratch memory of the caller's, for many pairs of
    /// one size. The result is the same.
    ///
    /// # Errors
    /// As [`TvL1::compute`].
    pub fn compute_with(
        &self,
        workspace: &mut TvL1Workspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<FlowField, FlowError> {
        self.fill_both(workspace, from, to)?;
        self.solve(workspace, 0, 1)
    }

    /// The flow from `from` to `to` and that from `to` to `from`, the same as of
    /// two calls of [`TvL1::compute_with`]. The pyramids are made once.
    ///
    /// # Errors
    /// As [`TvL1::compute`].
    pub fn compute_both(
        &self,
        workspace: &mut TvL1Workspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<[FlowField; 2], FlowError> {
        self.fill_both(workspace, from, to)?;
        Ok([self.solve(workspace, 0, 1)?, self.solve(workspace, 1, 0)?])
    }

    fn fill_both(
        &self,
        workspace: &mut TvL1Workspace,
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
    pub(crate) fn next_frame(&self, workspace: &mut TvL1Workspace, frame: &GrayImage) {
        self.lay_out(workspace, frame.width, frame.height);
        workspace.frames.swap(0, 1);
        self.fill(workspace, 1, frame);
    }

    /// The flow between two frames of the workspace.
    pub(crate) fn solve(
        &self,
        workspace: &mut TvL1Workspace,
        from: usize,
        to: usize,
    ) -> Result<FlowField, FlowError> {
        let TvL1Workspace { frames, levels, .. } = workspace;
        let kernel = Gaussian::new(self.params.illumination_scale / light::CELL as f32);
        for at in (0..levels.len()).rev() {
            let (fine, coarser) = levels.split_at_mut(at + 1);
            let level = &mut fine[at];
            level.start(coarser.first());
            self.solve_level(level, &frames[from].levels[at], &frames[to].levels[at], &kernel);
        }
        let [u, v] = &levels[0].flow;
        FlowField::new(u.width, u.height, unpad(u), unpad(v))
    }

    fn lay_out(&self, workspace: &mut TvL1Workspace, width: usize, height: usize) {
        let TvL1Params { levels, scale_factor, .. } = self.params;
        let layout = (width, height, levels, scale_factor, self.threads);
        if workspace.layout != Some(layout) {
            let sizes = pyramid::level_sizes(width, height, levels, scale_factor);
            // What was there goes before the new is asked for.
            *workspace = TvL1Workspace::default();
            workspace.frames = [Frame::new(&sizes), Frame::new(&sizes)];
            workspace.levels = sizes.into_iter().map(|size| Level::new(size, self.threads)).collect();
            workspace.layout = Some(layout);
        }
    }

    fn fill(&self, workspace: &mut TvL1Workspace, slot: usize, image: &GrayImage) {
        let TvL1Workspace { frames, levels, .. } = workspace;
        let kernels = Kernels::new(self.params.smoothing, self.params.scale_factor);
        let scratch = levels.iter_mut().map(|level| (&mut level.rough[0], &level.bands));
        frames[slot].fill(image, &kernels, scratch);
    }

    fn solve_level(&self, level: &mut Level, first: &Picture, second: &Picture, kernel: &Gaussian) {
        let params = &self.params;
        let weights = Weights { lambda: params.lambda, theta: params.theta, tau: params.tau };
        for _ in 0..params.warps {
            let pair = Pair {
                first: &first.plane,
                second: &second.bordered,
                flow: &level.flow,
                blend: params.gradient_blend,
                limit: params.illumination_limit,
            };
            warp::linearise(pair, &mut level.data, &mut level.light, &level.bands);
            if params.illumination_limit > 0.0 {
                level.light.update(&mut level.data.constant, kernel, &level.bands);
            }
            for _ in 0..params.rounds {
                solver::iterate(&mut level.states, &level.data, weights, params.iterations);
                level.filter(params.median);
            }
        }
    }
}

/// Refuses a pair of pictures of two sizes.
pub(crate) fn same_size(first: (usize, usize), second: (usize, usize)) -> Result<(), FlowError> {
    if first == second {
        return Ok(());
    }
    Err(FlowError::SizeMismatch {
        first_width: first.0,
        first_height: first.1,
        second_width: second.0,
        second_height: second.1,
    })
}

fn unpad(plane: &Plane) -> Vec<f32> {
    let mut values = Vec::with_capacity(plane.width * plane.height);
    (0..plane.height).for_each(|y| values.extend_from_slice(plane.row(y)));
    values
}
