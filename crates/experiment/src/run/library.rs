//! The data sets of a table: opened once, their videos prepared once, divided into training and test videos.

pub(crate) mod prepare;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use data::Direction;
use data::dataset::{Caution, Dataset, OpenOptions, SourceHashes};
use data::loader::LabelledVideo;
use data::prepare::PreparedVideo;

use super::repeat::Repeat;
use super::runner::Runner;
use crate::blocks::Blocks;
use crate::error::{Error, Result};
use crate::record::DatasetRecord;
use plan::spec::{TestBy, TestOn, Videos};
use plan::{DataPlan, NetPlan, Protocol, RowPlan, TablePlan, TestPlan, VideoPlan, Work};

/// A part of a split.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Test,
    /// The test events, in the camera views of the training.
    Seen,
}

impl Part {
    fn of(on: TestOn) -> Self {
        match on {
            TestOn::Test => Self::Test,
            TestOn::SeenViews => Self::Seen,
        }
    }

    /// Returns the part that the tested videos are compared with, if any.
    fn beside(by: TestBy) -> Option<Self> {
        match by {
            TestBy::Softmax => None,
            TestBy::NearestNeighbour => Some(Self::Train),
            TestBy::Pairs => Some(Self::Seen),
        }
    }
}

/// The data sets of a table.
pub(super) struct Library<'a> {
    runner: &'a Runner<'a>,
    plan: &'a TablePlan,
    sets: BTreeMap<String, Set>,
    /// The data sets with videos that could not be prepared.
    broken: RefCell<BTreeSet<String>>,
}

struct Set {
    dataset: Dataset,
    /// Fingerprint of each split, by name.
    fingerprints: BTreeMap<String, String>,
    /// Properties that make its numbers say less than they seem to.
    cautions: Vec<Caution>,
    /// Prepared videos, by the hash of their recipe.
    prepared: RefCell<BTreeMap<String, Ready>>,
}

/// Videos by their index in the data set.
type Ready = Rc<BTreeMap<usize, Arc<PreparedVideo>>>;

/// Describes what a row needs and its data lack, if anything.
pub(super) fn lacks(row: &RowPlan) -> Option<String> {
    let backward = row.work.stages().any(|net| wants_backward(net) && net.video.extraction.is_some());
    backward.then(|| {
        "it needs backward flow, which extracted folders do not have; use the videos themselves as data root".to_owned()
    })
}

pub(crate) fn wants_backward(net: &NetPlan) -> bool {
    net.inputs().filter_map(|input| input.flow()).any(|flow| flow.directions.contains(&Direction::Backward))
}

impl<'a> Library<'a> {
    /// Opens the data sets that the wanted rows need, or `only` one of them to prepare it. In that case, videos may be
    /// missing, and no fingerprints are computed.
    pub(super) fn open(runner: &'a Runner<'a>, plan: &'a TablePlan, only: Option<&str>) -> Result<Self> {
        let workspace = runner.workspace;
        let partial = only.is_some();
        let used = plan.stages().flat_map(|net| &net.data).map(|data| data.set.as_str());
        let names: BTreeSet<&str> = used.filter(|set| only.is_none_or(|only| only == *set)).collect();
        let hashes = SourceHashes::open(&workspace.cache.join("videos"));
        let mut sets = BTreeMap::new();
        for name in names {
            let spec = workspace.dataset_spec(name)?;
            let generated = spec.data_seed().is_some();
            let options = OpenOptions {
                root: runner.data_roots.of(name, &plan.dataset),
                data_seeds: if generated { plan.data_seeds.clone() } else { Vec::new() },
                extraction: runner.request.extraction.filter(|_| !generated),
                partial,
            };
            let dataset = Dataset::open_with(&spec, &options)?;
            let mut fingerprints = BTreeMap::new();
            for row in plan.wanted().filter(|row| row.work.target() == Some(name) && dataset.views.is_empty())
            {
                let of_views = |protocol: &Protocol| {
                    let TestPlan { on, by, .. } = protocol.test;
                    on == TestOn::SeenViews || by == TestBy::Pairs || protocol.net.train.pairs.is_some()
                };
                if row.work.protocols().iter().any(of_views) {
                    return Err(Error::Usage(format!(
                        "row {} needs a data set with several camera views of each event, and {name} has none; docs/data.md \
                         describes its layout",
                        row.row.id
                    )));
                }
            }
            let mut cautions = dataset.cautions.clone();
            // Preparing needs no fingerprints, and there are none while videos are missing.
            if !partial {
                let (of_splits, copies) = dataset.fingerprints(&hashes)?;
                let names = dataset.splits.iter().map(|split| split.name.clone());
                fingerprints.extend(names.zip(of_splits));
                cautions.extend(copies);
            }
            let prepared = RefCell::default();
            sets.insert(name.to_owned(), Set { dataset, fingerprints, cautions, prepared });
        }
        hashes.save()?;
        Ok(Self { runner, plan, sets, broken: RefCell::default() })
    }

    /// Returns the plan whose data sets these are.
    pub(super) fn plan(&self) -> &TablePlan {
        self.plan
    }

