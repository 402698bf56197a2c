//! An architecture as a list of layers, each with the layers that it reads.
//!
//! From the list come both the network ([`crate::Backbone`]) and its [`Summary`], so the
//! summary cannot disagree with what runs. A chain, a residual block and an inception
//! block differ only in what their layers read.

use base::Modality;
use nn::Activation;

use crate::layer::{Layer, MOST_VALUES, Shape};
use crate::summary::Row;
use crate::{Channels, Error, Result, Summary};

/// The most layers of a network. Each block of the deepest has ten.
const MOST_LAYERS: usize = 50_000;

/// The input of a graph, or the output of one of its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value(usize);

impl Value {
    /// Position among the graph's values: first the inputs, then the layers' outputs.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// One of the inputs of a network.
#[derive(Debug, Clone)]
pub struct Port {
    /// What it holds.
    pub modality: Modality,
    /// Of one sample.
    pub shape: Shape,
    /// Whether clips may have another number of time steps than the shape says.
    pub any_length: bool,
}

impl Port {
    /// For one time step of a picture of that height and width.
    pub fn one(channels: Channels, size: [usize; 2]) -> Self {
        let [height, width] = size;
        let shape = Shape { each: vec![channels.count, height, width], time_steps: None };
        Self { modality: channels.modality, shape, any_length: false }
    }

    /// For so many time steps of such a picture.
    pub fn clip(channels: Channels, size: [usize; 2], time_steps: usize) -> Self {
        let Self { modality, shape, any_length } = Self::one(channels, size);
        Self { modality, shape: Shape { time_steps: Some(time_steps), ..shape }, any_length }
    }
}

/// One layer in its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) layer: Layer,
    pub(crate) inputs: Vec<Value>,
    pub(crate) shape: Shape,
    pub(crate) row: Row,
    /// The node whose parameters it uses, unless it has its own.
    pub(crate) shares: Option<usize>,
}

/// A classifier's output, and the task that it is for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadAt {
    pub(crate) logits: Value,
    pub(crate) task: usize,
}

/// The layers of a network, in the order in which they run.
#[derive(Debug)]
pub struct Graph {
    pub(crate) model: &'static str,
    title: String,
    pub(crate) ports: Vec<Port>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) features: Option<Value>,
    /// The weights of the spatial positions.
    pub(crate) attention: Option<Value>,
    /// The classifiers' outputs.
    pub(crate) heads: Vec<HeadAt>,
}

impl Graph {
    /// No layers yet, for a network that reads one picture of that height and width. `model` is the architecture's name
    /// for messages.
    pub fn new(model: &'static str, title: impl Into<String>, channels: Channels, size: [usize; 2]) -> Self {
        Self::of_ports(model, title, vec![Port::one(channels, size)])
    }

    /// No layers yet, for a network with these inputs.
    pub fn of_ports(model: &'static str, title: impl Into<String>, ports: Vec<Port>) -> Self {
        let title = format!("{model}, {}", title.into());
        Self { model, title, ports, nodes: Vec::new(), features: None, attention: None, heads: Vec::new() }
    }

    /// What the first layer reads; of several inputs, the first.
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// The input of that kind.
    ///
    /// # Errors
    /// If there is none.
    pub fn input_of(&self, modality: Modality) -> Result<Value> {
        let at = self.ports.iter().position(|port| port.modality == modality);
        at.map(Value).ok_or_else(|| self.refused(modality.to_string(), "there is no such input".into()))
    }

    /// The node that makes a value, unless it is an input.
    fn node(&self, value: Value) -> Option<usize> {
        value.0.checked_sub(self.ports.len())
    }

    /// Adds a layer that reads the given values.
    ///
    /// # Errors
    /// If the layer does not fit the shapes of its inputs.
    pub fn add(&mut self, name: impl Into<String>, layer: Layer, inputs: &[Value]) -> Result<Value> {
        self.push(name.into(), layer, inputs, None)
    }

