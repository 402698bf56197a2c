//! `predict`: classifies a video file with the nets of a finished row.
//!
//! A video is treated like a test video: it is decoded by ffmpeg and scaled, its flow is estimated and stored as the plan
//! says, and the nets see the views of the test. In addition, each net sees central crops at equal distances in time.

mod print;

use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use base::files::Scratch;
use candle_core::{Device, Tensor};
use data::DataError;
use data::cuts::CutConfig;
use data::dataset::Dataset;
use data::loader::{Crops, LabelledVideo, TestConfig, TestViews};
use data::prepare::{PrepareConfig, PrepareError, PreparedVideo, Silent};
use data::sample::Clips;
use models::{Inputs, Network};
use serde::Serialize;

use crate::console::Console;
use crate::device_flow::batched;
use crate::error::{Error, Result};
use crate::evaluate::{Test, evaluate, softmax_of_views};
use crate::fusion::fuse;
use crate::inputs::inputs_of;
use crate::interrupt::Interrupt;
use crate::memory;
use crate::run::library::{prepare::config, wants_backward};
use crate::scores::Scores;
use crate::train::build;
use crate::trained::{Trained, TrainedNet, fusion_of_one_video};
use plan::{Fusion, Workspace, cost};

/// Number of positions of the chart over time.
const POSITIONS: usize = 25;

/// Maximum size of a video from a pipe, in bytes.
const LARGEST: u64 = 16 << 30;

/// The prediction of a row's nets for a video.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Prediction {
    /// The video.
    pub video: String,
    /// The row.
    pub run: String,
    /// The data set whose classes it knows.
    pub trained_on: String,
    /// Frames, T.
    pub frames: usize,
    /// Number of ffmpeg's messages with which its frames were accepted; left out if there were none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<usize>,
    /// The hard cuts found, each as the first frame after it.
    pub cuts: Vec<usize>,
    /// Class names, in label order.
    pub classes: Vec<String>,
    /// Fused probabilities of all nets, in the order of the classes.
    pub fused: Vec<f32>,
    /// The prediction of each net.
    pub streams: Vec<Stream>,
    /// The time that it took.
    pub seconds: Seconds,
}

/// The prediction of one net.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Its probabilities in the test's views, in the order of the classes.
    pub scores: Vec<f32>,
    /// Its probabilities at each position in time, with the middle frame of its inputs.
    pub over_time: Vec<Position>,
}

/// One position in time.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Position {
    /// A frame, counted from 0.
    pub frame: usize,
    /// Probabilities, in the order of the classes.
    pub scores: Vec<f32>,
}

/// The time of a prediction, in seconds.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Seconds {
    /// Decoding, scaling and flow.
    pub preparing: f64,
    /// The networks.
    pub networks: f64,
}

impl Prediction {
    /// Returns the classes in descending order of probability.
    pub fn ranked(&self) -> Vec<usize> {
        let mut classes: Vec<usize> = (0..self.classes.len()).collect();
        classes.sort_by(|&a, &b| self.fused[b].total_cmp(&self.fused[a]));
        classes
    }

    /// Returns the number of frames processed per second.
    pub fn frames_per_second(&self) -> f64 {
        self.frames as f64 / (self.seconds.preparing + self.seconds.networks)
    }
}

/// A row's nets, built and loaded.
pub struct Predictor<'a> {
    trained: &'a Trained,
    networks: Vec<Box<dyn Network>>,
    /// The fusion of the scores, if there are several nets.
    fusion: Option<&'a Fusion>,
    /// The cut detection of the data set that the nets were trained on.
    cuts: Option<CutConfig>,
    /// Takes videos although ffmpeg reports errors in them.
    accept_messages: bool,
    /// Folder for temporary files of the videos being classified.
    scratch: PathBuf,
    device: &'a Device,
    console: &'a Console,
    interrupt: &'a Interrupt,
}

impl<'a> Predictor<'a> {
    /// Builds the networks and loads their weights.
    ///
    /// # Errors
    /// [`Error::Network`] for weights that do not fit the network.
    pub fn new(
        trained: &'a Trained,
        workspace: &Workspace,
        device: &'a Device,
        console: &'a Console,
        interrupt: &'a Interrupt,
    ) -> Result<Self> {
        if trained.nets.iter().any(|net| net.protocol.net.video.extraction.is_some()) {
            return Err(Error::Usage(format!(
                "{} was trained on flow of another program, which cannot be estimated here; choose a row trained on videos",
                trained.name
            )));
        }
        let fusion = fusion_of_one_video(&trained.record, &trained.name)?;
        let mut networks = Vec::with_capacity(trained.nets.len());
        for TrainedNet { protocol, seed, weights, .. } in &trained.nets {
            memory::suffices(&trained.name, cost::testing(protocol, 1)?.bytes, device)?;
            let (params, network) = build(&protocol.net, *seed, device)?;
            params.load(weights).map_err(Error::network("loading the trained weights"))?;
            networks.push(network);
        }
        let scratch = workspace.cache.join("predict");
        let set = trained.nets.first().map(|net| net.protocol.net.target().set.as_str());
        let cuts = match set.map(|set| workspace.dataset_spec(set)) {
            Some(Ok(spec)) => spec.cuts(),
            // An exported net may be of a data set that this checkout does not have.
            None | Some(Err(plan::Error::Usage(_))) => None,
            Some(Err(error)) => return Err(error.into()),
        };
        let accept_messages = false;
        Ok(Self { trained, networks, fusion, cuts, accept_messages, scratch, device, console, interrupt })
    }

