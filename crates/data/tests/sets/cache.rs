//! The cache file: entries come out as they went in, and changes to the file are noticed.

use data::DataError;
use data::codec::Codec;
use data::container::{Builder, Container, Kind};
use data::cuts::segments;
use data::source::{FieldWindow, FrameWindow, Plane, Window};
use flow::FlowField;
use proptest::prelude::*;
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

const KEY: &str = "00ff";

fn field(width: usize, height: usize, seed: usize) -> FlowField {
    let wave = |i: usize, k: f32| ((i * 7 + seed) as f32 * k).sin() * 6.0 - 1.5;
    let values = |k| (0..width * height).map(|i| wave(i, k)).collect();
    FlowField::new(width, height, values(0.013), values(0.029)).unwrap()
}

fn flow_file(codec: Codec, fields: &[FlowField]) -> (TempDir, PathBuf) {
    bounded_flow_file(codec, None, fields)
}

fn bounded_flow_file(codec: Codec, bound: Option<f32>, fields: &[FlowField]) -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.var");
    let mut builder =
        Builder::new(Kind::ForwardFlow, codec, KEY.to_owned(), &std::env::temp_dir()).with_bound(bound);
    fields.iter().for_each(|field| builder.push_field(field).unwrap());
    builder.write(&path, "a test".to_owned(), segments(fields.len() + 1, &[]), (1, 1)).unwrap();
    (folder, path)
}

fn mean(values: &[f32]) -> f32 {
    (values.iter().map(|&v| f64::from(v)).sum::<f64>() / values.len() as f64) as f32
}

#[test]
fn raw_flow_comes_back_within_half_a_step_and_with_its_exact_mean() {
    let fields: Vec<_> = (0..5).map(|seed| field(33, 20, seed * 1000)).collect();
    let (_folder, path) = flow_file(Codec::Raw8, &fields);
    let file = Container::open_verified(&path).unwrap();
    for (index, before) in fields.iter().enumerate() {
        let after = file.field(index).unwrap();
        assert_eq!((after.width, after.height), (33, 20));
        assert_eq!(after.mean, [mean(&before.u), mean(&before.v)]);
        for (a, b) in [(&before.u, &after.u), (&before.v, &after.v)] {
            let range =
                a.iter().copied().fold(f32::MIN, f32::max) - a.iter().copied().fold(f32::MAX, f32::min);
            let worst = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(worst <= range / 510.0 * 1.0001, "{worst} of {range}");
        }
    }
    assert_eq!(file.file_bytes(), fs::metadata(&path).unwrap().len());
}

#[test]
fn jpeg_flow_and_frames_come_back_closely() {
    let fields = [field(64, 48, 3)];
    let (_folder, path) = flow_file(Codec::Jpeg { quality: 95 }, &fields);
    let after = Container::open_verified(&path).unwrap().field(0).unwrap();
    let error: f32 =
        fields[0].u.iter().zip(&after.u).map(|(a, b)| (a - b).abs()).sum::<f32>() / (64.0 * 48.0);
    assert!(error < 0.15, "{error}");
    assert_eq!(after.mean, [mean(&fields[0].u), mean(&fields[0].v)]);

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("f.var");
    let rgb: Vec<u8> = (0..64 * 48).flat_map(|i| [(i % 64 * 4) as u8, (i / 64 * 5) as u8, 90]).collect();
    for (codec, most) in [(Codec::Raw8, 0), (Codec::Jpeg { quality: 95 }, 16)] {
        let mut builder = Builder::new(Kind::Frames, codec, KEY.to_owned(), &std::env::temp_dir());
        builder.push_frame(64, 48, &rgb).unwrap();
        builder.write(&path, "a test".to_owned(), segments(1, &[]), (1, 1)).unwrap();
        let back = Container::open_verified(&path).unwrap().frame(0).unwrap();
        let worst = rgb.iter().zip(&back).map(|(a, b)| a.abs_diff(*b)).max().unwrap();
        assert!(worst <= most, "{worst}");
    }
}

#[test]
fn float32_keeps_every_bit() {
    let fields = [field(33, 20, 0), field(33, 20, 7)];
    let (_folder, path) = flow_file(Codec::Float32, &fields);
    let file = Container::open_verified(&path).unwrap();
    for (index, before) in fields.iter().enumerate() {
        let after = file.field(index).unwrap();
        assert_eq!((&after.u, &after.v), (&before.u, &before.v));
    }
    let mut frames = Builder::new(Kind::Frames, Codec::Float32, KEY.to_owned(), &std::env::temp_dir());
    let error = frames.push_frame(2, 2, &[0; 12]).unwrap_err().to_string();
    assert!(error.contains("store them as raw8 or jpeg"), "{error}");
}

