//! A picture as the estimator keeps it: smoothed and shrunk to a pyramid.

use crate::GrayImage;
use crate::bands::{self, Bands};
use crate::plane::Plane;
use crate::pyramid::{self, Gaussian};
use crate::warp::Bordered;

/// A picture's pyramid, finest level first. It serves as the first and as the
/// second picture of a pair.
#[derive(Debug, Clone, Default)]
pub(crate) struct Frame {
    pub(crate) levels: Vec<Picture>,
}

/// A level of a pyramid.
#[derive(Debug, Clone)]
pub(crate) struct Picture {
    pub(crate) plane: Plane,
    /// The same, for the warp.
    pub(crate) bordered: Bordered,
}

/// The smoothing before the pyramid and that before each shrinking.
pub(crate) struct Kernels {
    first: Gaussian,
    shrink: Gaussian,
}

impl Kernels {
    pub(crate) fn new(smoothing: f32, scale_factor: f32) -> Self {
        let shrink = Gaussian::new(pyramid::sigma_for(scale_factor));
        Self { first: Gaussian::new(smoothing), shrink }
    }
}

impl Frame {
    pub(crate) fn new(sizes: &[(usize, usize)]) -> Self {
        let picture = |&(width, height): &(usize, usize)| Picture {
            plane: Plane::new(width, height),
            bordered: Bordered::new(width, height),
        };
        Self { levels: sizes.iter().map(picture).collect() }
    }

    /// Takes over a picture of the size of the finest level. `scratch` has a
    /// plane, and `bands` the bands, of each level.
    pub(crate) fn fill<'a>(
        &mut self,
        image: &GrayImage,
        kernels: &Kernels,
        scratch: impl Iterator<Item = (&'a mut Plane, &'a Bands)>,
    ) {
        let mut finer: Option<(&mut Plane, &Bands)> = None;
        for (at, (scratch, bands)) in scratch.enumerate() {
            let (done, rest) = self.levels.split_at_mut(at);
            let level = &mut rest[0];
            if let Some(((smooth, finer_bands), finer)) = finer.take().zip(done.last()) {
                kernels.shrink.smooth(&finer.plane, smooth, finer_bands);
                pyramid::resize(smooth, &mut level.plane, 1.0, bands);
            } else {
                bands::each(bands.ranges().zip(scratch.bands_mut(bands)), |(rows, mut to)| {
                    for y in rows {
                        to.row_mut(y).copy_from_slice(&image.data[y * image.width..][..image.width]);
                    }
                });
                kernels.first.smooth(scratch, &mut level.plane, bands);
            }
            level.bordered.fill(&level.plane);
            finer = Some((scratch, bands));
        }
    }
}
