//! Naming schemes for the parameters of published weights. Each architecture defines its names in
//! each scheme ([`crate::Architecture::published_names`]).
//!
//! A name that no rule matches must already be a native name; otherwise loading refuses the file.
//! So every tensor of a file is either used or ignored by a rule.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use self::Rule::{Ignore, Rename};
use crate::{Error, Result};

/// Naming scheme of the parameters in a file of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum NameMap {
    /// Names of this workspace, as in the output of a training stage.
    Native,
    /// Names of torchvision's models; timm uses the same names for the same layers.
    Torchvision,
    /// Layer names of the released Caffe model, with PyTorch's suffixes `.weight`, `.bias`,
    /// `.running_mean` and `.running_var`.
    Caffe,
}

/// A rule for tensor names. A pattern has at most one `*`, which stands for any text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Renames a stored name (first) to a native one (second); both `*` stand for the same text.
    Rename(&'static str, &'static str),
    /// Ignores a stored tensor that the network does not use.
    Ignore(&'static str),
}

/// PyTorch's count of the batches in its running statistics; unused, because the momentum is
/// fixed.
pub const BATCH_COUNTS: Rule = Ignore("*.num_batches_tracked");

impl NameMap {
    /// All naming schemes.
    pub const ALL: [Self; 3] = [Self::Native, Self::Torchvision, Self::Caffe];

    /// Returns the name of the scheme in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Native => "native",
            Self::Torchvision => "torchvision",
            Self::Caffe => "caffe",
        }
    }
}

/// Returns the native names of stored tensors, each with its name in the store. Ignored
/// tensors are left out.
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

/// Returns the native name of a stored tensor, or `None` if a rule ignores it.
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

/// Returns the text that the `*` of a pattern stands for, if the pattern matches.
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
        // The parts before and after a star do not overlap.
        assert_eq!(to("a.w").as_deref(), Some("c.w"));
    }
}
