//! What the Spatiotemporal Pyramid Network needs of a network that it stands on.

use crate::architecture::Architecture;
use crate::graph::{Graph, Value};
use crate::{Channels, Result};

/// A network whose last feature map others read, on its own a stream for frames.
pub trait Base: Architecture {
    /// Adds the layers from an input to the last feature map, their names under a prefix.
    ///
    /// # Errors
    /// If a layer does not fit the size that reaches it.
    fn layers(&self, graph: &mut Graph, prefix: &str, input: Value) -> Result<Value>;

    /// Whether a parameter of the whole network is of these layers.
    fn is_of_layers(&self, parameter: &str) -> bool {
        !self.is_classifier(parameter)
    }

    /// What the pyramid takes over.
    fn sizes(&self) -> Sizes;

    /// The same network for another input.
    fn seeing(&self, channels: Channels) -> Box<dyn Architecture>;
}

/// What a pyramid takes over from its base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Probability that dropout zeroes an input of the classifier.
    pub dropout: f64,
}
