//! A bit of a file is another, or its end is missing; every kind of file that the program writes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use experiment::Result;

use super::bed::{Bed, Place};
use super::{Line, Outcome, Report};

/// A kind of files, and what has to go for them to be read again.
struct Kind {
    what: &'static str,
    is: fn(&Path) -> bool,
    /// Whether a file of the place goes, so that this kind is read.
    goes: fn(&Path) -> bool,
}

fn named(path: &Path, name: &str) -> bool {
    path.file_name().is_some_and(|own| own == name)
}

fn is_unit(path: &Path, kinds: &[&str]) -> bool {
    path.components().any(|part| {
        let part = part.as_os_str().to_string_lossy();
        kinds.iter().any(|kind| part.starts_with(kind))
    })
}

fn is_record(path: &Path) -> bool {
    path.starts_with("results") && path.extension().is_some_and(|ending| ending == "json")
}

const KINDS: [Kind; 6] = [
    Kind {
        what: "cached frames and flow",
        is: |path| path.extension().is_some_and(|ending| ending == "var"),
        goes: |path| path.starts_with("cache/units") || is_record(path),
    },
    Kind {
        what: "weights",
        is: |path| named(path, "weights.safetensors"),
        goes: |path| is_unit(path, &["test-", "fuse-"]) || is_record(path),
    },
    Kind {
        what: "scores",
        is: |path| named(path, "scores.parquet") && is_unit(path, &["test-"]),
        goes: |path| is_unit(path, &["fuse-"]) || is_record(path),
    },
    Kind {
        what: "fused scores",
        is: |path| named(path, "scores.parquet") && is_unit(path, &["fuse-"]),
        goes: is_record,
    },
    Kind { what: "done.json", is: |path| named(path, "done.json"), goes: is_record },
    Kind {
        what: "records",
        is: |path| is_record(path) && !named(path, "verdicts.json"),
        // They are compared with scores and outcomes.
        goes: |_| false,
    },
];

/// Damages files until the time is up.
pub(super) fn damage(bed: &mut Bed<'_>, until: Instant, report: &mut Report) -> Result<()> {
    let mut lines: Vec<[Line; 2]> = KINDS
        .iter()
        .map(|kind| {
            ["a bit of", "the end of"].map(|how| Line::new(format!("{how} {} is another", kind.what)))
        })
        .collect();
    let place = bed.copy()?;
    let mut round = 0;
    while Instant::now() < until || round < KINDS.len() {
        let at = round % KINDS.len();
        let cut = bed.draw(4) == 0;
        let outcome = one(bed, &KINDS[at], cut, &place)?;
        lines[at][usize::from(cut)].add(outcome);
        bed.interrupt.check()?;
        round += 1;
    }
    report.lines.extend(lines.into_iter().flatten().filter(|line| line.tried > 0));
    Ok(())
}

/// Damages one file, and brings the place back to what it was.
fn one(bed: &mut Bed<'_>, kind: &Kind, cut: bool, place: &Place) -> Result<Outcome> {
    let files = bed.whole.files(kind.is);
    let file = files[bed.draw(files.len() as u64) as usize].clone();
    let path = within(place, &file);
    let mut bytes = base::files::read(&path, u64::MAX)?;
    let how = if cut {
        let length = bed.draw(bytes.len() as u64) as usize;
        bytes.truncate(length);
        format!("{} cut to {length} bytes", file.display())
    } else {
        let bit = bed.draw(8 * bytes.len() as u64) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        format!("bit {bit} of {}", file.display())
    };
    base::files::write(&path, &[&bytes])?;
    for gone in bed.whole.files(kind.goes).iter().filter(|gone| **gone != file) {
        let path = within(place, gone);
        std::fs::remove_file(&path).map_err(experiment::Error::io("delete", &path))?;
    }
    let outcome = bed.judge(place, &how)?;
    // Whatever became of it, the next one begins with what nothing disturbed.
    for file in bed.whole.files(|_| true) {
        let (from, to) = (within(&bed.reference, &file), within(place, &file));
        let bytes = base::files::read(&from, u64::MAX)?;
        if base::files::read_if_there(&to, u64::MAX)?.is_none_or(|there| there != bytes) {
            base::files::write(&to, &[&bytes])?;
        }
    }
    Ok(outcome)
}

/// A file of a snapshot in a place.
fn within(place: &Place, file: &Path) -> PathBuf {
    match file.strip_prefix("cache") {
        Ok(rest) => place.cache.join(rest),
        Err(_) => place.results.join(file.strip_prefix("results").unwrap_or(file)),
    }
}