#[test]
fn a_bound_clips_what_exceeds_it_and_counts_it() {
    // Waves between -7.5 and 4.5 pixels.
    let fields = [field(64, 40, 0), field(64, 40, 5)];
    let beyond = |f: &FlowField| f.u.iter().zip(&f.v).filter(|(u, v)| u.abs() > 5.0 || v.abs() > 5.0).count();
    let expected: usize = fields.iter().map(beyond).sum();
    assert!(expected > 100);
    let (_folder, path) = bounded_flow_file(Codec::Raw8, Some(5.0), &fields);
    let file = Container::open_verified(&path).unwrap();
    assert_eq!(file.header().clipped, expected as u64);
    let after = file.field(0).unwrap();
    for (a, b) in fields[0].u.iter().zip(&after.u) {
        assert!((a.clamp(-5.0, 5.0) - b).abs() <= 10.0 / 510.0 * 1.001, "{a} came back as {b}");
    }
    // The mean is that of the flow as it was estimated.
    assert_eq!(after.mean[0], mean(&fields[0].u));
    let (_folder, path) = bounded_flow_file(Codec::Raw8, Some(8.0), &fields);
    assert_eq!(Container::open(&path).unwrap().header().clipped, 0);
}

#[test]
fn a_window_is_what_the_whole_has_there() {
    let window = Window { x: 21, y: 9, width: 40, height: 25 };
    let cut = |values: &[f32]| -> Vec<f32> {
        (window.y..window.y + window.height)
            .flat_map(|y| &values[y * 96 + window.x..][..window.width])
            .copied()
            .collect()
    };
    for codec in [Codec::Raw8, Codec::Jpeg { quality: 90 }, Codec::Float32] {
        let (_folder, path) = flow_file(codec, &[field(96, 60, 3)]);
        let file = Container::open(&path).unwrap();
        let whole = file.field(0).unwrap();
        let mut part = FieldWindow::default();
        file.field_window(0, window, &mut part).unwrap();
        assert_eq!((part.width, part.height, part.mean), (40, 25, whole.mean));
        let values = |plane: &Plane| match plane {
            Plane::Bytes { data, min, step } => data.iter().map(|&b| min + f32::from(b) * step).collect(),
            Plane::Floats(values) => values.clone(),
        };
        assert_eq!((values(&part.u), values(&part.v)), (cut(&whole.u), cut(&whole.v)), "{codec:?}");
        assert!(file.field_window(0, Window { x: 60, ..window }, &mut part).is_err());
    }
}

#[test]
fn the_same_content_makes_the_same_bytes() {
    let fields = [field(16, 16, 1), field(16, 16, 2)];
    let (_once, path) = flow_file(Codec::Raw8, &fields);
    let bytes = fs::read(&path).unwrap();
    let (_again, path) = flow_file(Codec::Raw8, &fields);
    assert_eq!(fs::read(path).unwrap(), bytes);
}

#[test]
fn an_entry_is_read_without_the_others() {
    let fields: Vec<_> = (0..3).map(|seed| field(16, 16, seed)).collect();
    let (_folder, path) = flow_file(Codec::Raw8, &fields);
    let file = Container::open(&path).unwrap();
    let mut bytes = fs::read(&path).unwrap();
    // Damage in the last entry is found there and nowhere else.
    let last = bytes.len() - 1;
    bytes[last] ^= 1;
    fs::write(&path, bytes).unwrap();
    assert!(file.field(0).is_ok() && file.field(1).is_ok());
    let error = file.field(2).unwrap_err();
    assert!(matches!(&error, DataError::CorruptCache { .. }));
    let text = error.to_string();
    assert!(
        text.contains(&path.display().to_string())
            && text.contains("entry 2")
            && text.contains("delete the file")
    );
}

/// A small file stays in memory, a large one is read entry by entry.
#[test]
fn a_small_file_is_read_once_and_a_large_one_each_time() {
    for (side, stays) in [(16, true), (1_200, false)] {
        let fields: Vec<_> = (0..3).map(|seed| field(side, side, seed)).collect();
        let (_folder, path) = flow_file(Codec::Raw8, &fields);
        let file = Container::open(&path).unwrap();
        let read = [0, 1, 2].map(|index| file.field(index).unwrap());
        assert_ne!(read[0], read[1]);
        fs::remove_file(&path).unwrap();
        let clone = file.clone();
        drop(file);
        match clone.field(1) {
            Ok(again) => assert!(stays && again == read[1]),
            Err(error) => assert!(!stays && matches!(error, DataError::File(_)), "{error}"),
        }
    }
}

#[test]
fn frames_and_flow_are_not_confused_and_ends_are_kept() {
    let (_folder, path) = flow_file(Codec::Raw8, &[field(8, 8, 0)]);
    let file = Container::open(&path).unwrap();
    assert!(file.frame(0).is_err() && file.field(1).is_err());
    let mut builder = Builder::new(Kind::ForwardFlow, Codec::Raw8, KEY.to_owned(), &std::env::temp_dir());
    builder.push_field(&field(8, 8, 0)).unwrap();
    let error = builder.push_field(&field(8, 9, 0)).unwrap_err().to_string();
    assert!(error.contains("expected 8x8, found 8x9"), "{error}");
    let mut wild = field(8, 8, 0);
    wild.u[3] = f32::NAN;
    assert!(builder.push_field(&wild).is_err());
}

