//! Tests of the events, their views and the cameras' pictures.

use super::action::{Performance, Pose};
use super::body::{Body, Rod};
use super::*;
use crate::knob::Span;
use crate::tests_support::knobs;

fn config() -> ViewsConfig {
    toml::from_str(&knobs("synth-views.toml", "views")).unwrap()
}

fn set(data_seed: u64) -> ViewSet {
    ViewSet::new(config(), data_seed).unwrap()
}

#[test]
fn videos_are_numbered_by_class_event_and_camera() {
    let set = set(1);
    assert_eq!((set.classes().len(), set.views().len(), set.len()), (10, 5, 3000));
    assert_eq!(
        (set.id(0).as_str(), set.id(304).as_str()),
        ("check-watch-00-0-right", "cross-arms-00-0-above")
    );
    assert_eq!((set.event(317).as_str(), set.view(317), set.actor(317)), ("cross-arms-01-1", 2, 1));
    let ids: std::collections::BTreeSet<_> = (0..set.len()).map(|i| set.id(i)).collect();
    let prints: std::collections::BTreeSet<_> = (0..set.len()).map(|i| set.fingerprint(i)).collect();
    assert_eq!((ids.len(), prints.len()), (3000, 3000));
}

#[test]
fn a_video_is_the_same_alone_and_another_seed_another() {
    let set = set(1);
    let clip = set.render(328);
    assert_eq!((clip.width, clip.height, clip.frames.len()), (64, 64, 31));
    let fewer = ViewSet::new(ViewsConfig { actors: 3, takes: 3, ..config() }, 1).unwrap();
    let same = (0..fewer.len()).find(|&i| fewer.id(i) == set.id(328)).unwrap();
    assert_eq!((fewer.fingerprint(same), fewer.render(same)), (set.fingerprint(328), clip.clone()));
    assert_ne!(super::ViewSet::new(config(), 2).unwrap().render(328), clip);
}

/// Returns the rods of an event's actor in the middle of its video, which are the same for every view.
fn rods(set: &ViewSet, i: usize) -> Vec<Rod> {
    let (body, performance) = set.event_in_space(i);
    body.rods(&performance.pose(20), performance.hand)
}

#[test]
fn all_views_show_one_body_in_space() {
    let set = set(3);
    let of = |i| rods(&set, i).iter().flat_map(|rod| rod.ends).collect::<Vec<_>>();
    assert_eq!(of(400), of(404));
    assert_ne!(of(400), of(405));
    let colours = |i| rods(&set, i).iter().map(|rod| rod.colour).collect::<Vec<_>>();
    // The same actor in another take and in another action, and a different actor.
    assert_eq!((set.actor(400), set.actor(405), set.actor(700), set.actor(410)), (10, 10, 10, 11));
    assert_eq!((colours(400), colours(400)), (colours(405), colours(700)));
    assert_ne!(colours(400), colours(410));
}

/// Marks the pixels of a picture that the actor covers, by rows.
fn silhouette(set: &ViewSet, i: usize, mirrored: bool) -> Vec<bool> {
    let (width, height) = (set.config.width, set.config.height);
    let place = &set.config.camera[set.view(i)];
    let key = VideoKey { set: "test", data_seed: 0, class: "camera", index: 0 };
    let camera = Camera::draw(place, &set.config.lens, &set.config.light, &mut key.stream("lamp"));
    // The background has an impossible grey level, so that every painted pixel differs from it.
    let mut rgb = vec![-1000.0; width * height * 3];
    camera.paint(&mut Canvas { width, height, rgb: &mut rgb }, &rods(set, i));
    let covered = |x: usize, y: usize| rgb[(y * width + x) * 3] > -500.0;
    let at = |p: usize| if mirrored { width - 1 - p % width } else { p % width };
    (0..width * height).map(|p| covered(at(p), p / width)).collect()
}

/// Computes the largest overlap of two silhouettes over all shifts of the second one by up to six pixels.
fn overlap(a: &[bool], b: &[bool]) -> f64 {
    let side = 64i32;
    let mut best = 0.0_f64;
    for (dx, dy) in (-6..=6).flat_map(|dx| (-6..=6).map(move |dy| (dx, dy))) {
        let moved = |x: i32, y: i32| {
            let inside = (0..side).contains(&(x + dx)) && (0..side).contains(&(y + dy));
            inside && b[((y + dy) * side + x + dx) as usize]
        };
        let (mut both, mut either) = (0, 0);
        for (p, &first) in a.iter().enumerate() {
            let second = moved(p as i32 % side, p as i32 / side);
            both += usize::from(first && second);
            either += usize::from(first || second);
        }
        best = best.max(f64::from(both as u32) / f64::from(either.max(1) as u32));
    }
    best
}

/// No two cameras see the same picture, shifted or mirrored. Compares each pair of cameras over events of the four classes
/// whose shapes depend most on the side (kick, point, punch, sit).
#[test]
fn no_view_is_another_one_moved_or_mirrored() {
    let set = set(5);
    for (a, b) in (0..5).flat_map(|a| (a + 1..5).map(move |b| (a, b))) {
        for mirrored in [false, true] {
            let events: Vec<usize> = [3, 5, 6, 7].iter().flat_map(|c| [c * 300, c * 300 + 150]).collect();
            let alike = |event: &usize| {
                overlap(&silhouette(&set, event + a, false), &silhouette(&set, event + b, mirrored))
            };
            let mean = events.iter().map(alike).sum::<f64>() / events.len() as f64;
            assert!(mean < 0.8, "views {a} and {b} have {mean} in common, mirrored: {mirrored}");
        }
    }
    let same = silhouette(&set, 900, false);
    assert_eq!(overlap(&same, &same), 1.0);
}

