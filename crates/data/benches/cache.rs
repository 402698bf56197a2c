//! Size and accuracy of the cache: bytes and error of every way to store flow, on real clips of UCF-101.
//!
//! `cargo bench -p data --bench cache -- FOLDER [PAIRS]` prints two Markdown tables; FOLDER holds the clips and
//! PAIRS is the number of frame pairs of each that are used, evenly spread (20 by default).
#![expect(clippy::print_stdout, reason = "a benchmark prints")]

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use data::codec::Codec;
use data::container::{Builder, Container, Kind};
use data::decode::Decoder;
use data::resize::FrameResizer;
use data::source::{FieldWindow, Window};
use flow::{Estimator, FlowField, GrayImage, Method, TvL1Params};

/// The papers' smaller side and crop.
const SHORT_SIDE: usize = 256;
const CROP: usize = 224;
/// Approximate number of frames of all 13,320 videos of UCF-101.
const UCF101_FRAMES: f64 = 2.4e6;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Frame pairs of one clip at the cache's size.
struct Clip {
    width: usize,
    height: usize,
    frames: Vec<Vec<u8>>,
    fields: Vec<FlowField>,
}

fn clip(path: &Path, pairs: usize) -> Result<Clip> {
    let mut all = Vec::new();
    let mut size = (0, 0);
    let mut resizer = FrameResizer::new(SHORT_SIDE);
    Decoder::find()?.decode(path, &AtomicBool::new(false), |frame| {
        let (width, height, rgb) = resizer.resize(frame.width, frame.height, frame.data)?;
        size = (width, height);
        all.push(rgb.to_vec());
        Ok(())
    })?;
    let (width, height) = size;
    let tvl1 = Estimator::new(Method::TvL1(TvL1Params::fast()))?;
    let mut workspace = tvl1.workspace();
    let grey = |t: usize| GrayImage::from_rgb8(width, height, &all[t]);
    let last = all.len().saturating_sub(1);
    let count = pairs.min(last).max(1);
    let starts: Vec<usize> = (0..count).map(|i| i * last / count).collect();
    let fields = starts.iter().map(|&t| Ok(tvl1.compute_with(&mut workspace, &grey(t)?, &grey(t + 1)?)?));
    let fields = fields.collect::<Result<Vec<_>>>()?;
    Ok(Clip { width, height, frames: starts.into_iter().map(|t| all[t].clone()).collect(), fields })
}

/// Sums over fields.
#[derive(Default)]
struct Totals {
    fields: f64,
    bytes: f64,
    vectors: f64,
    clipped: f64,
    error: f64,
    worst: f32,
    whole_ms: f64,
    window_ms: f64,
}

fn middle(width: usize, height: usize) -> Window {
    Window { x: (width - CROP) / 2, y: (height - CROP) / 2, width: CROP, height: CROP }
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, f64) {
    let begun = Instant::now();
    let result = work();
    (result, begun.elapsed().as_secs_f64() * 1e3)
}

fn store_flow(clips: &[Clip], codec: Codec, bound: Option<f32>, scratch: &Path) -> Result<Totals> {
    let mut totals = Totals::default();
    let mut part = FieldWindow::default();
    for clip in clips {
        let mut builder = Builder::new(Kind::ForwardFlow, codec, "bench".to_owned(), &std::env::temp_dir())
            .with_bound(bound);
        clip.fields.iter().try_for_each(|field| builder.push_field(field))?;
        builder.write(scratch, String::new(), Vec::new(), (1, 1))?;
        let file = Container::open(scratch)?;
        totals.bytes += file.file_bytes() as f64;
        totals.clipped += file.header().clipped as f64;
        for (index, exact) in clip.fields.iter().enumerate() {
            let (stored, whole_ms) = timed(|| file.field(index));
            let middle = middle(clip.width, clip.height);
            let (window, window_ms) = timed(|| file.field_window(index, middle, &mut part));
            window?;
            let stored = stored?;
            totals.whole_ms += whole_ms;
            totals.window_ms += window_ms;
            totals.fields += 1.0;
            totals.vectors += exact.u.len() as f64;
            let pairs = exact.u.iter().zip(&exact.v).zip(stored.u.iter().zip(&stored.v));
            for ((u, v), (su, sv)) in pairs {
                let error = (u - su).hypot(v - sv);
                totals.error += f64::from(error);
                totals.worst = totals.worst.max(error);
            }
        }
    }
    Ok(totals)
}