    /// Takes videos although ffmpeg reports errors in them, or refuses them, as is the default.
    #[must_use]
    pub fn accepting_messages(self, accept_messages: bool) -> Self {
        Self { accept_messages, ..self }
    }

    /// Classifies a video file; `-` is a video from standard input.
    ///
    /// # Errors
    /// For videos that cannot be decoded or are too short; errors of the networks.
    pub fn predict(&self, video: &Path) -> Result<Prediction> {
        let scratch = Scratch::new(&self.scratch)?;
        let folder = scratch.path();
        let begun = Instant::now();
        let (file, name) = if video == Path::new("-") {
            (spool(&folder.join("standard-input"), std::io::stdin().lock())?, "standard input".to_owned())
        } else {
            only_a_file(video)?;
            (video.to_owned(), video.display().to_string())
        };
        let dataset = Dataset::of_video(&file, self.cuts)?;
        let mut videos: Vec<Arc<PreparedVideo>> = Vec::with_capacity(self.networks.len());
        for TrainedNet { protocol, .. } in &self.trained.nets {
            videos.push(Arc::new(self.prepared(&dataset, protocol, folder)?));
        }
        let preparing = begun.elapsed().as_secs_f64();

        let begun = Instant::now();
        let (mut streams, mut scores) = (Vec::with_capacity(videos.len()), Vec::with_capacity(videos.len()));
        for ((net, network), video) in self.trained.nets.iter().zip(&self.networks).zip(&videos) {
            let found = self.scores(net, &**network, video).map_err(|error| short(error, &net.name))?;
            streams.push(Stream {
                name: net.name.clone(),
                scores: found.scores.clone(),
                over_time: self.over_time(net, &**network, video)?,
            });
            scores.push(found);
        }
        let fused = match (self.fusion, &scores[..]) {
            (None, [only]) => only.scores.clone(),
            (Some(fusion), scores) => fuse(fusion, &scores.iter().collect::<Vec<_>>(), &[])?.0.scores,
            (None, several) => {
                return Err(Error::Usage(format!(
                    "{} has {} nets, but its record does not say how to fuse their scores",
                    self.trained.name,
                    several.len()
                )));
            }
        };
        Ok(Prediction {
            video: name,
            run: self.trained.name.clone(),
            trained_on: self.trained.record.data.first().map_or(String::new(), |data| data.name.clone()),
            frames: videos[0].frames,
            messages: videos[0].messages.as_ref().map(|messages| messages.count),
            cuts: videos[0].segments.iter().skip(1).map(|segment| segment.start).collect(),
            classes: self.trained.classes.clone(),
            fused,
            streams,
            seconds: Seconds { preparing, networks: begun.elapsed().as_secs_f64() },
        })
    }

    /// Prepares the video as a net's plan says. Nets with the same storage share the files.
    fn prepared(&self, dataset: &Dataset, protocol: &plan::Protocol, folder: &Path) -> Result<PreparedVideo> {
        let net = &protocol.net;
        let backward = net.video.flow.is_some() && wants_backward(net);
        let made = data::prepare::prepare(
            dataset,
            &PrepareConfig {
                accept_messages: self.accept_messages,
                ..config(&net.video, backward, batched(self.device)?)
            },
            &[0],
            folder,
            &Silent,
            self.interrupt.flag(),
        );
        let made = made.map_err(|e| match e {
            PrepareError::Setup(e) => e.into(),
            PrepareError::Interrupted { .. } => Error::Interrupted,
            PrepareError::Videos(report) => match report.failures.into_iter().next() {
                Some(failure) => failure.cause.of_video(&failure.id).into(),
                None => Error::Usage("the video could not be prepared".into()),
            },
        })?;
        made.videos.into_iter().next().ok_or_else(|| Error::Usage("the video could not be prepared".into()))
    }

    /// Computes the scores in the views of the net's test.
    fn scores(&self, net: &TrainedNet, network: &dyn Network, video: &Arc<PreparedVideo>) -> Result<Scores> {
        let video =
            LabelledVideo { id: video.id.clone(), label: 0, view: None, source: Arc::clone(video) as _ };
        let test = Test {
            name: &net.name,
            protocol: &net.protocol,
            network,
            device: self.device,
            videos: &[video],
            others: &[],
            classes: &self.trained.classes,
            split: "",
            seed: net.seed,
        };
        Ok(evaluate(&test, self.console, self.interrupt)?.classes()?.clone())
    }

