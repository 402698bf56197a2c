//! Data sets: videos with their classes and their parts in each split.
//!
//! A data set is described by `datasets/<name>.toml` ([`DatasetSpec`]). [`Dataset::describe`] needs only that
//! file (and the official lists beside it); [`Dataset::open`] also finds the videos.

mod cautions;
mod files;
mod generated;
mod hashes;
mod hint;
mod lists;
mod names;
mod own;
mod parts;
mod scan;
mod spec;
mod video;

use crate::cuts::CutConfig;
use crate::error::DataError;
use crate::extracted::{ExtractedFolder, Extraction};
use crate::split::{ListedClip, Split, SplitLists};
use rayon::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

pub use cautions::Caution;
pub use generated::{Generator, Numbers, SplitRule, ViewSplitRule};
pub use hashes::SourceHashes;
pub(crate) use names::split_ending;
pub use names::{VIDEO_ENDINGS, plain_name};
pub use own::{Column, DivideSpec, FolderFacts, FolderSpec, KineticsSpec, ListPair, ListSpec, Missing};
pub use parts::{Part, Role};
pub(crate) use parts::{count as lacking, shorten};
pub use spec::{
    DatasetSpec, GroupSplit, ListLayout, SpecBody, SplitFilesSpec, SplitSize, StatedSplit, StillsSpec,
    SynthSpec, VideoFoldersSpec, ViewFoldersSpec, ViewsSpec,
};
pub use video::{Video, VideoSource, View};

/// Options for opening a data set.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OpenOptions {
    /// Folder of real videos, or of extracted frames and flow.
    pub root: Option<PathBuf>,
    /// Seed that replaces that of a generated set.
    pub data_seed: Option<u64>,
    /// Settings of the extraction, if the root holds extracted frames and flow.
    pub extraction: Option<Extraction>,
    /// Opens the data set even if videos are missing; those are [`VideoSource::Missing`].
    pub partial: bool,
}

/// Sizes of a data set, known without its videos.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Description {
    /// The set's name.
    pub name: String,
    /// Title, one line.
    pub title: String,
    /// Class names by index.
    pub classes: Vec<String>,
    /// Number of videos.
    pub videos: usize,
    /// Name and sizes of each split.
    pub splits: Vec<SplitSize>,
    /// Default seed of a generated set.
    pub data_seed: Option<u64>,
    /// Properties that make its numbers say less than they seem to, as far as they can be seen without the videos.
    pub cautions: Vec<Caution>,
}

/// A data set in which every listed video was found or is marked as missing.
#[derive(Debug, Default)]
pub struct Dataset {
    /// Name, as on the command line.
    pub name: String,
    /// Class names by index.
    pub classes: Vec<String>,
    /// All videos; those of a generated set in its own order, others sorted by id.
    pub videos: Vec<Video>,
    /// Names of the camera views of the events; empty if every video is an event of its own.
    pub views: Vec<String>,
    /// The splits, as indices into `videos`.
    pub splits: Vec<Split>,
    /// Settings of the search for hard cuts; `None` if clips are not searched.
    pub cuts: Option<CutConfig>,
    /// Videos found that no list names; they are ignored.
    pub surplus: Vec<String>,
    /// The likely reason for missing videos, in words; empty if there is none missing.
    pub hint: String,
    /// Properties that make its numbers say less than they seem to, as far as they can be seen without the videos.
    pub cautions: Vec<Caution>,
    /// Seed of a generated set.
    pub data_seed: Option<u64>,
    /// Settings of the extraction, if frames and flow are extracted ones.
    pub extraction: Option<Extraction>,
    /// Real path of the folder of videos.
    pub root: Option<PathBuf>,
    generator: Option<Generator>,
    groups_by_class: bool,
}

impl Dataset {
    /// Opens the data set of a file. `root` is the folder of real videos and `data_seed` replaces the
    /// seed of a generated set; each is refused where it does not apply.
    ///
    /// # Errors
    /// Those of [`DatasetSpec::load`]; [`DataError::MissingRoot`], [`DataError::Layout`] naming the
    /// missing videos, [`DataError::Split`] for a bad list or a broken link.
    pub fn open(path: &Path, root: Option<&Path>, data_seed: Option<u64>) -> Result<Self, DataError> {
        let root = root.map(Path::to_path_buf);
        Self::open_with(&DatasetSpec::load(path)?, &OpenOptions { root, data_seed, ..OpenOptions::default() })
    }

