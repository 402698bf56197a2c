//! Layers over the time steps of a clip.

use candle_core::Tensor;
use nn::{Pass, TemporalConv, ops};

use super::{Facts, Layer, Shape, TemporalPool, map, one, product, runs};

impl Layer {
    /// Makes a convolution over the time steps of a clip at each spatial position, padded with zeros, without bias.
    pub fn temporal_conv(outputs: usize, kernel: usize) -> Self {
        let measure = move |inputs: &[&Shape]| {
            let (x, time_steps) = clip(inputs)?;
            let [c, h, w] = map(x)?;
            let weights = product([outputs, c, kernel]);
            Ok(Facts {
                operation: format!("conv 1x1x{kernel} over time"),
                output: Shape { each: vec![outputs, h, w], time_steps: Some(time_steps) },
                parameters: weights,
                multiply_adds: product([weights, time_steps, h, w]) as u64,
            })
        };
        Self::new(measure, move |inputs, builder| {
            let conv = TemporalConv::new(builder, inputs[0].each[0], outputs, kernel)?;
            runs(move |x, batch, pass| conv.forward(x[0], time_steps(x, batch)?, pass))
        })
    }

    /// Makes a layer that takes the maximum over windows of a clip's time steps.
    pub fn temporal_max_pool(TemporalPool { kernel, stride }: TemporalPool) -> Self {
        let measure = move |x: &[usize], time_steps: usize| {
            map(x)?;
            if kernel == 0 || stride == 0 || time_steps < kernel {
                return Err(format!("window {kernel}, stride {stride} does not fit {time_steps} time steps"));
            }
            let output = Shape { each: x.to_vec(), time_steps: Some((time_steps - kernel) / stride + 1) };
            Ok((format!("max-pool 1x1x{kernel} stride {stride} over time"), output))
        };
        Self::of_clip(measure, move |x, time_steps, pass| {
            nn::max_over_time(x[0], time_steps, [kernel, stride], pass)
        })
    }

    /// Makes a layer that averages vectors over a clip's time steps.
    pub fn temporal_mean() -> Self {
        let measure = |x: &[usize], time_steps: usize| match *x {
            [features] => Ok((format!("average over {time_steps} time steps"), still([features]))),
            _ => Err(format!("expected a vector, found {x:?}")),
        };
        Self::of_clip(measure, |x, time_steps, pass| nn::mean_over_time(x[0], time_steps, pass))
    }

    /// Makes a layer that concatenates the channels of a clip's time steps.
    pub fn join_time_steps() -> Self {
        let measure = |x: &[usize], time_steps: usize| {
            let [c, h, w] = map(x)?;
            Ok((format!("concat of {time_steps} time steps"), still([product([c, time_steps]), h, w])))
        };
        Self::of_clip(measure, |x, time_steps, pass| pass.apply(ops::JoinTimeSteps { time_steps }, x))
    }

    /// Makes a layer that sums the maps of a clip's time steps.
    pub fn sum_time_steps() -> Self {
        let measure = |x: &[usize], time_steps: usize| {
            map(x)?;
            Ok((format!("sum of {time_steps} time steps"), still(x)))
        };
        Self::of_clip(measure, |x, time_steps, pass| pass.apply(ops::SumTimeSteps { time_steps }, x))
    }

    /// Makes a layer of one clip, without parameters; `measure` gets the shape at each time step and the number of time steps.
    fn of_clip(
        measure: impl Fn(&[usize], usize) -> Result<(String, Shape), String> + Send + Sync + 'static,
        forward: impl Fn(&[&Tensor], usize, &Pass) -> nn::Result<Tensor> + Clone + Send + Sync + 'static,
    ) -> Self {
        let measure = move |inputs: &[&Shape]| {
            let (x, time_steps) = clip(inputs)?;
            let (operation, output) = measure(x, time_steps)?;
            Ok(Facts { operation, output, parameters: 0, multiply_adds: 0 })
        };
        Self::new(measure, move |_, _| {
            let forward = forward.clone();
            runs(move |x, batch, pass| forward(x, time_steps(x, batch)?, pass))
        })
    }
}

/// Returns the shape at each time step of the only input, and its number of time steps.
fn clip<'a>(inputs: &[&'a Shape]) -> Result<(&'a [usize], usize), String> {
    let x = one(inputs)?;
    let time_steps = x.time_steps.ok_or("expected a clip, found a single time step")?;
    Ok((&x.each, time_steps))
}

/// Makes a shape without time steps.
fn still(each: impl Into<Vec<usize>>) -> Shape {
    Shape { each: each.into(), time_steps: None }
}

/// Returns the number of time steps of each sample in a batch.
fn time_steps(x: &[&Tensor], batch: usize) -> nn::Result<usize> {
    Ok(x[0].dim(0)? / batch.max(1))
}
