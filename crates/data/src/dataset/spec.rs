//! `datasets/<name>.toml` as written: strict types, one per kind of data set.
//!
//! A misspelt key is an error with file, line, column and a suggestion.

use super::generated::{Generator, SplitRule, ViewSplitRule, generate, generate_views};
use super::names::{has_ending, plain_name, split_ending};
use super::own::{FolderSpec, KineticsSpec, ListSpec, Missing, beside};
use crate::cuts::CutConfig;
use crate::error::DataError;
use crate::schema::{of_kind, one_of};
use crate::split::Split;
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::Deserialize;
use std::borrow::Cow;
use std::path::{Path, PathBuf};
use synth::stills::StillsConfig;
use synth::views::ViewsConfig;
use synth::{ClassList, StillSet, SynthConfig, SynthSet, ViewSet};

/// A data-set file.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetSpec {
    /// Name: the file's name without `.toml`.
    pub name: String,
    /// Path of the file.
    pub path: PathBuf,
    /// Content of the file.
    pub body: SpecBody,
}

/// The kinds of data sets.
#[derive(Debug, Clone, PartialEq)]
pub enum SpecBody {
    /// Rendered videos.
    Synth(Box<SynthSpec>),
    /// Rendered still pictures.
    Stills(Box<StillsSpec>),
    /// Rendered events, each seen by several cameras.
    Views(Box<ViewsSpec>),
    /// A grid of `CLASS/FILE` videos with splits by group, all in this file.
    VideoFolders(VideoFoldersSpec),
    /// `CLASS/FILE` videos with official split files.
    SplitFiles(SplitFilesSpec),
    /// Events seen by several cameras, as `VIEW/CLASS/FILE` videos.
    ViewFolders(ViewFoldersSpec),
    /// A folder of a user's videos, with classes as folders.
    Folder(Box<FolderSpec>),
    /// Videos with lists of paths and labels.
    List(Box<ListSpec>),
    /// Videos with the lists of Kinetics.
    Kinetics(Box<KineticsSpec>),
}

/// `kind = "synth"`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SynthSpec {
    #[schemars(skip)]
    kind: Kind,
    /// Title, one line.
    pub title: String,
    /// Seed of the whole set unless the command line gives another.
    pub data_seed: u64,
    /// List of classes.
    pub classes: ClassList,
    /// Rule that chooses the test videos of each split.
    pub splits: SplitRule,
    /// Settings of the generator.
    pub synth: SynthConfig,
}

/// `kind = "synth-stills"`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StillsSpec {
    #[schemars(skip)]
    kind: Kind,
    /// Title, one line.
    pub title: String,
    /// Seed of the whole set unless the command line gives another.
    pub data_seed: u64,
    /// Rule that chooses the test pictures of each split.
    pub splits: SplitRule,
    /// Settings of the generator.
    pub stills: StillsConfig,
}

/// `kind = "synth-views"`.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ViewsSpec {
    #[schemars(skip)]
    kind: Kind,
    /// Title, one line.
    pub title: String,
    /// Seed of the whole set unless the command line gives another.
    pub data_seed: u64,
    /// Rule that chooses the test events.
    pub splits: ViewSplitRule,
    /// Settings of the generator.
    pub views: ViewsConfig,
}

/// `kind = "view-folders"`: a user's own videos of events that several cameras saw at once, `VIEW/CLASS/EVENT`. Frame t of
/// all views of an event is one time step. Split k holds out view k.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ViewFoldersSpec {
    #[schemars(skip)]
    kind: Kind,
    /// Title, one line.
    pub title: String,
    /// Folder names of the views, in the order of the splits.
    pub views: Vec<String>,
    /// Folder names of the classes, in order of class index.
    pub classes: Vec<String>,
    /// Name of the list of events, beside this file: a line `CLASS/EVENT GROUP` for each, the name without its ending.
    pub events: String,
    /// Groups (actors) whose events are tested; the others are trained on.
    pub test: Vec<String>,
    /// File name endings of videos, without the dot.
    pub extensions: Vec<String>,
}

