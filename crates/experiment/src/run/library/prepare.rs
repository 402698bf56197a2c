//! Decodes and caches the videos that the rows of a table need, and computes their flow.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use data::codec::Codec;
use data::prepare::{PrepareConfig, PrepareError, Prepared};
use flow::Batched;

use super::{Library, Part, Ready, wants_backward};
use crate::console::{Console, PartInProgress, Step};
use crate::device_flow::batched;
use crate::error::{Error, Result};
use crate::run::repeat::Repeat;
use crate::speed;
use plan::cost;
use plan::spec::{Storage, TestBy};
use plan::{NetPlan, RowPlan, VideoPlan};

/// Frames have a quality without visible blocks. Flow of UCF-101 takes 22 GB at its
/// quality; Two-Stream ConvNets (Sect. 5) has 27 GB. docs/data.md has the errors.
const FRAME_JPEG: Codec = Codec::Jpeg { quality: 90 };
const FLOW_JPEG: Codec = Codec::Jpeg { quality: 75 };

/// Videos of one data set that are still to be prepared by one recipe.
pub(in crate::run) struct Unprepared {
    pub(in crate::run) set: String,
    /// The hash of `video`.
    pub(in crate::run) recipe: String,
    pub(in crate::run) video: VideoPlan,
    /// Indices into the data set.
    pub(in crate::run) videos: Vec<usize>,
    pub(in crate::run) backward: bool,
}

impl Library<'_> {
    /// Returns all videos of a data set that the wanted rows need, decoded, with flow if one of the rows needs it.
    pub(super) fn prepared(&self, set: &str, video: &VideoPlan) -> Result<Ready> {
        let video = self.as_wanted(set, video);
        let key = crate::store::hash(&video);
        if let Some(ready) = self.set(set)?.prepared.borrow().get(&key) {
            return Ok(Rc::clone(ready));
        }
        let indices = self.needed(set)?;
        let videos = match self.prepare(set, &video, &indices) {
            Ok(prepared) => prepared.videos.into_iter().map(Arc::new),
            Err(error) => {
                self.broken.borrow_mut().insert(set.to_owned());
                return Err(error);
            }
        };
        let ready: Ready = Rc::new(indices.into_iter().zip(videos).collect());
        self.set(set)?.prepared.borrow_mut().insert(key, Rc::clone(&ready));
        Ok(ready)
    }

    /// Returns the recipe that serves all rows: with flow if any row with the same recipe for frames needs it.
    fn as_wanted(&self, set: &str, video: &VideoPlan) -> VideoPlan {
        let frames = |video: &VideoPlan| VideoPlan { flow: None, flow_bound: None, ..video.clone() };
        let of_set = |net: &&NetPlan| net.data.iter().any(|data| data.set == set);
        let with_flow = self.plan.stages().filter(of_set).map(|net| &net.video).find(|other| {
            other.flow.is_some()
                && (video.flow.is_none() && frames(other) == frames(video) || *other == video)
        });
        with_flow.unwrap_or(video).clone()
    }

    /// Returns the indices of the videos of a data set that the wanted rows need.
    fn needed(&self, set: &str) -> Result<Vec<usize>> {
        self.needed_by(self.plan.wanted(), set)
    }

    /// Counts the videos of a data set that a row needs and that were accepted although ffmpeg reports errors in them.
    pub(super) fn accepted(&self, row: &RowPlan, set: &str) -> Result<usize> {
        let of_set = |net: &&NetPlan| net.data.iter().any(|data| data.set == set);
        let Some(net) = row.work.stages().filter(of_set).find(|net| net.video.accept_messages) else {
            return Ok(0);
        };
        // A row can be finished and its cache deleted.
        self.prepared(set, &net.video)?;
        let config = config(&self.as_wanted(set, &net.video), false, None);
        let folder = self.runner.workspace.cache.join("videos");
        let needed = self.needed_by(std::iter::once(row), set)?;
        Ok(data::prepare::accepted(&self.set(set)?.dataset, &config, &needed, &folder)?)
    }

    /// Returns the indices of the videos of a data set that rows need.
    fn needed_by<'r>(&self, rows: impl Iterator<Item = &'r RowPlan>, set: &str) -> Result<Vec<usize>> {
        let mut needed = BTreeSet::new();
        for row in rows {
            for split in &row.splits {
                let repeat = Repeat { split, seed: 0, fold: None };
                for protocol in row.work.protocols() {
                    let target = protocol.net.target();
                    if target.set == set {
                        let limit = protocol.net.video.videos_per_class;
                        // Figures of nets of pairs show their test events in all views.
                        let of_pairs = protocol.net.train.pairs.is_some();
                        let beside = (of_pairs || protocol.test.by == TestBy::Pairs).then_some(Part::Seen);
                        for part in std::iter::once(Part::of(protocol.test.on)).chain(beside) {
                            needed.extend(self.indices(target, &repeat, part, limit)?);
                        }
                    }
                    for net in protocol.net.stages() {
                        for data in net.data.iter().filter(|data| data.set == set) {
                            needed.extend(self.indices(
                                data,
                                &repeat,
                                Part::Train,
                                net.video.videos_per_class,
                            )?);
                        }
                    }
                }
            }
        }
        Ok(needed.into_iter().collect())
    }

    /// Prepares all videos of one data set that the wanted rows need, and returns a summary.
    pub(in crate::run) fn prepare_all(&self, set: &str) -> Result<String> {
        if !self.sets.contains_key(set) {
            let used: Vec<&str> = self.sets.keys().map(String::as_str).collect();
            return Err(Error::Usage(format!(
                "{} does not use the data set `{set}`; it uses {}. Name another table with --table",
                self.plan.spec.name(),
                used.join(", ")
            )));
        }
        let indices = self.needed(set)?;
        let mut said = Vec::new();
        for video in self.recipes(set).values() {
            said.push(self.prepare(set, video, &indices)?.to_string());
        }
        Ok(format!("{set}: {}", said.join("; ")))
    }

    /// Returns the recipes for the videos of a data set that the wanted rows need, by their hashes.
    fn recipes(&self, set: &str) -> BTreeMap<String, VideoPlan> {
        let nets = self.plan.stages().filter(|net| net.data.iter().any(|data| data.set == set));
        let named = |video: VideoPlan| (crate::store::hash(&video), video);
        nets.map(|net| named(self.as_wanted(set, &net.video))).collect()
    }

    /// Returns the hash of the recipe for a net's videos of a data set.
    pub(in crate::run) fn recipe(&self, set: &str, net: &NetPlan) -> String {
        crate::store::hash(&self.as_wanted(set, &net.video))
    }

    /// Lists the videos that the wanted rows need and that have no cache files yet, by data set and recipe.
    /// `batched` is the estimator of their flow.
    pub(in crate::run) fn unprepared(&self, batched: Option<&Arc<dyn Batched>>) -> Result<Vec<Unprepared>> {
        let mut found = Vec::new();
        for (set, opened) in &self.sets {
            let indices = self.needed(set)?;
            for (recipe, video) in self.recipes(set) {
                let config = config(&video, self.wants_backward(set, &video), batched.cloned());
                let folder = self.runner.workspace.cache.join("videos");
                let videos = data::prepare::missing(&opened.dataset, &config, &indices, &folder)?;
                if !videos.is_empty() {
                    let backward = config.backward;
                    found.push(Unprepared { set: set.clone(), recipe, video, videos, backward });
                }
            }
        }
        Ok(found)
    }

    /// Prepares some videos of a data set by one of its recipes, and returns a summary.
    pub(in crate::run) fn prepare_some(&self, set: &str, recipe: &str, videos: &[usize]) -> Result<String> {
        let recipes = self.recipes(set);
        let video = recipes.get(recipe).ok_or_else(|| {
            Error::Usage(format!("{} no longer prepares `{set}` by this recipe", self.plan.spec.name()))
        })?;
        Ok(format!("{set}: {}", self.prepare(set, video, videos)?))
    }

    fn wants_backward(&self, set: &str, video: &VideoPlan) -> bool {
        let here = |net: &&NetPlan| net.data.iter().any(|data| data.set == set);
        video.flow.is_some()
            && video.extraction.is_none()
            && self.plan.stages().filter(here).any(wants_backward)
    }

    fn prepare(&self, set: &str, video: &VideoPlan, indices: &[usize]) -> Result<Prepared> {
        let backward = self.wants_backward(set, video);
        let folder = self.runner.workspace.cache.join("videos");
        let dataset = &self.set(set)?.dataset;
        let config = config(video, backward, batched(self.runner.device)?);
        let missing = data::prepare::missing(dataset, &config, indices, &folder)?.len();
        let progress = PrepareStep {
            console: self.runner.console,
            title: format!("{} {set}", if missing == 0 { "verifying" } else { "preparing" }),
            seconds: cost::preparing(video, missing, backward).seconds(&speed::of_cores()),
            step: Default::default(),
        };
        let verify = !self.runner.trust_cache;
        let prepared = data::prepare::prepare(
            dataset,
            &PrepareConfig { verify, ..config },
            indices,
            &folder,
            &progress,
            self.runner.interrupt.flag(),
        );
        if let Ok(Prepared { reused, built, .. }) = &prepared {
            tracing::info!(set, folder = %folder.display(), reused, built, "prepared videos");
        }
        prepared.map_err(|e| match e {
            PrepareError::Setup(e) => e.into(),
            PrepareError::Interrupted { .. } => Error::Interrupted,
            PrepareError::Videos(report) => Error::Videos(report),
        })
    }
}

