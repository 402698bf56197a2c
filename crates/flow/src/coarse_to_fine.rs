//! Common part of the methods: keeps frames as pyramids, and finds the flow of a pair level by level, from the coarsest
//! to the finest.

use std::fmt::Debug;
use std::num::NonZeroUsize;

use crate::bands::{self, Bands};
use crate::plane::Plane;
use crate::pyramid::{self, Gaussian};
use crate::{FlowError, FlowField, GrayImage};

/// A coarse-to-fine method: its parameters, and its work on one level.
pub(crate) trait CoarseToFine {
    /// Data kept for each level besides its flow.
    type Own: Debug + Clone;
    /// Scratch memory for the current level, shared by all levels.
    type Work: Debug + Clone + Default;

    /// Magnitude beyond which intensities are clipped.
    const MOST_INTENSITY: f32;

    /// Returns the shape of the pyramids.
    fn shape(&self) -> Shape;

    /// Allocates the data of a level of that width and height.
    fn own(width: usize, height: usize, threads: NonZeroUsize) -> Self::Own;

    /// Improves the flow of a level, which starts as that of the next coarser one.
    fn solve(&self, task: Task<'_, Self>, work: &mut Self::Work);
}

/// The shape of a pyramid.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Shape {
    /// Maximum number of levels.
    pub(crate) levels: usize,
    /// Size of each level relative to the next finer one.
    pub(crate) scale_factor: f32,
    /// Standard deviation of the Gaussian that smooths the frame first.
    pub(crate) smoothing: f32,
    /// The finest level that is solved; the flow is enlarged from there.
    pub(crate) finest: usize,
    /// Levels are exact halves, of which each pixel is the mean of four; their `scale_factor` is 0.5.
    pub(crate) halves: bool,
}

impl Shape {
    /// A pyramid smoothed by Gaussians, solved down to the pictures themselves.
    pub(crate) fn gaussian(levels: usize, scale_factor: f32, smoothing: f32) -> Self {
        Self { levels, scale_factor, smoothing, finest: 0, halves: false }
    }

    /// Returns the width and height of each level, finest first.
    fn sizes(&self, width: usize, height: usize) -> Vec<(usize, usize)> {
        match self.halves {
            true => pyramid::half_sizes(width, height, self.levels),
            false => pyramid::level_sizes(width, height, self.levels, self.scale_factor),
        }
    }
}

/// A level to solve.
pub(crate) struct Task<'a, M: CoarseToFine + ?Sized> {
    pub(crate) level: &'a mut Level<M::Own>,
    /// Number of the level, 0 for the finest.
    pub(crate) number: usize,
    pub(crate) coarser: Option<&'a Level<M::Own>>,
    /// Both pictures.
    pub(crate) from: &'a Plane,
    pub(crate) to: &'a Plane,
    pub(crate) threads: NonZeroUsize,
}

/// A level of the pyramid: its flow, and the method's own data.
#[derive(Debug, Clone)]
pub(crate) struct Level<O> {
    pub(crate) bands: Bands,
    pub(crate) flow: [Plane; 2],
    /// Scratch planes.
    pub(crate) scratch: [Plane; 2],
    pub(crate) own: O,
}

impl<O> Level<O> {
    /// Initialises a level with the enlarged flow of the next coarser one, or with zero.
    fn start(&mut self, shape: Shape, coarser: Option<&Self>) {
        let Some(coarser) = coarser else {
            return self.flow.iter_mut().for_each(Plane::clear);
        };
        if shape.halves {
            for (from, to) in coarser.flow.iter().zip(&mut self.flow) {
                pyramid::double(from, to, 2.0, &self.bands);
            }
            return;
        }
        let (from, to) = (&coarser.flow[0], &self.flow[0]);
        let factors = [to.width as f32 / from.width as f32, to.height as f32 / from.height as f32];
        for ((from, to), factor) in coarser.flow.iter().zip(&mut self.flow).zip(factors) {
            pyramid::resize(from, to, factor, &self.bands);
        }
    }
}

/// Two frames as pyramids, and scratch memory, kept from pair to pair. It adapts to the size of the frames. Results do not
/// depend on its previous content.
#[derive(Debug, Clone)]
pub(crate) struct Space<M: CoarseToFine> {
    /// The levels of both frames, finest first.
    frames: [Vec<Plane>; 2],
    levels: Vec<Level<M::Own>>,
    work: M::Work,
    /// Width, height, shape and number of threads for which the levels were laid out.
    layout: Option<(usize, usize, Shape, NonZeroUsize)>,
}

