//! Layers of architectures. Each kind is a constructor of [`Layer`] in one of the files below, which defines its output
//! shape, its cost, its parameters and its forward pass. Other crates add kinds with [`Layer::new`].

mod clip;
mod consensus;
mod join;
mod map;
mod pooling;
mod weights;

use std::fmt;
use std::sync::Arc;

use candle_core::Tensor;
use nn::{Builder, Pass, Statistics};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::weights::Conv;

/// Square window of a convolution, in pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Window {
    /// Height and width of the window.
    pub kernel: usize,
    /// Distance between windows.
    pub stride: usize,
    /// Number of zeros added on each side.
    pub padding: usize,
}

/// Window over the time steps of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TemporalPool {
    /// Number of time steps in a window.
    pub kernel: usize,
    /// Distance between windows, in time steps.
    pub stride: usize,
}

/// Batch normalisation layers that use the statistics of the batch in training. The others are frozen: they use their
/// running statistics and leave them unchanged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BatchStatistics {
    /// All layers.
    All,
    /// Only the first layer ("partial BN"), for fine-tuning on little data.
    First,
    /// No layer ("frozen BN").
    None,
}

impl BatchStatistics {
    /// Returns the statistics for the first layer of a network.
    pub fn first(self) -> Statistics {
        match self {
            Self::All | Self::First => Statistics::Batch,
            Self::None => Statistics::Running,
        }
    }

    /// Returns the statistics for all later layers.
    pub fn later(self) -> Statistics {
        match self {
            Self::All => Statistics::Batch,
            Self::First | Self::None => Statistics::Running,
        }
    }
}

/// Largest number of values in a layer's output for one sample, and in its weights: 256 GiB.
pub(crate) const MOST_VALUES: usize = 1 << 36;

/// Returns the product of sizes, or `usize::MAX` if it overflows, which every bound refuses.
pub(crate) fn product(sizes: impl IntoIterator<Item = usize>) -> usize {
    sizes.into_iter().fold(1, usize::saturating_mul)
}

/// Shape of a value, for one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Shape at each time step: (C, H, W) for a feature map, (F) for a vector.
    pub each: Vec<usize>,
    /// T, the number of time steps; `None` if the value is not a clip.
    pub time_steps: Option<usize>,
}

impl Shape {
    /// Returns (C, T, H, W) or (F, T), in PyTorch's order; without T if the value is not a clip.
    pub fn dims(&self) -> Vec<usize> {
        let mut dims = self.each.clone();
        if let Some(time_steps) = self.time_steps {
            dims.insert(1, time_steps);
        }
        dims
    }

    /// Returns the number of values.
    pub fn values(&self) -> usize {
        product(self.dims())
    }
}

/// Facts about a layer for given input shapes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// Description of the operation, such as `conv 7x7 stride 2`.
    pub operation: String,
    /// Shape of the output.
    pub output: Shape,
    /// Number of trained values.
    pub parameters: usize,
    /// Multiply-adds of one sample, over all time steps.
    pub multiply_adds: u64,
}

/// Forward pass of a layer with its parameters. Arguments are its inputs and the number of samples B. Inputs are feature
/// maps (B, H, W, C) and vectors (B, F); those of clips are (B T, H, W, C) and (B T, F).
pub type Forward = dyn Fn(&[&Tensor], usize, &Pass) -> nn::Result<Tensor> + Send + Sync;

type Measure = dyn Fn(&[&Shape]) -> Result<Facts, String> + Send + Sync;
type Make = dyn Fn(&[&Shape], &Builder) -> nn::Result<Box<Forward>> + Send + Sync;

/// A kind of layer with its settings. Input sizes follow from the layers that it reads.
#[derive(Clone)]
pub struct Layer {
    measure: Arc<Measure>,
    make: Arc<Make>,
    of_input: bool,
}

impl fmt::Debug for Layer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Layer").finish_non_exhaustive()
    }
}

impl Layer {
    /// Makes a layer of any kind. `measure` returns the facts for given input shapes, or the problem with them in words.
    /// `make` returns the layer with its parameters, for input shapes that `measure` accepts.
    pub fn new(
        measure: impl Fn(&[&Shape]) -> Result<Facts, String> + Send + Sync + 'static,
        make: impl Fn(&[&Shape], &Builder) -> nn::Result<Box<Forward>> + Send + Sync + 'static,
    ) -> Self {
        Self { measure: Arc::new(measure), make: Arc::new(make), of_input: false }
    }

