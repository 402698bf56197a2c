//! Draws frames with their optical flow, a strip for each video:
//! `cargo run --release -p data --example strip -- OUT.png [VIDEO...]`.
//!
//! Two generated actions come first, then the given video files. Each strip has the frames above and the flow to the frame
//! after below, in the usual colours.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use data::dataset::Dataset;
use data::decode::Decoder;
use flow::{Estimator, GrayImage, Method, TvL1Params, flow_to_rgb8};
use image::RgbImage;
use image::imageops::{FilterType, replace, resize};

/// Frames of a strip, and the width of one, in pixels.
const FRAMES: usize = 8;
const WIDTH: u32 = 116;

/// Blank between pictures, in pixels.
const GAP: u32 = 4;

/// Generated actions that are drawn.
const ACTIONS: [&str; 2] = ["spin", "sway-fast"];

/// Flow of this many pixels has the strongest colour.
const FULL_SCALE: f32 = 4.0;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1).map(PathBuf::from);
    let out = args.next().ok_or("usage: strip OUT.png [VIDEO...]")?;
    let mut videos = Vec::new();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets/synth.toml");
    let set = Dataset::open(&file, None, None)?;
    let generator = set.generator().ok_or("not a generated set")?;
    let each = set.videos.len() / set.classes.len();
    for action in ACTIONS {
        let label = set.classes.iter().position(|class| class == action).ok_or(action)?;
        let clip = generator.set().render(label * each);
        let frame =
            |frame: &Vec<u8>| RgbImage::from_raw(clip.width as u32, clip.height as u32, frame.clone());
        videos.push(
            clip.frames.iter().map(frame).collect::<Option<Vec<_>>>().ok_or("a frame of another size")?,
        );
    }
    for path in args {
        let mut frames = Vec::new();
        Decoder::find()?.decode(&path, &AtomicBool::new(false), |frame| {
            frames.extend(RgbImage::from_raw(frame.width as u32, frame.height as u32, frame.data.into()));
            Ok(())
        })?;
        videos.push(frames);
    }
    let strips = videos.iter().map(|frames| strip(frames)).collect::<Result<Vec<_>, _>>()?;
    let width = strips.iter().map(RgbImage::width).max().unwrap_or(1);
    let height = strips.iter().map(|strip| strip.height() + 2 * GAP).sum();
    let mut sheet = RgbImage::from_pixel(width, height, image::Rgb([255, 255, 255]));
    let mut y = 0;
    for strip in strips {
        replace(&mut sheet, &strip, 0, i64::from(y));
        y += strip.height() + 2 * GAP;
    }
    sheet.save(out)?;
    Ok(())
}

/// Frames of a video, evenly spaced, with the flow below each.
fn strip(frames: &[RgbImage]) -> Result<RgbImage, Box<dyn std::error::Error>> {
    let estimator = Estimator::new(Method::TvL1(TvL1Params::accurate()))?;
    let mut pictures = Vec::new();
    for at in 0..FRAMES {
        let t = at * (frames.len() - 1) / FRAMES;
        let grey = |frame: &RgbImage| {
            GrayImage::from_rgb8(frame.width() as usize, frame.height() as usize, frame.as_raw())
        };
        let field = estimator.compute(&grey(&frames[t])?, &grey(&frames[t + 1])?)?;
        let colours = RgbImage::from_raw(
            field.width as u32,
            field.height as u32,
            flow_to_rgb8(&field, Some(FULL_SCALE))?,
        );
        let small = |picture: &RgbImage| {
            let height = picture.height() * WIDTH / picture.width();
            resize(picture, WIDTH, height, FilterType::Triangle)
        };
        pictures.push([small(&frames[t]), small(&colours.ok_or("flow of another size")?)]);
    }
    let width = pictures.len() as u32 * (WIDTH + GAP) - GAP;
    let height = pictures.iter().map(|[frame, _]| frame.height()).max().unwrap_or(1);
    let mut strip = RgbImage::from_pixel(width, 2 * height + GAP, image::Rgb([255, 255, 255]));
    for (at, [frame, colours]) in pictures.iter().enumerate() {
        let x = at as i64 * i64::from(WIDTH + GAP);
        replace(&mut strip, frame, x, 0);
        replace(&mut strip, colours, x, i64::from(height + GAP));
    }
    Ok(strip)
}
