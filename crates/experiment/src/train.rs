//! The training loop.
//!
//! No random generator keeps a state: batch i, and the dropout masks of iteration i,
//! follow from the seed and i. A run that is killed and started again
//! therefore resumes from its last checkpoint and gives exactly the same numbers.
//!
//! Several ranks can train one net together ([`Training::ranks`]). Each makes its share of every batch and computes its
//! gradients. Their sum equals that of a single process, up to the order of summation.

mod feed;
mod losses;
mod pairs;
mod together;

use std::ops::Range;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use candle_core::{Device, Tensor};
use data::loader::{LabelledVideo, TrainConfig, TrainLoader};
use data::sample::Pairs;
use models::Network;
use nn::tensors::{self, Tensors};
use nn::{HostMemory, Params, Pass, Ranks, Sgd, Share};

use self::feed::{Fed, Feed};
use self::losses::sum_of_losses;
use self::pairs::PairLosses;
use self::together::{Together, Told};
use crate::checkpoint::Checkpoint;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::memory;
use crate::pool::in_pool;
use crate::record::{GpuOutcome, TrainOutcome, thin};
use crate::store::{Unit, write_atomic};
use crate::weights::{self, Head};
use plan::spec::Learns;
use plan::{NetPlan, SourceRef, Start, cost};

/// The weights of a finished training unit.
pub const WEIGHTS: &str = "weights.safetensors";
pub(crate) const CHECKPOINT: &str = "checkpoint.safetensors";

/// Time between checkpoints, unless a flag says otherwise.
pub const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

/// Batches made ahead of the one in use.
const PREFETCH: usize = 3;

/// Number of batches that determine the scale of the contrastive loss.
const SCALE_BATCHES: u64 = 16;

/// Maximum number of points of a recorded loss curve.
const CURVE: usize = 100;

/// Builds a network on a device, with fresh weights drawn from `seed`. Also sets the device to the precision of the plan.
///
/// # Errors
/// [`Error::Network`] for a network that cannot be built, or a precision that the device does not support.
pub fn build(net: &NetPlan, seed: u64, device: &Device) -> Result<(Params, Box<dyn Network>)> {
    net.precision.set(device).map_err(Error::network("setting the precision of products"))?;
    let params = Params::new(device);
    let network = net.model.build(&params.builder(seed)).map_err(Error::network("building the network"))?;
    Ok((params, Box::new(network)))
}

/// One net to train.
pub struct Training<'a> {
    /// A name for the progress bar.
    pub name: &'a str,
    /// The plan of the net.
    pub net: &'a NetPlan,
    /// Seed of initial weights, batches and dropout masks.
    pub seed: u64,
    /// The training videos of each task.
    pub tasks: &'a [Vec<LabelledVideo>],
    /// The files of the weights to start from, in the order of the plan.
    pub start: &'a [PathBuf],
    /// The unit for checkpoints and weights.
    pub unit: &'a Unit,
    /// The device of the training.
    pub device: &'a Device,
    /// Time between checkpoints, but longer if writing them would take more than a
    /// twentieth of the time. Zero writes one after every iteration.
    pub checkpoint_every: Duration,
    /// The processes that train it together; all call [`train`] with the same net, seed and videos. The first writes
    /// checkpoints and weights and shows progress.
    pub ranks: &'a Ranks,
}

/// Trains one net and writes its weights into the unit.
///
/// An error of a single rank, such as a video that it cannot read, is printed and ends all ranks. If ranks are processes,
/// [`train`] does not return then.
///
/// # Errors
/// [`Error::Diverged`], [`Error::Interrupted`] after a last checkpoint, and
/// errors of data, tensors and the disk. [`Error::Drifted`] if ranks no longer hold the same weights.
pub fn train(job: &Training<'_>, console: &Console, interrupt: &Interrupt) -> Result<TrainOutcome> {
    together::side_by_side(job.ranks, console, interrupt, |together| {
        let steps = || steps(job, together, console, interrupt);
        // MPI is called on the thread that opened it.
        if job.ranks.is_alone() { in_pool(job.device, steps) } else { steps() }
    })
}

