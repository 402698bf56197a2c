//! A chain of layers written as a list, from which come the network and its summary.
//!
//! Both walk the same list, so the summary cannot disagree with what runs.

use candle_core::Tensor;
use nn::{Activation, Builder, Conv2d, Conv2dConfig, Dropout, Linear, Lrn, Pass, Pool2d};

use crate::summary::Row;
use crate::{Error, Result};

/// One layer of the list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Layer {
    /// Convolution and rectification.
    ConvRelu {
        name: &'static str,
        outputs: usize,
        kernel: [usize; 2],
        stride: [usize; 2],
        padding: [usize; 2],
    },
    /// Local response normalisation.
    Lrn { name: &'static str, lrn: Lrn },
    /// Maximum pooling.
    MaxPool { name: &'static str, pool: Pool2d },
    /// Fully connected layer and rectification; a feature map is flattened first.
    LinearRelu { name: &'static str, outputs: usize },
    /// Dropout.
    Dropout { name: &'static str, probability: f64 },
    /// Fully connected layer that ends in logits.
    Classifier { name: &'static str, outputs: usize },
}

impl Layer {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::ConvRelu { name, .. }
            | Self::Lrn { name, .. }
            | Self::MaxPool { name, .. }
            | Self::LinearRelu { name, .. }
            | Self::Dropout { name, .. }
            | Self::Classifier { name, .. } => name,
        }
    }

    /// The layer's row of the summary, for the given input shape.
    fn row(&self, model: &'static str, input: &[usize]) -> Result<Row> {
        let problem = |problem: String| Error::Shape { model, layer: self.name().to_owned(), problem };
        let map = || match *input {
            [c, h, w] => Ok([c, h, w]),
            _ => Err(problem(format!("expected a feature map (C, H, W), found {input:?}"))),
        };
        let (operation, output, parameters, multiply_adds) = match self {
            Self::ConvRelu { outputs, kernel, stride, padding, .. } => {
                let [c, h, w] = map()?;
                let conv = nn::ConvWindow { stride: *stride, padding: *padding };
                let size = conv.output_size([h, w], *kernel);
                let [oh, ow] = size.map_err(|error| problem(plain(error)))?;
                let weights = outputs * c * kernel[0] * kernel[1];
                (
                    format!(
                        "conv {} stride {} pad {}, ReLU",
                        pair(*kernel, "x"),
                        axis(*stride),
                        axis(*padding)
                    ),
                    vec![*outputs, oh, ow],
                    weights + outputs,
                    (weights * oh * ow) as u64,
                )
            }
            Self::Lrn { lrn, .. } => {
                map()?;
                (format!("LRN over {} channels", lrn.size), input.to_vec(), 0, 0)
            }
            Self::MaxPool { pool, .. } => {
                let [c, h, w] = map()?;
                let size = pool.output_size([h, w]);
                let [oh, ow] = size.map_err(|error| problem(plain(error)))?;
                let rounding = if pool.ceil_mode { ", rounding up" } else { "" };
                (
                    format!("max-pool {} stride {}{rounding}", pair(pool.kernel, "x"), axis(pool.stride)),
                    vec![c, oh, ow],
                    0,
                    0,
                )
            }
            Self::LinearRelu { outputs, .. } | Self::Classifier { outputs, .. } => {
                let weights = input.iter().product::<usize>() * outputs;
                let then = if matches!(self, Self::LinearRelu { .. }) { ", ReLU" } else { "" };
                (format!("linear{then}"), vec![*outputs], weights + outputs, weights as u64)
            }
            Self::Dropout { probability, .. } => (format!("dropout {probability}"), input.to_vec(), 0, 0),
        };
        if output.contains(&0) {
            return Err(problem(format!("its output would be empty: {output:?}")));
        }
        Ok(Row { name: self.name().to_owned(), operation, output, parameters, multiply_adds })
    }
}

/// The rows of a list of layers, for one sample of the given shape.
pub(crate) fn rows(model: &'static str, input: &[usize], layers: &[Layer]) -> Result<Vec<Row>> {
    let mut shape = input.to_vec();
    let mut rows = Vec::new();
    for layer in layers {
        let row = layer.row(model, &shape)?;
        shape.clone_from(&row.output);
        rows.push(row);
    }
    Ok(rows)
}

/// A layer with its parameters.
#[derive(Debug)]
enum Built {
    Conv(Conv2d),
    Lrn(Lrn),
    MaxPool(Pool2d),
    Linear(Linear),
    Dropout(Dropout),
}

/// Layers run one after another.
#[derive(Debug)]
pub(crate) struct Sequential {
    layers: Vec<(&'static str, Built)>,
}

impl Sequential {
    /// Makes the parameters of the list, for samples of the given shape.
    pub(crate) fn new(
        model: &'static str,
        input: &[usize],
        layers: &[Layer],
        builder: &Builder,
    ) -> Result<Self> {
        let mut shape = input.to_vec();
        let mut built = Vec::new();
        for (layer, row) in layers.iter().zip(rows(model, input, layers)?) {
            built.push((layer.name(), build(layer, &shape, builder)?));
            shape = row.output;
        }
        Ok(Self { layers: built })
    }

    /// Runs a batch through; `visit` sees every layer's name and output.
    pub(crate) fn forward(
        &self,
        x: &Tensor,
        pass: &Pass,
        mut visit: impl FnMut(&'static str, &Tensor),
    ) -> Result<Tensor> {
        let mut x = x.clone();
        for (name, layer) in &self.layers {
            x = match layer {
                Built::Conv(conv) => conv.forward(&x, pass)?,
                Built::Lrn(lrn) => nn::local_response_norm(&x, lrn)?,
                Built::MaxPool(pool) => nn::max_pool2d(&x, pool)?,
                Built::Linear(linear) if x.rank() == 2 => linear.forward(&x, pass)?,
                Built::Linear(linear) => linear.forward(&x.flatten_from(1)?, pass)?,
                Built::Dropout(dropout) => dropout.forward(&x, pass)?,
            };
            visit(name, &x);
        }
        Ok(x)
    }
}

fn build(layer: &Layer, input: &[usize], builder: &Builder) -> Result<Built> {
    let builder = builder.pp(layer.name());
    let features = input.iter().product();
    Ok(match *layer {
        Layer::ConvRelu { outputs, kernel, stride, padding, .. } => {
            let config = Conv2dConfig {
                inputs: input[0],
                outputs,
                kernel,
                stride,
                padding,
                activation: Activation::Relu,
            };
            Built::Conv(Conv2d::new(&builder, &config)?)
        }
        Layer::Lrn { lrn, .. } => Built::Lrn(lrn),
        Layer::MaxPool { pool, .. } => Built::MaxPool(pool),
        Layer::LinearRelu { outputs, .. } => {
            Built::Linear(Linear::new(&builder, features, outputs, Activation::Relu)?)
        }
        Layer::Classifier { outputs, .. } => {
            Built::Linear(Linear::new(&builder, features, outputs, Activation::None)?)
        }
        Layer::Dropout { probability, .. } => Built::Dropout(Dropout::new(builder.prefix(), probability)?),
    })
}

/// `7x5`.
fn pair([a, b]: [usize; 2], between: &str) -> String {
    format!("{a}{between}{b}")
}

/// `2`, or `2x1` where the axes differ.
fn axis(both: [usize; 2]) -> String {
    if both[0] == both[1] { both[0].to_string() } else { pair(both, "x") }
}

/// The message of an error without the stack trace that Candle may append.
fn plain(error: candle_core::Error) -> String {
    match error {
        candle_core::Error::WithBacktrace { inner, .. } => inner.to_string(),
        error => error.to_string(),
    }
}
