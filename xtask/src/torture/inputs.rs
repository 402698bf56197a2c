//! Invalid inputs: pipes, devices, folders, dangling links and garbage in place of videos, records and units, and numbers out
//! of range in exported rows.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use experiment::{Error, Result};
use serde_json::Value;

use super::bed::Bed;
use super::place::Place;
use super::report::{Line, Outcome, Report};

/// Memory limit of a command in KiB.
const MEMORY: u64 = 4 << 20;

/// Unusual numbers for a configuration, most of them out of range.
const ODD: [u64; 8] = [0, 1, 1 << 20, (1 << 31) - 1, 1 << 32, 1 << 40, 4_611_686_018_427_387_904, u64::MAX];

/// Tries each kind of input once, and unusual numbers until the time is up.
pub(super) fn try_all(bed: &mut Bed<'_>, until: Instant, report: &mut Report) -> Result<()> {
    let folder = bed.folder();
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let row = "two-stream/table1b/stack-5-on";

    let mut line = Line::new("input that is not a video");
    for path in impostors(&folder)? {
        let place = bed.reference.clone();
        let mut command = bed.command(["predict", "--run", row], &place);
        command.arg("--results").arg(&place.results).arg(&path);
        line.add(refused(bed, &command, &path.display().to_string())?);
    }
    report.lines.push(line);

    let mut line = Line::new("cache file or record replaced by something else");
    let kinds = ["done.json", "weights.safetensors", "scores.parquet", "stack-5-on.json", ".var"];
    for (at, kind) in kinds.into_iter().enumerate() {
        for impostor in impostors(&folder.join(at.to_string()))? {
            line.add(in_place_of(bed, kind, &impostor)?);
        }
        bed.interrupt.check()?;
    }
    report.lines.push(line);

    let exported = folder.join("exported");
    let place = bed.reference.clone();
    let mut export = bed.command(["export", "--run", row], &place);
    let ended = bed.run(export.arg("--results").arg(&place.results).arg(&exported))?;
    if !ended.well() {
        return Err(Error::Usage(format!("an undisturbed row cannot be exported: {}", ended.said)));
    }
    let mut line = Line::new("number changed in an exported row, alike in protocol and record");
    while Instant::now() < until || line.tried == 0 {
        line.add(numbered(bed, &exported)?);
        bed.interrupt.check()?;
    }
    report.lines.push(line);
    Ok(())
}

/// Creates one unusable file of each kind and returns the paths.
fn impostors(folder: &Path) -> Result<Vec<PathBuf>> {
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let mut made = Vec::new();
    let mut add = |name: &str, make: &dyn Fn(&Path) -> std::io::Result<()>| -> Result<()> {
        let path = folder.join(name);
        make(&path).map_err(Error::io("create", &path))?;
        made.push(path);
        Ok(())
    };
    add("folder.avi", &|path| std::fs::create_dir_all(path))?;
    add("empty.avi", &|path| std::fs::write(path, ""))?;
    add("text.avi", &|path| std::fs::write(path, "no video, no record, no weights"))?;
    add("brackets.avi", &|path| std::fs::write(path, "[".repeat(1 << 20)))?;
    // A sparse file, which takes no space on the disk.
    add("large.avi", &|path| File::create(path)?.set_len(1 << 40))?;
    #[cfg(unix)]
    {
        let pipe = |path: &Path| match Command::new("mkfifo").arg(path).status()?.success() {
            true => Ok(()),
            false => Err(std::io::Error::other("mkfifo failed")),
        };
        add("pipe.avi", &pipe)?;
        add("zero.avi", &|path| std::os::unix::fs::symlink("/dev/zero", path))?;
        add("nowhere.avi", &|path| std::os::unix::fs::symlink("nowhere", path))?;
    }
    Ok(made)
}

/// Runs a command that must fail with an error of the program.
fn refused(bed: &Bed<'_>, command: &Command, how: &str) -> Result<Outcome> {
    let ended = bed.run(&mut limited(command))?;
    Ok(match ended.broke() {
        Some(broke) => Outcome::Broke(format!("{how}: {broke}")),
        None if ended.well() => Outcome::Wrong(format!("{how} was accepted")),
        // The shell reports an abort of the allocator as 134.
        None if ended.code.is_some_and(|code| code > 4) => {
            Outcome::Broke(format!("{how}: exit code {:?}, {}", ended.code, ended.said))
        }
        None => Outcome::Refused,
    })
}

