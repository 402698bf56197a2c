//! Flow by an estimator of many pairs: the same fields as the CPU's, in files of their own.

use crate::common::dataset_file;
use crate::prepare::{config, run};
use data::cuts::CutConfig;
use data::dataset::Dataset;
use data::prepare::{PrepareConfig, PrepareError, PreparedVideo};
use data::{DataError, Direction, VideoReader};
use flow::{
    Batched, BroxParams, Estimator, FlowError, FlowField, GrayImage, Method, TvL1Params, check_pairs,
};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Number of frames that the estimator below is given at a time: fewer than a video has.
const AT_ONCE: usize = 7;

/// The CPU's estimator in place of an estimator of many pairs; it counts its calls.
#[derive(Debug, Default)]
struct OneByOne {
    calls: AtomicUsize,
}

impl Batched for OneByOne {
    fn name(&self) -> &str {
        "one-by-one"
    }

    fn frames_at_once(&self, _width: usize, _height: usize) -> usize {
        AT_ONCE
    }

    fn compute(
        &self,
        params: &TvL1Params,
        frames: &[GrayImage],
        pairs: &[(usize, usize)],
    ) -> Result<Vec<FlowField>, FlowError> {
        self.calls.fetch_add(1, Ordering::Relaxed);
        assert!(frames.len() <= AT_ONCE);
        check_pairs(params, frames, pairs)?;
        let estimator = Estimator::new(Method::TvL1(params.clone()))?;
        pairs.iter().map(|&(from, to)| estimator.compute(&frames[from], &frames[to])).collect()
    }
}

/// A device that no longer exists.
#[derive(Debug)]
struct Broken;

impl Batched for Broken {
    fn name(&self) -> &str {
        "broken"
    }

    fn compute(
        &self,
        _params: &TvL1Params,
        _frames: &[GrayImage],
        pairs: &[(usize, usize)],
    ) -> Result<Vec<FlowField>, FlowError> {
        let reason = "it fell off the bus".to_owned();
        Err(FlowError::Device { estimator: self.name().to_owned(), pairs: pairs.len(), reason })
    }
}

/// A generated set with settings for the cut search that find some cuts.
fn with_cuts() -> Dataset {
    let mut set = Dataset::open(&dataset_file("synth.toml"), None, None).unwrap();
    set.cuts = Some(CutConfig { threshold: 1.001, least_change: 0.0 });
    set
}

fn paths(video: &PreparedVideo) -> BTreeSet<PathBuf> {
    video.cache_files().map(|file| file.path().to_path_buf()).collect()
}

fn prepared(set: &Dataset, config: &PrepareConfig, cache: &Path) -> PreparedVideo {
    run(set, config, &[0], cache).unwrap().videos.remove(0)
}

#[test]
fn many_pairs_at_once_give_the_same_fields_in_files_of_their_own() {
    let (set, cache) = (with_cuts(), tempfile::tempdir().unwrap());
    let alone = PrepareConfig { backward: true, ..config() };
    let one_by_one = Arc::new(OneByOne::default());
    let together = PrepareConfig { batched: Some(one_by_one.clone()), ..alone.clone() };
    let expected = prepared(&set, &alone, cache.path());
    let found = prepared(&set, &together, cache.path());
    assert!(expected.segments().len() > 1, "no cut was found");
    assert_eq!(found.segments(), expected.segments());
    for direction in [Direction::Forward, Direction::Backward] {
        for t in 0..expected.fields() {
            let (found, expected) =
                (found.field(direction, t).unwrap(), expected.field(direction, t).unwrap());
            assert_eq!((found.u, found.v, found.mean), (expected.u, expected.v, expected.mean), "{t}");
        }
    }
    assert!(one_by_one.calls.load(Ordering::Relaxed) > 2, "all pairs of a video came in one call");
    let (alone_paths, together_paths) = (paths(&expected), paths(&found));
    assert_eq!(alone_paths.intersection(&together_paths).count(), 1, "frames alone are shared");
    // Existing files are reused, by either estimator.
    let calls = one_by_one.calls.load(Ordering::Relaxed);
    for (config, paths_then) in [(&alone, &alone_paths), (&together, &together_paths)] {
        let again = run(&set, config, &[0], cache.path()).unwrap();
        assert_eq!((again.built, again.reused, &paths(&again.videos[0])), (0, 3, paths_then));
    }
    assert_eq!(one_by_one.calls.load(Ordering::Relaxed), calls);
}

#[test]
fn other_methods_and_their_files_stay_as_they_are() {
    let (set, cache) = (with_cuts(), tempfile::tempdir().unwrap());
    let brox = Some(Method::Brox(BroxParams::fast()));
    let batched: Option<Arc<dyn Batched>> = Some(Arc::new(Broken));
    let alone = prepared(&set, &PrepareConfig { flow: brox.clone(), ..config() }, cache.path());
    let config = PrepareConfig { flow: brox, batched, ..config() };
    assert_eq!(paths(&prepared(&set, &config, cache.path())), paths(&alone));
}

#[test]
fn a_device_that_fails_stops_the_rest() {
    let (set, cache) = (with_cuts(), tempfile::tempdir().unwrap());
    let config = PrepareConfig { batched: Some(Arc::new(Broken)), ..config() };
    let error = run(&set, &config, &[0, 1], cache.path()).unwrap_err();
    let PrepareError::Setup(DataError::Flow(FlowError::Device { .. })) = &error else {
        panic!("{error}");
    };
    assert!(error.to_string().contains("could not be estimated by broken: it fell off the bus"), "{error}");
}
