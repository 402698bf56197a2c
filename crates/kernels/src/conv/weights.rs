//! The gradient of the weights: for every tap, sums over positions of image times output gradient.
//!
//! A tap's gradient is a matrix, the values of its run by output channels, and each position adds the product of two short
//! vectors to it. The matrix is divided into blocks of sums that stay in registers while a task passes over the positions that
//! the tap sees; nothing is copied and padding is never read. One side of a block runs along vectors, the other is broadcast
//! value by value: see [`Layout`].
//!
//! The positions of the batch are divided into parts, as far as memory for partial sums allows; the partial sums are added in
//! order. A sum adds its positions in their order, whatever its block, so the bits do not depend on the layout.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::block::{Operand, Stretch, weight_gradients};
use super::geometry::Geometry;
use super::panels::{Panels, Registers};
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
/// Number of weights of a channel that are unpacked together: few enough that their data stay in the first-level cache.
const PIECE: usize = 128;

/// Computes the gradient of the weights (O, C / groups, KH, KW).
pub(super) fn weight_gradient(
    level: Level,
    g: &Geometry,
    registers: Registers,
    x: &[f32],
    grad: &[f32],
) -> Vec<f32> {
    assert!(x.len() == g.input_len() && grad.len() == g.output_len());
    let taps = g.taps();
    let image_rows = g.batch * g.output[0];
    if image_rows == 0 {
        return vec![0f32; g.weights()];
    }
    let layout = Layout::new(g, taps.len(), registers);
    let items = layout.items();

    let affordable = PARTIAL_BYTES / (4 * layout.nominal).max(1);
    let partials = affordable.min(g.positions() / PART).min(image_rows).clamp(1, TASKS / 3);
    let rows_each = image_rows.div_ceil(partials).max(1);
    let partials = image_rows.div_ceil(rows_each).max(1);
    let cuts = TASKS.div_ceil(partials).min(items.len().max(1));
    let items_each = items.len().div_ceil(cuts).max(1);

    let mut sums: Vec<Vec<f32>> = (0..partials)
        // SAFETY: every block of every part is written by the first chunk of its task; unpacking reads no other value.
        .map(|_| unsafe { unwritten(layout.len()) })
        .collect();
    let shared: Vec<Disjoint<'_>> = sums.iter_mut().map(|sums| Disjoint::new(sums)).collect();
    let tasks: Vec<(usize, &[Item])> =
        (0..partials).flat_map(|part| items.chunks(items_each).map(move |items| (part, items))).collect();
    tasks.into_par_iter().for_each(|(part, items)| {
        let task = Task {
            g,
            layout: &layout,
            taps: &taps,
            items,
            rows: part * rows_each..((part + 1) * rows_each).min(image_rows),
            x,
            grad,
            sums: &shared[part],
        };
        run(level, task);
    });
    drop(shared);
    layout.unpack(g, &taps, &sums)
}

/// The side of a tap's matrix that runs along vectors.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Along {
    /// Output channels.
    Outputs,
    /// The values of the run.
    Run,
}

/// The division of every tap's matrix into blocks, and their places in memory.
///
/// If the side along vectors is not a whole number of vectors long, the last vector begins earlier and overlaps the one
/// before it: both then hold the same sums, computed twice, and no load is partial. Only a side shorter than one vector is
/// loaded in part.
#[derive(Debug)]
struct Layout {
    along: Along,
    groups: usize,
    taps: usize,
    /// Number of values of the side along vectors.
    length: usize,
    /// Number of values of the side that is broadcast.
    rows: usize,
    lanes: usize,
    /// Number of vectors that cover the side along them.
    vectors: usize,
    /// Number of vectors of a full block, and of its rows.
    block: [usize; 2],
    /// Number of values in a layout along output channels, which determines the number of parts.
    nominal: usize,
}

/// One block of sums of a tap.
#[derive(Debug, Clone)]
struct Item {
    group: usize,
    tap: usize,
    vectors: Range<usize>,
    rows: Range<usize>,
}