/// Returns the same command with a memory limit.
fn limited(command: &Command) -> Command {
    let mut limited = Command::new("sh");
    limited.args(["-c", &format!("ulimit -v {MEMORY}; exec \"$@\""), "sh"]);
    limited.arg(command.get_program()).args(command.get_args()).stdin(std::process::Stdio::null());
    limited
}

/// Replaces a file of the program by something else, then does all the work once more.
fn in_place_of(bed: &mut Bed<'_>, kind: &str, impostor: &Path) -> Result<Outcome> {
    let place = bed.copy()?;
    let files = find(&place, kind)?;
    let file = &files[bed.draw(files.len() as u64) as usize];
    std::fs::remove_file(file).map_err(Error::io("delete", file))?;
    if impostor.is_dir() {
        std::fs::create_dir(file).map_err(Error::io("create", file))?;
    } else {
        std::fs::rename(impostor, file).map_err(Error::io("rename", impostor))?;
    }
    // Records and fusions are deleted so that the file is read.
    for path in find(&place, ".json")?.into_iter().chain(find(&place, "scores.parquet")?) {
        let read_again = path.starts_with(&place.results) || path.display().to_string().contains("/fuse-");
        if read_again && path != *file {
            std::fs::remove_file(&path).map_err(Error::io("delete", &path))?;
        }
    }
    let outcome = bed.judge(&place, &format!("{} in place of a {kind}", impostor.display()))?;
    if let Some(folder) = place.cache.parent() {
        super::place::forget(folder)?;
    }
    Ok(match outcome {
        // The replaced file itself may remain as the only difference.
        Outcome::Wrong(how) if how.ends_with(", 1 in all") && how.contains(kind) => Outcome::Whole,
        outcome => outcome,
    })
}

/// Returns the files of a place whose paths end with `ending`.
fn find(place: &Place, ending: &str) -> Result<Vec<PathBuf>> {
    fn within(folder: &Path, ending: &str, found: &mut Vec<PathBuf>) -> Result<()> {
        for path in base::files::list(folder)? {
            if path.is_dir() {
                within(&path, ending, found)?;
            } else if path.display().to_string().ends_with(ending) {
                found.push(path);
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    within(&place.cache, ending, &mut found)?;
    within(&place.results, ending, &mut found)?;
    Ok(found)
}

/// Changes one number of the plan of an exported row, in both its protocol and its record.
fn numbered(bed: &mut Bed<'_>, exported: &Path) -> Result<Outcome> {
    let path = exported.join("config.json");
    let whole = base::files::read(&path, base::files::TEXT)?;
    let mut config: Value = serde_json::from_slice(&whole).map_err(Error::damaged(&path))?;
    let mut places = Vec::new();
    numbers(&config["streams"][0]["protocol"], String::new(), &mut places);
    let at = places[bed.draw(places.len() as u64) as usize].clone();
    let now = ODD[bed.draw(ODD.len() as u64) as usize];
    for beginning in ["/streams/0/protocol", "/record/work/net"] {
        if let Some(value) = config.pointer_mut(&format!("{beginning}{at}")) {
            *value = Value::from(now);
        }
    }
    base::files::write_json(&path, &config)?;
    let mut command = Command::new(std::env::current_exe().map_err(Error::io("find", "the program itself"))?);
    command.args(["predict", "--run"]).arg(exported).arg("--cache").arg(exported.join("cache"));
    command.arg(exported.join("no video"));
    let outcome = refused(bed, &command, &format!("{at} = {now}"))?;
    base::files::write(&path, &[&whole])?;
    Ok(outcome)
}

fn numbers(value: &Value, at: String, found: &mut Vec<String>) {
    match value {
        Value::Number(_) => found.push(at),
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(number, value)| numbers(value, format!("{at}/{number}"), found));
        }
        Value::Object(map) => {
            map.iter().for_each(|(key, value)| numbers(value, format!("{at}/{key}"), found))
        }
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}
