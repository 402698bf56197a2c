//! The seal of a finished unit: its outcome, a checksum for each file and one for the seal itself. Later changes, files of
//! other units and incomplete copies are detected when they are read.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::{Error, Result};

/// The contents of `done.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sealed {
    /// The unit's name.
    unit: String,
    /// The files by name.
    files: BTreeMap<String, Left>,
    /// The outcome of the unit, as JSON text.
    outcome: Box<RawValue>,
    /// The BLAKE3 checksum of the other fields.
    sum: String,
}

/// The length and checksum of a file when the unit was finished.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Left {
    bytes: u64,
    blake3: String,
}

/// A parsed `done.json`.
#[derive(Debug)]
pub(super) enum Done {
    /// The format since version 0.13.
    Sealed(Sealed),
    /// The format before: only the outcome.
    Unsealed(Box<RawValue>),
}

impl Sealed {
    /// Computes the seal of the files in a unit's folder.
    ///
    /// # Errors
    /// [`Error::File`] if a file cannot be read.
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

    /// Refuses a file that has changed since the unit was finished.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a changed file, [`Error::File`] for a missing one.
    pub(super) fn check(&self, folder: &Path, file: &str) -> Result<()> {
        let path = folder.join(file);
        let Some(expected) = self.files.get(file) else {
            return Err(Error::damaged(path)("the unit has no such file"));
        };
        let found = Left::of(&path, expected.bytes)?;
        if found == *expected {
            return Ok(());
        }
        let words = |Left { bytes, blake3 }: &Left| format!("{bytes} bytes with BLAKE3 sum {blake3}");
        Err(Error::damaged(path)(format!("expected {}, found {}", words(expected), words(&found))))
    }
}

impl Done {
    /// Parses the text of a unit's `done.json`. An error says in words what was found instead.
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
            return Err(format!("the outcome of {}", sealed.unit));
        }
        if sealed.sum != sealed.own_sum() {
            return Err("an outcome with a wrong checksum".into());
        }
        Ok(Self::Sealed(sealed))
    }

    /// Parses the outcome of the unit.
    pub(super) fn outcome<T: DeserializeOwned>(&self) -> Result<T, String> {
        let (Self::Sealed(Sealed { outcome, .. }) | Self::Unsealed(outcome)) = self;
        serde_json::from_str(outcome.get()).map_err(|error| error.to_string())
    }
}

impl Left {
    /// Measures a file. If it has more bytes than `expected`, the checksum is of its beginning only, which suffices to refuse it.
    fn of(path: &Path, expected: u64) -> Result<Self> {
        let file = base::files::open(path)?;
        let bytes = file.metadata().map_err(Error::io("read", path))?.len();
        let mut hasher = blake3::Hasher::new();
        hasher.update_reader(file.take(expected)).map_err(Error::io("read", path))?;
        Ok(Self { bytes, blake3: hasher.finalize().to_hex().to_string() })
    }
}
