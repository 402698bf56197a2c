//! Units of work on disk.
//!
//! A stage of a row's training and the test of a trained net are *units*. Each
//! has a name (the hash of its plan), a folder of that name, and a file
//! `done.json` that is written last. A finished unit is never done again;
//! rows and tables with the same plan share the unit. Any number of processes
//! may work on one store. A process holds a unit by an exclusive lock on its
//! `lock` file; the system releases the lock when the process ends in any way.

mod seal;

use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Serialize;
use serde::de::DeserializeOwned;

use self::seal::{Done, Sealed};
use crate::{Console, Error, Interrupt, Result};

pub use crate::files::{read_json, write_atomic, write_json};

/// The folder that holds all units.
#[derive(Debug, Clone)]
pub struct Store {
    root: PathBuf,
}

impl Store {
    /// Returns a store in `root`, which is created when the first unit is locked.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    /// Returns the unit of a plan; nothing is created.
    pub fn unit(&self, kind: &str, plan: &impl Serialize) -> Unit {
        self.named(&Self::name(kind, plan))
    }

    /// Returns the name of the unit of a plan.
    pub fn name(kind: &str, plan: &impl Serialize) -> String {
        format!("{kind}-{}", hash(plan))
    }

    /// Returns the unit with a name of letters, digits and hyphens.
    pub(crate) fn named(&self, name: &str) -> Unit {
        Unit { dir: self.root.join(name), name: name.to_owned() }
    }
}

/// Returns the first 16 hex digits of the BLAKE3 hash of a plan's JSON. Structs
/// serialise in the order of their fields, so equal plans have equal hashes.
pub fn hash(plan: &impl Serialize) -> String {
    let json = serde_json::to_vec(plan).expect("a plan holds strings, numbers and lists only");
    blake3::hash(&json).to_hex()[..16].to_owned()
}

/// Returns the executable of this program, and its hash.
///
/// # Errors
/// [`Error::File`] if it cannot be read.
pub fn program() -> Result<(PathBuf, blake3::Hash)> {
    let path = std::env::current_exe().map_err(Error::io("find", "the program itself"))?;
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(base::files::open(&path)?).map_err(Error::io("read", &path))?;
    Ok((path, hasher.finalize()))
}

/// Returns the unit with a name from a record. `None` for an invalid name: it comes from a file and must not lead out of the
/// folder.
pub(crate) fn recorded_unit(units: &Path, name: &str) -> Option<Unit> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '-';
    (!name.is_empty() && name.chars().all(plain)).then(|| Store::new(units).named(name))
}

/// One unit of work.
#[derive(Debug, Clone)]
pub struct Unit {
    /// Kind and hash, such as `train-0123456789abcdef`.
    pub name: String,
    dir: PathBuf,
}

/// The lock of a unit, released on drop.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

const DONE: &str = "done.json";

impl Unit {
    /// Returns the path of a file of the unit.
    pub fn path(&self, file: &str) -> PathBuf {
        self.dir.join(file)
    }

    /// Reads the outcome of the unit; `None` if it is not done.
    ///
    /// # Errors
    /// [`Error::Damaged`] if `done.json` does not contain a `T`, or belongs to another unit.
    pub fn outcome<T: DeserializeOwned>(&self) -> Result<Option<T>> {
        let outcome = self.done()?.map(|done| done.outcome().map_err(|found| self.not_done(&found)));
        outcome.transpose()
    }

    fn done(&self) -> Result<Option<Done>> {
        let Some(text) = base::files::read_if_there(&self.path(DONE), base::files::TEXT)? else {
            return Ok(None);
        };
        Done::parse(&text, &self.name).map(Some).map_err(|found| self.not_done(&found))
    }

    fn not_done(&self, found: &str) -> Error {
        Error::damaged(self.path(DONE))(format!("expected the outcome of a finished unit, found: {found}"))
    }

    /// Checks a file of the finished unit against its checksum and returns its path. Units of versions before 0.13 have no
    /// checksums, and their files are not checked.
    ///
    /// # Errors
    /// [`Error::Damaged`] for a changed file, [`Error::File`] for a missing one.
    pub fn verified(&self, file: &str) -> Result<PathBuf> {
        if let Some(Done::Sealed(sealed)) = self.done()? {
            sealed.check(&self.dir, file)?;
        }
        Ok(self.path(file))
    }

