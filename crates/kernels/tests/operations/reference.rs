//! Plain versions of the operations: nested loops over slices, sums in f64.
//!
//! They define what the fast versions must compute, and the tests compare the two.
//! Feature maps are (B, H, W, C) in row-major order; weights (O, C / groups, KH, KW).

use kernels::{Conv2d, Lrn, Pool2d};

/// Gradients of a convolution.
#[derive(Debug)]
pub(crate) struct ConvGradients {
    /// Gradient of the input.
    pub(crate) x: Vec<f32>,
    /// Gradient of the weight.
    pub(crate) weight: Vec<f32>,
    /// Gradient of the bias.
    pub(crate) bias: Vec<f32>,
}

/// Calls `visit(output index, input index, weight index)` for every product of a convolution.
fn for_each_product(
    [b, h, w, c]: [usize; 4],
    [o, kh, kw]: [usize; 3],
    [oh, ow]: [usize; 2],
    conv: &Conv2d,
    mut visit: impl FnMut(usize, usize, usize),
) {
    let ([sh, sw], [ph, pw]) = (conv.stride, conv.padding);
    let (group_inputs, group_outputs) = (c / conv.groups, o / conv.groups);
    for (n, m) in (0..b).flat_map(|n| (0..o).map(move |m| (n, m))) {
        for (y, x) in (0..oh).flat_map(|y| (0..ow).map(move |x| (y, x))) {
            for channel in 0..group_inputs {
                for (ky, kx) in (0..kh).flat_map(|ky| (0..kw).map(move |kx| (ky, kx))) {
                    let (row, column) = (y * sh + ky, x * sw + kx);
                    if row >= ph && row < h + ph && column >= pw && column < w + pw {
                        let input = m / group_outputs * group_inputs + channel;
                        visit(
                            ((n * oh + y) * ow + x) * o + m,
                            ((n * h + row - ph) * w + column - pw) * c + input,
                            ((m * group_inputs + channel) * kh + ky) * kw + kx,
                        );
                    }
                }
            }
        }
    }
}

/// Computes the convolution of `x` with `weight` (`kernel` is O, KH, KW) plus `bias`.
pub(crate) fn conv2d(
    x: &[f32],
    input: [usize; 4],
    weight: &[f32],
    kernel: [usize; 3],
    bias: &[f32],
    output: [usize; 2],
    conv: &Conv2d,
) -> Vec<f32> {
    let positions = input[0] * output[0] * output[1];
    let mut out: Vec<f64> = (0..positions * kernel[0]).map(|i| f64::from(bias[i % kernel[0]])).collect();
    for_each_product(input, kernel, output, conv, |o, i, k| {
        out[o] += f64::from(x[i]) * f64::from(weight[k]);
    });
    to_f32(out)
}

/// Computes the gradients of [`conv2d`] for the output gradient `grad`.
pub(crate) fn conv2d_gradients(
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
    for (i, &grad) in grad.iter().enumerate() {
        db[i % kernel[0]] += f64::from(grad);
    }
    ConvGradients { x: to_f32(dx), weight: to_f32(dw), bias: to_f32(db) }
}

/// Lists the input positions of each output position's window: (output position, [input position]).
fn windows(
    [b, h, w]: [usize; 3],
    [oh, ow]: [usize; 2],
    pool: &Pool2d,
) -> impl Iterator<Item = (usize, Vec<usize>)> {
    (0..b * oh * ow).map(move |at| {
        let (n, y, x) = (at / (oh * ow), at / ow % oh, at % ow);
        let mut window = Vec::new();
        for row in (0..pool.kernel[0]).map(|k| y * pool.stride[0] + k) {
            for column in (0..pool.kernel[1]).map(|k| x * pool.stride[1] + k) {
                let inside = row >= pool.padding[0]
                    && row < h + pool.padding[0]
                    && column >= pool.padding[1]
                    && column < w + pool.padding[1];
                if inside {
                    window.push((n * h + row - pool.padding[0]) * w + column - pool.padding[1]);
                }
            }
        }
        (at, window)
    })
}

