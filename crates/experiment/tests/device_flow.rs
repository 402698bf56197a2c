//! Tests TV-L1 on a GPU against TV-L1 on the CPU. Needs the feature `cuda` and a GPU, declared by `KERNELS_DEVICE=cuda`.

#![cfg(feature = "cuda")]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what its helpers want too")]

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use data::codec::Codec;
use data::dataset::Dataset;
use data::prepare::{PrepareConfig, Silent, prepare};
use data::{Direction, VideoReader};
use experiment::device_flow::{DeviceFlow, batched};
use flow::{Batched, Estimator, FlowError, FlowField, GrayImage, MedianFilter, Method, TvL1Params};

/// Maximum mean difference of the two, in pixels. Rounding alone gives about 1e-6.
const MEAN: f64 = 1e-4;

/// Difference in pixels above which a vector is far. This happens if a last bit decides between two branches: whether the
/// flow points into the picture, or on which side of a clamp it is.
const FAR: f32 = 0.02;

/// Maximum fraction of far vectors.
const OFTEN: f64 = 0.01;

/// Returns the GPU, or prints that the test is skipped.
fn gpu() -> Option<DeviceFlow> {
    if std::env::var("KERNELS_DEVICE").as_deref() != Ok("cuda") {
        testkit::skipped("flow on a GPU", "no GPU is used (KERNELS_DEVICE=cuda demands one)");
        return None;
    }
    Some(DeviceFlow::new(&nn::device::cuda(0).unwrap()).unwrap())
}

/// Computes aperiodic noise of three scales at any place, 0 to 255.
fn texture(x: f32, y: f32) -> f32 {
    let corner = |x: i32, y: i32, scale: i32| {
        let mut bits =
            (x as u32).wrapping_mul(0x9e37_79b9) ^ (y as u32).wrapping_mul(0x85eb_ca6b) ^ scale as u32;
        for _ in 0..2 {
            bits = (bits ^ bits >> 15).wrapping_mul(0x2c1b_3c6d);
        }
        (bits >> 8) as f32 / (1 << 24) as f32
    };
    let smooth = |scale: i32| {
        let (x, y) = (x / scale as f32, y / scale as f32);
        let (left, top) = (x.floor(), y.floor());
        let [along, down] = [x - left, y - top].map(|t| t * t * (3.0 - 2.0 * t));
        let (left, top) = (left as i32, top as i32);
        let row = |y| corner(left, y, scale) + along * (corner(left + 1, y, scale) - corner(left, y, scale));
        row(top) + down * (row(top + 1) - row(top))
    };
    255.0 * (0.2 * smooth(2) + 0.35 * smooth(5) + 0.45 * smooth(13))
}

/// Renders frame `time` of a scene that shifts, turns and gets brighter.
fn frame(width: usize, height: usize, time: usize) -> GrayImage {
    let time = time as f32;
    let (sine, cosine) = (0.02 * time).sin_cos();
    let (middle_x, middle_y) = (0.5 * width as f32, 0.5 * height as f32);
    let value = |index: usize| {
        let (x, y) = ((index % width) as f32 - middle_x, (index / width) as f32 - middle_y);
        let (x, y) = (cosine * x - sine * y - 1.3 * time, sine * x + cosine * y + 0.7 * time);
        texture(x, y) + 1.5 * time
    };
    GrayImage::new(width, height, (0..width * height).map(value).collect()).unwrap()
}

fn frames(width: usize, height: usize, count: usize) -> Vec<GrayImage> {
    (0..count).map(|time| frame(width, height, time)).collect()
}