/// `kind = "video-folders"`: one clip for each class and group (actor), in `CLASS/`, or all in one folder.
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VideoFoldersSpec {
    #[schemars(skip)]
    kind: Kind,
    /// Title, one line.
    pub title: String,
    /// Number of clips; must be classes times groups.
    pub clips: usize,
    /// Class names, in order of class index; the folders' names, unless `flat`.
    pub classes: Vec<String>,
    /// Groups (actors) that the splits are made of.
    pub groups: Vec<String>,
    /// File name without ending, with `{group}`, and with `{class}` or the class's number from 0, `{class-index}`. `{number}`
    /// stands for any number that the set does not state.
    pub clip_name: String,
    /// True if all files lie in one folder. Default: false, each in the folder of its class.
    #[serde(default)]
    pub flat: bool,
    /// File name endings of videos, without the dot.
    pub extensions: Vec<String>,
    /// Search for hard cuts; clips are not searched if absent.
    pub cuts: Option<CutConfig>,
    /// The splits.
    pub split: Vec<GroupSplit>,
}

/// A split by groups: the named ones are tested, the others trained on.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct GroupSplit {
    /// Name, "1" and so on.
    pub name: String,
    /// Test groups.
    pub test: Vec<String>,
}

/// `kind = "split-files"`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SplitFilesSpec {
    #[schemars(skip)]
    kind: Kind,
    /// Title, one line.
    pub title: String,
    /// Layout of the lists.
    pub layout: ListLayout,
    /// Folder of the lists, beside this file.
    pub lists: String,
    /// Number of classes that the lists must have.
    pub classes: usize,
    /// Number of clips that the lists must have.
    pub clips: usize,
    /// File name endings of videos, without the dot.
    pub extensions: Vec<String>,
    /// The splits with the sizes that the lists must give.
    pub split: Vec<StatedSplit>,
}

/// A split with the sizes that its lists must give.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StatedSplit {
    /// Name, "1" and so on.
    pub name: String,
    /// Training videos; any number if absent.
    pub train: Option<usize>,
    /// Test videos; any number if absent.
    pub test: Option<usize>,
}

impl StatedSplit {
    /// Returns `true` if a split of this name and these sizes is as stated.
    pub(super) fn allows(&self, found: &SplitSize) -> bool {
        self.name == found.name
            && self.train.is_none_or(|train| train == found.train)
            && self.test.is_none_or(|test| test == found.test)
    }
}

/// What stands for any number in the name of a clip.
pub(super) const NUMBER: &str = "{number}";

/// Name and sizes of a split.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SplitSize {
    /// Name, "1" and so on.
    pub name: String,
    /// Training videos.
    pub train: usize,
    /// Test videos.
    pub test: usize,
}

/// Layout of the official lists of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ListLayout {
    /// `classInd.txt`, `trainlist01.txt`, `testlist01.txt`.
    Ucf101,
    /// `CLASS_test_split1.txt`.
    Hmdb51,
    /// `split1.txt`: `CLASS/NAME FLAG`, with HMDB-51's flags.
    Flags,
    /// `folds.txt`: `CLASS/NAME FOLD`; split k tests fold k.
    Folds,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Synth,
    SynthStills,
    SynthViews,
    VideoFolders,
    SplitFiles,
    ViewFolders,
    Folder,
    List,
    Kinetics,
}

/// The kind alone, read first to choose the strict type; errors in a tagged enum would lose their
/// position.
#[derive(Deserialize)]
struct Tag {
    kind: Kind,
}

impl JsonSchema for DatasetSpec {
    fn schema_name() -> Cow<'static, str> {
        "DataSet".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let kinds = vec![
            of_kind("synth", SynthSpec::json_schema(generator)),
            of_kind("synth-stills", StillsSpec::json_schema(generator)),
            of_kind("synth-views", ViewsSpec::json_schema(generator)),
            of_kind("video-folders", VideoFoldersSpec::json_schema(generator)),
            of_kind("split-files", SplitFilesSpec::json_schema(generator)),
            of_kind("view-folders", ViewFoldersSpec::json_schema(generator)),
            of_kind("folder", FolderSpec::json_schema(generator)),
            of_kind("list", ListSpec::json_schema(generator)),
            of_kind("kinetics", KineticsSpec::json_schema(generator)),
        ];
        one_of("A data set.", kinds)
    }
}

