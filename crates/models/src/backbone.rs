//! A graph with its parameters: an executable network.

use std::sync::Arc;

use base::Modality;
use candle_core::Tensor;
use nn::{Builder, Pass, ops};

use crate::graph::{Graph, HeadAt, Port};
use crate::layer::{Forward, Shape};
use crate::{Error, Head, Inputs, Network, Outputs, Result};

/// The network of any architecture.
pub struct Backbone {
    model: &'static str,
    ports: Vec<Port>,
    reads: Vec<Modality>,
    steps: Vec<Step>,
    features: Option<usize>,
    attention: Option<usize>,
    heads: Vec<Classifier>,
}

/// Output of a classifier, with its name and task.
#[derive(Debug)]
struct Classifier {
    value: usize,
    name: String,
    task: usize,
}

/// A layer with its parameters and inputs. Values are numbered as in the graph.
struct Step {
    name: String,
    layer: Arc<Forward>,
    inputs: Vec<usize>,
    /// Values that no later step reads.
    finished: Vec<usize>,
}

impl Backbone {
    /// Makes a network with new parameters, named after their layers.
    ///
    /// # Errors
    /// If a parameter cannot be made.
    pub fn new(graph: &Graph, builder: &Builder) -> Result<Self> {
        let mut steps: Vec<Step> = Vec::new();
        for node in &graph.nodes {
            let inputs: Vec<usize> = node.inputs.iter().map(|value| value.index()).collect();
            let layer = match node.shares {
                Some(first) => Arc::clone(&steps[first].layer),
                None => {
                    let shapes: Vec<&Shape> = node.inputs.iter().map(|&input| graph.shape(input)).collect();
                    Arc::from(node.layer.build(&shapes, &builder.pp(&node.row.name))?)
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
            // A single head is `main`, regardless of its layer's name.
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

    /// Runs a batch (B, T, C, H, W) through the network; T is 1 except for networks of clips. `visit` is called with every
    /// layer's name and output: feature maps as (B, H, W, C), those of clips as (B T, H, W, C).
    ///
    /// # Errors
    /// If an input is missing or its shape differs from the configuration.
    pub fn trace(&self, inputs: &Inputs, pass: &Pass, visit: impl FnMut(&str, &Tensor)) -> Result<Outputs> {
        let mut values = Vec::with_capacity(self.ports.len() + self.steps.len());
        // Number of samples, and number of time steps for inputs of any length.
        let mut first: Option<(usize, Option<usize>)> = None;
        for port in &self.ports {
            let refused = |found: String| Error::Input { model: self.model, expected: expected(port), found };
            let input = inputs.get(port.modality).ok_or_else(|| refused("none".into()))?;
            let fits = |each: &[usize], time_steps: usize| {
                each == port.shape.each
                    && (port.any_length || time_steps == port.shape.time_steps.unwrap_or(1))
            };
            match *input.dims() {
                [batch, time_steps, ref each @ ..] if fits(each, time_steps) => {
                    let own = (batch, port.any_length.then_some(time_steps));
                    let others = *first.get_or_insert(own);
                    if others != own {
                        let found = format!(
                            "{batch} clips of {time_steps} time steps and {} clips of {} time steps",
                            others.0,
                            others.1.unwrap_or(time_steps)
                        );
                        return Err(refused(found));
                    }
                    let [c, h, w] = [each[0], each[1], each[2]];
                    let x = input.reshape((batch * time_steps, c, h, w))?;
                    values.push(Some(pass.apply(ops::ToChannelsLast, &[&x])?));
                }
                ref other => return Err(refused(format!("{other:?}"))),
            }
        }
        let batch = first.map_or(0, |(batch, _)| batch);
        self.run(values, batch, pass, visit)
    }

    /// Runs all steps on inputs (B T, H, W, C).
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
            let output = (step.layer)(&inputs, batch, pass)?;
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

/// Describes the expected shape of an input.
fn expected(port: &Port) -> String {
    let each: Vec<String> = port.shape.each.iter().map(usize::to_string).collect();
    let time_steps = match port.shape.time_steps {
        Some(_) if port.any_length => "T".to_owned(),
        time_steps => time_steps.unwrap_or(1).to_string(),
    };
    format!("`{}` of shape (B, {time_steps}, {})", port.modality.name(), each.join(", "))
}

impl Network for Backbone {
    fn reads(&self) -> &[Modality] {
        &self.reads
    }

    fn forward(&self, inputs: &Inputs, pass: &Pass) -> Result<Outputs> {
        self.trace(inputs, pass, |_, _| ())
    }
}
