//! What the parameters of published weights are called: ways of naming, of which an architecture
//! says what it is called in each ([`crate::Architecture::published_names`]).
//!
//! A name that no rule speaks of is one of ours already, or nobody's: then loading refuses
//! it. So every tensor of a file is used, or ignored because a rule says so.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::Rule::{Ignore, Rename};
use crate::{Error, Result};

/// A way of naming parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NameMap {
    /// Our own names; what a training stage leaves behind.
    Native,
    /// The names of torchvision's models, which timm shares where the layers are the same.
    Torchvision,
    /// The layers' names in the Caffe model that was released, with `.weight`, `.bias`,
    /// `.running_mean` and `.running_var` as PyTorch writes them.
    Caffe,
}

/// A line of a table. A `*` stands for any text; it occurs once in a pattern, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// A stored name, and ours: the second `*` is what the first one stood for.
    Rename(&'static str, &'static str),
    /// A stored tensor that this network has no use for.
    Ignore(&'static str),
}

/// PyTorch counts the batches that its running statistics have seen; with a fixed momentum
/// nothing reads the count.
pub const BATCH_COUNTS: Rule = Ignore("*.num_batches_tracked");

impl NameMap {
    /// Every way of naming.
    pub const ALL: [Self; 3] = [Self::Native, Self::Torchvision, Self::Caffe];

    /// The name in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Torchvision => "torchvision",
            Self::Caffe => "caffe",
        }
    }
}

/// Our names of stored tensors, each with the name in the store; what is to be ignored
/// is left out.
pub(crate) fn ours<'a>(
    rules: &[Rule],
    stored: impl IntoIterator<Item = &'a str>,
) -> Result<BTreeMap<String, String>> {
    let mut ours = BTreeMap::new();
    for theirs in stored {
        let Some(name) = rename(rules, theirs) else { continue };
        if let Some(first) = ours.insert(name.clone(), theirs.to_owned()) {
            return Err(Error::SameName { name, first, second: theirs.into() });
        }
    }
    Ok(ours)
}

/// Our name of a stored tensor, or `None` if it is to be ignored.
fn rename(rules: &[Rule], stored: &str) -> Option<String> {
    for rule in rules {
        match rule {
            Rename(theirs, ours) => {
                if let Some(text) = matched(theirs, stored) {
                    return Some(ours.replacen('*', text, 1));
                }
            }
            Ignore(pattern) => {
                if matched(pattern, stored).is_some() {
                    return None;
                }
            }
        }
    }
    Some(stored.to_owned())
}

/// What the `*` of a pattern stands for, if the pattern fits.
fn matched<'a>(pattern: &str, name: &'a str) -> Option<&'a str> {
    match pattern.split_once('*') {
        Some((before, after)) => name.strip_prefix(before)?.strip_suffix(after),
        None => (pattern == name).then_some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_is_any_text_and_the_first_rule_decides() {
        let rules =
            [Ignore("*.count"), Rename("a.*.w", "b/*.weight"), Rename("a.*", "c.*"), Rename("x", "y")];
        let to = |name| rename(&rules, name);
        assert_eq!(to("a.1.2.w").as_deref(), Some("b/1.2.weight"));
        assert_eq!(to("a.1.bias").as_deref(), Some("c.1.bias"));
        assert_eq!(to("a.count"), None);
        assert_eq!(to("x").as_deref(), Some("y"));
        assert_eq!(to("xx").as_deref(), Some("xx"));
        // The parts around a star do not overlap.
        assert_eq!(to("a.w").as_deref(), Some("c.w"));
    }
}
