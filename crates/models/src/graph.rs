//! Architectures as lists of layers, each with the layers that it reads.
//!
//! Both the network ([`crate::Backbone`]) and its [`Summary`] are made from the list, so
//! they always agree. Chains, residual blocks and inception blocks differ only in the
//! inputs of their layers.

use base::Modality;
use nn::Activation;

use crate::layer::{Layer, MOST_VALUES, Shape};
use crate::summary::Row;
use crate::{Channels, Error, Result, Summary};

/// Largest number of layers of a network; a block of the deepest network has ten.
const MOST_LAYERS: usize = 50_000;

/// Name of a network's input, for layers that follow it directly.
pub(crate) const INPUT: &str = "input";

/// The input of a graph, or the output of one of its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Value(usize);

impl Value {
    /// Returns the position among the graph's values: first the inputs, then the outputs of the layers.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// An input of a network.
#[derive(Debug, Clone)]
pub struct Port {
    /// Modality of the input.
    pub modality: Modality,
    /// Shape of one sample.
    pub shape: Shape,
    /// True if clips may have any number of time steps, not only that of the shape.
    pub any_length: bool,
}

impl Port {
    /// Makes an input of one time step; `size` is height and width.
    pub fn one(channels: Channels, size: [usize; 2]) -> Self {
        let [height, width] = size;
        let shape = Shape { each: vec![channels.count, height, width], time_steps: None };
        Self { modality: channels.modality, shape, any_length: false }
    }

    /// Returns the same input for clips of `time_steps` time steps.
    pub(crate) fn over(self, time_steps: usize) -> Self {
        Self { shape: Shape { time_steps: Some(time_steps), ..self.shape }, ..self }
    }

    /// Makes an input of several time steps; `size` is height and width.
    pub fn clip(channels: Channels, size: [usize; 2], time_steps: usize) -> Self {
        let Self { modality, shape, any_length } = Self::one(channels, size);
        Self { modality, shape: Shape { time_steps: Some(time_steps), ..shape }, any_length }
    }
}

/// A layer of a graph, with its inputs.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) layer: Layer,
    pub(crate) inputs: Vec<Value>,
    pub(crate) shape: Shape,
    pub(crate) row: Row,
    /// The node whose parameters it shares; `None` if it has its own.
    pub(crate) shares: Option<usize>,
}

/// Output of a classifier, and its task.
#[derive(Debug, Clone, Copy)]
pub(crate) struct HeadAt {
    pub(crate) logits: Value,
    pub(crate) task: usize,
}

/// Layers of a network, in the order in which they run.
#[derive(Debug)]
pub struct Graph {
    pub(crate) model: &'static str,
    title: String,
    pub(crate) ports: Vec<Port>,
    pub(crate) nodes: Vec<Node>,
    pub(crate) features: Option<Value>,
    /// Weights of the spatial positions.
    pub(crate) attention: Option<Value>,
    /// Outputs of the classifiers.
    pub(crate) heads: Vec<HeadAt>,
}

impl Graph {
    /// Makes an empty graph for a network with one input; `size` is its height and width. `model` is the architecture's name
    /// for messages.
    pub fn new(model: &'static str, title: impl Into<String>, channels: Channels, size: [usize; 2]) -> Self {
        Self::of_ports(model, title, vec![Port::one(channels, size)])
    }

    /// Makes an empty graph for a network with these inputs.
    pub fn of_ports(model: &'static str, title: impl Into<String>, ports: Vec<Port>) -> Self {
        let title = format!("{model}, {}", title.into());
        Self { model, title, ports, nodes: Vec::new(), features: None, attention: None, heads: Vec::new() }
    }

    /// Returns the same layers for clips of `time_steps` time steps, or of any other number of them. Each time step passes
    /// through the layers alone; classifiers and features are those of a time step.
    ///
    /// # Errors
    /// If an input is a clip already, or a layer does not fit.
    pub fn over_time(self, time_steps: usize) -> Result<Self> {
        let title = format!("{}, clips of {time_steps}", self.title);
        self.rebuilt(
            title,
            |port| Port { any_length: true, ..port }.over(time_steps),
            |_, _, value| Ok(value),
        )
    }

    /// Returns the same layers over other inputs. After each layer, and after each input (as `input`), `then` gets its name and
    /// its value and may add layers; what it returns is what the later layers read. Classifiers and features follow.
    ///
    /// # Errors
    /// If an input is a clip already, or a layer does not fit.
    pub(crate) fn rebuilt(
        self,
        title: String,
        port: impl Fn(Port) -> Port,
        mut then: impl FnMut(&mut Self, &str, Value) -> Result<Value>,
    ) -> Result<Self> {
        let Self { model, ports, nodes, features, attention, heads, .. } = self;
        if let Some(clip) = ports.iter().find(|port| port.shape.time_steps.is_some()) {
            let (layer, problem) = (clip.modality.to_string(), "its input is a clip already".to_owned());
            return Err(Error::Shape { model, layer, problem });
        }
        let last = Value(ports.len() + nodes.len() - 1);
        let ports: Vec<Port> = ports.into_iter().map(port).collect();
        let mut graph =
            Self { model, title, ports, nodes: Vec::new(), features: None, attention: None, heads };
        // The new value of each old one, and the new node of each old one.
        let (mut values, mut places): (Vec<Value>, Vec<usize>) = (Vec::new(), Vec::new());
        for input in (0..graph.ports.len()).map(Value) {
            let value = then(&mut graph, INPUT, input)?;
            values.push(value);
        }
        for Node { layer, inputs, row, shares, .. } in nodes {
            let inputs: Vec<Value> = inputs.into_iter().map(|value| values[value.0]).collect();
            places.push(graph.nodes.len());
            let value = graph.push(row.name.clone(), layer, &inputs, shares.map(|node| places[node]))?;
            let value = then(&mut graph, &row.name, value)?;
            values.push(value);
        }
        let new = |value: Value| values[value.0];
        graph.features = features.map(new);
        graph.attention = attention.map(new);
        for head in &mut graph.heads {
            head.logits = new(head.logits);
        }
        if graph.heads.is_empty() && new(last) != graph.last() {
            graph.heads.push(HeadAt { logits: new(last), task: 0 });
        }
        Ok(graph)
    }