impl<M: CoarseToFine> Default for Space<M> {
    fn default() -> Self {
        Self { frames: [Vec::new(), Vec::new()], levels: Vec::new(), work: M::Work::default(), layout: None }
    }
}

impl<M: CoarseToFine> Space<M> {
    /// Makes the next frame of a video the second frame; the second becomes the first. The frame has been checked and has
    /// the size of the others.
    pub(crate) fn next_frame(&mut self, method: &M, threads: NonZeroUsize, image: &GrayImage) {
        let (width, height, shape) = (image.width, image.height, method.shape());
        let layout = Some((width, height, shape, threads));
        if self.layout != layout {
            // Frees the old memory before allocating the new.
            *self = Self::default();
            let sizes = shape.sizes(width, height);
            let plane = |&(width, height): &(usize, usize)| Plane::new(width, height);
            self.frames = [(); 2].map(|()| sizes.iter().map(plane).collect());
            let level = |&(width, height): &(usize, usize)| {
                let planes = || [(); 2].map(|()| Plane::new(width, height));
                let bands = Bands::new(width, height, threads);
                Level { bands, flow: planes(), scratch: planes(), own: M::own(width, height, threads) }
            };
            self.levels = sizes.iter().map(level).collect();
            self.layout = layout;
        }
        self.frames.swap(0, 1);
        self.fill(shape, image);
    }

    /// Smooths the second frame by a Gaussian, and builds its pyramid.
    fn fill(&mut self, shape: Shape, image: &GrayImage) {
        let shrink = Gaussian::new(pyramid::sigma_for(shape.scale_factor));
        let most = M::MOST_INTENSITY;
        for at in 0..self.levels.len() {
            let (done, rest) = self.frames[1].split_at_mut(at);
            let (finer, level) = self.levels.split_at_mut(at);
            let (Level { bands, scratch: [scratch, _], .. }, plane) = (&mut level[0], &mut rest[0]);
            if let Some(picture) = done.last().filter(|_| shape.halves) {
                pyramid::halve(picture, plane, bands);
            } else if let Some((finer, picture)) = finer.last_mut().zip(done.last()) {
                let smooth = &mut finer.scratch[0];
                shrink.smooth(picture, smooth, &finer.bands);
                pyramid::resize(smooth, plane, 1.0, bands);
            } else {
                let clipped = if shape.smoothing > 0.0 { &mut *scratch } else { &mut *plane };
                bands::each(bands.ranges().zip(clipped.bands_mut(bands)), |(rows, mut to)| {
                    for y in rows {
                        let source = &image.data[y * image.width..][..image.width];
                        for (to, from) in to.row_mut(y).iter_mut().zip(source) {
                            *to = from.clamp(-most, most);
                        }
                        to.repeat_ends(y);
                    }
                });
                if shape.smoothing > 0.0 {
                    Gaussian::new(shape.smoothing).smooth(scratch, plane, bands);
                }
            }
        }
    }

    /// Computes the flow from one of the two frames to the other.
    pub(crate) fn solve(
        &mut self,
        method: &M,
        threads: NonZeroUsize,
        [from, to]: [usize; 2],
    ) -> Result<FlowField, FlowError> {
        for at in (0..self.levels.len()).rev() {
            let (fine, coarser) = self.levels.split_at_mut(at + 1);
            let (level, coarser) = (&mut fine[at], coarser.first());
            level.start(method.shape(), coarser);
            if at < method.shape().finest && coarser.is_some() {
                continue;
            }
            let (from, to) = (&self.frames[from][at], &self.frames[to][at]);
            method.solve(Task { level, number: at, coarser, from, to, threads }, &mut self.work);
        }
        let [u, v] = &self.levels[0].flow;
        FlowField::new(u.width, u.height, unpad(u), unpad(v))
    }
}

/// Returns the values of a plane without its padding.
fn unpad(plane: &Plane) -> Vec<f32> {
    let mut values = Vec::with_capacity(plane.width * plane.height);
    (0..plane.height).for_each(|y| values.extend_from_slice(plane.row(y)));
    values
}