    /// Returns `true` if all data sets of a row are open; those of unwanted rows may not be.
    pub(super) fn has(&self, work: &Work) -> bool {
        work.stages().flat_map(|net| &net.data).all(|data| self.sets.contains_key(&data.set))
    }

    /// Returns `true` if videos of the row's data sets could not be prepared.
    pub(super) fn is_broken(&self, work: &Work) -> bool {
        work.stages().flat_map(|net| &net.data).any(|data| self.broken.borrow().contains(&data.set))
    }

    fn set(&self, name: &str) -> Result<&Set> {
        self.sets.get(name).ok_or_else(|| Error::Usage(format!("data set `{name}` is not open")))
    }

    /// Returns the class names of a data set, in label order.
    pub(super) fn classes(&self, set: &str) -> Result<&[String]> {
        Ok(&self.set(set)?.dataset.classes)
    }

    /// Returns a fingerprint of the videos that a net learns from: their list and their contents.
    pub(super) fn fingerprint(&self, data: &DataPlan, repeat: &Repeat<'_>) -> Result<String> {
        let set = self.set(&data.set)?;
        let of = |name: &str| {
            let split = set.dataset.split_beside(name, repeat.split);
            let found = split.and_then(|split| set.fingerprints.get(&split.name));
            found.cloned().ok_or_else(|| no_such_split(&data.set, name))
        };
        Ok(match &data.videos {
            Videos::Of(split) => of(split)?,
            Videos::Split => match repeat.fold {
                None => of(repeat.split)?,
                Some(_) => {
                    let kept: Vec<&str> = self
                        .indices(data, repeat, Part::Train, None)?
                        .into_iter()
                        .map(|index| set.dataset.videos[index].id.as_str())
                        .collect();
                    format!("{}, of these {}", of(repeat.split)?, crate::store::hash(&kept))
                }
            },
            Videos::All => {
                let of_draw: BTreeSet<&str> =
                    set.dataset.splits_beside(repeat.split).map(|split| split.name.as_str()).collect();
                let fingerprints =
                    set.fingerprints.iter().filter(|(name, _)| of_draw.contains(name.as_str()));
                let all: Vec<&str> = fingerprints.map(|(_, fingerprint)| fingerprint.as_str()).collect();
                format!("all of {}", crate::store::hash(&all))
            }
        })
    }

    /// Returns the data sets of a row for its record, the tested one first.
    pub(super) fn records(&self, row: &RowPlan) -> Result<Vec<DatasetRecord>> {
        let mut records: Vec<DatasetRecord> = Vec::new();
        let nets = row.work.protocols().iter().flat_map(|protocol| protocol.net.stages().into_iter().rev());
        for data in nets.flat_map(|net| &net.data) {
            if records.iter().any(|record| record.name == data.set) {
                continue;
            }
            let set = self.set(&data.set)?;
            // The splits are those of the tested set; others serve training, in which nothing is measured.
            let used: BTreeSet<&str> = match row.work.target() {
                Some(target) if target == data.set => row.splits.iter().map(String::as_str).collect(),
                _ => BTreeSet::new(),
            };
            records.push(DatasetRecord {
                name: data.set.clone(),
                data_seeds: set.dataset.data_seeds.clone(),
                fingerprints: set.fingerprints.clone(),
                cautions: set.cautions.iter().filter_map(|caution| caution.of(&used)).collect(),
                accepted: self.accepted(row, &data.set)?,
            });
        }
        Ok(records)
    }

    /// Returns the block of each video of a test.
    pub(super) fn blocks(&self, protocol: &Protocol, repeat: &Repeat<'_>) -> Result<Blocks> {
        let data = protocol.net.target();
        let dataset = &self.set(&data.set)?.dataset;
        let limit = protocol.net.video.videos_per_class;
        let tested = self.indices(data, repeat, Part::of(protocol.test.on), limit)?;
        let numbers = block_numbers(dataset);
        let listed = tested.into_iter().map(|index| &dataset.videos[index]);
        let with_label = listed.filter(|video| !data.without.contains(&dataset.classes[video.label]));
        Ok(with_label.map(|video| numbers[&dataset.block(video)]).collect())
    }

    /// Replaces the names of a data set's blocks by their numbers.
    pub(super) fn numbered<T>(&self, set: &str, blocks: BTreeMap<String, T>) -> Result<BTreeMap<u32, T>> {
        let numbers = block_numbers(&self.set(set)?.dataset);
        let one = |(block, of): (String, T)| match numbers.get(&block) {
            Some(&number) => Ok((number, of)),
            None => Err(Error::Usage(format!("{set} has no group `{block}`; test again with --fresh"))),
        };
        blocks.into_iter().map(one).collect()
    }

    /// Returns the training videos of a net, for each task.
    pub(super) fn training(&self, net: &NetPlan, repeat: &Repeat<'_>) -> Result<Vec<Vec<LabelledVideo>>> {
        let mut tasks = vec![Vec::new(); net.tasks()];
        let mut first_label = vec![0; net.tasks()];
        for data in &net.data {
            let indices = self.indices(data, repeat, Part::Train, net.video.videos_per_class)?;
            tasks[data.task].extend(self.labelled(data, &net.video, &indices, first_label[data.task])?);
            first_label[data.task] += data.classes;
        }
        Ok(tasks)
    }

