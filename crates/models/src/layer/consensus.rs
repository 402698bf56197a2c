//! Layers that join the class scores of a clip's time steps.

use nn::{AttentionOverTime, Pass, WeightedOverTime};

use super::{Facts, Layer, Shape, runs};
use crate::consensus::Consensus;

impl Layer {
    /// Makes a layer that joins the class scores of a clip of `segments` time steps, (B T, K) to (B, K). Attention also reads
    /// the features of the same time steps, as a second input. A clip may have another number of time steps than `segments`,
    /// see [`nn::WeightedOverTime`]; the mean of the largest scores then takes the same share of them, rounded, at least one.
    pub fn consensus(consensus: Consensus, segments: usize) -> Self {
        let measure = move |inputs: &[&Shape]| {
            let (scores, features) = match (consensus, inputs) {
                (Consensus::Attention, &[scores, features]) => (scores, Some(features)),
                (Consensus::Attention, _) => return Err("expected class scores and features".into()),
                (_, &[scores]) => (scores, None),
                (_, inputs) => return Err(format!("expected 1 input, found {}", inputs.len())),
            };
            let Some(time_steps) = scores.time_steps else {
                return Err("expected a clip, found a single time step".into());
            };
            let vector = |shape: &Shape| match shape.each[..] {
                [size] if shape.time_steps == Some(time_steps) => Ok(size),
                _ => Err(format!(
                    "expected a vector at each of {time_steps} time steps, found {:?}",
                    shape.dims()
                )),
            };
            let classes = vector(scores)?;
            let features = features.map(vector).transpose()?;
            if let Consensus::Top(count) = consensus
                && !(1..=segments).contains(&count)
            {
                return Err(format!(
                    "the {count} largest of {segments} time steps; expected 1 to {segments}"
                ));
            }
            let products = match consensus {
                Consensus::Weighted => time_steps.saturating_mul(classes),
                Consensus::Attention => {
                    time_steps.saturating_mul(classes.saturating_add(features.unwrap_or(0)))
                }
                Consensus::Average | Consensus::Maximum | Consensus::Top(_) => 0,
            };
            Ok(Facts {
                operation: format!("{} over {time_steps} time steps", consensus.words()),
                output: Shape { each: vec![classes], time_steps: None },
                parameters: match consensus {
                    Consensus::Weighted => segments,
                    Consensus::Attention => features.unwrap_or(0),
                    Consensus::Average | Consensus::Maximum | Consensus::Top(_) => 0,
                },
                multiply_adds: products as u64,
            })
        };
        Self::new(measure, move |inputs, builder| {
            let steps = |rows: usize, batch: usize| rows / batch.max(1);
            match consensus {
                Consensus::Average => {
                    runs(move |x, batch, pass| nn::mean_over_time(x[0], steps(x[0].dim(0)?, batch), pass))
                }
                Consensus::Maximum => {
                    runs(move |x, batch, pass| nn::largest_over_time(x[0], steps(x[0].dim(0)?, batch), pass))
                }
                Consensus::Top(count) => runs(move |x, batch, pass: &Pass| {
                    let time_steps = steps(x[0].dim(0)?, batch);
                    nn::top_over_time(x[0], time_steps, share(count, segments, time_steps), pass)
                }),
                Consensus::Weighted => {
                    let weighted = WeightedOverTime::new(builder, segments)?;
                    runs(move |x, batch, pass| weighted.forward(x[0], steps(x[0].dim(0)?, batch), pass))
                }
                Consensus::Attention => {
                    let attention = AttentionOverTime::new(builder, inputs[1].each[0])?;
                    runs(move |x, batch, pass| {
                        attention.forward(x[0], x[1], steps(x[0].dim(0)?, batch), pass)
                    })
                }
            }
        })
    }
}

/// Returns how many of `time_steps` are the same share as `count` of `segments`, rounded half up; at least 1.
fn share(count: usize, segments: usize, time_steps: usize) -> usize {
    ((2 * count * time_steps + segments) / (2 * segments)).clamp(1, time_steps.max(1))
}

#[cfg(test)]
mod tests {
    use super::share;

    #[test]
    fn a_longer_clip_has_as_large_a_share_of_largest_scores() {
        let shares = [(3, 7, 7), (3, 7, 25), (1, 3, 25), (3, 3, 25), (3, 7, 1), (1, 9, 4)];
        assert_eq!(shares.map(|(count, of, steps)| share(count, of, steps)), [3, 11, 8, 25, 1, 1]);
    }
}
