//! A graph with its parameters: a network that runs.

use std::sync::Arc;

use candle_core::Tensor;
use nn::{
    BatchNorm, BatchNormConfig, BilinearInput, Builder, CompactBilinear, Conv2d, Conv2dConfig, Dropout,
    Linear, Pass, TemporalConv,
    ops::{self, Lrn, Pool2d},
};

use crate::graph::{Graph, HeadAt, Port, Shape};
use crate::layer::{Layer, TemporalPool};
use crate::{Error, Head, Inputs, Modality, Network, Outputs, Result};

/// Added to the variance by batch normalisation; the released models of all networks
/// here use it.
const EPSILON: f64 = 1e-5;

/// Added under the signed square root, whose slope at zero is then 16 and not infinite.
const ROOT_EPSILON: f32 = 1e-3;

/// Share of a new batch in the running statistics; likewise.
const MOMENTUM: f64 = 0.1;

/// Any of the single networks, made by its configuration's `build`.
#[derive(Debug)]
pub struct Backbone {
    model: &'static str,
    ports: Vec<Port>,
    reads: Vec<Modality>,
    steps: Vec<Step>,
    features: Option<usize>,
    attention: Option<usize>,
    heads: Vec<Classifier>,
}

/// A classifier's output: the value, and what it is an answer to.
#[derive(Debug)]
struct Classifier {
    value: usize,
    name: String,
    task: usize,
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
        let mut steps: Vec<Step> = Vec::new();
        for node in &graph.nodes {
            let inputs: Vec<usize> = node.inputs.iter().map(|value| value.index()).collect();
            let layer = match node.shares {
                Some(first) => Arc::clone(&steps[first].layer),
                None => {
                    let shapes: Vec<&Shape> = node.inputs.iter().map(|&input| graph.shape(input)).collect();
                    Arc::new(Built::new(&node.layer, &shapes, &builder.pp(&node.row.name))?)
                }
            };
            steps.push(Step { name: node.row.name.clone(), layer, inputs, finished: Vec::new() });
        }
        let ports = graph.ports.len();
        for value in 0..ports + steps.len() {
            if let Some(last) = steps.iter_mut().rev().find(|step| step.inputs.contains(&value)) {
                last.finished.push(value);
            }
        }
        let features = graph.features.map(|value| value.index());
        let attention = graph.attention.map(|value| value.index());
        let heads = match &graph.heads[..] {
            // A single one is `main`, whatever its layer is called.
            [] => vec![Classifier { value: ports + steps.len() - 1, name: "main".into(), task: 0 }],
            [head] => vec![Classifier { value: head.logits.index(), name: "main".into(), task: head.task }],
            heads => {
                let named = |head: &HeadAt| {
                    let value = head.logits.index();
                    Classifier { value, name: steps[value - ports].name.clone(), task: head.task }
                };
                heads.iter().map(named).collect()
            }
        };
        let reads = graph.ports.iter().map(|port| port.modality).collect();
        Ok(Self { model: graph.model, ports: graph.ports.clone(), reads, steps, features, attention, heads })
    }

    /// Runs a batch (B, T, C, H, W) through; T is 1 but for networks of clips. `visit` sees every layer's name and
    /// output, feature maps as (B, H, W, C), those of clips as (B T, H, W, C).
    ///
    /// # Errors
    /// If an input is missing or has another shape than the configuration says.
    pub fn trace(&self, inputs: &Inputs, pass: &Pass, visit: impl FnMut(&str, &Tensor)) -> Result<Outputs> {
        let mut values = Vec::with_capacity(self.ports.len() + self.steps.len());
        // Samples, and of inputs that may have any length their moments.
        let mut first: Option<(usize, Option<usize>)> = None;
        for port in &self.ports {
            let refused = |found: String| Error::Input { model: self.model, expected: expected(port), found };
            let input = inputs.get(port.modality).ok_or_else(|| refused("none".into()))?;
            let fits = |each: &[usize], moments: usize| {
                each == port.shape.each && (port.any_length || moments == port.shape.moments.unwrap_or(1))
            };
            match *input.dims() {
                [batch, moments, ref each @ ..] if fits(each, moments) => {
                    let own = (batch, port.any_length.then_some(moments));
                    let others = *first.get_or_insert(own);
                    if others != own {
                        let found = format!(
                            "{batch} clips of {moments} moments beside {} clips of {} moments",
                            others.0,
                            others.1.unwrap_or(moments)
                        );
                        return Err(refused(found));
                    }
                    let [c, h, w] = [each[0], each[1], each[2]];
                    let x = input.reshape((batch * moments, c, h, w))?;
                    values.push(Some(pass.apply(ops::ToChannelsLast, &[&x])?));
                }
                ref other => return Err(refused(format!("{other:?}"))),
            }
        }
        let batch = first.map_or(0, |(batch, _)| batch);
        self.run(values, batch, pass, visit)
    }

    /// Runs the steps on inputs (B T, H, W, C).
    fn run(
        &self,
        mut values: Vec<Option<Tensor>>,
        batch: usize,
        pass: &Pass,
        mut visit: impl FnMut(&str, &Tensor),
    ) -> Result<Outputs> {
        let (mut features, mut attention, mut heads) = (None, None, Vec::new());
        for step in &self.steps {
            let inputs: Vec<&Tensor> =
                step.inputs.iter().filter_map(|&value| values[value].as_ref()).collect();
            let output = step.layer.forward(&inputs, batch, pass)?;
            visit(&step.name, &output);
            if self.features == Some(values.len()) {
                features = Some(output.clone());
            }
            if self.attention == Some(values.len()) {
                attention = Some(output.squeeze(3)?);
            }
            if let Some(head) = self.heads.iter().find(|head| head.value == values.len()) {
                heads.push(Head { name: head.name.clone(), logits: output.clone(), task: head.task });
            }
            values.push(Some(output));
            for &value in &step.finished {
                values[value] = None;
            }
        }
        Ok(Outputs { heads, features, attention })
    }
}