/// Computes the maximum over windows: the values, and for each the index of its winner in `x`: the first of
/// equal values, the last NaN.
pub(crate) fn max_pool2d(
    x: &[f32],
    [b, h, w, c]: [usize; 4],
    output: [usize; 2],
    pool: &Pool2d,
) -> (Vec<f32>, Vec<usize>) {
    let (mut values, mut winners) = (Vec::new(), Vec::new());
    for (_, window) in windows([b, h, w], output, pool) {
        for channel in 0..c {
            let mut best = window[0] * c + channel;
            for at in window.iter().map(|position| position * c + channel) {
                if x[at] > x[best] || x[at].is_nan() {
                    best = at;
                }
            }
            values.push(x[best]);
            winners.push(best);
        }
    }
    (values, winners)
}

/// Computes the mean over windows. Padding counts as zeros if `count_padding` is set (Caffe), but never the part of
/// a window that lies beyond the padding because of rounding up.
pub(crate) fn avg_pool2d(
    x: &[f32],
    [b, h, w, c]: [usize; 4],
    output: [usize; 2],
    pool: &Pool2d,
    count_padding: bool,
) -> Vec<f32> {
    let mut values = Vec::new();
    for (at, window) in windows([b, h, w], output, pool) {
        let counted = avg_pool2d_count(at, &window, [h, w], output, pool, count_padding);
        for channel in 0..c {
            let sum: f64 = window.iter().map(|position| f64::from(x[position * c + channel])).sum();
            values.push((sum / counted) as f32);
        }
    }
    values
}

/// Computes the gradient of [`avg_pool2d`] for the output gradient `grad`.
pub(crate) fn avg_pool2d_gradient(
    [b, h, w, c]: [usize; 4],
    grad: &[f32],
    output: [usize; 2],
    pool: &Pool2d,
    count_padding: bool,
) -> Vec<f32> {
    let mut out = vec![0f64; b * h * w * c];
    for (at, window) in windows([b, h, w], output, pool) {
        let counted = avg_pool2d_count(at, &window, [h, w], output, pool, count_padding);
        for (channel, position) in (0..c).flat_map(|channel| window.iter().map(move |p| (channel, p))) {
            out[position * c + channel] += f64::from(grad[at * c + channel]) / counted;
        }
    }
    to_f32(out)
}

fn avg_pool2d_count(
    at: usize,
    window: &[usize],
    input: [usize; 2],
    [oh, ow]: [usize; 2],
    pool: &Pool2d,
    count_padding: bool,
) -> f64 {
    if !count_padding {
        return window.len() as f64;
    }
    let start = [at / ow % oh * pool.stride[0], at % ow * pool.stride[1]];
    let span = |axis: usize| {
        (start[axis] + pool.kernel[axis]).min(input[axis] + 2 * pool.padding[axis]) - start[axis]
    };
    (span(0) * span(1)) as f64
}

/// Local response normalisation; see [`Lrn`].
pub(crate) fn local_response_norm(x: &[f32], channels: usize, lrn: &Lrn) -> Vec<f32> {
    let base = lrn_bases(x, channels, lrn);
    let values = x.iter().zip(&base);
    values.map(|(&x, base)| (f64::from(x) * base.powf(-lrn.beta)) as f32).collect()
}

/// Computes the gradient of [`local_response_norm`] for the output gradient `grad`.
pub(crate) fn local_response_norm_gradient(x: &[f32], channels: usize, grad: &[f32], lrn: &Lrn) -> Vec<f32> {
    let base = lrn_bases(x, channels, lrn);
    let mut out = vec![0f64; x.len()];
    for (i, out) in out.iter_mut().enumerate() {
        let (position, channel) = (i / channels, i % channels);
        *out = f64::from(grad[i]) * base[i].powf(-lrn.beta);
        for other in (0..channels).filter(|&other| window(lrn, other, channels).contains(&channel)) {
            let j = position * channels + other;
            *out -= 2.0 * lrn.alpha * lrn.beta / lrn.size as f64
                * f64::from(x[i])
                * f64::from(grad[j])
                * f64::from(x[j])
                * base[j].powf(-lrn.beta - 1.0);
        }
    }
    to_f32(out)
}

/// Returns the channels in the window of a channel.
fn window(lrn: &Lrn, channel: usize, channels: usize) -> std::ops::RangeInclusive<usize> {
    channel.saturating_sub(lrn.size / 2)..=(channel + (lrn.size - 1) / 2).min(channels - 1)
}

