//! What the parameters of published weights are called: a table for each way of naming and
//! architecture.
//!
//! A name that no rule speaks of is one of ours already, or nobody's: then loading refuses
//! it. So every tensor of a file is used, or ignored because a rule says so.

use std::collections::BTreeMap;

use nn::tensors::Tensors;
use serde::{Deserialize, Serialize};

use crate::{Error, ModelConfig, Result};

/// A way of naming parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
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

use Rule::{Ignore, Rename};

/// PyTorch counts the batches that its running statistics have seen; with a fixed momentum
/// nothing reads the count.
const BATCH_COUNTS: Rule = Ignore("*.num_batches_tracked");

const NONE: &[Rule] = &[];

/// Names and structure are torchvision's.
const RES_NET_50_TORCHVISION: &[Rule] = &[BATCH_COUNTS];

/// `VGG_CNN_M_2048`; full6 to full8 are what the paper calls its last layers.
const CNN_M_2048_CAFFE: &[Rule] =
    &[Rename("fc6.*", "full6.*"), Rename("fc7.*", "full7.*"), Rename("fc8.*", "full8.*")];

/// The released names have slashes, for which ports to PyTorch write underscores. The
/// classifier is `fc` in ImageNet's model, `last_linear` in a widespread port of it.
const BN_INCEPTION_CAFFE: &[Rule] = &[
    BATCH_COUNTS,
    Rename("conv1_*", "conv1/*"),
    Rename("conv2_*", "conv2/*"),
    Rename("inception_3a_*", "inception_3a/*"),
    Rename("inception_3b_*", "inception_3b/*"),
    Rename("inception_3c_*", "inception_3c/*"),
    Rename("inception_4a_*", "inception_4a/*"),
    Rename("inception_4b_*", "inception_4b/*"),
    Rename("inception_4c_*", "inception_4c/*"),
    Rename("inception_4d_*", "inception_4d/*"),
    Rename("inception_4e_*", "inception_4e/*"),
    Rename("inception_5a_*", "inception_5a/*"),
    Rename("inception_5b_*", "inception_5b/*"),
    Rename("fc.*", "fc-action.*"),
    Rename("last_linear.*", "fc-action.*"),
];

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

    /// The table for an architecture, or `None` where no such weights fit it: torchvision's
    /// AlexNet, say, has other layers than Caffe's.
    fn table(self, model: &ModelConfig) -> Option<&'static [Rule]> {
        match (self, model) {
            (Self::Native, _) | (Self::Caffe, ModelConfig::AlexNet(_)) => Some(NONE),
            (Self::Torchvision, ModelConfig::ResNet50(_)) => Some(RES_NET_50_TORCHVISION),
            (Self::Torchvision, ModelConfig::Vgg16(_)) => Some(NONE),
            (Self::Caffe, ModelConfig::CnnM2048(_)) => Some(CNN_M_2048_CAFFE),
            (Self::Caffe, ModelConfig::BnInception(_)) => Some(BN_INCEPTION_CAFFE),
            (Self::Torchvision | Self::Caffe, _) => None,
        }
    }

    /// The table for an architecture. The first rule that fits a name decides.
    ///
    /// # Errors
    /// [`Error::NoNames`] where no such weights fit the architecture.
    pub fn rules(self, model: &ModelConfig) -> Result<&'static [Rule]> {
        self.table(model).ok_or_else(|| {
            let known = Self::ALL.into_iter().filter(|names| names.table(model).is_some());
            let known: Vec<_> = known.map(Self::name).collect();
            Error::NoNames { model: model.kind(), names: self.name(), known: known.join(", ") }
        })
    }

    /// Our names of stored tensors, each with the name in the store; what is to be ignored
    /// is left out.
    ///
    /// # Errors
    /// [`Error::NoNames`], or [`Error::SameName`] if two stored names mean the same.
    pub fn ours<'a>(
        self,
        model: &ModelConfig,
        stored: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, &'a str>> {
        let rules = self.rules(model)?;
        let mut ours = BTreeMap::new();
        for theirs in stored {
            let Some(name) = rename(rules, theirs) else { continue };
            if let Some(first) = ours.insert(name.clone(), theirs) {
                return Err(Error::SameName { name, first: first.into(), second: theirs.into() });
            }
        }
        Ok(ours)
    }

    /// Stored tensors under our names; they share memory with those given.
    ///
    /// # Errors
    /// As [`NameMap::ours`].
    pub fn apply(self, model: &ModelConfig, stored: &Tensors) -> Result<Tensors> {
        let ours = self.ours(model, stored.keys().map(String::as_str))?;
        let tensors = ours.into_iter().filter_map(|(name, theirs)| Some((name, stored.get(theirs)?.clone())));
        Ok(tensors.collect())
    }
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

    #[test]
    fn a_star_occurs_once_and_on_both_sides() {
        let tables = [RES_NET_50_TORCHVISION, CNN_M_2048_CAFFE, BN_INCEPTION_CAFFE];
        for rule in tables.concat() {
            let stars = |pattern: &str| pattern.matches('*').count();
            match rule {
                Rename(theirs, ours) => {
                    assert!(stars(theirs) <= 1 && stars(theirs) == stars(ours), "{rule:?}")
                }
                Ignore(pattern) => assert!(stars(pattern) <= 1, "{rule:?}"),
            }
        }
    }
}
