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

use super::block::{Operand, Stretch, copy_vectors, weight_gradients};
use super::geometry::Geometry;
use super::panels::{Panels, Registers};
use crate::disjoint::Disjoint;
use crate::memory::unwritten;
use crate::simd::{Level, run, vectorised};

/// Memory for partial sums in bytes.
const PARTIAL_BYTES: usize = 16 << 20;
/// Number of tasks for the gradient, if the shape allows.
const TASKS: usize = 48;
/// Minimum number of positions in a part; a shorter one would spend its time on reading and writing the sums.
const PART: usize = 1536;
/// Number of positions that all blocks of a task with the same vectors process before the next ones, so that their data stay in
/// the second-level cache.
const CHUNK: usize = 320;
/// Bytes of packed vectors: with the values of the other side they stay in the first-level cache.
const PACKED_BYTES: usize = 16 << 10;
/// Minimum number of blocks of a task with the same vectors for which packing them pays.
const REUSE: usize = 8;
/// Number of weights of a channel that are unpacked together: few enough that their data stay in the first-level cache.
const PIECE: usize = 32;

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
    // Blocks of a task share their vectors.
    let alike: Vec<&[Item]> = items.chunk_by(Item::shares_vectors).collect();
    let cuts = TASKS.div_ceil(partials * alike.len().max(1));
    let split = |items: &[Item]| items.len().div_ceil(cuts).max(1);

    let mut sums: Vec<Vec<f32>> = (0..partials)
        // SAFETY: every block of every part is written by the first chunk of its task; unpacking reads no other value.
        .map(|_| unsafe { unwritten(layout.len()) })
        .collect();
    let shared: Vec<Disjoint<'_>> = sums.iter_mut().map(|sums| Disjoint::new(sums)).collect();
    let tasks: Vec<(usize, &[Item])> = (0..partials)
        .flat_map(|part| {
            alike.iter().flat_map(move |items| items.chunks(split(items)).map(move |items| (part, items)))
        })
        .collect();
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

impl Item {
    fn shares_vectors(&self, other: &Self) -> bool {
        (self.group, &self.vectors) == (other.group, &other.vectors)
    }
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

