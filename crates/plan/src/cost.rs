//! What work asks of a machine, by its plan alone: looks at videos, arithmetic, memory, and time. Whoever says one of these
//! says it by this module.

use data::loader::Crops;
use data::sample::TimeSteps;
use models::Summary;

use crate::error::Result;
use crate::net::{NetPlan, Protocol, VideoPlan};
use crate::spec::{Learns, TestBy, Videos};
use crate::table::{RowPlan, TablePlan, Work};

/// The work of one unit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations in the networks.
    pub operations: f64,
    /// Bytes of feature maps that these make.
    pub maps: f64,
    /// Pixels times frame pairs of optical flow.
    pub flow: f64,
    /// Bytes of memory, beside what the program itself takes.
    pub bytes: f64,
}

/// How fast a machine is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Floating-point operations a second in convolutions and fully connected layers.
    pub operations: f64,
    /// Bytes of feature maps a second, for all that is done with them besides.
    pub maps: f64,
    /// Pixels of frame pairs a second in optical flow.
    pub flow: f64,
}

impl Speed {
    /// What a core is trusted with: a tenth of what is usual, and half of what the slowest flow takes, so that a job is not
    /// stopped by its time limit.
    pub const TRUSTED_CORE: Self = Self { operations: 4e9, maps: f64::INFINITY, flow: 1.0 / 1.5e-6 };
    /// What a GPU is trusted with.
    pub const TRUSTED_GPU: Self = Self { operations: 1e12, maps: f64::INFINITY, flow: 10.0 / 1.5e-6 };

    /// That of several at once.
    #[must_use]
    pub fn times(self, n: usize) -> Self {
        let n = n as f64;
        Self { operations: self.operations * n, maps: self.maps * n, flow: self.flow * n }
    }
}

impl Cost {
    /// How long it takes.
    pub fn seconds(&self, speed: &Speed) -> f64 {
        self.operations / speed.operations + self.maps / speed.maps + self.flow / speed.flow
    }

    /// This and another after it.
    #[must_use]
    pub fn then(self, next: Self) -> Self {
        Self {
            operations: self.operations + next.operations,
            maps: self.maps + next.maps,
            flow: self.flow + next.flow,
            bytes: self.bytes.max(next.bytes),
        }
    }
}

/// Frames of a video of which nothing is known yet; UCF-101 has 186 on average.
const FRAMES: usize = 200;

/// Time steps of views that go through a network at once in a test; one view at least.
const TIME_STEPS_AT_ONCE: usize = 64;

/// Videos whose views are made ahead of their use in a test.
pub const VIDEOS_AHEAD: usize = 2;

/// How a test looks at a video.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Views {
    /// Clips of a video, one at each position in time; a network that sees all positions at once has one. Of inputs with
    /// positions of their own, as many as a video of [`FRAMES`] frames has.
    pub clips: usize,
    /// Whether the number of clips is the same for every video.
    pub known: bool,
    /// Crops of each clip.
    pub crops: usize,
    /// Time steps of a clip, over those of a sample in training.
    pub length: f64,
    /// Views, which are crops of clips, that go through the network at once.
    pub at_once: usize,
}

impl Views {
    /// How the test of a net looks at a video.
    pub fn of(protocol: &Protocol) -> Self {
        let (sample, clips) = protocol.tested();
        let time_steps = sample.time_steps.count().max(1);
        let (clips, known) = match sample.time_steps {
            TimeSteps::Grid { every } => (FRAMES.div_ceil(every.max(1)), false),
            _ => (clips, true),
        };
        let crops = match protocol.test.crops {
            Crops::Ten => 10,
            Crops::Center => 1,
        };
        let length = time_steps as f64 / protocol.net.sample.time_steps.count().max(1) as f64;
        Self { clips, known, crops, length, at_once: (TIME_STEPS_AT_ONCE / time_steps).max(1) }
    }

    /// Crops of all clips of a video.
    pub fn count(&self) -> usize {
        self.clips * self.crops
    }

    /// So many views, in samples of the training.
    fn samples(&self, views: usize) -> f64 {
        views as f64 * self.length
    }
}

/// The training of a net, without the stages before it.
///
/// # Errors
/// Those of a network that cannot be described.
pub fn training(net: &NetPlan) -> Result<Cost> {
    let summary = net.model.summary()?;
    let samples = net.samples();
    // Without gradients a third of the work is left.
    let passes = if net.train.learns == Learns::All { 3.0 } else { 1.0 };
    let all = passes * (samples * net.train.iterations) as f64;
    Ok(Cost {
        operations: 2.0 * summary.multiply_adds() as f64 * all,
        maps: summary.activation_bytes() as f64 * all,
        flow: 0.0,
        bytes: summary.training_bytes(samples) as f64,
    })
}

/// The test of a trained net that looks at so many videos, those that it compares with among them.
///
/// # Errors
/// As [`training`].
pub fn testing(protocol: &Protocol, videos: usize) -> Result<Cost> {
    let summary = protocol.net.model.summary()?;
    let views = Views::of(protocol);
    let all = views.samples(views.count()) * videos as f64;
    // One video is in use and one is being made besides those that wait. Nothing is kept for a backward pass, so that the
    // sum of all feature maps is more than what is alive at once.
    let inputs = input_bytes(&summary) * views.samples(views.count()) * (VIDEOS_AHEAD + 2) as f64;
    let maps = summary.activation_bytes() as f64 * views.samples(views.at_once.min(views.count()));
    Ok(Cost {
        operations: 2.0 * summary.multiply_adds() as f64 * all,
        maps: summary.activation_bytes() as f64 * all,
        flow: 0.0,
        bytes: BYTES * summary.parameters() as f64 + inputs + maps,
    })
}