    /// Returns the facts for the given input shapes.
    ///
    /// # Errors
    /// The problem with the shapes, in words.
    pub fn facts(&self, inputs: &[&Shape]) -> Result<Facts, String> {
        let facts = (self.measure)(inputs)?;
        if facts.output.each.contains(&0) {
            return Err(format!("its output would be empty: {:?}", facts.output.dims()));
        }
        for (what, values) in [("its output", facts.output.values()), ("its weights", facts.parameters)] {
            if values > MOST_VALUES {
                return Err(format!("{what} would have more than {MOST_VALUES} values"));
            }
        }
        Ok(facts)
    }

    /// Builds the layer for the given input shapes; the builder names its parameters.
    ///
    /// # Errors
    /// If a parameter cannot be made.
    pub fn build(&self, inputs: &[&Shape], builder: &Builder) -> nn::Result<Box<Forward>> {
        (self.make)(inputs, builder)
    }

    /// Returns `true` if it may only read the network's input, because it has no gradient.
    pub fn reads_only_the_input(&self) -> bool {
        self.of_input
    }

    /// Makes a layer that treats each time step separately; `measure` gets the shapes at one time step.
    fn each(
        measure: impl Fn(&[&[usize]]) -> Result<Each, String> + Send + Sync + 'static,
        make: impl Fn(&[&Shape], &Builder) -> nn::Result<Box<Forward>> + Send + Sync + 'static,
    ) -> Self {
        let measure = move |inputs: &[&Shape]| {
            let time_steps = inputs.first().and_then(|shape| shape.time_steps);
            if let Some(other) = inputs.iter().find(|shape| shape.time_steps != time_steps) {
                return Err(format!("its inputs have time steps {time_steps:?} and {:?}", other.time_steps));
            }
            let each: Vec<&[usize]> = inputs.iter().map(|shape| shape.each.as_slice()).collect();
            let Each { operation, output, parameters, multiply_adds } = measure(&each)?;
            let multiply_adds = multiply_adds.saturating_mul(time_steps.unwrap_or(1) as u64);
            Ok(Facts { operation, output: Shape { each: output, time_steps }, parameters, multiply_adds })
        };
        Self::new(measure, make)
    }

    /// Makes a layer of one input, without parameters, that treats each time step separately.
    fn plain(
        measure: impl Fn(&[usize]) -> Result<Each, String> + Send + Sync + 'static,
        forward: impl Fn(&[&Tensor], &Pass) -> nn::Result<Tensor> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::each(move |inputs| measure(one(inputs)?), without_parameters(forward))
    }
}

/// Facts about a layer at one time step.
struct Each {
    operation: String,
    output: Vec<usize>,
    parameters: usize,
    multiply_adds: u64,
}

/// Returns the facts of a layer without parameters or products.
fn free(operation: impl Into<String>, output: impl Into<Vec<usize>>) -> Each {
    Each { operation: operation.into(), output: output.into(), parameters: 0, multiply_adds: 0 }
}

/// Returns the `make` function of a layer without parameters.
fn without_parameters(
    forward: impl Fn(&[&Tensor], &Pass) -> nn::Result<Tensor> + Clone + Send + Sync + 'static,
) -> impl Fn(&[&Shape], &Builder) -> nn::Result<Box<Forward>> + Send + Sync + 'static {
    move |_, _| {
        let forward = forward.clone();
        runs(move |inputs, _, pass| forward(inputs, pass))
    }
}

/// Boxes a forward pass.
fn runs(
    forward: impl Fn(&[&Tensor], usize, &Pass) -> nn::Result<Tensor> + Send + Sync + 'static,
) -> nn::Result<Box<Forward>> {
    Ok(Box::new(forward))
}

/// Returns the only input of a layer.
fn one<T: Copy>(inputs: &[T]) -> Result<T, String> {
    match inputs {
        [x] => Ok(*x),
        _ => Err(format!("expected 1 input, found {}", inputs.len())),
    }
}

fn map(x: &[usize]) -> Result<[usize; 3], String> {
    <[usize; 3]>::try_from(x).map_err(|_| format!("expected a feature map (C, H, W), found {x:?}"))
}

/// Returns the message of an error, without the backtrace that Candle may append.
fn in_words(error: impl Into<nn::Error>) -> String {
    match error.into() {
        nn::Error::Tensor(candle_core::Error::WithBacktrace { inner, .. }) => inner.to_string(),
        error => error.to_string(),
    }
}
