//! Corner crops, scales and colours.

use std::collections::BTreeMap;

use data::augment::{Augmentation, Crop, CropRule, MultiScale, PcaJitter, Places};
use data::sample::draw_rng;

fn multi_scale(places: Places) -> Augmentation {
    Augmentation { crop: CropRule::MultiScale(MultiScale::published(places)), flip: true, colour: None }
}

/// Number of times that each crop is drawn.
fn drawn(
    rule: &Augmentation,
    frame: (usize, usize),
    size: (usize, usize),
    draws: usize,
) -> BTreeMap<[usize; 5], usize> {
    let mut seen = BTreeMap::new();
    for index in 0..draws {
        let crop = rule.draw(frame, size, &mut draw_rng(3, 1, index)).expect("valid").crop;
        crop.check(frame).expect("valid");
        *seen.entry([crop.width, crop.height, crop.x, crop.y, usize::from(crop.flip)]).or_insert(0) += 1;
    }
    seen
}

#[test]
fn the_published_sides_are_at_most_one_step_apart() {
    let sizes = MultiScale::published(Places::Five).sizes((340, 256), (224, 224)).unwrap();
    let expected = [
        (256, 256),
        (224, 256),
        (256, 224),
        (224, 224),
        (192, 224),
        (224, 192),
        (192, 192),
        (168, 192),
        (192, 168),
        (168, 168),
    ];
    assert_eq!(sizes, expected);
    // 56 = 64 x 0.875; 0.66 x 64 is 42.24.
    let small = MultiScale::published(Places::Five).sizes((80, 64), (56, 56)).unwrap();
    assert_eq!(small[..4], [(64, 64), (56, 64), (64, 56), (56, 56)]);
    assert_eq!(small[9], (42, 42));
    // A side within two pixels of the input's is the input's.
    let near = MultiScale { scales: vec![0.88], max_distance: 0, places: Places::Five };
    assert_eq!(near.sizes((340, 256), (224, 224)).unwrap(), [(224, 224)]);
}

#[test]
fn every_size_and_place_is_drawn_equally_often() {
    for (rule, places) in [(Places::Five, 5), (Places::Thirteen, 13)] {
        let count = 10 * places * 2;
        let seen = drawn(&multi_scale(rule), (340, 256), (224, 224), count * 400);
        // A crop as high as the frame has the same place two or three times, so places are counted for
        // the smallest size, which has all of them.
        let smallest: Vec<usize> =
            seen.iter().filter(|(key, _)| key[..2] == [168, 168]).map(|(_, &count)| count).collect();
        assert_eq!(smallest.len(), places * 2);
        // 400 expected, deviation 20.
        assert!(smallest.iter().all(|count| (300..500).contains(count)), "{smallest:?}");
        assert_eq!(
            seen.keys().map(|key| (key[0], key[1])).collect::<std::collections::BTreeSet<_>>().len(),
            10
        );
    }
}

#[test]
fn five_places_are_the_corners_and_the_centre() {
    let seen = drawn(&multi_scale(Places::Five), (340, 256), (224, 224), 4000);
    let places: std::collections::BTreeSet<_> =
        seen.keys().filter(|key| key[..2] == [192, 224]).map(|key| (key[2], key[3])).collect();
    // Margins 148 and 32: quarters 37 and 8.
    assert_eq!(places, [(0, 0), (0, 32), (74, 16), (148, 0), (148, 32)].into());
}

#[test]
fn the_centre_rule_draws_nothing_but_the_flip() {
    let rule = Augmentation { crop: CropRule::Center, flip: true, colour: None };
    let seen = drawn(&rule, (12, 9), (4, 4), 200);
    assert_eq!(seen.keys().map(|key| (key[2], key[3])).collect::<Vec<_>>(), [(4, 2), (4, 2)]);
}

