//! Tests of whole videos.

use super::class::Hue;
use super::tests_support::{config, hmdb_config};
use super::*;

fn set(data_seed: u64) -> SynthSet {
    SynthSet::new(ClassList::Synth, config(), data_seed).unwrap()
}

fn hmdb(data_seed: u64) -> SynthSet {
    SynthSet::new(ClassList::SynthHmdb, hmdb_config(), data_seed).unwrap()
}

fn hash(clip: &Clip) -> String {
    let mut hasher = blake3::Hasher::new();
    for frame in &clip.frames {
        hasher.update(frame);
    }
    hasher.finalize().to_hex().to_string()
}

#[test]
fn a_video_is_the_same_alone_or_in_a_sequence() {
    let set = set(1);
    let alone = set.render(100);
    for i in [99, 100, 101] {
        let clip = set.render(i);
        assert_eq!(clip == alone, i == 100);
    }
    let mut shorter = config();
    shorter.videos_per_class = 3;
    let shorter = SynthSet::new(ClassList::Synth, shorter, 1).unwrap();
    assert_eq!(shorter.id(4), set.id(100));
    assert_eq!(shorter.fingerprint(4), set.fingerprint(100));
    assert_eq!(shorter.render(4), alone);
}

#[test]
fn another_seed_is_another_set() {
    let (one, two) = (set(1), set(2));
    for i in (0..one.len()).step_by(99) {
        assert_ne!(one.render(i), two.render(i));
        assert_ne!(one.fingerprint(i), two.fingerprint(i));
    }
}

#[test]
fn a_knob_of_one_part_leaves_the_others_alone() {
    let mut other = config();
    other.light.noise = Span { lo: 0.0, hi: 0.0 };
    let quiet = SynthSet::new(ClassList::Synth, other, 1).unwrap().render(0);
    let noisy = set(1).render(0);
    let differences: f64 = quiet.frames[0]
        .iter()
        .zip(&noisy.frames[0])
        .map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2))
        .sum();
    let sd = (differences / quiet.frames[0].len() as f64).sqrt();
    assert!((4.0..11.0).contains(&sd), "only noise differs, {sd} grey levels");
}

#[test]
fn every_class_renders_to_the_stated_size_under_a_name_of_its_own() {
    for (set, classes, each) in [(set(1), 14, 99), (hmdb(1), 12, 100)] {
        assert_eq!((set.classes().len(), set.each(), set.len()), (classes, each, classes * each));
        for class in 0..classes {
            let clip = set.render(class * each + 7);
            assert_eq!((clip.width, clip.height, clip.frames.len()), (64, 64, 48));
            assert!(clip.frames.iter().all(|frame| frame.len() == 64 * 64 * 3));
            let mean = clip.frames[0].iter().map(|&v| f64::from(v)).sum::<f64>() / (64.0 * 64.0 * 3.0);
            assert!((40.0..215.0).contains(&mean));
            assert!(clip.frames.windows(2).all(|pair| pair[0] != pair[1]));
        }
        let ids: std::collections::BTreeSet<_> = (0..set.len()).map(|i| set.id(i)).collect();
        assert_eq!(ids.len(), set.len());
        assert!((0..set.len()).all(|i| set.id(i).starts_with(&set.classes()[set.label(i)])));
    }
}

/// A class that is in both sets has different videos there, even with the same name and number.
#[test]
fn the_sets_have_no_video_in_common() {
    let (a, b) = (set(1), hmdb(1));
    let at = |set: &SynthSet| set.classes().iter().position(|class| class == "spin").unwrap() * set.each();
    assert_eq!(a.id(at(&a)), b.id(at(&b)));
    assert_ne!(a.fingerprint(at(&a)), b.fingerprint(at(&b)));
    let same_knobs = SynthSet { list: ClassList::SynthHmdb, ..a.clone() };
    assert_ne!(same_knobs.key(0).hash(b""), a.key(0).hash(b""));
}

