//! The views of a test video.

use data::augment::Crop;
use data::inputs::{FlowStack, Sampling};
use data::loader::{Crops, TestConfig, TestViews};

use crate::support::{Planted, noise, one, only, painted, plain};

fn stack() -> FlowStack {
    plain(Sampling::Stack, 2)
}

fn config() -> TestConfig {
    TestConfig { sample: one(stack()), size: (5, 4), frames: 3, crops: Crops::Ten }
}

fn video() -> Planted {
    Planted::new((8, 7), 9, |d, t, x, y| noise(4, d, t, x, y))
}

#[test]
fn views_go_start_by_start_and_crop_by_crop_however_they_are_batched() {
    let video = video();
    // Seven valid starts: 0, 3 and 6.
    let mut expected = Vec::new();
    for start in [0, 3, 6] {
        for crop in Crop::ten((8, 7), (5, 4)).unwrap() {
            expected.extend(painted(&stack(), &video, start, crop, (5, 4)));
        }
    }
    for limit in [1, 4, 10, 12, 30, 100] {
        let views = TestViews::new("v", &video, &config(), limit).unwrap();
        assert_eq!(views.views(), 30);
        let mut all: Vec<f32> = Vec::new();
        for batch in views {
            let inputs = batch.unwrap().inputs;
            let batch = only(&inputs);
            assert!(batch.shape[0] <= limit);
            assert_eq!(batch.shape[1..], [1, 4, 4, 5]);
            assert_eq!(batch.data.len(), batch.shape.iter().product::<usize>());
            all.extend(&batch.data);
        }
        assert!(all == expected);
    }
}

#[test]
fn ten_crops_read_each_field_once() {
    let video = video();
    let views = TestViews::new("v", &video, &config(), 10).unwrap();
    assert_eq!(views.count(), 3);
    assert_eq!(video.read.lock().unwrap().len(), 3 * 2);
}

#[test]
fn the_centre_alone_gives_one_view_a_start() {
    let video = video();
    let config = TestConfig { crops: Crops::Center, frames: 25, ..config() };
    assert_eq!(TestViews::new("v", &video, &config, 8).unwrap().views(), 7);
}

#[test]
fn an_impossible_test_is_refused_at_once() {
    let video = video();
    let refused = |config, limit| TestViews::new("v", &video, &config, limit).is_err();
    assert!(refused(TestConfig { frames: 0, ..config() }, 1));
    assert!(refused(config(), 0));
    assert!(refused(TestConfig { size: (9, 4), ..config() }, 1));
    assert!(refused(TestConfig { sample: one(plain(Sampling::Stack, 9)), ..config() }, 1));
}

#[test]
fn a_failing_video_ends_its_views() {
    let mut video = video();
    video.forward[3].u.clear();
    let mut views = TestViews::new("v", &video, &config(), 10).unwrap();
    assert!(views.next().unwrap().is_ok());
    assert!(views.next().unwrap().is_err());
    assert!(views.next().is_none());
}
