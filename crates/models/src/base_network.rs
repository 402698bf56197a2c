//! The interface of a base of the Spatiotemporal Pyramid Network.

use crate::architecture::Architecture;
use crate::graph::{Graph, Value};
use crate::{Channels, Result};

/// A network whose last feature map the pyramid reads. On its own it is a stream for frames.
pub trait Base: Architecture {
    /// Adds the layers from an input to the last feature map, with a prefix for their names.
    ///
    /// # Errors
    /// If a layer does not fit its input size.
    fn layers(&self, graph: &mut Graph, prefix: &str, input: Value) -> Result<Value>;

    /// Returns `true` if a parameter of the whole network belongs to these layers.
    fn is_of_layers(&self, parameter: &str) -> bool {
        !self.is_classifier(parameter)
    }

    /// Returns the sizes that the pyramid uses.
    fn sizes(&self) -> Sizes;

    /// Returns the same network for another input.
    fn seeing(&self, channels: Channels) -> Box<dyn Architecture>;
}

/// Sizes that a pyramid takes from its base.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sizes {
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Probability that dropout zeroes an input of the classifier.
    pub dropout: f64,
}
