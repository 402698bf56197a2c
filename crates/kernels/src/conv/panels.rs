//! Divides output channels into panels of a few vectors, and packs weights for them.
//!
//! The inner loops hold a block of `positions x vectors` sums in registers. A panel is the
//! set of channels of such a block. Its weights are stored tap by tap and value by value, with
//! the channels of the panel contiguous and zeros if the channels end inside a vector.

use rayon::prelude::*;

use super::geometry::Geometry;
use crate::disjoint::Disjoint;
use crate::memory::unwritten;

/// The register file of a level, which determines the size of blocks.
#[derive(Debug, Clone, Copy)]
pub(super) struct Registers {
    /// Number of values in a vector.
    pub(super) lanes: usize,
    /// True if there are 32 registers rather than 16.
    pub(super) many: bool,
}

/// The division of one group's channels into panels.
#[derive(Debug, Clone)]
pub(super) struct Panels {
    /// Channels of one group.
    pub(super) channels: usize,
    /// Vectors of a full panel.
    pub(super) vectors: usize,
    /// Positions of a block, for all panels.
    pub(super) block: usize,
    lanes: usize,
}

/// One panel of one group.
#[derive(Debug, Clone, Copy)]
pub(super) struct Panel {
    pub(super) group: usize,
    /// First channel inside the group.
    pub(super) first: usize,
    /// Number of channels.
    pub(super) width: usize,
    /// Number of vectors; the last one may be partly empty.
    pub(super) vectors: usize,
}

impl Panels {
    pub(super) fn new(channels: usize, registers: Registers) -> Self {
        let needed = channels.div_ceil(registers.lanes);
        // 24 sums of 32 registers, or 12 of 16, leave room for the weights and a broadcast input.
        let (vectors, block) = match (registers.many, needed) {
            (true, 1) => (1, 14),
            (true, 2) => (2, 12),
            (true, n) if n % 4 != 0 && (n % 3 == 0 || n == 5) => (3, 8),
            (true, _) => (4, 6),
            (false, 1) => (1, 10),
            (false, _) => (2, 6),
        };
        Self { channels, vectors, block, lanes: registers.lanes }
    }

    /// Lists all panels, group by group.
    pub(super) fn list(&self, groups: usize) -> Vec<Panel> {
        let step = self.vectors * self.lanes;
        let of_group = |group| {
            (0..self.channels).step_by(step).map(move |first| {
                let width = step.min(self.channels - first);
                Panel { group, first, width, vectors: width.div_ceil(self.lanes) }
            })
        };
        (0..groups).flat_map(of_group).collect()
    }

    /// Returns the number of channels of a panel, including the empty ones of its last vector.
    pub(super) fn stored_width(&self, panel: &Panel) -> usize {
        panel.vectors * self.lanes
    }

    /// Returns the starts of the stored panels if each has `rows` rows, and the total length.
    pub(super) fn starts(&self, list: &[Panel], rows: usize) -> (Vec<usize>, usize) {
        let mut total = 0;
        let starts = list.iter().map(|panel| {
            let start = total;
            total += rows * self.stored_width(panel);
            start
        });
        (starts.collect(), total)
    }
}

/// Weights packed in panels: rows of a panel's width.
pub(super) struct Packed {
    pub(super) data: Vec<f32>,
    pub(super) starts: Vec<usize>,
}

/// Side of a square of weights that is transposed in the first-level cache.
const SIDE: usize = 16;

/// Packs weights into panels, in parallel: `write` fills the rows of one panel, which hold anything before.
fn pack(
    panels: &Panels,
    list: &[Panel],
    rows: usize,
    write: impl Fn(&Panel, usize, &mut [f32]) + Sync,
) -> Packed {
    let (starts, total) = panels.starts(list, rows);
    // SAFETY: every row of every panel is written below, empty channels included.
    let mut data = unsafe { unwritten(total) };
    let shared = Disjoint::new(&mut data);
    list.par_iter().zip(&starts).for_each(|(panel, &start)| {
        let width = panels.stored_width(panel);
        // SAFETY: panels are stored one after another, so the ranges do not overlap.
        write(panel, width, unsafe { shared.range(start..start + rows * width) });
    });
    Packed { data, starts }
}

/// Packs weights for the output: panels of output channels, rows (tap, value of its run).
pub(super) fn pack_forward(g: &Geometry, panels: &Panels, list: &[Panel], weight: &[f32]) -> Packed {
    let (outputs, window) = (g.group_outputs(), g.window());
    let rows = forward_rows(g);
    pack(panels, list, window, |panel, width, out| {
        let weight = &weight[(panel.group * outputs + panel.first) * window..][..panel.width * window];
        for first in (0..width).step_by(SIDE) {
            let (count, stored) = (SIDE.min(panel.width.saturating_sub(first)), SIDE.min(width - first));
            for (piece, rows) in rows.chunks(SIDE).enumerate() {
                // Whole lines are read and written, so that sizes that are powers of two do not fight for sets of the cache.
                let mut square = [[0f32; SIDE]; SIDE];
                for (channel, line) in square.iter_mut().enumerate().take(count) {
                    let from = &weight[(first + channel) * window + piece * SIDE..][..rows.len()];
                    line[..rows.len()].copy_from_slice(from);
                }
                for (at, row) in rows.iter().enumerate() {
                    let line: [f32; SIDE] = std::array::from_fn(|channel| square[channel][at]);
                    out[row * width + first..][..stored].copy_from_slice(&line[..stored]);
                }
            }
        }
    })
}