fn store_frames(clips: &[Clip], codec: Codec, scratch: &Path) -> Result<(f64, f64, f64)> {
    let (mut bytes, mut squares, mut count, mut frames) = (0.0, 0.0, 0.0, 0.0);
    for clip in clips {
        let mut builder = Builder::new(Kind::Frames, codec, "bench".to_owned(), &std::env::temp_dir());
        clip.frames.iter().try_for_each(|rgb| builder.push_frame(clip.width, clip.height, rgb))?;
        builder.write(scratch, String::new(), Vec::new(), (1, 1))?;
        let file = Container::open(scratch)?;
        bytes += file.file_bytes() as f64;
        for (index, exact) in clip.frames.iter().enumerate() {
            let stored = file.frame(index)?;
            squares += exact.iter().zip(&stored).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum::<f64>();
            count += exact.len() as f64;
            frames += 1.0;
        }
    }
    let psnr = 10.0 * (255f64.powi(2) * count / squares.max(f64::MIN_POSITIVE)).log10();
    Ok((bytes / frames, psnr, bytes / frames * UCF101_FRAMES / 1e9))
}

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1).filter(|argument| !argument.starts_with("--"));
    let Some(folder) = arguments.next().map(PathBuf::from) else {
        println!("name a folder of clips: cargo bench -p data --bench cache -- FOLDER [PAIRS]");
        return Ok(());
    };
    let pairs = arguments.next().map_or(Ok(20), |n| n.parse())?;
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(&folder)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    paths.sort();
    let clips = paths.iter().map(|path| clip(path, pairs)).collect::<Result<Vec<_>>>()?;
    let scratch = std::env::temp_dir().join(format!("cache-bench-{}.var", std::process::id()));

    println!(
        "{} clips, {} fields of {SHORT_SIDE} pixels' short side\n",
        clips.len(),
        clips.iter().map(|c| c.fields.len()).sum::<usize>()
    );
    println!(
        "| flow | mapped over | bytes a field | mean error, pixels | largest | clipped | UCF-101, one direction | read, ms | read {CROP}x{CROP}, ms |"
    );
    println!("|---|---|---:|---:|---:|---:|---:|---:|---:|");
    let jpeg = |quality| Codec::Jpeg { quality };
    let ways = [
        ("float32", Codec::Float32, None),
        ("raw8", Codec::Raw8, None),
        ("raw8", Codec::Raw8, Some(20.0)),
        ("jpeg 95", jpeg(95), None),
        ("jpeg 95", jpeg(95), Some(20.0)),
        ("jpeg 90", jpeg(90), None),
        ("jpeg 75", jpeg(75), None),
    ];
    for (name, codec, bound) in ways {
        let t = store_flow(&clips, codec, bound, &scratch)?;
        let range = match (codec, bound) {
            (Codec::Float32, _) => "-".to_owned(),
            (_, Some(bound)) => format!("[-{bound}, {bound}]"),
            _ => "its own range".to_owned(),
        };
        println!(
            "| {name} | {range} | {:.0} | {:.4} | {:.2} | {:.3} % | {:.1} GB | {:.3} | {:.3} |",
            t.bytes / t.fields,
            t.error / t.vectors,
            t.worst,
            100.0 * t.clipped / t.vectors,
            t.bytes / t.fields * UCF101_FRAMES / 1e9,
            t.whole_ms / t.fields,
            t.window_ms / t.fields,
        );
    }
    println!("\n| frames | bytes a frame | PSNR, dB | UCF-101 |\n|---|---:|---:|---:|");
    for (name, codec) in [("raw8", Codec::Raw8), ("jpeg 95", jpeg(95)), ("jpeg 90", jpeg(90))] {
        let (bytes, psnr, total) = store_frames(&clips, codec, &scratch)?;
        let psnr = if codec == Codec::Raw8 { "exact".to_owned() } else { format!("{psnr:.1}") };
        println!("| {name} | {bytes:.0} | {psnr} | {total:.1} GB |");
    }
    std::fs::remove_file(&scratch)?;
    Ok(())
}
