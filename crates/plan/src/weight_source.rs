//! A published file of weights: its place on the hub, its checksum, and the names of its tensors.

use models::NameMap;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// An invalid value in the source of published weights.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("weights: {what} is `{found}`, expected {expected}")]
pub struct WeightSourceError {
    /// Key of the source.
    pub what: &'static str,
    /// Value of the key.
    pub found: String,
    /// Allowed values.
    pub expected: &'static str,
}

/// A published file of weights on the Hugging Face hub, pinned by its checksum; see `docs/weights.md`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Written")]
#[schemars(!try_from, deny_unknown_fields, rename_all = "kebab-case")]
pub struct WeightSource {
    /// Owner and name of the repository on the hub, such as `timm/resnet50.tv_in1k`.
    pub repository: String,
    /// Commit (recommended, because it never changes), branch or tag.
    pub revision: String,
    /// Path of the file in the repository, such as `model.safetensors`.
    pub file: String,
    /// SHA-256 of the file: 64 lowercase hexadecimal digits, as `sha256sum` prints them.
    #[schemars(regex(pattern = "^[0-9a-f]{64}$"))]
    pub sha256: String,
    /// Naming scheme of the tensors in the file.
    pub names: NameMap,
}

/// A source before it is checked.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Written {
    repository: String,
    revision: String,
    file: String,
    sha256: String,
    names: NameMap,
}

impl TryFrom<Written> for WeightSource {
    type Error = WeightSourceError;

    fn try_from(written: Written) -> Result<Self, WeightSourceError> {
        let Written { repository, revision, file, sha256, names } = written;
        let source = Self { repository, revision, file, sha256, names };
        source.check()?;
        Ok(source)
    }
}

impl WeightSource {
    /// Checks that all parts are valid names on the hub and cannot lead out of the folder that they become a part of.
    ///
    /// # Errors
    /// [`WeightSourceError`].
    pub fn check(&self) -> Result<(), WeightSourceError> {
        let checks = [
            // The hub forbids `--`; the cache's folders use it for the slash.
            (
                "repository",
                &self.repository,
                is_path(&self.repository)
                    && self.repository.split('/').count() <= 2
                    && !self.repository.contains("--"),
                "a name such as `owner/name`: letters, digits, `.`, `_` and `-`",
            ),
            (
                "revision",
                &self.revision,
                is_path(&self.revision),
                "a commit, branch or tag: letters, digits, `.`, `_`, `-` and `/`",
            ),
            (
                "file",
                &self.file,
                is_path(&self.file),
                "a path in the repository such as `model.safetensors`: letters, digits, `.`, `_`, `-` and `/`, \
                 no part of it `..`",
            ),
            (
                "sha256",
                &self.sha256,
                self.sha256.len() == 64
                    && self.sha256.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')),
                "64 hexadecimal digits (0-9, a-f), as `sha256sum` prints them",
            ),
        ];
        match checks.into_iter().find(|(_, _, good, _)| !good) {
            Some((what, found, _, expected)) => {
                Err(WeightSourceError { what, found: found.clone(), expected })
            }
            None => Ok(()),
        }
    }
}

/// Returns `true` if a text is a plain relative path that is valid on every system and in a URL.
fn is_path(text: &str) -> bool {
    text.len() <= 200
        && text.split('/').all(|part| {
            !matches!(part, "" | "." | "..")
                && part.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-'))
        })
}
