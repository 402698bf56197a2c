//! The innermost loops of the fully connected layer.
//!
//! Each loop checks its slices once and then reads through pointers.

#![expect(
    clippy::needless_range_loop,
    reason = "indices of constant range keep the sums in registers; through iterators the compiler puts them into memory"
)]

use std::ops::Range;

use pulp::Simd;

/// Rows of a matrix: row r is `data[r * step..]`.
#[derive(Clone, Copy)]
pub(super) struct Rows<'a> {
    pub(super) data: &'a [f32],
    pub(super) step: usize,
    pub(super) count: usize,
}

impl Rows<'_> {
    /// Panics unless all rows have `width` values inside the slice.
    #[inline(always)]
    fn check(&self, width: usize) {
        assert!(self.count == 0 || (self.count - 1) * self.step + width <= self.data.len());
    }

    /// # Safety
    /// The row exists.
    #[inline(always)]
    unsafe fn row(&self, row: usize) -> *const f32 {
        // SAFETY: the row starts inside the slice.
        unsafe { self.data.as_ptr().add(row * self.step) }
    }
}

/// Reads the first `count` values of a vector; the others are zero.
///
/// # Safety
/// `count` values (at most a vector) are readable.
#[inline(always)]
unsafe fn load<S: Simd>(simd: S, from: *const f32, count: usize) -> S::f32s {
    // SAFETY: the caller's promise; a vector is plain numbers and the read needs no alignment.
    unsafe {
        if count >= S::F32_LANES {
            from.cast::<S::f32s>().read_unaligned()
        } else {
            simd.partial_load_f32s(std::slice::from_raw_parts(from, count))
        }
    }
}

/// Writes the first `count` values of a vector.
///
/// # Safety
/// `count` values (at most a vector) are writable.
#[inline(always)]
unsafe fn store<S: Simd>(simd: S, to: *mut f32, count: usize, value: S::f32s) {
    // SAFETY: the caller's promise; the write needs no alignment.
    unsafe {
        if count >= S::F32_LANES {
            to.cast::<S::f32s>().write_unaligned(value);
        } else {
            simd.partial_store_f32s(std::slice::from_raw_parts_mut(to, count), value);
        }
    }
}

/// Adds the products of every sample with up to four rows over some columns to `sums`:
/// one vector for each (sample, row), with four rows per sample.
#[inline(always)]
pub(super) fn dot_products<S: Simd>(
    simd: S,
    samples: Rows<'_>,
    rows: Rows<'_>,
    columns: Range<usize>,
    sums: &mut [f32],
) {
    samples.check(columns.end);
    rows.check(columns.end);
    assert!(rows.count <= 4 && sums.len() >= samples.count * 4 * S::F32_LANES);
    let many = if S::REGISTER_COUNT >= 32 { 6 } else { 2 };
    let mut sample = 0;
    while sample < samples.count {
        let left = samples.count - sample;
        // Blocks of nearly equal height: 16 samples are 6 + 5 + 5.
        let height = left.div_ceil(left.div_ceil(many));
        // SAFETY: checked above; the block has `height` samples and the given rows.
        unsafe {
            macro_rules! block {
                ($p:literal) => {
                    if rows.count == 4 {
                        dot_block::<S, $p, 4>(simd, samples, rows, &columns, sample, 0, sums)
                    } else {
                        for row in 0..rows.count {
                            dot_block::<S, $p, 1>(simd, samples, rows, &columns, sample, row, sums)
                        }
                    }
                };
            }
            match height {
                6 if S::REGISTER_COUNT >= 32 => block!(6),
                5 if S::REGISTER_COUNT >= 32 => block!(5),
                4 if S::REGISTER_COUNT >= 32 => block!(4),
                3 if S::REGISTER_COUNT >= 32 => block!(3),
                2 => block!(2),
                _ => block!(1),
            }
        }
        sample += height;
    }
}

