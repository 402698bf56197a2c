//! Flips a bit of a file or truncates it, for every kind of file that the program writes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use experiment::Result;

use super::bed::{Bed, end};
use super::place::{Place, forget};
use super::report::{Line, Outcome, Report};

/// A kind of file, and the files to delete so that it is read again.
struct Kind {
    what: &'static str,
    is: fn(&Path) -> bool,
    /// Returns `true` for a file to delete so that this kind is read.
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
        // Nets that start from others are trained again and read these weights.
        goes: |path| path.starts_with("cache/units") || is_record(path),
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
        // Records are compared with scores and outcomes.
        goes: |_| false,
    },
];

/// Damages files until the time is up.
pub(super) fn damage(bed: &mut Bed<'_>, until: Instant, report: &mut Report) -> Result<()> {
    let mut lines: Vec<[Line; 2]> = KINDS
        .iter()
        .map(|kind| ["flipped bit", "truncated"].map(|how| Line::new(format!("{how}: {}", kind.what))))
        .collect();
    let mut checkpoints = Line::new("flipped bit or truncated: checkpoints");
    let mut round = 0;
    while Instant::now() < until || round <= KINDS.len() {
        let at = round % (KINDS.len() + 1);
        let cut = bed.draw(4) == 0;
        match KINDS.get(at) {
            Some(kind) => lines[at][usize::from(cut)].add(one(bed, kind, cut)?),
            None => _ = checkpoint(bed, cut)?.map(|outcome| checkpoints.add(outcome)),
        }
        bed.interrupt.check()?;
        round += 1;
    }
    lines.push([checkpoints, Line::new("")]);
    report.lines.extend(lines.into_iter().flatten().filter(|line| line.tried > 0));
    Ok(())
}

/// Damages the checkpoint of a killed training. Returns `None` if it was killed before its first checkpoint.
fn checkpoint(bed: &mut Bed<'_>, cut: bool) -> Result<Option<Outcome>> {
    let place = bed.copy()?;
    for unit in base::files::list(&place.cache.join("units"))? {
        std::fs::remove_dir_all(&unit).map_err(experiment::Error::io("delete", &unit))?;
    }
    let mut work = bed.some_work(&place);
    let mut child = bed.start(&mut work)?;
    let begun = Instant::now();
    let found = loop {
        let units = base::files::list(&place.cache.join("units"))?;
        let found =
            units.into_iter().map(|unit| unit.join("checkpoint.safetensors")).find(|path| path.exists());
        let over = child.try_wait().is_ok_and(|status| status.is_some());
        if found.is_some() || over || begun.elapsed() > bed.takes {
            break found;
        }
    };
    end(&mut child);
    let outcome = match found.filter(|path| path.exists()) {
        Some(path) => {
            let how = damage_one(bed, &path, cut)?;
            Some(bed.judge(&place, &how)?)
        }
        None => None,
    };
    if let Some(folder) = place.cache.parent() {
        forget(folder)?;
    }
    Ok(outcome)
}

/// Damages a file and describes the damage.
fn damage_one(bed: &mut Bed<'_>, path: &Path, cut: bool) -> Result<String> {
    let mut bytes = base::files::read(path, u64::MAX)?;
    let how = if cut {
        let length = bed.draw(bytes.len() as u64) as usize;
        bytes.truncate(length);
        format!("{} truncated to {length} bytes", path.display())
    } else {
        let bit = bed.draw(8 * bytes.len() as u64) as usize;
        bytes[bit / 8] ^= 1 << (bit % 8);
        format!("bit {bit} of {} flipped", path.display())
    };
    base::files::write(path, &[&bytes])?;
    Ok(how)
}

/// Damages one file in a copy of the undisturbed work and judges the result.
fn one(bed: &mut Bed<'_>, kind: &Kind, cut: bool) -> Result<Outcome> {
    let place = bed.copy()?;
    let files = bed.whole.files(kind.is);
    let file = files[bed.draw(files.len() as u64) as usize].clone();
    let how = damage_one(bed, &within(&place, &file), cut)?;
    for gone in bed.whole.files(kind.goes).iter().filter(|gone| gone.parent() != file.parent()) {
        let path = within(&place, gone);
        std::fs::remove_file(&path).map_err(experiment::Error::io("delete", &path))?;
    }
    let outcome = bed.judge(&place, &how)?;
    if let Some(folder) = place.cache.parent() {
        forget(folder)?;
    }
    Ok(outcome)
}

/// Returns the path of a snapshot's file in a place.
fn within(place: &Place, file: &Path) -> PathBuf {
    match file.strip_prefix("cache") {
        Ok(rest) => place.cache.join(rest),
        Err(_) => place.results.join(file.strip_prefix("results").unwrap_or(file)),
    }
}