/// Runs the training of one rank.
fn steps(
    job: &Training<'_>,
    together: &Together<'_>,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<TrainOutcome> {
    let Training { name, net, seed, tasks, start, unit, device, checkpoint_every, ranks } = *job;
    let plan = &net.train;
    memory::suffices(name, cost::training(net)?.bytes, device)?;
    let memory = HostMemory::begin();
    let (params, network) = build(net, seed, device)?;
    nn::device::reset_peak_memory(device).map_err(Error::network("querying the device's memory"))?;
    begin(&params, net, start)?;
    if plan.learns == Learns::LastLayer {
        params.configure(|name, training| training.frozen = !net.model.is_classifier(name));
    }
    let mut sgd = Sgd::of(&params, plan.momentum, plan.weight_decay)
        .map_err(Error::network("setting up the optimiser"))?;
    let first: Vec<String> = net.model.first_filters().into_iter().map(|filters| filters.weight).collect();
    params.scale(plan.factors, &first);
    if let Some(norm) = plan.clip_gradient_norm {
        sgd.clip(norm).map_err(Error::network("setting up the optimiser"))?;
    }

    // Uses the initial weights of the training, even if it resumes from a checkpoint.
    let pairs = match (plan.pairs, tasks) {
        (Some(pairs), [videos]) => {
            let batches = || loader(net, videos, seed, 0..SCALE_BATCHES, None);
            let found = PairLosses::new(pairs, (&*network, device), net.model.heads().iter().sum(), batches)?;
            Some(found.of_first(ranks)?)
        }
        _ => None,
    };

    let path = unit.path(CHECKPOINT);
    let mut state = match together.checkpoint(&path, &params)? {
        Some(checkpoint) => {
            checkpoint.restore(&params, &mut sgd, &path)?;
            checkpoint.progress
        }
        None => Default::default(),
    };

    let begun = state.losses.len();
    if begun > 0 && ranks.is_first() {
        console.line(&format!("{name}: resuming from iteration {begun} of {}", plan.iterations));
    }
    together.stands(begun);
    together.agree(&params)?;
    let share = match ranks.is_alone() {
        true => None,
        false => Some(ranks.share(plan.batch, tasks.len()).map_err(together::cannot)?),
    };
    let mut loaders = Vec::with_capacity(tasks.len());
    for (task, videos) in tasks.iter().enumerate() {
        let iterations = begun as u64..plan.iterations as u64;
        loaders.push(loader(net, videos, task_seed(seed, task), iterations, share.as_ref())?);
    }
    let mut feed = Feed::new(loaders, device)?;
    let silent = Console::silent();
    let step =
        if ranks.is_first() { console } else { &silent }.step(name, plan.iterations as u64, begun as u64);
    let mut watch = DivergenceWatch::new(
        &net.model.heads(),
        plan.pairs.and_then(|pairs| pairs.contrastive).map_or(0.0, |loss| loss.weight),
    );
    let samples = net.samples();
    let started = Instant::now();
    let before = state.seconds;
    let mut saved = Instant::now();
    let mut saving = Duration::ZERO;

    for iteration in begun..plan.iterations {
        let rate = plan.schedule.rate(iteration);
        let fed = feed.next()?;
        let pass = Pass::train(pass_seed(seed, iteration));
        let pass = share.iter().fold(pass, |pass, share| pass.of_share(ranks, share.clone()));
        let mut learner = Learner { network: &*network, params: &params, sgd: &mut sgd, ranks };
        let loss = learner.step(pairs.as_ref(), fed, &pass, iteration, rate)?;
        // A GPU is still computing the step.
        feed.send_ahead(iteration + 1 < plan.iterations)?;
        let loss = loss.to_scalar::<f32>().map_err(Error::network("reading the loss"))?;
        let due = checkpoint_every.is_zero() || saved.elapsed() > checkpoint_every.max(saving * 20);
        let Told { loss, due, stop } =
            together.tell(Told { loss, due, stop: interrupt.raised() }, share.as_ref())?;
        state.losses.push(loss);
        state.seconds = before + started.elapsed().as_secs_f64();
        watch.look(iteration, loss)?;

        let done = state.losses.len();
        let speed = ((done - begun) * samples) as f64 / started.elapsed().as_secs_f64();
        step.set(done as u64, &format!("loss {:.3}, rate {rate:.0e}, {speed:.0} samples/s", watch.mean()));
        if done < plan.iterations && (due || stop) {
            let now = Instant::now();
            together.agree(&params)?;
            if ranks.is_first() {
                Checkpoint::write(&path, &params, &sgd, &state)?;
            }
            together.stands(done);
            saving = now.elapsed();
            saved = Instant::now();
            if stop {
                return Err(Error::Interrupted);
            }
        }
    }
    drop(step);
    together.agree(&params)?;

    let weights =
        tensors::to_bytes(&params.tensors()).map_err(Error::network("writing the trained weights"))?;
    if ranks.is_first() {
        write_atomic(&unit.path(WEIGHTS), &weights)?;
    }
    Ok(TrainOutcome {
        iterations: state.losses.len(),
        seconds: round(state.seconds, 10.0),
        samples_per_second: round((plan.iterations * samples) as f64 / state.seconds, 10.0),
        peak_memory_mib: memory.peak_mib(),
        videos: tasks.iter().map(Vec::len).sum(),
        ranks: (!ranks.is_alone()).then(|| ranks.size()),
        contrastive: pairs.and_then(|pairs| pairs.scale()),
        gpu: gpu(device, feed.waited().as_secs_f64() / started.elapsed().as_secs_f64())?,
        loss: thin(&state.losses, CURVE),
    })
}

