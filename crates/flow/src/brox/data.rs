//! The data term of one level, linearised about the flow of the last warp.
//!
//! The second picture and its derivatives are sampled where the flow leads
//! (equation 7 of the paper: I_x = dI/dx (x + w), I_z = I(x + w) - I(x), and so
//! on), by the cubic of Keys 1981 (Catmull-Rom). The derivatives that multiply
//! the increment are the mean of those at both ends, as in Wedel et al. 2009.
//! Each residual is written for the whole flow U instead of its increment:
//! I_z + I_x (U - u) + I_y (V - v) = c + g U + h V.
//!
//! Pixels whose flow leads out of the picture cannot be compared: all their
//! values are zero.

use std::num::NonZeroUsize;

use crate::bands::each;
use crate::plane::{LANES, Plane};

use super::bands;
use super::derivatives::{CHANNELS, Derivatives};
use super::grid::{Band, COLOURS, Grid, Rows, State, parity};

/// Fields of the linearised data term: Ix, Iy and the constant of brightness;
/// Ixx, Ixy, Iyy and the two constants of the gradient.
pub(super) const FIELDS: usize = 8;

/// The linearised data term, in two colours.
pub(super) type Data = Grid<FIELDS>;

/// The first picture with its derivatives, in two colours.
pub(super) type First = Grid<CHANNELS>;

/// Pixels repeated around the second picture: a cubic reaches two out.
const BORDER: usize = 2;

/// Storage for the channels of a pixel, in floats: a vector of eight.
const SAMPLE: usize = 8;

/// Share of the first picture in the derivatives.
pub(super) const SHARE_OF_FIRST: f32 = 0.5;

/// Stores the first picture of a level with its derivatives.
pub(super) fn take_first(
    first: &mut First,
    picture: &Plane,
    scratch: [&mut Plane; 2],
    derivatives: &mut Derivatives,
) {
    first.reshape(picture.width, picture.height);
    let all = 0..picture.height;
    let mut bands = first.bands_mut(std::slice::from_ref(&all));
    derivatives.of(picture, scratch, |y, channels| {
        for band in &mut bands {
            for (field, channel) in channels.iter().enumerate() {
                for colour in COLOURS {
                    let every_other = channel.iter().skip(parity(y, colour)).step_by(2);
                    for (to, from) in band.field_mut(y, colour, field).iter_mut().zip(every_other) {
                        *to = *from;
                    }
                }
            }
        }
    });
}

/// The second picture with its derivatives, pixel by pixel, and a border.
#[derive(Debug, Clone, Default)]
pub(super) struct Second {
    width: usize,
    height: usize,
    pixels: Vec<[f32; SAMPLE]>,
}

impl Second {
    /// Stores the second picture of a level with its derivatives.
    pub(super) fn take(&mut self, picture: &Plane, scratch: [&mut Plane; 2], derivatives: &mut Derivatives) {
        (self.width, self.height) = (picture.width, picture.height);
        let (stride, width) = (self.stride(), self.width);
        // Never shrinks, since growing again would write zeros needlessly.
        let pixels = stride * (self.height + 2 * BORDER);
        self.pixels.resize(self.pixels.len().max(pixels), [0.0; SAMPLE]);
        derivatives.of(picture, scratch, |y, channels| {
            let row = &mut self.pixels[(y + BORDER) * stride..][..stride];
            for (x, pixel) in row[BORDER..BORDER + width].iter_mut().enumerate() {
                for (to, from) in pixel.iter_mut().zip(channels) {
                    *to = from[x];
                }
            }
            let (first, last) = (row[BORDER], row[BORDER + width - 1]);
            row[..BORDER].fill(first);
            row[BORDER + width..].fill(last);
        });
        let row = |y: usize| y * stride..(y + 1) * stride;
        for outside in 0..BORDER {
            self.pixels.copy_within(row(BORDER), outside * stride);
            self.pixels.copy_within(row(self.height + BORDER - 1), (self.height + BORDER + outside) * stride);
        }
    }

    #[inline(always)]
    fn stride(&self) -> usize {
        self.width + 2 * BORDER
    }
}

/// Linearises the data term about the flow `state`, on up to `threads` threads.
pub(super) fn linearise(
    data: &mut Data,
    first: &First,
    second: &Second,
    state: &State,
    threads: NonZeroUsize,
) {
    let bands = bands::cut(first.width, first.height, threads, 1);
    let (first, state) = (first.rows(), state.rows());
    each(data.bands_mut(&bands), |band| {
        pulp::Arch::new().dispatch(Linearise { first, second, state, band });
    });
}

struct Linearise<'a, 'b> {
    first: Rows<'a, CHANNELS>,
    second: &'a Second,
    state: Rows<'a, 2>,
    band: Band<'b, FIELDS>,
}

impl pulp::NullaryFnOnce for Linearise<'_, '_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { first, second, state, mut band } = self;
        let mut block = Block::default();
        for y in band.range() {
            for colour in COLOURS {
                let p = parity(y, colour);
                let (u, v) = (state.field(y, colour, 0), state.field(y, colour, 1));
                let mut here = [u; CHANNELS];
                for (channel, values) in here.iter_mut().enumerate() {
                    *values = first.field(y, colour, channel);
                }
                let mut out = band.fields_mut(y, colour);
                for start in (0..u.len()).step_by(LANES) {
                    let end = start + LANES;
                    let x = (2 * start + p) as f32;
                    block.locate(&u[start..end], &v[start..end], x, y as f32, second);
                    block.gather(second);
                    block.complete(start, here, [u, v], &mut out);
                }
            }
        }
    }
}

