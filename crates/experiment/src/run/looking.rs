//! Outputs of a trained net for single crops of its test videos: for pictures, not for scores.

use candle_core::Device;
use data::loader::{Crops, LabelledVideo, TestConfig, TestViews};
use models::{Network, Outputs};
use nn::Pass;

use super::graph::StepId;
use super::job::Job;
use crate::error::{Error, Result};
use crate::inputs::inputs_of;
use crate::train::{WEIGHTS, build};
use plan::NetPlan;

/// A trained net, ready for inputs.
pub(super) struct Seeing<'a> {
    net: &'a NetPlan,
    network: Box<dyn Network>,
}

/// One view of a video and the network's outputs.
pub(super) struct Look {
    /// The frame that the network sees, three bytes per pixel; the first frame of a clip.
    pub(super) colours: Option<Vec<u8>>,
    pub(super) outputs: Outputs,
}

impl Job<'_> {
    /// Loads a trained net.
    pub(super) fn seeing<'a>(&self, net: &'a NetPlan, seed: u64, trained: StepId) -> Result<Seeing<'a>> {
        let (params, network) = build(net, seed, &Device::Cpu)?;
        let weights = self.graph.unit(trained).verified(WEIGHTS)?;
        params.load(&weights).map_err(Error::network("loading the trained weights"))?;
        Ok(Seeing { net, network })
    }
}

impl Seeing<'_> {
    /// Runs the network on central crops of a video at equal distances in time.
    pub(super) fn look(&self, video: &LabelledVideo, positions: usize) -> Result<Vec<Look>> {
        let Self { net, network } = self;
        let config = TestConfig {
            sample: net.sample.clone(),
            size: (net.crop, net.crop),
            frames: positions,
            crops: Crops::Center,
        };
        let mut looks = Vec::with_capacity(positions);
        for view in TestViews::new(&video.id, &*video.source, &config, 1)? {
            let inputs = view?.inputs;
            let colours = net.inputs().find_map(|input| {
                let seen = inputs.get(&input.modality())?;
                input.colours(&seen.data[..seen.shape[2..].iter().product()])
            });
            let inputs = inputs_of(inputs, &Device::Cpu)
                .map_err(Error::network(format!("the views of {}", video.id)))?;
            let outputs =
                network.forward(&inputs, &Pass::eval()).map_err(Error::network("looking at a video"))?;
            looks.push(Look { colours, outputs });
        }
        Ok(looks)
    }

    /// Returns the classifier's input, averaged over these crops, if the network exposes it.
    pub(super) fn features(&self, video: &LabelledVideo, positions: usize) -> Result<Option<Vec<f32>>> {
        let looks = self.look(video, positions)?;
        let count = looks.len() as f32;
        let mut mean: Vec<f32> = Vec::new();
        for look in looks {
            let Some(read) = look.outputs.features else { return Ok(None) };
            let read = read.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
            let read = read.map_err(Error::network("reading the features"))?;
            mean.resize(read.len(), 0.0);
            mean.iter_mut().zip(read).for_each(|(mean, value)| *mean += value / count);
        }
        Ok(Some(mean))
    }
}
