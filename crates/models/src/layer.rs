//! The layers of an architecture's list. Each kind says in one place what it makes of shapes, what it costs, which
//! parameters it has and how it runs: a constructor of [`Layer`] in one of the files below. A crate outside adds a kind
//! with [`Layer::new`].

mod clip;
mod join;
mod map;
mod weights;

use std::fmt;
use std::sync::Arc;

use candle_core::Tensor;
use nn::{Builder, Pass, Statistics};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use self::weights::Conv;

/// Square window of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Window {
    /// Height and width.
    pub kernel: usize,
    /// Steps between windows.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
}

/// Window over the time steps of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TemporalPool {
    /// Time steps of a window.
    pub kernel: usize,
    /// Time steps from one window to the next.
    pub stride: usize,
}

/// Which batch normalisation layers use the statistics of the batch in training; the
/// others use the running ones, which then stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BatchStatistics {
    /// All layers.
    All,
    /// The first layer alone, "partial BN": for fine-tuning on little data.
    First,
    /// No layer, "frozen BN".
    None,
}

impl BatchStatistics {
    /// For the first layer of a network.
    pub fn first(self) -> Statistics {
        match self {
            Self::All | Self::First => Statistics::Batch,
            Self::None => Statistics::Running,
        }
    }

    /// For all layers after it.
    pub fn later(self) -> Statistics {
        match self {
            Self::All => Statistics::Batch,
            Self::First | Self::None => Statistics::Running,
        }
    }
}

/// The most values of a layer's output for one sample, and of its weights: 256 GiB.
pub(crate) const MOST_VALUES: usize = 1 << 36;

/// The product of sizes; the largest number there is where that is beyond all numbers, which no bound lets pass.
pub(crate) fn product(sizes: impl IntoIterator<Item = usize>) -> usize {
    sizes.into_iter().fold(1, usize::saturating_mul)
}

/// Shape of a value of one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Of each time step: (C, H, W) of a feature map, (F) of a vector.
    pub each: Vec<usize>,
    /// T, of what a clip has at each of its time steps.
    pub time_steps: Option<usize>,
}

impl Shape {
    /// (C, T, H, W) and (F, T), PyTorch's order; without T where there is none.
    pub fn dims(&self) -> Vec<usize> {
        let mut dims = self.each.clone();
        if let Some(time_steps) = self.time_steps {
            dims.insert(1, time_steps);
        }
        dims
    }

    /// The number of values.
    pub fn values(&self) -> usize {
        product(self.dims())
    }
}

/// What is known of a layer once its input shapes are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What it does, such as `conv 7x7 stride 2`.
    pub operation: String,
    /// What comes out.
    pub output: Shape,
    /// Trained values.
    pub parameters: usize,
    /// Of one sample, all time steps together.
    pub multiply_adds: u64,
}

/// A layer with its parameters. It is given the outputs of the layers that it reads, feature maps (B, H, W, C) and
/// vectors (B, F), of clips (B T, H, W, C) and (B T, F), and the number of samples B.
pub type Forward = dyn Fn(&[&Tensor], usize, &Pass) -> nn::Result<Tensor> + Send + Sync;

type Measure = dyn Fn(&[&Shape]) -> Result<Facts, String> + Send + Sync;
type Make = dyn Fn(&[&Shape], &Builder) -> nn::Result<Box<Forward>> + Send + Sync;

