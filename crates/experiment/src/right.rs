//! The correctness of each test video, in a compact form for records.

use std::fmt::Write;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// One bit per test video, in the split's order. In a record, it is the number of videos and one hexadecimal digit for each
/// four of them, highest bit first: in `"6:f4"`, all of six videos except the fifth are right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Right(Vec<bool>);

impl Right {
    /// Returns the bits, one per video.
    pub fn bits(&self) -> &[bool] {
        &self.0
    }
}

impl FromIterator<bool> for Right {
    fn from_iter<I: IntoIterator<Item = bool>>(bits: I) -> Self {
        Self(bits.into_iter().collect())
    }
}

impl Serialize for Right {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = format!("{}:", self.0.len());
        for four in self.0.chunks(4) {
            let digit = (0..4).fold(0, |digit, bit| digit * 2 + u8::from(four.get(bit) == Some(&true)));
            // Writing to a string cannot fail.
            let _ = write!(text, "{digit:x}");
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Right {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "expected a number of videos and one hexadecimal digit per four videos, such as \"6:f4\", found \"{text}\""
            ))
        })
    }
}

fn parse(text: &str) -> Option<Right> {
    let (videos, digits) = text.split_once(':')?;
    let videos: usize = videos.parse().ok()?;
    if digits.len() != videos.div_ceil(4) {
        return None;
    }
    let digits: Option<Vec<u32>> = digits.chars().map(|digit| digit.to_digit(16)).collect();
    let bits = digits?.into_iter().flat_map(|digit| [8, 4, 2, 1].map(|bit| digit & bit != 0));
    Some(bits.take(videos).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bits_come_back_as_they_were() {
        for videos in [0, 1, 4, 6, 462] {
            let right: Right = (0..videos).map(|video| video % 3 != 0).collect();
            let text = serde_json::to_string(&right).unwrap();
            assert_eq!(serde_json::from_str::<Right>(&text).unwrap(), right, "{text}");
        }
        let right: Right = [true, true, true, true, false, true].into_iter().collect();
        assert_eq!(serde_json::to_string(&right).unwrap(), "\"6:f4\"");
    }

    #[test]
    fn another_text_is_refused() {
        for text in ["6:f", "6:f44", "f4", "x:f4", "6:g4", ""] {
            let message = serde_json::from_str::<Right>(&format!("\"{text}\"")).unwrap_err().to_string();
            assert!(message.contains("expected a number of videos"), "{message}");
        }
    }
}
