//! The videos of a table: which rows need which, and preparing them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use data::codec::Codec;
use data::inputs::Sampling;
use data::loader::LabelledVideo;
use data::prepare::{PrepareConfig, PrepareError, Prepared, PreparedVideo};

use super::Job;
use crate::console::{Console, Step};
use crate::error::{Error, Result};
use crate::plan::RowPlan;
use crate::spec::Storage;

/// Frames at a quality that shows no blocks, flow at one that comes to 22 GB for
/// UCF-101, where Two-Stream ConvNets (Sect. 5) has 27; docs/data.md has the errors.
const FRAME_JPEG: Codec = Codec::Jpeg { quality: 90 };
const FLOW_JPEG: Codec = Codec::Jpeg { quality: 75 };

/// A part of a split.
#[derive(Clone, Copy)]
pub(super) enum Part {
    Train,
    Test,
}

fn wants_backward(row: &RowPlan) -> bool {
    row.protocol.input.sampling == Sampling::BiDirectional
}

/// What a row needs and its data cannot give, in words.
pub(super) fn lacks(row: &RowPlan) -> Option<String> {
    (wants_backward(row) && row.protocol.video.extraction.is_some()).then(|| {
        "it needs backward flow, which extracted folders do not hold; give the videos themselves as data root".to_owned()
    })
}

impl Job<'_> {
    /// The prepared videos of one part of a split.
    pub(super) fn videos(&self, row: &RowPlan, split: &str, part: Part) -> Result<Vec<LabelledVideo>> {
        let prepared = self.prepared()?;
        Ok(self
            .part(split, part, row.protocol.video.videos_per_class)
            .into_iter()
            .map(|index| LabelledVideo {
                id: self.dataset.videos[index].id.clone(),
                label: self.dataset.videos[index].label as u32,
                source: Arc::clone(&prepared[&index]) as _,
            })
            .collect())
    }

    /// Indices of the videos of a part, at most `limit` of each class.
    fn part(&self, split: &str, part: Part, limit: Option<usize>) -> Vec<usize> {
        let split = self.dataset.splits.iter().find(|s| s.name == split);
        let list = split.map_or(&[][..], |s| match part {
            Part::Train => &s.train,
            Part::Test => &s.test,
        });
        let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
        list.iter()
            .copied()
            .filter(|&index| {
                let count = taken.entry(self.dataset.videos[index].label).or_default();
                *count += 1;
                limit.is_none_or(|limit| *count <= limit)
            })
            .collect()
    }

    /// All videos that the wanted rows need, decoded and with flow; made once.
    fn prepared(&self) -> Result<&BTreeMap<usize, Arc<PreparedVideo>>> {
        if let Some(prepared) = self.prepared.get() {
            return Ok(prepared);
        }
        let indices = self.needed();
        let videos = self.prepare(&indices)?.videos.into_iter().map(Arc::new);
        let prepared = indices.into_iter().zip(videos).collect();
        Ok(self.prepared.get_or_init(|| prepared))
    }

    /// Indices of the videos that the wanted rows need. All rows of a table
    /// see the same ones.
    pub(super) fn needed(&self) -> Vec<usize> {
        let indices: BTreeSet<usize> = self
            .plan
            .wanted()
            .take(1)
            .flat_map(|row| row.splits.iter().map(|split| (split, row.protocol.video.videos_per_class)))
            .flat_map(|(split, limit)| [Part::Train, Part::Test].map(|part| self.part(split, part, limit)))
            .flatten()
            .collect();
        indices.into_iter().collect()
    }

    /// Prepares videos as the wanted rows need them, which is at one size.
    pub(super) fn prepare(&self, indices: &[usize]) -> Result<Prepared> {
        let rows: Vec<&RowPlan> = self.plan.wanted().collect();
        let video = &rows[0].protocol.video;
        let (frame_codec, flow_codec) = match video.storage {
            Storage::Raw8 => (Codec::Raw8, Codec::Raw8),
            Storage::Jpeg => (FRAME_JPEG, FLOW_JPEG),
            Storage::Float32 => (Codec::Raw8, Codec::Float32),
        };
        let config = PrepareConfig {
            short_side: video.short_side,
            frame_codec,
            flow_codec,
            flow_bound: video.flow_bound,
            flow: Some(video.flow.clone()),
            backward: rows.iter().any(|row| wants_backward(row) && lacks(row).is_none()),
            ffmpeg: "ffmpeg".into(),
        };
        let progress = PrepareStep { console: self.runner.console, step: Default::default() };
        data::prepare::prepare(
            &self.dataset,
            &config,
            indices,
            &self.runner.workspace.cache.join("videos"),
            &progress,
            self.runner.interrupt.flag(),
        )
        .map_err(|e| match e {
            PrepareError::Setup(e) => e.into(),
            PrepareError::Interrupted { .. } => Error::Interrupted,
            PrepareError::Videos(report) => Error::Videos(report),
        })
    }
}

/// Shows the progress of `prepare` on the console.
struct PrepareStep<'a> {
    console: &'a Console,
    step: std::sync::Mutex<Option<Step>>,
}

impl data::prepare::Progress for PrepareStep<'_> {
    fn begin(&self, total: usize) {
        let step = self.console.step("preparing videos", total as u64, 0);
        *self.step.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(step);
    }

    fn advance(&self, n: usize) {
        if let Some(step) = &*self.step.lock().unwrap_or_else(std::sync::PoisonError::into_inner) {
            step.advance(n as u64);
        }
    }

    fn note(&self, text: &str) {
        self.console.line(text);
    }
}
