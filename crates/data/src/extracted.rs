//! Frames and flow that another program has extracted: the folder layout of TSN and dense_flow.
//!
//! ```text
//! ROOT/[CLASS/]VIDEO/img_00001.jpg                       colour; or image_00001.jpg, frame000001.jpg
//! ROOT/[CLASS/]VIDEO/flow_x_00001.jpg, flow_y_00001.jpg  grey; or x_00001.jpg, y_00001.jpg
//! ```
//!
//! Frames and flow may also lie in trees of their own, as the authors of ST-ResNet published them (`trees.rs`), and frames
//! alone serve networks that see no flow.
//!
//! A byte b of a flow picture stands for `-bound + 2 bound b / 255` pixels a frame. The files do not record the
//! bound, so the user must state it ([`Extraction::bound`]). Nor do they record which frames a field leads between; that
//! follows from the counts ([`Convention`]) and is then compared with the frames themselves ([`check`]), because two
//! extractions that differ by a frame or by a bound look alike until accuracy turns out too low.
//!
//! Nothing is repaired or guessed: any inconsistency is an [`ExtractedProblem`] with folder and file.

pub mod check;
mod layout;
mod picture;
mod problem;
mod trees;

use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::fs::FileType;
use std::path::{Path, PathBuf};

pub use layout::{Convention, Layout};
pub use picture::{Picture, decode_colour, decode_grey};
pub use problem::{ExtractedProblem, Mismatch};
pub(crate) use trees::{is_tree_of_flow, is_tree_of_frames};

/// Settings of an extraction, which the user states because the files do not record them.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Extraction {
    /// Byte 0 stands for a displacement of `-bound` pixels a frame, byte 255 for `+bound`. dense_flow's own
    /// setting is 20.
    pub bound: f32,
    /// Compares the flow of each video with its frames. Switch it off only for flow that is known to be right but looks
    /// wrong.
    pub check: bool,
}

impl Extraction {
    /// Settings with this bound and with the check switched on.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a bound that is not above 0 and at most 1000 pixels.
    pub fn new(bound: f32) -> Result<Self, DataError> {
        if bound > 0.0 && bound <= 1000.0 {
            return Ok(Self { bound, check: true });
        }
        Err(DataError::invalid(
            "bound of the extracted flow",
            "above 0 and at most 1000 pixels a frame",
            bound,
        ))
    }

    /// The displacement that a byte stands for, in pixels a frame.
    #[must_use]
    pub fn pixels(self, byte: u8) -> f32 {
        -self.bound + f32::from(byte) * (2.0 * self.bound / 255.0)
    }
}

/// The folder of one extracted video, with its file names parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtractedFolder {
    /// Path of the folder.
    pub path: PathBuf,
    /// Files of the folder.
    pub layout: Layout,
    /// Folders of horizontal and vertical flow, if it lies in trees of its own.
    flow: Option<[PathBuf; 2]>,
}

