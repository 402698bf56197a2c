//! What operations take and give: arrays, and gradients of inputs.

use candle_core::{Result, bail};

use crate::extent;

/// The values of one argument, row by row, and its shape: always as many values as the shape says, which
/// the unchecked reads of the inner loops rely on.
#[derive(Debug, Clone, Copy)]
pub struct Array<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) dims: &'a [usize],
}

impl<'a> Array<'a> {
    /// The values of a shape.
    ///
    /// # Errors
    /// If their number is not the product of the dimensions, or these are too large ([`crate::TooLarge`]).
    pub fn new(data: &'a [f32], dims: &'a [usize]) -> Result<Self> {
        if extent::values("an array", dims)? != data.len() {
            bail!("an array of shape {dims:?} was given {} values", data.len());
        }
        Ok(Self { data, dims })
    }

    /// The values, row by row.
    #[must_use]
    pub fn data(&self) -> &'a [f32] {
        self.data
    }

    /// The shape.
    #[must_use]
    pub fn dims(&self) -> &'a [usize] {
        self.dims
    }
}

/// What has a shape: all that checks look at, wherever the values are.
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
    /// It was not wanted, or the input is a constant of the operation.
    None,
    /// It equals the gradient of the output, value by value: nothing to compute, nothing to copy.
    OfOutput,
    /// Its values, in the order of the input.
    Values(V),
}

/// What a backward pass starts from: the forward pass's inputs and output, and the gradient of that output.
#[derive(Debug, Clone, Copy)]
pub struct Backward<'a, A = Array<'a>> {
    /// Of the forward pass.
    pub inputs: &'a [A],
    /// Of the forward pass.
    pub output: A,
    /// Of the output, and of its shape.
    pub gradient: A,
    /// The inputs whose gradients are wanted, at least one.
    pub wanted: &'a [bool],
}

impl<A> Backward<'_, A> {
    /// Whether the gradient of an input is wanted; of an input that there is not, it is not.
    pub(crate) fn wants(&self, input: usize) -> bool {
        self.wanted.get(input).is_some_and(|&wanted| wanted)
    }
}
