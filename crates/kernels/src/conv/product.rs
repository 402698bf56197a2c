//! The output and the input gradient: products of image windows with panels of weights.
//!
//! Both are the same computation. Positions of the result are numbered through the batch and divided
//! into blocks; for each tap of a block a table holds the addresses of the pixels that its
//! positions see, or of zeros if the window leaves the image. So any stride and padding costs
//! nothing inside the sums, and blocks may run across rows and samples.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::block::{Finish, outputs};
use super::panels::{Packed, Panel, Panels};
use crate::simd::{Level, run};

/// Bytes of image that a task reads; with a panel of weights they stay in the second-level cache.
const TILE_BYTES: usize = 256 << 10;
/// Number of tasks for a product, if the shape allows.
const TASKS: usize = 64;

/// The positions of a result, and their windows.
///
/// Position (r, c) of the grid is pixel `origin + step * (r, c)` of the target, and its tap t
/// sees pixel `window_origin + window_step * (r, c) + taps[t]` of the source.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) batch: usize,
    /// Rows and columns of positions.
    pub(super) size: [usize; 2],
    pub(super) source: Image,
    pub(super) window_origin: [isize; 2],
    pub(super) window_step: [usize; 2],
    pub(super) taps: Vec<[isize; 2]>,
    /// Number of contiguous values that a tap reads.
    pub(super) run: usize,
    pub(super) target: Image,
    pub(super) origin: [usize; 2],
    pub(super) step: [usize; 2],
}

/// Sizes of one image of a batch.
#[derive(Debug, Clone, Copy)]
pub(super) struct Image {
    pub(super) size: [usize; 2],
    pub(super) channels: usize,
}

impl Image {
    /// Returns the index of the first channel of a pixel.
    fn index(&self, sample: usize, [row, column]: [usize; 2]) -> usize {
        ((sample * self.size[0] + row) * self.size[1] + column) * self.channels
    }

    /// Returns the pixel if it is inside the image.
    fn inside(&self, [row, column]: [isize; 2]) -> Option<[usize; 2]> {
        let (row, column) = (usize::try_from(row).ok()?, usize::try_from(column).ok()?);
        (row < self.size[0] && column < self.size[1]).then_some([row, column])
    }
}

/// One product over a grid.
pub(super) struct Product<'a> {
    pub(super) grid: Grid,
    pub(super) source: &'a [f32],
    pub(super) panels: &'a Panels,
    pub(super) list: &'a [Panel],
    pub(super) weights: &'a Packed,
    /// Channels of one group in the source.
    pub(super) group_source: usize,
    /// Biases packed like one row of the panels.
    pub(super) bias: Option<&'a Packed>,
    pub(super) relu: bool,
}

/// The target of a product, written by several tasks.
struct Target(*mut f32);

// SAFETY: tasks write different positions or different channels of it.
unsafe impl Sync for Target {}

impl Product<'_> {
    /// Computes the product. Writes every position of the grid, and nothing else in `target`.
    pub(super) fn run(&self, level: Level, target: &mut [f32]) {
        let Grid { batch, size, source, target: image, run: length, .. } = &self.grid;
        let zeros = vec![0f32; source.channels.max(*length)];
        assert_eq!(self.source.len(), batch * source.size[0] * source.size[1] * source.channels);
        assert_eq!(target.len(), batch * image.size[0] * image.size[1] * image.channels);
        let Grid { origin, step, .. } = &self.grid;
        let ends = |axis: usize| origin[axis] + size[axis].saturating_sub(1) * step[axis] < image.size[axis];
        assert!(size.contains(&0) || ends(0) && ends(1), "the grid lies inside the target");
        let blocks = (batch * size[0] * size[1]).div_ceil(self.panels.block);
        let pixels = self.grid.window_step[0] * self.grid.window_step[1];
        let positions = (TILE_BYTES / (4 * source.channels * pixels).max(1)).clamp(48, 768);
        let tile = positions.div_ceil(self.panels.block).min(blocks.max(1));
        let tiles = blocks.div_ceil(tile);
        let cuts = TASKS.div_ceil(tiles.max(1)).min(self.list.len());
        let panels_each = self.list.len().div_ceil(cuts.max(1)).max(1);
        let shared = Target(target.as_mut_ptr());
        let tasks = tiles * self.list.len().div_ceil(panels_each);
        (0..tasks).into_par_iter().for_each(|task| {
            let (tile_at, cut) = (task % tiles, task / tiles);
            let task = Task {
                product: self,
                target: &shared,
                zeros: &zeros,
                blocks: tile_at * tile..((tile_at + 1) * tile).min(blocks),
                panels: cut * panels_each..((cut + 1) * panels_each).min(self.list.len()),
            };
            run(level, task);
        });
    }
}

