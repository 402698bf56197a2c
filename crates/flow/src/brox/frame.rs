//! A picture as the estimator keeps it: smoothed and shrunk to a pyramid.

use crate::GrayImage;
use crate::bands::{self, Bands};
use crate::plane::Plane;
use crate::pyramid::{self, Gaussian};

/// Intensities beyond this are cut off, so that no square overflows.
const MOST_INTENSITY: f32 = 1e5;

/// A picture's pyramid, finest level first. It serves as the first and as the
/// second picture of a pair.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    pub(super) levels: Vec<Plane>,
}

impl Frame {
    pub(super) fn new(sizes: &[(usize, usize)]) -> Self {
        Self { levels: sizes.iter().map(|&(width, height)| Plane::new(width, height)).collect() }
    }

    /// Takes over a picture of the size of the finest level, smoothed by
    /// `smoothing` pixels. `scratch` has a plane, and `bands` the bands, of each
    /// level.
    pub(super) fn fill<'a>(
        &mut self,
        image: &GrayImage,
        (smoothing, scale_factor): (f32, f32),
        scratch: impl Iterator<Item = (&'a mut Plane, &'a Bands)>,
    ) {
        let shrink = Gaussian::new(pyramid::sigma_for(scale_factor));
        let mut finer: Option<(&mut Plane, &Bands)> = None;
        for (at, (scratch, bands)) in scratch.enumerate() {
            let (done, rest) = self.levels.split_at_mut(at);
            let level = &mut rest[0];
            if let Some(((smooth, finer_bands), finer)) = finer.take().zip(done.last()) {
                shrink.smooth(finer, smooth, finer_bands);
                pyramid::resize(smooth, level, 1.0, bands);
            } else {
                bands::each(bands.ranges().zip(scratch.bands_mut(bands)), |(rows, mut to)| {
                    for y in rows {
                        let source = &image.data[y * image.width..][..image.width];
                        for (to, from) in to.row_mut(y).iter_mut().zip(source) {
                            *to = from.clamp(-MOST_INTENSITY, MOST_INTENSITY);
                        }
                    }
                });
                Gaussian::new(smoothing).smooth(scratch, level, bands);
            }
            finer = Some((scratch, bands));
        }
    }
}
