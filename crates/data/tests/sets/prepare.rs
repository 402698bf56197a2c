//! Preparation of caches from videos: files built, reused, rebuilt and refused.

use crate::common::{GRID, avi, dataset_file, put};
use data::codec::Codec;
use data::container::Container;
use data::dataset::Dataset;
use data::decode::DecodeProblem;
use data::prepare::{PrepareConfig, PrepareError, Prepared, PreparedVideo, Progress, Silent, prepare};
use data::{DataError, Direction, VideoReader};
use flow::{Method, TvL1Params};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

pub(crate) fn config() -> PrepareConfig {
    PrepareConfig {
        short_side: 32,
        frame_codec: Codec::Raw8,
        flow_codec: Codec::Raw8,
        flow_bound: None,
        flow: Some(Method::TvL1(TvL1Params::fast())),
        backward: false,
        accept_messages: false,
        batched: None,
        verify: true,
        ffmpeg: PathBuf::from("ffmpeg"),
    }
}

pub(crate) fn run(
    set: &Dataset,
    config: &PrepareConfig,
    videos: &[usize],
    cache: &Path,
) -> Result<Prepared, PrepareError> {
    prepare(set, config, videos, cache, &Silent, &AtomicBool::new(false))
}

fn synth() -> Dataset {
    Dataset::open(&dataset_file("synth.toml"), None, None).unwrap()
}

/// Every file below a folder with its content.
pub(crate) fn tree(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut todo = vec![folder.to_path_buf()];
    while let Some(folder) = todo.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                todo.push(path)
            } else {
                drop(files.insert(path.clone(), fs::read(path).unwrap()))
            }
        }
    }
    files.into_iter().map(|(path, bytes)| (path.strip_prefix(folder).unwrap().to_path_buf(), bytes)).collect()
}

#[derive(Default)]
struct Ear {
    total: AtomicUsize,
    done: AtomicUsize,
    notes: Mutex<Vec<String>>,
}

impl Progress for Ear {
    fn begin(&self, total: usize) {
        self.total.store(total, Ordering::Relaxed);
    }
    fn advance(&self, n: usize) {
        self.done.fetch_add(n, Ordering::Relaxed);
    }
    fn note(&self, text: &str) {
        self.notes.lock().unwrap().push(text.to_owned());
    }
}

#[test]
fn generated_videos_need_no_ffmpeg_and_the_second_time_nothing_is_built() {
    let (set, cache) = (synth(), tempfile::tempdir().unwrap());
    let config = PrepareConfig { ffmpeg: PathBuf::from("/nonexistent/ffmpeg"), ..config() };
    let ear = Ear::default();
    let first = prepare(&set, &config, &[2, 0], cache.path(), &ear, &AtomicBool::new(false)).unwrap();
    assert_eq!((first.built, first.reused), (4, 0));
    assert_eq!((ear.total.into_inner(), ear.done.into_inner()), (2, 2));
    let ids: Vec<&str> = first.videos.iter().map(|v| v.id.as_str()).collect();
    assert_eq!(ids, [set.videos[2].id.as_str(), set.videos[0].id.as_str()]);
    let before = tree(cache.path());
    let second = run(&set, &config, &[2, 0], cache.path()).unwrap();
    assert_eq!((second.built, second.reused, second.bytes), (0, 4, first.bytes));
    assert_eq!(tree(cache.path()), before);
    assert!(before.keys().all(|path| !path.to_string_lossy().contains(ids[0])), "names stay out of paths");
}

/// Files in memory take the room of those that a training reads: thousands of videos whose frames nobody reads again would
/// leave none for their flow.
#[test]
fn preparing_leaves_no_file_in_memory_and_reading_does() {
    let (set, cache) = (synth(), tempfile::tempdir().unwrap());
    for _ in ["made", "found"] {
        let prepared =
            run(&set, &PrepareConfig { backward: true, ..config() }, &[0, 1], cache.path()).unwrap();
        let files = || prepared.videos.iter().flat_map(PreparedVideo::cache_files);
        assert_eq!(files().filter(|file| file.is_in_memory()).count(), 0);
        assert_eq!(files().count(), 6);
        prepared.videos[0].field(Direction::Forward, 0).unwrap();
        let held: Vec<bool> = files().map(Container::is_in_memory).collect();
        assert_eq!(held, [false, cfg!(target_os = "linux"), false, false, false, false]);
    }
}