/// Intermediate values of the interpolation for a vector of pixels. Only the
/// fetching of pixels is done one by one.
#[derive(Default)]
struct Block {
    /// The pixel to the upper left of the point to which the flow leads.
    left: [i32; LANES],
    top: [i32; LANES],
    /// The weights of the four columns and rows.
    across: [[f32; LANES]; 4],
    down: [[f32; LANES]; 4],
    /// 1 if the flow leads into the picture, else 0.
    inside: [f32; LANES],
    samples: [[f32; SAMPLE]; LANES],
}

impl Block {
    #[inline(always)]
    fn locate(&mut self, u: &[f32], v: &[f32], x: f32, y: f32, second: &Second) {
        let (u, v) = (&u[..LANES], &v[..LANES]);
        let (last_x, last_y) = ((second.width - 1) as f32, (second.height - 1) as f32);
        for i in 0..LANES {
            let (to_x, to_y) = (x + 2.0 * i as f32 + u[i], y + v[i]);
            let (in_x, in_y) = (clamp(to_x, last_x), clamp(to_y, last_y));
            self.inside[i] = if in_x == to_x && in_y == to_y { 1.0 } else { 0.0 };
            self.left[i] = in_x as i32;
            self.top[i] = in_y as i32;
            let across = cubic(in_x - self.left[i] as f32);
            let down = cubic(in_y - self.top[i] as f32);
            for tap in 0..4 {
                self.across[tap][i] = across[tap];
                self.down[tap][i] = down[tap];
            }
        }
    }

    #[inline(always)]
    fn gather(&mut self, second: &Second) {
        let stride = second.stride();
        for i in 0..LANES {
            // The first tap is one pixel up and to the left; the border shifts
            // it two pixels down and to the right.
            let corner = (self.top[i] as usize + BORDER - 1) * stride + self.left[i] as usize + BORDER - 1;
            let window = &second.pixels[corner..corner + 3 * stride + 4];
            let mut sample = [0.0; SAMPLE];
            for tap in 0..4 {
                let taps = &window[tap * stride..tap * stride + 4];
                let mut row = [0.0; SAMPLE];
                for (across, tap) in self.across.iter().zip(taps) {
                    for (sum, value) in row.iter_mut().zip(tap) {
                        *sum = across[i].mul_add(*value, *sum);
                    }
                }
                for (sum, value) in sample.iter_mut().zip(row) {
                    *sum = self.down[tap][i].mul_add(value, *sum);
                }
            }
            self.samples[i] = sample;
        }
    }

    #[inline(always)]
    fn complete(
        &self,
        start: usize,
        first: [&[f32]; CHANNELS],
        flow: [&[f32]; 2],
        out: &mut [&mut [f32]; FIELDS],
    ) {
        let mut to = [[0.0; LANES]; CHANNELS];
        for (channel, to) in to.iter_mut().enumerate() {
            for (to, sample) in to.iter_mut().zip(&self.samples) {
                *to = sample[channel];
            }
        }
        let [value, x, y, xx, xy, yy] = first;
        let (value, x, y) = (lanes(value, start), lanes(x, start), lanes(y, start));
        let (xx, xy, yy) = (lanes(xx, start), lanes(xy, start), lanes(yy, start));
        let (u, v) = (lanes(flow[0], start), lanes(flow[1], start));
        let mut fields = [[0.0; LANES]; FIELDS];
        for i in 0..LANES {
            let inside = self.inside[i];
            let own = inside * SHARE_OF_FIRST;
            let other = inside * (1.0 - SHARE_OF_FIRST);
            let (gx, gy) = (own * x[i] + other * to[1][i], own * y[i] + other * to[2][i]);
            let (gxx, gyy) = (own * xx[i] + other * to[3][i], own * yy[i] + other * to[5][i]);
            let gxy = own * xy[i] + other * to[4][i];
            fields[0][i] = gx;
            fields[1][i] = gy;
            fields[2][i] = inside * (to[0][i] - value[i]) - (gx * u[i] + gy * v[i]);
            fields[3][i] = gxx;
            fields[4][i] = gxy;
            fields[5][i] = gyy;
            fields[6][i] = inside * (to[1][i] - x[i]) - (gxx * u[i] + gxy * v[i]);
            fields[7][i] = inside * (to[2][i] - y[i]) - (gxy * u[i] + gyy * v[i]);
        }
        for field in 0..FIELDS {
            out[field][start..start + LANES].copy_from_slice(&fields[field]);
        }
    }
}

/// Returns a vector of values from a row, as an array of known length.
#[inline(always)]
fn lanes(row: &[f32], start: usize) -> [f32; LANES] {
    let mut values = [0.0; LANES];
    values.copy_from_slice(&row[start..start + LANES]);
    values
}

/// Clamps a value from 0 to `last`; unlike `f32::clamp`, without the instructions that handle NaN.
#[inline(always)]
fn clamp(value: f32, last: f32) -> f32 {
    let value = if value < 0.0 { 0.0 } else { value };
    if value > last { last } else { value }
}

/// Returns the weights of the four taps at distance `t` past the second.
#[inline(always)]
fn cubic(t: f32) -> [f32; 4] {
    [
        t * (-0.5 + t * (1.0 - 0.5 * t)),
        1.0 + t * t * (-2.5 + 1.5 * t),
        t * (0.5 + t * (2.0 - 1.5 * t)),
        t * t * (-0.5 + 0.5 * t),
    ]
}
