//! Softmax and the mean cross-entropy with its gradient in closed form.

use candle_core::{Result, Tensor, bail};

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::check;
use crate::engine::forward;
use crate::op::Op;

/// Mean of `-ln softmax(logits)[label]` over the samples that have a label: input logits (B, K), output a scalar.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SoftmaxCrossEntropy {
    pub(crate) labels: Vec<Option<u32>>,
}

impl SoftmaxCrossEntropy {
    /// Creates the loss for the classes of a batch, numbers below K.
    pub fn new(labels: Vec<u32>) -> Self {
        Self::of_some(labels.into_iter().map(Some).collect())
    }

    /// Creates the loss for a batch in which some samples have no label: they are not counted, and the gradient of their
    /// logits is zero. At least one sample has a label.
    pub fn of_some(labels: Vec<Option<u32>>) -> Self {
        Self { labels }
    }

    /// Returns the number of samples with a label.
    pub(crate) fn count(&self) -> usize {
        self.labels.iter().flatten().count()
    }

    /// Checks the logits and returns K.
    pub(crate) fn classes(&self, logits: &impl Shaped) -> Result<usize> {
        let op = self.name();
        let classes = classes(op, logits)?;
        let batch = logits.dims()[0];
        if batch == 0 || batch != self.labels.len() {
            bail!("{op}: {} labels for a batch of {batch}", self.labels.len());
        }
        if self.count() == 0 {
            bail!("{op}: none of the {batch} samples has a label; expected at least one");
        }
        if let Some(label) = self.labels.iter().flatten().find(|&&label| label as usize >= classes) {
            bail!("{op}: label {label} is out of range for {classes} classes");
        }
        Ok(classes)
    }
}

impl Op for SoftmaxCrossEntropy {
    fn name(&self) -> &'static str {
        "softmax-cross-entropy"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [logits] = check::inputs(self.name(), inputs)?;
        let classes = self.classes(&logits)?;
        let mut loss = 0f64;
        for (row, label) in logits.data.chunks_exact(classes).zip(&self.labels) {
            let Some(label) = *label else { continue };
            let largest = largest(row);
            let sum: f64 = row.iter().map(|&x| f64::from(x - largest).exp()).sum();
            loss += sum.ln() - f64::from(row[label as usize] - largest);
        }
        Ok((vec![(loss / self.count() as f64) as f32], Vec::new()))
    }

    /// Computes `(softmax - one-hot) / (samples with a label)` times the gradient of the loss; zero for samples without one.
    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { inputs, gradient, .. } = *given;
        let [logits] = check::inputs(self.name(), inputs)?;
        let classes = self.classes(&logits)?;
        let &[gradient] = gradient.data else {
            bail!("{}: the gradient has shape {:?}, expected a scalar", self.name(), gradient.dims);
        };
        let scale = gradient / self.count() as f32;
        let mut out = vec![0f32; logits.data.len()];
        let rows = out.chunks_exact_mut(classes).zip(logits.data.chunks_exact(classes));
        for ((out, logits), label) in rows.zip(&self.labels) {
            let Some(label) = *label else { continue };
            probabilities(logits, out);
            out[label as usize] -= 1.0;
            for out in out.iter_mut() {
                *out *= scale;
            }
        }
        Ok(vec![Gradient::Values(out)])
    }
}

/// Computes the softmax over the last dimension of (B, K). For scores only: it has no gradient.
///
/// # Errors
/// If the input is not an `f32` matrix.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    forward(&Softmax, &[logits])
}

/// [`softmax`] as an operation, without a gradient.
#[derive(Debug)]
pub(crate) struct Softmax;

impl Op for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let [logits] = check::inputs(self.name(), inputs)?;
        let classes = classes(self.name(), &logits)?.max(1);
        let mut out = vec![0f32; logits.data.len()];
        for (out, logits) in out.chunks_exact_mut(classes).zip(logits.data.chunks_exact(classes)) {
            probabilities(logits, out);
        }
        Ok((out, logits.dims.to_vec()))
    }

    fn backward_cpu(&self, _given: &Backward<'_>) -> Result<Vec<Gradient>> {
        bail!("softmax: this operation has no gradient; use SoftmaxCrossEntropy for a loss")
    }
}

/// Returns K for logits (B, K).
pub(crate) fn classes(op: &str, logits: &impl Shaped) -> Result<usize> {
    match *logits.dims() {
        [_, classes] => Ok(classes),
        ref other => bail!("{op}: the logits have shape {other:?}, expected (B, K)"),
    }
}

/// Returns the maximum of a row. `f32::max` would drop NaN, which must reach the loss.
fn largest(row: &[f32]) -> f32 {
    row.iter().fold(f32::NEG_INFINITY, |a, &b| if b <= a { a } else { b })
}

/// Writes the softmax of one row; the exponentials are summed in f64.
fn probabilities(logits: &[f32], out: &mut [f32]) {
    let largest = largest(logits);
    let mut sum = 0f64;
    for (out, &logit) in out.iter_mut().zip(logits) {
        *out = (logit - largest).exp();
        sum += f64::from(*out);
    }
    let scale = 1.0 / sum;
    for out in out.iter_mut() {
        *out = (f64::from(*out) * scale) as f32;
    }
}