#[test]
fn actors_stay_in_the_picture() {
    let set = set(7);
    let (mut cut, mut all) = (0, 0);
    for i in (0..set.len()).step_by(3) {
        let shown = silhouette(&set, i, false);
        let border = |p: usize| [0, 63].contains(&(p % 64)) || [0, 63].contains(&(p / 64));
        all += 1;
        cut += usize::from((0..64 * 64).any(|p| shown[p] && border(p)));
        let area = shown.iter().filter(|covered| **covered).count();
        assert!((150..1400).contains(&area), "{} covers {area} pixels", set.id(i));
    }
    assert!(cut * 10 < all, "{cut} of {all} actors touch the border");
}

/// An arm held ahead looks from one side like an arm held out to the side from another.
#[test]
fn pointing_and_punching_change_places_between_views() {
    // Angle in degrees between the arm and the vertical of the picture.
    let reach = |name: &str, azimuth: f32| {
        let action = ACTIONS.iter().find(|action| action.name == name).unwrap();
        let quiet = ActionConfig {
            period: Span { lo: 1e4, hi: 1e4 },
            depth: Span { lo: 1.0, hi: 1.0 },
            sloppiness: 0.0,
        };
        let key = VideoKey { set: "test", data_seed: 0, class: "any", index: 0 };
        let performance = Performance::draw(action, &quiet, &mut key.stream("action"));
        let place = ActorPlaceConfig { heading: 0.0, step: 0.0, ..config().actor };
        let body = Body::draw(&place, 128.0, &mut key.stream("looks"), &mut key.stream("place"));
        let pose = Pose { lean: 0.0, ..performance.pose(0) };
        let extents =
            body.rods(&pose, performance.hand).into_iter().flat_map(|rod| rod.ends).map(|[x, y, _]| {
                let (s, c) = (azimuth.to_radians().sin(), azimuth.to_radians().cos());
                (c * x - s * y).abs()
            });
        extents.fold(0.0f32, f32::max)
    };
    assert!(reach("point", 0.0) > 1.4 * reach("punch", 0.0));
    assert!(reach("punch", 90.0) > 1.4 * reach("point", 90.0));
}

#[test]
fn walls_and_lamps_are_the_views_own_and_say_nothing_of_the_class() {
    let set = set(1);
    let walls: Vec<Family> = (0..5).map(|view| set.family(view)).collect();
    for (view, wall) in walls.iter().enumerate() {
        assert!(!walls[..view].contains(wall), "{walls:?}");
    }
    let corner = |i: usize| {
        let clip = set.render(i);
        let corner = (0..8 * 8).map(|p| (p / 8 * 64 + p % 8) * 3);
        corner.map(|p| f64::from(clip.frames[0][p])).sum::<f64>() / 64.0
    };
    // One event of every tenth actor, over all classes.
    let of = |classes: std::ops::Range<usize>, view: usize| {
        let videos: Vec<usize> =
            classes.flat_map(|c| (0..30).map(move |n| c * 300 + n * 10 + view)).collect();
        videos.iter().map(|&i| corner(i)).sum::<f64>() / videos.len() as f64
    };
    let of_view = |view: usize| of(0..3, view);
    // The light of a camera does not depend on the action.
    for view in 0..5 {
        let (first, others) = (of(0..3, view), of(5..8, view));
        assert!((first - others).abs() < 10.0, "view {view}: {first} and {others}");
    }
    let lights: Vec<f64> = (0..5).map(of_view).collect();
    let (low, high) = lights.iter().fold((f64::MAX, f64::MIN), |(low, high), &x| (low.min(x), high.max(x)));
    assert!(high - low > 8.0, "{lights:?}");
    assert_ne!(
        walls,
        (0..5).map(|view| super::ViewSet::new(config(), 2).unwrap().family(view)).collect::<Vec<_>>()
    );
}

#[test]
fn knobs_out_of_their_limits_are_named() {
    let refused = |change: fn(&mut ViewsConfig)| {
        let mut knobs = config();
        change(&mut knobs);
        ViewSet::new(knobs, 0).unwrap_err().to_string()
    };
    let named = |message: String, part: &str| {
        assert!(message.contains(part) && message.contains("[views]"), "{message}");
    };
    named(refused(|knobs| knobs.camera.truncate(1)), "`camera` = 1: expected 2 to 8 cameras");
    named(
        refused(|knobs| knobs.camera[1].name = "right".into()),
        "`camera.name` = \"right\": expected unique names",
    );
    named(refused(|knobs| knobs.camera[0].elevation = 95.0), "`camera.elevation` = 95: expected -10 to 85");
    named(refused(|knobs| knobs.lens.distance = 0.5), "`lens.distance` = 0.5: expected 2 to 100 metres");
    named(
        refused(|knobs| knobs.action.depth = Span { lo: 0.0, hi: 1.0 }),
        "`action.depth` = [0, 1]: expected a range within 0.05 to 1",
    );
    named(refused(|knobs| knobs.light.ambient = f32::NAN), "`light.ambient` = NaN: expected 0 to 1");
}
