//! Order, errors and end of the loader.

use std::ops::Range;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base::Modality;
use data::augment::Augmentation;
use data::inputs::{InputError, Sampling};
use data::loader::{Batch, LabelledVideo, TrainConfig, TrainLoader};
use data::source::Frame;
use data::{DataError, Direction, Field, VideoReader};

use crate::support::{Planted, noise, one, only, plain};

fn config() -> TrainConfig {
    TrainConfig {
        sample: one(plain(Sampling::Trajectory, 3)),
        size: (6, 5),
        batch: 4,
        places: None,
        augmentation: Augmentation::random_crops(true),
        seed: 5,
        depth: 3,
        workers: 1,
    }
}

fn videos() -> Vec<LabelledVideo> {
    let video = |i: usize| LabelledVideo {
        id: format!("v{i}"),
        view: None,
        label: (i % 3) as u32,
        source: Arc::new(Planted::new((8 + i, 7), 6 + i, |d, t, x, y| noise(i as u64, d, t, x, y))),
    };
    (0..7).map(video).collect()
}

fn batches(config: &TrainConfig, iterations: Range<u64>) -> Vec<Batch> {
    let loader = TrainLoader::new(videos(), config, iterations).expect("valid");
    loader.map(|batch| batch.expect("valid")).collect()
}

#[test]
fn batches_are_the_same_for_any_number_of_threads() {
    let one = batches(&config(), 0..12);
    assert_eq!(one.len(), 12);
    for (workers, depth) in [(1, 1), (2, 1), (2, 3), (4, 2), (4, 9), (16, 9)] {
        assert!(batches(&TrainConfig { workers, depth, ..config() }, 0..12) == one);
    }
    assert!(batches(&TrainConfig { seed: 6, ..config() }, 0..12) != one);
}

/// Ranks that share a batch each make a part of it.
#[test]
fn shares_are_slices_of_the_whole_batch() {
    let whole = batches(&config(), 3..6);
    for cuts in [&[0, 2, 4][..], &[0, 1, 4], &[0, 1, 2, 4]] {
        for places in cuts.windows(2).map(|cut| cut[0]..cut[1]) {
            let share = batches(&TrainConfig { places: Some(places.clone()), ..config() }, 3..6);
            assert_eq!(share.len(), 3);
            for (share, whole) in share.iter().zip(&whole) {
                assert_eq!(share.labels, whole.labels[places.clone()]);
                assert_eq!(
                    (&share.time_steps, &share.videos),
                    (&whole.time_steps[places.clone()].to_vec(), &whole.videos[places.clone()].to_vec())
                );
                let (part, whole_input) = (only(&share.inputs), only(&whole.inputs));
                let sample: usize = part.shape[1..].iter().product();
                assert_eq!(part.shape[0], places.len());
                assert!(part.data == whole_input.data[places.start * sample..places.end * sample]);
            }
        }
    }
    let refused = |places| {
        TrainLoader::new(videos(), &TrainConfig { places: Some(places), ..config() }, 0..1)
            .err()
            .expect("refused")
            .to_string()
    };
    assert!(refused(2..5).contains("places 2..5 are outside a batch of 4"));
    assert!(refused(2..2).contains("number of places"));
}

#[test]
fn a_resumed_loader_goes_on_with_the_same_batches() {
    let all = batches(&config(), 0..12);
    let rest = batches(&TrainConfig { workers: 2, ..config() }, 7..12);
    assert!(rest == all[7..]);
    assert_eq!(rest[0].iteration, 7);
}

#[test]
fn a_batch_says_what_it_holds() {
    let videos = videos();
    for (iteration, batch) in batches(&config(), 0..5).into_iter().enumerate() {
        assert_eq!(batch.iteration, iteration as u64);
        let input = only(&batch.inputs);
        assert_eq!(input.shape, [4, 1, 6, 5, 6]);
        assert_eq!(input.data.len(), 4 * 6 * 5 * 6);
        let labels: Vec<u32> = batch.videos.iter().map(|&video| videos[video].label).collect();
        assert_eq!(batch.labels, labels);
    }
    assert!(batches(&config(), 4..4).is_empty());
}