    /// Computes the probabilities of central crops at equal distances in time.
    fn over_time(
        &self,
        net: &TrainedNet,
        network: &dyn Network,
        video: &PreparedVideo,
    ) -> Result<Vec<Position>> {
        let plan = &net.protocol.net;
        let sample = plan.at_one_place();
        let clips = Clips::new(&video.id, &video.segments, &sample)?.spaced(POSITIONS);
        let config = TestConfig {
            sample: sample.clone(),
            size: (plan.crop, plan.crop),
            frames: POSITIONS,
            crops: Crops::Center,
        };
        let classes = self.trained.classes.len();
        let mut scores: Vec<Vec<f32>> = Vec::with_capacity(clips.len());
        let repeated = plan.times_at_one_place();
        for batch in TestViews::new(&video.id, video, &config, (POSITIONS / repeated).max(1))? {
            self.interrupt.check()?;
            let inputs = inputs_of(batch?.inputs, self.device)
                .map_err(Error::network("making the views of a video"))?;
            let repeat =
                |(modality, input): (_, &Tensor)| Ok((modality, input.repeat((1, repeated, 1, 1, 1))?));
            let inputs = inputs.iter().map(repeat).collect::<candle_core::Result<Inputs>>();
            let inputs = inputs.map_err(Error::network("repeating the places of a video"))?;
            let heads = softmax_of_views(network, &inputs).map_err(Error::network("looking at a video"))?;
            let share = 1.0 / heads.len() as f32;
            let mut mean: Vec<Vec<f32>> = Vec::new();
            for rows in heads {
                mean.resize(rows.len(), vec![0.0; classes]);
                for (mean, row) in mean.iter_mut().zip(rows) {
                    mean.iter_mut().zip(row).for_each(|(mean, score)| *mean += score * share);
                }
            }
            scores.extend(mean);
        }
        let middle = |time_steps: &Vec<usize>| {
            let (first, last) =
                (time_steps.first().copied().unwrap_or(0), time_steps.last().copied().unwrap_or(0));
            (first + last + sample.span().saturating_sub(1)) / 2
        };
        Ok(clips.iter().map(middle).zip(scores).map(|(frame, scores)| Position { frame, scores }).collect())
    }
}

/// Refuses what cannot be read twice and from any place, as containers and caches need it. A missing file has an error of
/// its own.
fn only_a_file(video: &Path) -> Result<()> {
    match std::fs::metadata(video) {
        Ok(found) if !found.is_file() => {
            let found = if found.is_dir() { "a folder" } else { "a pipe or a device" };
            Err(Error::Usage(format!(
                "{}: expected a file, found {found}; write the video to a file first, or pass it on standard input, as in \
                 `cat VIDEO | … predict -`",
                video.display()
            )))
        }
        _ => Ok(()),
    }
}

/// Says what a net needs of a video that is too short for it. Elsewhere the advice is about splits, which a single file has
/// not.
fn short(error: Error, net: &str) -> Error {
    match error {
        Error::Data(data) => match *data {
            DataError::ShortVideo { id, longest, needed } => {
                Error::TooShort { video: id, net: net.to_owned(), longest, needed }
            }
            data => data.into(),
        },
        error => error,
    }
}

/// Writes a video from a pipe to a file, since most containers cannot be read without seeking.
fn spool(file: &Path, mut from: impl Read) -> Result<PathBuf> {
    let mut out = std::fs::File::create(file).map_err(Error::io("create", file))?;
    let bytes = std::io::copy(&mut from.by_ref().take(LARGEST + 1), &mut out)
        .map_err(Error::io("read a video from", "standard input"))?;
    match bytes {
        0 => Err(Error::Usage(
            "standard input is empty; expected a video, as in `cat VIDEO | … predict -`".into(),
        )),
        bytes if bytes > LARGEST => {
            Err(Error::Usage("standard input has more than 16 GiB; use a shorter video".into()))
        }
        _ => Ok(file.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused_at_once() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        assert!(std::process::Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
        for (path, found) in
            [(at("pipe"), "a pipe or a device"), (at("."), "a folder"), ("/dev/zero".into(), "a pipe")]
        {
            let message = only_a_file(&path).unwrap_err().to_string();
            assert!(message.contains(&format!("expected a file, found {found}")), "{message}");
            assert!(message.contains("write the video to a file first"), "{message}");
        }
        std::fs::write(at("file"), "x").unwrap();
        std::os::unix::fs::symlink(at("file"), at("link")).unwrap();
        only_a_file(&at("link")).unwrap();
        only_a_file(&at("missing")).unwrap();
    }
}
