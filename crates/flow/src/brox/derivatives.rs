//! The first and second derivatives of a picture.
//!
//! First derivatives are the five-point differences (1, -8, 0, 8, -1) / 12 with
//! border pixels repeated outwards; second derivatives apply them twice.

use crate::plane::Plane;

/// A picture and its derivatives: I, Ix, Iy, Ixx, Ixy, Iyy.
pub(super) const CHANNELS: usize = 6;

/// Number of pixels that a difference reaches to either side.
const REACH: usize = 2;

/// Scratch memory for the derivatives of a picture.
#[derive(Debug, Clone, Default)]
pub(super) struct Derivatives {
    rows: [Vec<f32>; 3],
    line: Vec<f32>,
}

impl Derivatives {
    /// Calls `each` with the channels of every row of the picture. The two
    /// planes of its size are scratch.
    pub(super) fn of(
        &mut self,
        picture: &Plane,
        [along, down]: [&mut Plane; 2],
        mut each: impl FnMut(usize, [&[f32]; CHANNELS]),
    ) {
        self.rows.iter_mut().for_each(|row| row.resize(picture.width, 0.0));
        pulp::Arch::new().dispatch(First { picture, along, down, line: &mut self.line });
        for y in 0..picture.height {
            pulp::Arch::new().dispatch(Second { scratch: self, along, down, y });
            let [along_twice, mixed, down_twice] = &self.rows;
            each(y, [picture.row(y), along.row(y), down.row(y), along_twice, mixed, down_twice]);
        }
    }
}

struct First<'a> {
    picture: &'a Plane,
    along: &'a mut Plane,
    down: &'a mut Plane,
    line: &'a mut Vec<f32>,
}

impl pulp::NullaryFnOnce for First<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { picture, along, down, line } = self;
        for y in 0..picture.height {
            difference_along(picture.row(y), line, along.row_mut(y));
            difference_down(picture, y, down.row_mut(y));
        }
    }
}

struct Second<'a> {
    scratch: &'a mut Derivatives,
    along: &'a Plane,
    down: &'a Plane,
    y: usize,
}

impl pulp::NullaryFnOnce for Second<'_> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        let Self { scratch, along, down, y } = self;
        let [along_twice, mixed, down_twice] = &mut scratch.rows;
        difference_along(along.row(y), &mut scratch.line, along_twice);
        difference_along(down.row(y), &mut scratch.line, mixed);
        difference_down(down, y, down_twice);
    }
}

#[inline(always)]
fn difference_along(row: &[f32], line: &mut Vec<f32>, out: &mut [f32]) {
    let n = row.len();
    line.clear();
    line.resize(REACH, row[0]);
    line.extend_from_slice(row);
    line.resize(n + 2 * REACH, row[n - 1]);
    difference([&line[..n], &line[1..][..n], &line[3..][..n], &line[4..][..n]], out);
}

#[inline(always)]
fn difference_down(plane: &Plane, y: usize, out: &mut [f32]) {
    let last = plane.height - 1;
    let (up_one, up_two) = (y.saturating_sub(1), y.saturating_sub(2));
    let (down_one, down_two) = ((y + 1).min(last), (y + 2).min(last));
    difference([plane.row(up_two), plane.row(up_one), plane.row(down_one), plane.row(down_two)], out);
}

#[inline(always)]
fn difference(taps: [&[f32]; 4], out: &mut [f32]) {
    let n = out.len();
    let [a, b, c, d] = [&taps[0][..n], &taps[1][..n], &taps[2][..n], &taps[3][..n]];
    for i in 0..n {
        out[i] = (8.0 / 12.0) * (c[i] - b[i]) - (1.0 / 12.0) * (d[i] - a[i]);
    }
}
