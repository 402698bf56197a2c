//! Frames and flow that another program has extracted: the folder layout of TSN and dense_flow.
//!
//! ```text
//! ROOT/[CLASS/]VIDEO/img_00001.jpg                       colour
//! ROOT/[CLASS/]VIDEO/flow_x_00001.jpg, flow_y_00001.jpg  grey; or x_00001.jpg, y_00001.jpg
//! ```
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

use crate::error::DataError;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

pub use layout::{Convention, Layout};
pub use picture::{Picture, decode_colour, decode_grey};
pub use problem::{ExtractedProblem, Mismatch};

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
}

impl ExtractedFolder {
    /// Lists a folder. Only plain files are accepted, because a link could lead anywhere.
    ///
    /// # Errors
    /// [`DataError::File`] if it cannot be listed, [`DataError::Extracted`] if its names do not fit the layout.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let io = |error| DataError::io("list", path, error);
        let mut names = Vec::new();
        for entry in std::fs::read_dir(path).map_err(io)? {
            let entry = entry.map_err(io)?;
            let name = entry.file_name().to_string_lossy().into_owned();
            if layout::looks_extracted(&name) && !entry.file_type().map_err(io)?.is_file() {
                let expected = "a plain file, found a link, a folder or a device".to_owned();
                return Err(problem(path, ExtractedProblem::Name { file: name, expected }));
            }
            names.push(name);
        }
        let layout = Layout::of(&names).map_err(|what| problem(path, what))?;
        Ok(Self { path: path.to_path_buf(), layout })
    }

    /// Names of all files that are read, in order.
    pub fn files(&self) -> impl Iterator<Item = &str> {
        let flow = self.layout.flow.iter().flatten();
        self.layout.images.iter().chain(flow).map(String::as_str)
    }

    /// Reads frame `t` as RGB. `size` is that of the first frame, once it is known.
    ///
    /// # Errors
    /// [`DataError::File`], [`DataError::Extracted`].
    pub fn frame(&self, t: usize, size: Option<(usize, usize)>) -> Result<Picture, DataError> {
        self.picture(&self.layout.images[t], size, decode_colour)
    }

    /// Reads the components of field `t`, which leads from frame `t` to frame `t + 1`.
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
        let bytes = picture::read(&self.path.join(name))?;
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

/// Returns `true` if a folder holds at least one numbered frame.
pub(crate) fn has_frames(folder: &Path) -> Result<bool, DataError> {
    let io = |error| DataError::io("list", folder, error);
    for entry in std::fs::read_dir(folder).map_err(io)? {
        if layout::is_frame(&entry.map_err(io)?.file_name().to_string_lossy()) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn problem(folder: &Path, problem: ExtractedProblem) -> DataError {
    DataError::Extracted { folder: folder.to_path_buf(), problem: Box::new(problem) }
}
