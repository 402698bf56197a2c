//! Input channels of a stream: their number and their modality.

use base::Modality;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The channels of an input at one time step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channels {
    /// Modality of the channels.
    pub modality: Modality,
    /// Number of channels, C.
    pub count: usize,
}

impl Channels {
    /// Channels of one frame.
    pub const FRAME: Self = Self::new(Modality::RGB, 3);

    /// Makes `count` channels of a modality.
    pub const fn new(modality: Modality, count: usize) -> Self {
        Self { modality, count }
    }

    /// Makes the channels of a stack of flow; L fields have 2L channels.
    pub const fn flow(count: usize) -> Self {
        Self::new(Modality::FLOW, count)
    }

    /// Interprets a number without a modality: three channels are a frame, any other number is a stack of flow. Older plans,
    /// records and exported folders contain only numbers. No other code infers a modality from a number.
    const fn of_count(count: usize) -> Self {
        if count == Self::FRAME.count { Self::FRAME } else { Self::flow(count) }
    }
}

/// Serialised form: a number if it implies the modality, otherwise both.
#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected a number of channels, or { modality = \"...\", count = ... }",
    deny_unknown_fields
)]
enum Written {
    Count(usize),
    Both { modality: Modality, count: usize },
}

impl Serialize for Channels {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { modality, count } = *self;
        let written = if Self::of_count(count) == *self {
            Written::Count(count)
        } else {
            Written::Both { modality, count }
        };
        written.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Channels {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Written::deserialize(deserializer)? {
            Written::Count(count) => Self::of_count(count),
            Written::Both { modality, count } => Self { modality, count },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_and_flow_are_written_as_numbers_and_anything_else_with_its_name() {
        let difference = Channels::new(Modality::new("difference"), 15);
        let cases = [
            (Channels::FRAME, "3"),
            (Channels::flow(20), "20"),
            (difference, r#"{"modality":"difference","count":15}"#),
            (Channels::flow(3), r#"{"modality":"flow","count":3}"#),
            (Channels::new(Modality::RGB, 33), r#"{"modality":"rgb","count":33}"#),
        ];
        for (channels, text) in cases {
            assert_eq!(serde_json::to_string(&channels).unwrap(), text);
            assert_eq!(serde_json::from_str::<Channels>(text).unwrap(), channels);
        }
        let error = serde_json::from_str::<Channels>(r#"{"count":3}"#).unwrap_err().to_string();
        assert!(error.contains("expected a number of channels"), "{error}");
    }
}