#[test]
fn frames_and_fields_can_be_read_in_any_order() {
    let (set, cache) = (synth(), tempfile::tempdir().unwrap());
    let prepared = run(&set, &config(), &[0], cache.path()).unwrap();
    let video: &PreparedVideo = &prepared.videos[0];
    assert_eq!((video.width, video.height, video.size()), (32, 32, (32, 32)));
    assert_eq!(
        (video.fields(), video.segments()),
        (video.frames - 1, std::slice::from_ref(&(0..video.frames)))
    );
    assert_eq!(video.frame(video.frames - 1).unwrap().rgb.len(), 32 * 32 * 3);
    let field = video.field(Direction::Forward, video.fields() - 1).unwrap();
    assert_eq!((field.u.len(), field.v.len()), (32 * 32, 32 * 32));
    assert!(field.mean.iter().all(|mean| mean.abs() < 5.0));
    assert!(matches!(video.frame(video.frames), Err(DataError::NoSuchEntry { .. })));
    assert!(matches!(video.field(Direction::Forward, video.fields()), Err(DataError::NoSuchEntry { .. })));
    assert!(matches!(video.field(Direction::Backward, 0), Err(DataError::NotPrepared { .. })));
}

#[test]
fn backward_flow_comes_on_demand_and_leaves_the_rest_alone() {
    let (set, cache) = (synth(), tempfile::tempdir().unwrap());
    run(&set, &config(), &[0], cache.path()).unwrap();
    let before = tree(cache.path());
    let both = run(&set, &PrepareConfig { backward: true, ..config() }, &[0], cache.path()).unwrap();
    assert_eq!((both.built, both.reused), (1, 2));
    let after = tree(cache.path());
    assert!(before.iter().all(|(path, bytes)| &after[path] == bytes) && after.len() == before.len() + 1);
    // The actor moves back the way it came: the fields are roughly each other's negative.
    let video = &both.videos[0];
    let (mut same, mut opposite) = (0.0, 0.0);
    for t in 0..video.fields() {
        let forward = video.field(Direction::Forward, t).unwrap();
        let backward = video.field(Direction::Backward, t).unwrap();
        for (f, b) in forward.u.iter().zip(&backward.u) {
            same += (f - b).abs();
            opposite += (f + b).abs();
        }
    }
    assert!(opposite < 0.7 * same, "{opposite} against {same}");
}

#[test]
fn the_number_of_threads_does_not_reach_the_bytes() {
    let set = synth();
    let at = |threads: usize| {
        let cache = tempfile::tempdir().unwrap();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| run(&set, &config(), &[0, 1, 2, 3], cache.path())).unwrap();
        tree(cache.path())
    };
    assert_eq!(at(1), at(3));
}

#[test]
fn a_changed_setting_makes_other_files_and_keeps_the_old() {
    let (set, cache) = (synth(), tempfile::tempdir().unwrap());
    run(&set, &config(), &[0], cache.path()).unwrap();
    let other_flow = PrepareConfig {
        flow: Some(Method::TvL1(TvL1Params { lambda: 0.1, ..TvL1Params::fast() })),
        ..config()
    };
    let again = run(&set, &other_flow, &[0], cache.path()).unwrap();
    assert_eq!((again.built, again.reused), (1, 1), "frames stay, flow is made anew");
    let other_size = PrepareConfig { short_side: 48, ..config() };
    assert_eq!(run(&set, &other_size, &[0], cache.path()).unwrap().built, 2);
    let other_seed = Dataset::open(&dataset_file("synth.toml"), None, Some(9)).unwrap();
    assert_eq!(run(&other_seed, &config(), &[0], cache.path()).unwrap().built, 2);
    assert_eq!(run(&set, &config(), &[0], cache.path()).unwrap().reused, 2);
}