impl Layout {
    fn new(g: &Geometry, taps: usize, registers: Registers) -> Self {
        let (outputs, run) = (g.group_outputs(), g.run());
        let lanes = registers.lanes;
        let padded = |length: usize| length.next_multiple_of(lanes);
        // Along the run if it fills vectors better, by a tenth at least.
        let along = match run >= lanes && 10 * padded(run) * outputs < 9 * padded(outputs) * run {
            true => Along::Run,
            false => Along::Outputs,
        };
        let (length, rows) = if along == Along::Run { (run, outputs) } else { (outputs, run) };
        let panels = Panels::new(length, registers);
        Self {
            along,
            groups: g.groups,
            taps,
            length,
            rows,
            lanes,
            vectors: length.div_ceil(lanes),
            block: [panels.vectors, panels.block],
            nominal: g.groups * taps * run * padded(outputs),
        }
    }

    /// Lists all blocks, tap by tap. Rows are divided evenly, so that no block is nearly empty.
    fn items(&self) -> Vec<Item> {
        let [vectors_each, rows_each] = self.block;
        let cuts = self.rows.div_ceil(rows_each);
        let mut items = Vec::new();
        for tap in 0..self.taps {
            for group in 0..self.groups {
                for first in (0..self.vectors).step_by(vectors_each) {
                    let vectors = first..(first + vectors_each).min(self.vectors);
                    let rows = |cut: usize| self.rows * cut / cuts..self.rows * (cut + 1) / cuts;
                    let of_cut = |cut| Item { group, tap, vectors: vectors.clone(), rows: rows(cut) };
                    items.extend((0..cuts).map(of_cut));
                }
            }
        }
        items
    }

    /// Returns the number of stored values.
    fn len(&self) -> usize {
        self.groups * self.taps * self.rows * self.vectors * self.lanes
    }

    /// Returns the first value of a vector of the side along them.
    fn start(&self, vector: usize) -> usize {
        (vector * self.lanes).min(self.length.saturating_sub(self.lanes))
    }

    /// Returns the place of a row of a block of which `vectors` are the vectors.
    fn place(&self, group: usize, tap: usize, vectors: &Range<usize>, row: usize) -> usize {
        let matrix = self.rows * self.vectors * self.lanes;
        let panel = self.rows * self.lanes * vectors.start;
        (group * self.taps + tap) * matrix + panel + row * vectors.len() * self.lanes
    }

    /// Copies the gradient out of the blocks to (O, C / groups, KH, KW), and adds partial sums in order.
    fn unpack(&self, g: &Geometry, taps: &[[usize; 2]], partials: &[Vec<f32>]) -> Vec<f32> {
        let (outputs, window, run) = (g.group_outputs(), g.window(), g.run());
        // SAFETY: every weight of every channel of every group is written below.
        let mut out = unsafe { unwritten(g.weights()) };
        let Some((head, tail)) = partials.split_first() else { return out };
        let sum = |at: usize| tail.iter().fold(head[at], |sum, part| sum + part[at]);
        // In the order of the weights of a channel.
        let mut places: Vec<_> =
            taps.iter().enumerate().flat_map(|(t, &tap)| (0..run).map(move |k| (t, k, tap))).collect();
        places.sort_unstable_by_key(|&(_, k, tap)| g.weight_index(tap, k));
        // Channels that lie side by side in memory are unpacked together.
        let together = if self.along == Along::Outputs { self.lanes * self.block[0] } else { 1 };
        let within = |value: usize| {
            let vector = (value / self.lanes).min(self.vectors - 1);
            let first = vector - vector % self.block[0];
            let vectors = first..(first + self.block[0]).min(self.vectors);
            let at = (vector - first) * self.lanes + value - self.start(vector);
            (vectors, at)
        };
        let channels: Vec<Range<usize>> = (0..self.groups)
            .flat_map(|group| {
                let all = group * outputs..(group + 1) * outputs;
                let end = all.end;
                all.step_by(together).map(move |first| first..(first + together).min(end))
            })
            .collect();
        let shared = Disjoint::new(&mut out);
        channels.into_par_iter().for_each(|channels| {
            // SAFETY: every channel is unpacked once.
            let out = unsafe { shared.range(channels.start * window..channels.end * window) };
            let group = channels.start / outputs;
            for (piece, places) in places.chunks(PIECE).enumerate() {
                for (channel, out) in channels.clone().zip(out.chunks_exact_mut(window)) {
                    let channel = channel % outputs;
                    let out = out[piece * PIECE..].iter_mut();
                    if self.along == Along::Outputs {
                        let (vectors, at) = within(channel);
                        for (out, &(t, k, _)) in out.zip(places) {
                            *out = sum(self.place(group, t, &vectors, k) + at);
                        }
                    } else {
                        for (out, &(t, k, _)) in out.zip(places) {
                            let (vectors, at) = within(k);
                            *out = sum(self.place(group, t, &vectors, channel) + at);
                        }
                    }
                }
            }
        });
        out
    }
}

