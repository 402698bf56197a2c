//! Coarse-to-fine TV-L1.
//!
//! The flow (u, v) from picture I0 to picture I1 minimises
//!
//! E(u, v) = integral of |grad u| + |grad v| + lambda |I1(x + (u, v)) - I0(x)|
//!
//! (Zach, Pock and Bischof, "A Duality Based Approach for Realtime TV-L1
//! Optical Flow", DAGM 2007). Total variation keeps the edges of moving
//! things sharp and the L1 data term shrugs off occlusions. The data term is
//! linearised about the present flow, which holds for motions of about a pixel
//! only; hence
//!
//! 1. both pictures are smoothed and shrunk to a pyramid;
//! 2. from the coarsest level to the finest, `warps` times, the second picture
//!    is warped by the present flow and the data term linearised anew;
//! 3. after each warp, `rounds` times, `iterations` primal-dual steps (the
//!    `solver` module has the equations) are followed by a median filter of
//!    both components, as in Wedel, Pock, Zach, Bischof and Cremers, "An
//!    Improved Algorithm for TV-L1 Optical Flow" (2009);
//! 4. the flow is enlarged to the next level and the dual variables start
//!    there from zero.
//!
//! Arithmetic is plain `f32` in a fixed order, so a pair gives the same bits
//! on every thread and with every vector width.

use crate::plane::Plane;
use crate::pyramid::{self, Gaussian};
use crate::solver::{self, DataTerm, State, Weights};
use crate::warp::{self, Bordered};
use crate::{FlowError, FlowField, GrayImage, TvL1Params, median};

/// The estimator: checked parameters, ready for any number of pairs.
#[derive(Debug, Clone)]
pub struct TvL1 {
    params: TvL1Params,
}

/// Scratch memory of [`TvL1::compute_with`], kept from pair to pair. It fits
/// itself to the size of the pair; what it holds never shows in a result.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    levels: Vec<Level>,
    scratch: Vec<f32>,
    /// What the levels were laid out for.
    layout: Option<(usize, usize, usize, f32)>,
}

#[derive(Debug, Clone)]
struct Level {
    first: Plane,
    second: Plane,
    smooth: Plane,
    between: Plane,
    bordered: Bordered,
    state: State,
    data: DataTerm,
}

impl Level {
    fn new((width, height): (usize, usize)) -> Self {
        let plane = || Plane::new(width, height);
        Self {
            first: plane(),
            second: plane(),
            smooth: plane(),
            between: plane(),
            bordered: Bordered::new(width, height),
            state: State::new(width, height),
            data: DataTerm::new(width, height),
        }
    }
}

impl TvL1 {
    /// An estimator with these parameters.
    ///
    /// # Errors
    /// [`FlowError::Parameter`] when one is outside its range.
    pub fn new(params: TvL1Params) -> Result<Self, FlowError> {
        params.check()?;
        Ok(Self { params })
    }

    /// The parameters.
    pub fn params(&self) -> &TvL1Params {
        &self.params
    }

    /// Empty scratch memory for [`TvL1::compute_with`].
    pub fn workspace(&self) -> Workspace {
        Workspace::default()
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
        workspace: &mut Workspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<FlowField, FlowError> {
        from.check("first")?;
        to.check("second")?;
        if (from.width, from.height) != (to.width, to.height) {
            return Err(FlowError::SizeMismatch {
                first_width: from.width,
                first_height: from.height,
                second_width: to.width,
                second_height: to.height,
            });
        }
        self.lay_out(workspace, from.width, from.height);
        self.fill_pyramid(workspace, from, to);

        let Workspace { levels, scratch, .. } = workspace;
        for at in (0..levels.len()).rev() {
            let (fine, coarser) = levels.split_at_mut(at + 1);
            let level = &mut fine[at];
            level.state.clear();
            if let Some(coarse) = coarser.first() {
                enlarge(&coarse.state, &mut level.state);
            }
            self.solve(level, scratch);
        }
        let [u, v] = &levels[0].state.u;
        FlowField::new(from.width, from.height, unpad(u), unpad(v))
    }

    fn lay_out(&self, workspace: &mut Workspace, width: usize, height: usize) {
        let layout = (width, height, self.params.levels, self.params.scale_factor);
        if workspace.layout != Some(layout) {
            let sizes = pyramid::level_sizes(width, height, layout.2, layout.3);
            workspace.levels = sizes.into_iter().map(Level::new).collect();
            workspace.layout = Some(layout);
        }
    }

    fn fill_pyramid(&self, workspace: &mut Workspace, from: &GrayImage, to: &GrayImage) {
        let first_blur = Gaussian::new(self.params.smoothing);
        let blur = Gaussian::new(pyramid::sigma_for(self.params.scale_factor));
        for at in 0..workspace.levels.len() {
            let (finer, rest) = workspace.levels.split_at_mut(at);
            let level = &mut rest[0];
            if let Some(finer) = finer.last_mut() {
                blur.smooth(&finer.first, &mut finer.smooth, &mut finer.between);
                pyramid::resize(&finer.smooth, &mut level.first, 1.0);
                blur.smooth(&finer.second, &mut finer.smooth, &mut finer.between);
                pyramid::resize(&finer.smooth, &mut level.second, 1.0);
            } else {
                pad(from, &mut level.smooth);
                first_blur.smooth(&level.smooth, &mut level.first, &mut level.between);
                pad(to, &mut level.smooth);
                first_blur.smooth(&level.smooth, &mut level.second, &mut level.between);
            }
            level.bordered.fill(&level.second);
        }
    }

    fn solve(&self, level: &mut Level, scratch: &mut Vec<f32>) {
        let params = &self.params;
        let weights = Weights { lambda: params.lambda, theta: params.theta, tau: params.tau };
        let Level { first, bordered, state, data, .. } = level;
        for _ in 0..params.warps {
            warp::linearise(first, bordered, state, data);
            for _ in 0..params.rounds {
                solver::iterate(state, data, weights, params.iterations);
                for component in &mut state.u {
                    median::filter(component, params.median, scratch);
                }
            }
        }
    }
}

/// The flow of a level as the start of the next finer one.
fn enlarge(coarse: &State, fine: &mut State) {
    let (from, to) = (&coarse.u[0], &fine.u[0]);
    let factors = [to.width as f32 / from.width as f32, to.height as f32 / from.height as f32];
    for ((from, to), factor) in coarse.u.iter().zip(&mut fine.u).zip(factors) {
        pyramid::resize(from, to, factor);
    }
}

fn pad(picture: &GrayImage, plane: &mut Plane) {
    for (y, row) in picture.data.chunks_exact(picture.width).enumerate() {
        plane.row_mut(y).copy_from_slice(row);
    }
}

fn unpad(plane: &Plane) -> Vec<f32> {
    (0..plane.height).flat_map(|y| plane.row(y)).copied().collect()
}
