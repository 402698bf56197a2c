//! Losses of pairs of views (Siamese cross-view network).

use candle_core::{Device, Tensor};
use data::loader::{Batch, TrainLoader};
use data::sample::Together;
use models::{Network, Outputs};
use nn::{ContrastiveLoss, PairDistance, Pass, Ranks};

use super::losses::sum_of_losses;
use super::together::cannot;
use crate::error::{Error, Result};
use crate::inputs::inputs_of;
use crate::record::ContrastiveScale;
use plan::PairsPlan;

/// The losses that pairs are trained with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct PairLosses {
    softmax: bool,
    contrastive: Option<(PairDistance, ContrastiveScale)>,
}

/// Returns `true` for each similar pair of a batch.
pub(super) fn similar(batch: &Batch) -> Vec<bool> {
    batch.together.iter().map(|pair| *pair == Together::SameTimeSteps).collect()
}

impl PairLosses {
    /// Sets up the losses of a plan. The scale of the contrastive loss comes from the initial features, on `batches` of
    /// training pairs. Its margin and weight have no natural scale, since features have any length and number. Margin 1 is
    /// the mean distance of dissimilar pairs. Weight 1 makes the initial loss equal to that of a softmax layer that guesses
    /// among `classes`.
    pub(super) fn new(
        plan: PairsPlan,
        (network, device): (&dyn Network, &Device),
        classes: usize,
        batches: impl FnOnce() -> Result<TrainLoader>,
    ) -> Result<Self> {
        let Some(contrastive) = plan.contrastive else {
            return Ok(Self { softmax: plan.softmax, contrastive: None });
        };
        let distance = PairDistance::from(contrastive.distance);
        let mut pairs: Vec<(bool, Vec<f32>)> = Vec::new();
        for batch in batches()? {
            let batch = batch?;
            let known = similar(&batch);
            let inputs = inputs_of(batch.inputs, device).map_err(Error::network("looking at pairs"))?;
            let doing = "looking at pairs";
            let outputs = network.forward(&inputs, &Pass::eval()).map_err(Error::network(doing))?;
            let features = named(&outputs).and_then(|features| Ok(features.to_vec2::<f32>()?));
            let features = features.map_err(Error::network(doing))?;
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
        let features = Tensor::from_vec(features.concat(), (vectors, width), &Device::Cpu)
            .map_err(Error::network("finding the scale of the contrastive loss"))?;
        let loss =
            nn::contrastive_loss(&features, ContrastiveLoss::new(known, margin, distance), &Pass::eval())
                .and_then(|loss| Ok(loss.to_scalar::<f32>()?))
                .map_err(Error::network("finding the scale of the contrastive loss"))?;
        if !(loss.is_finite() && loss > 0.0) {
            return Err(lost(
                "it is zero or not finite at the start; choose a different [shared.contrastive] margin",
            ));
        }
        let guessing = (classes.max(2) as f64).ln();
        let weight = (contrastive.weight * guessing / f64::from(loss)) as f32;
        Ok(Self { softmax: plan.softmax, contrastive: Some((distance, ContrastiveScale { margin, weight })) })
    }

    /// Takes the scale that the first rank found, since different processors may round differently.
    pub(super) fn of_first(self, ranks: &Ranks) -> Result<Self> {
        let Some((distance, own)) = self.contrastive else { return Ok(self) };
        if ranks.is_alone() {
            return Ok(self);
        }
        let bytes = [own.margin.to_le_bytes(), own.weight.to_le_bytes()].concat();
        let bytes = ranks.broadcast(bytes).map_err(cannot)?;
        let &[a, b, c, d, e, f, g, h] = &bytes[..] else {
            return Err(Error::Ranks(format!("received a scale of {} bytes, expected 8", bytes.len())));
        };
        let scale = ContrastiveScale {
            margin: f32::from_le_bytes([a, b, c, d]),
            weight: f32::from_le_bytes([e, f, g, h]),
        };
        Ok(Self { contrastive: Some((distance, scale)), ..self })
    }

    /// Returns the scale of the contrastive loss.
    pub(super) fn scale(&self) -> Option<ContrastiveScale> {
        self.contrastive.map(|(_, scale)| scale)
    }

    /// Computes the sum of the losses of a batch of pairs. Both branches pass through the network as one batch: they share
    /// their weights, and their gradients are summed.
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
    Ok(features.ok_or_else(|| candle_core::Error::msg("the network returned no features"))?)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use data::DataError;
    use data::augment::Augmentation;
    use data::dataset::View;
    use data::inputs::FrameStack;
    use data::loader::{LabelledVideo, TrainConfig};
    use data::sample::{Pairs, SampleSpec};
    use data::source::{Direction, Field, Frame, VideoReader};
    use models::{Inputs, Modality};

    use super::*;
    use plan::ContrastivePlan;
    use plan::spec::Distance;

    /// A video of one grey frame.
    struct Grey(u8, std::ops::Range<usize>);

    impl VideoReader for Grey {
        fn segments(&self) -> &[std::ops::Range<usize>] {
            std::slice::from_ref(&self.1)
        }

        fn size(&self) -> (usize, usize) {
            (2, 2)
        }

        fn frames(&self) -> usize {
            1
        }

        fn field(&self, _: Direction, _: usize) -> std::result::Result<Field, DataError> {
            unreachable!("frames alone are read")
        }

        fn frame(&self, _: usize) -> std::result::Result<Frame, DataError> {
            Ok(Frame { width: 2, height: 2, rgb: vec![self.0; 12] })
        }
    }

    /// A network whose features are the grey level, repeated `times` times.
    struct Levels {
        times: usize,
    }

    impl Network for Levels {
        fn reads(&self) -> &[Modality] {
            &[Modality::RGB]
        }

        fn forward(&self, inputs: &Inputs, _: &Pass) -> models::Result<Outputs> {
            let rgb = inputs.get(Modality::RGB).ok_or_else(|| candle_core::Error::msg("no frames"))?;
            let level = rgb.flatten_from(1)?.narrow(1, 0, 1)?;
            let features = level.repeat((1, self.times))?;
            Ok(Outputs { heads: Vec::new(), features: Some(features), attention: None })
        }
    }

    /// Two classes of two events each, in two views that differ by one grey level.
    fn batches(levels: [u8; 4]) -> TrainLoader {
        let video = |i: usize| LabelledVideo {
            id: i.to_string(),
            label: (i / 4) as u32,
            view: Some(View { event: (i / 2).to_string(), number: i % 2, group: String::new() }),
            source: Arc::new(Grey(levels[i / 2] + (i % 2) as u8, 0..1)),
        };
        let videos: Vec<LabelledVideo> = (0..8).map(video).collect();
        let sampler = Pairs::new(videos.iter().map(|video| (video.label, video.view.as_ref())), 3).unwrap();
        let config = TrainConfig {
            sample: SampleSpec::single(FrameStack { length: 1, stride: 1, mean: None, scale: [1.0; 3] }),
            size: (2, 2),
            batch: 40,
            places: None,
            augmentation: Augmentation::random_crops(false),
            seed: 1,
            depth: 1,
            workers: 1,
        };
        TrainLoader::with_sampler(videos, Box::new(sampler), &config, 0..4).unwrap()
    }

    fn scale(distance: Distance, margin: f64, times: usize) -> ContrastiveScale {
        let contrastive = Some(ContrastivePlan { distance, margin, weight: 1.0 });
        let plan = PairsPlan { dissimilar: 3, softmax: true, contrastive };
        let losses =
            PairLosses::new(plan, (&Levels { times }, &Device::Cpu), 2, || Ok(batches([10, 14, 30, 40])))
                .unwrap();
        losses.scale().unwrap()
    }

    #[test]
    fn the_scale_comes_from_the_features() {
        // Levels of the classes are 16 to 30 apart, 23 on the average.
        let plain = scale(Distance::L2, 1.0, 1);
        assert!((21.5..24.5).contains(&plain.margin), "{plain:?}");
        // With one feature, both distances are equal.
        assert_eq!(scale(Distance::L1, 1.0, 1), plain);
        assert!((scale(Distance::L2, 2.0, 1).margin / plain.margin - 2.0).abs() < 1e-5);
        // Four equal features: L1 is four times as large, L2 twice, and the weight compensates for the size.
        assert!((scale(Distance::L1, 1.0, 4).margin / plain.margin - 4.0).abs() < 1e-5);
        let doubled = scale(Distance::L2, 1.0, 4);
        assert!((doubled.margin / plain.margin - 2.0).abs() < 1e-5);
        assert!((doubled.weight * 4.0 / plain.weight - 1.0).abs() < 1e-4);
    }

    #[test]
    fn at_the_start_it_is_as_large_as_guessing() {
        let ContrastiveScale { margin, weight } = scale(Distance::L2, 1.0, 1);
        let (mut sum, mut count) = (0.0, 0.0);
        for batch in batches([10, 14, 30, 40]) {
            let batch = batch.unwrap();
            let known = similar(&batch);
            let inputs = inputs_of(batch.inputs, &Device::Cpu).unwrap();
            let outputs = Levels { times: 1 }.forward(&inputs, &Pass::eval()).unwrap();
            let plan = (PairDistance::L2, ContrastiveScale { margin, weight });
            let losses = PairLosses { softmax: false, contrastive: Some(plan) };
            let loss = losses.sum(&outputs, &[], known, &Pass::eval()).unwrap();
            sum += f64::from(loss.to_scalar::<f32>().unwrap());
            count += 1.0;
        }
        assert!((sum / count - 2.0_f64.ln()).abs() < 1e-4, "{}", sum / count);
    }

    #[test]
    fn features_that_tell_nothing_apart_have_no_scale() {
        let contrastive = Some(ContrastivePlan { distance: Distance::L2, margin: 1.0, weight: 1.0 });
        let plan = PairsPlan { dissimilar: 3, softmax: true, contrastive };
        let constant = |levels| {
            PairLosses::new(plan, (&Nothing, &Device::Cpu), 2, || Ok(batches(levels)))
                .unwrap_err()
                .to_string()
        };
        assert!(constant([1, 2, 3, 4]).contains("start from weights that tell them apart"));
    }

    /// All features are zero.
    struct Nothing;

    impl Network for Nothing {
        fn reads(&self) -> &[Modality] {
            &[Modality::RGB]
        }

        fn forward(&self, inputs: &Inputs, _: &Pass) -> models::Result<Outputs> {
            let samples = inputs.get(Modality::RGB).map_or(Ok(0), |rgb| rgb.dim(0))?;
            let features = Tensor::zeros((samples, 3), candle_core::DType::F32, &Device::Cpu)?;
            Ok(Outputs { heads: Vec::new(), features: Some(features), attention: None })
        }
    }
}
