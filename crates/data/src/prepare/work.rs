//! One video: which of its cache files are there, and making the others.

use super::video::Content;
use super::{PrepareConfig, Progress, import, key, kind_of};
use crate::codec::Codec;
use crate::container::{Builder, Container, Facts, Header, Kind};
use crate::cuts::{ChangeMeter, find_cuts, segments};
use crate::dataset::{Dataset, Generator, Video, VideoSource};
use crate::decode::{Decoder, RgbFrame};
use crate::error::DataError;
use crate::extracted::Extraction;
use crate::resize::{FrameResizer, target_size};
use crate::source::{Direction, Frame};
use flow::Estimator;
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The verified cache files of one video.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) frames: Container,
    pub(super) forward: Option<Container>,
    pub(super) backward: Option<Container>,
}

impl Files {
    pub(super) fn bytes(&self) -> u64 {
        self.frames.file_bytes() + self.flow().map(Container::file_bytes).sum::<u64>()
    }

    /// Forward and backward flow, as far as they were asked for.
    pub(super) fn flow(&self) -> impl Iterator<Item = &Container> {
        [self.forward.as_ref(), self.backward.as_ref()].into_iter().flatten()
    }
}

/// What all videos share.
pub(super) struct Work<'a> {
    dataset: &'a Dataset,
    pub(super) config: &'a PrepareConfig,
    cache_dir: &'a Path,
    pub(super) progress: &'a dyn Progress,
    pub(super) stop: &'a AtomicBool,
    pub(super) resizing_noted: AtomicBool,
    estimator: Option<Estimator>,
    decoder: OnceLock<Decoder>,
    reused: AtomicUsize,
    built: AtomicUsize,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        dataset: &'a Dataset,
        config: &'a PrepareConfig,
        cache_dir: &'a Path,
        progress: &'a dyn Progress,
        stop: &'a AtomicBool,
    ) -> Result<Self, DataError> {
        if !(16..=4096).contains(&config.short_side) {
            return Err(DataError::Invalid {
                what: "short side of the frames".to_owned(),
                expected: "16 to 4096 pixels".to_owned(),
                found: config.short_side.to_string(),
            });
        }
        if config.frame_codec == Codec::Float32 {
            return Err(DataError::Invalid {
                what: "storage of the frames".to_owned(),
                expected: "raw8, which keeps them exactly, or jpeg".to_owned(),
                found: "float32".to_owned(),
            });
        }
        if config.flow_bound.is_some_and(|bound| !(bound.is_finite() && bound > 0.0)) {
            return Err(DataError::Invalid {
                what: "bound of the flow".to_owned(),
                expected: "a number of pixels above 0".to_owned(),
                found: format!("{:?}", config.flow_bound),
            });
        }
        if config.flow_bound.is_some() && config.flow_codec == Codec::Float32 {
            return Err(DataError::Invalid {
                what: "bound of the flow".to_owned(),
                expected: "none, since float32 stores every vector as it is".to_owned(),
                found: format!("{:?}", config.flow_bound),
            });
        }
        if config.backward && config.flow.is_none() {
            return Err(DataError::Invalid {
                what: "flow".to_owned(),
                expected: "a method, since backward flow was asked for".to_owned(),
                found: "none".to_owned(),
            });
        }
        if config.backward && dataset.extraction.is_some() {
            return Err(DataError::Invalid {
                what: format!("flow of `{}`", dataset.name),
                expected: "forward flow alone, which is what extracted folders hold".to_owned(),
                found: "backward flow was asked for; give the videos themselves as data root".to_owned(),
            });
        }
        Ok(Self {
            dataset,
            config,
            cache_dir,
            progress,
            stop,
            resizing_noted: AtomicBool::new(false),
            estimator: config.flow.clone().map(Estimator::new).transpose()?,
            decoder: OnceLock::new(),
            reused: AtomicUsize::new(0),
            built: AtomicUsize::new(0),
        })
    }

    pub(super) fn reused(&self) -> usize {
        self.reused.load(Ordering::Relaxed)
    }

    pub(super) fn built(&self) -> usize {
        self.built.load(Ordering::Relaxed)
    }

    /// What a video with the given source hash is read from.
    pub(super) fn content(&self, video: &Video, source: &str) -> Result<Content, DataError> {
        if let (VideoSource::Generated(index), Some(stills @ Generator::Stills(_))) =
            (&video.source, self.dataset.generator())
        {
            if self.stop.load(Ordering::Relaxed) {
                return Err(DataError::Interrupted);
            }
            let clip = stills.render(*index);
            let mut resizer = FrameResizer::new(self.config.short_side);
            let resized = |rgb: &Vec<u8>| {
                let (width, height, rgb) = resizer.resize(clip.width, clip.height, rgb)?;
                Ok::<_, DataError>(Frame { width, height, rgb: rgb.to_vec() })
            };
            return Ok(Content::Stills(clip.frames.iter().map(resized).collect::<Result<_, _>>()?));
        }
        self.files(video, source).map(|files| Content::Cached(Box::new(files)))
    }

    /// All files of a video with the given source hash, made where they are missing or damaged.
    fn files(&self, video: &Video, source: &str) -> Result<Files, DataError> {
        let frames_key = key::frames(source, self.config, self.dataset.cuts)?;
        let frames = self.file(video, Kind::Frames, &frames_key, None, |path| {
            self.build_frames(video, source, &frames_key, path)
        })?;
        let (Some(method), Some(estimator)) = (&self.config.flow, &self.estimator) else {
            return Ok(Files { frames, forward: None, backward: None });
        };
        if let VideoSource::Extracted(folder) = &video.source {
            let flow_key = key::imported(&frames_key, self.config, self.extraction()?)?;
            let forward = self.file(video, Kind::ForwardFlow, &flow_key, Some(frames.header()), |path| {
                self.import_flow(folder, &frames, &flow_key, path)
            })?;
            return Ok(Files { frames, forward: Some(forward), backward: None });
        }
        let flow = |direction| {
            let kind = kind_of(direction);
            let flow_key = key::flow(kind, &frames_key, self.config, method)?;
            self.file(video, kind, &flow_key, Some(frames.header()), |path| {
                self.build_flow(estimator, direction, &frames, &flow_key, path)
            })
        };
        let forward = flow(Direction::Forward)?;
        let backward = if self.config.backward { Some(flow(Direction::Backward)?) } else { None };
        Ok(Files { frames, forward: Some(forward), backward })
    }

    /// Opens and checks a file; builds it if it is missing, damaged or not what its name says. The flow of
    /// a video has to match the header of its `frames`.
    fn file(
        &self,
        video: &Video,
        kind: Kind,
        key: &str,
        frames: Option<&Header>,
        build: impl FnOnce(&Path) -> Result<(), DataError>,
    ) -> Result<Container, DataError> {
        let path = key::path(self.cache_dir, kind, key);
        if path.exists() {
            let open = if self.config.verify { Container::open_verified } else { Container::open };
            match open(&path).and_then(|file| fits(file, kind, key, frames)) {
                Ok(file) => {
                    self.reused.fetch_add(1, Ordering::Relaxed);
                    return Ok(file);
                }
                Err(error) => {
                    tracing::warn!(video = video.id, %error, "rebuilding a damaged cache file");
                    self.progress.note(&format!("{}: rebuilding its {}: {error}", video.id, kind.folder()));
                }
            }
        }
        build(&path)?;
        self.built.fetch_add(1, Ordering::Relaxed);
        Container::open(&path).and_then(|file| fits(file, kind, key, frames))
    }

    fn build_frames(&self, video: &Video, source: &str, key: &str, path: &Path) -> Result<(), DataError> {
        let mut builder = Builder::new(Kind::Frames, self.config.frame_codec, key.to_owned());
        let mut meter = ChangeMeter::default();
        let mut resizer = FrameResizer::new(self.config.short_side);
        let mut take = |frame: RgbFrame<'_>| {
            if self.stop.load(Ordering::Relaxed) {
                return Err(DataError::Interrupted);
            }
            meter.push(frame);
            let (width, height, rgb) = resizer.resize(frame.width, frame.height, frame.data)?;
            builder.push_frame(width, height, rgb)
        };
        let mut decoded_by = String::new();
        match (&video.source, self.dataset.generator()) {
            (VideoSource::File(file), _) => {
                let decoder = self.decoder()?;
                decoder.decode(file, self.stop, &mut take)?.strict(file)?;
                decoded_by = format!(", decoded by ffmpeg {}", decoder.version());
            }
            (VideoSource::Generated(index), Some(generator)) => {
                let clip = generator.render(*index);
                for data in &clip.frames {
                    take(RgbFrame { width: clip.width, height: clip.height, data })?;
                }
            }
            (VideoSource::Extracted(folder), _) => {
                self.import_frames(folder, |picture| {
                    if self.stop.load(Ordering::Relaxed) {
                        return Err(DataError::Interrupted);
                    }
                    let (width, height) = (picture.width, picture.height);
                    meter.push(RgbFrame { width, height, data: &picture.pixels });
                    if target_size(width, height, self.config.short_side) == (width, height) {
                        return builder.push_stored_frame((width, height), import::stored(picture));
                    }
                    let (width, height, rgb) = resizer.resize(width, height, &picture.pixels)?;
                    builder.push_frame(width, height, rgb)
                })?;
            }
            // Neither has a content, so neither comes this far.
            (VideoSource::Generated(_), None) | (VideoSource::Missing { .. }, _) => {}
        }
        builder.set_facts(Facts { repeated: Some(meter.repeated()), judged: None });
        let cuts = self.dataset.cuts.map(|config| find_cuts(meter.changes(), &config)).unwrap_or_default();
        let segments = segments(builder.count(), &cuts);
        builder.write(path, format!("{source}{decoded_by}"), segments, (1, 1))
    }

    /// What is known of extracted flow.
    pub(super) fn extraction(&self) -> Result<Extraction, DataError> {
        self.dataset.extraction.ok_or_else(|| DataError::Invalid {
            what: format!("extracted video of `{}`", self.dataset.name),
            expected: "a stated bound".to_owned(),
            found: "none".to_owned(),
        })
    }

    /// Looked for only once a video has to be decoded.
    fn decoder(&self) -> Result<&Decoder, DataError> {
        if let Some(decoder) = self.decoder.get() {
            return Ok(decoder);
        }
        let decoder = Decoder::with_program(&self.config.ffmpeg)?;
        Ok(self.decoder.get_or_init(|| decoder))
    }
}

