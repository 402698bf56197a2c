//! Operations after a bilinear layer: a signed square root, and normalisation of vectors.

use candle_core::{Result, bail};
use rayon::prelude::*;

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::elementwise::{combined, mapped};
use crate::op::Op;

/// `sign(x) (sqrt(|x| + epsilon) - sqrt(epsilon))` for one input of any shape.
///
/// The epsilon bounds the slope at zero, where that of the plain root is infinite, and keeps the function continuous.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SignedSqrt {
    /// Epsilon, above 0.
    pub epsilon: f32,
}

impl SignedSqrt {
    pub(crate) fn check(self) -> Result<()> {
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            bail!("{}: epsilon is {}, expected a number above 0", self.name(), self.epsilon);
        }
        Ok(())
    }
}

impl Op for SignedSqrt {
    fn name(&self) -> &'static str {
        "signed-sqrt"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        self.check()?;
        let [x] = check::inputs(self.name(), inputs)?;
        let (epsilon, at_zero) = (self.epsilon, self.epsilon.sqrt());
        let out = mapped(
            x.data,
            #[inline(always)]
            |x| ((x.abs() + epsilon).sqrt() - at_zero).copysign(x),
        );
        Ok((out, x.dims.to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        check::backward(self.name(), given, x.dims)?;
        let epsilon = self.epsilon;
        let out = combined(
            self.name(),
            given.gradient,
            x.data,
            #[inline(always)]
            |gradient, x| gradient * (0.5 / (x.abs() + epsilon).sqrt()),
        );
        Ok(vec![Gradient::Values(out?)])
    }
}

/// Divides every row of (..., C) by its root mean square, `sqrt(mean(x²) + epsilon)`: L2 normalisation to length
/// `sqrt(C)`, so that a value is of order one whatever C is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RmsNorm {
    /// Epsilon, above 0, for rows of zeros.
    pub epsilon: f64,
}

impl RmsNorm {
    /// Returns the length of a row, which is not 0.
    pub(crate) fn width(self, x: &impl Shaped) -> Result<usize> {
        if !(self.epsilon > 0.0 && self.epsilon.is_finite()) {
            bail!("{}: epsilon is {}, expected a number above 0", self.name(), self.epsilon);
        }
        match check::channels_last(self.name(), x)? {
            [_, 0] => bail!("{}: the input of shape {:?} has no channels", self.name(), x.dims()),
            [_, width] => Ok(width),
        }
    }

    /// Computes one over the root mean square.
    fn factor(self, row: &[f32]) -> f64 {
        let squares: f64 = row.iter().map(|&x| f64::from(x) * f64::from(x)).sum();
        1.0 / (squares / row.len() as f64 + self.epsilon).sqrt()
    }
}

impl Op for RmsNorm {
    fn name(&self) -> &'static str {
        "rms-norm"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [x] = check::inputs(self.name(), inputs)?;
        let width = self.width(&x)?;
        let mut out = x.data.to_vec();
        out.par_chunks_mut(width).for_each(|row| {
            let factor = self.factor(row) as f32;
            row.iter_mut().for_each(|x| *x *= factor);
        });
        Ok((out, x.dims.to_vec()))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let [x] = check::inputs(self.name(), given.inputs)?;
        let width = self.width(&x)?;
        check::backward(self.name(), given, x.dims)?;
        let mut out = given.gradient.data.to_vec();
        out.par_chunks_mut(width).zip(x.data.par_chunks(width)).for_each(|(out, x)| {
            let factor = self.factor(x);
            // With y = x r, r = 1 / rms: dx = r (g - y mean(g y)).
            let product: f64 = out.iter().zip(x).map(|(&g, &x)| f64::from(g) * f64::from(x)).sum();
            let along = product * factor * factor / width as f64;
            for (out, &x) in out.iter_mut().zip(x) {
                *out = (factor * (f64::from(*out) - f64::from(x) * along)) as f32;
            }
        });
        Ok(vec![Gradient::Values(out)])
    }
}
