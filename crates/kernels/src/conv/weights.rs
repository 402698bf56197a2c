//! The gradient of the weights: for every tap, sums over positions of image times output gradient.
//!
//! The gradient is stored like the packed weights (see `panels`), and divided into blocks: a few
//! consecutive values of a tap's run by a panel of output channels. A block passes over the positions that
//! its tap sees; nothing is copied and padding is never read. The positions of the batch are
//! divided into parts, as far as memory for partial sums allows; the partial sums are added in order.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::block::{Operands, Stretch, weight_gradients};
use super::geometry::Geometry;
use super::panels::{Panel, Panels, unpack};
use crate::disjoint::Disjoint;
use crate::memory::unwritten;
use crate::simd::{Level, run};

/// Memory for partial sums in bytes.
const PARTIAL_BYTES: usize = 16 << 20;
/// Number of tasks for the gradient, if the shape allows.
const TASKS: usize = 48;
/// Minimum number of positions in a part; a shorter one would spend its time on reading and writing the sums.
const PART: usize = 1536;
/// Number of positions that all blocks of a task process before the next ones, so that their data stay in the
/// second-level cache.
const CHUNK: usize = 768;

/// Values of a tap's run that belong to one block.
#[derive(Debug, Clone)]
struct Item {
    panel: usize,
    tap: usize,
    values: Range<usize>,
}

/// Computes the gradient of the weights (O, C / groups, KH, KW).
pub(super) fn weight_gradient(
    level: Level,
    g: &Geometry,
    panels: &Panels,
    list: &[Panel],
    x: &[f32],
    grad: &[f32],
) -> Vec<f32> {
    assert!(x.len() == g.input_len() && grad.len() == g.output_len());
    let (taps, run_length) = (g.taps(), g.run());
    let rows = taps.len() * run_length;
    let (starts, total) = panels.starts(list, rows);
    let items = items(list.len(), taps.len(), run_length, panels.block);

    let image_rows = g.batch * g.output[0];
    if image_rows == 0 {
        return vec![0f32; g.weights()];
    }
    let affordable = PARTIAL_BYTES / (4 * total).max(1);
    let partials = affordable.min(g.positions() / PART).min(image_rows).clamp(1, TASKS / 3);
    let rows_each = image_rows.div_ceil(partials).max(1);
    let partials = image_rows.div_ceil(rows_each).max(1);
    let cuts = TASKS.div_ceil(partials).min(items.len().max(1));
    let items_each = items.len().div_ceil(cuts).max(1);

    let mut sums: Vec<Vec<f32>> = (0..partials)
        // SAFETY: every block of every part is written by the first chunk of its task; unpacking reads no other value.
        .map(|_| unsafe { unwritten(total) })
        .collect();
    let shared: Vec<Disjoint<'_>> = sums.iter_mut().map(|sums| Disjoint::new(sums)).collect();
    let tasks: Vec<(usize, &[Item])> =
        (0..partials).flat_map(|part| items.chunks(items_each).map(move |items| (part, items))).collect();
    tasks.into_par_iter().for_each(|(part, items)| {
        let task = Task {
            g,
            panels,
            list,
            starts: &starts,
            taps: &taps,
            run: run_length,
            items,
            rows: part * rows_each..((part + 1) * rows_each).min(image_rows),
            x,
            grad,
            sums: &shared[part],
        };
        run(level, task);
    });
    drop(shared);
    unpack(g, panels, list, &sums)
}

/// Lists all blocks, panel by panel and tap by tap. Runs are divided evenly, so that no block is nearly empty.
fn items(panels: usize, taps: usize, run: usize, block: usize) -> Vec<Item> {
    let cuts = run.div_ceil(block);
    let values = |cut: usize| run * cut / cuts..run * (cut + 1) / cuts;
    let of_tap = move |panel, tap| (0..cuts).map(move |cut| Item { panel, tap, values: values(cut) });
    let of_panel = |panel| (0..taps).flat_map(move |tap| of_tap(panel, tap));
    (0..panels).flat_map(of_panel).collect()
}

/// Some blocks over some rows of the batch.
struct Task<'a> {
    g: &'a Geometry,
    panels: &'a Panels,
    list: &'a [Panel],
    starts: &'a [usize],
    taps: &'a [[usize; 2]],
    run: usize,
    items: &'a [Item],
    rows: Range<usize>,
    x: &'a [f32],
    grad: &'a [f32],
    sums: &'a Disjoint<'a>,
}

