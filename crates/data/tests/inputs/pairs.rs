//! Pairs of views: the videos that are drawn, and their times.

use std::collections::BTreeMap;
use std::sync::Arc;

use base::Modality;
use data::augment::Augmentation;
use data::dataset::View;
use data::inputs::{InputError, Sampling};
use data::loader::{LabelledVideo, TrainConfig, TrainLoader};
use data::sample::{Pairs, SampleSpec, Sampler, TimeSteps, Together, draw_rng};

use crate::support::{Planted, noise, one, only, plain};

/// Events of three classes, each seen by three cameras, except the last, which only one camera saw.
fn labelled() -> Vec<(u32, View)> {
    let views = |event: usize| 0..if event == 11 { 1 } else { 3 };
    let video = |event: usize, number| {
        ((event % 3) as u32, View { event: format!("e{event}"), number, group: String::new() })
    };
    (0..12).flat_map(|event| views(event).map(move |number| video(event, number))).collect()
}

fn sampler(dissimilar: usize) -> Pairs {
    let videos = labelled();
    Pairs::new(videos.iter().map(|(label, view)| (*label, Some(view))), dissimilar)
        .expect("views of three classes")
}

#[test]
fn one_pair_of_twenty_one_is_similar_and_no_dissimilar_one_is_false() {
    let (videos, sampler) = (labelled(), sampler(20));
    let (mut similar, mut partners) = (0, BTreeMap::<(u32, u32), usize>::new());
    let places = 21 * 400;
    for place in 0..places {
        let mut pair = [usize::MAX; 2];
        let together = sampler.draw(&mut draw_rng(3, place / 64, (place % 64) as usize), place, &mut pair);
        let [(a, first), (b, second)] = pair.map(|video| &videos[video]);
        match together {
            Together::SameTimeSteps => {
                similar += 1;
                assert_eq!((first.event == second.event, first.number != second.number), (true, true));
            }
            Together::Apart => {
                assert!(a != b && first.event != second.event, "{pair:?} is no dissimilar pair");
                *partners.entry((*a, *b)).or_default() += 1;
            }
        }
    }
    assert_eq!(similar, 400, "exactly one of twenty-one");
    // Every pair of classes about as often: 8,000 over six, deviation 33.
    assert_eq!(partners.len(), 6);
    assert!(partners.values().all(|count| (1180..1490).contains(count)), "{partners:?}");
}

/// The ratio holds in any stretch of places, whatever the size of a batch.
#[test]
fn similar_pairs_are_spread_evenly() {
    let sampler = sampler(4);
    let kind = |place: u64| sampler.draw(&mut draw_rng(0, place, 0), place, &mut [0; 2]);
    for start in 0..30 {
        let similar = (start..start + 5).filter(|place| kind(*place) == Together::SameTimeSteps).count();
        assert_eq!(similar, 1);
    }
}

#[test]
fn every_event_and_every_two_views_are_drawn() {
    let (videos, sampler) = (labelled(), sampler(0));
    let mut seen = BTreeMap::<(&str, usize, usize), usize>::new();
    for place in 0..6600 {
        let mut pair = [0; 2];
        sampler.draw(&mut draw_rng(1, place, 0), place, &mut pair);
        let [first, second] = pair.map(|video| &videos[video].1);
        *seen.entry((&first.event, first.number, second.number)).or_default() += 1;
    }
    // Eleven events in ordered pairs of three views; one class has three events, so they come more often.
    assert_eq!(seen.len(), 66);
    assert!(seen.values().all(|count| (50..190).contains(count)), "{seen:?}");
}