/// Some blocks over some rows of the batch.
struct Task<'a> {
    g: &'a Geometry,
    layout: &'a Layout,
    taps: &'a [[usize; 2]],
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
        let Geometry {
            input: [h, w], channels, outputs, stride: [sh, sw], padding: [ph, pw], output, ..
        } = *self.g;
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
                output: (row * output[1] + first) * outputs,
                count: end - first,
            };
            let last = stretch.count - 1;
            assert!(
                stretch.input + last * sw * channels + channels.max(self.g.run()) <= self.x.len()
                    && stretch.output + (last + 1) * outputs <= self.grad.len(),
                "the stretch lies inside both arrays"
            );
            out.push(stretch);
        }
    }

    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, item: &Item, stretches: &[Stretch], first: bool) {
        let layout = self.layout;
        let start = layout.place(item.group, item.tap, &item.vectors, item.rows.start);
        let length = item.rows.len() * item.vectors.len() * layout.lanes;
        // SAFETY: every item has its own rows of its own vectors of its own matrix.
        let sums = unsafe { self.sums.range(start..start + length) };
        // Constants rule out combinations that `Panels` never makes, so they are not compiled.
        macro_rules! dispatch {
            ($($p:literal)*) => {
                match (item.rows.len(), item.vectors.len()) {
                    $(
                        ($p, 1) => self.block::<S, $p, 1>(simd, item, stretches, first, sums),
                        ($p, 2) if $p <= 12 => self.block::<S, $p, 2>(simd, item, stretches, first, sums),
                        ($p, 3) if $p <= 8 && S::REGISTER_COUNT >= 32 => {
                            self.block::<S, $p, 3>(simd, item, stretches, first, sums)
                        }
                        ($p, 4) if $p <= 6 && S::REGISTER_COUNT >= 32 => {
                            self.block::<S, $p, 4>(simd, item, stretches, first, sums)
                        }
                    )*
                    (rows, vectors) => unreachable!("no block of {rows} rows and {vectors} vectors"),
                }
            };
        }
        dispatch!(1 2 3 4 5 6 7 8 9 10 11 12 13 14)
    }

    #[inline(always)]
    fn block<S: Simd, const P: usize, const V: usize>(
        &self,
        simd: S,
        item: &Item,
        stretches: &[Stretch],
        first: bool,
        sums: &mut [f32],
    ) {
        let (g, layout) = (self.g, self.layout);
        let starts = std::array::from_fn(|v| layout.start(item.vectors.start + v));
        let part = (layout.length < layout.lanes).then_some(layout.length);
        let image = |at: usize| Operand {
            data: self.x,
            of: |stretch: &Stretch| stretch.input,
            at: item.group * g.group_inputs() + at,
            step: g.stride[1] * g.channels,
        };
        let gradient = |at: usize| Operand {
            data: self.grad,
            of: |stretch: &Stretch| stretch.output,
            at: item.group * g.group_outputs() + at,
            step: g.outputs,
        };
        let (row, sums) = (item.rows.start, sums.as_mut_ptr());
        // SAFETY: stretches lie inside the image (see `stretches`), a run's values and a group's channels inside what
        // follows their positions. The rows and the vectors' starts are inside the run and the channels, as `layout` divides
        // them; `sums` has P rows of V vectors.
        unsafe {
            match layout.along {
                Along::Outputs => weight_gradients::<S, P, V>(
                    simd,
                    stretches,
                    image(row),
                    gradient(0),
                    &starts,
                    part,
                    first,
                    sums,
                ),
                Along::Run => weight_gradients::<S, P, V>(
                    simd,
                    stretches,
                    gradient(row),
                    image(0),
                    &starts,
                    part,
                    first,
                    sums,
                ),
            }
        }
    }
}