/// Videos that a test of `tested` videos looks at, where there are so many `others` to compare them with.
fn looked_at(by: TestBy, tested: usize, others: usize) -> usize {
    match by {
        TestBy::Softmax => tested,
        TestBy::NearestNeighbour | TestBy::Pairs => tested + others,
    }
}

/// Bytes of one value.
const BYTES: f64 = 4.0;

/// Bytes of one sample's inputs.
fn input_bytes(summary: &Summary) -> f64 {
    summary.input_bytes() as f64
}

/// Nets of a table, trained and tested.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Nets {
    /// Trainings of one stage each.
    pub trainings: usize,
    /// Their cost.
    pub training: Cost,
    /// That of the tests.
    pub testing: Cost,
}

/// What a row asks for in all its runs, with the stages before its nets and the folds that a fusion learns from; each
/// training and each test once.
///
/// # Errors
/// As [`training`].
pub fn of_row(plan: &TablePlan, row: &RowPlan) -> Result<Nets> {
    nets(plan, std::iter::once(row))
}

/// What the wanted rows of a table ask for together; what rows share counts once.
///
/// # Errors
/// As [`training`].
pub fn of_table(plan: &TablePlan) -> Result<Nets> {
    nets(plan, plan.wanted())
}

/// What one training, or its test, is of: split, seed and fold.
type Of<'a> = (Option<&'a str>, u64, Option<usize>);

fn nets<'a>(plan: &TablePlan, rows: impl Iterator<Item = &'a RowPlan>) -> Result<Nets> {
    let mut trained: Vec<(&NetPlan, Of<'_>)> = Vec::new();
    let mut tested: Vec<(&Protocol, Of<'_>)> = Vec::new();
    let mut sum = Nets::default();
    for row in rows {
        let folds = match &row.work {
            Work::Fusion(plan) => plan.fusion.folds(),
            _ => 0,
        };
        let runs = row.splits.iter().flat_map(|split| row.seeds.iter().map(move |&seed| (split, seed)));
        for ((split, seed), fold) in runs
            .flat_map(|run| std::iter::once(None).chain((0..folds).map(Some)).map(move |fold| (run, fold)))
        {
            for protocol in row.work.protocols() {
                for net in protocol.net.stages() {
                    // A stage on other videos is the same whichever split is run.
                    let of_split = |net: &NetPlan| net.data.iter().any(|data| data.videos == Videos::Split);
                    let own = net.stages().into_iter().any(of_split);
                    let of = if own { (Some(split.as_str()), seed, fold) } else { (None, seed, None) };
                    if !trained.contains(&(net, of)) {
                        trained.push((net, of));
                        sum.trainings += 1;
                        sum.training = sum.training.then(training(net)?);
                    }
                }
                let of = (Some(split.as_str()), seed, fold);
                if !tested.contains(&(protocol, of)) {
                    tested.push((protocol, of));
                    let (train, test) = videos(plan, protocol, split);
                    let (asked, others) = if fold.is_some() { (train / folds, 0) } else { (test, train) };
                    let videos = looked_at(protocol.test.by, asked, others);
                    sum.testing = sum.testing.then(testing(protocol, videos)?);
                }
            }
        }
    }
    Ok(sum)
}

/// Training and test videos of a split, as many as a net takes.
fn videos(plan: &TablePlan, protocol: &Protocol, split: &str) -> (usize, usize) {
    let target = protocol.net.target();
    let facts = plan.cast.values().find(|facts| facts.name == target.set);
    let sizes = facts.and_then(|facts| facts.splits.iter().find(|size| size.name == split));
    let most = protocol.net.video.videos_per_class.map_or(usize::MAX, |most| most * target.classes);
    sizes.map_or((0, 0), |size| (size.train.min(most), size.test.min(most)))
}

/// Multiply-adds of the test of one video by all nets of a row, where every video has as many views.
pub fn multiply_adds_of_a_video(work: &Work) -> Option<f64> {
    let of = |protocol: &Protocol| {
        let views = Views::of(protocol);
        let sample = protocol.net.model.summary().ok()?.multiply_adds() as f64;
        views.known.then(|| sample * views.samples(views.count()))
    };
    work.protocols().iter().map(of).sum()
}

/// Decoding so many videos and estimating their flow, in both directions if `backward`.
pub fn preparing(video: &VideoPlan, videos: usize, backward: bool) -> Cost {
    let side = video.short_side as f64;
    let pixels = side * side * 4.0 / 3.0;
    let directions = match (&video.flow, &video.extraction) {
        (Some(_), None) if backward => 2.0,
        (Some(_), None) => 1.0,
        _ => 0.0,
    };
    // Decoding and storing takes about a tenth of what flow does.
    let flow = (directions + 0.1) * pixels * (FRAMES * videos) as f64;
    Cost { flow, bytes: 100.0 * pixels, ..Cost::default() }
}
