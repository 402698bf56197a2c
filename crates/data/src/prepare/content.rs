//! The cache files of one video: finding those that exist and making the others.

use super::video::{Content, Files};
use super::work::Work;
use super::{import, key};
use crate::container::{Builder, Container, Facts, Header, Kind, Messages};
use crate::cuts::{ChangeMeter, find_cuts, segments};
use crate::dataset::{Generator, Video, VideoSource};
use crate::decode::{DecodeProblem, Decoded, Log, RgbFrame};
use crate::error::DataError;
use crate::extracted::ExtractedFolder;
use crate::resize::{FrameResizer, target_size};
use crate::source::{Direction, Frame};
use std::path::Path;
use std::sync::atomic::Ordering;

impl Work<'_> {
    /// Returns the content of a video with the given source hash.
    pub(super) fn content(&self, video: &Video, source: &str) -> Result<Content, DataError> {
        if let Some((stills @ Generator::Stills(_), index)) = self.dataset.rendering(video) {
            if self.stop.load(Ordering::Relaxed) {
                return Err(DataError::Interrupted);
            }
            let clip = stills.set().render(index);
            let mut resizer = FrameResizer::new(self.config.short_side);
            let resized = |rgb: &Vec<u8>| {
                let (width, height, rgb) = resizer.resize(clip.width, clip.height, rgb)?;
                Ok::<_, DataError>(Frame { width, height, rgb: rgb.to_vec() })
            };
            return Ok(Content::Stills(clip.frames.iter().map(resized).collect::<Result<_, _>>()?));
        }
        let files = self.files(video, source).map_err(|error| match &video.source {
            VideoSource::File(path) => error.of_video(path.display()),
            _ => error,
        })?;
        Ok(Content::Cached(Box::new(files)))
    }

    /// Returns all files of a video with the given source hash, and makes those that are missing or damaged.
    fn files(&self, video: &Video, source: &str) -> Result<Files, DataError> {
        if let (VideoSource::Extracted(folder), Some(_)) = (&video.source, &self.config.flow) {
            // Before the frames are imported, so that a data set without flow fails at once.
            ExtractedFolder::open(folder)?.with_flow()?;
            self.extraction()?;
        }
        let frames_key = key::frames(source, self.config, self.dataset.cuts)?;
        let frames = self.file(video, Kind::Frames, &frames_key, None, |path| {
            self.build_frames(video, source, &frames_key, path)
        })?;
        self.accepted(video, frames.header())?;
        let (Some(method), Some(estimator)) = (&self.config.flow, &self.estimator) else {
            return Ok(Files { frames, forward: None, backward: None });
        };
        // Networks of flow alone never read the frames again.
        let read = frames.for_one_pass();
        if let VideoSource::Extracted(folder) = &video.source {
            let flow_key = key::imported(&frames_key, self.config, self.extraction()?)?;
            let forward = self.file(video, Kind::ForwardFlow, &flow_key, Some(frames.header()), |path| {
                self.import_flow((video, source), folder, &read, &flow_key, path)
            })?;
            return Ok(Files { frames, forward: Some(forward), backward: None });
        }
        let flow = |direction| {
            let kind = Kind::from(direction);
            let flow_key = key::flow(kind, &frames_key, self.config, method)?;
            self.file(video, kind, &flow_key, Some(frames.header()), |path| {
                self.build_flow(estimator, direction, &read, &flow_key, path)
            })
        };
        let forward = flow(Direction::Forward)?;
        let backward = if self.config.backward { Some(flow(Direction::Backward)?) } else { None };
        Ok(Files { frames, forward: Some(forward), backward })
    }

    /// Refuses frames that were cached with messages of ffmpeg, unless these are accepted.
    fn accepted(&self, video: &Video, frames: &Header) -> Result<(), DataError> {
        match (&video.source, &frames.facts.messages) {
            (VideoSource::File(path), Some(Messages { count, first })) if !self.config.accept_messages => {
                let (frames, errors, first) = (frames.count, *count, first.clone());
                let log = Log(vec![first.clone()]);
                let problem = DecodeProblem::Damaged { frames, errors, first, log };
                Err(DataError::Decode { path: path.clone(), problem })
            }
            _ => Ok(()),
        }
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
                    tracing::debug!(video = video.id, file = %path.display(), "from the cache");
                    return Ok(file);
                }
                Err(error) => {
                    tracing::debug!(video = video.id, file = %path.display(), %error, "damaged, rebuilding it");
                    self.progress.note(&format!("{}: rebuilding its {}: {error}", video.id, kind.folder()));
                }
            }
        }
        tracing::debug!(video = video.id, file = %path.display(), "making");
        build(&path)?;
        self.built.fetch_add(1, Ordering::Relaxed);
        Container::open(&path).and_then(|file| fits(file, kind, key, frames))
    }

    fn build_frames(&self, video: &Video, source: &str, key: &str, path: &Path) -> Result<(), DataError> {
        let mut builder = Builder::new(Kind::Frames, self.config.frame_codec, key.to_owned(), self.cache_dir);
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
        let (mut decoded_by, mut messages) = (String::new(), None);
        match (&video.source, self.dataset.rendering(video)) {
            (VideoSource::File(file), _) => {
                let decoder = self.decoder()?;
                messages = self.judged(decoder.decode(file, self.stop, &mut take)?, file)?;
                if let Some(Messages { count, first }) = &messages {
                    let said = format!(
                        "{}: accepted despite {count} messages of ffmpeg, the first: {first}",
                        video.id
                    );
                    self.progress.note(&said);
                }
                decoded_by = format!(", decoded by ffmpeg {}", decoder.version());
            }
            (VideoSource::Generated { .. }, Some((generator, index))) => {
                let clip = generator.set().render(index);
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
            // Neither has content, so neither gets this far.
            (VideoSource::Generated { .. }, None) | (VideoSource::Missing { .. }, _) => {}
        }
        self.unchanged(video, source)?;
        builder.set_facts(Facts { repeated: Some(meter.repeated()), messages, ..Facts::default() });
        let cuts = self.dataset.cuts.map(|config| find_cuts(meter.changes(), &config)).unwrap_or_default();
        let segments = segments(builder.count(), &cuts);
        builder.write(path, format!("{source}{decoded_by}"), segments, (1, 1))
    }
}

impl Work<'_> {
    /// Refuses a damaged video; returns the messages of one that is accepted with them.
    fn judged(&self, decoded: Decoded, file: &Path) -> Result<Option<Messages>, DataError> {
        if !self.config.accept_messages {
            return decoded.strict(file).map(|_| None);
        }
        Ok(match decoded.despite_messages(file)?.damage {
            Some(DecodeProblem::Damaged { errors, first, .. }) => Some(Messages { count: errors, first }),
            _ => None,
        })
    }
}

/// Checks that an intact file is the one that its name promises.
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
