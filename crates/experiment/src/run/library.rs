//! The data sets of a table: opened once, their videos prepared once, cut into what a run trains and tests on.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use data::codec::Codec;
use data::dataset::{Dataset, DatasetSpec, OpenOptions, SourceHashes};
use data::inputs::{Input, Sampling};
use data::loader::LabelledVideo;
use data::prepare::{PrepareConfig, PrepareError, Prepared, PreparedVideo};

use super::{Run, Runner};
use crate::console::{Console, Step};
use crate::error::{Error, Result};
use crate::plan::{DataPlan, NetPlan, RowPlan, TablePlan, VideoPlan, Work};
use crate::record::DatasetRecord;
use crate::spec::{Storage, Videos};

/// Frames at a quality that shows no blocks, flow at one that comes to 22 GB for
/// UCF-101, where Two-Stream ConvNets (Sect. 5) has 27; docs/data.md has the errors.
const FRAME_JPEG: Codec = Codec::Jpeg { quality: 90 };
const FLOW_JPEG: Codec = Codec::Jpeg { quality: 75 };

/// A part of a split.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Test,
}

/// The data sets of a table.
pub(super) struct Library<'a> {
    runner: &'a Runner<'a>,
    plan: &'a TablePlan,
    sets: BTreeMap<String, Set>,
    /// Whether videos could not be prepared, which fails every row alike.
    broken: Cell<bool>,
}

struct Set {
    dataset: Dataset,
    /// Of each split, by name.
    fingerprints: BTreeMap<String, String>,
    /// By how they were made.
    prepared: RefCell<BTreeMap<String, Ready>>,
}

/// Videos by their index in the data set.
type Ready = Rc<BTreeMap<usize, Arc<PreparedVideo>>>;

/// What a row needs and its data cannot give, in words.
pub(super) fn lacks(row: &RowPlan) -> Option<String> {
    let backward = row.work.stages().any(|net| wants_backward(net) && net.video.extraction.is_some());
    backward.then(|| {
        "it needs backward flow, which extracted folders do not hold; give the videos themselves as data root".to_owned()
    })
}

fn wants_backward(net: &NetPlan) -> bool {
    matches!(net.input, Input::Flow(stack) if stack.sampling == Sampling::BiDirectional)
}

impl<'a> Library<'a> {
    /// Opens the data sets that the wanted rows need. With `partial`, videos that are missing do not matter yet, and
    /// the fingerprints are left out.
    pub(super) fn open(runner: &'a Runner<'a>, plan: &'a TablePlan, partial: bool) -> Result<Self> {
        let workspace = runner.workspace;
        let names: BTreeSet<&str> =
            plan.stages().flat_map(|net| &net.data).map(|data| data.set.as_str()).collect();
        let hashes = SourceHashes::open(&workspace.cache.join("videos"));
        let mut sets = BTreeMap::new();
        for name in names {
            let spec = DatasetSpec::load(&workspace.dataset_file(name)?)?;
            let generated = plan.cast.values().any(|facts| facts.name == name && facts.data_seed.is_some());
            let options = OpenOptions {
                root: runner.data_roots.of(name, &plan.dataset).filter(|_| !generated),
                data_seed: plan.data_seed.filter(|_| generated),
                extraction: runner.request.extraction.filter(|_| !generated),
                partial,
            };
            let dataset = Dataset::open_with(&spec, &options)?;
            let mut fingerprints = BTreeMap::new();
            // What is only prepared needs no name for its data, and has none while videos are missing.
            for (index, split) in dataset.splits.iter().enumerate().filter(|_| !partial) {
                fingerprints.insert(split.name.clone(), dataset.fingerprint(index, &hashes)?);
            }
            sets.insert(name.to_owned(), Set { dataset, fingerprints, prepared: RefCell::default() });
        }
        hashes.save()?;
        Ok(Self { runner, plan, sets, broken: Cell::new(false) })
    }

    /// Whether all data sets of a row are open; those of rows that nobody asks for need not be.
    pub(super) fn has(&self, work: &Work) -> bool {
        work.stages().flat_map(|net| &net.data).all(|data| self.sets.contains_key(&data.set))
    }

    /// Whether the videos of a data set could not be prepared.
    pub(super) fn broken(&self) -> bool {
        self.broken.get()
    }

    fn set(&self, name: &str) -> Result<&Set> {
        self.sets.get(name).ok_or_else(|| Error::Usage(format!("data set `{name}` is not open")))
    }

    /// Class names of a data set, in label order.
    pub(super) fn classes(&self, set: &str) -> Result<&[String]> {
        Ok(&self.set(set)?.dataset.classes)
    }

