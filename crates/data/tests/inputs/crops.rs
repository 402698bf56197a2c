//! Positions of crops.

use std::collections::BTreeMap;

use data::augment::Crop;
use data::sample::draw_rng;

#[test]
fn the_ten_crops_come_in_their_stated_order() {
    let crops = Crop::ten((340, 256), (224, 224)).unwrap();
    let places: Vec<_> = crops.iter().map(|crop| (crop.x, crop.y, crop.flip)).collect();
    assert_eq!(
        places[..5],
        [(0, 0, false), (116, 0, false), (0, 32, false), (116, 32, false), (58, 16, false),]
    );
    for (place, flipped) in places[..5].iter().zip(&places[5..]) {
        assert_eq!((place.0, place.1, true), *flipped);
    }
    assert!(crops.iter().all(|crop| (crop.width, crop.height) == (224, 224)));
    assert_eq!(Crop::center((340, 256), (224, 224)).unwrap(), crops[4]);
}

#[test]
fn random_crops_reach_every_place_of_the_frame_equally_often() {
    let mut seen = BTreeMap::new();
    let draws = 24_000;
    for index in 0..draws {
        let crop = Crop::random((12, 9), (10, 6), true, &mut draw_rng(7, 0, index)).unwrap();
        crop.check((12, 9)).unwrap();
        *seen.entry((crop.x, crop.y, crop.flip)).or_insert(0) += 1;
    }
    assert_eq!(seen.len(), 3 * 4 * 2);
    // 1,000 expected of each, deviation 31.
    assert!(seen.values().all(|&count| (850..1150).contains(&count)), "{seen:?}");
}

#[test]
fn a_crop_of_the_whole_frame_has_one_place_and_flips_only_when_asked() {
    for index in 0..100 {
        let crop = Crop::random((8, 8), (8, 8), false, &mut draw_rng(1, 2, index)).unwrap();
        assert_eq!(crop, Crop { x: 0, y: 0, width: 8, height: 8, flip: false });
    }
}

#[test]
fn a_crop_larger_than_the_frame_is_refused() {
    let error = Crop::ten((56, 48), (56, 56)).unwrap_err();
    insta::assert_snapshot!(error,
        @"a crop of 56x56 at (0, 0) does not fit a frame of 56x48; use a smaller crop or prepare the videos at a larger size");
    assert!(Crop::center((4, 4), (0, 3)).is_err());
    assert!(Crop::random((4, 4), (5, 4), true, &mut draw_rng(0, 0, 0)).is_err());
    let crop = Crop { x: usize::MAX, y: 0, width: 2, height: 2, flip: false };
    assert!(crop.check((4, 4)).is_err());
}