/// Some blocks of positions for some panels.
struct Task<'a> {
    product: &'a Product<'a>,
    target: &'a Target,
    zeros: &'a [f32],
    blocks: Range<usize>,
    panels: Range<usize>,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        // The pairs that `Panels::new` chooses.
        match self.product.panels.block {
            6 => self.compute::<S, 6>(simd),
            8 => self.compute::<S, 8>(simd),
            10 => self.compute::<S, 10>(simd),
            12 => self.compute::<S, 12>(simd),
            14 => self.compute::<S, 14>(simd),
            other => unreachable!("no block of {other} positions"),
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn compute<S: Simd, const P: usize>(&self, simd: S) {
        let Product { grid, panels, weights, list, .. } = self.product;
        let taps = grid.taps.len();
        let (from, to) = self.tables::<P>();
        for at in self.panels.clone() {
            let (panel, start) = (&list[at], weights.starts[at]);
            let bias = match self.product.bias {
                Some(bias) => bias.data[bias.starts[at]..].as_ptr(),
                None => std::ptr::null(),
            };
            let finish = Finish { bias, relu: self.product.relu, width: panel.width };
            let rows = &weights.data[start..][..taps * grid.run * panels.stored_width(panel)];
            for (block, (to, count)) in to.iter().enumerate() {
                let from = &from[block * taps..][..taps];
                // Constants rule out combinations that `Panels` never makes, so they are not compiled.
                match panel.vectors {
                    1 => self.block::<S, P, 1>(simd, panel, finish, from, rows, to, *count),
                    2 if P <= 12 => self.block::<S, P, 2>(simd, panel, finish, from, rows, to, *count),
                    3 if P <= 8 && S::REGISTER_COUNT >= 32 => {
                        self.block::<S, P, 3>(simd, panel, finish, from, rows, to, *count)
                    }
                    4 if P <= 6 && S::REGISTER_COUNT >= 32 => {
                        self.block::<S, P, 4>(simd, panel, finish, from, rows, to, *count)
                    }
                    other => unreachable!("no panel of {other} vectors"),
                }
            }
        }
    }

    #[inline(always)]
    #[expect(clippy::too_many_arguments, reason = "the parts of one block")]
    fn block<S: Simd, const P: usize, const V: usize>(
        &self,
        simd: S,
        panel: &Panel,
        finish: Finish,
        from: &[[*const f32; P]],
        rows: &[f32],
        to: &[*mut f32; P],
        count: usize,
    ) {
        let product = self.product;
        let offset = panel.group * product.group_source;
        let at = panel.group * product.panels.channels + panel.first;
        // SAFETY: from every address of the tables, in the source or in the zeros, as many values follow as the zeros
        // have, which is `offset + run` at least; `rows` has a row for every tap and value of its run; biases are stored in whole
        // vectors; the targets are pixels of which this task alone writes these channels.
        unsafe {
            outputs::<S, P, V>(simd, from, offset, product.grid.run, rows.as_ptr(), finish, to, at, count);
        }
    }

    /// Returns for every block the addresses that its taps see (block by block, tap by tap), and the
    /// destinations of its positions with their number. A block that is not full repeats its last position.
    #[expect(clippy::type_complexity, reason = "two tables, used in one place")]
    fn tables<const P: usize>(&self) -> (Vec<[*const f32; P]>, Vec<([*mut f32; P], usize)>) {
        let Grid { batch, size, source, window_origin, window_step, taps, target, origin, step, .. } =
            &self.product.grid;
        let (plane, last) = (size[0] * size[1], batch * size[0] * size[1] - 1);
        let blocks = self.blocks.len();
        let mut from = vec![[std::ptr::null(); P]; blocks * taps.len()];
        let mut to = vec![([std::ptr::null_mut(); P], 0); blocks];
        // The values that a tap reads of a pixel, over all groups.
        let (data, zeros, reach) = (self.product.source, self.zeros.as_ptr(), self.zeros.len());
        for (block, (to, count)) in to.iter_mut().enumerate() {
            let first = (self.blocks.start + block) * P;
            *count = P.min(last + 1 - first);
            let from = &mut from[block * taps.len()..][..taps.len()];
            for p in 0..P {
                let position = (first + p).min(last);
                let (sample, row, column) =
                    (position / plane, position % plane / size[1], position % size[1]);
                let window = [
                    window_origin[0] + (row * window_step[0]) as isize,
                    window_origin[1] + (column * window_step[1]) as isize,
                ];
                for (from, tap) in from.iter_mut().zip(taps) {
                    from[p] = match source.inside([window[0] + tap[0], window[1] + tap[1]]) {
                        Some(pixel) => data[source.index(sample, pixel)..][..reach].as_ptr(),
                        None => zeros,
                    };
                }
                let pixel = [origin[0] + row * step[0], origin[1] + column * step[1]];
                // SAFETY: the grid's pixels are inside the target, whose length was checked.
                to[p] = unsafe { self.target.0.add(target.index(sample, pixel)) };
            }
        }
        (from, to)
    }
}