    /// Writes the outcome with the checksums of the unit's files. This marks the unit as done.
    ///
    /// # Errors
    /// [`Error::File`] if a file cannot be read or written.
    pub fn finish(&self, outcome: &impl Serialize, files: &[&str]) -> Result<()> {
        write_json(&self.path(DONE), &Sealed::new(&self.name, &self.dir, files, outcome)?)
    }

    /// Deletes a file of the unit, if it exists.
    ///
    /// # Errors
    /// [`Error::File`] if it cannot be deleted.
    pub fn forget(&self, file: &str) -> Result<()> {
        let path = self.path(file);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(Error::io("delete", path)(error))
            }
            _ => Ok(()),
        }
    }

    /// Deletes all files of the unit except its lock.
    ///
    /// # Errors
    /// [`Error::File`] if a file cannot be deleted.
    pub fn clear(&self) -> Result<()> {
        // `done.json` goes first, so that a half cleared unit is not done.
        let all = base::files::list(&self.dir)?;
        for entry in std::iter::once(self.path(DONE)).chain(all) {
            if entry.file_name().is_some_and(|name| name != "lock") && entry.exists() {
                std::fs::remove_file(&entry).map_err(Error::io("delete", &entry))?;
            }
        }
        Ok(())
    }

    /// Locks the unit, waiting while another process holds it, and deletes temporary files of killed processes.
    ///
    /// # Errors
    /// [`Error::File`] if the folder cannot be written, [`Error::Interrupted`].
    pub fn lock(&self, console: &Console, interrupt: &Interrupt) -> Result<Lock> {
        let lock = lock(&self.path("lock"), &self.name, console, interrupt)?;
        base::files::remove_abandoned(&self.dir)?;
        Ok(lock)
    }
}

