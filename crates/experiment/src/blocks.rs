//! The block of each tested video, in a compact form for records.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

/// Most videos of a record.
const MOST: usize = 10_000_000;

/// The number of the block of each test video, in the order of the answers. Blocks are numbered by their names among all
/// videos of the data set, so that a number means the same in all splits.
///
/// In a record it is a list of blocks: `7` is one video of block 7, `7*3` are three, and `7..9` is one video of each of the
/// blocks 7, 8 and 9.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks(Vec<u32>);

impl Blocks {
    /// Returns the numbers, one per video.
    pub fn numbers(&self) -> &[u32] {
        &self.0
    }

    /// Returns `true` if every video is a block of its own.
    pub fn are_single(&self) -> bool {
        self.0.iter().collect::<BTreeSet<_>>().len() == self.0.len()
    }
}

impl FromIterator<u32> for Blocks {
    fn from_iter<I: IntoIterator<Item = u32>>(blocks: I) -> Self {
        Self(blocks.into_iter().collect())
    }
}

impl Serialize for Blocks {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut text = String::new();
        let mut rest = &self.0[..];
        while let Some(&first) = rest.first() {
            let equal = rest.iter().take_while(|&&block| block == first).count();
            let rising = rest.iter().zip(first..).take_while(|(block, next)| *block == next).count();
            if !text.is_empty() {
                text.push(' ');
            }
            // Writing to a string cannot fail.
            let _ = match (equal, rising) {
                (1, 1) => write!(text, "{first}"),
                (1, _) => write!(text, "{first}..{}", first + rising as u32 - 1),
                _ => write!(text, "{first}*{equal}"),
            };
            rest = &rest[equal.max(rising)..];
        }
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for Blocks {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| {
            D::Error::custom(format!(
                "expected blocks such as \"7 8*3 9..12\" of at most {MOST} videos, found \"{}\"",
                base::text::one_line(&text.chars().take(60).collect::<String>())
            ))
        })
    }
}

fn parse(text: &str) -> Option<Blocks> {
    let mut blocks = Vec::new();
    for part in text.split_ascii_whitespace() {
        if let Some((block, count)) = part.split_once('*') {
            let (block, count): (u32, usize) = (block.parse().ok()?, count.parse().ok()?);
            let fits = count <= MOST - blocks.len();
            blocks.extend(fits.then(|| std::iter::repeat_n(block, count))?);
        } else if let Some((first, last)) = part.split_once("..") {
            let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
            let count = last.checked_sub(first)? as usize;
            blocks.extend((count < MOST - blocks.len()).then_some(first..=last)?);
        } else {
            blocks.push(part.parse().ok()?);
        }
    }
    (blocks.len() <= MOST).then_some(Blocks(blocks))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_as_they_were() {
        for (numbers, text) in [
            (vec![], ""),
            (vec![7], "7"),
            (vec![0, 1, 2, 3], "0..3"),
            (vec![5, 5, 5, 6, 7, 7, 2], "5*3 6..7 7 2"),
            (vec![u32::MAX, u32::MAX], "4294967295*2"),
        ] {
            let blocks: Blocks = numbers.iter().copied().collect();
            assert_eq!(serde_json::to_string(&blocks).unwrap(), format!("\"{text}\""));
            assert_eq!(parse(text).unwrap(), blocks);
        }
    }

    #[test]
    fn another_text_is_refused_and_takes_no_memory() {
        for text in
            ["x", "3*", "*3", "5..4", "0..4294967295", "1*18446744073709551615", "1*9999999 1*2", "-1"]
        {
            let message = serde_json::from_str::<Blocks>(&format!("\"{text}\"")).unwrap_err().to_string();
            assert!(message.contains("expected blocks such as"), "{message}");
        }
    }
}