#[test]
fn a_set_states_the_knobs_of_its_classes_and_no_others() {
    let refused = |list, config| SynthSet::new(list, config, 1).unwrap_err();
    let mut lacking = config();
    lacking.motion.wag_steady = None;
    let error = refused(ClassList::Synth, lacking);
    assert_eq!(error.key, "motion.wag-steady");
    assert!(error.to_string().contains("class `wag`"), "{error}");
    let mut lacking = config();
    lacking.order = None;
    assert_eq!(refused(ClassList::Synth, lacking).key, "order");
    let mut surplus = hmdb_config();
    surplus.motion.climb_speed = Some(Span { lo: 0.5, hi: 1.0 });
    let error = refused(ClassList::SynthHmdb, surplus);
    assert!(error.key == "motion.climb-speed" && error.to_string().contains("no class"), "{error}");
    let mut surplus = hmdb_config();
    surplus.order = config().order;
    assert_eq!(refused(ClassList::SynthHmdb, surplus).key, "order");
}

/// With one key the warm and the cool class draw the same video except for the actor's hue. In grey
/// they differ only by rounding, so luma has the same distribution in both and flow cannot distinguish them.
#[test]
fn warm_and_cool_are_one_video_in_grey() {
    let pairs =
        [(ClassList::Synth, config()), (ClassList::SynthHmdb, hmdb_config())].map(|(list, config)| {
            let pairs = list.classes().chunks(2).filter(|pair| pair[0].hue == Hue::Warm);
            pairs.map(|pair| (pair, config.clone())).collect::<Vec<_>>()
        });
    assert_eq!(pairs.each_ref().map(Vec::len), [2, 1]);
    for (pair, config) in pairs.concat() {
        assert_eq!(pair[1].hue, Hue::Cool);
        for index in 0..20 {
            let key = VideoKey { set: "test", data_seed: 1, class: "either", index };
            let (warm, cool) = (scene::render(key, &pair[0], &config), scene::render(key, &pair[1], &config));
            let mut apart = 0.0;
            let mut coloured = 0.0;
            for (a, b) in warm.frames.iter().zip(&cool.frames) {
                for (p, q) in a.chunks(3).zip(b.chunks(3)) {
                    let luma = |p: &[u8]| {
                        0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2])
                    };
                    apart += (luma(p) - luma(q)).abs();
                    coloured += p.iter().zip(q).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
                }
            }
            let pixels = (warm.frames.len() * warm.width * warm.height) as f64;
            assert!(apart / pixels < 0.1, "luma {} apart", apart / pixels);
            assert!(coloured / pixels > 1.0, "colours only {} apart", coloured / pixels);
        }
    }
}

/// If this fails, either the shipped knobs have changed: then store the new hash. Or the same knobs give
/// different pixels than before: then also raise `GENERATOR_VERSION`.
#[test]
fn the_generator_has_not_changed() {
    assert_eq!(GENERATOR_VERSION, 1);
    assert_eq!(
        hash(&set(1).render(5 * 99 + 2)),
        "b3233a81f2bdfc29602c200e3fe16b5852d2ed85b05841f1b8cbd984875b2618"
    );
    assert_eq!(
        hash(&hmdb(1).render(6 * 100 + 2)),
        "104f6f4172a19aeecfee877debe4a74fedba75a5f12d32642b308891c9cb406a"
    );
}

/// Caches and records store these fingerprints. They are hashes of the written knobs of a set, so a knob added for
/// another set must not appear in this one.
#[test]
fn fingerprints_have_not_changed() {
    for (seed, index, expected) in [
        (0, 0, "15d6187e32553b8978807efae45af5c3e711eeec943d81145f5ea74809451f17"),
        (1, 5 * 99 + 2, "b3307e30a9d96247be301cbd09690dbc0b2f2ab4e114dde1cd01a95ac7446348"),
    ] {
        assert_eq!(set(seed).fingerprint(index), expected);
    }
}
