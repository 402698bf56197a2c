//! Cost of work, computed from its plan alone: views of videos, arithmetic, memory and time. The only source of these
//! numbers for all commands.

use data::loader::Crops;
use data::sample::TimeSteps;
use data::split::draw_of;
use models::Summary;

use crate::error::Result;
use crate::net::{NetPlan, Protocol, VideoPlan};
use crate::spec::{Learns, TestBy, Videos};
use crate::table::{RowPlan, TablePlan, Work};

/// The work of one unit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Number of floating-point operations in the networks.
    pub operations: f64,
    /// Bytes of feature maps that the networks write.
    pub maps: f64,
    /// Pixels of all frame pairs between which optical flow is estimated.
    pub flow: f64,
    /// Bytes of memory, on top of the program's own.
    pub bytes: f64,
}

/// Speed of a machine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Speed {
    /// Floating-point operations per second in convolutions and fully connected layers.
    pub operations: f64,
    /// Bytes of feature maps per second in all other layers.
    pub maps: f64,
    /// Pixels of frame pairs per second in optical flow.
    pub flow: f64,
}

impl Speed {
    /// Cautious speed of a CPU core, so that a job does not run into its time limit: a tenth of the usual arithmetic, and
    /// half the speed of the slowest flow method.
    pub const TRUSTED_CORE: Self = Self { operations: 4e9, maps: f64::INFINITY, flow: 1.0 / 1.5e-6 };
    /// Cautious speed of a GPU, for the same reason.
    pub const TRUSTED_GPU: Self = Self { operations: 1e12, maps: f64::INFINITY, flow: 10.0 / 1.5e-6 };

    /// Returns the speed of `n` such devices that work in parallel.
    #[must_use]
    pub fn times(self, n: usize) -> Self {
        let n = n as f64;
        Self { operations: self.operations * n, maps: self.maps * n, flow: self.flow * n }
    }
}

impl Cost {
    /// Returns the number of multiply-adds, each of two operations.
    pub fn multiply_adds(&self) -> f64 {
        self.operations / 2.0
    }

    /// Returns the time that the work takes at a speed, in seconds.
    pub fn seconds(&self, speed: &Speed) -> f64 {
        self.operations / speed.operations + self.maps / speed.maps + self.flow / speed.flow
    }

    /// Returns the cost of this work followed by `next`: sums, and the larger of both memories.
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

/// Assumed number of frames of a video; UCF-101 has 186 on average.
const FRAMES: usize = 200;

/// Time steps that go through a network at once in a test; at least one view.
const TIME_STEPS_AT_ONCE: usize = 64;

/// Number of videos whose views a test prepares ahead of their use.
pub const VIDEOS_AHEAD: usize = 2;

/// Views of a video in a test.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Views {
    /// Clips of a video, one at each position in time; 1 for a network that sees all positions at once. For inputs that
    /// define their own positions, the number in a video of [`FRAMES`] frames.
    pub clips: usize,
    /// True if the number of clips is the same for every video.
    pub known: bool,
    /// Crops of each clip.
    pub crops: usize,
    /// Time steps of a clip, divided by those of a training sample.
    pub length: f64,
    /// Number of views (crops of clips) that go through the network at once.
    pub at_once: usize,
}

impl Views {
    /// Returns the views of a video in the test of a net.
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

    /// Returns the number of views of a video: crops of all its clips.
    pub fn count(&self) -> usize {
        self.clips * self.crops
    }

    /// Converts a number of views to training samples.
    fn samples(&self, views: usize) -> f64 {
        views as f64 * self.length
    }
}

/// Returns the cost of training a net, without the stages before it.
///
/// # Errors
/// If the network cannot be described.
pub fn training(net: &NetPlan) -> Result<Cost> {
    let summary = net.model.summary()?;
    let samples = net.samples();
    // Without gradients, only the forward third of the work remains.
    let passes = if net.train.learns == Learns::All { 3.0 } else { 1.0 };
    let all = passes * (samples * net.train.iterations) as f64;
    Ok(Cost {
        operations: 2.0 * summary.multiply_adds() as f64 * all,
        maps: summary.activation_bytes() as f64 * all,
        flow: 0.0,
        bytes: summary.training_bytes(samples) as f64,
    })
}

/// Returns the cost of training a net and all stages before it.
///
/// # Errors
/// See [`training`].
pub fn chain(net: &NetPlan) -> Result<Cost> {
    net.stages().into_iter().try_fold(Cost::default(), |sum, stage| Ok(sum.then(training(stage)?)))
}

