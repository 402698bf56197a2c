//! One run of ffmpeg: starts it, reads its frames and enforces the time-out.

use super::problem::DecodeProblem;
use super::words::{Size, Words};
use crate::error::DataError;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Interval at which a waiting run checks whether it must stop.
const POLL: Duration = Duration::from_millis(50);

/// Limits on a video. Memory is bounded by one frame, since frames are streamed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest width and height in pixels.
    pub side: usize,
    /// Largest number of frames.
    pub frames: usize,
    /// Longest time that ffmpeg may take for a single frame.
    pub stall: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { side: 8192, frames: 50_000, stall: Duration::from_secs(60) }
    }
}

/// One decoded frame at the video's own resolution, upright.
#[derive(Debug, Clone, Copy)]
pub struct RgbFrame<'a> {
    /// Columns, W.
    pub width: usize,
    /// Rows, H.
    pub height: usize,
    /// Red, green, blue interleaved; H x W x 3 bytes.
    pub data: &'a [u8],
}

/// The result of a run.
pub(super) struct Outcome {
    pub(super) frames: usize,
    /// Size of the frames, if there was one.
    pub(super) size: Option<Size>,
    pub(super) words: Words,
    /// A failed exit, in words.
    pub(super) status: Option<String>,
    /// True if a signal ended it, as when it crashed.
    pub(super) crashed: bool,
}

/// The reason for which the watch stopped ffmpeg.
enum Stopped {
    Stalled,
    Asked,
}

pub(super) fn run(
    mut command: Command,
    limits: Limits,
    path: &Path,
    stop: &AtomicBool,
    mut each: impl FnMut(RgbFrame<'_>) -> Result<(), DataError>,
) -> Result<Outcome, DataError> {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(source) => {
            return Err(DataError::FfmpegMissing { program: command.get_program().into(), source });
        }
    };
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let child = Mutex::new(child);
    let (alive, watched) = channel();

    let (read, words, stopped, status) = thread::scope(|scope| {
        let log = scope.spawn(move || stderr.map(Words::of).unwrap_or_default());
        let watch = scope.spawn({
            let child = &child;
            move || watch(child, stop, limits.stall, &watched)
        });
        let mut frames = Frames { input: stdout.map(BufReader::new), limits, size: None, count: 0 };
        let read = frames.read_all(|frame| {
            // The watch is gone once it has killed ffmpeg; the stream then ends by itself.
            let _gone = alive.send(());
            each(frame)
        });
        if read.is_err() {
            kill(&child);
        }
        // The standard error ends when the process does, so waiting here keeps the lock free for the watch.
        let words = log.join().unwrap_or_default();
        drop(alive);
        let stopped = watch.join().ok().flatten();
        let status = child.lock().unwrap_or_else(PoisonError::into_inner).wait();
        (read.map(|()| (frames.count, frames.size)).map_err(|e| (e, frames.count)), words, stopped, status)
    });

    let refuse = |problem| DataError::Decode { path: path.to_path_buf(), problem };
    let frames = match &read {
        Ok((frames, _)) | Err((_, frames)) => *frames,
    };
    match stopped {
        Some(Stopped::Asked) => return Err(DataError::Interrupted),
        Some(Stopped::Stalled) => {
            let seconds = limits.stall.as_secs();
            return Err(refuse(DecodeProblem::TimedOut { seconds, frames, log: words.log }));
        }
        None => {}
    }
    let (frames, size) = match read {
        Ok(read) => read,
        Err((Broken::Consumer(error), _)) => return Err(error),
        Err((Broken::Stream(problem), _)) => return Err(refuse(problem)),
        Err((Broken::Output(what), frames)) => {
            return Err(refuse(DecodeProblem::Failed { frames, what, log: words.log }));
        }
    };
    let crashed = status.as_ref().is_ok_and(|status| status.code().is_none());
    let status = match status {
        Ok(status) => failure(status),
        Err(error) => Some(error.to_string()),
    };
    Ok(Outcome { frames, size, words, status, crashed })
}

