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

/// A row of the stored panels, and the offset of its value from the channel's first value.
type Place = (usize, usize);

/// Number of places handled together: few enough that their data stay in the first-level cache.
const PIECE: usize = 128;

/// Packs weights into panels, in parallel. Row `row` of channel `channel` is `weight[base(panel, channel) + at]`.
fn pack(
    panels: &Panels,
    list: &[Panel],
    places: &[Place],
    base: impl Fn(&Panel, usize) -> usize + Sync,
    weight: &[f32],
) -> Packed {
    let (starts, total) = panels.starts(list, places.len());
    // SAFETY: every row of every panel is written below, empty channels included.
    let mut data = unsafe { unwritten(total) };
    let shared = Disjoint::new(&mut data);
    list.par_iter().zip(&starts).for_each(|(panel, &start)| {
        let width = panels.stored_width(panel);
        // SAFETY: panels are stored one after another, so the ranges do not overlap.
        let out = unsafe { shared.range(start..start + places.len() * width) };
        for piece in places.chunks(PIECE) {
            for channel in 0..panel.width {
                let weight = &weight[base(panel, panel.first + channel)..];
                for &(row, at) in piece {
                    out[row * width + channel] = weight[at];
                }
            }
        }
        if panel.width < width {
            out.chunks_exact_mut(width).for_each(|row| row[panel.width..].fill(0.0));
        }
    });
    Packed { data, starts }
}

/// Packs weights for the output: panels of output channels, rows (tap, value of its run).
pub(super) fn pack_forward(g: &Geometry, panels: &Panels, list: &[Panel], weight: &[f32]) -> Packed {
    let (outputs, window) = (g.group_outputs(), g.window());
    pack(
        panels,
        list,
        &forward_places(g),
        |panel, channel| (panel.group * outputs + channel) * window,
        weight,
    )
}

/// Packs biases of the output channels like one row of the panels.
pub(super) fn pack_bias(g: &Geometry, panels: &Panels, list: &[Panel], bias: &[f32]) -> Packed {
    pack(panels, list, &[(0, 0)], |panel, channel| panel.group * g.group_outputs() + channel, bias)
}

/// Lists the places of [`pack_forward`], sorted by their position in the weights.
fn forward_places(g: &Geometry) -> Vec<Place> {
    let (taps, run) = (g.taps(), g.run());
    let rows = taps.iter().enumerate().flat_map(|(t, &tap)| (0..run).map(move |k| (t * run + k, tap, k)));
    let mut places: Vec<Place> = rows.map(|(row, tap, k)| (row, g.weight_index(tap, k))).collect();
    places.sort_unstable_by_key(|&(_, at)| at);
    places
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
    let of_output = |o: usize| {
        let place =
            move |(t, [ky, kx]): (usize, &[usize; 2])| (t * outputs + o, o * window + ky * g.kernel[1] + kx);
        taps.iter().enumerate().map(place)
    };
    let places: Vec<Place> = (0..outputs).flat_map(of_output).collect();
    let base = |panel: &Panel, channel: usize| panel.group * outputs * window + channel * kernel;
    pack(panels, list, &places, base, weight)
}