    /// Creates a data set of a single video file, without classes and splits. The video is searched for hard cuts as `cuts`
    /// says.
    ///
    /// # Errors
    /// [`DataError::File`] if there is no such file.
    pub fn of_video(path: &Path, cuts: Option<CutConfig>) -> Result<Self, DataError> {
        let file = path.canonicalize().map_err(|error| DataError::io("open", path, error))?;
        let id = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
        let video = Video { group: id.clone(), id, label: 0, view: None, source: VideoSource::File(file) };
        Ok(Self { name: "video".to_owned(), videos: vec![video], cuts, ..Self::default() })
    }

    /// Opens a data set whose file has already been read.
    ///
    /// # Errors
    /// The errors of [`Dataset::open`]; [`DataError::BoundNeeded`] for a root of extracted flow without
    /// [`OpenOptions::extraction`].
    pub fn open_with(spec: &DatasetSpec, options: &OpenOptions) -> Result<Self, DataError> {
        let OpenOptions { root, data_seed, extraction, partial } = options;
        if let Some(default_seed) = spec.data_seed() {
            if let Some(root) = root {
                return Err(spec.error(format!(
                    "`{}` is generated and takes no data root, found {}; leave --data-root out",
                    spec.name,
                    root.display()
                )));
            }
            if extraction.is_some() {
                return Err(spec.error(format!("`{}` is generated and has no extracted flow", spec.name)));
            }
            return Self::generated(spec, data_seed.unwrap_or(default_seed));
        }
        if let Some(seed) = data_seed {
            return Err(spec.error(format!(
                "`{}` has real videos and takes no data seed, found {seed}; leave --data-seed out",
                spec.name
            )));
        }
        // Plans are made without a data root, and the sizes of the splits of such a set depend on it.
        let own_root = matches!(spec.body, SpecBody::Folder(_)) || spec.leaves_out();
        if let Some(root) = root.as_ref().filter(|_| own_root) {
            return Err(spec.error(format!(
                "`{}` names its own folder and takes no data root, found {}; correct `root` in the file",
                spec.name,
                root.display()
            )));
        }
        let lists = lists::listed(spec, extraction.is_some())?;
        let missing_root = |found: String| DataError::MissingRoot {
            dataset: spec.name.clone(),
            expected: format!(
                "{} videos as {}, such as {}",
                lists.clips.len(),
                spec.layout(),
                lists::example(&lists)
            ),
            found,
        };
        if let (None, Some(own)) = (root, spec.root().filter(|own| !own.is_dir())) {
            return Err(own::no_folder(&spec.path, &own));
        }
        let root = root.clone().or_else(|| spec.root());
        let root = root.ok_or_else(|| missing_root("no folder was given".to_owned()))?;
        if !root.is_dir() {
            return Err(missing_root(format!("{} is not a folder", root.display())));
        }
        let mut found = files::find(spec, &root, &lists.clips, *extraction)?;
        if !found.surplus.is_empty() {
            tracing::warn!(
                dataset = spec.name,
                count = found.surplus.len(),
                first = found.surplus[0],
                "ignoring videos that the data set does not list"
            );
        }
        let (lists, sources, left_out) = lists::reduce(spec, lists, std::mem::take(&mut found.sources))?;
        found.sources = sources;
        let hint = hint(spec, &lists, &found);
        if !partial {
            lists::complete(spec, &lists, &found, &hint)?;
        }
        let cautions = cautions(spec, &lists, left_out);
        let videos = lists.clips.into_iter().zip(found.sources);
        Ok(Self {
            name: spec.name.clone(),
            classes: lists.classes,
            videos: videos
                .map(|(clip, source)| {
                    let ListedClip { id, label, group, view, .. } = clip;
                    Video { id, label, group, view, source }
                })
                .collect(),
            views: spec.views().to_vec(),
            splits: lists.splits,
            cuts: spec.cuts(),
            surplus: found.surplus,
            hint,
            cautions,
            extraction: *extraction,
            root: Some(found.root),
            groups_by_class: spec.groups_by_class(),
            ..Self::default()
        })
    }

    /// Returns the block of a video. Videos of one block have a cause in common (a film, an actor, a group of UCF-101), so
    /// intervals treat blocks, not videos, as independent.
    pub fn block(&self, video: &Video) -> String {
        match &video.view {
            Some(view) => view.group.clone(),
            None if self.groups_by_class => format!("{}/{}", self.classes[video.label], video.group),
            None => video.group.clone(),
        }
    }

