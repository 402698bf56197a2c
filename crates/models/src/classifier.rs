//! Networks as modules of `candle_nn`.

use std::sync::atomic::{AtomicU64, Ordering};

use candle_core::{D, Device, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use nn::{Builder, Params, Pass};

use crate::architecture::Architecture;
use crate::graph::Port;
use crate::{Backbone, Error, Inputs, Network, Outputs, Result};

/// Any architecture for programs that use Candle: made from a [`VarBuilder`], run as a [`ModuleT`], differentiated by
/// [`Tensor::backward`]. Names and layout of the weights are PyTorch's.
///
/// # Shapes
///
/// | network | input | output |
/// |---|---|---|
/// | one stream | (B, C, H, W) | (B, K) |
/// | several inputs or snippets | (B, N, H, W): input by input, time step by time step, channel by channel | (B, K) |
/// | clips | (B, T, C, H, W), the channels input by input | (B, K) |
///
/// The inputs are those of [`Architecture::inputs`], in that order: for ST-ResNet a clip has 3 + 2L channels at each time
/// step. A network for several tasks returns the logits of the first; [`Classifier::outputs`] returns all.
///
/// Inputs have gradients just as weights do. A weight that is frozen by [`Params::configure`] has none.
pub struct Classifier {
    backbone: Backbone,
    model: &'static str,
    ports: Vec<Port>,
    params: Params,
    seed: u64,
    passes: AtomicU64,
}

impl Classifier {
    /// Makes a network with the weights of `store`, on its device; see [`Params::builder_from`]. The seed decides the initial
    /// values of weights that a `VarMap` lacks, and the dropout masks: training pass n, counted from 0, has the masks of
    /// [`Pass::train`] with `seed + n`.
    ///
    /// # Errors
    /// See [`Architecture::graph`]; also if the store lacks a weight or has one of another shape.
    pub fn new(architecture: &dyn Architecture, store: VarBuilder<'_>, seed: u64) -> Result<Self> {
        let params = Params::new(store.device());
        let builder = params.builder_from(store, seed);
        Self::build(architecture, params, &builder, seed)
    }

    /// Makes a network whose weights are drawn with the seed.
    ///
    /// # Errors
    /// See [`Architecture::graph`]; also if the device cannot allocate a weight.
    pub fn seeded(architecture: &dyn Architecture, device: &Device, seed: u64) -> Result<Self> {
        let params = Params::new(device);
        let builder = params.builder(seed);
        Self::build(architecture, params, &builder, seed)
    }

    fn build(
        architecture: &dyn Architecture,
        params: Params,
        builder: &Builder<'_>,
        seed: u64,
    ) -> Result<Self> {
        let graph = architecture.graph()?;
        let backbone = Backbone::new(&graph, builder)?;
        let (model, ports) = (graph.model, graph.ports);
        Ok(Self { backbone, model, ports, params, seed, passes: AtomicU64::new(0) })
    }

    /// Returns its parameters and buffers, by name.
    pub fn params(&self) -> &Params {
        &self.params
    }

    /// Returns the shape of a batch of `samples` samples, as in the first two lines of the table.
    pub fn input_dims(&self, samples: usize) -> (usize, usize, usize, usize) {
        let channels = |port: &Port| port.shape.time_steps.unwrap_or(1) * port.shape.each[0];
        let [height, width] =
            self.ports.first().map_or([0; 2], |port| [port.shape.each[1], port.shape.each[2]]);
        (samples, self.ports.iter().map(channels).sum(), height, width)
    }

    /// Returns all outputs for a batch, in Candle's graph.
    ///
    /// # Errors
    /// If the shape of the input does not match the table.
    pub fn outputs(&self, x: &Tensor, train: bool) -> Result<Outputs> {
        let passes = if train { self.passes.fetch_add(1, Ordering::Relaxed) } else { 0 };
        let pass = Pass::in_graph(train, self.seed.wrapping_add(passes));
        self.backbone.forward(&self.inputs(x)?, &pass)
    }

    /// Splits the input into the network's inputs, (B, T, C, H, W) each.
    fn inputs(&self, x: &Tensor) -> Result<Inputs> {
        let channels = |port: &Port| port.shape.each[0];
        let time_steps = |port: &Port| port.shape.time_steps.unwrap_or(1);
        let (axis, widths): (usize, Vec<usize>) = match *x.dims() {
            [_, _, _, _] => (1, self.ports.iter().map(|port| time_steps(port) * channels(port)).collect()),
            [_, _, _, _, _] if self.ports.iter().all(|port| port.shape.time_steps.is_some()) => {
                (2, self.ports.iter().map(channels).collect())
            }
            _ => return Err(self.refused(x)),
        };
        if x.dim(axis)? != widths.iter().sum::<usize>() {
            return Err(self.refused(x));
        }
        let mut from = 0;
        let mut inputs = Inputs::default();
        for (port, width) in self.ports.iter().zip(widths) {
            let part = x.narrow(axis, from, width)?;
            from += width;
            let part = if axis == 2 {
                part
            } else {
                let (height, width) = (x.dim(D::Minus2)?, x.dim(D::Minus1)?);
                part.reshape((x.dim(0)?, time_steps(port), channels(port), height, width))?
            };
            inputs.insert(port.modality, part);
        }
        Ok(inputs)
    }

    fn refused(&self, x: &Tensor) -> Error {
        let port = |port: &Port| {
            let each: Vec<String> = port.shape.each.iter().map(usize::to_string).collect();
            let time_steps = port.shape.time_steps.map_or(String::new(), |steps| format!("{steps} of "));
            format!("{}: {time_steps}({})", port.modality, each.join(", "))
        };
        let ports: Vec<String> = self.ports.iter().map(port).collect();
        Error::Input {
            model: self.model,
            expected: format!("(B, N, H, W), or clips (B, T, C, H, W), of {}", ports.join(" and ")),
            found: format!("{:?}", x.dims()),
        }
    }
}

impl ModuleT for Classifier {
    /// Returns the class scores before the softmax, (B, K).
    fn forward_t(&self, x: &Tensor, train: bool) -> candle_core::Result<Tensor> {
        let outputs = self.outputs(x, train)?;
        // A graph has at least one classifier.
        match outputs.heads.into_iter().next() {
            Some(head) => Ok(head.logits),
            None => candle_core::bail!("{} has no classifier", self.model),
        }
    }
}
