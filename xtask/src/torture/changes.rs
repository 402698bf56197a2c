//! Replaces a video by another while it is prepared: the outcome must be the answer for one of the two, or an error.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use experiment::{Error, Result};
use serde_json::Value;

use super::bed::{Bed, Ended};
use super::place::Place;
use super::report::{Line, Outcome, Report};

/// Sources of two videos that ffmpeg draws; they take a while to decode.
const DRAWN: [&str; 2] = ["testsrc=size=320x240:rate=25:duration=3", "mandelbrot=size=320x240:rate=25"];

/// Replaces videos until the time is up; nothing is tried without ffmpeg.
#[expect(clippy::disallowed_methods, reason = "the delay is random, so there is no event to wait for")]
pub(super) fn replace(bed: &mut Bed<'_>, until: Instant, report: &mut Report) -> Result<()> {
    let folder = bed.folder();
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let Some(videos) = draw(&folder) else {
        report
            .untried
            .push("a video that changes while it is read: needs an ffmpeg that can draw videos".into());
        return Ok(());
    };
    let file = folder.join("video.avi");
    let mut answers = Vec::new();
    for video in &videos {
        copy(video, &file)?;
        let ended = bed.run(&mut predict(bed, &file))?;
        let answer = answer(&ended).ok_or_else(|| {
            Error::Usage(format!("an undisturbed video cannot be classified: {}", ended.said))
        })?;
        answers.push(answer);
    }
    let mut line = Line::new("video replaced while it is read");
    while Instant::now() < until || line.tried == 0 {
        let first = bed.draw(2) as usize;
        copy(&videos[first], &file)?;
        let delay = Duration::from_millis(bed.draw(400));
        let other = &videos[1 - first];
        let mut process = predict(bed, &file);
        let ended = std::thread::scope(|scope| {
            let replaced = scope.spawn(|| {
                std::thread::sleep(delay);
                copy(other, &file)
            });
            let ended = bed.run(&mut process);
            replaced.join().map_err(|_| Error::Usage("a thread panicked".into()))??;
            ended
        })?;
        line.add(match (ended.broke(), answer(&ended)) {
            (Some(how), _) => Outcome::Broke(format!("replaced after {delay:?}: {how}")),
            (None, Some(answer)) if answers.contains(&answer) => Outcome::Whole,
            (None, Some(_)) => {
                Outcome::Wrong(format!("replaced after {delay:?}: the answer matches neither video"))
            }
            (None, None) => Outcome::Refused,
        });
        bed.interrupt.check()?;
    }
    report.lines.push(line);
    Ok(())
}

fn draw(folder: &Path) -> Option<[PathBuf; 2]> {
    let drawn = |at: usize| {
        let path = folder.join(format!("{at}.avi"));
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-f", "lavfi", "-i", DRAWN[at], "-t", "3", "-c:v", "mpeg4"]).arg(&path);
        command.output().is_ok_and(|output| output.status.success()).then_some(path)
    };
    Some([drawn(0)?, drawn(1)?])
}

/// Copies a file over an existing one without a temporary name, as careless programs do.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).map(drop).map_err(Error::io("copy", from))
}

fn predict(bed: &Bed<'_>, video: &Path) -> Command {
    let place: &Place = &bed.reference;
    let mut command = bed.command(["predict", "--json", "--run", "two-stream/table1b/stack-5-on"], place);
    command.arg("--results").arg(&place.results).arg(video);
    command
}

/// Returns the frames and probabilities of a prediction, if there is one.
fn answer(ended: &Ended) -> Option<String> {
    let prediction: Value = serde_json::from_str(&ended.output).ok().filter(|_| ended.well())?;
    Some(format!("{} {}", prediction["frames"], prediction["fused"]))
}