/// Makes the record of a training on a GPU.
fn gpu(device: &Device, waited: f64) -> Result<Option<GpuOutcome>> {
    let facts = nn::device::gpu_facts(device).map_err(Error::network("querying the device's memory"))?;
    Ok(facts.map(|facts| GpuOutcome {
        name: facts.name,
        peak_memory_mib: facts.peak >> 20,
        waiting: round(waited, 1000.0),
    }))
}

/// Creates the loader of the training batches of one task, or of a share of each batch.
fn loader(
    net: &NetPlan,
    videos: &[LabelledVideo],
    seed: u64,
    iterations: Range<u64>,
    share: Option<&Share>,
) -> Result<TrainLoader> {
    let config = TrainConfig {
        sample: net.sample.clone(),
        size: (net.crop, net.crop),
        batch: net.train.batch,
        places: share.map(Share::places),
        augmentation: net.train.augmentation.clone(),
        seed,
        depth: PREFETCH,
        // Workers idle once enough batches are ready.
        workers: rayon::current_num_threads(),
    };
    let videos = videos.to_vec();
    Ok(match net.train.pairs {
        None => TrainLoader::new(videos, &config, iterations)?,
        Some(pairs) => {
            let views = videos.iter().map(|video| (video.label, video.view.as_ref()));
            let sampler = Pairs::new(views, pairs.dissimilar).map_err(data::DataError::from)?;
            TrainLoader::with_sampler(videos, Box::new(sampler), &config, iterations)?
        }
    })
}

/// Loads the initial weights of a net from files, one for each stage or published file that it starts from.
fn begin(params: &Params, net: &NetPlan, files: &[PathBuf]) -> Result<()> {
    let model = &*net.model;
    let start = &net.train.start;
    if let (Start::Weights { source }, [path]) = (start, files) {
        return weights::load(path, source.names, model, params, Head::Replace);
    }
    let doing = "starting from the weights of another stage";
    let mut stored = Tensors::new();
    for ((stream, source), path) in start.sources().into_iter().zip(files) {
        stored.extend(match (source, stream) {
            (SourceRef::Net(first), _) => {
                let read = tensors::read(path, &Device::Cpu).map_err(Error::network(doing))?;
                model.adopt(&*first.model, &read, stream).map_err(Error::network(doing))?
            }
            (SourceRef::Weights(source), Some(stream)) => {
                weights::read_stream(path, source.names, model, stream)?
            }
            (SourceRef::Weights(_), None) => continue,
        });
    }
    let own = params.tensors();
    let fresh = |name: &str| match start {
        Start::HeNormal => true,
        Start::Net { net: first, classifiers } => {
            // A consensus of segments may be learned in only one of the two, and a classifier may read the features of more
            // time steps.
            let shapes = own.get(name).zip(stored.get(name)).map(|(own, other)| own.dims() == other.dims());
            let kept = *classifiers && shapes == Some(true);
            !kept && (model.is_classifier(name) || first.model.is_classifier(name))
        }
        Start::Streams { .. } | Start::Weights { .. } => model.joins_streams(name),
    };
    params.transfer(&stored, &fresh).map_err(Error::network(doing))
}

/// The network and optimiser that a step updates.
struct Learner<'a> {
    network: &'a dyn Network,
    params: &'a Params,
    sgd: &'a mut Sgd,
    ranks: &'a Ranks,
}

impl Learner<'_> {
    /// Does one step on a batch of each task. Returns its loss, which a GPU may not have computed yet.
    fn step(
        &mut self,
        pairs: Option<&PairLosses>,
        fed: Fed,
        pass: &Pass,
        iteration: usize,
        rate: f64,
    ) -> Result<Tensor> {
        let step = || -> models::Result<Tensor> {
            let Fed { inputs, labels, similar } = fed;
            let outputs = self.network.forward(&inputs, pass)?;
            let loss = match pairs {
                None => sum_of_losses(&outputs.heads, &labels, pass)?,
                Some(losses) => losses.sum(&outputs, &labels, similar, pass)?,
            };
            let mut gradients = pass.backward(&loss)?;
            // Frees the outputs, to make room for the sums.
            drop(outputs);
            gradients.sum_over(self.ranks, self.params)?;
            self.sgd.descend(&gradients, rate)?;
            Ok(loss)
        };
        step().map_err(|e| Error::Network {
            doing: format!("training step {iteration}"),
            message: e.to_string(),
        })
    }
}

/// Returns the seed of a task's batches; the first task has that of the run.
fn task_seed(seed: u64, task: usize) -> u64 {
    seed ^ ((task as u64) << 48)
}

