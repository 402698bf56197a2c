//! Consensus of the snippets of a video, as a spec names it (Temporal Segment Networks).

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de::Error};

/// Largest number of class scores that a mean of the largest takes.
const MOST: usize = 1000;

/// Joins the class scores of K snippets, before the softmax, to those of the video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Consensus {
    /// The mean over the snippets.
    Average,
    /// The maximum over the snippets, class by class.
    Maximum,
    /// A sum with a learned weight for each snippet, shared by the classes; 1 / K each when training starts.
    Weighted,
    /// A sum with weights that depend on the snippets: the softmax over them of a learned linear function of the features that
    /// the classifier reads.
    Attention,
    /// The mean of this number of largest scores, class by class: 1 to the number of segments.
    Top(
        #[serde(deserialize_with = "count")]
        #[schemars(range(min = 1, max = 1000))]
        usize,
    ),
}

/// Reads a count from 1 to [`MOST`].
fn count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    let found = i64::deserialize(deserializer)?;
    let count = usize::try_from(found).ok().filter(|count| (1..=MOST).contains(count));
    count.ok_or_else(|| D::Error::custom(format!("found {found}, expected 1 to {MOST}")))
}

impl Consensus {
    /// Describes it in words: "average", "mean of the 3 largest".
    pub fn words(self) -> String {
        match self {
            Self::Average => "average".into(),
            Self::Maximum => "maximum".into(),
            Self::Weighted => "weighted sum".into(),
            Self::Attention => "attention".into(),
            Self::Top(count) => format!("mean of the {count} largest"),
        }
    }
}
