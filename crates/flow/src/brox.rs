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
mod grid;
mod params;
#[cfg(test)]
mod reference;
mod sor;
mod system;

use std::num::NonZeroUsize;

use crate::plane::Plane;
use crate::pyramid::{self, Gaussian};
use crate::{FlowError, FlowField, GrayImage, MedianFilter, median};

use data::{Data, First, Second};
use derivatives::Derivatives;
use sor::State;
use system::{Coefficients, Weights};

pub use params::BroxParams;

/// Intensities beyond this are cut off, so that no square overflows.
const MOST_INTENSITY: f32 = 1e5;

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
    levels: Vec<Level>,
    work: Work,
    /// What the levels were laid out for.
    layout: Option<(usize, usize, usize, f32)>,
}

/// One level of the pyramid: the two pictures and the flow.
#[derive(Debug, Clone)]
struct Level {
    pictures: [Picture; 2],
    flow: [Plane; 2],
}

/// A picture of the pyramid with two planes of scratch, so that both pictures
/// may be in work at once.
#[derive(Debug, Clone)]
struct Picture {
    plane: Plane,
    smooth: Plane,
    between: Plane,
}

impl Level {
    fn new((width, height): (usize, usize)) -> Self {
        let plane = || Plane::new(width, height);
        let picture = || Picture { plane: plane(), smooth: plane(), between: plane() };
        Self { pictures: [picture(), picture()], flow: [plane(), plane()] }
    }
}

/// What the level in work needs.
#[derive(Debug, Clone, Default)]
struct Work {
    derivatives: [Derivatives; 2],
    first: First,
    second: Second,
    state: State,
    data: Data,
    system: Coefficients,
    median: Vec<f32>,
}

/// Which picture's derivatives are to be laid out, and where.
enum Side<'a> {
    First(&'a mut First),
    Second(&'a mut Second),
}

impl Brox {
    /// An estimator with these parameters, on the calling thread.
    ///
    /// # Errors
    /// [`FlowError::BroxParameter`] when one is outside its range.
    pub fn new(params: BroxParams) -> Result<Self, FlowError> {
        params.check()?;
        Ok(Self { params, threads: NonZeroUsize::MIN })
    }

    /// The same on up to `threads` threads: the calling one and, from two on,
    /// rayon's. The result is the same to the bit. Small levels use fewer.
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

        let BroxWorkspace { levels, work, .. } = workspace;
        for at in (0..levels.len()).rev() {
            let (fine, coarser) = levels.split_at_mut(at + 1);
            let level = &mut fine[at];
            match coarser.first() {
                Some(coarse) => enlarge(&coarse.flow, &mut level.flow),
                None => level.flow.iter_mut().for_each(Plane::clear),
            }
            self.solve(level, work);
        }
        let [u, v] = &levels[0].flow;
        FlowField::new(from.width, from.height, unpad(u), unpad(v))
    }

    fn lay_out(&self, workspace: &mut BroxWorkspace, width: usize, height: usize) {
        let layout = (width, height, self.params.levels, self.params.scale_factor);
        if workspace.layout != Some(layout) {
            let sizes = pyramid::level_sizes(width, height, layout.2, layout.3);
            workspace.levels = sizes.into_iter().map(Level::new).collect();
            workspace.layout = Some(layout);
        }
    }

    fn fill_pyramid(&self, workspace: &mut BroxWorkspace, from: &GrayImage, to: &GrayImage) {
        let first_blur = Gaussian::new(self.params.smoothing);
        let blur = Gaussian::new(pyramid::sigma_for(self.params.scale_factor));
        let mut sides = [(from, Vec::new()), (to, Vec::new())];
        for level in &mut workspace.levels {
            for ((_, side), picture) in sides.iter_mut().zip(&mut level.pictures) {
                side.push(picture);
            }
        }
        let parts = self.two_parts(sides);
        bands::on_each(parts, |sides| {
            for (source, mut levels) in sides {
                for at in 0..levels.len() {
                    let (finer, rest) = levels.split_at_mut(at);
                    let level = &mut *rest[0];
                    if let Some(finer) = finer.last_mut() {
                        blur.smooth(&finer.plane, &mut finer.smooth, &mut finer.between);
                        pyramid::resize(&finer.smooth, &mut level.plane, 1.0);
                    } else {
                        pad(source, &mut level.smooth);
                        first_blur.smooth(&level.smooth, &mut level.plane, &mut level.between);
                    }
                }
            }
        });
    }

    /// Two things to do, one after the other or, with threads, at once.
    fn two_parts<T>(&self, parts: [T; 2]) -> Vec<Vec<T>> {
        let parts = parts.into_iter();
        match self.threads.get() {
            1 => vec![parts.collect()],
            _ => parts.map(|part| vec![part]).collect(),
        }
    }

    fn solve(&self, level: &mut Level, work: &mut Work) {
        let BroxParams { alpha, gamma, epsilon, .. } = self.params;
        let threads = self.threads.get();
        let weights = Weights { alpha, gamma, epsilon };
        let Work { derivatives, first, second, state, data, system, median } = work;
        let [from, to] = &mut level.pictures;
        let (width, height) = (from.plane.width, from.plane.height);
        state.reshape(width, height);
        data.reshape(width, height);
        system.reshape(width, height);
        let [of_first, of_second] = derivatives;
        let sides = [(Side::First(first), from, of_first), (Side::Second(second), to, of_second)];
        bands::on_each(self.two_parts(sides), |sides| {
            for (side, picture, derivatives) in sides {
                let scratch = [&mut picture.smooth, &mut picture.between];
                match side {
                    Side::First(first) => data::take_first(first, &picture.plane, scratch, derivatives),
                    Side::Second(second) => second.take(&picture.plane, scratch, derivatives),
                }
            }
        });
        level.flow.iter().enumerate().for_each(|(at, plane)| state.take(at, plane));
        for _ in 0..self.params.warps {
            data::linearise(data, first, second, state, threads);
            for _ in 0..self.params.inner_iterations {
                system.build(state, data, weights, threads);
                sor::relax(state, system, self.params.omega, self.params.sor_iterations, threads);
            }
            if self.params.median != MedianFilter::None {
                for (at, plane) in level.flow.iter_mut().enumerate() {
                    state.give(at, plane);
                    median::filter(plane, self.params.median, median);
                    state.take(at, plane);
                }
            }
        }
        level.flow.iter_mut().enumerate().for_each(|(at, plane)| state.give(at, plane));
    }
}

/// The flow of a level as the start of the next finer one.
fn enlarge(coarse: &[Plane; 2], fine: &mut [Plane; 2]) {
    let factors =
        [fine[0].width as f32 / coarse[0].width as f32, fine[0].height as f32 / coarse[0].height as f32];
    for ((from, to), factor) in coarse.iter().zip(fine).zip(factors) {
        pyramid::resize(from, to, factor);
    }
}

fn pad(picture: &GrayImage, plane: &mut Plane) {
    for (y, row) in picture.data.chunks_exact(picture.width).enumerate() {
        for (to, from) in plane.row_mut(y).iter_mut().zip(row) {
            *to = from.clamp(-MOST_INTENSITY, MOST_INTENSITY);
        }
    }
}

fn unpad(plane: &Plane) -> Vec<f32> {
    (0..plane.height).flat_map(|y| plane.row(y)).copied().collect()
}