fn lrn_bases(x: &[f32], channels: usize, lrn: &Lrn) -> Vec<f64> {
    (0..x.len())
        .map(|i| {
            let (position, channel) = (i / channels, i % channels);
            let squares =
                window(lrn, channel, channels).map(|j| f64::from(x[position * channels + j]).powi(2));
            lrn.k + lrn.alpha / lrn.size as f64 * squares.sum::<f64>()
        })
        .collect()
}

/// Computes the mean and biased variance of every channel of (positions, C).
pub(crate) fn channel_statistics(x: &[f32], channels: usize) -> (Vec<f64>, Vec<f64>) {
    let count = (x.len() / channels) as f64;
    let of = |channel: usize| x.iter().skip(channel).step_by(channels).map(|&x| f64::from(x));
    let mean: Vec<f64> = (0..channels).map(|channel| of(channel).sum::<f64>() / count).collect();
    let variance = mean.iter().enumerate();
    let variance = variance.map(|(channel, m)| of(channel).map(|x| (x - m).powi(2)).sum::<f64>() / count);
    let variance = variance.collect();
    (mean, variance)
}

/// Batch normalisation with the given statistics, plus `residual`, then rectified if `relu`.
#[expect(clippy::too_many_arguments, reason = "a formula with this many terms")]
pub(crate) fn batch_norm(
    x: &[f32],
    scale: &[f32],
    shift: &[f32],
    mean: &[f64],
    variance: &[f64],
    epsilon: f64,
    residual: Option<&[f32]>,
    relu: bool,
) -> Vec<f32> {
    let channels = scale.len();
    let value = |(i, &x): (usize, &f32)| {
        let c = i % channels;
        let normal = (f64::from(x) - mean[c]) / (variance[c] + epsilon).sqrt();
        let y = normal * f64::from(scale[c]) + f64::from(shift[c]);
        let y = y + residual.map_or(0.0, |residual| f64::from(residual[i]));
        if relu && y < 0.0 { 0.0 } else { y as f32 }
    };
    x.iter().enumerate().map(value).collect()
}

/// Computes the gradients of x, scale and shift through [`batch_norm`]; `grad` is the gradient before the
/// rectification. With `batch` the statistics are those of `x` itself and depend on it; without, they are constants.
pub(crate) fn batch_norm_gradients(
    x: &[f32],
    scale: &[f32],
    mean: &[f64],
    variance: &[f64],
    epsilon: f64,
    grad: &[f32],
    batch: bool,
) -> [Vec<f32>; 3] {
    let channels = scale.len();
    let count = (x.len() / channels) as f64;
    let deviation: Vec<f64> = variance.iter().map(|v| (v + epsilon).sqrt()).collect();
    let normal = |i: usize| (f64::from(x[i]) - mean[i % channels]) / deviation[i % channels];
    let (mut dscale, mut dshift) = (vec![0f64; channels], vec![0f64; channels]);
    for (i, &grad) in grad.iter().enumerate() {
        dscale[i % channels] += f64::from(grad) * normal(i);
        dshift[i % channels] += f64::from(grad);
    }
    let dx = grad.iter().enumerate().map(|(i, &grad)| {
        let c = i % channels;
        let through = if batch { (dshift[c] + normal(i) * dscale[c]) / count } else { 0.0 };
        ((f64::from(grad) - through) * f64::from(scale[c]) / deviation[c]) as f32
    });
    [dx.collect(), to_f32(dscale), to_f32(dshift)]
}

/// Computes `x` (B, I) times `weight` (O, I) transposed, plus `bias` (O).
pub(crate) fn linear(x: &[f32], weight: &[f32], bias: &[f32], inputs: usize) -> Vec<f32> {
    let dot =
        |x: &[f32], row: &[f32]| x.iter().zip(row).map(|(&x, &w)| f64::from(x) * f64::from(w)).sum::<f64>();
    let samples = x.chunks_exact(inputs);
    let values = samples.flat_map(|x| {
        let rows = weight.chunks_exact(inputs).zip(bias);
        rows.map(move |(row, &bias)| (dot(x, row) + f64::from(bias)) as f32)
    });
    values.collect()
}

