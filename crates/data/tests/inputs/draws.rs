//! Every draw of a training follows from these numbers: a new version of the generator must give the same ones.

use data::augment::{Augmentation, CropRule, MultiScale, PcaJitter, Places};
use data::dataset::View;
use data::inputs::Sampling;
use data::sample::{ClassBalanced, Clips, Pairs, SampleSpec, Sampler, TimeSteps, draw_rng};

use crate::support::{one, plain};

/// The first digits of the hash of the draws for many samples.
fn kept(draw: impl Fn(usize) -> Vec<usize>) -> String {
    let mut hasher = blake3::Hasher::new();
    for value in (0..400).flat_map(draw) {
        hasher.update(&(value as u64).to_le_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

#[test]
fn time_steps_are_kept() {
    let of = |time_steps| {
        let spec = SampleSpec { time_steps, ..one(plain(Sampling::Stack, 10)) };
        let clips = Clips::new("v", &[0..61, 61..400, 400..2_000], &spec).unwrap();
        kept(|index| {
            let mut out = Vec::new();
            clips.draw(&mut draw_rng(9, 5, index), &mut out);
            out
        })
    };
    assert_eq!(of(TimeSteps::Single), "dc357de26d556cda");
    assert_eq!(of(TimeSteps::Strided { count: 5, from: 5, to: 15 }), "afe715d6cdc9b010");
    assert_eq!(of(TimeSteps::Segments { count: 3 }), "debf07210e3a7041");
    assert_eq!(of(TimeSteps::Grid { every: 10 }), "a358eaffed5d171e");
}

#[test]
fn videos_are_kept() {
    let labels = || (0..97_u32).map(|video| video * video % 11);
    let balanced = ClassBalanced::new(labels()).unwrap();
    assert_eq!(kept(|index| vec![balanced.draw(&mut draw_rng(2, 7, index))]), "b449d55a3236cf40");
    let view = |video: u32| View {
        event: format!("e{}", video / 3),
        number: (video % 3) as usize,
        group: String::new(),
    };
    let views: Vec<(u32, View)> = (0..90).map(|video| (video / 3 % 4, view(video))).collect();
    let pairs = Pairs::new(views.iter().map(|(label, view)| (*label, Some(view))), 3).unwrap();
    let pair = |index: usize| {
        let mut videos = [0; 2];
        pairs.draw(&mut draw_rng(3, 1, index), index as u64, &mut videos);
        videos.to_vec()
    };
    assert_eq!(kept(pair), "0fe2520f6f287372");
}

#[test]
fn crops_are_kept() {
    let of = |crop| {
        let rule = Augmentation { crop, flip: true, colour: None };
        kept(|index| {
            let crop = rule.draw((340, 256), (224, 224), &mut draw_rng(4, 2, index)).unwrap().crop;
            vec![crop.x, crop.y, crop.width, crop.height, usize::from(crop.flip)]
        })
    };
    assert_eq!(of(CropRule::Random), "baf5541c01ab54bc");
    assert_eq!(of(CropRule::Center), "360300270a6fdb66");
    assert_eq!(of(CropRule::MultiScale(MultiScale::published(Places::Thirteen))), "7eba4816c2ee0e3c");
}

/// The logarithm and the cosine are the platform's, and their last bit may differ.
#[test]
fn colours_are_kept() {
    let found = PcaJitter::imagenet().draw(&mut draw_rng(1, 1, 1));
    let expected = [-0.392_939_95, -0.464_767_07, -0.381_096_2];
    assert!(found.iter().zip(expected).all(|(found, expected)| (found - expected).abs() < 1e-5), "{found:?}");
}