    /// Lists all blocks; those with the same vectors follow each other, tap by tap. Rows are divided evenly, so that no block
    /// is nearly empty.
    fn items(&self) -> Vec<Item> {
        let [vectors_each, rows_each] = self.block;
        let cuts = self.rows.div_ceil(rows_each);
        let mut items = Vec::new();
        for group in 0..self.groups {
            for first in (0..self.vectors).step_by(vectors_each) {
                let vectors = first..(first + vectors_each).min(self.vectors);
                for tap in 0..self.taps {
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
        // In the order of the weights of a channel.
        let mut places: Vec<_> =
            taps.iter().enumerate().flat_map(|(t, &tap)| (0..run).map(move |k| (t, k, tap))).collect();
        places.sort_unstable_by_key(|&(_, k, tap)| g.weight_index(tap, k));
        // Channels that lie side by side in memory are unpacked together.
        let together = if self.along == Along::Outputs { self.lanes * self.block[0] } else { 1 };
        let channels: Vec<Range<usize>> = (0..self.groups)
            .flat_map(|group| {
                let all = group * outputs..(group + 1) * outputs;
                let end = all.end;
                all.step_by(together).map(move |first| first..(first + together).min(end))
            })
            .collect();
        let within: Vec<(Range<usize>, usize)> = (0..self.length).map(|value| self.within(value)).collect();
        let shared = Disjoint::new(&mut out);
        channels.into_par_iter().for_each(|channels| {
            // SAFETY: every channel is unpacked once.
            let out = unsafe { shared.range(channels.start * window..channels.end * window) };
            let (group, first) = (channels.start / outputs, channels.start % outputs);
            if self.along == Along::Run {
                for (out, &(t, k, _)) in out.iter_mut().zip(&places) {
                    let (vectors, at) = &within[k];
                    let at = self.place(group, t, vectors, first) + at;
                    *out = tail.iter().fold(head[at], |sum, part| sum + part[at]);
                }
                return;
            }
            let vectors = &within[first].0;
            let width = vectors.len() * self.lanes;
            let mut rows = vec![0f32; PIECE * width];
            for (piece, places) in places.chunks(PIECE).enumerate() {
                for (row, &(t, k, _)) in rows.chunks_exact_mut(width).zip(places) {
                    let at = self.place(group, t, vectors, k);
                    row.copy_from_slice(&head[at..at + width]);
                    for part in tail {
                        add(row, &part[at..at + width]);
                    }
                }
                for (channel, out) in out.chunks_exact_mut(window).enumerate() {
                    let of_channel = rows[within[first + channel].1..].iter().step_by(width);
                    for (out, &value) in out[piece * PIECE..].iter_mut().zip(of_channel).take(places.len()) {
                        *out = value;
                    }
                }
            }
        });
        out
    }

    /// Returns the vectors of the block that has a value of the side along them, and its place in a row of that block.
    fn within(&self, value: usize) -> (Range<usize>, usize) {
        let vector = (value / self.lanes).min(self.vectors - 1);
        let first = vector - vector % self.block[0];
        let vectors = first..(first + self.block[0]).min(self.vectors);
        let at = (vector - first) * self.lanes + value - self.start(vector);
        (vectors, at)
    }
}

/// Adds values to others.
fn add(to: &mut [f32], values: &[f32]) {
    vectorised(
        #[inline(always)]
        || {
            for (to, value) in to.iter_mut().zip(values) {
                *to += value;
            }
        },
    );
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
        let layout = self.layout;
        let width = layout.block[0] * layout.lanes;
        // The vectors of one position after the other need no copy.
        let packs = layout.along == Along::Outputs && layout.length >= layout.lanes && self.g.outputs > width;
        let (mut stretches, mut packed) = (Vec::new(), Vec::new());
        for items in self.items.chunk_by(Item::shares_vectors) {
            let packs = packs && items.len() >= REUSE;
            let positions = if packs { PACKED_BYTES / (4 * width) } else { CHUNK };
            let chunk = positions.div_ceil(self.g.output[1].max(1));
            for start in self.rows.clone().step_by(chunk) {
                let rows = start..(start + chunk).min(self.rows.end);
                if packs {
                    match items[0].vectors.len() {
                        1 => self.pack::<S, 1>(rows.clone(), &items[0], &mut packed),
                        2 => self.pack::<S, 2>(rows.clone(), &items[0], &mut packed),
                        3 => self.pack::<S, 3>(rows.clone(), &items[0], &mut packed),
                        4 => self.pack::<S, 4>(rows.clone(), &items[0], &mut packed),
                        other => unreachable!("no block of {other} vectors"),
                    }
                }
                let packed = packs.then_some(&packed[..]);
                let mut tap = None;
                for item in items {
                    if tap != Some(item.tap) {
                        self.stretches(rows.clone(), self.taps[item.tap], &mut stretches);
                        tap = Some(item.tap);
                    }
                    self.add::<S>(simd, item, &stretches, packed, start == self.rows.start);
                }
            }
        }
    }
}

impl Task<'_> {
    /// Copies the vectors of a block at all positions of some rows of the batch.
    #[inline(always)]
    fn pack<S: Simd, const V: usize>(&self, rows: Range<usize>, item: &Item, out: &mut Vec<f32>) {
        let (layout, outputs) = (self.layout, self.g.outputs);
        let positions = rows.start * self.g.output[1]..rows.end * self.g.output[1];
        let grad = &self.grad[positions.start * outputs..positions.end * outputs];
        let at = item.group * self.g.group_outputs();
        let starts = std::array::from_fn(|v| at + layout.start(item.vectors.start + v));
        let values = positions.len() * V * layout.lanes;
        out.clear();
        out.reserve(values);
        assert!(
            starts.iter().all(|start| start + layout.lanes <= outputs),
            "the vectors lie inside a position"
        );
        // SAFETY: the vectors of every position lie inside the gradient, the buffer has room for all of them, and each is written.
        unsafe {
            copy_vectors::<S, V>(grad.as_ptr(), outputs, positions.len(), &starts, out.as_mut_ptr());
            out.set_len(values);
        }
    }

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
        let start = rows.start;
        for row in rows {
            let (sample, y) = (row / output[0], row % output[0] * sh + ky);
            if y < ph || y - ph >= h {
                continue;
            }
            let stretch = Stretch {
                input: ((sample * h + y - ph) * w + first * sw + kx - pw) * channels,
                output: (row * output[1] + first) * outputs,
                position: (row - start) * output[1] + first,
                count: end - first,
            };
            let last = stretch.count - 1;
            assert!(
                stretch.input + last * sw * channels + channels.max(self.g.run()) <= self.x.len()
                    && stretch.output + (last + 1) * outputs <= self.grad.len(),
                "the stretch lies inside both arrays"
            );
            match out.last_mut() {
                // Rows without padding follow each other.
                Some(before)
                    if before.position + before.count == stretch.position
                        && before.input + before.count * sw * channels == stretch.input =>
                {
                    before.count += stretch.count;
                }
                _ => out.push(stretch),
            }
        }
    }

