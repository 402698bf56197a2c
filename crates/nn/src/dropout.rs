//! Dropout.

use candle_core::Tensor;

use crate::{Error, Pass, Result, random};

/// Inverted dropout: in training, values are zeroed with the given probability and the
/// others divided by the share that is kept; in evaluation nothing changes. A rank that
/// computes some rows of a batch draws those rows of the whole batch's mask.
#[derive(Debug, Clone, PartialEq)]
pub struct Dropout {
    name: String,
    probability: f64,
}

impl Dropout {
    /// Makes a layer whose masks depend on the seed of the pass and on `name`.
    ///
    /// # Errors
    /// If the probability is not from 0 to below 1.
    pub fn new(name: &str, probability: f64) -> Result<Self> {
        if !(0.0..1.0).contains(&probability) {
            return Err(Error::setting(
                format!("dropout of `{name}`"),
                probability,
                "at least 0 and below 1",
            ));
        }
        Ok(Self { name: name.to_owned(), probability })
    }

    /// Maps any shape to the same shape.
    ///
    /// # Errors
    /// If the input is not `f32`.
    pub fn forward(&self, x: &Tensor, pass: &Pass) -> Result<Tensor> {
        if !pass.is_training() || self.probability == 0.0 {
            return Ok(x.clone());
        }
        let keep = 1.0 - self.probability;
        let generator = random::generator("dropout", pass.seed(), &self.name);
        let kept = (1.0 / keep) as f32;
        let mask = match pass.share() {
            None => random::mask(&generator, keep, kept, 0..x.elem_count()),
            Some(share) => {
                let ranges = share.ranges(x.elem_count())?.into_iter();
                ranges.flat_map(|range| random::mask(&generator, keep, kept, range)).collect()
            }
        };
        pass.apply(kernels::Mask::new(mask), &[x])
    }
}