/// A video that fails, panics or is slow, and reports every field that is read.
struct Odd {
    video: Planted,
    behaviour: Behaviour,
    read: Sender<()>,
    company: Company,
}

enum Behaviour {
    Fail,
    Panic,
    Slow,
    Quick,
    InCompany,
}

/// A gate that lets no thread through before a second one has arrived.
#[derive(Default)]
struct Company {
    /// Number of threads inside, and whether two have met.
    state: Mutex<(usize, bool)>,
    changed: Condvar,
}

impl Company {
    /// Returns `true` if a second thread arrives before long.
    fn meets(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.0 += 1;
        state.1 |= state.0 >= 2;
        self.changed.notify_all();
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, Duration::from_secs(20), |(_, met)| !*met)
            .unwrap_or_else(PoisonError::into_inner);
        state.0 -= 1;
        state.1
    }
}

impl VideoReader for Odd {
    fn size(&self) -> (usize, usize) {
        self.video.size()
    }

    fn frames(&self) -> usize {
        self.video.frames()
    }

    fn frame(&self, t: usize) -> Result<Frame, DataError> {
        self.video.frame(t)
    }

    fn segments(&self) -> &[Range<usize>] {
        self.video.segments()
    }

    fn field(&self, direction: Direction, t: usize) -> Result<Field, DataError> {
        // Most tests do not listen.
        let _ = self.read.send(());
        match self.behaviour {
            Behaviour::Fail => return Err(DataError::NotPrepared { id: "odd".into() }),
            Behaviour::Panic => panic!("the source broke"),
            Behaviour::Slow => slow_disk(),
            Behaviour::InCompany if !self.company.meets() => {
                return Err(DataError::NotPrepared { id: "alone".into() });
            }
            Behaviour::InCompany | Behaviour::Quick => {}
        }
        self.video.field(direction, t)
    }
}

#[expect(clippy::disallowed_methods, reason = "stands for a slow disk; nothing is waited for")]
fn slow_disk() {
    std::thread::sleep(Duration::from_millis(20));
}

fn odd(behaviour: Behaviour) -> (LabelledVideo, Receiver<()>) {
    let (read, reads) = channel();
    let video = Planted::new((9, 9), 8, |d, t, x, y| noise(1, d, t, x, y));
    let source = Arc::new(Odd { video, behaviour, read, company: Company::default() });
    (LabelledVideo { view: None, id: "odd".into(), label: 9, source }, reads)
}

#[test]
fn an_error_comes_in_its_turn_and_ends_the_loader() {
    let mut list = videos();
    list.push(odd(Behaviour::Fail).0);
    let mut turns = Vec::new();
    for workers in [1, 4] {
        let config = TrainConfig { batch: 1, workers, ..config() };
        let mut loader = TrainLoader::new(list.clone(), &config, 0..1000).unwrap();
        let good = loader.by_ref().take_while(|batch| {
            batch.as_ref().map_err(|error| assert!(matches!(error, DataError::NotPrepared { .. }))).is_ok()
        });
        turns.push(good.count());
        assert!(loader.next().is_none());
    }
    assert!(turns[0] < 1000);
    assert_eq!(turns[0], turns[1]);
}

#[test]
fn a_panic_in_a_thread_is_an_error() {
    let config = TrainConfig { workers: 2, ..config() };
    let mut loader = TrainLoader::new(vec![odd(Behaviour::Panic).0], &config, 0..9).unwrap();
    let error = loader.next().unwrap().unwrap_err();
    assert!(matches!(error, DataError::Input(InputError::Panicked { iteration: 0, .. })));
    assert!(error.to_string().contains("the source broke"));
    assert!(loader.next().is_none());
}

#[test]
fn dropping_the_loader_stops_its_threads_within_a_sample() {
    // A batch would take 64 x 3 x 20 ms, almost four seconds; a sample takes 60 ms.
    let (video, reads) = odd(Behaviour::Slow);
    let config = TrainConfig { batch: 64, workers: 2, ..config() };
    let loader = TrainLoader::new(vec![video], &config, 0..9).unwrap();
    reads.recv().unwrap();
    let begun = Instant::now();
    drop(loader);
    assert!(begun.elapsed() < Duration::from_secs(1));
    // The threads are gone, and the video with them.
    while let Ok(()) = reads.try_recv() {}
    assert!(reads.recv().is_err());
}

