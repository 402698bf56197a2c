//! Batches on their way from the loaders to the network.

use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use data::loader::{Batch, TrainLoader};
use models::{Inputs, Modality, Network};
use nn::{Sent, Upload};

use super::pairs;
use crate::error::{Error, Result};

/// What a step learns from: one batch of each task, together.
pub(super) struct Fed {
    /// The inputs of all tasks, one task after the other.
    pub(super) inputs: Inputs,
    /// The labels of each task.
    pub(super) labels: Vec<Vec<u32>>,
    /// Of pairs, which are similar.
    pub(super) similar: Vec<bool>,
}

/// Takes batches from the loaders of all tasks and brings them to the device. Where copying overlaps with computing, the
/// next ones are on their way while a step is computed.
pub(super) struct Feed {
    loaders: Vec<TrainLoader>,
    modalities: Vec<Modality>,
    upload: Upload,
    ahead: Option<Vec<OnTheWay>>,
    waited: Duration,
}

/// A task's batch, sent.
struct OnTheWay {
    inputs: Vec<Sent>,
    labels: Vec<u32>,
    similar: Vec<bool>,
}

impl Feed {
    pub(super) fn new(loaders: Vec<TrainLoader>, network: &dyn Network, device: &Device) -> Result<Self> {
        let upload = Upload::new(device).map_err(Error::network("setting up the copies to the device"))?;
        Ok(Self {
            loaders,
            modalities: network.reads().to_vec(),
            upload,
            ahead: None,
            waited: Duration::ZERO,
        })
    }

    /// The next batch of every task.
    pub(super) fn next(&mut self) -> Result<Fed> {
        let batches = match self.ahead.take() {
            Some(batches) => batches,
            None => self.send()?,
        };
        let mut fed = Fed { inputs: Inputs::default(), labels: Vec::new(), similar: Vec::new() };
        let mut parts: Vec<Inputs> = Vec::with_capacity(batches.len());
        for OnTheWay { inputs, labels, similar } in batches {
            let mut part = Inputs::default();
            for (sent, &modality) in inputs.into_iter().zip(&self.modalities) {
                let tensor = self.upload.receive(sent);
                part.insert(modality, tensor.map_err(Error::network("bringing a batch to the device"))?);
            }
            parts.push(part);
            fed.labels.push(labels);
            fed.similar.extend(similar);
        }
        fed.inputs = together(parts).map_err(Error::network("joining the batches of several tasks"))?;
        Ok(fed)
    }

    /// Sends the batches after this, if that saves time and there are any.
    pub(super) fn send_ahead(&mut self, more: bool) -> Result<()> {
        if more && self.upload.overlaps() && self.ahead.is_none() {
            self.ahead = Some(self.send()?);
        }
        Ok(())
    }

    /// The time that went by because the loaders were not ready.
    pub(super) fn waited(&self) -> Duration {
        self.waited
    }

    fn send(&mut self) -> Result<Vec<OnTheWay>> {
        let mut sent = Vec::with_capacity(self.loaders.len());
        for loader in &mut self.loaders {
            let begun = Instant::now();
            let Some(batch) = loader.next() else { continue };
            self.waited += begun.elapsed();
            let mut batch: Batch = batch?;
            let similar = pairs::similar(&batch);
            let mut inputs = Vec::with_capacity(batch.inputs.len());
            for input in &mut batch.inputs {
                let shape = input.shape;
                let one = self.upload.send(&mut input.data, &shape);
                inputs.push(one.map_err(Error::network("bringing a batch to the device"))?);
            }
            sent.push(OnTheWay { inputs, labels: std::mem::take(&mut batch.labels), similar });
            // What was copied is written into again.
            loader.recycle(batch);
        }
        Ok(sent)
    }
}

/// The inputs of a network from those of batches, one batch after the other.
fn together(mut parts: Vec<Inputs>) -> candle_core::Result<Inputs> {
    if parts.len() == 1 {
        return Ok(parts.remove(0));
    }
    let Some(first) = parts.first() else { return Ok(Inputs::default()) };
    let all = |(modality, _): (Modality, &Tensor)| {
        let parts: Vec<&Tensor> = parts.iter().filter_map(|part| part.get(modality)).collect();
        Ok((modality, Tensor::cat(&parts, 0)?))
    };
    first.iter().map(all).collect()
}
