//! Videos in memory, for trainings without a data set, and nets of the committed tables to train on them.

use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use data::DataError;
use data::dataset::View;
use data::loader::LabelledVideo;
use data::source::{Direction, Field, Frame, VideoReader};
use experiment::Workspace;
use plan::spec::ProfileName;
use plan::{NetPlan, Request, Start, TablePlan};

/// Number of frames of each video.
const FRAMES: usize = 80;
/// Number of different pictures and fields of each video.
const DIFFERENT: usize = 4;

/// The callback when a video is read for the n-th time, counted over all videos.
pub(crate) type OnRead = Box<dyn Fn(usize) -> Result<(), DataError> + Send + Sync>;

/// A video of moving noise.
struct Noise {
    size: (usize, usize),
    fields: Vec<Field>,
    frames: Vec<Frame>,
    reads: Arc<(AtomicUsize, OnRead)>,
}

impl Noise {
    /// Each class has its own colour and moves in its own waves.
    fn new(
        seed: usize,
        label: usize,
        (width, height): (usize, usize),
        reads: Arc<(AtomicUsize, OnRead)>,
    ) -> Self {
        let mut state = seed as u64 * 0x9e37_79b9_7f4a_7c15 + 1;
        let mut noise = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 24) as f32 - 0.5
        };
        let angle = label as f32 * 0.7;
        let (across, down) = (angle.cos() * (0.3 + 0.02 * label as f32), angle.sin() * 0.3);
        let fields = (0..DIFFERENT).map(|at| {
            let wave = |i: usize| {
                let (x, y) = ((i % width) as f32, (i / width) as f32);
                (x * across + y * down + (seed + at) as f32).sin()
            };
            let mut plane =
                |size: f32| (0..width * height).map(|i| size * wave(i) + 0.1 * noise()).collect::<Vec<f32>>();
            let (u, v) = (plane(0.12), plane(-0.08));
            let mean = [&u, &v].map(|plane| plane.iter().sum::<f32>() / plane.len() as f32);
            Field { width, height, u, v, mean }
        });
        let fields = fields.collect();
        let frames = (0..DIFFERENT).map(|_| {
            let value = |i: usize| 128.0 + 60.0 * (angle + i as f32).sin() + 100.0 * noise();
            Frame {
                width,
                height,
                rgb: (0..3).cycle().take(3 * width * height).map(value).map(|v| v as u8).collect(),
            }
        });
        Self { size: (width, height), fields, frames: frames.collect(), reads }
    }

    fn read(&self) -> Result<(), DataError> {
        self.reads.1(self.reads.0.fetch_add(1, Ordering::Relaxed))
    }
}

impl VideoReader for Noise {
    fn segments(&self) -> &[Range<usize>] {
        const WHOLE: Range<usize> = 0..FRAMES;
        std::slice::from_ref(&WHOLE)
    }

    fn size(&self) -> (usize, usize) {
        self.size
    }

    fn frames(&self) -> usize {
        FRAMES
    }

    fn field(&self, _: Direction, at: usize) -> Result<Field, DataError> {
        self.read()?;
        Ok(self.fields[at % DIFFERENT].clone())
    }

    fn frame(&self, at: usize) -> Result<Frame, DataError> {
        self.read()?;
        Ok(self.frames[at % DIFFERENT].clone())
    }
}

/// Makes videos for each task of a net.
pub(crate) fn videos(net: &NetPlan, each: usize, on_read: OnRead) -> Vec<Vec<LabelledVideo>> {
    let reads = Arc::new((AtomicUsize::new(0), on_read));
    let side = net.video.short_side;
    let tasks = net.data.iter().map(|data| data.task).max().map_or(1, |last| last + 1);
    let heads = net.model.heads();
    let task = |task: usize| {
        let classes = heads[task.min(heads.len() - 1)];
        let video = |i: usize| {
            // Two views of each event, two events of each class.
            let label = if net.train.pairs.is_some() { i / 4 % classes } else { i % classes };
            LabelledVideo {
                id: format!("task {task}, video {i}"),
                label: label as u32,
                view: Some(View { event: (i / 2).to_string(), number: i % 2, group: String::new() }),
                source: Arc::new(Noise::new(100 * task + i, label, (side * 4 / 3, side), Arc::clone(&reads))),
            }
        };
        (0..each).map(video).collect()
    };
    (0..tasks).map(task).collect()
}

/// Returns the first net of a table that `fits`, with fresh weights.
pub(crate) fn net(table: &str, profile: ProfileName, fits: impl Fn(&NetPlan) -> bool) -> NetPlan {
    let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let (spec, file) = workspace.spec(table).expect("a committed table");
    let request = Request { profile: Some(profile), ..Request::default() };
    let plan = TablePlan::resolve(spec, file, &request, &workspace).expect("a committed table");
    let nets = plan.rows.iter().flat_map(|row| row.work.protocols()).map(|protocol| &protocol.net);
    let mut net = nets.into_iter().find(|net| fits(net)).expect("a net that fits").clone();
    net.train.start = Start::HeNormal;
    net
}