impl DatasetSpec {
    /// Reads a data-set file.
    ///
    /// # Errors
    /// [`DataError::File`], [`DataError::Toml`] with the position, [`DataError::Spec`] for contradictions.
    pub fn load(path: &Path) -> Result<Self, DataError> {
        let text = base::files::read_text(path)?;
        Self::parse(path, &text)
    }

    /// Reads the text of a data-set file; `path` gives the name and appears in errors.
    ///
    /// # Errors
    /// The errors of [`DatasetSpec::load`].
    pub fn parse(path: &Path, text: &str) -> Result<Self, DataError> {
        let Tag { kind } = base::parse_toml(path, text)?;
        let body = match kind {
            Kind::Synth => SpecBody::Synth(Box::new(base::parse_described(path, text)?)),
            Kind::SynthStills => SpecBody::Stills(Box::new(base::parse_described(path, text)?)),
            Kind::SynthViews => SpecBody::Views(Box::new(base::parse_described(path, text)?)),
            Kind::VideoFolders => SpecBody::VideoFolders(base::parse_described(path, text)?),
            Kind::SplitFiles => SpecBody::SplitFiles(base::parse_described(path, text)?),
            Kind::ViewFolders => SpecBody::ViewFolders(base::parse_described(path, text)?),
            Kind::Folder => SpecBody::Folder(Box::new(base::parse_described(path, text)?)),
            Kind::List => SpecBody::List(Box::new(base::parse_described(path, text)?)),
            Kind::Kinetics => SpecBody::Kinetics(Box::new(base::parse_described(path, text)?)),
        };
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let spec = Self { name, path: path.to_path_buf(), body };
        spec.check()?;
        Ok(spec)
    }

    /// Title, one line.
    pub fn title(&self) -> &str {
        match &self.body {
            SpecBody::Synth(spec) => &spec.title,
            SpecBody::Stills(spec) => &spec.title,
            SpecBody::Views(spec) => &spec.title,
            SpecBody::ViewFolders(spec) => &spec.title,
            SpecBody::VideoFolders(spec) => &spec.title,
            SpecBody::SplitFiles(spec) => &spec.title,
            SpecBody::Folder(spec) => &spec.title,
            SpecBody::List(spec) => &spec.title,
            SpecBody::Kinetics(spec) => &spec.title,
        }
    }

    /// Describes a folder of videos that has no file: classes are folders; the folders `train` and `test` (or `val`,
    /// `validation`) make the split, and without them three tenths of each class are tested. The set's name is made from that
    /// of the folder.
    ///
    /// # Errors
    /// [`DataError::File`] if the folder cannot be found.
    pub fn of_folder(folder: &Path) -> Result<Self, DataError> {
        let root = folder.canonicalize().map_err(|error| DataError::io("open", folder, error))?;
        let name = plain_name(&root.file_name().unwrap_or_default().to_string_lossy());
        Ok(Self { name, path: root.clone(), body: SpecBody::Folder(Box::new(FolderSpec::of(root))) })
    }

    /// The folder of the videos that the file names; `None` if the user names one with every command.
    pub fn root(&self) -> Option<PathBuf> {
        let root = match &self.body {
            SpecBody::Folder(spec) => Some(&spec.root),
            SpecBody::List(spec) => spec.root.as_ref(),
            SpecBody::Kinetics(spec) => spec.root.as_ref(),
            _ => None,
        };
        root.map(|root| beside(&self.path, root))
    }

    /// Returns `true` if the videos come from a folder of the user.
    pub fn needs_root(&self) -> bool {
        self.data_seed().is_none()
    }

    /// Settings of the search for hard cuts; `None` if the videos are not searched.
    pub fn cuts(&self) -> Option<CutConfig> {
        if let SpecBody::VideoFolders(folders) = &self.body { folders.cuts } else { None }
    }

    /// The names of the classes, if the file states them.
    pub fn classes(&self) -> Option<&[String]> {
        match &self.body {
            SpecBody::VideoFolders(spec) => Some(&spec.classes),
            SpecBody::ViewFolders(spec) => Some(&spec.classes),
            SpecBody::Folder(spec) => spec.classes.as_deref(),
            SpecBody::List(spec) => spec.classes.as_deref(),
            _ => None,
        }
    }

