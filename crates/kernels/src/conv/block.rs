//! The innermost loops: a block of sums in registers.
//!
//! Both loops multiply broadcast values by vectors and add to `P x V` sums. Nothing is copied first: images are read in
//! place, through one pointer or index per position.

#![expect(
    clippy::needless_range_loop,
    reason = "indices of constant range keep the sums in registers; through iterators the compiler puts them into memory"
)]

use pulp::Simd;

/// Reads one vector.
///
/// # Safety
/// A vector of values must be readable at the address.
#[inline(always)]
unsafe fn load<S: Simd>(from: *const f32) -> S::f32s {
    // SAFETY: the caller's promise; a vector is plain numbers and the read needs no alignment.
    unsafe { from.cast::<S::f32s>().read_unaligned() }
}

/// Writes one vector.
///
/// # Safety
/// A vector of values must be writable at the address.
#[inline(always)]
unsafe fn store<S: Simd>(to: *mut f32, value: S::f32s) {
    // SAFETY: the caller's promise; the write needs no alignment.
    unsafe { to.cast::<S::f32s>().write_unaligned(value) }
}

/// Number of values in the longest vector of any level.
const MOST_LANES: usize = 16;

/// The final step of a block of outputs.
#[derive(Clone, Copy)]
pub(super) struct Finish {
    /// Biases of the panel's channels (a whole number of vectors), or null for none.
    pub(super) bias: *const f32,
    /// Applies `max(y, 0)`.
    pub(super) relu: bool,
    /// Number of channels of the panel.
    pub(super) width: usize,
}

/// Computes `P` output positions of a panel of `V` vectors of channels.
///
/// They are the sums, over the taps and their runs, of the values at `taps[t][p] + k` times the row of weights of (t, k).
///
/// # Safety
/// `run` values are readable at every address of `taps` plus `offset`; `weights` holds a row of
/// V vectors for each of them; the bias holds V vectors; `finish.width` values are writable at `out[p] + at` for
/// the first `count` positions.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "an inner loop")]
pub(super) unsafe fn outputs<S: Simd, const P: usize, const V: usize>(
    simd: S,
    taps: &[[*const f32; P]],
    offset: usize,
    run: usize,
    mut weights: *const f32,
    finish: Finish,
    out: &[*mut f32; P],
    at: usize,
    count: usize,
) {
    let zero = simd.splat_f32s(0.0);
    let mut sums = [[zero; V]; P];
    // SAFETY: the addresses stay inside what the caller promised.
    unsafe {
        if !finish.bias.is_null() {
            for v in 0..V {
                let bias = load::<S>(finish.bias.add(v * S::F32_LANES));
                for p in 0..P {
                    sums[p][v] = bias;
                }
            }
        }
        for tap in taps {
            for k in offset..offset + run {
                let mut row = [zero; V];
                for v in 0..V {
                    row[v] = load::<S>(weights.add(v * S::F32_LANES));
                }
                for p in 0..P {
                    let x = simd.splat_f32s(*tap[p].add(k));
                    for v in 0..V {
                        sums[p][v] = simd.mul_add_e_f32s(x, row[v], sums[p][v]);
                    }
                }
                weights = weights.add(V * S::F32_LANES);
            }
        }
        if finish.relu {
            for p in 0..P {
                for v in 0..V {
                    // NaN is not below zero, so it is kept.
                    sums[p][v] = simd.select_f32s(simd.less_than_f32s(sums[p][v], zero), zero, sums[p][v]);
                }
            }
        }
        // The loops that touch the sums are plain enough to be unrolled; otherwise the sums would live in
        // memory. So the last positions and channels go through a buffer.
        if count == P && finish.width == V * S::F32_LANES {
            for p in 0..P {
                for v in 0..V {
                    store::<S>(out[p].add(at + v * S::F32_LANES), sums[p][v]);
                }
            }
        } else {
            let mut buffer = [[[0f32; MOST_LANES]; V]; P];
            for p in 0..P {
                for v in 0..V {
                    store::<S>(buffer[p].as_mut_ptr().cast::<f32>().add(v * S::F32_LANES), sums[p][v]);
                }
            }
            copy_part(buffer.as_ptr().cast(), V * MOST_LANES, finish.width, &out[..count], at);
        }
    }
}

