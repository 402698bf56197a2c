//! The two passes over the patches of a level.

use std::ops::Range;

use crate::eight::{Eight, WithEight};
use crate::plane::Plane;

use super::grid::{Level, PATCH, Patch};
use super::template::Template;

/// A neighbour's displacement is taken over if its cost is below this share of the own cost.
const CLEARLY_BETTER: f32 = 0.95;

/// Pixels from the own displacement below which a neighbour's is not tried.
const DIFFERENT: f32 = 0.1;

/// The first pass: from the coarser level or the left neighbour.
pub(super) struct Find<'a> {
    pub(super) level: Level<'a>,
    pub(super) flow: &'a [Plane; 2],
    pub(super) rows: Range<usize>,
    pub(super) out: &'a mut [Patch],
}

impl WithEight for Find<'_> {
    #[inline(always)]
    fn call<E: Eight>(self, e: E) {
        let Self { level, flow, rows, out } = self;
        let layout = level.layout;
        for (row, out) in rows.zip(out.chunks_exact_mut(layout.columns)) {
            let middle = layout.top(row) + PATCH / 2;
            let (u, v) = (flow[0].row(middle), flow[1].row(middle));
            let mut left: Option<Patch> = None;
            for (column, out) in out.iter_mut().enumerate() {
                let template = Template::new(e, &level, row, column);
                let at = layout.left(column) + PATCH / 2;
                let first = template.compare(level.second, u[at], v[at]);
                let mut best = Patch { u: u[at], v: v[at], cost: first.cost };
                let mut step = first.step;
                if let Some(left) = left {
                    let other = template.compare(level.second, left.u, left.v);
                    if other.cost < CLEARLY_BETTER * best.cost {
                        best = Patch { cost: other.cost, ..left };
                        step = other.step;
                    }
                }
                *out = template.descend(&level, best, step);
                left = Some(*out);
            }
        }
    }
}

/// The second pass: from the neighbours to the right, above and below.
pub(super) struct Settle<'a> {
    pub(super) level: Level<'a>,
    pub(super) found: &'a [Patch],
    pub(super) rows: Range<usize>,
    pub(super) out: &'a mut [Patch],
    pub(super) reach: usize,
}

impl WithEight for Settle<'_> {
    #[inline(always)]
    fn call<E: Eight>(self, e: E) {
        let Self { level, found, rows, out, reach } = self;
        let layout = level.layout;
        for (row, out) in rows.zip(out.chunks_exact_mut(layout.columns)) {
            for (column, out) in out.iter_mut().enumerate() {
                let at = row * layout.columns + column;
                let own = found[at];
                let right = if column + 1 < layout.columns { at + 1 } else { at };
                let above = if row > 0 { at - layout.columns } else { at };
                let below = if row + 1 < layout.rows { at + layout.columns } else { at };
                let template = Template::new(e, &level, row, column);
                let (mut best, mut step) = (own, [0.0; 2]);
                best.cost *= CLEARLY_BETTER;
                for near in [right, above, below] {
                    let Patch { u, v, .. } = found[near];
                    if (u - own.u).abs().max((v - own.v).abs()) < DIFFERENT {
                        continue;
                    }
                    let other = template.compare(level.second, u, v);
                    if other.cost < best.cost {
                        best = Patch { u, v, cost: other.cost };
                        step = other.step;
                    }
                }
                let mut settled = if step == [0.0; 2] { own } else { template.descend(&level, best, step) };
                if reach > 0
                    && template.is_poor(settled.cost)
                    && let Some(far) = template.look_around(&level, settled, reach)
                {
                    let near = template.compare(level.second, far.u, far.v);
                    settled = template.descend(&level, Patch { cost: near.cost, ..far }, near.step);
                }
                *out = settled;
            }
        }
    }
}
