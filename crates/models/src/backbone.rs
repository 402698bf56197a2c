//! A graph with its parameters: a network of one input.

use std::sync::Arc;

use candle_core::Tensor;
use nn::{
    BatchNorm, BatchNormConfig, Builder, Conv2d, Conv2dConfig, Dropout, Linear, Pass,
    ops::{self, Lrn, Pool2d},
};

use crate::graph::Graph;
use crate::layer::Layer;
use crate::{Error, Head, Inputs, Modality, Network, Outputs, Result};

/// Added to the variance by batch normalisation; the released models of all networks
/// here use it.
const EPSILON: f64 = 1e-5;

/// Share of a new batch in the running statistics; likewise.
const MOMENTUM: f64 = 0.1;

/// Any of the single networks, made by its configuration's `build`.
#[derive(Debug)]
pub struct Backbone {
    model: &'static str,
    modality: Modality,
    input: [usize; 3],
    steps: Vec<Step>,
    features: Option<usize>,
    /// The values that are classifiers' outputs.
    heads: Vec<usize>,
}

/// A layer with its parameters, in its place. Values are numbered as in the graph.
#[derive(Debug)]
struct Step {
    name: String,
    layer: Arc<Built>,
    inputs: Vec<usize>,
    /// Values that no later step reads.
    finished: Vec<usize>,
}

impl Backbone {
    /// Makes the parameters, named after their layers.
    ///
    /// # Errors
    /// If a parameter cannot be made.
    pub(crate) fn new(graph: &Graph, builder: &Builder) -> Result<Self> {
        let rows = graph.nodes.iter().map(|node| node.row.output.as_slice());
        let shapes: Vec<&[usize]> = std::iter::once(graph.input.as_slice()).chain(rows).collect();
        let mut steps: Vec<Step> = Vec::new();
        for node in &graph.nodes {
            let inputs: Vec<usize> = node.inputs.iter().map(|value| value.index()).collect();
            let layer = match node.shares {
                Some(first) => Arc::clone(&steps[first].layer),
                None => Arc::new(Built::new(&node.layer, shapes[inputs[0]], &builder.pp(&node.row.name))?),
            };
            steps.push(Step { name: node.row.name.clone(), layer, inputs, finished: Vec::new() });
        }
        for value in 0..=steps.len() {
            if let Some(last) = steps.iter_mut().rev().find(|step| step.inputs.contains(&value)) {
                last.finished.push(value);
            }
        }
        let features = graph.features.map(|value| value.index());
        let heads = match &graph.heads[..] {
            [] => vec![steps.len()],
            heads => heads.iter().map(|value| value.index()).collect(),
        };
        Ok(Self { model: graph.model, modality: graph.modality, input: graph.input, steps, features, heads })
    }

    /// Runs a batch (B, 1, C, H, W) through. `visit` sees every layer's name and output,
    /// feature maps as (B, H, W, C).
    ///
    /// # Errors
    /// If the input has another shape than the configuration says.
    pub fn trace(&self, inputs: &Inputs, pass: &Pass, visit: impl FnMut(&str, &Tensor)) -> Result<Outputs> {
        let [channels, height, width] = self.input;
        let refused = |found: String| Error::Input {
            model: self.model,
            expected: format!("`{}` of shape (B, 1, {channels}, {height}, {width})", self.modality.name()),
            found,
        };
        let input = inputs.get(self.modality).ok_or_else(|| refused("none".into()))?;
        match *input.dims() {
            [batch, 1, c, h, w] if [c, h, w] == self.input => {
                let x = input.reshape((batch, c, h, w))?;
                self.run(&pass.apply(ops::ToChannelsLast, &[&x])?, pass, visit)
            }
            ref other => Err(refused(format!("{other:?}"))),
        }
    }