    /// Adds a layer with the parameters of one that is there already, the one that made `first`: a network that
    /// sees several time steps looks at each with the same filters.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn add_again(&mut self, name: impl Into<String>, first: Value, inputs: &[Value]) -> Result<Value> {
        let name = name.into();
        let Some(node) = self.node(first) else {
            return Err(self.refused(name, "the input has no parameters to share".into()));
        };
        let layer = self.nodes[node].layer.clone();
        self.push(name, layer, inputs, Some(node))
    }

    fn push(&mut self, name: String, layer: Layer, inputs: &[Value], shares: Option<usize>) -> Result<Value> {
        if layer.reads_only_the_input() && inputs.iter().any(|&value| self.node(value).is_some()) {
            return Err(self.refused(name, "it reads the network's input only".into()));
        }
        if self.nodes.len() == MOST_LAYERS {
            return Err(self.refused(name, format!("it would be the layer after the {MOST_LAYERS}th")));
        }
        let shapes: Vec<&Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        if let Some(large) = shapes.iter().find(|shape| shape.values() > MOST_VALUES) {
            let problem = format!("its input would be of more than {MOST_VALUES} values: {:?}", large.dims());
            return Err(self.refused(name, problem));
        }
        let mut facts = layer.facts(&shapes).map_err(|problem| self.refused(name.clone(), problem))?;
        if let Some(node) = shares {
            let first = &self.nodes[node].row;
            if first.parameters != facts.parameters {
                let problem = format!("its weights are not of the shape of those of {}", first.name);
                return Err(self.refused(name, problem));
            }
            facts.parameters = 0;
            facts.operation.push_str(&format!(", weights of {}", first.name));
        }
        let operation = facts.operation + &self.reads(&name, inputs);
        let row = Row {
            name,
            operation,
            output: facts.output.dims(),
            parameters: facts.parameters,
            multiply_adds: facts.multiply_adds,
        };
        self.nodes.push(Node { layer, inputs: inputs.to_vec(), shape: facts.output, row, shares });
        Ok(self.last())
    }

    /// The value of the layer that was added last.
    fn last(&self) -> Value {
        Value(self.ports.len() + self.nodes.len() - 1)
    }

    /// Adds layers that each read the one before, the first of them `x`.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn chain<N: Into<String>>(
        &mut self,
        x: Value,
        layers: impl IntoIterator<Item = (N, Layer)>,
    ) -> Result<Value> {
        layers.into_iter().try_fold(x, |x, (name, layer)| self.add(name, layer, &[x]))
    }

    /// Adds a classifier, after dropout of what it reads; of both the name, then the probability or the classes.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub fn classify(
        &mut self,
        features: Value,
        (dropout, probability): (&str, f64),
        (name, classes): (&str, usize),
    ) -> Result<Value> {
        let classifier = Layer::linear(classes, Activation::None);
        self.chain(features, [(dropout, Layer::dropout(probability)), (name, classifier)])
    }

    fn refused(&self, layer: String, problem: String) -> Error {
        Error::Shape { model: self.model, layer, problem }
    }

    /// Names the output of a classifier for a task; the first that is named is the main one. Without any, the last
    /// layer is the one classifier.
    pub fn add_head(&mut self, logits: Value, task: usize) {
        self.heads.push(HeadAt { logits, task });
    }

    /// Names the value that the classifier reads, before dropout.
    pub fn set_features(&mut self, features: Value) {
        self.features = Some(features);
    }

    /// Names the value that holds the weights of the spatial positions.
    pub fn set_attention(&mut self, weights: Value) {
        self.attention = Some(weights);
    }

    /// The layers as a table.
    pub fn summary(&self) -> Summary {
        let input = |port: &Port| (port.modality, port.shape.dims());
        Summary {
            title: self.title.clone(),
            inputs: self.ports.iter().map(input).collect(),
            rows: self.nodes.iter().map(|node| node.row.clone()).collect(),
        }
    }

    /// Shape of a value of one sample.
    pub fn shape(&self, value: Value) -> &Shape {
        match self.node(value) {
            Some(node) => &self.nodes[node].shape,
            None => &self.ports[value.0].shape,
        }
    }

    /// The names of a new layer's inputs, unless it reads the row above and nothing else.
    fn reads(&self, name: &str, inputs: &[Value]) -> String {
        let above = self.ports.len() + self.nodes.len() - 1;
        if *inputs == [Value(above)] {
            return String::new();
        }
        let block = name.rfind(['.', '/']).map_or("", |end| &name[..=end]);
        let named = inputs.iter().map(|&input| match self.node(input) {
            // Within a block, without the block's name.
            Some(node) => {
                let name = self.nodes[node].row.name.as_str();
                name.strip_prefix(block).unwrap_or(name)
            }
            None if self.ports.len() == 1 => "input",
            None => self.ports[input.0].modality.name(),
        });
        format!(" <- {}", named.collect::<Vec<_>>().join(", "))
    }
}