/// Takes the exclusive lock on a file, which is created with its folder. Waits while another
/// process works on `name`.
///
/// # Errors
/// As [`Unit::lock`].
pub fn lock(path: &Path, name: &str, console: &Console, interrupt: &Interrupt) -> Result<Lock> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    }
    let mut file = File::options()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(path)
        .map_err(Error::io("open", path))?;
    let mut told = false;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) => {
                if !told {
                    let mut owner = String::new();
                    // The owner is only for the message; it need not be readable.
                    let _ = file.read_to_string(&mut owner);
                    console.line(&format!(
                        "waiting for {name}, which is in use by {}",
                        if owner.is_empty() { "another process" } else { owner.trim() }
                    ));
                    told = true;
                }
                interrupt.check()?;
                interrupt.wait(Duration::from_millis(300));
            }
            Err(TryLockError::Error(e)) => return Err(Error::io("lock", path)(e)),
        }
    }
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let owner = format!("process {} on {}\n", std::process::id(), host.trim());
    file.set_len(0)
        .and_then(|()| std::io::Seek::rewind(&mut file))
        .and_then(|()| file.write_all(owner.as_bytes()))
        .map_err(Error::io("write", path))?;
    Ok(Lock { _file: file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_is_done_only_after_finish() {
        let folder = tempfile::tempdir().unwrap();
        let unit = Store::new(folder.path()).unit("train", &("plan", 1));
        let lock = unit.lock(&Console::silent(), &Interrupt::never()).unwrap();
        assert_eq!(unit.outcome::<u32>().unwrap(), None);
        unit.finish(&7_u32, &[]).unwrap();
        assert_eq!(unit.outcome::<u32>().unwrap(), Some(7));
        unit.clear().unwrap();
        assert_eq!(unit.outcome::<u32>().unwrap(), None);
        drop(lock);
    }

    #[test]
    fn equal_plans_share_a_unit_and_others_do_not() {
        let store = Store::new("nowhere");
        assert_eq!(store.unit("train", &("plan", 1)).name, store.unit("train", &("plan", 1)).name);
        assert_ne!(store.unit("train", &("plan", 1)).name, store.unit("train", &("plan", 2)).name);
    }

    #[test]
    fn a_held_unit_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let unit = Store::new(folder.path()).unit("train", &1);
        let held = unit.lock(&Console::silent(), &Interrupt::never()).unwrap();
        let second = std::thread::spawn({
            let unit = unit.clone();
            move || unit.lock(&Console::silent(), &Interrupt::never()).map(|_| ())
        });
        unit.finish(&1, &[]).unwrap();
        assert!(!second.is_finished());
        drop(held);
        second.join().unwrap().unwrap();
    }

    #[test]
    fn a_damaged_outcome_is_an_error_that_names_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let unit = Store::new(folder.path()).unit("train", &1);
        let _lock = unit.lock(&Console::silent(), &Interrupt::never()).unwrap();
        std::fs::write(unit.path(DONE), "{").unwrap();
        let message = unit.outcome::<u32>().unwrap_err().to_string();
        assert!(message.contains("done.json") && message.contains("delete it"), "{message}");
    }

    #[test]
    fn a_file_that_is_not_as_the_unit_left_it_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::new(folder.path());
        let units = [1, 2].map(|plan| store.unit("test", &plan));
        for (unit, bytes) in units.iter().zip([b"first", b"other"]) {
            let _lock = unit.lock(&Console::silent(), &Interrupt::never()).unwrap();
            write_atomic(&unit.path("scores"), bytes).unwrap();
            unit.finish(&1, &["scores"]).unwrap();
            assert_eq!(std::fs::read(unit.verified("scores").unwrap()).unwrap(), bytes);
        }
        let [unit, other] = &units;
        assert!(unit.verified("weights").is_err());
        // A changed byte, another unit's file, and another unit's file with its `done.json`.
        std::fs::write(unit.path("scores"), b"fhrst").unwrap();
        let message = unit.verified("scores").unwrap_err().to_string();
        assert!(message.contains("with BLAKE3 sum") && message.contains("--fresh"), "{message}");
        std::fs::copy(other.path("scores"), unit.path("scores")).unwrap();
        assert!(unit.verified("scores").is_err());
        std::fs::copy(other.path(DONE), unit.path(DONE)).unwrap();
        let message = unit.verified("scores").unwrap_err().to_string();
        assert!(message.contains(&other.name), "{message}");
        unit.finish(&1, &["scores"]).unwrap();
        let text = std::fs::read(unit.path(DONE)).unwrap();
        for bit in 0..8 * text.len() {
            let mut other = text.clone();
            other[bit / 8] ^= 1 << (bit % 8);
            std::fs::write(unit.path(DONE), &other).unwrap();
            let same = unit.outcome::<u32>().is_ok_and(|outcome| outcome == Some(1));
            assert!(same || unit.outcome::<u32>().is_err(), "bit {bit} is believed");
        }
        // The format before 0.13.
        std::fs::write(unit.path(DONE), "1").unwrap();
        assert!(unit.verified("scores").is_ok() && unit.outcome::<u32>().unwrap() == Some(1));
    }

    #[test]
    fn what_a_killed_process_was_writing_is_cleared_with_the_next_lock() {
        let folder = tempfile::tempdir().unwrap();
        let unit = Store::new(folder.path()).unit("train", &1);
        drop(unit.lock(&Console::silent(), &Interrupt::never()).unwrap());
        std::fs::write(unit.path(".tmp-1"), b"half a checkpoint").unwrap();
        let _lock = unit.lock(&Console::silent(), &Interrupt::never()).unwrap();
        assert!(!unit.path(".tmp-1").exists());
    }

    #[test]
    fn a_folder_that_may_not_be_written_to_is_answered_with_the_flags_for_another() {
        let denied = std::io::ErrorKind::PermissionDenied;
        let message = Error::io("write", "results")(denied.into()).to_string();
        assert!(
            message.ends_with("may write to with --results (records) or --cache (everything else)"),
            "{message}"
        );
        let message = Error::io("read", "results")(denied.into()).to_string();
        assert!(!message.contains("--results"), "{message}");
    }

    #[test]
    fn a_full_disk_is_no_fault_of_the_data() {
        let full = || base::FileError::DiskFull { folder: "results".into(), needed: 9 };
        for error in [Error::from(full()), Error::from(data::DataError::from(full()))] {
            assert_eq!(error.exit_code(), 1);
            assert!(error.to_string().contains("free some space"), "{error}");
        }
    }
}