/// Returns the mean and largest difference of the components, the fraction of far vectors, and that of components with equal
/// bits.
fn differences(found: &[FlowField], expected: &[FlowField]) -> (f64, f32, f64, f64) {
    let (mut sum, mut largest, mut far, mut same, mut count) = (0.0, 0f32, 0, 0, 0);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!((found.width, found.height), (expected.width, expected.height));
        let pairs = found.u.iter().zip(&expected.u).chain(found.v.iter().zip(&expected.v));
        for (a, b) in pairs {
            let difference = (a - b).abs();
            assert!(difference.is_finite());
            sum += f64::from(difference);
            largest = largest.max(difference);
            far += usize::from(difference > FAR);
            same += usize::from(a == b);
            count += 1;
        }
    }
    let share = |part: usize| part as f64 / f64::from(count);
    (sum / f64::from(count), largest, share(far), share(same))
}

fn compare(
    what: &str,
    gpu: &DeviceFlow,
    params: &TvL1Params,
    frames: &[GrayImage],
    pairs: &[(usize, usize)],
) {
    let cpu = Estimator::new(Method::TvL1(params.clone())).unwrap();
    let mut workspace = cpu.workspace();
    let expected: Vec<FlowField> = pairs
        .iter()
        .map(|&(from, to)| cpu.compute_with(&mut workspace, &frames[from], &frames[to]).unwrap())
        .collect();
    let found = gpu.compute(params, frames, pairs).unwrap();
    let (mean, largest, far, same) = differences(&found, &expected);
    eprintln!("{what}: mean {mean:.2e}, largest {largest:.2e} pixels, {:.2} % the same bits", 100.0 * same);
    assert!(mean < MEAN && far <= OFTEN, "{what}: mean {mean}, {far} of the vectors are far");
    let moved = expected.iter().flat_map(|field| &field.u).any(|u| u.abs() > 0.3);
    assert!(moved || frames[0].width < 8, "{what}: nothing moves, so nothing was tested");
}

#[test]
fn both_presets_agree_with_the_cpu_at_any_size() {
    let Some(gpu) = gpu() else { return };
    for (width, height) in [(61, 47), (64, 64), (33, 90), (128, 96), (17, 8), (1, 5)] {
        let frames = frames(width, height, 4);
        // Both directions, over one frame and more, and a frame with itself.
        let pairs = [(0, 1), (1, 2), (2, 3), (1, 0), (3, 0), (2, 2)];
        for (name, preset) in [("fast", TvL1Params::fast()), ("accurate", TvL1Params::accurate())] {
            compare(&format!("{name}, {width}x{height}"), &gpu, &preset, &frames, &pairs);
            let few = TvL1Params { warps: 1, rounds: 2, iterations: 3, ..preset };
            compare(&format!("{name}, few iterations, {width}x{height}"), &gpu, &few, &frames, &pairs);
        }
    }
}

#[test]
fn every_setting_agrees_with_the_cpu() {
    let Some(gpu) = gpu() else { return };
    let frames = frames(61, 47, 3);
    let pairs = [(0, 1), (1, 2), (2, 1)];
    for median in [MedianFilter::None, MedianFilter::Three, MedianFilter::Five] {
        for illumination_limit in [0.0, 2.5] {
            let params = TvL1Params { median, illumination_limit, ..TvL1Params::fast() };
            compare(&format!("{median:?}, limit {illumination_limit}"), &gpu, &params, &frames, &pairs);
        }
    }
    let fast = TvL1Params::fast;
    for (what, params) in [
        ("no smoothing", TvL1Params { smoothing: 0.0, ..fast() }),
        ("much smoothing", TvL1Params { smoothing: 4.0, ..fast() }),
        ("no blend", TvL1Params { gradient_blend: 0.0, ..fast() }),
        ("the first gradient alone", TvL1Params { gradient_blend: 1.0, ..fast() }),
        ("one level", TvL1Params { levels: 1, ..fast() }),
        ("close levels", TvL1Params { levels: 20, scale_factor: 0.9, ..fast() }),
        ("narrow light", TvL1Params { illumination_scale: 4.0, ..fast() }),
        ("wide light", TvL1Params { illumination_scale: 64.0, ..fast() }),
        ("other weights", TvL1Params { tau: 0.2, lambda: 0.4, theta: 0.5, ..fast() }),
    ] {
        compare(what, &gpu, &params, &frames, &pairs);
    }
}