    fn generated(spec: &DatasetSpec, data_seed: u64) -> Result<Self, DataError> {
        let (generator, splits) =
            spec.generated(data_seed)?.ok_or_else(|| spec.error("real videos have no generator"))?;
        Ok(Self {
            name: spec.name.clone(),
            classes: generator.set().classes().to_vec(),
            videos: generator.videos(),
            views: generator.views().to_vec(),
            splits,
            data_seed: Some(data_seed),
            generator: Some(generator),
            ..Self::default()
        })
    }

    /// Describes classes and sizes without the videos, for plans at a scale that this machine cannot hold.
    ///
    /// # Errors
    /// The errors of reading the data-set file and its lists.
    pub fn describe(spec: &DatasetSpec) -> Result<Description, DataError> {
        let (classes, videos, splits, cautions) = match spec.data_seed() {
            Some(seed) => {
                let set = Self::generated(spec, seed)?;
                (set.classes, set.videos.len(), set.splits, Vec::new())
            }
            None => {
                let mut lists = lists::listed(spec, false)?;
                let mut left_out = 0;
                if let Some(root) = spec.root().filter(|root| spec.leaves_out() && root.is_dir()) {
                    let scan = files::search(spec, &root)?;
                    let found = files::pick(spec, root, &lists.clips, scan, false);
                    (lists, _, left_out) = lists::reduce(spec, lists, found.sources)?;
                }
                let cautions = cautions(spec, &lists, left_out);
                (lists.classes, lists.clips.len(), lists.splits, cautions)
            }
        };
        let sizes = splits.into_iter().map(|split| SplitSize {
            name: split.name,
            train: split.train.len(),
            test: split.test.len(),
        });
        let (name, title, data_seed) = (spec.name.clone(), spec.title().to_owned(), spec.data_seed());
        Ok(Description { name, title, classes, videos, splits: sizes.collect(), data_seed, cautions })
    }

    /// The generator of a generated set; `None` for real videos.
    pub fn generator(&self) -> Option<&Generator> {
        self.generator.as_ref()
    }

    /// A video's role in each split that uses it.
    pub fn parts(&self, video: usize) -> Vec<Part> {
        parts::of(&self.splits, video)
    }

    /// Hash of everything that a split's numbers depend on: ids, labels, lists and the content of every video, but not
    /// the paths of the files. Call [`SourceHashes::save`] afterwards, so that the next call is fast.
    ///
    /// # Errors
    /// [`DataError::File`] for a video that cannot be read, [`DataError::Invalid`] for a split that does not exist.
    pub fn fingerprint(&self, split: usize, hashes: &SourceHashes) -> Result<String, DataError> {
        let lists = self.splits.get(split).ok_or_else(|| {
            DataError::invalid(
                format!("split of `{}`", self.name),
                format!("0 to {}", self.splits.len().saturating_sub(1)),
                split,
            )
        })?;
        Ok(self.fingerprint_of(lists, &self.contents(std::slice::from_ref(lists), hashes)?))
    }

    /// Returns the fingerprint of every split, in order, and what [`Dataset::copies`] finds. Each video is looked at once, whatever
    /// the number of splits.
    ///
    /// # Errors
    /// [`DataError::File`] for a video that cannot be read.
    pub fn fingerprints(&self, hashes: &SourceHashes) -> Result<(Vec<String>, Vec<Caution>), DataError> {
        let contents = self.contents(&self.splits, hashes)?;
        let prints = self.splits.iter().map(|lists| self.fingerprint_of(lists, &contents)).collect();
        let copies = if self.generator.is_some() { Vec::new() } else { self.copies_among(&contents) };
        Ok((prints, copies))
    }

    /// Hashes of the contents of the videos that some splits use, each computed once.
    fn contents(
        &self,
        splits: &[Split],
        hashes: &SourceHashes,
    ) -> Result<BTreeMap<usize, String>, DataError> {
        let used: BTreeSet<usize> = splits
            .iter()
            .flat_map(|split| split.train.iter().chain(&split.test).chain(&split.seen))
            .copied()
            .collect();
        let used: Vec<usize> = used.into_iter().collect();
        let found: Vec<Result<String, DataError>> =
            used.par_iter().map(|&index| self.source_hash(&self.videos[index], hashes)).collect();
        used.into_iter().zip(found).map(|(index, hash)| Ok((index, hash?))).collect()
    }

