//! One layer of an architecture's list: what it makes of a shape, and what it costs.

use nn::ops::{self, Lrn, Pool2d};
use nn::{Activation, Statistics};
use serde::{Deserialize, Serialize};

use crate::graph::Shape;

/// Square window of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Window {
    /// Height and width.
    pub kernel: usize,
    /// Steps between windows.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
}

/// Which batch normalisation layers use the statistics of the batch in training; the
/// others use the running ones, which then stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BatchStatistics {
    /// All layers.
    All,
    /// The first layer alone, "partial BN": for fine-tuning on little data.
    First,
    /// No layer, "frozen BN".
    None,
}

impl BatchStatistics {
    /// For the first layer of a network.
    pub(crate) fn first(self) -> Statistics {
        match self {
            Self::All | Self::First => Statistics::Batch,
            Self::None => Statistics::Running,
        }
    }

    /// For all layers after it.
    pub(crate) fn later(self) -> Statistics {
        match self {
            Self::All => Statistics::Batch,
            Self::First | Self::None => Statistics::Running,
        }
    }
}

/// What a layer does. Input sizes follow from what it reads.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Layer {
    Conv {
        outputs: usize,
        window: Window,
        groups: usize,
        bias: bool,
        activation: Activation,
    },
    /// Of one input, or of two: the second is added before the activation.
    BatchNorm {
        statistics: Statistics,
        activation: Activation,
    },
    Lrn(Lrn),
    MaxPool(Pool2d),
    /// Zeros of the padding count, as in Caffe.
    AvgPool(Pool2d),
    /// A feature map to the mean of each channel.
    GlobalAvgPool,
    /// Joins the channels of feature maps of one size.
    Concat,
    /// The sum of two values of one shape.
    Add,
    /// Some channels of the network's input: of a stack of frames, some of its frames. It has no gradient.
    Channels {
        from: usize,
        count: usize,
    },
    /// A feature map is flattened first, in PyTorch's order.
    Linear {
        outputs: usize,
        activation: Activation,
    },
    Dropout(f64),
    /// Convolution over the moments of a clip at each place, padded with zeros, without bias.
    TemporalConv {
        outputs: usize,
        kernel: usize,
    },
    /// Maximum over windows of a clip's moments.
    TemporalMaxPool(TemporalPool),
    /// The mean over a clip's moments.
    TemporalMean,
    /// The maps of a clip's moments side by side in the channels.
    JoinMoments,
    /// The sum of the maps of a clip's moments.
    SumMoments,
    /// The count sketch of the outer product of all inputs, every moment of a clip and every vector among them.
    CompactBilinear {
        /// d.
        size: usize,
        /// Whether the mean over the places is taken.
        pooled: bool,
    },
    SignedSqrt,
    /// L2 normalisation to a length of the square root of the number of channels.
    RmsNorm,
    /// The softmax over the places of a map of one channel.
    PlaceSoftmax,
    /// Of weights and a feature map, the weighted sum over the places.
    WeightedPool,
}

/// Window over the moments of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TemporalPool {
    /// Moments of a window.
    pub kernel: usize,
    /// Moments from one window to the next.
    pub stride: usize,
}

/// What is known of a layer once its input shapes are.
pub(crate) struct Facts<S = Shape> {
    pub(crate) operation: String,
    /// Without the batch.
    pub(crate) output: S,
    pub(crate) parameters: usize,
    pub(crate) multiply_adds: u64,
}

/// Of a layer that looks at one moment, for that moment.
type Each = Facts<Vec<usize>>;

impl Layer {
    /// Convolution with bias, and rectification.
    pub(crate) fn conv_relu(outputs: usize, window: Window) -> Self {
        Self::Conv { outputs, window, groups: 1, bias: true, activation: Activation::Relu }
    }