/// Returns the seed of one iteration's dropout masks.
fn pass_seed(seed: u64, iteration: usize) -> u64 {
    // Distinct for all (seed, iteration) in use; ChaCha mixes the bits.
    (seed << 40) ^ iteration as u64
}

fn round(value: f64, digits: f64) -> f64 {
    (value * digits).round() / digits
}

/// Detects a diverging loss.
#[derive(Debug)]
struct DivergenceWatch {
    recent: std::collections::VecDeque<f32>,
    bound: f32,
}

impl DivergenceWatch {
    /// Number of losses that are averaged.
    const WINDOW: usize = 50;

    /// Creates a watch for softmax layers with these numbers of classes, and a contrastive loss that starts at `contrastive`
    /// times the loss of guessing.
    fn new(classes: &[usize], contrastive: f64) -> Self {
        // A net that guesses has a loss of ln(classes). Four times that, for a
        // whole window, means a net that is wrong with great confidence.
        let says_nothing: f32 = classes.iter().map(|&classes| (classes.max(2) as f32).ln()).sum();
        Self { recent: Default::default(), bound: 4.0 * says_nothing * (1.0 + contrastive as f32) }
    }

    fn mean(&self) -> f32 {
        self.recent.iter().sum::<f32>() / self.recent.len().max(1) as f32
    }

    fn look(&mut self, iteration: usize, loss: f32) -> Result<()> {
        if !loss.is_finite() {
            return Err(Error::Diverged { iteration, what: format!("the loss is {loss}") });
        }
        if self.recent.len() == Self::WINDOW {
            self.recent.pop_front();
        }
        self.recent.push_back(loss);
        if self.recent.len() == Self::WINDOW && self.mean() > self.bound {
            return Err(Error::Diverged {
                iteration,
                what: format!(
                    "the mean loss of the last {} iterations is {:.1}, more than {:.1} (four times that of guessing)",
                    Self::WINDOW,
                    self.mean(),
                    self.bound
                ),
            });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use testkit::{assert_close, values};

    use super::*;
    use plan::Workspace;
    use plan::spec::ProfileName;
    use plan::{Request, TablePlan};

    /// ST-ResNet's training starts from the weights of both streams, including their softmax layers.
    #[test]
    fn two_streams_are_where_the_joined_network_starts() {
        let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
        let (spec, file) = workspace.spec("st-resnet/results").unwrap();
        let request = Request { profile: Some(ProfileName::Smoke), ..Request::default() };
        let plan = TablePlan::resolve(spec, file, &request, &workspace).unwrap();
        let row = plan.rows.iter().find(|row| row.row.id == "st-resnet-ucf101").unwrap();
        let net = &row.work.protocols()[0].net;
        let folder = tempfile::tempdir().unwrap();
        let (mut files, mut trained) = (Vec::new(), Vec::new());
        for (seed, (_, stage)) in net.train.start.nets().into_iter().enumerate() {
            let stored = build(stage, 7 + seed as u64, &Device::Cpu).unwrap().0.tensors();
            files.push(folder.path().join(format!("{seed}.safetensors")));
            write_atomic(&files[seed], &tensors::to_bytes(&stored).unwrap()).unwrap();
            trained.push(stored);
        }
        let (params, _) = build(net, 1, &Device::Cpu).unwrap();
        begin(&params, net, &files).unwrap();
        let own = params.tensors();
        for (stored, prefix) in trained.iter().zip(["appearance", "motion"]) {
            for (name, tensor) in stored {
                let found = &own[&format!("{prefix}.{name}")];
                if tensor.rank() == found.rank() {
                    assert_eq!(values(found), values(tensor), "{prefix}.{name}");
                } else {
                    // Eq. 5.
                    assert_close(name, &found.sum_keepdim(2).unwrap().squeeze(2).unwrap(), tensor, 1e-6);
                }
            }
        }
        assert_eq!(own.len(), trained[0].len() + trained[1].len());
    }

    #[test]
    fn a_loss_that_is_not_a_number_stops_at_once() {
        let error = DivergenceWatch::new(&[10], 0.0).look(17, f32::NAN).unwrap_err();
        assert!(error.to_string().contains("iteration 17"), "{error}");
    }

    #[test]
    fn a_single_high_loss_is_borne_and_a_window_of_them_is_not() {
        let mut watch = DivergenceWatch::new(&[10], 0.0);
        for i in 0..100 {
            watch.look(i, if i == 3 { 100.0 } else { 2.3 }).unwrap();
        }
        let stopped = (100..200).find(|&i| watch.look(i, 30.0).is_err());
        assert!(stopped.is_some_and(|i| i < 160), "{stopped:?}");
    }

    #[test]
    fn dropout_seeds_differ_between_iterations_and_seeds() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..4 {
            for iteration in 0..1000 {
                assert!(seen.insert(pass_seed(seed, iteration)));
            }
        }
    }
}