    fn fingerprint_of(&self, lists: &Split, contents: &BTreeMap<usize, String>) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut field = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        field(&lists.name);
        self.classes.iter().for_each(|class| field(class));
        field(&format!("{:?}", self.cuts));
        if let Some(extraction) = self.extraction {
            field(&format!("extracted flow, bound {}", extraction.bound));
        }
        let seen = (!lists.seen.is_empty()).then_some(("seen", &lists.seen));
        for (part, indices) in [("train", &lists.train), ("test", &lists.test)].into_iter().chain(seen) {
            field(part);
            for &index in indices {
                let video = &self.videos[index];
                field(&video.id);
                field(&video.label.to_string());
                field(&contents[&index]);
            }
        }
        hasher.finalize().to_hex().to_string()
    }

    /// Finds test videos with the content of a training video. Generated videos are all different.
    ///
    /// # Errors
    /// [`DataError::File`] for a video that cannot be read.
    pub fn copies(&self, hashes: &SourceHashes) -> Result<Vec<Caution>, DataError> {
        if self.generator.is_some() {
            return Ok(Vec::new());
        }
        Ok(self.copies_among(&self.contents(&self.splits, hashes)?))
    }

    /// The same, given the hashes of some videos.
    pub(crate) fn copies_among(&self, hash_of: &BTreeMap<usize, String>) -> Vec<Caution> {
        cautions::of_copies(&self.splits, &|video| self.videos[video].id.clone(), hash_of)
    }

    /// Hash of a video's content: of the file, or of everything that its rendering depends on.
    pub(crate) fn source_hash(&self, video: &Video, hashes: &SourceHashes) -> Result<String, DataError> {
        match (&video.source, &self.generator) {
            (VideoSource::File(path), _) => {
                hashes.hash(path).map(|(hash, size)| format!("file of {size} bytes, BLAKE3 {hash}"))
            }
            (VideoSource::Extracted(path), _) => {
                let folder = ExtractedFolder::open(path)?;
                let (hash, files) = hashes.hash_folder(&folder)?;
                Ok(format!("extracted frames and flow in {files} files, BLAKE3 {hash}"))
            }
            (VideoSource::Missing { expected, why }, _) => Err(DataError::MissingVideo {
                id: video.id.clone(),
                root: self.root.clone().unwrap_or_default(),
                expected: expected.clone(),
                why: why.clone(),
            }),
            (VideoSource::Generated(index), Some(set)) => {
                Ok(format!("generated, {}", set.set().fingerprint(*index)))
            }
            (VideoSource::Generated(index), None) => Err(DataError::invalid(
                format!("video `{}`", video.id),
                "a generator",
                format!("none for index {index}"),
            )),
        }
    }
}

/// Looks for the reason for missing videos.
fn hint(spec: &DatasetSpec, lists: &SplitLists, found: &files::Found) -> String {
    let missing: Vec<&ListedClip> = lists
        .clips
        .iter()
        .zip(&found.sources)
        .filter(|(_, source)| matches!(source, VideoSource::Missing { why: None, .. }))
        .map(|(clip, _)| clip)
        .collect();
    if missing.is_empty() {
        return String::new();
    }
    let mut hint = hint::of(spec, &found.root, &missing);
    if let Some((_, first)) = found.unreadable.first() {
        let others = found.unreadable.len();
        hint.push_str(&format!(
            "; {} could not be read, the first: {first}",
            base::text::counted(others, "folder")
        ));
    }
    hint
}

fn cautions(spec: &DatasetSpec, lists: &SplitLists, left_out: usize) -> Vec<Caution> {
    let places: Vec<cautions::Place<'_>> =
        lists.clips.iter().map(|clip| cautions::Place { label: clip.label, group: &clip.group }).collect();
    // Official lists keep groups apart within a class; those of HMDB-51 do not keep a film apart across classes.
    let by_class = matches!(spec.body, SpecBody::SplitFiles(_));
    let mut all = cautions::of(&lists.classes, &places, &lists.splits, by_class);
    if left_out > 0 {
        let text = format!("left out, since missing: {}", base::text::counted(left_out, "listed video"));
        all.insert(
            0,
            Caution { splits: lists.splits.iter().map(|split| split.name.clone()).collect(), text },
        );
    }
    all
}