/// What a layer does. Input sizes follow from what it reads.
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
    /// A layer of any kind. `measure` gives the facts for inputs of some shapes, or the problem with them in words;
    /// `make` gives the layer with its parameters for inputs that passed.
    pub fn new(
        measure: impl Fn(&[&Shape]) -> Result<Facts, String> + Send + Sync + 'static,
        make: impl Fn(&[&Shape], &Builder) -> nn::Result<Box<Forward>> + Send + Sync + 'static,
    ) -> Self {
        Self { measure: Arc::new(measure), make: Arc::new(make), of_input: false }
    }

    /// The facts for inputs of the given shapes.
    ///
    /// # Errors
    /// The problem with them, in words.
    pub fn facts(&self, inputs: &[&Shape]) -> Result<Facts, String> {
        let facts = (self.measure)(inputs)?;
        if facts.output.each.contains(&0) {
            return Err(format!("its output would be empty: {:?}", facts.output.dims()));
        }
        for (what, values) in [("its output", facts.output.values()), ("its weights", facts.parameters)] {
            if values > MOST_VALUES {
                return Err(format!("{what} would be of more than {MOST_VALUES} values"));
            }
        }
        Ok(facts)
    }

    /// Makes its parameters, named by the builder, for inputs of these shapes.
    ///
    /// # Errors
    /// If a parameter cannot be made.
    pub fn build(&self, inputs: &[&Shape], builder: &Builder) -> nn::Result<Box<Forward>> {
        (self.make)(inputs, builder)
    }

    /// Whether it may read nothing but the network's input, since it has no gradient.
    pub fn reads_only_the_input(&self) -> bool {
        self.of_input
    }

    /// A layer that looks at each time step for itself: `measure` sees the shapes at one of them.
    fn each(
        measure: impl Fn(&[&[usize]]) -> Result<Each, String> + Send + Sync + 'static,
        make: impl Fn(&[&Shape], &Builder) -> nn::Result<Box<Forward>> + Send + Sync + 'static,
    ) -> Self {
        let measure = move |inputs: &[&Shape]| {
            let time_steps = inputs.first().and_then(|shape| shape.time_steps);
            if let Some(other) = inputs.iter().find(|shape| shape.time_steps != time_steps) {
                return Err(format!("its inputs have {time_steps:?} and {:?} time steps", other.time_steps));
            }
            let each: Vec<&[usize]> = inputs.iter().map(|shape| shape.each.as_slice()).collect();
            let Each { operation, output, parameters, multiply_adds } = measure(&each)?;
            let multiply_adds = multiply_adds.saturating_mul(time_steps.unwrap_or(1) as u64);
            Ok(Facts { operation, output: Shape { each: output, time_steps }, parameters, multiply_adds })
        };
        Self::new(measure, make)
    }

    /// A layer of one input, without parameters, that looks at each time step for itself.
    fn plain(
        measure: impl Fn(&[usize]) -> Result<Each, String> + Send + Sync + 'static,
        forward: impl Fn(&[&Tensor], &Pass) -> nn::Result<Tensor> + Clone + Send + Sync + 'static,
    ) -> Self {
        Self::each(move |inputs| measure(one(inputs)?), without_parameters(forward))
    }
}

/// Of a layer that looks at one time step, for that time step.
struct Each {
    operation: String,
    output: Vec<usize>,
    parameters: usize,
    multiply_adds: u64,
}

/// A layer without parameters or products.
fn free(operation: impl Into<String>, output: impl Into<Vec<usize>>) -> Each {
    Each { operation: operation.into(), output: output.into(), parameters: 0, multiply_adds: 0 }
}

/// The second half of a layer without parameters.
fn without_parameters(
    forward: impl Fn(&[&Tensor], &Pass) -> nn::Result<Tensor> + Clone + Send + Sync + 'static,
) -> impl Fn(&[&Shape], &Builder) -> nn::Result<Box<Forward>> + Send + Sync + 'static {
    move |_, _| {
        let forward = forward.clone();
        runs(move |inputs, _, pass| forward(inputs, pass))
    }
}

/// A layer that is made.
fn runs(
    forward: impl Fn(&[&Tensor], usize, &Pass) -> nn::Result<Tensor> + Send + Sync + 'static,
) -> nn::Result<Box<Forward>> {
    Ok(Box::new(forward))
}

/// The only one of a layer's inputs.
fn one<T: Copy>(inputs: &[T]) -> Result<T, String> {
    match inputs {
        [x] => Ok(*x),
        _ => Err(format!("it does not read {} inputs", inputs.len())),
    }
}

fn map(x: &[usize]) -> Result<[usize; 3], String> {
    <[usize; 3]>::try_from(x).map_err(|_| format!("expected a feature map (C, H, W), found {x:?}"))
}

/// The message of an error without the stack trace that Candle may append.
fn in_words(error: impl Into<nn::Error>) -> String {
    match error.into() {
        nn::Error::Tensor(candle_core::Error::WithBacktrace { inner, .. }) => inner.to_string(),
        error => error.to_string(),
    }
}