    /// The layer's facts for inputs of the given shapes, or the problem with them.
    pub(crate) fn facts(&self, inputs: &[&Shape]) -> Result<Facts, String> {
        if let Self::CompactBilinear { size, pooled } = *self {
            return compact_bilinear(inputs, size, pooled);
        }
        let moments = inputs.first().and_then(|shape| shape.moments);
        if let Some(other) = inputs.iter().find(|shape| shape.moments != moments) {
            return Err(format!("its inputs have {moments:?} and {:?} moments", other.moments));
        }
        let facts = match (self, inputs) {
            (Self::TemporalConv { .. } | Self::TemporalMaxPool(_) | Self::TemporalMean, [x]) => {
                let moments = moments.ok_or("it reads clips, and this is one moment")?;
                self.along_time(&x.each, moments)?
            }
            (Self::JoinMoments | Self::SumMoments, [x]) => {
                let moments = moments.ok_or("it reads clips, and this is one moment")?;
                self.one_of_moments(map(&x.each)?, moments)
            }
            _ => {
                let each: Vec<&[usize]> = inputs.iter().map(|shape| shape.each.as_slice()).collect();
                let facts = self.each(&each)?;
                Facts {
                    operation: facts.operation,
                    output: Shape { each: facts.output, moments },
                    parameters: facts.parameters,
                    multiply_adds: facts.multiply_adds * moments.unwrap_or(1) as u64,
                }
            }
        };
        if facts.output.each.contains(&0) {
            return Err(format!("its output would be empty: {:?}", facts.output.dims()));
        }
        Ok(facts)
    }

    /// The facts for one moment.
    fn each(&self, inputs: &[&[usize]]) -> Result<Each, String> {
        match (self, inputs) {
            (Self::Concat, inputs) => concat(inputs),
            (Self::Add, [x, y]) if x == y => Ok(free("sum".into(), x.to_vec())),
            (Self::Add, [x, y]) => Err(format!("cannot add {y:?} to {x:?}")),
            (Self::BatchNorm { statistics, activation }, [x, residual @ ..]) if residual.len() < 2 => {
                batch_norm(x, residual.first().copied(), *statistics, *activation)
            }
            (Self::WeightedPool, [weights, x]) => {
                let [c, h, w] = map(x)?;
                if **weights != [1, h, w] {
                    return Err(format!("weights of shape {weights:?} for a map {x:?}"));
                }
                Ok(free(format!("weighted sum over {h}x{w}"), vec![c]))
            }
            (_, [x]) => self.of_one(x),
            (_, inputs) => Err(format!("it does not read {} inputs", inputs.len())),
        }
    }

    /// The facts of a layer that looks along time, for so many moments of the given shape.
    fn along_time(&self, x: &[usize], moments: usize) -> Result<Facts, String> {
        let [c, h, w] = match self {
            Self::TemporalMean => {
                let &[features] = x else { return Err(format!("expected a vector, found {x:?}")) };
                let output = Shape { each: vec![features], moments: None };
                let operation = format!("average over {moments} moments");
                return Ok(Facts { operation, output, parameters: 0, multiply_adds: 0 });
            }
            _ => map(x)?,
        };
        match *self {
            Self::TemporalConv { outputs, kernel } => {
                let weights = outputs * c * kernel;
                Ok(Facts {
                    operation: format!("conv 1x1x{kernel} over time"),
                    output: Shape { each: vec![outputs, h, w], moments: Some(moments) },
                    parameters: weights,
                    multiply_adds: (weights * moments * h * w) as u64,
                })
            }
            Self::TemporalMaxPool(TemporalPool { kernel, stride }) => {
                if kernel == 0 || stride == 0 || moments < kernel {
                    return Err(format!("windows of {kernel} moments, {stride} apart, over {moments}"));
                }
                let moments = Some((moments - kernel) / stride + 1);
                Ok(Facts {
                    operation: format!("max-pool 1x1x{kernel} stride {stride} over time"),
                    output: Shape { each: x.to_vec(), moments },
                    parameters: 0,
                    multiply_adds: 0,
                })
            }
            _ => Err("it does not look along time".into()),
        }
    }