    /// Returns the videos that a net is tested on: the test part of the split, its events in the views of the training, or
    /// the held-out fold.
    pub(super) fn testing(&self, protocol: &Protocol, repeat: &Repeat<'_>) -> Result<Vec<LabelledVideo>> {
        self.of_target(&protocol.net, repeat, Part::of(protocol.test.on))
    }

    /// Returns the videos that the tested ones are compared with.
    pub(super) fn beside(&self, protocol: &Protocol, repeat: &Repeat<'_>) -> Result<Vec<LabelledVideo>> {
        match Part::beside(protocol.test.by) {
            None => Ok(Vec::new()),
            Some(part) => self.of_target(&protocol.net, repeat, part),
        }
    }

    /// Counts the videos that a test looks at, including those that it compares with.
    pub(super) fn count_looked_at(&self, protocol: &Protocol, repeat: &Repeat<'_>) -> Result<usize> {
        let net = &protocol.net;
        let parts = [Some(Part::of(protocol.test.on)), Part::beside(protocol.test.by)];
        let count = |part| Ok(self.indices(net.target(), repeat, part, net.video.videos_per_class)?.len());
        parts.into_iter().flatten().map(count).sum()
    }

    fn of_target(&self, net: &NetPlan, repeat: &Repeat<'_>, part: Part) -> Result<Vec<LabelledVideo>> {
        let indices = self.indices(net.target(), repeat, part, net.video.videos_per_class)?;
        self.labelled(net.target(), &net.video, &indices, 0)
    }

    /// Returns videos with their labels in their softmax layer.
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
        let one = |&index: &usize| -> Option<Result<LabelledVideo>> {
            let listed = &dataset.videos[index];
            // Excluded classes have no label.
            let label = kept[listed.label]? as u32;
            let (id, view) = (listed.id.clone(), listed.view.clone());
            let video = prepared.get(&index).map(|source| LabelledVideo {
                id,
                label,
                view,
                source: Arc::clone(source) as _,
            });
            let missing = || Error::Usage(format!("video `{}` is needed but was not prepared", listed.id));
            Some(video.ok_or_else(missing))
        };
        indices.iter().filter_map(one).collect()
    }

    /// Returns the indices of the videos of a part, at most `limit` per class.
    fn indices(
        &self,
        data: &DataPlan,
        repeat: &Repeat<'_>,
        part: Part,
        limit: Option<usize>,
    ) -> Result<Vec<usize>> {
        let dataset = &self.set(&data.set)?.dataset;
        let split = |name: &str| {
            let split = dataset.split_beside(name, repeat.split);
            split.ok_or_else(|| no_such_split(&data.set, name))
        };
        let list: Vec<usize> = match (&data.videos, part, repeat.fold) {
            (Videos::All, Part::Train, _) => {
                let all: BTreeSet<usize> = dataset
                    .splits_beside(repeat.split)
                    .flat_map(|split| split.train.iter().chain(&split.test))
                    .copied()
                    .collect();
                all.into_iter().collect()
            }
            (Videos::Of(name), Part::Train, _) => split(name)?.train.clone(),
            (Videos::Split, _, Some((fold, of))) => {
                let train = at_most(dataset, split(repeat.split)?.train.clone(), limit);
                let folds = data::split::folds(&dataset.videos, &train, of)?;
                let left_out = part != Part::Train;
                let chosen = train.iter().zip(folds).filter(|(_, number)| (*number == fold) == left_out);
                return Ok(chosen.map(|(index, _)| *index).collect());
            }
            (Videos::Split, Part::Train, None) => split(repeat.split)?.train.clone(),
            (_, Part::Test, _) => split(repeat.split)?.test.clone(),
            (_, Part::Seen, _) => split(repeat.split)?.seen.clone(),
        };
        Ok(at_most(dataset, list, limit))
    }
}

/// Numbers the blocks of all videos of a data set in the order of their names.
fn block_numbers(dataset: &Dataset) -> BTreeMap<String, u32> {
    let names: BTreeSet<String> = dataset.videos.iter().map(|video| dataset.block(video)).collect();
    names.into_iter().zip(0..).collect()
}

fn no_such_split(set: &str, split: &str) -> Error {
    Error::Usage(format!("data set `{set}` has no split `{split}`"))
}

/// Keeps the first `limit` videos of each class; in a set of several views, all videos of the first `limit` events.
fn at_most(dataset: &Dataset, list: Vec<usize>, limit: Option<usize>) -> Vec<usize> {
    let Some(limit) = limit else { return list };
    let mut taken: BTreeMap<usize, BTreeSet<&str>> = BTreeMap::new();
    let mut room = |index: &usize| {
        let video = &dataset.videos[*index];
        let events = taken.entry(video.label).or_default();
        let event = video.view.as_ref().map_or(&video.id, |view| &view.event);
        events.contains(event.as_str()) || (events.len() < limit && events.insert(event))
    };
    list.into_iter().filter(|index| room(index)).collect()
}