    /// File name endings of videos that the file names; empty if all common ones count.
    pub(super) fn endings(&self) -> &[String] {
        match &self.body {
            SpecBody::VideoFolders(spec) => &spec.extensions,
            SpecBody::SplitFiles(spec) => &spec.extensions,
            SpecBody::ViewFolders(spec) => &spec.extensions,
            SpecBody::Folder(spec) => spec.extensions.as_deref().unwrap_or_default(),
            SpecBody::List(spec) => &spec.extensions,
            SpecBody::Kinetics(_) | SpecBody::Synth(_) | SpecBody::Stills(_) | SpecBody::Views(_) => &[],
        }
    }

    /// Returns `true` for the name of a video file.
    pub(super) fn is_video(&self, name: &str) -> bool {
        match &self.body {
            SpecBody::Folder(spec) => spec.is_video(name),
            SpecBody::VideoFolders(_) | SpecBody::SplitFiles(_) | SpecBody::ViewFolders(_) => {
                has_ending(name, self.endings())
            }
            _ => split_ending(name, self.endings()).1.is_some(),
        }
    }

    /// Returns `true` if missing videos are left out of their splits.
    pub(super) fn leaves_out(&self) -> bool {
        let missing = match &self.body {
            SpecBody::List(spec) => spec.missing,
            SpecBody::Kinetics(spec) => spec.missing,
            _ => Missing::Error,
        };
        missing == Missing::LeaveOut
    }

    /// Returns `true` if a group's name means another group in each class, as `g01` does in UCF-101.
    pub(super) fn groups_by_class(&self) -> bool {
        matches!(&self.body, SpecBody::SplitFiles(spec) if spec.layout == ListLayout::Ucf101)
    }

    /// Default seed of a generated set; `None` for real videos.
    pub fn data_seed(&self) -> Option<u64> {
        match &self.body {
            SpecBody::Synth(spec) => Some(spec.data_seed),
            SpecBody::Stills(spec) => Some(spec.data_seed),
            SpecBody::Views(spec) => Some(spec.data_seed),
            _ => None,
        }
    }

    /// Folder names of a user's views; empty for other sets.
    pub(super) fn views(&self) -> &[String] {
        match &self.body {
            SpecBody::ViewFolders(spec) => &spec.views,
            _ => &[],
        }
    }

