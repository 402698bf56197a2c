//! Arguments and results of operations: arrays, and gradients of inputs.

use candle_core::{Result, bail};

use crate::extent;

/// The values of one argument, row by row, and its shape. The number of values always matches the shape; the unchecked
/// reads of the inner loops rely on this.
#[derive(Debug, Clone, Copy)]
pub struct Array<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) dims: &'a [usize],
}

impl<'a> Array<'a> {
    /// Creates an array of the given shape.
    ///
    /// # Errors
    /// If their number is not the product of the dimensions, or these are too large ([`crate::TooLarge`]).
    pub fn new(data: &'a [f32], dims: &'a [usize]) -> Result<Self> {
        if extent::values("an array", dims)? != data.len() {
            bail!("an array of shape {dims:?} cannot have {} values", data.len());
        }
        Ok(Self { data, dims })
    }

    /// Returns the values, row by row.
    #[must_use]
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// Returns the shape.
    #[must_use]
    pub fn dims(&self) -> &'a [usize] {
        self.dims
    }
}

/// An argument with a shape, on any device; checks need nothing else.
pub(crate) trait Shaped {
    fn dims(&self) -> &[usize];
}

impl Shaped for Array<'_> {
    fn dims(&self) -> &[usize] {
        self.dims
    }
}

/// The gradient of one input.
#[derive(Debug, Clone, PartialEq)]
pub enum Gradient<V = Vec<f32>> {
    /// It was not requested, or the input is a constant of the operation.
    None,
    /// It equals the gradient of the output, so nothing is computed or copied.
    OfOutput,
    /// Its values, in the order of the input.
    Values(V),
}

/// Input of a backward pass: the inputs and the output of the forward pass, and the gradient of that output.
#[derive(Debug, Clone, Copy)]
pub struct Backward<'a, A = Array<'a>> {
    /// Inputs of the forward pass.
    pub inputs: &'a [A],
    /// Output of the forward pass.
    pub output: A,
    /// Gradient of the output, with the same shape.
    pub gradient: A,
    /// True for each input whose gradient is requested; at least one.
    pub wanted: &'a [bool],
}

impl<A> Backward<'_, A> {
    /// Returns `true` if the gradient of an input is requested, or `false` if there is no such input.
    pub(crate) fn wants(&self, input: usize) -> bool {
        self.wanted.get(input).is_some_and(|&wanted| wanted)
    }
}