#[test]
fn damaged_files_are_noticed_and_rebuilt_to_the_same_bytes() {
    let (set, cache) = (synth(), tempfile::tempdir().unwrap());
    let prepared = run(&set, &config(), &[0], cache.path()).unwrap();
    let before = tree(cache.path());
    let files: Vec<PathBuf> =
        prepared.videos[0].cache_files().map(|file| file.path().to_path_buf()).collect();
    for path in files {
        for at in [3, 40, 4000] {
            let mut bytes = fs::read(&path).unwrap();
            bytes[at] ^= 4;
            fs::write(&path, bytes).unwrap();
            let ear = Ear::default();
            let again = prepare(&set, &config(), &[0], cache.path(), &ear, &AtomicBool::new(false)).unwrap();
            assert_eq!((again.built, again.reused), (1, 1), "byte {at}");
            assert!(ear.notes.lock().unwrap()[0].contains("rebuilding"));
            assert_eq!(tree(cache.path()), before);
        }
    }
}

#[test]
fn what_a_killed_run_left_is_cleared_and_does_no_harm() {
    let (set, cache) = (synth(), tempfile::tempdir().unwrap());
    let prepared = run(&set, &config(), &[0], cache.path()).unwrap();
    let before = tree(cache.path());
    let path = prepared.videos[0].cache_files().next().unwrap().path().to_path_buf();
    put(&path.with_file_name(".tmp-1-0"), "half a file");
    put(&cache.path().join(".tmp-1-1"), "half an index");
    fs::remove_file(&path).unwrap();
    run(&set, &config(), &[0], cache.path()).unwrap();
    assert_eq!(tree(cache.path()), before);
}

#[test]
fn a_stopped_run_says_so_and_the_next_goes_on() {
    let (set, cache) = (synth(), tempfile::tempdir().unwrap());
    let stopped = prepare(&set, &config(), &[0, 1], cache.path(), &Silent, &AtomicBool::new(true));
    let error = stopped.unwrap_err();
    assert!(matches!(error, PrepareError::Interrupted { done: 0, total: 2 }), "{error}");
    assert_eq!(run(&set, &config(), &[0, 1], cache.path()).unwrap().videos.len(), 2);
}

#[cfg(unix)]
#[test]
fn a_cache_that_cannot_be_written_stops_everything_at_once() {
    let set = synth();
    let folder = tempfile::tempdir().unwrap();
    let cache = folder.path().join("cache");
    put(&cache.join("frames"), "a file where a folder should be");
    let error = run(&set, &config(), &[0, 1, 2], &cache).unwrap_err();
    assert!(matches!(&error, PrepareError::Setup(DataError::File(..))), "{error}");
    assert!(error.to_string().contains(&cache.display().to_string()), "{error}");
}

#[test]
fn settings_that_make_no_sense_are_refused() {
    let (set, cache) = (synth(), tempfile::tempdir().unwrap());
    let bad = run(&set, &PrepareConfig { short_side: 0, ..config() }, &[0], cache.path()).unwrap_err();
    assert!(bad.to_string().contains("16 to 4096"), "{bad}");
    let bad = run(&set, &config(), &[usize::MAX], cache.path()).unwrap_err();
    assert!(matches!(bad, PrepareError::Videos(_)), "{bad}");
}

/// A data set of four clips.
pub(crate) fn grid(files: &[(&str, Vec<u8>)]) -> (tempfile::TempDir, Dataset) {
    let folder = tempfile::tempdir().unwrap();
    let spec = folder.path().join("mine.toml");
    put(&spec, format!("{GRID}\n[cuts]\nthreshold = 1.6\nleast-change = 0.1\n"));
    for (name, bytes) in files {
        put(&folder.path().join("root").join(name), bytes);
    }
    let set = Dataset::open(&spec, Some(&folder.path().join("root")), None).unwrap();
    (folder, set)
}

