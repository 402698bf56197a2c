//! The inverse search of patches, and the dense field that it gives: steps 1 and 2 of Kroeger, Timofte, Dai and Van
//! Gool, "Fast Optical Flow using Dense Inverse Search" (ECCV 2016), section 2.
//!
//! Patches T of 8x8 pixels lie on a grid over the first picture. Each looks for the displacement (u, v) with the least
//!
//! cost = sum over the patch of (d - mean of d)^2, d = I1(x + u, y + v) - T(x, y)
//!
//! by Gauss-Newton steps with the gradient of the patch instead of that of the second picture (2.1): the 2x2 matrix of
//! the step is computed once, and the mean is removed against changes of brightness (2.4). A patch starts from the
//! better of two displacements: that of the coarser level, and the one that its left neighbour has found. Then every
//! patch tries the results of its neighbours to the right, above and below, and goes on from the best if that
//! is better than its own. The paper starts from the coarser level only; OpenCV has a similar propagation.
//!
//! Where the effort has a reach, a patch that is still without a good match compares itself with every place around by
//! whole pixels, which finds objects that have moved by more than their size. Such a match counts if the patch is also
//! clearly the best match of what it found, which what is covered in the second picture is not.
//!
//! The field at a pixel is the mean of the displacements of the patches that cover it, each weighted by
//! 1 / max(1, |d - mean of d|) at that pixel (2.2).
//!
//! A row of patches depends on no other row of the same pass, and the mean of a pixel adds its patches in the order of
//! the grid, so the bits do not depend on the number of threads.

mod densify;
mod grid;
mod passes;
#[cfg(test)]
mod reference;
mod template;

use std::ops::Range;

use crate::bands::{self, Bands};
use crate::eight;
use crate::plane::Plane;

use densify::Densify;
use grid::{Bordered, Layout, Level, Patch};
use passes::{Find, Settle};

pub(crate) use grid::PATCH;

/// How thoroughly patches search.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Effort {
    /// Distance in pixels from a patch to the next.
    pub(crate) stride: usize,
    /// Most steps of a descent.
    pub(crate) steps: usize,
    /// Whole pixels to every side that a patch without a good match looks at; 0 for none.
    pub(crate) reach: usize,
}

/// Scratch memory of the search, as large as the largest level so far.
#[derive(Debug, Clone, Default)]
pub(crate) struct Searcher {
    second: Bordered,
    found: Vec<Patch>,
    settled: Vec<Patch>,
}

impl Searcher {
    /// Replaces the flow of a level, which is that of the next coarser one, by the field of the patches. A level
    /// smaller than a patch keeps its flow.
    pub(crate) fn improve(
        &mut self,
        flow: &mut [Plane; 2],
        scratch: &mut Plane,
        [from, to]: [&Plane; 2],
        effort: Effort,
        bands: &Bands,
    ) {
        let (width, height) = (from.width, from.height);
        if width.min(height) < PATCH {
            return;
        }
        let layout = Layout::new(width, height, effort.stride);
        self.second.fill(to, bands);
        self.found.clear();
        self.found.resize(layout.rows * layout.columns, Patch::default());
        self.settled.clone_from(&self.found);
        let Effort { steps, reach, .. } = effort;
        let passes = if reach > 0 { 3 } else { 1 };
        let Self { second, found, settled } = self;
        let (second, cut) = (&*second, layout.bands(bands.count()));
        bands::each(cut.iter().cloned().zip(split(found, &cut, layout.columns)), |(rows, out)| {
            let level = Level { layout, from, to, second, steps };
            eight::run(Find { level, flow, rows, out });
        });
        for pass in 0..passes {
            if pass > 0 {
                std::mem::swap(found, settled);
            }
            let found = &*found;
            let reach = if pass == 1 { reach } else { 0 };
            bands::each(cut.iter().cloned().zip(split(settled, &cut, layout.columns)), |(rows, out)| {
                let level = Level { layout, from, to, second, steps };
                eight::run(Settle { level, found, rows, out, reach });
            });
        }
        let settled = &*settled;
        let [u, v] = flow;
        let parts =
            bands.ranges().zip(u.bands_mut(bands)).zip(v.bands_mut(bands)).zip(scratch.bands_mut(bands));
        bands::each(parts, |(((rows, u), v), weight)| {
            let level = Level { layout, from, to, second, steps: 0 };
            eight::run(Densify { level, patches: settled, rows, u, v, weight });
        });
    }
}

/// Splits patches into those of each band.
fn split<'a>(mut patches: &'a mut [Patch], bands: &[Range<usize>], columns: usize) -> Vec<&'a mut [Patch]> {
    let mut parts = Vec::with_capacity(bands.len());
    for band in bands {
        let (part, rest) = patches.split_at_mut(band.len() * columns);
        parts.push(part);
        patches = rest;
    }
    parts
}
