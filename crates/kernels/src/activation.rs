//! First step of the gradient of a rectified layer with a bias, before its products.

use rayon::prelude::*;

use crate::disjoint::Disjoint;
use crate::elementwise::passed;
use crate::memory::unwritten;
use crate::simd::vectorised;

/// Number of parts that rows are divided into.
const PARTS: usize = 32;
/// Number of rows added in single precision before their sum is added in double precision.
const BLOCK: usize = 64;

/// Computes in one pass over a gradient (rows of `columns` values): the masked gradient, which is zero unless the
/// rectified `output` is positive or NaN, if there is an output; and the sum of every column, if requested.
pub(crate) fn masked_column_sums(
    grad: &[f32],
    output: Option<&[f32]>,
    columns: usize,
    sums_wanted: bool,
) -> (Option<Vec<f32>>, Option<Vec<f32>>) {
    if output.is_none() && !sums_wanted {
        return (None, None);
    }
    // SAFETY: with an output, the parts below write every value.
    let mut masked = output.map(|_| unsafe { unwritten(grad.len()) });
    let shared = masked.as_mut().map(|masked| Disjoint::new(masked));
    let rows = grad.len() / columns.max(1);
    let each = rows.div_ceil(PARTS).max(1);
    let part = |part: usize| {
        let rows = part * each..((part + 1) * each).min(rows);
        let mut totals = vec![0f64; if sums_wanted { columns } else { 0 }];
        let mut sums = vec![0f32; totals.len()];
        for start in rows.clone().step_by(BLOCK) {
            let range = start * columns..(start + BLOCK).min(rows.end) * columns;
            let grad = &grad[range.clone()];
            let grad = match (&shared, output) {
                (Some(shared), Some(output)) => {
                    // SAFETY: parts and their blocks are disjoint rows.
                    let masked = unsafe { shared.range(range.clone()) };
                    copy_passed(masked, grad, &output[range]);
                    masked
                }
                _ => grad,
            };
            if sums_wanted {
                add_rows(grad, &mut sums);
                for (total, sum) in totals.iter_mut().zip(&mut sums) {
                    *total += f64::from(std::mem::take(sum));
                }
            }
        }
        totals
    };
    let totals: Vec<Vec<f64>> = (0..rows.div_ceil(each)).into_par_iter().map(part).collect();
    let sums = sums_wanted.then(|| {
        let of = |column: usize| totals.iter().map(|totals| totals[column]).sum::<f64>() as f32;
        (0..columns).map(of).collect()
    });
    (masked, sums)
}

fn add_rows(values: &[f32], sums: &mut [f32]) {
    vectorised(
        #[inline(always)]
        || {
            for row in values.chunks_exact(sums.len()) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
        },
    );
}

/// Copies the gradient through a rectification, as determined by its output.
fn copy_passed(out: &mut [f32], grad: &[f32], output: &[f32]) {
    vectorised(
        #[inline(always)]
        || {
            for ((out, &grad), &output) in out.iter_mut().zip(grad).zip(output) {
                *out = passed(grad, output);
            }
        },
    );
}
