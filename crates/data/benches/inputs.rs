//! Batches of 64 inputs of L = 10: 56x56 crops of 64x64 fields stored as bytes, in memory.
//!
//! `cargo bench -p data --bench inputs`. Decoding the bytes is part of the time.

use std::ops::Range;
use std::sync::Arc;

use criterion::{Criterion, criterion_group, criterion_main};
use data::augment::Augmentation;
use data::inputs::{FlowStack, Sampling};
use data::loader::{Crops, LabelledVideo, TestConfig, TestViews, TrainConfig, TrainLoader};
use data::sample::SampleSpec;
use data::source::{FieldWindow, Frame, Window};
use data::{DataError, Direction, Field, VideoReader};

const SIDE: usize = 64;
const FRAMES: usize = 60;
const STEP: f32 = 16.0 / 255.0;

/// Fields as bytes over -8..8 pixels, as a cache keeps them.
struct Bytes {
    fields: Vec<[Vec<u8>; 2]>,
    segments: Vec<Range<usize>>,
}

impl Bytes {
    /// Smooth motion of up to five pixels a frame.
    fn new(seed: usize) -> Self {
        let plane = |t: usize, phase: f32| {
            let at = |i: usize| {
                let (x, y) = ((i % SIDE) as f32, (i / SIDE) as f32);
                let wave = ((x + 2.0 * y) / 20.0 + t as f32 / 7.0 + phase).sin() * 5.0;
                ((wave + 8.0) / 16.0 * 255.0) as u8
            };
            (0..SIDE * SIDE).map(at).collect()
        };
        let fields = (0..FRAMES - 1).map(|t| [plane(t, seed as f32), plane(t, 1.5)]).collect();
        Self { fields, segments: std::iter::once(0..FRAMES).collect() }
    }
}

impl VideoReader for Bytes {
    fn size(&self) -> (usize, usize) {
        (SIDE, SIDE)
    }

    fn frames(&self) -> usize {
        FRAMES
    }

    fn frame(&self, _t: usize) -> Result<Frame, DataError> {
        Err(DataError::NotPrepared { id: "flow alone".to_owned() })
    }

    fn segments(&self) -> &[Range<usize>] {
        &self.segments
    }

    fn field(&self, _direction: Direction, t: usize) -> Result<Field, DataError> {
        let decode = |part: &Vec<u8>| part.iter().map(|&b| f32::from(b) * STEP - 8.0).collect();
        let [u, v] = &self.fields[t];
        Ok(Field { width: SIDE, height: SIDE, u: decode(u), v: decode(v), mean: [0.5, -0.5] })
    }

    fn field_window(
        &self,
        _direction: Direction,
        t: usize,
        window: Window,
        out: &mut FieldWindow,
    ) -> Result<(), DataError> {
        for (plane, bytes) in [&mut out.u, &mut out.v].into_iter().zip(&self.fields[t]) {
            let data = plane.bytes(-8.0, STEP);
            for row in window.y..window.y + window.height {
                data.extend_from_slice(&bytes[row * SIDE + window.x..][..window.width]);
            }
        }
        (out.width, out.height, out.mean) = (window.width, window.height, [0.5, -0.5]);
        Ok(())
    }
}

fn videos() -> Vec<LabelledVideo> {
    let video = |i: usize| LabelledVideo {
        id: i.to_string(),
        view: None,
        label: (i % 10) as u32,
        source: Arc::new(Bytes::new(i)),
    };
    (0..100).map(video).collect()
}

fn batches(c: &mut Criterion) {
    let videos = videos();
    for sampling in [Sampling::Stack, Sampling::Trajectory, Sampling::BiDirectional] {
        let stack = FlowStack { sampling, length: 10, mean_subtraction: true, scale: 0.25 };
        let config = TrainConfig {
            sample: SampleSpec::single(stack),
            size: (56, 56),
            batch: 64,
            places: None,
            augmentation: Augmentation::random_crops(true),
            seed: 1,
            depth: 1,
            workers: 1,
        };
        // One thread and depth 1: the time of a call is the time to make a batch.
        let mut loader = TrainLoader::new(videos.clone(), &config, 0..u64::MAX).expect("valid");
        c.bench_function(&format!("train batch 64x20x56x56, {sampling:?}"), |b| {
            b.iter(|| {
                let batch = loader.next().expect("endless").expect("valid");
                loader.recycle(batch);
            });
        });
        let config =
            TestConfig { sample: SampleSpec::single(stack), size: (56, 56), frames: 25, crops: Crops::Ten };
        c.bench_function(&format!("test video, 250 views, {sampling:?}"), |b| {
            b.iter(|| TestViews::new("v", &*videos[0].source, &config, 50).expect("valid").count());
        });
    }
}

criterion_group! {
    name = inputs;
    config = Criterion::default().sample_size(30);
    targets = batches
}
criterion_main!(inputs);
