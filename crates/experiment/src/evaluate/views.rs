//! A test, and the views of its videos: as inputs of the network, or as the features that its classifier reads.

use std::sync::mpsc::sync_channel;

use candle_core::Device;
use data::DataError;
use data::loader::{LabelledVideo, TestConfig, TestViews};
use models::{Inputs, Network};
use nn::Pass;
use plan::{Protocol, cost};

use crate::console::Console;
use crate::error::{Error, Result};
use crate::inputs::inputs_of;
use crate::interrupt::Interrupt;

/// A test to run: network, videos and protocol.
pub struct Test<'a> {
    /// A name for the progress bar.
    pub name: &'a str,
    /// The protocol of the test.
    pub protocol: &'a Protocol,
    /// The trained network.
    pub network: &'a dyn Network,
    /// The device of the network.
    pub device: &'a Device,
    /// The test videos of the split.
    pub videos: &'a [LabelledVideo],
    /// The videos to compare with: the training videos for nearest neighbours, the other views for pairs.
    pub others: &'a [LabelledVideo],
    /// Class names, in label order.
    pub classes: &'a [String],
    /// The split's name.
    pub split: &'a str,
    /// The training seed.
    pub seed: u64,
}

/// The views of one video, as batches of network inputs.
type Views = std::result::Result<Vec<Inputs>, Error>;

/// Calls `each` with the views of each video, in order. Reading and cropping run in parallel, a few videos ahead.
pub(super) fn for_each(
    test: &Test<'_>,
    videos: &[LabelledVideo],
    console: &Console,
    interrupt: &Interrupt,
    mut each: impl FnMut(&[Inputs]) -> Result<()>,
) -> Result<()> {
    let step = console.step(test.name, videos.len() as u64, 0);
    std::thread::scope(|scope| -> Result<()> {
        let (sender, receiver) = sync_channel::<Views>(cost::VIDEOS_AHEAD);
        scope.spawn(move || {
            for video in videos {
                // The receiver is gone if the test has ended early.
                if sender.send(views(video, test)).is_err() {
                    return;
                }
            }
        });
        for views in receiver {
            interrupt.check()?;
            each(&views?)?;
            step.advance(1);
        }
        Ok(())
    })
}

/// Computes the classifier's inputs for every view of each video, ordered by position in time, then by crop.
pub(super) fn features(
    test: &Test<'_>,
    videos: &[LabelledVideo],
    console: &Console,
    interrupt: &Interrupt,
) -> Result<Vec<Vec<Vec<f32>>>> {
    let mut all = Vec::with_capacity(videos.len());
    for_each(test, videos, console, interrupt, |views| {
        let mut of_video = Vec::new();
        let mut read = |inputs: &Inputs| -> models::Result<()> {
            let outputs = test.network.forward(inputs, &Pass::eval())?;
            let features = outputs.features;
            let features =
                features.ok_or_else(|| candle_core::Error::msg("the network returned no features"))?;
            of_video.extend(features.to_vec2::<f32>()?);
            if !of_video.iter().flatten().all(|value| value.is_finite()) {
                return Err(candle_core::Error::msg(
                    "its features are not finite, so its weights are unusable",
                )
                .into());
            }
            Ok(())
        };
        for inputs in views {
            read(inputs).map_err(Error::network("testing"))?;
        }
        all.push(of_video);
        Ok(())
    })?;
    Ok(all)
}

/// Computes the squared Euclidean distance of two vectors, summed in eight lanes.
pub(super) fn squared_distance(a: &[f32], b: &[f32]) -> f32 {
    let mut lanes = [0.0_f32; 8];
    let (a, b) = (a.chunks_exact(8), b.chunks_exact(8));
    let rest: f32 = a.remainder().iter().zip(b.remainder()).map(|(a, b)| (a - b) * (a - b)).sum();
    for (a, b) in a.zip(b) {
        for (lane, (a, b)) in lanes.iter_mut().zip(a.iter().zip(b)) {
            *lane += (a - b) * (a - b);
        }
    }
    lanes.iter().sum::<f32>() + rest
}

fn views(video: &LabelledVideo, test: &Test<'_>) -> Views {
    let Protocol { net, test: views } = test.protocol;
    let (sample, frames) = test.protocol.tested();
    let limit = cost::Views::of(test.protocol).at_once;
    let config = TestConfig { sample, size: (net.crop, net.crop), frames, crops: views.crops };
    TestViews::new(&video.id, &*video.source, &config, limit)?
        .map(|batch: std::result::Result<_, DataError>| {
            inputs_of(batch?.inputs, test.device)
                .map_err(Error::network(format!("making the views of {}", video.id)))
        })
        .collect()
}