    /// What identifies the videos that a net learns from: which they are, and what is in them.
    pub(super) fn fingerprint(&self, data: &DataPlan, run: &Run<'_>) -> Result<String> {
        let set = self.set(&data.set)?;
        let of =
            |split: &str| set.fingerprints.get(split).cloned().ok_or_else(|| no_such_split(&data.set, split));
        Ok(match &data.videos {
            Videos::Of(split) => of(split)?,
            Videos::Split => {
                let fold =
                    run.fold.map_or(String::new(), |(number, of)| format!(" without fold {number} of {of}"));
                format!("{}{fold}", of(run.split)?)
            }
            Videos::All => {
                let all: Vec<&str> = set.fingerprints.values().map(String::as_str).collect();
                format!("all of {}", crate::store::hash(&all))
            }
        })
    }

    /// The data sets of a row for its record, the one that is tested on first.
    pub(super) fn records(&self, row: &RowPlan) -> Result<Vec<DatasetRecord>> {
        let mut records: Vec<DatasetRecord> = Vec::new();
        let nets = row.work.protocols().iter().flat_map(|protocol| protocol.net.stages().into_iter().rev());
        for data in nets.flat_map(|net| &net.data) {
            if records.iter().any(|record| record.name == data.set) {
                continue;
            }
            let set = self.set(&data.set)?;
            records.push(DatasetRecord {
                name: data.set.clone(),
                data_seed: set.dataset.data_seed,
                fingerprints: set.fingerprints.clone(),
            });
        }
        Ok(records)
    }

    /// The videos that a net learns from, for each task.
    pub(super) fn training(&self, net: &NetPlan, run: &Run<'_>) -> Result<Vec<Vec<LabelledVideo>>> {
        let mut tasks = vec![Vec::new(); net.tasks()];
        let mut first_label = vec![0; net.tasks()];
        for data in &net.data {
            let indices = self.indices(data, run, Part::Train, net.video.videos_per_class)?;
            tasks[data.task].extend(self.labelled(data, &net.video, &indices, first_label[data.task])?);
            first_label[data.task] += data.classes;
        }
        Ok(tasks)
    }

    /// The videos that a net is tested on: the test part of the split, or the fold that was left out.
    pub(super) fn testing(&self, net: &NetPlan, run: &Run<'_>) -> Result<Vec<LabelledVideo>> {
        let indices = self.indices(net.target(), run, Part::Test, net.video.videos_per_class)?;
        self.labelled(net.target(), &net.video, &indices, 0)
    }

    /// Videos with their labels among those of their softmax layer.
    fn labelled(
        &self,
        data: &DataPlan,
        video: &VideoPlan,
        indices: &[usize],
        first_label: usize,
    ) -> Result<Vec<LabelledVideo>> {
        let dataset = &self.set(&data.set)?.dataset;
        let kept: Vec<Option<usize>> = (0..dataset.classes.len())
            .scan(first_label, |next, class| {
                let kept = !data.without.contains(&dataset.classes[class]);
                let label = *next;
                *next += usize::from(kept);
                Some(kept.then_some(label))
            })
            .collect();
        let prepared = self.prepared(&data.set, video)?;
        let one = |&index: &usize| {
            let listed = &dataset.videos[index];
            let label = kept[listed.label]?;
            let source = Arc::clone(&prepared[&index]) as _;
            Some(LabelledVideo { id: listed.id.clone(), label: label as u32, source })
        };
        Ok(indices.iter().filter_map(one).collect())
    }

    /// Indices of the videos of a part, at most `limit` of each class.
    fn indices(
        &self,
        data: &DataPlan,
        run: &Run<'_>,
        part: Part,
        limit: Option<usize>,
    ) -> Result<Vec<usize>> {
        let dataset = &self.set(&data.set)?.dataset;
        let split = |name: &str| {
            let split = dataset.splits.iter().find(|split| split.name == name);
            split.ok_or_else(|| no_such_split(&data.set, name))
        };
        let list: Vec<usize> = match (&data.videos, part, run.fold) {
            (Videos::All, Part::Train, _) => {
                let all: BTreeSet<usize> = dataset
                    .splits
                    .iter()
                    .flat_map(|split| split.train.iter().chain(&split.test))
                    .copied()
                    .collect();
                all.into_iter().collect()
            }
            (Videos::Of(name), Part::Train, _) => split(name)?.train.clone(),
            (Videos::Split, _, Some((fold, of))) => {
                let train = at_most(dataset, split(run.split)?.train.clone(), limit);
                let folds = data::split::folds(&dataset.videos, &train, of)?;
                let left_out = part == Part::Test;
                let chosen = train.iter().zip(folds).filter(|(_, number)| (*number == fold) == left_out);
                return Ok(chosen.map(|(index, _)| *index).collect());
            }
            (Videos::Split, Part::Train, None) => split(run.split)?.train.clone(),
            (_, Part::Test, _) => split(run.split)?.test.clone(),
        };
        Ok(at_most(dataset, list, limit))
    }