    /// The facts of a layer that makes the maps of so many moments one.
    fn one_of_moments(&self, [c, h, w]: [usize; 3], moments: usize) -> Facts {
        let (operation, channels) = match self {
            Self::SumMoments => (format!("sum of {moments} moments"), c),
            _ => (format!("concat of {moments} moments"), c * moments),
        };
        let output = Shape { each: vec![channels, h, w], moments: None };
        Facts { operation, output, parameters: 0, multiply_adds: 0 }
    }

    fn of_one(&self, x: &[usize]) -> Result<Each, String> {
        Ok(match self {
            Self::Conv { outputs, window, groups, bias, activation } => {
                conv(map(x)?, *outputs, *window, *groups, *bias, *activation)?
            }
            Self::Lrn(lrn) => {
                map(x)?;
                free(format!("LRN over {} channels", lrn.size), x.to_vec())
            }
            Self::MaxPool(pool) => free(format!("max-pool {}", words(pool)), pooled(pool, x)?),
            Self::AvgPool(pool) => free(format!("average-pool {}", words(pool)), pooled(pool, x)?),
            Self::GlobalAvgPool => {
                let [c, h, w] = map(x)?;
                free(format!("average over {h}x{w}"), vec![c])
            }
            Self::Linear { outputs, activation } => {
                let weights = x.iter().product::<usize>() * outputs;
                Facts {
                    operation: format!("linear{}", then(*activation)),
                    output: vec![*outputs],
                    parameters: weights + outputs,
                    multiply_adds: weights as u64,
                }
            }
            Self::Dropout(probability) => free(format!("dropout {probability}"), x.to_vec()),
            Self::Channels { from, count } => {
                let [c, h, w] = map(x)?;
                if from + count > c {
                    return Err(format!("channels {from} to {} of {c}", from + count));
                }
                free(format!("channels {from} to {}", from + count - 1), vec![*count, h, w])
            }
            Self::SignedSqrt => free("signed square root".into(), x.to_vec()),
            Self::RmsNorm => free("L2 norm to sqrt(d)".into(), x.to_vec()),
            Self::PlaceSoftmax => match *x {
                [1, h, w] => free(format!("softmax over {h}x{w}"), x.to_vec()),
                ref other => return Err(format!("expected a map of one channel, found {other:?}")),
            },
            Self::BatchNorm { .. }
            | Self::Concat
            | Self::Add
            | Self::WeightedPool
            | Self::CompactBilinear { .. } => {
                return Err("it reads more than one input".into());
            }
            Self::TemporalConv { .. }
            | Self::TemporalMaxPool(_)
            | Self::TemporalMean
            | Self::JoinMoments
            | Self::SumMoments => {
                return Err("it reads clips".into());
            }
        })
    }
}

/// Of feature maps of one size, clips of them, and vectors.
fn compact_bilinear(inputs: &[&Shape], size: usize, pooled: bool) -> Result<Facts, String> {
    let maps: Vec<&[usize]> = inputs.iter().map(|x| x.each.as_slice()).filter(|x| x.len() != 1).collect();
    let places = |x: &&[usize]| map(x).map(|[_, h, w]| [h, w]);
    let sizes = maps.iter().map(places).collect::<Result<Vec<_>, _>>()?;
    let Some(&[h, w]) = sizes.first() else { return Err("it reads one feature map at least".into()) };
    if sizes.iter().any(|&other| other != [h, w]) {
        return Err(format!("cannot fuse feature maps of different sizes: {maps:?}"));
    }
    if inputs.iter().any(|x| x.each.len() == 1 && x.moments.is_some()) {
        return Err("it reads vectors of one moment".into());
    }
    let factors: usize = inputs.iter().map(|x| x.moments.unwrap_or(1)).sum();
    let over = if pooled { format!(", average over {h}x{w}") } else { String::new() };
    let each = if pooled { vec![size] } else { vec![size, h, w] };
    Ok(Facts {
        operation: format!("compact bilinear, {factors} factors{over}"),
        output: Shape { each, moments: None },
        parameters: 0,
        multiply_adds: 0,
    })
}

/// A layer without parameters or products.
fn free(operation: String, output: Vec<usize>) -> Each {
    Facts { operation, output, parameters: 0, multiply_adds: 0 }
}

