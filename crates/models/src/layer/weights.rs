//! Layers with weights, and dropout.

use nn::{Activation, BatchNorm, BatchNormConfig, Conv2d, Conv2dConfig, Dropout, Linear, Statistics, ops};

use super::{Each, Layer, Shape, Window, free, in_words, map, one, product, runs};

/// Added to the variance in batch normalisation, as in all released models of these
/// networks.
const EPSILON: f64 = 1e-5;

/// Share of a new batch in the running statistics, as in all released models.
const MOMENTUM: f64 = 0.1;

/// A convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conv {
    /// Number of output channels.
    pub outputs: usize,
    /// The window.
    pub window: Window,
    /// Number of groups of channels; each group reads only its own inputs.
    pub groups: usize,
    /// Adds a bias to each output channel.
    pub bias: bool,
    /// Activation after the convolution.
    pub activation: Activation,
}

impl Conv {
    fn facts(&self, [c, h, w]: [usize; 3]) -> Result<Each, String> {
        let Self { outputs, window: Window { kernel, stride, padding }, groups, bias, activation } = *self;
        if groups == 0 || !c.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
            return Err(format!("{groups} groups do not divide {c} input and {outputs} output channels"));
        }
        let op = ops::Conv2d { stride: [stride; 2], padding: [padding; 2], groups, relu: false };
        let [oh, ow] = op.output_size([h, w], [kernel; 2]).map_err(in_words)?;
        let weights = product([outputs, c / groups, kernel, kernel]);
        let grouped = if groups == 1 { String::new() } else { format!(", {groups} groups") };
        let then = then(activation);
        Ok(Each {
            operation: format!("conv {kernel}x{kernel} stride {stride} pad {padding}{grouped}{then}"),
            output: vec![outputs, oh, ow],
            parameters: weights.saturating_add(if bias { outputs } else { 0 }),
            multiply_adds: product([weights, oh, ow]) as u64,
        })
    }
}

impl Layer {
    /// Makes a convolution.
    pub fn conv(conv: Conv) -> Self {
        Self::each(
            move |inputs| conv.facts(map(one(inputs)?)?),
            move |inputs, builder| {
                let Conv { outputs, window: Window { kernel, stride, padding }, groups, bias, activation } =
                    conv;
                let config = Conv2dConfig {
                    inputs: channels(inputs),
                    outputs,
                    kernel: [kernel; 2],
                    stride: [stride; 2],
                    padding: [padding; 2],
                    groups,
                    bias,
                    activation,
                };
                let conv = Conv2d::new(builder, &config)?;
                runs(move |x, _, pass| conv.forward(x[0], pass))
            },
        )
    }

    /// Makes a convolution with bias, followed by rectification.
    pub fn conv_relu(outputs: usize, window: Window) -> Self {
        Self::conv(Conv { outputs, window, groups: 1, bias: true, activation: Activation::Relu })
    }

    /// Makes a batch normalisation of the first input; a second input is added before the activation.
    pub fn batch_norm(statistics: Statistics, activation: Activation) -> Self {
        let measure = move |inputs: &[&[usize]]| {
            let (x, residual) = match *inputs {
                [x] => (x, None),
                [x, residual] => (x, Some(residual)),
                _ => return Err(format!("expected 1 or 2 inputs, found {}", inputs.len())),
            };
            let &[c, ..] = x else { return Err("expected channels, found an empty shape".into()) };
            if let Some(residual) = residual.filter(|residual| *residual != x) {
                return Err(format!("cannot add {residual:?} to {x:?}"));
            }
            let frozen = if statistics == Statistics::Running { "frozen " } else { "" };
            let added = if residual.is_some() { ", sum" } else { "" };
            let operation = format!("{frozen}batch norm{added}{}", then(activation));
            Ok(Each { parameters: product([2, c]), ..free(operation, x) })
        };
        Self::each(measure, move |inputs, builder| {
            let config = BatchNormConfig { epsilon: EPSILON, momentum: MOMENTUM, statistics, activation };
            let norm = BatchNorm::new(builder, channels(inputs), &config)?;
            runs(move |x, _, pass| norm.forward(x[0], x.get(1).copied(), pass))
        })
    }

    /// Makes a fully connected layer with bias. A feature map is flattened first, in PyTorch's order.
    pub fn linear(outputs: usize, activation: Activation) -> Self {
        let measure = move |inputs: &[&[usize]]| {
            let weights = product(one(inputs)?.iter().copied().chain([outputs]));
            Ok(Each {
                operation: format!("linear{}", then(activation)),
                output: vec![outputs],
                parameters: weights.saturating_add(outputs),
                multiply_adds: weights as u64,
            })
        };
        Self::each(measure, move |inputs, builder| {
            let features = inputs[0].each.iter().product();
            let linear = Linear::new(builder, features, outputs, activation)?;
            runs(move |x, _, pass| {
                if x[0].rank() == 2 {
                    return linear.forward(x[0], pass);
                }
                // The weights have the order (C, H, W).
                let map = pass.apply(ops::ToChannelsFirst, x)?;
                let rows = map.dim(0)?;
                let features = map.elem_count() / rows.max(1);
                linear.forward(&pass.reshape(&map, (rows, features))?, pass)
            })
        })
    }

    /// Makes a layer that zeroes values with this probability in training. The masks depend on the layer's name.
    pub fn dropout(probability: f64) -> Self {
        Self::each(
            move |inputs| Ok(free(format!("dropout {probability}"), one(inputs)?)),
            move |_, builder| {
                let dropout = Dropout::new(builder.prefix(), probability)?;
                runs(move |x, _, pass| dropout.forward(x[0], pass))
            },
        )
    }
}

/// Returns the number of channels of the first input.
fn channels(inputs: &[&Shape]) -> usize {
    inputs[0].each[0]
}

fn then(activation: Activation) -> &'static str {
    match activation {
        Activation::None => "",
        Activation::Relu => ", ReLU",
    }
}
