//! `prepare` that is killed at any moment continues to exactly the same files.
//!
//! The test program starts itself again as the process to be killed: [`prepares_what_the_environment_names`].

use crate::common::{GRID, MPEG4, SIZE, avi, put};
use crate::prepare::{config, run, tree};
use data::dataset::Dataset;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};
use testkit::clip::drawn;

/// Environment variables that name the folder with `mine.toml` and `root`, and the cache, for the process to be killed.
const PLACE: &str = "VAR_TEST_KILL_PLACE";
const CACHE: &str = "VAR_TEST_KILL_CACHE";

fn prepare_into(place: &Path, cache: &Path) {
    let set = Dataset::open(&place.join("mine.toml"), Some(&place.join("root")), None).unwrap();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    pool.install(|| run(&set, &config(), &[0, 1, 2, 3], cache)).unwrap();
}

#[test]
#[ignore = "the process that the other tests kill"]
fn prepares_what_the_environment_names() {
    let named =
        |variable| std::env::var_os(variable).expect("the tests that kill this process name its folders");
    prepare_into(Path::new(&named(PLACE)), Path::new(&named(CACHE)));
}

fn start(place: &Path, cache: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--ignored", "--exact", "kill::prepares_what_the_environment_names"])
        .env(PLACE, place)
        .env(CACHE, cache)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap()
}

/// Waits for the given time.
fn wait(time: Duration) {
    let (_sender, never) = channel::<()>();
    let _timeout = never.recv_timeout(time);
}

/// Everything in a cache but the index of hashes, which holds times.
fn files(cache: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = tree(cache);
    files.remove(Path::new("sources.json"));
    files
}

/// Kills `kills` runs at moments spread at random over an undisturbed run, each followed by the next run on the same
/// cache until one finishes; the cache is emptied if that happens before the last kill.
fn killed(kills: usize) {
    let folder = tempfile::tempdir().unwrap();
    put(&folder.path().join("mine.toml"), GRID);
    for (name, clip) in [
        ("run/ann_run.avi", avi(&[("testsrc2", 80)])),
        ("run/bob_run.avi", avi(&[("mandelbrot", 100)])),
        ("walk/ann_walk.avi", avi(&[("testsrc2", 50), ("mandelbrot", 50)])),
        ("walk/bob_walk.avi", drawn("mp4", &[("testsrc", 30)], SIZE, &MPEG4)),
    ] {
        put(&folder.path().join("root").join(name), clip);
    }
    let calm = folder.path().join("calm");
    let begin = Instant::now();
    assert!(start(folder.path(), &calm).wait().unwrap().success());
    let whole = begin.elapsed();
    let expected = files(&calm);
    assert_eq!(expected.len(), 8, "frames and flow of four clips");

    let (mut state, mut killed, mut round) = (7u64, 0, 0);
    while killed < kills {
        round += 1;
        let cache = folder.path().join(format!("cache-{round}"));
        loop {
            let mut child = start(folder.path(), &cache);
            if killed < kills {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                wait(whole.mul_f64((state >> 40) as f64 / (1u64 << 24) as f64));
                child.kill().unwrap();
            }
            let status = child.wait().unwrap();
            if status.success() {
                break;
            }
            assert_eq!(status.code(), None, "it ended by a signal, not by itself");
            killed += 1;
        }
        let found = files(&cache);
        assert_eq!(found.keys().collect::<Vec<_>>(), expected.keys().collect::<Vec<_>>());
        assert!(found == expected, "round {round}: the content of a file differs");
    }
}

#[cfg(unix)]
#[test]
fn twenty_kills_do_not_show_in_the_cache() {
    killed(20);
}
