//! The index of a folder of pictures: written when they are drawn, read by the report.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// Name of the index file in a folder of pictures.
pub const INDEX: &str = "index.json";

/// A picture in a folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Picture {
    /// Its file name.
    pub file: String,
    /// Its kind.
    pub shows: Shows,
    /// The row that it shows, if it shows a single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub row: Option<String>,
    /// The stream of the row's net that it shows, if it shows a single one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stream: Option<String>,
    /// Its title.
    pub title: String,
    /// Its description, as alternative text.
    pub description: String,
}

/// The kind of a picture, the most interesting first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Shows {
    /// Embedding of test videos' features in the plane.
    Embedding,
    /// Recall of each class by several nets.
    Streams,
    /// First-layer filters.
    Filters,
    /// Attention maps of a network.
    Attention,
    /// A frame, its flow, and the network's input.
    Input,
    /// Videos of a data set.
    Videos,
    /// Loss curves.
    Loss,
    /// Recall of each class by one net.
    Recall,
    /// Confusion matrix.
    Confusion,
}

impl Shows {
    /// Describes the kind in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Embedding => "Features of test videos in the plane (t-SNE)",
            Self::Streams => "Recall of each class by several nets",
            Self::Filters => "First-layer filters",
            Self::Attention => "Attention maps",
            Self::Input => "A frame, its flow, and the network's input",
            Self::Videos => "Videos of the data set",
            Self::Loss => "Loss curves",
            Self::Recall => "Recall of each class",
            Self::Confusion => "Confusion matrix",
        }
    }

    /// Returns `true` if it needs only records, so that a page with the records can draw it itself.
    pub fn is_of_records(self) -> bool {
        matches!(self, Self::Loss | Self::Recall | Self::Confusion)
    }
}

/// Reads the pictures of a folder; `None` if it has no index.
///
/// # Errors
/// [`Error::Io`] and [`Error::Damaged`] for an index that cannot be read.
pub fn read(folder: &Path) -> Result<Option<Vec<Picture>>> {
    let path = folder.join(INDEX);
    let text = base::files::read_if_there(&path, base::files::TEXT)?;
    text.map(|text| serde_json::from_slice(&text).map_err(Error::damaged(path))).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_index_is_read_as_it_was_written_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(read(folder.path()).unwrap(), None);
        let picture = Picture {
            file: "a-motion-filters.svg".into(),
            shows: Shows::Filters,
            row: Some("a".into()),
            stream: Some("motion".into()),
            title: "Filters".into(),
            description: "Grey squares.".into(),
        };
        crate::store::write_json(&folder.path().join(INDEX), &[&picture]).unwrap();
        assert_eq!(read(folder.path()).unwrap(), Some(vec![picture]));
        std::fs::write(folder.path().join(INDEX), "[{}]").unwrap();
        assert!(read(folder.path()).unwrap_err().to_string().contains("index.json"));
    }
}
