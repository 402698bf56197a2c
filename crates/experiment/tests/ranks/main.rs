//! Compares one net trained by several ranks, which are threads here, with one process.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed")]

mod videos;

use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Duration;

use candle_core::Device;
use data::DataError;
use experiment::checkpoint::Checkpoint;
use experiment::record::TrainOutcome;
use experiment::store::Store;
use experiment::train::{Training, WEIGHTS, train};
use experiment::{Console, Error, Interrupt};
use models::ModelConfig;
use nn::Ranks;
use nn::ranks::thread_ranks;
use plan::NetPlan;
use plan::spec::ProfileName::Smoke;

use videos::{net, videos};

/// The event when a rank reads a video for the n-th time.
enum At {
    /// No event.
    Never,
    /// It is asked to stop.
    Interrupt(usize, Interrupt),
    /// The read fails.
    Fail(usize),
}

impl At {
    fn read(&self, count: usize) -> Result<(), DataError> {
        match self {
            Self::Interrupt(at, interrupt) if count >= *at => interrupt.flag().store(true, Ordering::Relaxed),
            Self::Fail(at) if count >= *at => {
                return Err(DataError::ShortVideo { id: "the one that fails".into(), longest: 0, needed: 1 });
            }
            _ => {}
        }
        Ok(())
    }
}

/// Number of steps whose losses are compared.
const STEPS: usize = 50;

/// Factor of the learning rate where a training would diverge.
const SLOWER: f64 = 0.02;

/// Trains in a folder, with a checkpoint after every iteration.
fn trained(
    net: &NetPlan,
    folder: &Path,
    ranks: &Ranks,
    at: At,
    interrupt: &Interrupt,
) -> Result<TrainOutcome, Error> {
    let unit = Store::new(folder).unit("train", &"a net");
    std::fs::create_dir_all(unit.path(WEIGHTS).parent().unwrap()).unwrap();
    let job = Training {
        name: "a net",
        net,
        seed: 3,
        tasks: &videos(net, 12, Box::new(move |count| at.read(count))),
        start: &[],
        unit: &unit,
        device: &Device::Cpu,
        checkpoint_every: Duration::ZERO,
        ranks,
    };
    train(&job, &Console::silent(), interrupt)
}

