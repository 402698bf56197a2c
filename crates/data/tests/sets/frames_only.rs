//! Videos prepared without flow, and pictures, which have none.

use crate::common::dataset_file;
use crate::prepare::{config, run, tree};
use data::dataset::Dataset;
use data::prepare::{PrepareConfig, PrepareError, PreparedVideo};
use data::source::{FrameWindow, Window};
use data::{DataError, Direction, VideoReader};

fn frames_only() -> PrepareConfig {
    PrepareConfig { flow: None, ..config() }
}

fn stills() -> Dataset {
    Dataset::open(&dataset_file("synth-stills.toml"), None, Some(3)).unwrap()
}

#[test]
fn frames_alone_share_their_file_with_frames_that_have_flow() {
    let set = Dataset::open(&dataset_file("synth.toml"), None, None).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let alone = run(&set, &frames_only(), &[0], cache.path()).unwrap();
    assert_eq!((alone.built, alone.reused, alone.vectors), (1, 0, 0));
    assert!(alone.to_string().contains("are ready, "), "{alone}");
    let video = &alone.videos[0];
    assert_eq!((video.frames(), video.has_flow(), video.cache_files().count()), (48, false, 1));
    for direction in [Direction::Forward, Direction::Backward] {
        let error = video.field(direction, 0).unwrap_err();
        assert!(matches!(error, DataError::NotPrepared { .. }), "{error}");
    }

    // It is never taken for a video with flow, and gets flow without a change to the frames.
    let both = run(&set, &config(), &[0], cache.path()).unwrap();
    assert_eq!((both.built, both.reused), (1, 1));
    assert!(both.to_string().contains("with their flow"), "{both}");
    both.videos[0].field(Direction::Forward, 0).unwrap();
    let before = tree(cache.path());
    let again = run(&set, &frames_only(), &[0], cache.path()).unwrap();
    assert_eq!((again.built, again.reused, again.videos[0].has_flow()), (0, 1, false));
    assert_eq!(tree(cache.path()), before);
}

#[test]
fn backward_flow_without_a_method_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let config = PrepareConfig { backward: true, ..frames_only() };
    let error = run(&stills(), &config, &[0], cache.path()).unwrap_err();
    assert!(matches!(&error, PrepareError::Setup(DataError::Invalid { .. })), "{error}");
    assert!(error.to_string().contains("a method"), "{error}");
}

#[test]
fn pictures_are_rendered_into_memory_and_have_no_field() {
    let (set, cache) = (stills(), tempfile::tempdir().unwrap());
    // With or without a method: there is no pair of frames.
    for flow in [None, config().flow] {
        let config = PrepareConfig { short_side: 64, flow, ..config() };
        let wanted = [5, 10_799, 450 * 9 + 1];
        let prepared = run(&set, &config, &wanted, cache.path()).unwrap();
        assert_eq!((prepared.built, prepared.reused, prepared.bytes, prepared.pairs), (0, 0, 0, 0));
        for (&index, video) in wanted.iter().zip(&prepared.videos) {
            assert_eq!((&video.id, video.label), (&set.videos[index].id, index / 450));
            assert_eq!((video.frames(), video.fields(), video.size()), (1, 0, (64, 64)));
            assert_eq!((video.segments().len(), video.cache_files().count()), (1, 0));
            assert_eq!(video.segments()[0], 0..1);
            let drawn = set.generator().unwrap().set().render(index);
            assert_eq!(video.frame(0).unwrap().rgb, drawn.frames[0]);
            let mut part = FrameWindow::default();
            video.frame_window(0, Window { x: 3, y: 60, width: 2, height: 1 }, &mut part).unwrap();
            assert_eq!(part.frame.rgb, drawn.frames[0][(60 * 64 + 3) * 3..][..6]);
            assert!(video.frame_window(0, Window { x: 63, y: 0, width: 2, height: 1 }, &mut part).is_err());
            for error in [video.frame(1).unwrap_err(), video.field(Direction::Forward, 0).unwrap_err()] {
                assert!(matches!(error, DataError::NoSuchEntry { .. }), "{error}");
            }
        }
    }
    assert!(tree(cache.path()).keys().all(|file| !file.to_string_lossy().ends_with(".var")));
}

#[test]
fn pictures_take_the_wanted_size_and_do_not_depend_on_threads() {
    let (set, cache) = (stills(), tempfile::tempdir().unwrap());
    let wanted: Vec<usize> = (0..set.videos.len()).step_by(101).collect();
    let pictures = |threads: usize| -> Vec<Vec<u8>> {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        let videos = pool.install(|| run(&set, &frames_only(), &wanted, cache.path())).unwrap().videos;
        assert!(videos.iter().all(|video| video.size() == (32, 32)));
        videos.iter().map(|video: &PreparedVideo| video.frame(0).unwrap().rgb).collect()
    };
    assert_eq!(pictures(1), pictures(3));
}