#[test]
fn batches_change_no_bit_and_calls_repeat() {
    let Some(gpu) = gpu() else { return };
    let (params, frames) = (TvL1Params::fast(), frames(61, 47, 9));
    let pairs: Vec<(usize, usize)> = (0..8).flat_map(|t| [(t, t + 1), (t + 1, t)]).collect();
    let whole = gpu.compute(&params, &frames, &pairs).unwrap();
    assert_eq!(gpu.compute(&params, &frames, &pairs).unwrap(), whole);
    let alone: Vec<FlowField> =
        pairs.iter().flat_map(|&pair| gpu.compute(&params, &frames, &[pair]).unwrap()).collect();
    assert_eq!(alone, whole);
    let one_by_one = DeviceFlow::new(&nn::device::cuda(0).unwrap()).unwrap().with_budget(0);
    assert_eq!(one_by_one.compute(&params, &frames, &pairs).unwrap(), whole);
    // Calls from several threads at once.
    let together = std::thread::scope(|scope| {
        let call = || gpu.compute(&params, &frames, &pairs).unwrap();
        [scope.spawn(call), scope.spawn(call)].map(|thread| thread.join().unwrap())
    });
    assert_eq!(together, [whole.clone(), whole]);
    assert!(gpu.compute(&params, &[], &[]).unwrap().is_empty());
    assert!(matches!(gpu.compute(&params, &frames, &[(0, 9)]), Err(FlowError::Pair { .. })));
    assert!(gpu.pairs_per_second(&params, (61, 47), 4).unwrap() > 0.0);
}

#[test]
fn intensities_beyond_all_bounds_do_no_harm() {
    let Some(gpu) = gpu() else { return };
    let mut frames = frames(40, 30, 2);
    frames[0].data[600] = f32::MAX;
    frames[1].data[310] = f32::MIN;
    // The result is meaningless, but nothing outside the pictures may be read.
    gpu.compute(&TvL1Params::fast(), &frames, &[(0, 1), (1, 0)]).unwrap();
}

#[test]
fn a_prepared_video_has_the_flow_of_the_cpu() {
    let Some(_) = gpu() else { return };
    let device = nn::device::cuda(0).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/synth.toml");
    let set = Dataset::open(&file, None, None).unwrap();
    let cache = tempfile::tempdir().unwrap();
    let config = |batched: Option<Arc<dyn Batched>>| PrepareConfig {
        short_side: 48,
        frame_codec: Codec::Raw8,
        flow_codec: Codec::Float32,
        flow_bound: None,
        flow: Some(Method::TvL1(TvL1Params::fast())),
        accept_messages: false,
        backward: true,
        batched,
        verify: true,
        ffmpeg: PathBuf::from("ffmpeg"),
    };
    let read = |batched| {
        let prepared =
            prepare(&set, &config(batched), &[0, 1], cache.path(), &Silent, &AtomicBool::new(false));
        let mut fields = Vec::new();
        for video in prepared.unwrap().videos {
            for direction in [Direction::Forward, Direction::Backward] {
                for t in 0..video.fields() {
                    let field = video.field(direction, t).unwrap();
                    fields.push(FlowField::new(field.width, field.height, field.u, field.v).unwrap());
                }
            }
        }
        fields
    };
    let (expected, found) = (read(None), read(batched(&device).unwrap()));
    let (mean, largest, far, same) = differences(&found, &expected);
    let count = found.len();
    eprintln!(
        "{count} prepared fields: mean {mean:.2e}, largest {largest:.2e}, {:.2} % the same",
        100.0 * same
    );
    assert!(mean < MEAN && far <= OFTEN, "mean {mean}, {far} of the vectors are far");
}