fn failure(status: ExitStatus) -> Option<String> {
    (!status.success()).then(|| status.to_string())
}

/// An error while reading frames.
enum Broken {
    /// The consumer of the frames refused one.
    Consumer(DataError),
    /// The video exceeds a limit or changes its size.
    Stream(DecodeProblem),
    /// The output is not a chain of pictures.
    Output(String),
}

/// The stream of PPM pictures.
struct Frames<R> {
    input: Option<BufReader<R>>,
    limits: Limits,
    size: Option<Size>,
    count: usize,
}

impl<R: Read> Frames<R> {
    fn read_all(
        &mut self,
        mut each: impl FnMut(RgbFrame<'_>) -> Result<(), DataError>,
    ) -> Result<(), Broken> {
        let Some(mut input) = self.input.take() else {
            return Ok(());
        };
        let limits = self.limits;
        let mut data = Vec::new();
        while let Some((width, height)) = header(&mut input)? {
            for (what, found, limit) in [
                ("the width", width, limits.side),
                ("the height", height, limits.side),
                ("the number of frames", self.count + 1, limits.frames),
            ] {
                if found > limit {
                    return Err(Broken::Stream(DecodeProblem::TooLarge { what, found, limit }));
                }
            }
            let (w, h) = *self.size.get_or_insert((width, height));
            if (w, h) != (width, height) {
                return Err(Broken::Stream(DecodeProblem::SizeChanges {
                    frame: self.count,
                    expected: format!("{w}x{h}"),
                    found: format!("{width}x{height}"),
                }));
            }
            data.resize(width * height * 3, 0);
            input
                .read_exact(&mut data)
                .map_err(|_| Broken::Output("its output ends within a frame".to_owned()))?;
            each(RgbFrame { width, height, data: &data }).map_err(Broken::Consumer)?;
            self.count += 1;
        }
        Ok(())
    }
}

/// Reads `P6\nWIDTH HEIGHT\n255\n`; `None` at the end of the stream.
fn header(input: &mut impl BufRead) -> Result<Option<(usize, usize)>, Broken> {
    let bad = |what: &str| Broken::Output(format!("its output is not a picture: {what}"));
    let mut text = Vec::with_capacity(24);
    for _ in 0..3 {
        // 24 bytes hold any line of such a header; a longer line is not one.
        input.take(24).read_until(b'\n', &mut text).map_err(|e| bad(&e.to_string()))?;
        if text.is_empty() {
            return Ok(None);
        }
    }
    let text = String::from_utf8_lossy(&text);
    let words: Vec<&str> = text.split_ascii_whitespace().collect();
    let &["P6", width, height, "255"] = words.as_slice() else {
        return Err(bad(&text));
    };
    match (width.parse(), height.parse()) {
        (Ok(width), Ok(height)) if width > 0 && height > 0 => Ok(Some((width, height))),
        _ => Err(bad(&text)),
    }
}

/// Kills ffmpeg when it stalls or the caller wants to stop; ends when the other side hangs up.
fn watch(child: &Mutex<Child>, stop: &AtomicBool, stall: Duration, alive: &Receiver<()>) -> Option<Stopped> {
    let mut last = Instant::now();
    loop {
        match alive.recv_timeout(POLL.min(stall)) {
            Ok(()) => last = Instant::now(),
            Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) => {}
        }
        let why = if stop.load(Ordering::Relaxed) {
            Stopped::Asked
        } else if last.elapsed() >= stall {
            Stopped::Stalled
        } else {
            continue;
        };
        kill(child);
        return Some(why);
    }
}

fn kill(child: &Mutex<Child>) {
    // An error means that it has already ended.
    let _ended = child.lock().unwrap_or_else(PoisonError::into_inner).kill();
}
