//! What a finished unit has left, with a sum for each file and one for what is said here: a byte that changed afterwards, a
//! file of another unit and half a copy are found when they are read, not believed.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Error, Result};

/// `done.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    /// The unit's name.
    unit: String,
    /// Each file, by its name.
    files: BTreeMap<String, Left>,
    /// What the unit found, as it is written.
    outcome: Box<RawValue>,
    /// The BLAKE3 sum of these three.
    sum: String,
}

/// A file as the unit left it.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    bytes: u64,
    blake3: String,
}

/// What a `done.json` says.
#[derive(Debug)]
pub(super) enum Done {
    /// Since version 0.13.
    Sealed(Sealed),
    /// As versions before left it: the outcome alone.
    Unsealed(Box<RawValue>),
}

impl Sealed {
    /// Of the files of a unit's folder.
    ///
    /// # Errors
    /// [`Error::File`].
    pub(super) fn new(unit: &str, folder: &Path, files: &[&str], outcome: &impl Serialize) -> Result<Self> {
        let left = |file: &&str| Ok(((*file).to_owned(), Left::of(&folder.join(file), u64::MAX)?));
        let outcome = serde_json::value::to_raw_value(outcome);
        let mut sealed = Self {
            unit: unit.to_owned(),
            files: files.iter().map(left).collect::<Result<_>>()?,
            outcome: outcome
                .map_err(|error| Error::Usage(format!("an outcome cannot be written: {error}")))?,
            sum: String::new(),
        };
        sealed.sum = sealed.own_sum();
        Ok(sealed)
    }

    fn own_sum(&self) -> String {
        let mut hasher = blake3::Hasher::new();
        let mut add = |part: &str| {
            hasher.update(&(part.len() as u64).to_le_bytes()).update(part.as_bytes());
        };
        add(&self.unit);
        for (name, Left { bytes, blake3 }) in &self.files {
            [name, &bytes.to_string(), blake3].into_iter().for_each(|part| add(part));
        }
        add(self.outcome.get());
        hasher.finalize().to_hex().to_string()
    }

    /// Refuses a file that is not as the unit left it.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::File`].
    pub(super) fn check(&self, folder: &Path, file: &str) -> Result<()> {
        let path = folder.join(file);
        let Some(expected) = self.files.get(file) else {
            return Err(Error::damaged(path)("the unit has left no such file"));
        };
        let found = Left::of(&path, expected.bytes)?;
        if found == *expected {
            return Ok(());
        }
        let words = |Left { bytes, blake3 }: &Left| format!("{bytes} bytes of the BLAKE3 sum {blake3}");
        Err(Error::damaged(path)(format!("expected {}, found {}", words(expected), words(&found))))
    }
}

impl Done {
    /// Reads the text of the unit of that name; in words, what it is instead.
    pub(super) fn parse(text: &[u8], unit: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Marks {
            unit: Option<serde::de::IgnoredAny>,
            files: Option<serde::de::IgnoredAny>,
            sum: Option<serde::de::IgnoredAny>,
        }
        let marks = serde_json::from_slice::<Marks>(text);
        if !marks.is_ok_and(|of| of.unit.is_some() || of.files.is_some() || of.sum.is_some()) {
            return serde_json::from_slice(text).map(Self::Unsealed).map_err(|error| error.to_string());
        }
        let sealed: Sealed = serde_json::from_slice(text).map_err(|error| error.to_string())?;
        if sealed.unit != unit {
            return Err(format!("that of {}", sealed.unit));
        }
        if sealed.sum != sealed.own_sum() {
            return Err("one whose own sum is another".into());
        }
        Ok(Self::Sealed(sealed))
    }

    /// What the unit found.
    pub(super) fn outcome<T: DeserializeOwned>(&self) -> Result<T, String> {
        let (Self::Sealed(Sealed { outcome, .. }) | Self::Unsealed(outcome)) = self;
        serde_json::from_str(outcome.get()).map_err(|error| error.to_string())
    }
}

impl Left {
    /// A file as it is; of one of more bytes than expected the sum is that of its beginning, which suffices to refuse it.
    fn of(path: &Path, expected: u64) -> Result<Self> {
        let file = base::files::open(path)?;
        let bytes = file.metadata().map_err(Error::io("read", path))?.len();
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file.take(expected)).map_err(Error::io("read", path))?;
        Ok(Self { bytes, blake3: hasher.finalize().to_hex().to_string() })
    }
}
