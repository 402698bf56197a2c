//! Layers that pool the time steps of a clip, of maps or vectors.

use candle_core::Tensor;
use nn::LearnedOverTime;

use super::{Facts, Layer, Shape, one, product, runs};
use crate::pooling::PoolBy;

/// Factor on approximate rank pooling of maps, as in the authors' networks of dynamic images.
const RANK_FACTOR: f64 = 0.1;

impl Layer {
    /// Makes a layer that pools windows of `window` time steps, `stride` apart, or all time steps if there is none.
    pub(crate) fn pool_over_time(by: PoolBy, window: Option<[usize; 2]>) -> Self {
        let measure = move |inputs: &[&Shape]| facts(one(inputs)?, by, window);
        Self::new(measure, move |_, builder| {
            let steps = |x: &Tensor, batch: usize| Ok::<_, nn::Error>(x.dim(0)? / batch.max(1));
            let of = move |time_steps| window.unwrap_or([time_steps, 1]);
            match (by, window) {
                (PoolBy::Maximum, _) => runs(move |x, batch, pass| {
                    let time_steps = steps(x[0], batch)?;
                    nn::largest_of_windows(x[0], time_steps, of(time_steps), pass)
                }),
                (PoolBy::Mean | PoolBy::ApproximateRank, _) => runs(move |x, batch, pass| {
                    let time_steps = steps(x[0], batch)?;
                    let [window, stride] = of(time_steps);
                    let (weights, relu) = weights(by, window);
                    nn::weighted_over_time(x[0], time_steps, &weights, stride, relu, pass)
                }),
                (PoolBy::Learned | PoolBy::LearnedTwice, Some(window)) => {
                    let learned = LearnedOverTime::new(builder, window, by == PoolBy::LearnedTwice)?;
                    runs(move |x, batch, pass| learned.forward(x[0], steps(x[0], batch)?, pass))
                }
                // A learned sum without windows is refused by its shape.
                (PoolBy::Learned | PoolBy::LearnedTwice | PoolBy::Concatenation, _) => {
                    runs(move |x, batch, pass| {
                        let features = x[0].elem_count() / batch.max(1);
                        pass.reshape(x[0], (batch, features))
                    })
                }
            }
        })
    }

    /// Makes a layer that takes the stack of `count` frames of each time step apart, (B T, H, W, `count` C) of the network's input
    /// to (B T `count`, H, W, C).
    pub(crate) fn frames_apart(count: usize) -> Self {
        let measure = move |inputs: &[&Shape]| {
            let x = one(inputs)?;
            let [c, h, w] = super::map(&x.each)?;
            let time_steps = x.time_steps.ok_or("expected a clip, found a single time step")?;
            if count == 0 || !c.is_multiple_of(count) {
                return Err(format!("{c} channels are not {count} frames"));
            }
            Ok(Facts {
                operation: format!("{count} frames of each time step"),
                output: Shape {
                    each: vec![c / count, h, w],
                    time_steps: Some(time_steps.saturating_mul(count)),
                },
                parameters: 0,
                multiply_adds: 0,
            })
        };
        let layer = Self::new(measure, move |_, _| {
            // The input has no gradient, so nothing needs to be recorded.
            runs(move |x, _, _| {
                let (steps, height, width, channels) = x[0].dims4()?;
                let apart = x[0].reshape((steps, height, width, count, channels / count))?;
                let apart = apart.permute((0, 3, 1, 2, 4))?.contiguous()?;
                Ok(apart.reshape((steps * count, height, width, channels / count))?)
            })
        });
        Self { of_input: true, ..layer }
    }
}

/// Returns the weights of a window of fixed sums, and whether they are rectified.
fn weights(by: PoolBy, window: usize) -> (Vec<f32>, bool) {
    match by {
        PoolBy::ApproximateRank => {
            let weights = base::rank::approximate_rank(window);
            (weights.into_iter().map(|weight| (RANK_FACTOR * weight) as f32).collect(), true)
        }
        _ => (vec![1.0 / window as f32; window], false),
    }
}

fn facts(x: &Shape, by: PoolBy, window: Option<[usize; 2]>) -> Result<Facts, String> {
    let time_steps = x.time_steps.ok_or("expected a clip, found a single time step")?;
    let [length, stride] = window.unwrap_or([time_steps, 1]);
    if length == 0 || stride == 0 || time_steps < length {
        return Err(format!("window {length}, stride {stride} does not fit {time_steps} time steps"));
    }
    let windows = (time_steps - length) / stride + 1;
    let mut each = x.each.clone();
    let products = |each_window: usize| product([windows, x.each.iter().product(), each_window]) as u64;
    let (parameters, multiply_adds) = match by {
        PoolBy::Maximum => (0, 0),
        PoolBy::Mean | PoolBy::ApproximateRank => (0, products(length)),
        PoolBy::Learned | PoolBy::LearnedTwice if window.is_none() => {
            return Err(
                "a learned pooling over time needs window = 10 and stride = 10, or of = \"frames\"".into()
            );
        }
        PoolBy::Learned => (length + 1, products(length)),
        PoolBy::LearnedTwice => {
            let hidden = product([length, length]);
            (hidden + 2 * length + 1, products(hidden + length))
        }
        PoolBy::Concatenation => match (&x.each[..], window) {
            (&[features], None) => {
                each = vec![product([features, time_steps])];
                (0, 0)
            }
            (_, Some(_)) => {
                return Err("a concatenation joins all time steps; remove window and stride".into());
            }
            (map, None) => return Err(format!("a concatenation joins vectors, found {map:?}")),
        },
    };
    let operation = match window {
        Some(_) => format!("{} over windows of {length} time steps, {stride} apart", by.words()),
        None => format!("{} over {time_steps} time steps", by.words()),
    };
    let time_steps = window.map(|_| windows);
    Ok(Facts { operation, output: Shape { each, time_steps }, parameters, multiply_adds })
}