fn conv(
    [c, h, w]: [usize; 3],
    outputs: usize,
    window: Window,
    groups: usize,
    bias: bool,
    activation: Activation,
) -> Result<Each, String> {
    let Window { kernel, stride, padding } = window;
    if groups == 0 || !c.is_multiple_of(groups) || !outputs.is_multiple_of(groups) {
        return Err(format!("{groups} groups do not divide {c} input and {outputs} output channels"));
    }
    let op = ops::Conv2d { stride: [stride; 2], padding: [padding; 2], groups, relu: false };
    let [oh, ow] = op.output_size([h, w], [kernel; 2]).map_err(plain)?;
    let weights = outputs * (c / groups) * kernel * kernel;
    let grouped = if groups == 1 { String::new() } else { format!(", {groups} groups") };
    Ok(Facts {
        operation: format!(
            "conv {kernel}x{kernel} stride {stride} pad {padding}{grouped}{}",
            then(activation)
        ),
        output: vec![outputs, oh, ow],
        parameters: weights + if bias { outputs } else { 0 },
        multiply_adds: (weights * oh * ow) as u64,
    })
}

fn batch_norm(
    x: &[usize],
    residual: Option<&[usize]>,
    statistics: Statistics,
    activation: Activation,
) -> Result<Each, String> {
    let &[c, ..] = x else { return Err("expected channels, found nothing".into()) };
    if let Some(residual) = residual.filter(|residual| *residual != x) {
        return Err(format!("cannot add {residual:?} to {x:?}"));
    }
    let frozen = if statistics == Statistics::Running { "frozen " } else { "" };
    let added = if residual.is_some() { ", sum" } else { "" };
    Ok(Facts {
        operation: format!("{frozen}batch norm{added}{}", then(activation)),
        output: x.to_vec(),
        parameters: 2 * c,
        multiply_adds: 0,
    })
}

fn concat(inputs: &[&[usize]]) -> Result<Each, String> {
    let maps = inputs.iter().map(|x| map(x)).collect::<Result<Vec<_>, _>>()?;
    let &[[_, h, w], ..] = maps.as_slice() else { return Err("nothing to concatenate".into()) };
    if maps.iter().any(|&[_, oh, ow]| [oh, ow] != [h, w]) {
        return Err(format!("cannot concatenate feature maps of different sizes: {maps:?}"));
    }
    Ok(Facts {
        operation: "concat".into(),
        output: vec![maps.iter().map(|[c, ..]| c).sum(), h, w],
        parameters: 0,
        multiply_adds: 0,
    })
}

fn pooled(pool: &Pool2d, x: &[usize]) -> Result<Vec<usize>, String> {
    let [c, h, w] = map(x)?;
    let [oh, ow] = pool.output_size([h, w]).map_err(plain)?;
    Ok(vec![c, oh, ow])
}

fn map(x: &[usize]) -> Result<[usize; 3], String> {
    <[usize; 3]>::try_from(x).map_err(|_| format!("expected a feature map (C, H, W), found {x:?}"))
}

fn then(activation: Activation) -> &'static str {
    match activation {
        Activation::None => "",
        Activation::Relu => ", ReLU",
    }
}

/// The window of a pooling layer.
fn words(pool: &Pool2d) -> String {
    let padding = if pool.padding == [0, 0] { String::new() } else { format!(" pad {}", axis(pool.padding)) };
    let rounding = if pool.ceil_mode { ", rounding up" } else { "" };
    let [kh, kw] = pool.kernel;
    format!("{kh}x{kw} stride {}{padding}{rounding}", axis(pool.stride))
}

/// `2`, or `2x1` where the axes differ.
fn axis([a, b]: [usize; 2]) -> String {
    if a == b { a.to_string() } else { format!("{a}x{b}") }
}

/// The message of an error without the stack trace that Candle may append.
fn plain(error: impl Into<nn::Error>) -> String {
    match error.into() {
        nn::Error::Tensor(candle_core::Error::WithBacktrace { inner, .. }) => inner.to_string(),
        error => error.to_string(),
    }
}
