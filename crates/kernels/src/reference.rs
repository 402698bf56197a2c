//! Plain versions of the operations: nested loops over slices, sums in f64.
//!
//! They say what the fast versions must compute, and the tests compare the two.
//! Feature maps are `(B, C, H, W)` in row-major order.

use crate::{Conv2d, Lrn, Pool2d};

/// Gradients of a convolution.
#[derive(Debug)]
pub struct ConvGradients {
    /// Of the input.
    pub x: Vec<f32>,
    /// Of the weight.
    pub weight: Vec<f32>,
    /// Of the bias.
    pub bias: Vec<f32>,
}

/// Calls `visit(output index, input index, weight index)` for every product of a convolution.
fn for_each_product(
    [b, c, h, w]: [usize; 4],
    [o, kh, kw]: [usize; 3],
    [oh, ow]: [usize; 2],
    conv: &Conv2d,
    mut visit: impl FnMut(usize, usize, usize),
) {
    let ([sh, sw], [ph, pw]) = (conv.stride, conv.padding);
    for (n, m) in (0..b).flat_map(|n| (0..o).map(move |m| (n, m))) {
        for (y, x) in (0..oh).flat_map(|y| (0..ow).map(move |x| (y, x))) {
            for channel in 0..c {
                for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                    let (row, column) = (y * sh + ky, x * sw + kx);
                    if row >= ph && row < h + ph && column >= pw && column < w + pw {
                        visit(
                            ((n * o + m) * oh + y) * ow + x,
                            ((n * c + channel) * h + row - ph) * w + column - pw,
                            ((m * c + channel) * kh + ky) * kw + kx,
                        );
                    }
                }
            }
        }
    }
}

/// Convolution of `x` with `weight` (`kernel` is O, KH, KW) plus `bias`.
pub fn conv2d(
    x: &[f32],
    input: [usize; 4],
    weight: &[f32],
    kernel: [usize; 3],
    bias: &[f32],
    output: [usize; 2],
    conv: &Conv2d,
) -> Vec<f32> {
    let plane = output[0] * output[1];
    let mut out: Vec<f64> =
        (0..input[0] * kernel[0] * plane).map(|i| f64::from(bias[i / plane % kernel[0]])).collect();
    for_each_product(input, kernel, output, conv, |o, i, k| {
        out[o] += f64::from(x[i]) * f64::from(weight[k]);
    });
    to_f32(out)
}

/// Gradients of [`conv2d`] for the output gradient `grad`.
pub fn conv2d_gradients(
    x: &[f32],
    input: [usize; 4],
    weight: &[f32],
    kernel: [usize; 3],
    grad: &[f32],
    output: [usize; 2],
    conv: &Conv2d,
) -> ConvGradients {
    let (mut dx, mut dw) = (vec![0f64; x.len()], vec![0f64; weight.len()]);
    let mut db = vec![0f64; kernel[0]];
    for_each_product(input, kernel, output, conv, |o, i, k| {
        dx[i] += f64::from(grad[o]) * f64::from(weight[k]);
        dw[k] += f64::from(grad[o]) * f64::from(x[i]);
    });
    let plane = output[0] * output[1];
    for (i, &grad) in grad.iter().enumerate() {
        db[i / plane % kernel[0]] += f64::from(grad);
    }
    ConvGradients { x: to_f32(dx), weight: to_f32(dw), bias: to_f32(db) }
}

/// Maximum over windows: the values, and for each the index of the first maximum in `x`.
pub fn max_pool2d(
    x: &[f32],
    [b, c, h, w]: [usize; 4],
    [oh, ow]: [usize; 2],
    pool: &Pool2d,
) -> (Vec<f32>, Vec<usize>) {
    let (mut values, mut winners) = (Vec::new(), Vec::new());
    for plane in 0..b * c {
        for (y, column) in (0..oh).flat_map(|y| (0..ow).map(move |column| (y, column))) {
            let rows = (0..pool.kernel[0]).map(|k| y * pool.stride[0] + k);
            let mut best: Option<usize> = None;
            for row in rows.filter(|&r| r >= pool.padding[0] && r < h + pool.padding[0]) {
                for k in 0..pool.kernel[1] {
                    let column = column * pool.stride[1] + k;
                    if column < pool.padding[1] || column >= w + pool.padding[1] {
                        continue;
                    }
                    let at = (plane * h + row - pool.padding[0]) * w + column - pool.padding[1];
                    if best.is_none_or(|best| x[at] > x[best] || x[at].is_nan()) {
                        best = Some(at);
                    }
                }
            }
            let best = best.unwrap_or_default();
            values.push(x[best]);
            winners.push(best);
        }
    }
    (values, winners)
}

/// Local response normalisation; see [`crate::Lrn`].
pub fn local_response_norm(x: &[f32], shape: [usize; 4], lrn: &Lrn) -> Vec<f32> {
    let base = lrn_bases(x, shape, lrn);
    let values = x.iter().zip(&base);
    values.map(|(&x, base)| (f64::from(x) * base.powf(-lrn.beta)) as f32).collect()
}

/// Gradient of [`local_response_norm`] for the output gradient `grad`.
pub fn local_response_norm_gradient(
    x: &[f32],
    [b, c, h, w]: [usize; 4],
    grad: &[f32],
    lrn: &Lrn,
) -> Vec<f32> {
    let base = lrn_bases(x, [b, c, h, w], lrn);
    let plane = h * w;
    let mut out = vec![0f64; x.len()];
    for (i, out) in out.iter_mut().enumerate() {
        let (sample, channel, position) = (i / (c * plane), i / plane % c, i % plane);
        *out = f64::from(grad[i]) * base[i].powf(-lrn.beta);
        for other in 0..c {
            if window(lrn, other, c).contains(&channel) {
                let j = (sample * c + other) * plane + position;
                *out -= 2.0 * lrn.alpha * lrn.beta / lrn.size as f64
                    * f64::from(x[i])
                    * f64::from(grad[j])
                    * f64::from(x[j])
                    * base[j].powf(-lrn.beta - 1.0);
            }
        }
    }
    to_f32(out)
}

/// Channels in the window of a channel.
fn window(lrn: &Lrn, channel: usize, channels: usize) -> std::ops::RangeInclusive<usize> {
    channel.saturating_sub(lrn.size / 2)..=(channel + (lrn.size - 1) / 2).min(channels - 1)
}

fn lrn_bases(x: &[f32], [_, c, h, w]: [usize; 4], lrn: &Lrn) -> Vec<f64> {
    let plane = h * w;
    (0..x.len())
        .map(|i| {
            let (sample, channel, position) = (i / (c * plane), i / plane % c, i % plane);
            let sum: f64 = window(lrn, channel, c)
                .map(|j| f64::from(x[(sample * c + j) * plane + position]).powi(2))
                .sum();
            lrn.k + lrn.alpha / lrn.size as f64 * sum
        })
        .collect()
}

fn to_f32(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|value| value as f32).collect()
}