/// Trains on as many ranks as `at` has entries, each on a thread.
fn side_by_side(net: &NetPlan, folder: &Path, at: Vec<At>) -> Vec<Result<TrainOutcome, Error>> {
    std::thread::scope(|scope| {
        let ranks = thread_ranks(at.len()).into_iter().zip(at);
        let threads: Vec<_> = ranks
            .map(|(ranks, at)| {
                let interrupt = match &at {
                    At::Interrupt(_, interrupt) => interrupt.clone(),
                    _ => Interrupt::never(),
                };
                scope.spawn(move || trained(net, folder, &ranks, at, &interrupt))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Reads the losses of the last checkpoint.
fn losses(folder: &Path) -> Vec<f32> {
    let unit = Store::new(folder).unit("train", &"a net");
    Checkpoint::read(&unit.path("checkpoint.safetensors")).unwrap().unwrap().progress.losses
}

/// Scales the net so that fifty steps take a second, with a batch that neither two nor three ranks share evenly.
fn small(mut net: NetPlan) -> NetPlan {
    net.train.batch = 5;
    // The last iteration writes no checkpoint.
    net.train.iterations = STEPS + 1;
    net
}

/// Checks that the losses equal those of one process, for different numbers of ranks.
fn same_with_ranks(net: NetPlan) {
    let net = small(net);
    let folder = tempfile::tempdir().unwrap();
    let alone = trained(&net, folder.path(), &Ranks::alone(), At::Never, &Interrupt::never()).unwrap();
    assert_eq!(alone.ranks, None);
    let expected = losses(folder.path());
    assert_eq!(expected.len(), STEPS);
    assert!(
        expected.iter().any(|loss| (loss - expected[0]).abs() > 1e-2),
        "nothing was learnt: {expected:?}"
    );
    for size in [2, 3] {
        let folder = tempfile::tempdir().unwrap();
        let outcomes = side_by_side(&net, folder.path(), (0..size).map(|_| At::Never).collect());
        for outcome in outcomes {
            let outcome = outcome.unwrap();
            assert_eq!((outcome.ranks, outcome.iterations), (Some(size), STEPS + 1));
            assert_eq!(outcome.contrastive, alone.contrastive);
        }
        let found = losses(folder.path());
        assert_eq!(found.len(), STEPS);
        let apart = found.iter().zip(&expected).map(|(x, y)| (x - y).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-4, "{size} ranks: {apart} apart\n{found:?}\n{expected:?}");
    }
}

#[test]
fn a_net_with_dropout() {
    same_with_ranks(net("table1b", Smoke, |_| true));
}

#[test]
fn a_net_of_two_tasks() {
    same_with_ranks(net("table2", Smoke, |net| net.data.iter().any(|data| data.task == 1)));
}

#[test]
fn pairs_of_views() {
    same_with_ranks(net("siamese/cross-view", Smoke, |net| {
        net.train.pairs.is_some_and(|pairs| pairs.softmax && pairs.contrastive.is_some())
    }));
}

#[test]
fn two_streams_of_clips_with_batch_statistics() {
    let mut net = net("st-resnet/results", Smoke, |net| matches!(net.model, ModelConfig::StResNet(_)));
    // From fresh weights its training diverges at the table's rate, which amplifies rounding.
    net.train.schedule.base_lr *= SLOWER;
    net.train.clip_gradient_norm = Some(1.0);
    same_with_ranks(net);
}

#[test]
fn a_pyramid_of_snippets() {
    same_with_ranks(net("pyramid/attention", Smoke, |net| matches!(net.model, ModelConfig::Pyramid(_))));
}

/// An interrupt of any rank stops all, and the same command then resumes to the same numbers.
#[test]
fn an_interrupt_stops_all_ranks_at_one_iteration() {
    let net = small(net("table1b", Smoke, |_| true));
    let whole = tempfile::tempdir().unwrap();
    for outcome in side_by_side(&net, whole.path(), vec![At::Never, At::Never]) {
        outcome.unwrap();
    }
    let folder = tempfile::tempdir().unwrap();
    let at = vec![At::Never, At::Interrupt(60, Interrupt::never())];
    for outcome in side_by_side(&net, folder.path(), at) {
        assert!(matches!(outcome, Err(Error::Interrupted)), "{outcome:?}");
    }
    let behind = losses(folder.path()).len();
    assert!((1..STEPS).contains(&behind), "{behind}");
    for outcome in side_by_side(&net, folder.path(), vec![At::Never, At::Never]) {
        assert_eq!(outcome.unwrap().iterations, STEPS + 1);
    }
    assert_eq!(losses(folder.path()), losses(whole.path()));
    let weights =
        |folder: &Path| std::fs::read(Store::new(folder).unit("train", &"a net").path(WEIGHTS)).unwrap();
    assert_eq!(weights(folder.path()), weights(whole.path()));
}

/// A read error of one rank also ends the others, and the last checkpoint stays.
#[test]
fn a_rank_that_fails_ends_the_others() {
    let net = small(net("table1b", Smoke, |_| true));
    let folder = tempfile::tempdir().unwrap();
    let outcomes = side_by_side(&net, folder.path(), vec![At::Never, At::Fail(60)]);
    let messages: Vec<String> =
        outcomes.into_iter().map(|outcome| outcome.unwrap_err().to_string()).collect();
    assert!(messages[0].contains("rank 1 has ended"), "{messages:?}");
    assert!(messages[1].contains("the one that fails"), "{messages:?}");
    assert!((1..STEPS).contains(&losses(folder.path()).len()));
}

#[test]
fn more_ranks_than_places_are_refused() {
    let mut net = small(net("table1b", Smoke, |_| true));
    net.train.batch = 2;
    let folder = tempfile::tempdir().unwrap();
    for outcome in side_by_side(&net, folder.path(), (0..3).map(|_| At::Never).collect()) {
        let message = outcome.unwrap_err().to_string();
        assert!(message.contains("3 ranks cannot share a batch of 2"), "{message}");
    }
}
