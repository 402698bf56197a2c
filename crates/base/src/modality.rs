//! Kinds of network input.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Maximum length of a name in bytes.
const MOST: usize = 16;

/// Name of the content of a tensor in a batch: `rgb` frames, stacked `flow`, or anything else that an input defines. A
/// batch has one tensor per modality, and a network declares the modalities that it reads.
///
/// The set is open: a new input defines its own modality, and there is no list of all of them.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Modality {
    /// The name, padded with zeros.
    name: [u8; MOST],
}

impl Modality {
    /// Frames.
    pub const RGB: Self = Self::new("rgb");
    /// Stacks of optical flow.
    pub const FLOW: Self = Self::new("flow");

    /// Creates the modality of that name.
    ///
    /// # Panics
    /// If the name is empty, longer than 16 bytes, or has a character other than `a` to `z` and `-`. For a constant this
    /// fails at compile time. For names from files use [`Modality::parse`].
    #[must_use]
    pub const fn new(name: &str) -> Self {
        match Self::checked(name.as_bytes()) {
            Some(modality) => modality,
            None => panic!("the name of a modality must be 1 to 16 letters a to z and hyphens"),
        }
    }

    /// Parses the name of a modality.
    ///
    /// # Errors
    /// [`ModalityError`] if the name is not valid.
    pub fn parse(name: &str) -> Result<Self, ModalityError> {
        Self::checked(name.as_bytes()).ok_or_else(|| ModalityError { found: name.chars().take(40).collect() })
    }

    const fn checked(bytes: &[u8]) -> Option<Self> {
        if bytes.is_empty() || bytes.len() > MOST {
            return None;
        }
        let mut name = [0; MOST];
        let mut i = 0;
        while i < bytes.len() {
            if !bytes[i].is_ascii_lowercase() && bytes[i] != b'-' {
                return None;
            }
            name[i] = bytes[i];
            i += 1;
        }
        Some(Self { name })
    }

    /// Returns its name.
    #[must_use]
    pub fn name(&self) -> &str {
        let end = self.name.iter().position(|&byte| byte == 0).unwrap_or(MOST);
        std::str::from_utf8(&self.name[..end]).expect("a name is made of ASCII letters")
    }
}

/// A name that no modality can have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModalityError {
    found: String,
}

impl fmt::Display for ModalityError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "`{}` is not a modality; expected 1 to 16 letters a to z and hyphens, such as rgb or flow",
            self.found
        )
    }
}

impl std::error::Error for ModalityError {}

impl fmt::Display for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Debug for Modality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Modality({})", self.name())
    }
}

impl Serialize for Modality {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> Deserialize<'de> for Modality {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        for name in ["rgb", "flow", "difference", "abcdefghijklmn-p"] {
            let modality = Modality::parse(name).unwrap();
            let json = serde_json::to_string(&modality).unwrap();
            assert_eq!((modality.name(), json.as_str()), (name, format!("\"{name}\"").as_str()));
            assert_eq!(serde_json::from_str::<Modality>(&json).unwrap(), modality);
        }
        assert_eq!(Modality::parse("flow"), Ok(Modality::FLOW));
        assert_ne!(Modality::RGB, Modality::FLOW);
    }

    #[test]
    fn other_names_are_refused_with_what_is_expected() {
        for name in ["", "RGB", "a b", "abcdefghijklmnopq", "é", "a\0b"] {
            let message = Modality::parse(name).unwrap_err().to_string();
            assert!(message.contains("is not a modality; expected"), "{message}");
        }
    }
}