impl ExtractedFolder {
    /// Lists a folder, and those of its flow if they are others. A picture may be a link to a regular file, as a video may.
    ///
    /// # Errors
    /// [`DataError::File`] if it cannot be listed, [`DataError::Extracted`] if its names do not fit the layout or a picture
    /// is no regular file.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let flow = trees::flow_folders(path)?;
        let mut listed = Listed::default();
        listed.add("", path)?;
        for (component, folder) in trees::COMPONENTS.iter().zip(flow.iter().flatten()) {
            if folder.is_dir() {
                listed.add(component, folder)?;
            }
        }
        let layout = Layout::of(&listed.names).map_err(|what| problem(path, what))?;
        let folder = Self { path: path.to_path_buf(), layout, flow };
        for (name, found) in &listed.special {
            if folder.files().any(|file| file == name)
                && let Err(found) = leads_to_file(&folder.path_of(name), *found)
            {
                let expected = format!("a file or a link to one, found {found}");
                return Err(problem(path, ExtractedProblem::Name { file: name.clone(), expected }));
            }
        }
        Ok(folder)
    }

    /// Names of all files that are read, in order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let flow = self.layout.flow.iter().flatten();
        self.layout.images.iter().chain(flow).map(String::as_str)
    }

    /// Path of the file with one of these names.
    #[must_use]
    pub fn path_of(&self, name: &str) -> PathBuf {
        for (component, folder) in trees::COMPONENTS.iter().zip(self.flow.iter().flatten()) {
            if let Some(name) = name.strip_prefix(component) {
                return folder.join(name);
            }
        }
        self.path.join(name)
    }

    /// Refuses a folder of frames alone.
    ///
    /// # Errors
    /// [`ExtractedProblem::NoFlow`].
    pub fn with_flow(self) -> Result<Self, DataError> {
        if self.layout.convention != Convention::FramesAlone {
            return Ok(self);
        }
        let expected = match &self.flow {
            Some([u, v]) => format!("frame000001.jpg in {} and {}", u.display(), v.display()),
            None => "flow_x_00001.jpg and flow_y_00001.jpg (or x_00001.jpg and y_00001.jpg) beside them"
                .to_owned(),
        };
        let images = self.layout.images.len();
        Err(self.problem(ExtractedProblem::NoFlow { images, expected }))
    }

    /// Reads frame `t` as RGB. `size` is that of the first frame, once it is known.
    ///
    /// # Errors
    /// [`DataError::File`], [`DataError::Extracted`].
    pub fn frame(&self, t: usize, size: Option<(usize, usize)>) -> Result<Picture, DataError> {
        self.picture(&self.layout.images[t], size, decode_colour)
    }

    /// Reads the components of field `t`, which leads from frame `t` to frame `t + 1`. There are none if
    /// [`Layout::flow`] is empty.
    ///
    /// # Errors
    /// The errors of [`ExtractedFolder::frame`].
    pub fn flow(&self, t: usize, size: (usize, usize)) -> Result<[Picture; 2], DataError> {
        let [x, y] = &self.layout.flow[t];
        Ok([self.picture(x, Some(size), decode_grey)?, self.picture(y, Some(size), decode_grey)?])
    }

    fn picture(
        &self,
        name: &str,
        size: Option<(usize, usize)>,
        decode: impl Fn(&str, Vec<u8>) -> Result<Picture, ExtractedProblem>,
    ) -> Result<Picture, DataError> {
        let bytes = picture::read(&self.path_of(name))?;
        let picture = decode(name, bytes).map_err(|what| self.problem(what))?;
        let found = (picture.width, picture.height);
        let (width, height) = size.unwrap_or(found);
        if found == (width, height) {
            return Ok(picture);
        }
        Err(self.problem(ExtractedProblem::Size {
            file: name.to_owned(),
            expected: format!("{width}x{height}"),
            found: format!("{}x{}", found.0, found.1),
        }))
    }

    pub(crate) fn problem(&self, what: ExtractedProblem) -> DataError {
        problem(&self.path, what)
    }
}

/// The content of one or several folders.
#[derive(Default)]
struct Listed {
    names: Vec<String>,
    /// Entries that are not plain files.
    special: Vec<(String, FileType)>,
}

impl Listed {
    /// Adds the names in a folder, each with `before` in front.
    fn add(&mut self, before: &str, folder: &Path) -> Result<(), DataError> {
        let io = |error| DataError::io("list", folder, error);
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = format!("{before}{}", entry.file_name().to_string_lossy());
            let found = entry.file_type().map_err(io)?;
            if !found.is_file() {
                self.special.push((name.clone(), found));
            }
            self.names.push(name);
        }
        Ok(())
    }
}

/// Says what an entry that is not a plain file is, unless it is a link to one.
fn leads_to_file(path: &Path, found: FileType) -> Result<(), &'static str> {
    if !found.is_symlink() {
        return Err(if found.is_dir() { "a folder" } else { "a pipe, a socket or a device" });
    }
    match std::fs::metadata(path) {
        Ok(target) if target.is_file() => Ok(()),
        Ok(target) if target.is_dir() => Err("a link to a folder"),
        Ok(_) => Err("a link to a pipe, a socket or a device"),
        Err(_) => Err("a link that leads nowhere"),
    }
}

/// Returns `true` if a folder holds at least one numbered frame. A frame that another program may also have left beside
/// videos, such as `frame0001.jpg`, does not count where a file has one of the endings of videos.
pub(crate) fn has_frames(folder: &Path, is_video: impl Fn(&str) -> bool) -> Result<bool, DataError> {
    let io = |error| DataError::io("list", folder, error);
    let (mut found, mut beside_videos) = (false, false);
    for entry in std::fs::read_dir(folder).map_err(io)? {
        let name = entry.map_err(io)?.file_name();
        let name = name.to_string_lossy();
        if layout::is_frame(&name) {
            return Ok(true);
        }
        found |= layout::is_other_frame(&name);
        beside_videos |= is_video(&name);
    }
    Ok(found && !beside_videos)
}

/// Returns `true` if a folder of frames has flow, beside them or in trees of its own.
pub(crate) fn has_flow(folder: &Path) -> Result<bool, DataError> {
    let Some(flow) = trees::flow_folders(folder)? else {
        let mut listed = Listed::default();
        listed.add("", folder)?;
        return Ok(listed.names.iter().any(|name| layout::is_flow(name)));
    };
    Ok(flow.iter().any(|folder| folder.is_dir()))
}

fn problem(folder: &Path, problem: ExtractedProblem) -> DataError {
    DataError::Extracted { folder: folder.to_path_buf(), problem: Box::new(problem) }
}
