//! Softmax and the mean cross-entropy with its gradient in closed form.

use candle_core::{CpuStorage, CustomOp1, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::check;

/// Mean over the batch of `-ln softmax(logits)[label]`, a scalar.
///
/// `logits` is (B, K); `labels` holds B class numbers below K.
///
/// # Errors
/// If the shapes do not fit, the batch is empty, or a label is K or more.
pub fn softmax_cross_entropy(logits: &Tensor, labels: &[u32]) -> Result<Tensor> {
    let op = "softmax-cross-entropy";
    check::float(op, "the logits", logits)?;
    let &[batch, classes] = logits.dims() else {
        bail!("{op}: the logits have shape {:?}, expected (B, K)", logits.dims());
    };
    if batch == 0 || batch != labels.len() {
        bail!("{op}: {} labels for a batch of {batch}", labels.len());
    }
    if let Some(label) = labels.iter().find(|&&label| label as usize >= classes) {
        bail!("{op}: label {label} is out of range for {classes} classes");
    }
    logits.contiguous()?.apply_op1(CrossEntropy { labels: labels.to_vec() })
}

/// Softmax over the last dimension of (B, K). For scores: it takes no part in gradients.
///
/// # Errors
/// If the input is not a `f32` matrix.
pub fn softmax(logits: &Tensor) -> Result<Tensor> {
    check::float("softmax", "the logits", logits)?;
    if logits.rank() != 2 {
        bail!("softmax: the logits have shape {:?}, expected (B, K)", logits.dims());
    }
    logits.contiguous()?.apply_op1_no_bwd(&Softmax)
}

/// Writes the softmax of one row; the exponentials are summed in f64.
fn probabilities(logits: &[f32], out: &mut [f32]) {
    // `f32::max` would drop a NaN; a NaN must reach the loss.
    let largest = logits.iter().fold(f32::NEG_INFINITY, |a, &b| if b <= a { a } else { b });
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

struct Softmax;

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "softmax"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = check::values(self.name(), "the logits", storage, layout)?;
        let (_, classes) = layout.shape().dims2()?;
        let mut out = vec![0f32; logits.len()];
        let classes = classes.max(1);
        for (out, logits) in out.chunks_mut(classes).zip(logits.chunks(classes)) {
            probabilities(logits, out);
        }
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }
}

struct CrossEntropy {
    labels: Vec<u32>,
}

impl CustomOp1 for CrossEntropy {
    fn name(&self) -> &'static str {
        "softmax-cross-entropy"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let logits = check::values(self.name(), "the logits", storage, layout)?;
        let (batch, classes) = layout.shape().dims2()?;
        let mut loss = 0f64;
        for (row, &label) in logits.chunks(classes.max(1)).zip(&self.labels) {
            let largest = row.iter().fold(f32::NEG_INFINITY, |a, &b| if b <= a { a } else { b });
            let sum: f64 = row.iter().map(|&x| f64::from(x - largest).exp()).sum();
            loss += sum.ln() - f64::from(row[label as usize] - largest);
        }
        let mean = (loss / batch as f64) as f32;
        Ok((CpuStorage::F32(vec![mean]), Shape::from(())))
    }

    fn bwd(&self, arg: &Tensor, _res: &Tensor, grad_res: &Tensor) -> Result<Option<Tensor>> {
        let gradient = Gradient { labels: &self.labels };
        Ok(Some(arg.apply_op2_no_bwd(&grad_res.contiguous()?, &gradient)?))
    }
}

/// `(softmax - one-hot) / B`, times the gradient of the loss.
struct Gradient<'a> {
    labels: &'a [u32],
}

impl CustomOp2 for Gradient<'_> {
    fn name(&self) -> &'static str {
        "softmax-cross-entropy-gradient"
    }

    fn cpu_fwd(
        &self,
        s1: &CpuStorage,
        l1: &Layout,
        s2: &CpuStorage,
        l2: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let logits = check::values(self.name(), "the logits", s1, l1)?;
        let grad = check::values(self.name(), "the gradient", s2, l2)?;
        let (batch, classes) = l1.shape().dims2()?;
        let Some(&grad) = grad.first() else {
            bail!("{}: the gradient is empty, expected a scalar", self.name());
        };
        let scale = grad / batch as f32;
        let mut out = vec![0f32; logits.len()];
        let classes = classes.max(1);
        let rows = out.chunks_mut(classes).zip(logits.chunks(classes));
        for ((out, logits), &label) in rows.zip(self.labels) {
            probabilities(logits, out);
            out[label as usize] -= 1.0;
            for out in out.iter_mut() {
                *out *= scale;
            }
        }
        Ok((CpuStorage::F32(out), l1.shape().clone()))
    }
}
