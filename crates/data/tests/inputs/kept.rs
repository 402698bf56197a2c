//! Values that must not change: existing records were made from exactly these bits.

use std::ops::Range;
use std::sync::Arc;

use data::augment::Augmentation;
use data::codec::Codec;
use data::container::{Builder, Container, Kind};
use data::inputs::{FlowStack, Sampling};
use data::loader::{Batch, Crops, LabelledVideo, TestConfig, TestViews, TrainConfig, TrainLoader};
use data::source::{FieldWindow, Frame, Window};
use data::{DataError, Direction, Field, VideoReader};
use flow::FlowField;

use crate::support::{Planted, noise, one};

/// Flow in cache files, as a prepared video keeps it.
struct Cached {
    files: [Container; 2],
    segments: Vec<Range<usize>>,
    _folder: tempfile::TempDir,
}

impl Cached {
    fn new(planted: &Planted, codec: Codec) -> Self {
        let folder = tempfile::tempdir().expect("valid");
        let file = |kind: Kind, fields: &[Field]| {
            let mut builder = Builder::new(kind, codec, "00ff".to_owned(), &std::env::temp_dir());
            for Field { width, height, u, v, .. } in fields {
                let field = FlowField::new(*width, *height, u.clone(), v.clone()).expect("valid");
                builder.push_field(&field).expect("valid");
            }
            let path = folder.path().join(kind.folder());
            builder.write(&path, "a test".to_owned(), planted.segments.clone(), (1, 1)).expect("valid");
            Container::open_verified(&path).expect("valid")
        };
        let files = [file(Kind::ForwardFlow, &planted.forward), file(Kind::BackwardFlow, &planted.backward)];
        Self { files, segments: planted.segments.clone(), _folder: folder }
    }
}

impl VideoReader for Cached {
    fn size(&self) -> (usize, usize) {
        (self.files[0].header().width, self.files[0].header().height)
    }

    fn frames(&self) -> usize {
        self.files[0].header().count + 1
    }

    fn frame(&self, _t: usize) -> Result<Frame, DataError> {
        Err(DataError::NotPrepared { id: "without frames".into() })
    }

    fn segments(&self) -> &[Range<usize>] {
        &self.segments
    }

    fn field(&self, direction: Direction, t: usize) -> Result<Field, DataError> {
        self.files[direction as usize].field(t)
    }

    fn field_window(
        &self,
        direction: Direction,
        t: usize,
        window: Window,
        out: &mut FieldWindow,
    ) -> Result<(), DataError> {
        self.files[direction as usize].field_window(t, window, out)
    }
}

fn planted(i: usize) -> Planted {
    let mut video = Planted::new((23 + i, 19), 14 + i, |d, t, x, y| noise(i as u64, d, t, x, y));
    video.segments = vec![0..7, 7..14 + i];
    video
}

fn stack(sampling: Sampling, mean_subtraction: bool) -> FlowStack {
    FlowStack { sampling, length: 4, mean_subtraction, scale: 0.3 }
}

fn hash_of(batches: impl Iterator<Item = Batch>) -> String {
    let mut hash = blake3::Hasher::new();
    for batch in batches {
        for value in batch.inputs.values().flat_map(|input| &input.data) {
            hash.update(&value.to_le_bytes());
        }
        for label in &batch.labels {
            hash.update(&label.to_le_bytes());
        }
        for &video in &batch.videos {
            hash.update(&(video as u64).to_le_bytes());
        }
    }
    hash.finalize().to_hex()[..16].to_owned()
}

/// Three batches of every kind of stack, and the views of a test, by storage.
fn hashes(video: impl Fn(usize) -> LabelledVideo) -> Vec<String> {
    let videos: Vec<_> = (0..5).map(video).collect();
    let mut hashes = Vec::new();
    for (sampling, mean) in [
        (Sampling::Stack, true),
        (Sampling::Stack, false),
        (Sampling::Trajectory, true),
        (Sampling::BiDirectional, true),
    ] {
        let stack = stack(sampling, mean);
        let config = TrainConfig {
            sample: one(stack),
            size: (17, 13),
            batch: 5,
            places: None,
            augmentation: Augmentation::random_crops(true),
            seed: 77,
            depth: 2,
            workers: 2,
        };
        let loader = TrainLoader::new(videos.clone(), &config, 3..6).expect("valid");
        hashes.push(hash_of(loader.map(Result::unwrap)));

        let config = TestConfig { sample: one(stack), size: (17, 13), frames: 3, crops: Crops::Ten };
        let views = TestViews::new("v", &*videos[1].source, &config, 7).expect("valid").map(|views| Batch {
            iteration: 0,
            inputs: views.expect("valid").inputs,
            labels: Vec::new(),
            videos: Vec::new(),
            together: Vec::new(),
            time_steps: Vec::new(),
        });
        hashes.push(hash_of(views));
    }
    hashes
}

fn labelled(i: usize, source: impl VideoReader + Send + Sync + 'static) -> LabelledVideo {
    LabelledVideo { view: None, id: format!("v{i}"), label: (i % 3) as u32, source: Arc::new(source) }
}

/// Hashes of training batches and of test views in turn: stacks with and without mean
/// subtraction, trajectories, bi-directional stacks.
const FLOATS: [&str; 8] = [
    "62292e5e2fd56cf5",
    "913bdbb966a94788",
    "263ce2e466342a03",
    "b1c2e7b50ca4e7a0",
    "1c9dbce0f4a8ab45",
    "c3c68eaa9dd8134e",
    "36e6633bb980d398",
    "0c201b4c320df615",
];
const RAW: [&str; 8] = [
    "79096c1264ed3676",
    "ee30f4f11f8119a7",
    "4fc1a1faf7af7fce",
    "f4a4e90435edcbe2",
    "32e9ac604a2804ca",
    "3de4a4b0c73d6c35",
    "d598c24c81cfcff3",
    "38b05e85a676ffaa",
];
const JPEG: [&str; 8] = [
    "b441c7f8d8149c81",
    "4c73c7ac28ba7cc7",
    "3add3acf9763e470",
    "9ab423373212e11d",
    "2f6e458d39651f2b",
    "8399cff481e748dc",
    "a16bcc629a78fef8",
    "82702505018ef971",
];

#[test]
fn batches_of_floats_are_what_they_were() {
    assert_eq!(hashes(|i| labelled(i, planted(i))), FLOATS);
}

#[test]
fn batches_of_raw_bytes_are_what_they_were() {
    assert_eq!(hashes(|i| labelled(i, Cached::new(&planted(i), Codec::Raw8))), RAW);
}

/// These hashes also depend on the JPEG decoder: a different one may round differently.
#[test]
fn batches_of_jpeg_are_what_they_were() {
    let jpeg = Codec::Jpeg { quality: 90 };
    assert_eq!(hashes(|i| labelled(i, Cached::new(&planted(i), jpeg))), JPEG);
}