    /// All videos of a data set that the wanted rows need, decoded and, where one of them wants flow, with it.
    fn prepared(&self, set: &str, video: &VideoPlan) -> Result<Ready> {
        let video = self.as_wanted(set, video);
        let key = crate::store::hash(&video);
        if let Some(ready) = self.set(set)?.prepared.borrow().get(&key) {
            return Ok(Rc::clone(ready));
        }
        let indices = self.needed(set)?;
        let videos = match self.prepare(set, &video, &indices) {
            Ok(prepared) => prepared.videos.into_iter().map(Arc::new),
            Err(error) => {
                self.broken.set(true);
                return Err(error);
            }
        };
        let ready: Ready = Rc::new(indices.into_iter().zip(videos).collect());
        self.set(set)?.prepared.borrow_mut().insert(key, Rc::clone(&ready));
        Ok(ready)
    }

    /// The way in which videos are prepared once for all rows: with flow, if any row that is otherwise alike wants it.
    fn as_wanted(&self, set: &str, video: &VideoPlan) -> VideoPlan {
        let frames = |video: &VideoPlan| VideoPlan { flow: None, flow_bound: None, ..video.clone() };
        let of_set = |net: &&NetPlan| net.data.iter().any(|data| data.set == set);
        let with_flow = self.plan.stages().filter(of_set).map(|net| &net.video).find(|other| {
            other.flow.is_some()
                && (video.flow.is_none() && frames(other) == frames(video) || *other == video)
        });
        with_flow.unwrap_or(video).clone()
    }

    /// Indices of the videos of a data set that the wanted rows need.
    fn needed(&self, set: &str) -> Result<Vec<usize>> {
        let mut needed = BTreeSet::new();
        for row in self.plan.wanted() {
            for split in &row.splits {
                let run = Run { split, seed: 0, fold: None };
                for protocol in row.work.protocols() {
                    let limit = protocol.net.video.videos_per_class;
                    let target = protocol.net.target();
                    if target.set == set {
                        needed.extend(self.indices(target, &run, Part::Test, limit)?);
                    }
                    for data in protocol.net.stages().into_iter().flat_map(|net| &net.data) {
                        if data.set == set {
                            needed.extend(self.indices(data, &run, Part::Train, limit)?);
                        }
                    }
                }
            }
        }
        Ok(needed.into_iter().collect())
    }

    /// Prepares all that the wanted rows need of one data set and says what was done.
    pub(super) fn prepare_all(&self, set: &str) -> Result<String> {
        if !self.sets.contains_key(set) {
            let used: Vec<&str> = self.sets.keys().map(String::as_str).collect();
            return Err(Error::Usage(format!(
                "{} does not use the data set `{set}`; it uses {}. Name another table with --table",
                self.plan.spec.name(),
                used.join(", ")
            )));
        }
        let nets = self.plan.stages().filter(|net| net.data.iter().any(|data| data.set == set));
        let recipes: BTreeMap<String, VideoPlan> = nets
            .map(|net| self.as_wanted(set, &net.video))
            .map(|video| (crate::store::hash(&video), video))
            .collect();
        let indices = self.needed(set)?;
        let mut said = Vec::new();
        for video in recipes.values() {
            said.push(self.prepare(set, video, &indices)?.to_string());
        }
        Ok(format!("{set}: {}", said.join("; ")))
    }

    fn prepare(&self, set: &str, video: &VideoPlan, indices: &[usize]) -> Result<Prepared> {
        let (frame_codec, flow_codec) = match video.storage {
            Storage::Raw8 => (Codec::Raw8, Codec::Raw8),
            Storage::Jpeg => (FRAME_JPEG, FLOW_JPEG),
            Storage::Float32 => (Codec::Raw8, Codec::Float32),
        };
        let here = |net: &&NetPlan| net.data.iter().any(|data| data.set == set);
        let config = PrepareConfig {
            short_side: video.short_side,
            frame_codec,
            flow_codec,
            flow_bound: video.flow_bound,
            flow: video.flow.clone(),
            backward: video.flow.is_some()
                && video.extraction.is_none()
                && self.plan.stages().filter(here).any(wants_backward),
            ffmpeg: "ffmpeg".into(),
        };
        let progress = PrepareStep { console: self.runner.console, set, step: Default::default() };
        data::prepare::prepare(
            &self.set(set)?.dataset,
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

fn no_such_split(set: &str, split: &str) -> Error {
    Error::Usage(format!("data set `{set}` has no split `{split}`"))
}

/// The first `limit` videos of each class.
fn at_most(dataset: &Dataset, list: Vec<usize>, limit: Option<usize>) -> Vec<usize> {
    let Some(limit) = limit else { return list };
    let mut taken: BTreeMap<usize, usize> = BTreeMap::new();
    let mut room = |index: &usize| {
        let count = taken.entry(dataset.videos[*index].label).or_default();
        *count += 1;
        *count <= limit
    };
    list.into_iter().filter(|index| room(index)).collect()
}

/// Shows the progress of `prepare` on the console.
struct PrepareStep<'a> {
    console: &'a Console,
    set: &'a str,
    step: std::sync::Mutex<Option<Step>>,
}

impl data::prepare::Progress for PrepareStep<'_> {
    fn begin(&self, total: usize) {
        let step = self.console.step(&format!("preparing {}", self.set), total as u64, 0);
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