/// # Safety
/// `P` samples from `sample` and `Q` rows from `row` exist and hold the columns; `sums` holds their vectors.
#[inline(always)]
unsafe fn dot_block<S: Simd, const P: usize, const Q: usize>(
    simd: S,
    samples: Rows<'_>,
    rows: Rows<'_>,
    columns: &Range<usize>,
    sample: usize,
    row: usize,
    sums: &mut [f32],
) {
    let lanes = S::F32_LANES;
    let zero = simd.splat_f32s(0.0);
    // SAFETY: the caller's promise.
    unsafe {
        let sums = sums.as_mut_ptr().add((sample * 4 + row) * lanes);
        let mut x = [std::ptr::null(); P];
        for p in 0..P {
            x[p] = samples.row(sample + p);
        }
        let mut w = [std::ptr::null(); Q];
        for q in 0..Q {
            w[q] = rows.row(row + q);
        }
        let mut block = [[zero; Q]; P];
        for p in 0..P {
            for q in 0..Q {
                block[p][q] = load(simd, sums.add((p * 4 + q) * lanes), lanes);
            }
        }
        let whole = columns.start + columns.len() / lanes * lanes;
        let mut at = columns.start;
        while at < whole {
            let mut right = [zero; Q];
            for q in 0..Q {
                right[q] = load(simd, w[q].add(at), lanes);
            }
            for p in 0..P {
                let left = load(simd, x[p].add(at), lanes);
                for q in 0..Q {
                    block[p][q] = simd.mul_add_e_f32s(left, right[q], block[p][q]);
                }
            }
            at += lanes;
        }
        if at < columns.end {
            let count = columns.end - at;
            for q in 0..Q {
                let right = load(simd, w[q].add(at), count);
                for p in 0..P {
                    let left = load(simd, x[p].add(at), count);
                    block[p][q] = simd.mul_add_e_f32s(left, right, block[p][q]);
                }
            }
        }
        for p in 0..P {
            for q in 0..Q {
                store(simd, sums.add((p * 4 + q) * lanes), lanes, block[p][q]);
            }
        }
    }
}

/// Adds up to four rows to every sample's sums (`width` values), each times the sample's factor for the row:
/// `sums[s] += factors[s][r] * rows[r]`.
#[inline(always)]
pub(super) fn add_products<S: Simd>(
    simd: S,
    factors: Rows<'_>,
    rows: Rows<'_>,
    width: usize,
    sums: &mut [f32],
) {
    factors.check(rows.count);
    rows.check(width);
    assert!(rows.count <= 4 && sums.len() >= factors.count * width);
    // Four samples by four factors stay in registers, or two by two if there are only sixteen registers.
    let many = if S::REGISTER_COUNT >= 32 { 4 } else { 2 };
    let mut sample = 0;
    while sample < factors.count {
        let height = (factors.count - sample).min(many);
        let mut row = 0;
        while row < rows.count {
            let left = (rows.count - row).min(many);
            // SAFETY: checked above; the block has `height` samples and `left` rows or fewer.
            row += unsafe {
                match (height, left) {
                    (4, 4) if S::REGISTER_COUNT >= 32 => {
                        add_block::<S, 4, 4>(simd, factors, rows, width, sample, row, sums)
                    }
                    (4, _) if S::REGISTER_COUNT >= 32 => {
                        add_block::<S, 4, 1>(simd, factors, rows, width, sample, row, sums)
                    }
                    (3, 4) if S::REGISTER_COUNT >= 32 => {
                        add_block::<S, 3, 4>(simd, factors, rows, width, sample, row, sums)
                    }
                    (3, _) if S::REGISTER_COUNT >= 32 => {
                        add_block::<S, 3, 1>(simd, factors, rows, width, sample, row, sums)
                    }
                    (2, 2..) => add_block::<S, 2, 2>(simd, factors, rows, width, sample, row, sums),
                    (2, _) => add_block::<S, 2, 1>(simd, factors, rows, width, sample, row, sums),
                    (_, 2..) => add_block::<S, 1, 2>(simd, factors, rows, width, sample, row, sums),
                    (_, _) => add_block::<S, 1, 1>(simd, factors, rows, width, sample, row, sums),
                }
            };
        }
        sample += height;
    }
}