#[test]
fn random_crops_are_drawn_as_before_there_were_other_rules() {
    for index in 0..50 {
        let rule = Augmentation::random_crops(true);
        let crop = Crop::random((20, 15), (8, 9), true, &mut draw_rng(5, 2, index)).unwrap();
        assert_eq!(rule.draw((20, 15), (8, 9), &mut draw_rng(5, 2, index)).unwrap().crop, crop);
        // The colour is drawn last and does not change the crops.
        let rule = Augmentation { colour: Some(PcaJitter::imagenet()), ..rule };
        assert_eq!(rule.draw((20, 15), (8, 9), &mut draw_rng(5, 2, index)).unwrap().crop, crop);
    }
}

#[test]
fn colours_vary_along_the_components_with_their_deviations() {
    let jitter = PcaJitter::imagenet();
    let draws = 20_000;
    let (mut sums, mut squares) = ([0.0; 3], [0.0; 3]);
    for index in 0..draws {
        let colour = jitter.draw(&mut draw_rng(1, 0, index)).map(f64::from);
        for component in 0..3 {
            // The eigenvectors are orthonormal to three digits, so this is the drawn factor.
            let along: f64 = (0..3).map(|c| colour[c] * f64::from(jitter.eigenvectors[c][component])).sum();
            sums[component] += along;
            squares[component] += along * along;
        }
    }
    for component in 0..3 {
        let expected = 0.1 * 255.0 * f64::from(jitter.eigenvalues[component]);
        let mean = sums[component] / draws as f64;
        let deviation = (squares[component] / draws as f64).sqrt();
        assert!(mean.abs() < 0.03 * expected, "mean {mean} of component {component}");
        assert!((deviation / expected - 1.0).abs() < 0.03, "{deviation} instead of {expected}");
    }
    let none = PcaJitter { sigma: 0.0, ..jitter };
    assert_eq!(none.draw(&mut draw_rng(1, 0, 0)), [0.0; 3]);
}

#[test]
fn configuration_is_strict_and_explicit() {
    let text = r#"
        flip = true
        [crop.multi-scale]
        scales = [1.0, 0.875, 0.75, 0.66]
        max-distance = 1
        places = "thirteen"
        [colour]
        sigma = 0.1
        eigenvalues = [0.2175, 0.0188, 0.0045]
        eigenvectors = [[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]]
    "#;
    let expected = Augmentation { colour: Some(PcaJitter::imagenet()), ..multi_scale(Places::Thirteen) };
    assert_eq!(toml::from_str::<Augmentation>(text).unwrap(), expected);
    assert_eq!(toml::from_str::<Augmentation>(&toml::to_string(&expected).unwrap()).unwrap(), expected);
    assert_eq!(
        toml::from_str::<Augmentation>("crop = 'random'\nflip = false\n").unwrap(),
        Augmentation::random_crops(false)
    );
    for wrong in ["max-distance", "sigma", "flip", "thirteen"] {
        assert!(toml::from_str::<Augmentation>(&text.replace(wrong, "wrong")).is_err(), "{wrong}");
    }
}

#[test]
fn impossible_rules_are_refused() {
    let rule = |scales: Vec<f64>| Augmentation {
        crop: CropRule::MultiScale(MultiScale { scales, max_distance: 1, places: Places::Five }),
        flip: false,
        colour: None,
    };
    for scales in [vec![], vec![1.5], vec![0.0], vec![f64::NAN]] {
        assert!(rule(scales).validate().is_err());
    }
    insta::assert_snapshot!(rule(vec![2.0]).validate().unwrap_err(),
        @"the scales of crops: expected one or more, above 0 and at most 1; found [2.0]");
    assert!(rule(vec![0.01]).check((64, 64), (56, 56)).is_err());
    // An input two pixels larger than the frame is refused.
    assert!(rule(vec![1.0]).check((64, 64), (66, 66)).is_err());
    let colour = Some(PcaJitter { sigma: f32::NAN, ..PcaJitter::imagenet() });
    assert!(Augmentation { colour, ..rule(vec![1.0]) }.validate().is_err());
}
