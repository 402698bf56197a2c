//! A video that is replaced by another while it is prepared: what comes out is one or the other's, under its own name, or an
//! error.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use experiment::{Error, Result};
use serde_json::Value;

use super::bed::{Bed, Ended};
use super::place::Place;
use super::report::{Line, Outcome, Report};

/// Two videos that ffmpeg draws; the frames of a second take it a while to decode.
const DRAWN: [&str; 2] = ["testsrc=size=320x240:rate=25:duration=3", "mandelbrot=size=320x240:rate=25"];

/// Replaces videos until the time is up, where ffmpeg is at hand.
#[expect(clippy::disallowed_methods, reason = "a moment is waited for, and nothing tells of it")]
pub(super) fn replace(bed: &mut Bed<'_>, until: Instant, report: &mut Report) -> Result<()> {
    let folder = bed.folder();
    std::fs::create_dir_all(&folder).map_err(Error::io("create", &folder))?;
    let Some(videos) = draw(&folder) else {
        report
            .untried
            .push("a video that changes while it is read: there is no ffmpeg that can draw one".into());
        return Ok(());
    };
    let file = folder.join("video.avi");
    let mut answers = Vec::new();
    for video in &videos {
        copy(video, &file)?;
        let ended = bed.run(&mut predict(bed, &file))?;
        let answer = answer(&ended).ok_or_else(|| {
            Error::Usage(format!("a video cannot be classified undisturbed: {}", ended.said))
        })?;
        answers.push(answer);
    }
    let mut line = Line::new("a video is replaced while it is read");
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
                Outcome::Wrong(format!("replaced after {delay:?}: an answer of neither video"))
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

/// In one step, as programs write files, and as they write them badly: over the old one.
fn copy(from: &Path, to: &Path) -> Result<()> {
    std::fs::copy(from, to).map(drop).map_err(Error::io("copy", from))
}

fn predict(bed: &Bed<'_>, video: &Path) -> Command {
    let place: &Place = &bed.reference;
    let mut command = bed.command(["predict", "--json", "--run", "two-stream/table1b/stack-5-on"], place);
    command.arg("--results").arg(&place.results).arg(video);
    command
}

/// The probabilities and the frames of a prediction.
fn answer(ended: &Ended) -> Option<String> {
    let prediction: Value = serde_json::from_str(&ended.output).ok().filter(|_| ended.well())?;
    Some(format!("{} {}", prediction["frames"], prediction["fused"]))
}
