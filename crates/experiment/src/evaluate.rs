//! The test of a trained net: the mean softmax over frames, crops and, of a network of two streams, both.

use std::sync::mpsc::sync_channel;

use data::DataError;
use data::loader::{LabelledVideo, TestConfig, TestViews};
use models::{Inputs, Network};
use nn::Pass;

use crate::console::Console;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::plan::Protocol;
use crate::scores::Scores;
use crate::train::{inputs_of, network_error};

/// Moments of views that go through the network at once; one view at least.
const BATCH: usize = 64;

/// Videos whose views are made ahead of their use.
const PREFETCH: usize = 2;

/// What is tested.
pub struct Test<'a> {
    /// A name for the progress bar.
    pub name: &'a str,
    /// How.
    pub protocol: &'a Protocol,
    /// The trained network.
    pub network: &'a dyn Network,
    /// The test videos of the split.
    pub videos: &'a [LabelledVideo],
    /// Class names, in label order.
    pub classes: &'a [String],
    /// The split's name.
    pub split: &'a str,
    /// The training seed.
    pub seed: u64,
}

/// The views of one video, as batches of network inputs.
type Views = std::result::Result<Vec<Inputs>, Error>;

/// Scores every test video.
///
/// # Errors
/// Whatever data or tensors report, [`Error::Interrupted`].
pub fn evaluate(test: &Test<'_>, console: &Console, interrupt: &Interrupt) -> Result<Scores> {
    let step = console.step(test.name, test.videos.len() as u64, 0);
    let classes = test.classes.len();
    let mut scores = Vec::with_capacity(test.videos.len() * classes);
    // Reading and cropping run beside the network, a few videos ahead.
    std::thread::scope(|scope| -> Result<()> {
        let (sender, receiver) = sync_channel::<Views>(PREFETCH);
        scope.spawn(move || {
            for video in test.videos {
                // The receiver is gone when the test was given up.
                if sender.send(views(video, test)).is_err() {
                    return;
                }
            }
        });
        for views in receiver {
            interrupt.check()?;
            scores.extend(mean_softmax(test, &views?, classes)?);
            step.advance(1);
        }
        Ok(())
    })?;
    Ok(Scores {
        split: test.split.to_owned(),
        seed: test.seed,
        classes: test.classes.to_vec(),
        videos: test.videos.iter().map(|video| video.id.clone()).collect(),
        labels: test.videos.iter().map(|video| video.label).collect(),
        scores,
    })
}

fn views(video: &LabelledVideo, test: &Test<'_>) -> Views {
    let Protocol { net, test: views } = test.protocol;
    let (sample, frames) = test.protocol.tested();
    let limit = (BATCH / sample.moments.count()).max(1);
    let config = TestConfig { sample, size: (net.crop, net.crop), frames, crops: views.crops };
    TestViews::new(&video.id, &*video.source, &config, limit)?
        .map(|batch: std::result::Result<_, DataError>| {
            inputs_of(test.network, batch?.inputs)
                .map_err(Error::tensor(format!("making the views of {}", video.id)))
        })
        .collect()
}

/// The mean over all views of a video, summed in f64 in the views' order, and over the softmax layers of the data
/// set's task. Of a softmax layer that knows more classes
/// than the data set has, the data set's own come first and the others are left out.
fn mean_softmax(test: &Test<'_>, views: &[Inputs], classes: usize) -> Result<Vec<f32>> {
    let mut sum = vec![0.0_f64; classes];
    let mut count = 0;
    let mut add = |inputs: &Inputs| -> models::Result<()> {
        let outputs = test.network.forward(inputs, &Pass::eval())?;
        for head in outputs.heads.iter().filter(|head| head.task == 0) {
            for row in nn::softmax(&head.logits)?.to_vec2::<f32>()? {
                count += 1;
                for (sum, score) in sum.iter_mut().zip(row) {
                    *sum += f64::from(score);
                }
            }
        }
        Ok(())
    };
    for inputs in views {
        add(inputs).map_err(network_error("testing"))?;
    }
    Ok(sum.into_iter().map(|s| (s / f64::from(count)) as f32).collect())
}