/// What is expected of an input, in words.
fn expected(port: &Port) -> String {
    let each: Vec<String> = port.shape.each.iter().map(usize::to_string).collect();
    let moments = match port.shape.moments {
        Some(_) if port.any_length => "T".to_owned(),
        moments => moments.unwrap_or(1).to_string(),
    };
    format!("`{}` of shape (B, {moments}, {})", port.modality.name(), each.join(", "))
}

impl Network for Backbone {
    fn reads(&self) -> &[Modality] {
        &self.reads
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
    Add,
    Channels { from: usize, count: usize },
    Linear(Linear),
    Dropout(Dropout),
    TemporalConv(TemporalConv),
    TemporalMaxPool(TemporalPool),
    TemporalMean,
    JoinMoments,
    SumMoments,
    CompactBilinear(CompactBilinear),
    SignedSqrt,
    RmsNorm,
    PlaceSoftmax,
    WeightedPool,
}

impl Built {
    /// For inputs of these shapes.
    fn new(layer: &Layer, shapes: &[&Shape], builder: &Builder) -> Result<Self> {
        let input = &shapes[0].each;
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
            Layer::Add => Self::Add,
            Layer::Channels { from, count } => Self::Channels { from, count },
            Layer::Linear { outputs, activation } => {
                Self::Linear(Linear::new(builder, input.iter().product(), outputs, activation)?)
            }
            Layer::Dropout(probability) => Self::Dropout(Dropout::new(builder.prefix(), probability)?),
            Layer::TemporalConv { outputs, kernel } => {
                Self::TemporalConv(TemporalConv::new(builder, input[0], outputs, kernel)?)
            }
            Layer::TemporalMaxPool(pool) => Self::TemporalMaxPool(pool),
            Layer::TemporalMean => Self::TemporalMean,
            Layer::JoinMoments => Self::JoinMoments,
            Layer::SumMoments => Self::SumMoments,
            Layer::CompactBilinear { size, pooled } => {
                let inputs: Vec<BilinearInput> = shapes
                    .iter()
                    .map(|shape| BilinearInput {
                        channels: shape.each[0],
                        moments: shape.moments.unwrap_or(1),
                    })
                    .collect();
                Self::CompactBilinear(CompactBilinear::new(builder, &inputs, size, pooled)?)
            }
            Layer::SignedSqrt => Self::SignedSqrt,
            Layer::RmsNorm => Self::RmsNorm,
            Layer::PlaceSoftmax => Self::PlaceSoftmax,
            Layer::WeightedPool => Self::WeightedPool,
        })
    }

    /// Of a batch of so many samples. The graph has checked how many inputs there are.
    fn forward(&self, inputs: &[&Tensor], batch: usize, pass: &Pass) -> Result<Tensor> {
        let x = inputs[0];
        let moments = || -> Result<usize> { Ok(x.dim(0)? / batch.max(1)) };
        Ok(match self {
            Self::Conv(conv) => conv.forward(x, pass)?,
            Self::BatchNorm(norm) => norm.forward(x, inputs.get(1).copied(), pass)?,
            Self::Lrn(lrn) => pass.apply(ops::LocalResponseNorm(*lrn), inputs)?,
            Self::MaxPool(pool) => pass.apply(ops::MaxPool2d::new(*pool), inputs)?,
            Self::AvgPool(pool) => pass.apply(ops::AvgPool2d { pool: *pool, count_padding: true }, inputs)?,
            Self::GlobalAvgPool => pass.apply(ops::GlobalAvgPool, inputs)?,
            Self::Concat => pass.apply(ops::Concat, inputs)?,
            Self::Add => pass.apply(ops::Add { relu: false }, inputs)?,
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
            Self::TemporalConv(conv) => conv.forward(x, moments()?, pass)?,
            Self::TemporalMaxPool(TemporalPool { kernel, stride }) => {
                nn::max_over_time(x, moments()?, [*kernel, *stride], pass)?
            }
            Self::TemporalMean => nn::mean_over_time(x, moments()?, pass)?,
            Self::JoinMoments => pass.apply(ops::JoinMoments { moments: moments()? }, inputs)?,
            Self::SumMoments => pass.apply(ops::SumMoments { moments: moments()? }, inputs)?,
            Self::CompactBilinear(fusion) => fusion.forward(inputs, pass)?,
            Self::SignedSqrt => pass.apply(ops::SignedSqrt { epsilon: ROOT_EPSILON }, inputs)?,
            Self::RmsNorm => pass.apply(ops::RmsNorm { epsilon: EPSILON }, inputs)?,
            Self::PlaceSoftmax => pass.apply(ops::PlaceSoftmax, inputs)?,
            Self::WeightedPool => pass.apply(ops::WeightedPool, inputs)?,
        })
    }
}
