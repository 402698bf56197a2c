//! Brings batches from the loaders to the network.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use base::Modality;
use candle_core::{Device, Tensor};
use data::loader::{Batch, TrainLoader};
use models::Inputs;
use nn::{Sent, Upload};

use super::pairs;
use crate::error::{Error, Result};

/// The data of one step: one batch of each task, joined.
pub(super) struct Fed {
    /// The inputs of all tasks, one task after the other.
    pub(super) inputs: Inputs,
    /// The labels of each task.
    pub(super) labels: Vec<Vec<u32>>,
    /// True for each similar pair; empty unless samples are pairs.
    pub(super) similar: Vec<bool>,
}

/// Takes batches from the loaders of all tasks and copies them to the device. If copying can overlap with computing, the
/// next ones are copied while a step is computed.
pub(super) struct Feed {
    loaders: Vec<TrainLoader>,
    upload: Upload,
    ahead: Option<Vec<OnTheWay>>,
    waited: Duration,
}

/// A task's batch that is being copied.
struct OnTheWay {
    inputs: BTreeMap<Modality, Sent>,
    labels: Vec<u32>,
    similar: Vec<bool>,
}

impl Feed {
    pub(super) fn new(loaders: Vec<TrainLoader>, device: &Device) -> Result<Self> {
        let upload = Upload::new(device).map_err(Error::network("setting up the copies to the device"))?;
        Ok(Self { loaders, upload, ahead: None, waited: Duration::ZERO })
    }

    /// Returns the next batch of every task.
    pub(super) fn next(&mut self) -> Result<Fed> {
        let batches = match self.ahead.take() {
            Some(batches) => batches,
            None => self.send()?,
        };
        let mut tensors: BTreeMap<Modality, Vec<Tensor>> = BTreeMap::new();
        let (mut of_tasks, mut of_pairs) = (Vec::new(), Vec::new());
        for OnTheWay { inputs, labels, similar } in batches {
            for (modality, sent) in inputs {
                let tensor = self.upload.receive(sent);
                let tensor = tensor.map_err(Error::network("bringing a batch to the device"))?;
                tensors.entry(modality).or_default().push(tensor);
            }
            of_tasks.push(labels);
            of_pairs.extend(similar);
        }
        let inputs = tensors.into_iter().map(|(modality, parts)| Ok((modality, joined(parts)?)));
        let inputs = inputs.collect::<candle_core::Result<_>>();
        let inputs = inputs.map_err(Error::network("joining the batches of several tasks"))?;
        Ok(Fed { inputs, labels: of_tasks, similar: of_pairs })
    }

    /// Starts copying the batches after this, if that saves time and there are any.
    pub(super) fn send_ahead(&mut self, more: bool) -> Result<()> {
        if more && self.upload.overlaps() && self.ahead.is_none() {
            self.ahead = Some(self.send()?);
        }
        Ok(())
    }

    /// Returns the time spent waiting for the loaders.
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
            let mut inputs = BTreeMap::new();
            for (&modality, input) in &mut batch.inputs {
                let shape = input.shape;
                let one = self.upload.send(&mut input.data, &shape);
                inputs.insert(modality, one.map_err(Error::network("bringing a batch to the device"))?);
            }
            sent.push(OnTheWay { inputs, labels: std::mem::take(&mut batch.labels), similar });
            // The memory of the batch is reused.
            loader.recycle(batch);
        }
        Ok(sent)
    }
}

/// Joins the batches of several tasks, one after the other.
fn joined(mut parts: Vec<Tensor>) -> candle_core::Result<Tensor> {
    if parts.len() == 1 { Ok(parts.remove(0)) } else { Tensor::cat(&parts, 0) }
}