/// Packs biases of the output channels like one row of the panels.
pub(super) fn pack_bias(g: &Geometry, panels: &Panels, list: &[Panel], bias: &[f32]) -> Packed {
    pack(panels, list, 1, |panel, _, out| {
        let first = panel.group * g.group_outputs() + panel.first;
        out[..panel.width].copy_from_slice(&bias[first..first + panel.width]);
        out[panel.width..].fill(0.0);
    })
}

/// Lists the rows of [`pack_forward`] in the order of a channel's weights.
fn forward_rows(g: &Geometry) -> Vec<usize> {
    let (taps, run) = (g.taps(), g.run());
    let mut rows = vec![0; taps.len() * run];
    for (t, &tap) in taps.iter().enumerate() {
        for k in 0..run {
            rows[g.weight_index(tap, k)] = t * run + k;
        }
    }
    rows
}

/// Packs weights for the input gradient: panels of input channels, rows (tap, output channel).
pub(super) fn pack_input_gradient(
    g: &Geometry,
    panels: &Panels,
    list: &[Panel],
    taps: &[[usize; 2]],
    weight: &[f32],
) -> Packed {
    let (outputs, window) = (g.group_outputs(), g.window());
    let kernel = g.kernel[0] * g.kernel[1];
    pack(panels, list, taps.len() * outputs, |panel, width, out| {
        for o in 0..outputs {
            let first = (panel.group * outputs + o) * window + panel.first * kernel;
            let weight = &weight[first..first + panel.width * kernel];
            for (t, [ky, kx]) in taps.iter().enumerate() {
                let row = &mut out[(t * outputs + o) * width..][..width];
                let (row, empty) = row.split_at_mut(panel.width);
                if kernel == 1 {
                    row.copy_from_slice(weight);
                } else {
                    let of_tap = weight[ky * g.kernel[1] + kx..].iter().step_by(kernel);
                    row.iter_mut().zip(of_tap).for_each(|(row, &weight)| *row = weight);
                }
                empty.fill(0.0);
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_weight_is_in_its_row_and_channel() {
        for (channels, outputs, kernel, padding, groups) in
            [(3, 70, [3, 5], 0, 1), (36, 20, [3, 3], 1, 2), (40, 130, [1, 1], 0, 1), (24, 17, [2, 3], 1, 1)]
        {
            let (input, stride, padding) = ([9, 9], [1, 1], [padding; 2]);
            let output = [0, 1].map(|axis| input[axis] + 2 * padding[axis] - kernel[axis] + 1);
            let g = Geometry { batch: 1, input, channels, outputs, kernel, stride, padding, groups, output };
            let weight: Vec<f32> = (1..=g.weights()).map(|value| value as f32).collect();
            for registers in [(16, true), (8, false), (4, true)] {
                let registers = Registers { lanes: registers.0, many: registers.1 };
                let panels = Panels::new(g.group_outputs(), registers);
                let list = panels.list(groups);
                let packed = pack_forward(&g, &panels, &list, &weight);
                for (t, &tap) in g.taps().iter().enumerate() {
                    check(&panels, &list, &packed, t * g.run()..(t + 1) * g.run(), |panel, k, channel| {
                        let o = panel.group * g.group_outputs() + channel;
                        weight[o * g.window() + g.weight_index(tap, k)]
                    });
                }
                let panels = Panels::new(g.group_inputs(), registers);
                let list = panels.list(groups);
                let taps = [[0, 0], [kernel[0] - 1, kernel[1] - 1]];
                let packed = pack_input_gradient(&g, &panels, &list, &taps, &weight);
                for (t, [ky, kx]) in taps.into_iter().enumerate() {
                    let rows = t * g.group_outputs()..(t + 1) * g.group_outputs();
                    check(&panels, &list, &packed, rows, |panel, o, channel| {
                        let place = (channel * kernel[0] + ky) * kernel[1] + kx;
                        weight[(panel.group * g.group_outputs() + o) * g.window() + place]
                    });
                }
            }
        }
    }

    fn check(
        panels: &Panels,
        list: &[Panel],
        packed: &Packed,
        rows: std::ops::Range<usize>,
        expected: impl Fn(&Panel, usize, usize) -> f32,
    ) {
        for (panel, start) in list.iter().zip(&packed.starts) {
            let width = panels.stored_width(panel);
            for (k, row) in rows.clone().enumerate() {
                for (at, &value) in packed.data[start + row * width..][..width].iter().enumerate() {
                    let inside = at < panel.width;
                    let expected = if inside { expected(panel, k, panel.first + at) } else { 0.0 };
                    assert_eq!(value.to_bits(), expected.to_bits());
                }
            }
        }
    }
}