    /// Runs the steps on (B, H, W, C).
    fn run(&self, x: &Tensor, pass: &Pass, mut visit: impl FnMut(&str, &Tensor)) -> Result<Outputs> {
        let mut values: Vec<Option<Tensor>> = vec![Some(x.clone())];
        let (mut features, mut heads) = (None, Vec::new());
        for step in &self.steps {
            let inputs: Vec<&Tensor> =
                step.inputs.iter().filter_map(|&value| values[value].as_ref()).collect();
            let output = step.layer.forward(&inputs, pass)?;
            visit(&step.name, &output);
            if self.features == Some(values.len()) {
                features = Some(output.clone());
            }
            if self.heads.contains(&values.len()) {
                // A single one is `main`, whatever its layer is called.
                let name = if self.heads.len() == 1 { "main" } else { &step.name };
                heads.push(Head { name: name.into(), logits: output.clone() });
            }
            values.push(Some(output));
            for &value in &step.finished {
                values[value] = None;
            }
        }
        Ok(Outputs { heads, features })
    }
}

impl Network for Backbone {
    fn reads(&self) -> &[Modality] {
        std::slice::from_ref(&self.modality)
    }

    fn forward(&self, inputs: &Inputs, pass: &Pass) -> Result<Outputs> {
        self.trace(inputs, pass, |_, _| ())
    }
}

/// A layer with its parameters.
#[derive(Debug)]
enum Built {
    Conv(Conv2d),
    BatchNorm(BatchNorm),
    Lrn(Lrn),
    MaxPool(Pool2d),
    AvgPool(Pool2d),
    GlobalAvgPool,
    Concat,
    Channels { from: usize, count: usize },
    Linear(Linear),
    Dropout(Dropout),
}

impl Built {
    fn new(layer: &Layer, input: &[usize], builder: &Builder) -> Result<Self> {
        Ok(match *layer {
            Layer::Conv { outputs, window, groups, bias, activation } => {
                let config = Conv2dConfig {
                    inputs: input[0],
                    outputs,
                    kernel: [window.kernel; 2],
                    stride: [window.stride; 2],
                    padding: [window.padding; 2],
                    groups,
                    bias,
                    activation,
                };
                Self::Conv(Conv2d::new(builder, &config)?)
            }
            Layer::BatchNorm { statistics, activation } => {
                let config = BatchNormConfig { epsilon: EPSILON, momentum: MOMENTUM, statistics, activation };
                Self::BatchNorm(BatchNorm::new(builder, input[0], &config)?)
            }
            Layer::Lrn(lrn) => Self::Lrn(lrn),
            Layer::MaxPool(pool) => Self::MaxPool(pool),
            Layer::AvgPool(pool) => Self::AvgPool(pool),
            Layer::GlobalAvgPool => Self::GlobalAvgPool,
            Layer::Concat => Self::Concat,
            Layer::Channels { from, count } => Self::Channels { from, count },
            Layer::Linear { outputs, activation } => {
                Self::Linear(Linear::new(builder, input.iter().product(), outputs, activation)?)
            }
            Layer::Dropout(probability) => Self::Dropout(Dropout::new(builder.prefix(), probability)?),
        })
    }

    /// The graph has checked how many inputs there are.
    fn forward(&self, inputs: &[&Tensor], pass: &Pass) -> Result<Tensor> {
        let x = inputs[0];
        Ok(match self {
            Self::Conv(conv) => conv.forward(x, pass)?,
            Self::BatchNorm(norm) => norm.forward(x, inputs.get(1).copied(), pass)?,
            Self::Lrn(lrn) => pass.apply(ops::LocalResponseNorm(*lrn), inputs)?,
            Self::MaxPool(pool) => pass.apply(ops::MaxPool2d::new(*pool), inputs)?,
            Self::AvgPool(pool) => pass.apply(ops::AvgPool2d { pool: *pool, count_padding: true }, inputs)?,
            Self::GlobalAvgPool => pass.apply(ops::GlobalAvgPool, inputs)?,
            Self::Concat => pass.apply(ops::Concat, inputs)?,
            // Of the network's input, which has no gradient, so that nothing need be recorded.
            Self::Channels { from, count } => x.narrow(3, *from, *count)?.contiguous()?,
            Self::Linear(linear) if x.rank() == 2 => linear.forward(x, pass)?,
            Self::Linear(linear) => {
                // The weights are in the order (C, H, W).
                let map = pass.apply(ops::ToChannelsFirst, inputs)?;
                let (batch, features) = (map.dim(0)?, map.elem_count() / map.dim(0)?.max(1));
                linear.forward(&pass.reshape(&map, (batch, features))?, pass)?
            }
            Self::Dropout(dropout) => dropout.forward(x, pass)?,
        })
    }
}
