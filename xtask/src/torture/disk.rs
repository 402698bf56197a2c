//! Fills the disk at a random moment: the work is done on a file system in memory of random size.

use std::process::Command;
use std::time::Instant;

use experiment::{Error, Result};

use super::bed::{Bed, Ended};
use super::place::{Place, forget};
use super::report::{Line, Outcome, Report};
use super::snapshot::leftovers;

/// Fills disks until the time is up; nothing is tried if file systems cannot be mounted.
pub(super) fn fill(bed: &mut Bed<'_>, until: Instant, report: &mut Report) -> Result<()> {
    let Some(wrapper) = wrapper() else {
        report
            .untried
            .push("a full disk: file systems cannot be mounted here (unshare -m, mount -t tmpfs)".into());
        return Ok(());
    };
    let needed = size(&bed.reference)?;
    let mut line = Line::new("a full disk at a random moment, then room");
    while Instant::now() < until || line.tried == 0 {
        line.add(one(bed, &wrapper, needed)?);
        bed.interrupt.check()?;
    }
    report.lines.push(line);
    Ok(())
}

/// Returns a prefix that runs a command with its own mounts, or `None` if mounting is not permitted.
fn wrapper() -> Option<Vec<&'static str>> {
    [&["unshare", "-m"][..], &["unshare", "-r", "-m"]].into_iter().map(<[_]>::to_vec).find(|words| {
        let mut command = Command::new(words[0]);
        command.args(&words[1..]).args(["sh", "-c", "mount -t tmpfs -o size=64k none /mnt"]);
        command.output().is_ok_and(|output| output.status.success())
    })
}

/// Returns the total bytes of all files of a place.
fn size(place: &Place) -> Result<u64> {
    fn of(folder: &std::path::Path) -> Result<u64> {
        let mut sum = 0;
        for path in base::files::list(folder)? {
            sum += if path.is_dir() { of(&path)? } else { path.metadata().map_or(0, |file| file.len()) };
        }
        Ok(sum)
    }
    Ok(of(&place.cache)? + of(&place.results)?)
}

/// Does work on a disk of random size, and the same work again once the disk is large enough.
fn one(bed: &mut Bed<'_>, wrapper: &[&str], needed: u64) -> Result<Outcome> {
    let folder = bed.folder();
    let (disk, kept) = (folder.join("disk"), folder.join("kept"));
    std::fs::create_dir_all(&disk).map_err(Error::io("create", &disk))?;
    let bytes = (64 << 10) + bed.draw(needed);
    // One set of mounts for both runs: the first may fail; the second has space, and its result is compared outside.
    let script = "mount -t tmpfs -o size=$1 none \"$2\" || exit 99
        shift; disk=$1; kept=$2; shift 2
        \"$@\"; code=$?
        case $code in 0|1) ;; *) exit $code ;; esac
        mount -o remount,size=4g \"$disk\" || exit 99
        \"$@\" || exit $?
        cp -r \"$disk\" \"$kept\"";
    let place = Place::at(&disk);
    let work = bed.some_work(&place);
    let mut command = Command::new(wrapper[0]);
    command.args(&wrapper[1..]).args(["sh", "-c", script, "sh", &bytes.to_string()]);
    command.arg(&disk).arg(&kept).arg(work.get_program()).args(work.get_args());
    let ended: Ended = bed.run(&mut command)?;
    let how = format!("a disk of {bytes} bytes");
    let outcome = if let Some(broke) = ended.broke() {
        Outcome::Broke(format!("{how}: {broke}"))
    } else if !ended.well() {
        Outcome::Wrong(format!("{how}: exit code {:?}, {}", ended.code, ended.said))
    } else {
        let left = leftovers(&kept)?;
        match left.first() {
            Some(path) => Outcome::Wrong(format!("{how}: left {} behind", path.display())),
            None => bed.judge(&Place::at(&kept), &how)?,
        }
    };
    forget(&folder)?;
    Ok(outcome)
}
