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
use crate::split::{self, ListedClip, Split, SplitLists};
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
    /// Seeds that replace that of a generated set, one for each draw. If empty: its own.
    pub data_seeds: Vec<u64>,
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
    /// Seeds of the draws of a generated set; empty for real videos.
    pub data_seeds: Vec<u64>,
    /// Properties that make its numbers say less than they seem to, as far as they can be seen without the videos.
    pub cautions: Vec<Caution>,
}

impl Description {
    /// Describes a generated set with these data seeds instead of its own. If there are several, each split becomes one of each draw.
    #[must_use]
    pub fn drawn(mut self, data_seeds: &[u64]) -> Self {
        if data_seeds.len() > 1 {
            let of = |seed: &u64| {
                let name = |split: &SplitSize| split::of_draw(&split.name, *seed);
                self.splits
                    .iter()
                    .map(|split| SplitSize { name: name(split), ..split.clone() })
                    .collect::<Vec<_>>()
            };
            self.splits = data_seeds.iter().flat_map(of).collect();
            self.videos *= data_seeds.len();
        }
        self.data_seeds = data_seeds.to_vec();
        self
    }

    /// Iterates over the splits with a name; in a set of several draws, a plain name has one of each draw.
    pub fn splits_named(&self, name: &str) -> impl Iterator<Item = &SplitSize> {
        let has_draws = self.data_seeds.len() > 1;
        self.splits
            .iter()
            .filter(move |split| split.name == name || (has_draws && split::plain(&split.name) == name))
    }

    /// Returns `true` if the videos are generated.
    #[must_use]
    pub fn is_generated(&self) -> bool {
        !self.data_seeds.is_empty()
    }
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
    /// Seeds of the draws of a generated set; empty for real videos. If there are several, splits are named as in
    /// [`crate::split::of_draw`], and ids are unique within a draw only.
    pub data_seeds: Vec<u64>,
    /// Settings of the extraction, if frames and flow are extracted ones.
    pub extraction: Option<Extraction>,
    /// Real path of the folder of videos.
    pub root: Option<PathBuf>,
    /// The generator of each draw.
    generators: Vec<Generator>,
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
        let (root, data_seeds) = (root.map(Path::to_path_buf), data_seed.into_iter().collect());
        Self::open_with(
            &DatasetSpec::load(path)?,
            &OpenOptions { root, data_seeds, ..OpenOptions::default() },
        )
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
        let OpenOptions { root, data_seeds, extraction, partial } = options;
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
            let seeds = if data_seeds.is_empty() { &[default_seed][..] } else { data_seeds };
            return Self::generated(spec, seeds);
        }
        if let Some(seed) = data_seeds.first() {
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
        let group = video.view.as_ref().map_or(&video.group, |view| &view.group);
        match video.source {
            VideoSource::Generated { draw, .. } if self.has_draws() => format!("{draw}/{group}"),
            _ if self.groups_by_class => format!("{}/{group}", self.classes[video.label]),
            _ => group.clone(),
        }
    }

    /// Opens a generated set: the videos of all draws, with the splits of each.
    fn generated(spec: &DatasetSpec, data_seeds: &[u64]) -> Result<Self, DataError> {
        let mut all = Self { name: spec.name.clone(), data_seeds: data_seeds.to_vec(), ..Self::default() };
        for (draw, &seed) in data_seeds.iter().enumerate() {
            let (generator, splits) =
                spec.generated(seed)?.ok_or_else(|| spec.error("real videos have no generator"))?;
            let first = all.videos.len();
            let place = |indices: Vec<usize>| indices.into_iter().map(|index| first + index).collect();
            all.splits.extend(splits.into_iter().map(|Split { name, train, test, seen }| Split {
                name: if data_seeds.len() > 1 { split::of_draw(&name, seed) } else { name },
                train: place(train),
                test: place(test),
                seen: place(seen),
            }));
            all.videos.extend(generator.videos(draw));
            all.classes = generator.set().classes().to_vec();
            all.views = generator.views().to_vec();
            all.generators.push(generator);
        }
        Ok(all)
    }

    /// Returns `true` for a generated set of several draws.
    pub fn has_draws(&self) -> bool {
        self.generators.len() > 1
    }

    /// Iterates over the splits; in a set of several draws, over those of the draw of `beside`, a split of this or another set.
    pub fn splits_beside(&self, beside: &str) -> impl Iterator<Item = &Split> {
        let draw = split::draw_of(beside);
        self.splits.iter().filter(move |split| !self.has_draws() || split::draw_of(&split.name) == draw)
    }

    /// Returns the split with this name; in a set of several draws, that of the draw of `beside`, a split of this or another set.
    pub fn split_beside(&self, name: &str, beside: &str) -> Option<&Split> {
        let plain = |name| if self.has_draws() { split::plain(name) } else { name };
        self.splits_beside(beside).find(|split| plain(&split.name) == plain(name))
    }

    /// Describes classes and sizes without the videos, for plans at a scale that this machine cannot hold.
    ///
    /// # Errors
    /// The errors of reading the data-set file and its lists.
    pub fn describe(spec: &DatasetSpec) -> Result<Description, DataError> {
        let (classes, videos, splits, cautions) = match spec.data_seed() {
            Some(seed) => {
                let set = Self::generated(spec, &[seed])?;
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
        let (name, title) = (spec.name.clone(), spec.title().to_owned());
        let data_seeds = spec.data_seed().into_iter().collect();
        Ok(Description { name, title, classes, videos, splits: sizes.collect(), data_seeds, cautions })
    }

    /// Returns the generator of a generated set (of its first draw); `None` for real videos.
    pub fn generator(&self) -> Option<&Generator> {
        self.generators.first()
    }

    /// Returns the generator of a generated video and the video's index there; `None` for real videos.
    pub fn rendering(&self, video: &Video) -> Option<(&Generator, usize)> {
        match video.source {
            VideoSource::Generated { draw, index } => Some((self.generators.get(draw)?, index)),
            _ => None,
        }
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
        let copies = if self.generator().is_some() { Vec::new() } else { self.copies_among(&contents) };
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
        // A net of one draw is the same, whatever the other draws.
        field(if self.has_draws() { split::plain(&lists.name) } else { &lists.name });
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
        if self.generator().is_some() {
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
        match (&video.source, self.rendering(video)) {
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
            (VideoSource::Generated { .. }, Some((generator, index))) => {
                Ok(format!("generated, {}", generator.set().fingerprint(index)))
            }
            (VideoSource::Generated { index, .. }, None) => Err(DataError::invalid(
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