impl WithSimd for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let chunk = CHUNK.div_ceil(self.g.output[1].max(1));
        let mut stretches = Vec::new();
        for start in self.rows.clone().step_by(chunk) {
            let rows = start..(start + chunk).min(self.rows.end);
            let mut tap = None;
            for item in self.items {
                if tap != Some(item.tap) {
                    self.stretches(rows.clone(), self.taps[item.tap], &mut stretches);
                    tap = Some(item.tap);
                }
                self.add::<S>(simd, item, &stretches, start == self.rows.start);
            }
        }
    }
}

impl Task<'_> {
    /// Lists the positions of some rows of the batch that a tap sees inside the image.
    fn stretches(&self, rows: Range<usize>, [ky, kx]: [usize; 2], out: &mut Vec<Stretch>) {
        let Geometry { input: [h, w], channels, stride: [sh, sw], padding: [ph, pw], output, .. } = *self.g;
        out.clear();
        // Columns with `0 <= column * sw + kx - pw < w`.
        let first = pw.saturating_sub(kx).div_ceil(sw);
        let end = (w + pw).saturating_sub(kx).div_ceil(sw).min(output[1]);
        if first >= end {
            return;
        }
        for row in rows {
            let (sample, y) = (row / output[0], row % output[0] * sh + ky);
            if y < ph || y - ph >= h {
                continue;
            }
            let stretch = Stretch {
                input: ((sample * h + y - ph) * w + first * sw + kx - pw) * channels,
                output: (row * output[1] + first) * self.g.outputs,
                count: end - first,
            };
            let last = stretch.count - 1;
            assert!(
                stretch.input + last * sw * channels + channels.max(self.run) <= self.x.len()
                    && stretch.output + (last + 1) * self.g.outputs <= self.grad.len(),
                "the stretch lies inside both arrays"
            );
            out.push(stretch);
        }
    }

    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, item: &Item, stretches: &[Stretch], first: bool) {
        let panel = &self.list[item.panel];
        let width = self.panels.stored_width(panel);
        let start = self.starts[item.panel] + (item.tap * self.run + item.values.start) * width;
        // SAFETY: every item has its own rows of its own panel.
        let sums = unsafe { self.sums.range(start..start + item.values.len() * width) };
        // Constants rule out combinations that `Panels` never makes, so they are not compiled.
        macro_rules! dispatch {
            ($($p:literal)*) => {
                match (item.values.len(), panel.vectors) {
                    $(
                        ($p, 1) => self.block::<S, $p, 1>(simd, panel, item, stretches, first, sums),
                        ($p, 2) if $p <= 12 => self.block::<S, $p, 2>(simd, panel, item, stretches, first, sums),
                        ($p, 3) if $p <= 8 && S::REGISTER_COUNT >= 32 => {
                            self.block::<S, $p, 3>(simd, panel, item, stretches, first, sums)
                        }
                        ($p, 4) if $p <= 6 && S::REGISTER_COUNT >= 32 => {
                            self.block::<S, $p, 4>(simd, panel, item, stretches, first, sums)
                        }
                    )*
                    (values, vectors) => unreachable!("no block of {values} values and {vectors} vectors"),
                }
            };
        }
        dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    }

    #[inline(always)]
    fn block<S: Simd, const P: usize, const V: usize>(
        &self,
        simd: S,
        panel: &Panel,
        item: &Item,
        stretches: &[Stretch],
        first: bool,
        sums: &mut [f32],
    ) {
        let g = self.g;
        let operands =
            Operands { x: self.x, grad: self.grad, x_step: g.stride[1] * g.channels, grad_step: g.outputs };
        let at = panel.group * g.group_inputs() + item.values.start;
        let channel = panel.group * g.group_outputs() + panel.first;
        // SAFETY: stretches lie inside the image (see `stretches`), the item's values inside a tap's run and the panel's
        // channels inside the group; the slices have the geometry's lengths; `sums` has P rows of V vectors.
        unsafe {
            weight_gradients::<S, P, V>(
                simd,
                stretches,
                operands,
                at,
                channel,
                panel.width,
                first,
                sums.as_mut_ptr(),
            );
        }
    }
}
