//! The loss of a network's softmax layers.

use candle_core::Tensor;
use nn::Pass;

/// Computes the sum of all softmax layers' losses. A batch contains the samples of all tasks, one task after the other. Each
/// softmax layer learns from the samples of its own task (Two-Stream ConvNets, Sect. 4).
pub(super) fn sum_of_losses(
    heads: &[models::Head],
    labels: &[Vec<u32>],
    pass: &Pass,
) -> models::Result<Tensor> {
    let mut losses = Vec::with_capacity(heads.len());
    for head in heads {
        losses.push(match labels {
            [labels] => nn::softmax_cross_entropy(&head.logits, labels, pass)?,
            _ => {
                let own = |(task, labels): (usize, &Vec<u32>)| {
                    labels.iter().map(|&label| (head.task == task).then_some(label)).collect::<Vec<_>>()
                };
                let labels: Vec<Option<u32>> = labels.iter().enumerate().flat_map(own).collect();
                nn::softmax_cross_entropy_of(&head.logits, &labels, pass)?
            }
        });
    }
    Ok(nn::sum_of_losses(&losses, pass)?)
}

#[cfg(test)]
mod tests {
    use candle_core::Device;
    use testkit::values;

    use super::*;

    /// Two softmax layers of one task both learn from every sample; those of two tasks each learn from their own.
    #[test]
    fn every_softmax_layer_has_a_loss() {
        let logits = |values: [f32; 4]| Tensor::from_vec(values.to_vec(), (2, 2), &Device::Cpu).unwrap();
        let (a, b) = (logits([2.0, 0.0, 0.0, 1.0]), logits([0.0, 3.0, 0.5, 0.0]));
        let heads = |tasks: [usize; 2]| {
            let head = |(logits, task): (&Tensor, usize)| models::Head {
                name: format!("head of {task}"),
                logits: logits.clone(),
                task,
            };
            [&a, &b].into_iter().zip(tasks).map(head).collect::<Vec<_>>()
        };
        let pass = Pass::eval();
        let sum =
            |tasks, labels: &[Vec<u32>]| values(&sum_of_losses(&heads(tasks), labels, &pass).unwrap())[0];
        let cross_entropy = |[x, y]: [f32; 2]| (1.0 + (y - x).exp()).ln();
        let [a0, a1] = [[2.0, 0.0], [1.0, 0.0]].map(cross_entropy);
        let [b0, b1] = [[0.0, 3.0], [0.0, 0.5]].map(cross_entropy);
        let both = sum([0, 0], &[vec![0, 1]]);
        assert!((both - (a0 + a1) / 2.0 - (b0 + b1) / 2.0).abs() < 1e-6, "{both}");
        // The first sample is of the first task, the second of the other.
        let apart = sum([0, 1], &[vec![0], vec![1]]);
        assert!((apart - a0 - b1).abs() < 1e-6, "{apart}");
    }
}