/// Computes the gradients of x, weight and bias through [`linear`] for the output gradient `grad`.
pub(crate) fn linear_gradients(x: &[f32], weight: &[f32], grad: &[f32], inputs: usize) -> [Vec<f32>; 3] {
    let outputs = weight.len() / inputs;
    let (mut dx, mut dw, mut db) = (vec![0f64; x.len()], vec![0f64; weight.len()], vec![0f64; outputs]);
    for (at, &grad) in grad.iter().enumerate() {
        let (sample, output) = (at / outputs, at % outputs);
        for input in 0..inputs {
            dx[sample * inputs + input] += f64::from(grad) * f64::from(weight[output * inputs + input]);
            dw[output * inputs + input] += f64::from(grad) * f64::from(x[sample * inputs + input]);
        }
        db[output] += f64::from(grad);
    }
    [to_f32(dx), to_f32(dw), to_f32(db)]
}

/// Computes the softmax of every row of `classes` values.
pub(crate) fn softmax(logits: &[f32], classes: usize) -> Vec<f64> {
    let rows = logits.chunks_exact(classes).flat_map(|row| {
        let largest = row.iter().fold(f64::NEG_INFINITY, |largest, &x| largest.max(f64::from(x)));
        let powers: Vec<f64> = row.iter().map(|&x| (f64::from(x) - largest).exp()).collect();
        let sum: f64 = powers.iter().sum();
        powers.into_iter().map(move |power| power / sum)
    });
    rows.collect()
}

/// Computes the mean of `-ln softmax[label]` over the rows, and its gradient.
pub(crate) fn cross_entropy(logits: &[f32], classes: usize, labels: &[u32]) -> (f32, Vec<f32>) {
    let mut gradient = softmax(logits, classes);
    let mut loss = 0.0;
    for (row, &label) in gradient.chunks_exact_mut(classes).zip(labels) {
        loss -= row[label as usize].ln();
        row[label as usize] -= 1.0;
        row.iter_mut().for_each(|value| *value /= labels.len() as f64);
    }
    ((loss / labels.len() as f64) as f32, to_f32(gradient))
}

/// Transposes each of several matrices of `rows` x `columns`.
pub(crate) fn transposed(x: &[f32], rows: usize, columns: usize) -> Vec<f32> {
    let matrices = x.chunks_exact(rows * columns);
    let values = matrices.flat_map(|matrix| {
        (0..columns).flat_map(move |column| (0..rows).map(move |row| matrix[row * columns + column]))
    });
    values.collect()
}

/// Joins the rows of several arrays, `widths` values each.
pub(crate) fn joined(parts: &[&[f32]], widths: &[usize]) -> Vec<f32> {
    let positions = parts[0].len() / widths[0];
    let row = |position| {
        parts
            .iter()
            .zip(widths)
            .flat_map(move |(part, width)| &part[position * width..(position + 1) * width])
    };
    (0..positions).flat_map(row).copied().collect()
}

fn to_f32(values: Vec<f64>) -> Vec<f32> {
    values.into_iter().map(|value| value as f32).collect()
}

/// One factor of an outer product: its values, and the bucket and the sign of each.
pub(crate) type SketchedFactor<'a> = (&'a [f32], &'a [usize], &'a [f32]);

/// Computes the count sketch of the explicit outer product of vectors: each product goes, with the product of its
/// factors' signs, to the bucket that is the sum of their buckets modulo `size`.
pub(crate) fn outer_product_sketch(factors: &[SketchedFactor<'_>], size: usize) -> Vec<f32> {
    let mut out = vec![0f64; size];
    let mut at = vec![0; factors.len()];
    loop {
        let (mut product, mut bucket) = (1f64, 0);
        for (&i, (x, buckets, signs)) in at.iter().zip(factors) {
            product *= f64::from(x[i]) * f64::from(signs[i]);
            bucket = (bucket + buckets[i]) % size;
        }
        out[bucket] += product;
        // Counts to the next combination, with one digit for each factor.
        let Some(digit) = (0..at.len()).find(|&digit| at[digit] + 1 < factors[digit].0.len()) else {
            return to_f32(out);
        };
        at[..digit].fill(0);
        at[digit] += 1;
    }
}