#[test]
fn no_more_than_depth_batches_are_made_ahead() {
    let (video, reads) = odd(Behaviour::Quick);
    let config = TrainConfig { workers: 4, depth: 2, ..config() };
    let per_batch = config.batch * 3;
    let mut loader = TrainLoader::new(vec![video], &config, 0..50).unwrap();
    for ahead in [2, 1, 1, 1, 1] {
        for _ in 0..ahead * per_batch {
            reads.recv_timeout(Duration::from_secs(5)).unwrap();
        }
        let more = reads.recv_timeout(Duration::from_millis(20));
        assert_eq!(more, Err(RecvTimeoutError::Timeout));
        loader.next().unwrap().unwrap();
    }
}

#[test]
fn bad_configurations_and_videos_are_refused_before_any_thread_starts() {
    let refused = |videos: Vec<LabelledVideo>, config: TrainConfig| {
        TrainLoader::new(videos, &config, 0..1).err().unwrap()
    };
    for config in [
        TrainConfig { batch: 0, ..config() },
        TrainConfig { depth: 0, ..config() },
        TrainConfig { workers: 0, ..config() },
    ] {
        assert!(matches!(refused(videos(), config), DataError::Input(InputError::Zero { .. })));
    }
    assert!(matches!(refused(vec![], config()), DataError::Input(InputError::NoVideos)));
    let large = TrainConfig { size: (9, 5), ..config() };
    let error = refused(videos(), large);
    let DataError::Of { what, cause } = &error else { panic!("{error}") };
    assert_eq!(what, "video `v0`");
    assert!(matches!(**cause, DataError::Input(InputError::Crop { .. })), "{error}");
    let long = TrainConfig { sample: one(plain(Sampling::Stack, 6)), ..config() };
    let error = refused(videos(), long);
    assert!(matches!(&error, DataError::ShortVideo { id, longest: 6, needed: 7 } if id == "v0"), "{error}");
    let odd_length = TrainConfig { sample: one(plain(Sampling::BiDirectional, 3)), ..config() };
    assert!(matches!(
        refused(videos(), odd_length),
        DataError::Input(InputError::OddBiDirectional { length: 3 })
    ));
}

#[test]
fn threads_share_one_batch() {
    // A single batch, whose samples can be read only if two threads read at once.
    let (video, _reads) = odd(Behaviour::InCompany);
    let config = TrainConfig { batch: 8, workers: 8, depth: 1, ..config() };
    TrainLoader::new(vec![video], &config, 0..1).unwrap().next().unwrap().unwrap();
}

#[test]
fn memory_that_was_given_back_is_used_again_and_leaves_no_trace() {
    let expected = batches(&config(), 0..8);
    let mut loader = TrainLoader::new(videos(), &TrainConfig { depth: 1, ..config() }, 0..8).unwrap();
    let mut places = Vec::new();
    for expected in &expected {
        let mut batch = loader.next().unwrap().unwrap();
        assert!(batch == *expected);
        let data = &mut batch.inputs.get_mut(&Modality::FLOW).unwrap().data;
        places.push(data.as_ptr());
        data.fill(f32::NAN);
        loader.recycle(batch);
    }
    // One batch is being made while another is in use, so two take turns.
    places.sort_unstable();
    places.dedup();
    assert!(places.len() <= 3, "{} buffers", places.len());
}

#[test]
fn memory_of_another_size_is_not_taken_back() {
    let mut loader = TrainLoader::new(videos(), &config(), 0..6).unwrap();
    let mut batch = loader.next().unwrap().unwrap();
    batch.inputs.get_mut(&Modality::FLOW).unwrap().data.pop();
    loader.recycle(batch);
    let rest: Vec<Batch> = loader.map(Result::unwrap).collect();
    assert!(rest == batches(&config(), 1..6));
}