#[test]
fn bad_clips_are_all_named_and_the_good_ones_are_ready() {
    let good = avi(&[("testsrc2", 28), ("mandelbrot", 24)]);
    let (folder, set) = grid(&[
        ("run/ann_run.avi", good.clone()),
        ("run/bob_run.avi", good[..good.len() / 2].to_vec()),
        ("walk/ann_walk.avi", b"not a video".to_vec()),
        ("walk/bob_walk.avi", good),
    ]);
    let cache = folder.path().join("cache");
    let error = run(&set, &config(), &[0, 1, 2, 3], &cache).unwrap_err();
    let text = error.to_string();
    let PrepareError::Videos(report) = error else { panic!("{text}") };
    let failed: Vec<_> = report.failures.iter().map(|f| (f.index, f.id.as_str())).collect();
    assert_eq!((report.expected, failed), (4, vec![(1, "run/bob_run"), (2, "walk/ann_walk")]));
    let problem = |at: usize| match &report.failures[at].cause {
        DataError::Decode { problem, .. } => problem.clone(),
        other => panic!("{other}"),
    };
    assert!(matches!(problem(0), DecodeProblem::Truncated { .. }));
    assert!(matches!(problem(1), DecodeProblem::NotAVideo { .. }));
    assert!(text.starts_with("expected 4 videos, 2 are ready and 2 failed:"), "{text}");

    // Two names for one content share their files; the cut is kept, and there is no flow across it.
    assert_eq!((report.prepared.videos.len(), report.prepared.built), (2, 2));
    let video = &report.prepared.videos[1];
    assert_eq!((video.id.as_str(), video.label, video.size()), ("walk/bob_walk", 1, (40, 32)));
    assert_eq!(video.segments(), [0..28, 28..52]);
    let across = video.field(Direction::Forward, 27).unwrap();
    assert!(across.u.iter().chain(&across.v).all(|&d| d == 0.0) && across.mean == [0.0; 2]);
    assert!(video.field(Direction::Forward, 26).unwrap().u.iter().any(|&d| d != 0.0));
    for file in video.cache_files() {
        Container::open_verified(file.path()).unwrap();
    }
}

#[test]
fn a_changed_video_is_prepared_anew() {
    let names = ["run/ann_run.avi", "run/bob_run.avi", "walk/ann_walk.avi", "walk/bob_walk.avi"];
    let (folder, set) = grid(&names.map(|name| (name, avi(&[("testsrc2", 36)]))));
    let cache = folder.path().join("cache");
    assert_eq!(run(&set, &config(), &[0, 1], &cache).unwrap().videos[1].frames, 36);
    put(&folder.path().join("root").join(names[1]), avi(&[("testsrc2", 38)]));
    let again = run(&set, &config(), &[0, 1], &cache).unwrap();
    assert_eq!((again.videos[0].frames, again.videos[1].frames, again.built), (36, 38, 2));
}

#[test]
fn without_ffmpeg_real_videos_stop_with_one_clear_error() {
    let (folder, set) = grid(&[
        ("run/ann_run.avi", b"a".to_vec()),
        ("run/bob_run.avi", b"b".to_vec()),
        ("walk/ann_walk.avi", b"c".to_vec()),
        ("walk/bob_walk.avi", b"d".to_vec()),
    ]);
    let config = PrepareConfig { ffmpeg: PathBuf::from("/nonexistent/ffmpeg"), ..config() };
    let error = run(&set, &config, &[0, 1, 2, 3], &folder.path().join("cache")).unwrap_err();
    assert!(matches!(error, PrepareError::Setup(DataError::FfmpegMissing { .. })), "{error}");
}

#[test]
fn copies_of_a_bad_video_repeat_its_cause_and_name_it() {
    let good = avi(&[("testsrc2", 4)]);
    let (folder, set) = grid(&[
        ("run/ann_run.avi", good),
        ("run/bob_run.avi", b"no video".to_vec()),
        ("walk/ann_walk.avi", b"no video".to_vec()),
        ("walk/bob_walk.avi", b"no video".to_vec()),
    ]);
    let Err(PrepareError::Videos(report)) = run(&set, &config(), &[0, 1, 2, 3], &folder.path().join("cache"))
    else {
        panic!("three are bad")
    };
    assert_eq!((report.failures.len(), report.prepared.videos.len()), (3, 1));
    let first = report.failures[0].cause.to_string();
    assert!(first.contains("bob_run.avi: expected"), "{first}");
    for copy in &report.failures[1..] {
        let expected = format!("it has the same bytes as `run/bob_run`, which failed: {first}");
        assert_eq!(copy.cause.to_string(), expected);
    }
    let listed = fs::read_to_string(&report.list).unwrap();
    assert_eq!(listed.matches(&first).count(), 3, "{listed}");
}