/// Whether an intact file is the one that its name promises.
fn fits(file: Container, kind: Kind, key: &str, frames: Option<&Header>) -> Result<Container, DataError> {
    let header = file.header();
    if (header.kind, header.key.as_str()) != (kind, key) {
        let found = format!("{:?} with key {}", header.kind, header.key);
        return Err(DataError::corrupt(file.path(), format!("{kind:?} with key {key}"), found));
    }
    let covered = header.segments.first().is_none_or(|first| first.start == 0)
        && header.segments.windows(2).all(|pair| pair[0].end == pair[1].start)
        && header.segments.iter().all(|segment| segment.start <= segment.end);
    let last = header.segments.last().map_or(0, |segment| segment.end);
    let (count, expected) = match frames {
        None => (header.count, last),
        Some(frames) => (header.count, frames.count.saturating_sub(1)),
    };
    let same_size = frames.is_none_or(|frames| {
        (frames.width, frames.height, &frames.segments) == (header.width, header.height, &header.segments)
    });
    if !covered || count != expected || !same_size {
        let found = format!("{count} entries of {}x{}, {:?}", header.width, header.height, header.segments);
        return Err(DataError::corrupt(
            file.path(),
            format!("{expected} entries that fit the frames"),
            found,
        ));
    }
    Ok(file)
}