/// Returns the number of rows, Q.
///
/// # Safety
/// `P` samples from `sample` and `Q` rows from `row` exist; rows and sums hold `width` values.
#[inline(always)]
unsafe fn add_block<S: Simd, const P: usize, const Q: usize>(
    simd: S,
    factors: Rows<'_>,
    rows: Rows<'_>,
    width: usize,
    sample: usize,
    row: usize,
    sums: &mut [f32],
) -> usize {
    let zero = simd.splat_f32s(0.0);
    // SAFETY: the caller's promise.
    unsafe {
        let mut factor = [[zero; Q]; P];
        for p in 0..P {
            for q in 0..Q {
                factor[p][q] = simd.splat_f32s(*factors.row(sample + p).add(row + q));
            }
        }
        let mut w = [std::ptr::null(); Q];
        for q in 0..Q {
            w[q] = rows.row(row + q);
        }
        let sums = sums.as_mut_ptr().add(sample * width);
        let step = |at: usize, count: usize| {
            let mut right = [zero; Q];
            for q in 0..Q {
                right[q] = load(simd, w[q].add(at), count);
            }
            for p in 0..P {
                let to = sums.add(p * width + at);
                let mut sum = load(simd, to, count);
                for q in 0..Q {
                    sum = simd.mul_add_e_f32s(factor[p][q], right[q], sum);
                }
                store(simd, to, count, sum);
            }
        };
        let whole = width / S::F32_LANES * S::F32_LANES;
        for at in (0..whole).step_by(S::F32_LANES) {
            step(at, S::F32_LANES);
        }
        if whole < width {
            step(whole, width - whole);
        }
    }
    Q
}

/// Writes `out[r] = sum over samples s of factors[s][r] * samples[s]` for `count` rows r of `width` values.
#[inline(always)]
pub(super) fn outer_products<S: Simd>(
    simd: S,
    factors: Rows<'_>,
    samples: Rows<'_>,
    count: usize,
    width: usize,
    out: &mut [f32],
) {
    factors.check(count);
    samples.check(width);
    assert!(factors.count == samples.count && out.len() >= count * width);
    let many = if S::REGISTER_COUNT >= 32 { 12 } else { 6 };
    let mut row = 0;
    while row < count {
        let left = count - row;
        // SAFETY: checked above; there are at least as many rows as the block has.
        row += unsafe {
            if left >= many && S::REGISTER_COUNT >= 32 {
                outer_block::<S, 12>(simd, factors, samples, row, width, out)
            } else if left >= 6 {
                outer_block::<S, 6>(simd, factors, samples, row, width, out)
            } else {
                outer_block::<S, 1>(simd, factors, samples, row, width, out)
            }
        };
    }
}

/// Returns the number of rows, P.
///
/// # Safety
/// Every sample has `P` factors from `row` on and `width` values; `out` has these rows.
#[inline(always)]
unsafe fn outer_block<S: Simd, const P: usize>(
    simd: S,
    factors: Rows<'_>,
    samples: Rows<'_>,
    row: usize,
    width: usize,
    out: &mut [f32],
) -> usize {
    let (zero, lanes) = (simd.splat_f32s(0.0), S::F32_LANES);
    // SAFETY: the caller's promise.
    unsafe {
        let out = out.as_mut_ptr().add(row * width);
        let whole = width / (2 * lanes) * (2 * lanes);
        for at in (0..whole).step_by(2 * lanes) {
            let mut sums = [[zero; 2]; P];
            for sample in 0..samples.count {
                let x = samples.row(sample).add(at);
                let (x0, x1) = (load(simd, x, lanes), load(simd, x.add(lanes), lanes));
                let factor = factors.row(sample).add(row);
                for p in 0..P {
                    let factor = simd.splat_f32s(*factor.add(p));
                    sums[p][0] = simd.mul_add_e_f32s(factor, x0, sums[p][0]);
                    sums[p][1] = simd.mul_add_e_f32s(factor, x1, sums[p][1]);
                }
            }
            for p in 0..P {
                store(simd, out.add(p * width + at), lanes, sums[p][0]);
                store(simd, out.add(p * width + at + lanes), lanes, sums[p][1]);
            }
        }
        let mut at = whole;
        while at < width {
            let count = (width - at).min(lanes);
            let mut sums = [zero; P];
            for sample in 0..samples.count {
                let x = load(simd, samples.row(sample).add(at), count);
                let factor = factors.row(sample).add(row);
                for p in 0..P {
                    sums[p] = simd.mul_add_e_f32s(simd.splat_f32s(*factor.add(p)), x, sums[p]);
                }
            }
            for p in 0..P {
                store(simd, out.add(p * width + at), count, sums[p]);
            }
            at += lanes;
        }
    }
    P
}
