//! Tests of whole pictures.

use super::super::tests_support::knobs;
use super::*;
use proptest::prelude::*;

fn config() -> StillsConfig {
    toml::from_str(&knobs("synth-stills.toml", "stills")).unwrap()
}

fn set(data_seed: u64) -> StillSet {
    StillSet::new(config(), data_seed).unwrap()
}

#[test]
fn all_scenes_and_all_shapes_are_classes() {
    let scenes = CLASSES.iter().filter_map(|(_, s)| if let Scene(family) = s { Some(*family) } else { None });
    assert!(scenes.eq(Family::ALL));
    for shape in Shape::ALL {
        let hues: Vec<Hue> = CLASSES
            .iter()
            .filter_map(|(_, s)| match s {
                Thing(other, hue) if *other == shape => Some(*hue),
                _ => None,
            })
            .collect();
        assert!(hues == [Hue::Free] || hues == [Hue::Warm, Hue::Cool], "{shape:?} {hues:?}");
    }
    let mut names = set(1).classes().to_vec();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), 24);
}

#[test]
fn knobs_that_cannot_be_are_named() {
    type Break = fn(&mut StillsConfig);
    let cases: [(&str, Break); 6] = [
        ("pictures-per-class", |c| c.pictures_per_class = 0),
        ("width", |c| c.width = 8),
        ("object.radius", |c| c.object.radius.hi = 40.0),
        ("clutter.radius", |c| c.clutter.radius.hi = c.object.radius.lo + 1.0),
        ("light.gain", |c| c.light.gain.lo = 0.0),
        ("hue.spread", |c| c.hue.spread = f32::NAN),
    ];
    for (key, spoil) in cases {
        let mut broken = config();
        spoil(&mut broken);
        let error = broken.validate().unwrap_err();
        assert_eq!((error.table, error.key), ("stills", key));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_picture_is_the_same_alone_and_has_one_frame(seed in 0u64..1000, i in 0usize..24 * 450) {
        let (set, mut fewer) = (set(seed), config());
        let clip = set.render(i);
        prop_assert_eq!((clip.width, clip.height, clip.frames.len()), (64, 64, 1));
        prop_assert_eq!(clip.frames[0].len(), 64 * 64 * 3);
        // A different size of the set does not change the picture's key.
        fewer.pictures_per_class = 500;
        let other = StillSet::new(fewer, seed).unwrap();
        let j = i / 450 * 500 + i % 450;
        prop_assert_eq!(other.id(j), set.id(i));
        prop_assert_eq!(other.fingerprint(j), set.fingerprint(i));
        prop_assert_eq!(other.render(j), clip);
    }
}

/// The two hues of a shape are the same picture in grey, so only hue distinguishes them.
#[test]
fn warm_and_cool_are_one_picture_in_grey() {
    for pair in CLASSES[16..].chunks(2) {
        for index in 0..40 {
            let key = VideoKey { set: "test", data_seed: 1, class: "either", index };
            let [warm, cool] = [pair[0], pair[1]].map(|(_, subject)| render(key, subject, &config()));
            let (mut apart, mut coloured) = (0.0, 0.0);
            for (p, q) in warm.frames[0].chunks(3).zip(cool.frames[0].chunks(3)) {
                let luma =
                    |p: &[u8]| 0.299 * f64::from(p[0]) + 0.587 * f64::from(p[1]) + 0.114 * f64::from(p[2]);
                apart += (luma(p) - luma(q)).abs();
                coloured += p.iter().zip(q).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>();
            }
            assert!(apart / 4096.0 < 0.1 && coloured > 0.0, "{index}: luma {} apart", apart / 4096.0);
        }
    }
}

/// If this fails, either the shipped knobs have changed: then store the new hash. Or the same knobs give different pixels
/// than before: then also raise `GENERATOR_VERSION`.
#[test]
fn the_generator_has_not_changed() {
    let hash = |i| blake3::hash(&set(1).render(i).frames[0]).to_hex().to_string();
    assert_eq!(
        [hash(3), hash(17 * 450 + 2)],
        [
            "3903be766246e1a3cf162bcf0034864ab7cf776f3f6f6967742c885018206bf6",
            "911d281c6a3b2fecdaa3eaf5d5b87c2711c810db102cd84c4f5b2c656a047f83"
        ]
    );
}