    /// Layout of the videos below the root, in words.
    pub(super) fn layout(&self) -> &'static str {
        match &self.body {
            SpecBody::ViewFolders(_) => "VIEW/CLASS/FILE",
            SpecBody::Folder(spec) => spec.layout(),
            SpecBody::List(_) => "the listed paths",
            SpecBody::Kinetics(_) => "ID_START_END.mp4 in any folder",
            SpecBody::VideoFolders(spec) if spec.flat => "all files in one folder",
            _ => "CLASS/FILE",
        }
    }

    /// The generator and splits of a generated set; `None` for real videos.
    pub(super) fn generated(&self, data_seed: u64) -> Result<Option<(Generator, Vec<Split>)>, DataError> {
        let set = match &self.body {
            SpecBody::Synth(spec) => {
                let set = SynthSet::new(spec.classes, spec.synth.clone(), data_seed);
                generate(set.map(|set| Generator::Videos(Box::new(set))), &spec.splits)
            }
            SpecBody::Stills(spec) => {
                let set = StillSet::new(spec.stills.clone(), data_seed);
                generate(set.map(Generator::Stills), &spec.splits)
            }
            SpecBody::Views(spec) => {
                generate_views(ViewSet::new(spec.views.clone(), data_seed), &spec.splits)
            }
            _ => return Ok(None),
        };
        set.map(Some).map_err(|message| self.error(message))
    }

    pub(super) fn error(&self, message: impl Into<String>) -> DataError {
        DataError::Spec { path: self.path.clone(), message: message.into() }
    }

    fn check(&self) -> Result<(), DataError> {
        match &self.body {
            SpecBody::Folder(spec) => spec.check().map_err(|message| self.error(message)),
            SpecBody::List(spec) => spec.check().map_err(|message| self.error(message)),
            SpecBody::Kinetics(spec) => spec.check().map_err(|message| self.error(message)),
            SpecBody::Synth(_) | SpecBody::Stills(_) | SpecBody::Views(_) => self.generated(0).map(drop),
            SpecBody::ViewFolders(spec) => self.check_views(spec),
            SpecBody::VideoFolders(spec) => self.check_folders(spec),
            SpecBody::SplitFiles(spec) => {
                let names: Vec<&String> = spec.split.iter().map(|split| &split.name).collect();
                let expected: Vec<String> = (1..=names.len()).map(|n| n.to_string()).collect();
                if names.is_empty() || !names.iter().copied().eq(&expected) {
                    return Err(
                        self.error(format!("splits must be named \"1\", \"2\", ..., found {names:?}"))
                    );
                }
                plain_names(&[&spec.lists], "lists").map_err(|message| self.error(message))
            }
        }
    }

    fn check_views(&self, spec: &ViewFoldersSpec) -> Result<(), DataError> {
        let lists = [(&spec.views, "views"), (&spec.classes, "classes"), (&spec.test, "test")];
        for (list, what) in lists {
            plain_names(&list.iter().collect::<Vec<_>>(), what).map_err(|message| self.error(message))?;
        }
        if spec.views.len() < 2 {
            return Err(self.error("views: expected two or more, since one is held out"));
        }
        let plain = spec.events.split('/').all(|part| plain_names(&[&part.to_owned()], "events").is_ok());
        if !plain {
            return Err(self.error(format!(
                "events: expected the name of a list beside this file, found `{}`",
                spec.events
            )));
        }
        Ok(())
    }

    fn check_folders(&self, spec: &VideoFoldersSpec) -> Result<(), DataError> {
        let (classes, groups) = (spec.classes.len(), spec.groups.len());
        if classes * groups != spec.clips {
            return Err(self.error(format!(
                "clips = {} but {classes} classes and {groups} groups make {}",
                spec.clips,
                classes * groups
            )));
        }
        for (list, what) in [(&spec.classes, "classes"), (&spec.groups, "groups")] {
            let names: Vec<&String> = list.iter().collect();
            plain_names(&names, what).map_err(|message| self.error(message))?;
        }
        let one = |mark| spec.clip_name.matches(mark).count() == 1;
        let has_number = spec.clip_name.contains(NUMBER);
        if !one("{group}")
            || one("{class}") == one("{class-index}")
            || (has_number && !one(NUMBER))
            || spec.clip_name.contains('/')
        {
            return Err(self.error(format!(
                "clip-name must be a file name with one {{group}} and one {{class}} or {{class-index}}, and at most one {NUMBER}, \
                 found \"{}\"",
                spec.clip_name
            )));
        }
        if spec.cuts.is_some_and(|cuts| cuts.threshold <= 1.0 || !cuts.least_change.is_finite()) {
            return Err(self.error("cuts: threshold must be above 1 and least-change finite"));
        }
        for split in &spec.split {
            let unknown = split.test.iter().find(|group| !spec.groups.contains(group));
            if let Some(group) = unknown {
                return Err(
                    self.error(format!("split {} tests `{group}`, which is not in groups", split.name))
                );
            }
            if split.test.is_empty() || split.test.len() >= groups {
                return Err(
                    self.error(format!("split {} must test some groups and train on others", split.name))
                );
            }
        }
        let names: Vec<&String> = spec.split.iter().map(|split| &split.name).collect();
        plain_names(&names, "split names").map_err(|message| self.error(message))
    }
}

/// Checks that there are names and that all can be folders or files: not empty, no separators, not hidden, no duplicates.
fn plain_names(names: &[&String], what: &str) -> Result<(), String> {
    let mut sorted = names.to_vec();
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(format!("{what}: `{}` is listed twice", pair[0]));
    }
    let bad = |name: &&&String| name.is_empty() || name.starts_with('.') || name.contains(['/', '\\', '\0']);
    if names.is_empty() {
        return Err(format!("{what} is empty"));
    }
    match names.iter().find(bad) {
        Some(name) => Err(format!("{what}: expected plain names, found `{name}`")),
        None => Ok(()),
    }
}
