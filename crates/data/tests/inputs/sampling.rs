//! Draws of starts and of videos.

use data::DataError;
use data::sample::{ClassBalanced, Starts, draw_rng};
use proptest::prelude::*;

/// The starts of an input of 11 frames in a video without cuts.
fn uncut(frames: usize) -> Starts {
    Starts::new("v", std::slice::from_ref(&(0..frames)), 11).expect("long enough")
}

#[test]
fn a_start_leaves_room_for_the_whole_input_within_its_segment() {
    let starts = Starts::new("v", &[0..5, 5..7, 7..13], 4).unwrap();
    assert_eq!(starts.iter().collect::<Vec<_>>(), [0, 1, 7, 8, 9]);
    assert_eq!(starts.count(), 5);
}

#[test]
fn a_short_video_is_an_error_that_names_it() {
    let error = Starts::new("v_Walk_g01_c02", &[0..6, 6..16], 11).unwrap_err();
    assert!(matches!(error, DataError::ShortVideo { longest: 10, needed: 11, .. }));
    assert!(error.to_string().contains("v_Walk_g01_c02"));
    assert!(matches!(
        Starts::new("empty", &[], 2).unwrap_err(),
        DataError::ShortVideo { longest: 0, needed: 2, .. }
    ));
    assert!(Starts::new("v", &[0..3, 3..6], 0).is_err());
}

#[test]
fn training_draws_every_valid_start_equally_often() {
    let starts = Starts::new("v", &[0..5, 5..7, 7..13], 4).unwrap();
    let mut seen = [0; 13];
    for index in 0..10_000 {
        seen[starts.draw(&mut draw_rng(3, 1, index))] += 1;
    }
    for (start, count) in seen.into_iter().enumerate() {
        // 2,000 expected, deviation 40.
        let range = if starts.iter().any(|s| s == start) { 1800..2200 } else { 0..1 };
        assert!(range.contains(&count), "start {start}: {count}");
    }
}

#[test]
fn twenty_five_test_starts_are_equally_spaced() {
    let spaced = |frames: usize| uncut(frames).spaced(25);
    // 97 starts: exactly every fourth. 73: every third.
    assert_eq!(spaced(107), (0..25).map(|i| 4 * i).collect::<Vec<_>>());
    assert_eq!(spaced(83), (0..25).map(|i| 3 * i).collect::<Vec<_>>());
    // As many starts as requested, then fewer: each is taken once.
    assert_eq!(spaced(35), (0..25).collect::<Vec<_>>());
    assert_eq!(spaced(20), (0..10).collect::<Vec<_>>());
}

#[test]
fn one_test_start_is_the_middle_one() {
    let starts = uncut(21);
    assert_eq!(starts.spaced(1), [5]);
    assert_eq!(starts.spaced(2), [0, 10]);
    assert!(starts.spaced(0).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..Default::default() })]

    #[test]
    fn test_starts_are_valid_ascending_and_even(
        lengths in prop::collection::vec(0usize..40, 1..5), span in 1usize..8, n in 2usize..30,
    ) {
        let mut segments = Vec::new();
        let mut frame = 0;
        for length in lengths {
            segments.push(frame..frame + length);
            frame += length;
        }
        prop_assume!(segments.iter().any(|segment| segment.len() >= span));
        let starts = Starts::new("v", &segments, span).unwrap();
        let valid: Vec<usize> = starts.iter().collect();
        for &start in &valid {
            prop_assert!(segments.iter().any(|s| s.start <= start && start + span <= s.end));
        }
        let spaced = starts.spaced(n);
        prop_assert_eq!(spaced.len(), n.min(valid.len()));
        let order: Vec<usize> =
            spaced.iter().map(|start| valid.binary_search(start).unwrap()).collect();
        let gaps: Vec<usize> = order.windows(2).map(|pair| pair[1] - pair[0]).collect();
        if let (Some(least), Some(most)) = (gaps.iter().min(), gaps.iter().max()) {
            prop_assert!(*least > 0 && most - least <= 1, "{gaps:?}");
            prop_assert_eq!((order[0], order[order.len() - 1]), (0, valid.len() - 1));
        }
    }
}

#[test]
fn classes_are_drawn_alike_however_many_videos_they_have() {
    // Class 0 has one video, class 1 three, class 2 none, class 3 six.
    let labels = [0, 1, 3, 3, 1, 3, 3, 1, 3, 3];
    let sampler = ClassBalanced::new(labels).unwrap();
    let mut videos = [0_i32; 10];
    for index in 0..36_000 {
        videos[sampler.draw(&mut draw_rng(11, index / 64, (index % 64) as usize))] += 1;
    }
    for (video, count) in videos.into_iter().enumerate() {
        let expected = match labels[video] {
            0 => 12_000,
            1 => 4_000,
            _ => 2_000,
        };
        // Within five deviations.
        assert!((count - expected).pow(2) < 25 * expected, "video {video}: {count}");
    }
    assert!(ClassBalanced::new([]).is_err());
}

#[test]
fn draws_depend_on_each_of_seed_iteration_and_index() {
    use rand::Rng;
    let first = |seed, iteration, index| draw_rng(seed, iteration, index).random::<u64>();
    let draws = [first(1, 2, 3), first(0, 2, 3), first(1, 0, 3), first(1, 2, 0), first(2, 1, 3)];
    for (i, draw) in draws.iter().enumerate() {
        assert!(!draws[..i].contains(draw));
    }
    assert_eq!(first(1, 2, 3), draws[0]);
    // Fixed values: a change here changes every trained number.
    assert_eq!(draws[0], 16_947_849_739_498_108_723);
}