    /// Returns the words about the network.
    pub(crate) fn title(&self) -> &str {
        &self.title
    }

    /// Returns the shape of the last layer's output.
    pub(crate) fn last_shape(&self) -> &Shape {
        self.shape(self.last())
    }

    /// Iterates over the names of the layers.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().map(|node| node.row.name.as_str())
    }

    /// Returns the first input.
    pub fn input(&self) -> Value {
        Value(0)
    }

    /// Returns the input of a modality.
    ///
    /// # Errors
    /// If there is no such input.
    pub fn input_of(&self, modality: Modality) -> Result<Value> {
        let at = self.ports.iter().position(|port| port.modality == modality);
        at.map(Value).ok_or_else(|| self.refused(modality.to_string(), "no input has this modality".into()))
    }

    /// Returns the node that computes a value; `None` for an input.
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

    /// Adds a layer that shares the parameters of the layer that computes `first`: a network applies the same filters to
    /// each of several time steps.
    ///
    /// # Errors
    /// See [`Graph::add`].
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
            return Err(self.refused(name, "it can only read the network's input".into()));
        }
        if self.nodes.len() == MOST_LAYERS {
            return Err(self.refused(name, format!("the network has more than {MOST_LAYERS} layers")));
        }
        let shapes: Vec<&Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        if let Some(large) = shapes.iter().find(|shape| shape.values() > MOST_VALUES) {
            let problem = format!("its input would have more than {MOST_VALUES} values: {:?}", large.dims());
            return Err(self.refused(name, problem));
        }
        let mut facts = layer.facts(&shapes).map_err(|problem| self.refused(name.clone(), problem))?;
        if let Some(node) = shares {
            let first = &self.nodes[node].row;
            if first.parameters != facts.parameters {
                let problem = format!("its weights differ in shape from those of {}", first.name);
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

    /// Returns the output of the layer that was added last.
    fn last(&self) -> Value {
        Value(self.ports.len() + self.nodes.len() - 1)
    }

    /// Adds a chain of layers; the first reads `x`, each other the one before.
    ///
    /// # Errors
    /// See [`Graph::add`].
    pub fn chain<N: Into<String>>(
        &mut self,
        x: Value,
        layers: impl IntoIterator<Item = (N, Layer)>,
    ) -> Result<Value> {
        layers.into_iter().try_fold(x, |x, (name, layer)| self.add(name, layer, &[x]))
    }

    /// Adds dropout (name and probability) and a classifier (name and number of classes) on `features`.
    ///
    /// # Errors
    /// See [`Graph::add`].
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

    /// Marks a value as the output of a classifier for a task; the first marked one is the main classifier. Without any, the
    /// last layer is the only classifier.
    pub fn add_head(&mut self, logits: Value, task: usize) {
        self.heads.push(HeadAt { logits, task });
    }

    /// Takes the outputs of all classifiers away, each with its task: those that were marked, or the last layer.
    pub fn take_heads(&mut self) -> Vec<(Value, usize)> {
        let marked = std::mem::take(&mut self.heads);
        match marked.is_empty() {
            true => vec![(self.last(), 0)],
            false => marked.into_iter().map(|head| (head.logits, head.task)).collect(),
        }
    }

    /// Returns the value that the classifier reads, before dropout.
    pub fn features(&self) -> Option<Value> {
        self.features
    }

    /// Marks the value that the classifier reads, before dropout.
    pub fn set_features(&mut self, features: Value) {
        self.features = Some(features);
    }

    /// Marks the value that holds the weights of the spatial positions.
    pub fn set_attention(&mut self, weights: Value) {
        self.attention = Some(weights);
    }

    /// Returns the layers as a table.
    pub fn summary(&self) -> Summary {
        let input = |port: &Port| (port.modality, port.shape.dims());
        Summary {
            title: self.title.clone(),
            inputs: self.ports.iter().map(input).collect(),
            rows: self.nodes.iter().map(|node| node.row.clone()).collect(),
        }
    }

    /// Returns the shape of a value, for one sample.
    pub fn shape(&self, value: Value) -> &Shape {
        match self.node(value) {
            Some(node) => &self.nodes[node].shape,
            None => &self.ports[value.0].shape,
        }
    }

    /// Returns the names of a new layer's inputs, or an empty string if it reads only the row above.
    fn reads(&self, name: &str, inputs: &[Value]) -> String {
        let above = self.ports.len() + self.nodes.len() - 1;
        if *inputs == [Value(above)] {
            return String::new();
        }
        let block = name.rfind(['.', '/']).map_or("", |end| &name[..=end]);
        let named = inputs.iter().map(|&input| match self.node(input) {
            // Inputs of the same block are named without the block.
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
