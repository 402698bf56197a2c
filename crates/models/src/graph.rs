//! An architecture as a list of layers, each with the layers that it reads.
//!
//! From the list come both the network ([`crate::Backbone`]) and its summary, so the
//! summary cannot disagree with what runs. A chain, a residual block and an inception
//! block differ only in what their layers read.

use crate::layer::Layer;
use crate::summary::Row;
use crate::{Error, Modality, Result, Summary};

/// The input of a graph, or the output of one of its layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Value(usize);

impl Value {
    /// Position among the graph's values: the input is 0, the first layer's output 1.
    pub(crate) fn index(self) -> usize {
        self.0
    }
}

/// One layer in its place.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) layer: Layer,
    pub(crate) inputs: Vec<Value>,
    pub(crate) row: Row,
    /// The node whose parameters it uses, unless it has its own.
    pub(crate) shares: Option<usize>,
}

/// The layers of a network of one input, in the order in which they run.
#[derive(Debug)]
pub(crate) struct Graph {
    pub(crate) model: &'static str,
    title: String,
    pub(crate) modality: Modality,
    pub(crate) input: [usize; 3],
    pub(crate) nodes: Vec<Node>,
    pub(crate) features: Option<Value>,
    /// The classifiers' outputs.
    pub(crate) heads: Vec<Value>,
}

impl Graph {
    /// No layers yet. `input` is the shape (C, H, W) of one sample.
    pub(crate) fn new(
        model: &'static str,
        title: impl Into<String>,
        modality: Modality,
        input: [usize; 3],
    ) -> Self {
        let title = format!("{model}, {}", title.into());
        Self { model, title, modality, input, nodes: Vec::new(), features: None, heads: Vec::new() }
    }

    /// What the first layer reads.
    pub(crate) fn input(&self) -> Value {
        Value(0)
    }

    /// Adds a layer that reads the given values.
    ///
    /// # Errors
    /// If the layer does not fit the shapes of its inputs.
    pub(crate) fn add(&mut self, name: impl Into<String>, layer: Layer, inputs: &[Value]) -> Result<Value> {
        self.push(name.into(), layer, inputs, None)
    }

    /// Adds a layer with the parameters of one that is there already, the one that made `first`: a network that
    /// sees several moments looks at each with the same filters.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub(crate) fn add_again(
        &mut self,
        name: impl Into<String>,
        first: Value,
        inputs: &[Value],
    ) -> Result<Value> {
        let name = name.into();
        let Some(node) = first.0.checked_sub(1) else {
            return Err(self.refused(name, "the input has no parameters to share".into()));
        };
        let layer = self.nodes[node].layer.clone();
        self.push(name, layer, inputs, Some(node))
    }

    fn push(&mut self, name: String, layer: Layer, inputs: &[Value], shares: Option<usize>) -> Result<Value> {
        if matches!(layer, Layer::Channels { .. }) && *inputs != [self.input()] {
            return Err(self.refused(name, "channels are taken of the network's input only".into()));
        }
        let shapes: Vec<&[usize]> = inputs.iter().map(|&input| self.shape(input)).collect();
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
            output: facts.output,
            parameters: facts.parameters,
            multiply_adds: facts.multiply_adds,
        };
        self.nodes.push(Node { layer, inputs: inputs.to_vec(), row, shares });
        Ok(Value(self.nodes.len()))
    }

    /// Adds layers that each read the one before, the first of them `x`.
    ///
    /// # Errors
    /// As [`Graph::add`].
    pub(crate) fn chain<N: Into<String>>(
        &mut self,
        x: Value,
        layers: impl IntoIterator<Item = (N, Layer)>,
    ) -> Result<Value> {
        layers.into_iter().try_fold(x, |x, (name, layer)| self.add(name, layer, &[x]))
    }

    fn refused(&self, layer: String, problem: String) -> Error {
        Error::Shape { model: self.model, layer, problem }
    }

    /// Names a classifier's output; the first that is named is the main one.
    pub(crate) fn add_head(&mut self, logits: Value) {
        self.heads.push(logits);
    }

    /// Names the value that the classifier reads, before dropout.
    pub(crate) fn set_features(&mut self, features: Value) {
        self.features = Some(features);
    }

    pub(crate) fn summary(&self) -> Summary {
        Summary {
            title: self.title.clone(),
            input: self.input.to_vec(),
            rows: self.nodes.iter().map(|node| node.row.clone()).collect(),
        }
    }

    /// Shape of a value of one sample; a feature map is (C, H, W).
    fn shape(&self, value: Value) -> &[usize] {
        match value.0.checked_sub(1) {
            Some(node) => &self.nodes[node].row.output,
            None => &self.input,
        }
    }

    /// The names of a new layer's inputs, unless it reads the row above and nothing else.
    fn reads(&self, name: &str, inputs: &[Value]) -> String {
        if *inputs == [Value(self.nodes.len())] {
            return String::new();
        }
        let block = name.rfind(['.', '/']).map_or("", |end| &name[..=end]);
        let named = inputs.iter().map(|input| match input.0.checked_sub(1) {
            // Within a block, without the block's name.
            Some(node) => {
                let name = self.nodes[node].row.name.as_str();
                name.strip_prefix(block).unwrap_or(name)
            }
            None => "input",
        });
        format!(" <- {}", named.collect::<Vec<_>>().join(", "))
    }
}