/// Returns the cost of testing a trained net on `videos` videos, including those that it compares with.
///
/// # Errors
/// See [`training`].
pub fn testing(protocol: &Protocol, videos: usize) -> Result<Cost> {
    let summary = protocol.net.model.summary()?;
    let views = Views::of(protocol);
    let all = views.samples(views.count()) * videos as f64;
    // Besides the waiting videos, one is in use and one is being prepared. Nothing is kept for a backward pass, so the
    // sum of all feature maps is an upper bound of what is alive at once.
    let inputs = input_bytes(&summary) * views.samples(views.count()) * (VIDEOS_AHEAD + 2) as f64;
    let maps = summary.activation_bytes() as f64 * views.samples(views.at_once.min(views.count()));
    Ok(Cost {
        operations: 2.0 * summary.multiply_adds() as f64 * all,
        maps: summary.activation_bytes() as f64 * all,
        flow: 0.0,
        bytes: BYTES * summary.parameters() as f64 + inputs + maps,
    })
}

/// Returns the number of videos that a test of `tested` videos reads, with `others` videos to compare them with.
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

/// Trainings of a table's nets, and the cost of these and of their tests.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Nets {
    /// Number of trainings; each trains one stage.
    pub trainings: usize,
    /// Cost of all trainings.
    pub training: Cost,
    /// Cost of all tests.
    pub testing: Cost,
}

/// Returns the cost of a row over all its splits and seeds. Includes the stages before its nets and the folds that a fusion
/// learns from; each training and each test counts once.
///
/// # Errors
/// See [`training`].
pub fn of_row(plan: &TablePlan, row: &RowPlan) -> Result<Nets> {
    nets(plan, std::iter::once(row))
}

/// Returns the cost of all wanted rows of a table; trainings and tests that rows share count once.
///
/// # Errors
/// See [`training`].
pub fn of_table(plan: &TablePlan) -> Result<Nets> {
    nets(plan, plan.wanted())
}

/// Whose training videos a stage learns from.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Over<'a> {
    Split(&'a str),
    /// The same for all splits of a draw.
    Draw(Option<u64>),
}

/// Videos, seed and fold of a training or a test.
type Of<'a> = (Over<'a>, u64, Option<usize>);

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
            let draw = draw_of(split).filter(|_| plan.data_seeds.len() > 1);
            for protocol in row.work.protocols() {
                for net in protocol.net.stages() {
                    // A stage that is trained on other videos is the same for every split.
                    let of_split = |net: &NetPlan| net.data.iter().any(|data| data.videos == Videos::Split);
                    let own = net.stages().into_iter().any(of_split);
                    let of =
                        if own { (Over::Split(split), seed, fold) } else { (Over::Draw(draw), seed, None) };
                    if !trained.contains(&(net, of)) {
                        trained.push((net, of));
                        sum.trainings += 1;
                        sum.training = sum.training.then(training(net)?);
                    }
                }
                let of = (Over::Split(split), seed, fold);
                if !tested.contains(&(protocol, of)) {
                    tested.push((protocol, of));
                    let cost = testing_on(plan, protocol, split, fold.map(|_| folds))?;
                    sum.testing = sum.testing.then(cost);
                }
            }
        }
    }
    Ok(sum)
}

/// Returns the cost of testing a net on a split, or on one of so many folds of its training videos.
///
/// # Errors
/// If the network cannot be described.
pub fn testing_on(plan: &TablePlan, protocol: &Protocol, split: &str, folds: Option<usize>) -> Result<Cost> {
    let (train, test) = videos(plan, protocol, split);
    let (asked, others) = folds.map_or((test, train), |folds| (train / folds.max(1), 0));
    testing(protocol, looked_at(protocol.test.by, asked, others))
}

/// Returns the numbers of training and test videos of a split that a net uses.
fn videos(plan: &TablePlan, protocol: &Protocol, split: &str) -> (usize, usize) {
    let target = protocol.net.target();
    let facts = plan.cast.values().find(|facts| facts.name == target.set);
    let sizes = facts.and_then(|facts| facts.splits.iter().find(|size| size.name == split));
    let most = protocol.net.video.videos_per_class.map_or(usize::MAX, |most| most * target.classes);
    sizes.map_or((0, 0), |size| (size.train.min(most), size.test.min(most)))
}

/// Returns the multiply-adds that all nets of a row need to test one video, or `None` if the number of views depends on the
/// video.
pub fn multiply_adds_of_a_video(work: &Work) -> Option<f64> {
    let of = |protocol: &Protocol| {
        let views = Views::of(protocol);
        let sample = protocol.net.model.summary().ok()?.multiply_adds() as f64;
        views.known.then(|| sample * views.samples(views.count()))
    };
    work.protocols().iter().map(of).sum()
}

/// Returns the cost of decoding `videos` videos and estimating their flow, in both directions if `backward`.
pub fn preparing(video: &VideoPlan, videos: usize, backward: bool) -> Cost {
    let side = video.short_side as f64;
    let pixels = side * side * 4.0 / 3.0;
    let directions = match (&video.flow, &video.extraction) {
        (Some(_), None) if backward => 2.0,
        (Some(_), None) => 1.0,
        _ => 0.0,
    };
    // Decoding and storing take about a tenth of the time of flow.
    let flow = (directions + 0.1) * pixels * (FRAMES * videos) as f64;
    Cost { flow, bytes: 100.0 * pixels, ..Cost::default() }
}