/// Makes the configuration of decoding and storage from a plan, with backward flow too if `backward`. `batched` estimates
/// TV-L1 flow in place of the CPU.
pub(crate) fn config(video: &VideoPlan, backward: bool, batched: Option<Arc<dyn Batched>>) -> PrepareConfig {
    let (frame_codec, flow_codec) = match video.storage {
        Storage::Raw8 => (Codec::Raw8, Codec::Raw8),
        Storage::Jpeg => (FRAME_JPEG, FLOW_JPEG),
        Storage::Float32 => (Codec::Raw8, Codec::Float32),
    };
    PrepareConfig {
        short_side: video.short_side,
        frame_codec,
        flow_codec,
        flow_bound: video.flow_bound,
        flow: video.flow.clone(),
        accept_messages: video.accept_messages,
        backward,
        batched,
        verify: true,
        ffmpeg: "ffmpeg".into(),
    }
}

/// Shows the progress of `prepare` on the console.
struct PrepareStep<'a> {
    console: &'a Console,
    title: String,
    /// Expected time of all videos.
    seconds: f64,
    step: std::sync::Mutex<Option<(PartInProgress<'a>, Step)>>,
}

impl data::prepare::Progress for PrepareStep<'_> {
    fn begin(&self, total: usize) {
        let part = self.console.unexpected_part(self.seconds);
        let step = (part, self.console.step(&self.title, total as u64, 0));
        *self.step.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(step);
    }

    fn advance(&self, n: usize) {
        if let Some((_, step)) = &*self.step.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
            step.advance(n as u64);
        }
    }

    fn note(&self, text: &str) {
        self.console.line(text);
    }
}