/// Copies rows of `width` values, `step` apart, to their destinations.
///
/// # Safety
/// The rows are readable, and `width` values are writable at each place plus `at`.
#[inline(never)]
unsafe fn copy_part(rows: *const f32, step: usize, width: usize, places: &[*mut f32], at: usize) {
    for (row, place) in places.iter().enumerate() {
        // SAFETY: the caller's promise.
        unsafe { std::ptr::copy_nonoverlapping(rows.add(row * step), place.add(at), width) };
    }
}

/// A range of positions that a tap of the kernel sees, with its start in the input and in the output gradient.
#[derive(Debug, Clone, Copy)]
pub(super) struct Stretch {
    /// Index into the input.
    pub(super) input: usize,
    /// Index into the output gradient.
    pub(super) output: usize,
    /// Number of the first position, from the first one of the rows that are listed.
    pub(super) position: usize,
    /// Number of positions.
    pub(super) count: usize,
}

/// One side of the products of the weight gradient.
#[derive(Clone, Copy)]
pub(super) struct Operand<'a, F> {
    pub(super) data: &'a [f32],
    /// The index of the first position of a stretch in the data.
    pub(super) of: F,
    /// Distance of the first value from there.
    pub(super) at: usize,
    /// Distance between adjacent positions of a stretch.
    pub(super) step: usize,
}

/// Adds to `P` rows of `V` vectors of weight gradients, or overwrites them if `first` is set: sums over positions of
/// `rows[p] * vectors[starts[v] + ..]`.
///
/// # Safety
/// At every position the data of `rows` hold `P` values; those of `vectors` hold a vector at each of the `starts`, or `part`
/// values in place of the only vector. `sums` has P rows of V vectors, written before unless `first`.
#[inline(always)]
#[expect(clippy::too_many_arguments, reason = "an inner loop")]
pub(super) unsafe fn weight_gradients<S: Simd, const P: usize, const V: usize>(
    simd: S,
    stretches: &[Stretch],
    rows: Operand<'_, impl Fn(&Stretch) -> usize>,
    vectors: Operand<'_, impl Fn(&Stretch) -> usize>,
    starts: &[usize; V],
    part: Option<usize>,
    first: bool,
    sums: *mut f32,
) {
    let lanes = S::F32_LANES;
    let mut block = [[simd.splat_f32s(0.0); V]; P];
    // SAFETY: the addresses stay inside what the caller promised.
    unsafe {
        if !first {
            for p in 0..P {
                for v in 0..V {
                    block[p][v] = load::<S>(sums.add((p * V + v) * lanes));
                }
            }
        }
        for stretch in stretches {
            let mut one = rows.data.as_ptr().add((rows.of)(stretch) + rows.at);
            let mut many = vectors.data.as_ptr().add((vectors.of)(stretch) + vectors.at);
            for _ in 0..stretch.count {
                let mut row = [simd.splat_f32s(0.0); V];
                match part {
                    None => {
                        for v in 0..V {
                            row[v] = load::<S>(many.add(starts[v]));
                        }
                    }
                    Some(length) => row[0] = simd.partial_load_f32s(std::slice::from_raw_parts(many, length)),
                }
                for p in 0..P {
                    let value = simd.splat_f32s(*one.add(p));
                    for v in 0..V {
                        block[p][v] = simd.mul_add_e_f32s(value, row[v], block[p][v]);
                    }
                }
                one = one.wrapping_add(rows.step);
                many = many.wrapping_add(vectors.step);
            }
        }
        for p in 0..P {
            for v in 0..V {
                store::<S>(sums.add((p * V + v) * lanes), block[p][v]);
            }
        }
    }
}

/// Copies the vectors at `starts` of positions that are `step` values apart, one after the other.
///
/// # Safety
/// At each of the `count` positions a vector is readable at every start; `count * V` vectors are writable at `to`.
#[inline(always)]
pub(super) unsafe fn copy_vectors<S: Simd, const V: usize>(
    mut from: *const f32,
    step: usize,
    count: usize,
    starts: &[usize; V],
    mut to: *mut f32,
) {
    for _ in 0..count {
        for v in 0..V {
            // SAFETY: the caller's promise.
            unsafe { store::<S>(to.add(v * S::F32_LANES), load::<S>(from.add(starts[v]))) };
        }
        from = from.wrapping_add(step);
        to = to.wrapping_add(V * S::F32_LANES);
    }
}