    #[inline(always)]
    fn add<S: Simd>(&self, simd: S, item: &Item, stretches: &[Stretch], packed: Option<&[f32]>, first: bool) {
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
                        ($p, 1) => self.block::<S, $p, 1>(simd, item, stretches, packed, first, sums),
                        ($p, 2) if $p <= 12 => self.block::<S, $p, 2>(simd, item, stretches, packed, first, sums),
                        ($p, 3) if $p <= 8 && S::REGISTER_COUNT >= 32 => {
                            self.block::<S, $p, 3>(simd, item, stretches, packed, first, sums)
                        }
                        ($p, 4) if $p <= 6 && S::REGISTER_COUNT >= 32 => {
                            self.block::<S, $p, 4>(simd, item, stretches, packed, first, sums)
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
        packed: Option<&[f32]>,
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
                Along::Outputs if let Some(packed) = packed => {
                    let step = V * layout.lanes;
                    let of = |stretch: &Stretch| stretch.position * step;
                    let vectors = Operand { data: packed, of, at: 0, step };
                    let starts = std::array::from_fn(|v| v * layout.lanes);
                    weight_gradients::<S, P, V>(
                        simd,
                        stretches,
                        image(row),
                        vectors,
                        &starts,
                        None,
                        first,
                        sums,
                    );
                }
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Adds the positions of every weight one by one, in the parts of the batch.
    fn plain(g: &Geometry, x: &[f32], grad: &[f32], rows_each: usize) -> Vec<f32> {
        let Geometry { input: [h, w], stride: [sh, sw], padding: [ph, pw], output, .. } = *g;
        let (inputs, kernel) = (g.group_inputs(), g.kernel[0] * g.kernel[1]);
        let part = |at: usize, part: usize| {
            let (o, place) = (at / g.window(), at % g.window());
            let (channel, [ky, kx]) = (place / kernel, [place % kernel / g.kernel[1], place % g.kernel[1]]);
            let channel = o / g.group_outputs() * inputs + channel;
            let mut sum = 0f32;
            for row in part * rows_each..((part + 1) * rows_each).min(g.batch * output[0]) {
                let (sample, y) = (row / output[0], row % output[0] * sh + ky);
                for column in 0..output[1] {
                    let at = column * sw + kx;
                    if y < ph || y - ph >= h || at < pw || at - pw >= w {
                        continue;
                    }
                    let pixel = (sample * h + y - ph) * w + at - pw;
                    let gradient = grad[(row * output[1] + column) * g.outputs + o];
                    sum = x[pixel * g.channels + channel].mul_add(gradient, sum);
                }
            }
            sum
        };
        let parts = (g.batch * output[0]).div_ceil(rows_each);
        let sum = |at| (1..parts).fold(part(at, 0), |sum, number| sum + part(at, number));
        (0..g.weights()).map(sum).collect()
    }

    #[test]
    fn packed_vectors_give_the_bits_of_plain_sums() {
        // Batch, channels, size, outputs, kernel, stride, padding, groups; then rows of a part.
        let cases: [([usize; 8], usize); 8] = [
            ([2, 70, 9, 144, 1, 1, 0, 1], 18),
            ([2, 33, 7, 130, 3, 1, 1, 1], 14),
            ([1, 40, 11, 96, 3, 2, 1, 1], 6),
            ([2, 64, 6, 192, 3, 1, 1, 2], 12),
            ([1, 50, 8, 64, 1, 1, 0, 1], 8),
            ([1, 3, 12, 16, 5, 2, 0, 1], 4),
            ([2, 48, 5, 9, 3, 1, 1, 1], 10),
            ([4, 20, 30, 40, 1, 1, 0, 1], 60),
        ];
        for ([batch, channels, size, outputs, kernel, stride, padding, groups], rows_each) in cases {
            let output = (size + 2 * padding - kernel) / stride + 1;
            let g = Geometry {
                batch,
                input: [size; 2],
                channels,
                outputs,
                kernel: [kernel; 2],
                stride: [stride; 2],
                padding: [padding; 2],
                groups,
                output: [output; 2],
            };
            let (x, grad) = (testkit::noise(1, g.input_len()), testkit::noise(2, g.output_len()));
            // The portable level rounds otherwise.
            for level in Level::supported().into_iter().filter(|&level| level != Level::Portable) {
                let registers = run(level, super::super::Ask);
                let found = weight_gradient(level, &g, registers, &x, &grad);
                let expected = plain(&g, &x, &grad, rows_each);
                let bits = |values: &[f32]| values.iter().map(|value| value.to_bits()).collect::<Vec<_>>();
                assert!(bits(&found) == bits(&expected), "{g:?} with {}", level.name());
            }
        }
    }
}