#[test]
fn a_file_that_shrinks_or_grows_is_damaged() {
    let (_folder, path) = flow_file(Codec::Raw8, &[field(8, 8, 0), field(8, 8, 1)]);
    let whole = fs::read(&path).unwrap();
    for keep in (0..whole.len()).step_by(7) {
        fs::write(&path, &whole[..keep]).unwrap();
        assert!(matches!(Container::open(&path), Err(DataError::CorruptCache { .. })), "{keep} bytes");
    }
    fs::write(&path, [&whole[..], b"more"].concat()).unwrap();
    assert!(matches!(Container::open(&path), Err(DataError::CorruptCache { .. })));
}

/// Verifies and reads everything; must neither panic nor accept.
fn accepts(path: &Path) -> bool {
    let Ok(file) = Container::open(path) else { return false };
    let fields_ok = (0..file.header().count.min(100)).all(|index| file.field(index).is_ok());
    fields_ok && Container::open_verified(path).is_ok()
}

#[test]
fn every_single_byte_is_protected() {
    let (_folder, path) = flow_file(Codec::Raw8, &[field(4, 3, 0), field(4, 3, 1)]);
    let whole = fs::read(&path).unwrap();
    assert!(accepts(&path));
    for at in 0..whole.len() {
        for flip in [1, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= flip;
            fs::write(&path, &bytes).unwrap();
            assert!(!accepts(&path), "byte {at} of {}", whole.len());
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn several_changed_bytes_are_noticed_in_a_jpeg_file_too(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1u8..), 1..6),
    ) {
        let (_folder, path) = flow_file(Codec::Jpeg { quality: 80 }, &[field(16, 8, 0), field(16, 8, 1)]);
        let whole = fs::read(&path).unwrap();
        let mut bytes = whole.clone();
        changes.iter().for_each(|(at, flip)| bytes[at.index(whole.len())] ^= flip);
        prop_assume!(bytes != whole);
        fs::write(&path, &bytes).unwrap();
        prop_assert!(!accepts(&path));
    }

    #[test]
    fn rubbish_behind_the_mark_is_refused(rest in prop::collection::vec(any::<u8>(), 0..400)) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.var");
        fs::write(&path, [b"VARVIDEO\x02\0\0\0".as_slice(), &rest].concat()).unwrap();
        let refused = matches!(Container::open(&path), Err(DataError::CorruptCache { .. }));
        prop_assert!(refused);
    }
}

#[test]
fn a_window_is_the_same_as_the_whole_cut() {
    let windows = [(0, 0, 33, 20), (5, 3, 9, 8), (32, 19, 1, 1), (0, 12, 33, 8)]
        .map(|(x, y, width, height)| Window { x, y, width, height });
    let (mut field_part, mut frame_part) = (FieldWindow::default(), FrameWindow::default());
    for codec in [Codec::Raw8, Codec::Jpeg { quality: 90 }] {
        let (_folder, path) = flow_file(codec, &[field(33, 20, 1), field(33, 20, 2)]);
        let file = Container::open(&path).unwrap();
        let pixels: Vec<u8> = (0..33 * 20 * 3).map(|i| (i * i / 7) as u8).collect();
        let mut builder = Builder::new(Kind::Frames, codec, KEY.to_owned(), &std::env::temp_dir());
        builder.push_frame(33, 20, &pixels).unwrap();
        let frames = path.with_file_name("frames.var");
        builder.write(&frames, "a test".to_owned(), segments(1, &[]), (1, 1)).unwrap();
        let frames = Container::open(&frames).unwrap();
        let (whole, picture) = (file.field(1).unwrap(), frames.frame(0).unwrap());
        for window in windows {
            let rows = || (window.y..window.y + window.height).map(|y| y * 33 + window.x);
            file.field_window(1, window, &mut field_part).unwrap();
            assert_eq!((field_part.width, field_part.height), (window.width, window.height));
            assert_eq!(field_part.mean, whole.mean);
            for (plane, whole) in [(&field_part.u, &whole.u), (&field_part.v, &whole.v)] {
                let Plane::Bytes { data, min, step } = plane else { panic!("stored as bytes") };
                let values: Vec<f32> = data.iter().map(|&byte| min + f32::from(byte) * step).collect();
                let cut: Vec<f32> = rows().flat_map(|i| whole[i..i + window.width].to_vec()).collect();
                assert_eq!(values, cut);
            }
            frames.frame_window(0, window, &mut frame_part).unwrap();
            let cut: Vec<u8> = rows().flat_map(|i| picture[3 * i..3 * (i + window.width)].to_vec()).collect();
            assert_eq!(frame_part.frame.rgb, cut);
        }
        let outside = Window { x: 30, y: 0, width: 4, height: 1 };
        assert!(file.field_window(1, outside, &mut field_part).is_err());
        assert!(file.field_window(2, windows[0], &mut field_part).is_err());
        assert!(frames.frame_window(0, outside, &mut frame_part).is_err());
        assert!(frames.field_window(0, windows[0], &mut field_part).is_err());
    }
}
