//! Losses of pairs of views (Siamese cross-view network).

use candle_core::Tensor;
use data::loader::{Batch, TrainLoader};
use data::sample::Together;
use models::{Network, Outputs};
use nn::{ContrastiveLoss, PairDistance, Pass};

use super::{inputs_of, network_error, sum_of_losses};
use crate::error::{Error, Result};
use crate::plan::PairsPlan;
use crate::record::ContrastiveScale;

/// What is learnt from pairs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PairLosses {
    softmax: bool,
    contrastive: Option<(PairDistance, ContrastiveScale)>,
}

/// Which pairs of a batch are similar.
pub(super) fn similar(batch: &Batch) -> Vec<bool> {
    batch.together.iter().map(|pair| *pair == Together::SameMoments).collect()
}

impl PairLosses {
    /// The losses of a plan. The contrastive one gets its scale from the features with which the training starts, on
    /// `batches` of training pairs: neither its margin nor its weight has a natural size, since features may be of any
    /// length and number. Margin 1 is the mean distance of dissimilar pairs, and weight 1 makes the loss as large at the start
    /// as that of a softmax layer that guesses among `classes`.
    pub(super) fn new(
        plan: PairsPlan,
        network: &dyn Network,
        classes: usize,
        batches: TrainLoader,
    ) -> Result<Self> {
        let Some(contrastive) = plan.contrastive else {
            return Ok(Self { softmax: plan.softmax, contrastive: None });
        };
        let distance = PairDistance::from(contrastive.distance);
        let mut pairs: Vec<(bool, Vec<f32>)> = Vec::new();
        for batch in batches {
            let batch = batch?;
            let known = similar(&batch);
            let inputs = inputs_of(network, batch.inputs).map_err(Error::tensor("looking at pairs"))?;
            let doing = "looking at pairs";
            let outputs = network.forward(&inputs, &Pass::eval()).map_err(network_error(doing))?;
            let features = named(&outputs).and_then(|features| Ok(features.to_vec2::<f32>()?));
            let features = features.map_err(network_error(doing))?;
            pairs.extend(known.into_iter().zip(features.chunks_exact(2).map(<[_]>::concat)));
        }
        let apart = pairs.iter().filter(|(similar, _)| !similar);
        let (sum, count) = apart.fold((0.0, 0usize), |(sum, count), (_, pair)| {
            let (x, y) = pair.split_at(pair.len() / 2);
            (sum + distance.of(x, y), count + 1)
        });
        let margin = (contrastive.margin * sum / count.max(1) as f64) as f32;
        let lost = |message: &str| Error::Network {
            doing: "finding the scale of the contrastive loss".into(),
            message: message.into(),
        };
        if !(margin.is_finite() && margin > 0.0) {
            return Err(lost(
                "the features of different videos are equal or not finite; start from weights that tell them apart",
            ));
        }
        let width = pairs[0].1.len() / 2;
        let (known, features): (Vec<bool>, Vec<Vec<f32>>) = pairs.into_iter().unzip();
        let vectors = 2 * known.len();
        let features = Tensor::from_vec(features.concat(), (vectors, width), &candle_core::Device::Cpu)
            .map_err(Error::tensor("finding the scale of the contrastive loss"))?;
        let loss =
            nn::contrastive_loss(&features, ContrastiveLoss::new(known, margin, distance), &Pass::eval())
                .and_then(|loss| Ok(loss.to_scalar::<f32>()?))
                .map_err(network_error("finding the scale of the contrastive loss"))?;
        if !(loss.is_finite() && loss > 0.0) {
            return Err(lost(
                "it is nothing, or not finite, at the start; choose another [shared.contrastive] margin",
            ));
        }
        let guessing = (classes.max(2) as f64).ln();
        let weight = (contrastive.weight * guessing / f64::from(loss)) as f32;
        Ok(Self { softmax: plan.softmax, contrastive: Some((distance, ContrastiveScale { margin, weight })) })
    }

    /// The scale of the contrastive loss.
    pub(super) fn scale(&self) -> Option<ContrastiveScale> {
        self.contrastive.map(|(_, scale)| scale)
    }

    /// The sum of the losses of a batch of pairs, both branches of which went through the network as one batch: one set of
    /// weights, and their gradients are summed.
    pub(super) fn sum(
        &self,
        outputs: &Outputs,
        labels: &[Vec<u32>],
        similar: Vec<bool>,
        pass: &Pass,
    ) -> models::Result<Tensor> {
        let mut losses = Vec::with_capacity(2);
        if self.softmax {
            losses.push(sum_of_losses(&outputs.heads, labels, pass)?);
        }
        if let Some((distance, ContrastiveScale { margin, weight })) = self.contrastive {
            let loss = ContrastiveLoss::new(similar, margin, distance).weighted(weight);
            losses.push(nn::contrastive_loss(named(outputs)?, loss, pass)?);
        }
        Ok(nn::sum_of_losses(&losses, pass)?)
    }
}

fn named(outputs: &Outputs) -> models::Result<&Tensor> {
    let features = outputs.features.as_ref();
    Ok(features.ok_or_else(|| candle_core::Error::msg("the network names no features"))?)
}
