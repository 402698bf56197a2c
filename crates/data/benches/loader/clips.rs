//! The flow of a few clips, written in every form that is measured.

use std::error::Error;
use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use data::codec::Codec;
use data::container::{Builder, Container, Kind};
use data::decode::Decoder;
use data::loader::LabelledVideo;
use data::source::{FieldWindow, Frame, Window};
use data::{DataError, Direction, Field, VideoReader};
use fast_image_resize::images::{Image, ImageRef};
use fast_image_resize::{PixelType, Resizer};
use flow::{Estimator, FlowField, GrayImage, Method, TvL1Params};
use image::ExtendedColorType;
use image::codecs::jpeg::JpegEncoder;

pub(crate) const WIDTH: usize = 340;
pub(crate) const HEIGHT: usize = 256;

/// Pixels that bytes 0 and 255 stand for in the layout of Temporal Segment Networks.
pub(crate) const BOUND: f32 = 20.0;

/// A way to store flow in the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Form {
    Raw8,
    /// Each component of each field over its own range, as in prepared videos.
    Jpeg,
    /// Over the same bound as the peer's files: the same bytes to decode.
    BoundedJpeg,
}

impl Form {
    pub(crate) const ALL: [Self; 3] = [Self::Raw8, Self::Jpeg, Self::BoundedJpeg];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Raw8 => "ours, raw8",
            Self::Jpeg => "ours, JPEG over own range",
            Self::BoundedJpeg => "ours, JPEG over [-20, 20]",
        }
    }

    fn builder(self, key: String, quality: u8) -> Builder {
        let codec = if self == Self::Raw8 { Codec::Raw8 } else { Codec::Jpeg { quality } };
        let bound = (self == Self::BoundedJpeg).then_some(BOUND);
        Builder::new(Kind::ForwardFlow, codec, key, &std::env::temp_dir()).with_bound(bound)
    }
}

/// One clip in all forms.
pub(crate) struct Clip {
    id: usize,
    pub(crate) pairs: usize,
    /// Folder of `x_%05d.jpg` and `y_%05d.jpg`, from 1.
    pub(crate) tsn: PathBuf,
    /// Bytes of both files of a field together.
    pub(crate) tsn_bytes: u64,
    /// A cache file for each of [`Form::ALL`].
    files: [PathBuf; 3],
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// Decodes all clips of a folder, computes flow and writes it under `out`.
pub(crate) fn extract(clips: &Path, pairs: usize, out: &Path, quality: u8) -> Result<Vec<Clip>> {
    let mut files: Vec<PathBuf> =
        fs::read_dir(clips)?.map(|entry| Ok(entry?.path())).collect::<Result<_>>()?;
    files.retain(|file| file.extension().is_some_and(|ending| ending == "avi"));
    files.sort();
    if files.is_empty() {
        return Err(format!("{} holds no .avi file", clips.display()).into());
    }
    let decoder = Decoder::find()?;
    files.iter().enumerate().map(|(id, file)| clip(&decoder, file, id, pairs, out, quality)).collect()
}

fn clip(decoder: &Decoder, file: &Path, id: usize, pairs: usize, out: &Path, quality: u8) -> Result<Clip> {
    let mut pictures = Vec::new();
    let mut resizer = Resizer::new();
    let mut problem = None;
    decoder.decode(file, &AtomicBool::new(false), |frame| {
        if pictures.len() <= pairs && problem.is_none() {
            match picture(&mut resizer, frame.width, frame.height, frame.data) {
                Ok(picture) => pictures.push(picture),
                Err(error) => problem = Some(error),
            }
        }
        Ok(())
    })?;
    if let Some(problem) = problem {
        return Err(problem);
    }
    let tvl1 = Estimator::new(Method::TvL1(TvL1Params::fast()))?;
    let mut workspace = tvl1.workspace();
    let tsn = out.join(format!("tsn-{id}"));
    fs::create_dir_all(&tsn)?;
    let mut builders = Form::ALL.map(|form| form.builder(format!("{id:04}"), quality));
    let mut tsn_bytes = 0;
    for (t, pair) in pictures.windows(2).enumerate() {
        let field: FlowField = tvl1.compute_with(&mut workspace, &pair[0], &pair[1])?;
        for builder in &mut builders {
            builder.push_field(&field)?;
        }
        for (name, values) in [("x", &field.u), ("y", &field.v)] {
            let byte = |&value: &f32| ((value + BOUND) / (2.0 * BOUND) * 255.0 + 0.5).clamp(0.0, 255.0) as u8;
            let bytes: Vec<u8> = values.iter().map(byte).collect();
            let mut jpeg = Vec::new();
            JpegEncoder::new_with_quality(&mut jpeg, quality).encode(
                &bytes,
                WIDTH as u32,
                HEIGHT as u32,
                ExtendedColorType::L8,
            )?;
            tsn_bytes += jpeg.len() as u64;
            fs::write(tsn.join(format!("{name}_{:05}.jpg", t + 1)), jpeg)?;
        }
    }
    let pairs = pictures.len().saturating_sub(1);
    let files = Form::ALL.map(|form| out.join(format!("{form:?}-{id}")));
    for (builder, path) in builders.into_iter().zip(&files) {
        builder.write(path, file.display().to_string(), segments(pairs), (WIDTH, HEIGHT))?;
    }
    Ok(Clip { id, pairs, tsn, tsn_bytes, files })
}

fn picture(resizer: &mut Resizer, width: usize, height: usize, rgb: &[u8]) -> Result<GrayImage> {
    let source = ImageRef::new(width as u32, height as u32, rgb, PixelType::U8x3)?;
    let mut target = Image::new(WIDTH as u32, HEIGHT as u32, PixelType::U8x3);
    resizer.resize(&source, &mut target, None)?;
    Ok(GrayImage::from_rgb8(WIDTH, HEIGHT, target.buffer())?)
}

fn segments(pairs: usize) -> Vec<Range<usize>> {
    std::iter::once(0..pairs + 1).collect()
}

impl Clip {
    fn file(&self, form: Form) -> &Path {
        &self.files[form as usize]
    }

    /// Size of the cache file.
    pub(crate) fn cache_bytes(&self, form: Form) -> u64 {
        fs::metadata(self.file(form)).map_or(0, |data| data.len())
    }

    pub(crate) fn labelled(&self, form: Form) -> std::result::Result<LabelledVideo, DataError> {
        let file = Container::open_verified(self.file(form))?;
        let source = Arc::new(Cached { file, segments: segments(self.pairs) });
        Ok(LabelledVideo { view: None, id: self.id.to_string(), label: self.id as u32, source })
    }
}

/// Forward flow in a cache file, read as a prepared video reads it.
struct Cached {
    file: Container,
    segments: Vec<Range<usize>>,
}

impl VideoReader for Cached {
    fn size(&self) -> (usize, usize) {
        (WIDTH, HEIGHT)
    }

    fn frames(&self) -> usize {
        self.file.header().count + 1
    }

    fn segments(&self) -> &[Range<usize>] {
        &self.segments
    }

    fn frame(&self, _t: usize) -> std::result::Result<Frame, DataError> {
        Err(DataError::NotPrepared { id: "flow alone".to_owned() })
    }

    fn field(&self, _direction: Direction, t: usize) -> std::result::Result<Field, DataError> {
        self.file.field(t)
    }

    fn field_window(
        &self,
        _direction: Direction,
        t: usize,
        window: Window,
        out: &mut FieldWindow,
    ) -> std::result::Result<(), DataError> {
        self.file.field_window(t, window, out)
    }
}