#[test]
fn videos_without_pairs_are_refused() {
    let videos = labelled();
    let of = |keep: fn(&(u32, View)) -> bool, with_views: bool| {
        let kept = videos.iter().filter(|video| keep(video));
        let error = Pairs::new(kept.map(|(label, view)| (*label, Some(view).filter(|_| with_views))), 20);
        error.unwrap_err().to_string()
    };
    assert!(of(|_| true, false).contains("no event is seen from two views"));
    assert!(of(|(_, view)| view.number == 0, true).contains("no event is seen from two views"));
    assert!(of(|(label, _)| *label == 1, true).contains("all videos are of one class"));
    assert!(matches!(Pairs::new([], 20), Err(InputError::NoVideos)));
}

#[test]
fn views_of_one_event_come_at_one_time_on_the_grid() {
    // The second view of every event ends two frames before the first.
    let video = |i: usize| {
        let event = i / 2;
        let planted =
            Planted::new((12, 10), 24 - 2 * (i % 2), move |d, t, x, y| noise(event as u64, d, t, x, y));
        LabelledVideo {
            id: format!("v{i}"),
            label: (event % 3) as u32,
            view: Some(View { event: format!("e{event}"), number: i % 2, group: String::new() }),
            source: Arc::new(planted),
        }
    };
    let videos: Vec<LabelledVideo> = (0..12).map(video).collect();
    let pairs = || {
        let views = videos.iter().map(|video| (video.label, video.view.as_ref()));
        Box::new(Pairs::new(views, 1).unwrap())
    };
    let every = TimeSteps::Grid { every: 7 };
    let config = TrainConfig {
        sample: SampleSpec { time_steps: every, ..one(plain(Sampling::Stack, 2)) },
        size: (12, 10),
        batch: 30,
        places: None,
        augmentation: Augmentation::random_crops(false),
        seed: 5,
        depth: 3,
        workers: 2,
    };
    let mut loader = TrainLoader::with_sampler(videos.clone(), pairs(), &config, 0..2).unwrap();
    assert_eq!(loader.shapes()[&Modality::FLOW], [60, 1, 4, 10, 12]);
    let batch = loader.next().unwrap().unwrap();
    let mut times = [[0; 24]; 2];
    for (pair, together) in batch.together.iter().enumerate() {
        let at = 2 * pair..2 * pair + 2;
        let (shown, time_steps) = (&batch.videos[at.clone()], &batch.time_steps[at.clone()]);
        assert_eq!(*together == Together::SameTimeSteps, pair % 2 == 0);
        if *together == Together::SameTimeSteps {
            assert_eq!((shown[0] / 2, time_steps[0]), (shown[1] / 2, time_steps[1]));
            // Both views of an event have the same flow here, and the crop is the whole frame.
            let values = only(&batch.inputs).data[pair * 960..][..960].chunks(480).collect::<Vec<_>>();
            assert_eq!(values[0], values[1]);
        } else {
            assert_ne!(batch.labels[at.start], batch.labels[at.start + 1]);
        }
        let kind = usize::from(*together == Together::SameTimeSteps);
        time_steps.iter().for_each(|&time_step| times[kind][time_step] += 1);
    }
    // Starts of two fields, which take three frames: 21 is valid only in the first views of events, never in a similar pair.
    let starts = |kind: usize| (0..24).filter(|&t| times[kind][t] > 0).collect::<Vec<_>>();
    assert_eq!((starts(0), starts(1)), (vec![0, 7, 14, 21], vec![0, 7, 14]));
    let one = TrainConfig { workers: 1, depth: 1, ..config };
    let mut again = TrainLoader::with_sampler(videos.clone(), pairs(), &one, 0..1).unwrap();
    assert!(again.next().unwrap().unwrap() == batch);
    // A rank's share: the place in the whole batch decides whether a pair is similar.
    let share = TrainConfig { places: Some(11..30), ..one };
    let mut loader = TrainLoader::with_sampler(videos.clone(), pairs(), &share, 0..1).unwrap();
    let share = loader.next().unwrap().unwrap();
    assert!(share.together == batch.together[11..] && share.videos == batch.videos[22..]);
    assert!(only(&share.inputs).data == only(&batch.inputs).data[22 * 480..]);
}
