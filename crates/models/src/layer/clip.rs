//! Layers that look along time: over the moments of a clip.

use candle_core::Tensor;
use nn::{Pass, TemporalConv, ops};

use super::{Facts, Layer, Shape, TemporalPool, map, one, runs};

impl Layer {
    /// Convolution over the moments of a clip at each place, padded with zeros, without bias.
    pub fn temporal_conv(outputs: usize, kernel: usize) -> Self {
        let measure = move |inputs: &[&Shape]| {
            let (x, moments) = clip(inputs)?;
            let [c, h, w] = map(x)?;
            let weights = outputs * c * kernel;
            Ok(Facts {
                operation: format!("conv 1x1x{kernel} over time"),
                output: Shape { each: vec![outputs, h, w], moments: Some(moments) },
                parameters: weights,
                multiply_adds: (weights * moments * h * w) as u64,
            })
        };
        Self::new(measure, move |inputs, builder| {
            let conv = TemporalConv::new(builder, inputs[0].each[0], outputs, kernel)?;
            runs(move |x, batch, pass| conv.forward(x[0], moments(x, batch)?, pass))
        })
    }

    /// Maximum over windows of a clip's moments.
    pub fn temporal_max_pool(TemporalPool { kernel, stride }: TemporalPool) -> Self {
        let measure = move |x: &[usize], moments: usize| {
            map(x)?;
            if kernel == 0 || stride == 0 || moments < kernel {
                return Err(format!("windows of {kernel} moments, {stride} apart, over {moments}"));
            }
            let output = Shape { each: x.to_vec(), moments: Some((moments - kernel) / stride + 1) };
            Ok((format!("max-pool 1x1x{kernel} stride {stride} over time"), output))
        };
        Self::of_clip(measure, move |x, moments, pass| {
            nn::max_over_time(x[0], moments, [kernel, stride], pass)
        })
    }

    /// The mean of vectors over a clip's moments.
    pub fn temporal_mean() -> Self {
        let measure = |x: &[usize], moments: usize| match *x {
            [features] => Ok((format!("average over {moments} moments"), still([features]))),
            _ => Err(format!("expected a vector, found {x:?}")),
        };
        Self::of_clip(measure, |x, moments, pass| nn::mean_over_time(x[0], moments, pass))
    }

    /// The maps of a clip's moments side by side in the channels.
    pub fn join_moments() -> Self {
        let measure = |x: &[usize], moments: usize| {
            let [c, h, w] = map(x)?;
            Ok((format!("concat of {moments} moments"), still([c * moments, h, w])))
        };
        Self::of_clip(measure, |x, moments, pass| pass.apply(ops::JoinMoments { moments }, x))
    }

    /// The sum of the maps of a clip's moments.
    pub fn sum_moments() -> Self {
        let measure = |x: &[usize], moments: usize| {
            map(x)?;
            Ok((format!("sum of {moments} moments"), still(x)))
        };
        Self::of_clip(measure, |x, moments, pass| pass.apply(ops::SumMoments { moments }, x))
    }

    /// A layer of one clip, without parameters: `measure` sees the shape at each moment and how many there are.
    fn of_clip(
        measure: impl Fn(&[usize], usize) -> Result<(String, Shape), String> + Send + Sync + 'static,
        forward: impl Fn(&[&Tensor], usize, &Pass) -> nn::Result<Tensor> + Clone + Send + Sync + 'static,
    ) -> Self {
        let measure = move |inputs: &[&Shape]| {
            let (x, moments) = clip(inputs)?;
            let (operation, output) = measure(x, moments)?;
            Ok(Facts { operation, output, parameters: 0, multiply_adds: 0 })
        };
        Self::new(measure, move |_, _| {
            let forward = forward.clone();
            runs(move |x, batch, pass| forward(x, moments(x, batch)?, pass))
        })
    }
}

/// The shape at each moment of the one clip that is read, and how many there are.
fn clip<'a>(inputs: &[&'a Shape]) -> Result<(&'a [usize], usize), String> {
    let x = one(inputs)?;
    let moments = x.moments.ok_or("it reads clips, and this is one moment")?;
    Ok((&x.each, moments))
}

/// What has no moments any more.
fn still(each: impl Into<Vec<usize>>) -> Shape {
    Shape { each: each.into(), moments: None }
}

/// Moments of each of so many samples.
fn moments(x: &[&Tensor], batch: usize) -> nn::Result<usize> {
    Ok(x[0].dim(0)? / batch.max(1))
}
