//! Import of extracted frames and flow into the cache.
//!
//! JPEG files are stored unchanged where size and codec allow, so that no second loss occurs. With the lossless codec the
//! flow's bytes are stored unchanged, over the range of the stated bound. Where the short side has to change, frames *and*
//! flow are resized and the vectors scaled with the picture; a note says so.

use super::work::Work;
use crate::container::{Builder, Container, Facts, Header, Kind, Stored};
use crate::dataset::Video;
use crate::error::DataError;
use crate::extracted::check::{Verdict, check};
use crate::extracted::{ExtractedFolder, Picture};
use crate::resize::{resize_plane, target_size};
use flow::FlowField;
use std::path::Path;
use std::sync::atomic::Ordering;

impl Work<'_> {
    /// Imports the flow of an extracted video, after comparing it with the frames if the check is on.
    pub(super) fn import_flow(
        &self,
        (video, hash): (&Video, &str),
        folder: &Path,
        frames: &Container,
        key: &str,
        path: &Path,
    ) -> Result<(), DataError> {
        let extraction = self.extraction()?;
        let folder = ExtractedFolder::open(folder)?.with_flow()?;
        let judged = match extraction.check {
            true => Some(matches!(check(&folder, extraction)?, Verdict::Fits { .. })),
            false => None,
        };
        let Header { width, height, count, segments, source, .. } = frames.header();
        let first = folder.frame(0, None)?;
        let size = (first.width, first.height);
        if folder.layout.images.len() != *count
            || target_size(size.0, size.1, self.config.short_side) != (*width, *height)
        {
            return Err(DataError::invalid(
                format!("frames in {}", folder.path.display()),
                format!("{count} of {width}x{height}, as when they were read"),
                format!("{} of {}x{}; run again", folder.layout.images.len(), size.0, size.1),
            ));
        }
        let mut builder =
            Builder::new(Kind::ForwardFlow, self.config.flow_codec, key.to_owned(), self.cache_dir);
        for t in 0..folder.layout.flow.len() {
            if self.stop.load(Ordering::Relaxed) {
                return Err(DataError::Interrupted);
            }
            let components = folder.flow(t, size)?;
            if segments.iter().any(|segment| segment.start == t + 1) {
                let zero = vec![0.0; width * height];
                builder.push_field(&FlowField::new(*width, *height, zero.clone(), zero)?)?;
            } else if size == (*width, *height) {
                builder.push_stored_field(size, components.each_ref().map(stored), extraction.bound)?;
            } else {
                let scales = [*width as f32 / size.0 as f32, *height as f32 / size.1 as f32];
                let resized = |component: usize| {
                    let values: Vec<f32> =
                        components[component].pixels.iter().map(|&byte| extraction.pixels(byte)).collect();
                    let mut plane = resize_plane(&values, size, (*width, *height))?;
                    plane.iter_mut().for_each(|value| *value *= scales[component]);
                    Ok::<_, DataError>(plane)
                };
                builder.push_field(&FlowField::new(*width, *height, resized(0)?, resized(1)?)?)?;
            }
        }
        self.unchanged(video, hash)?;
        builder.set_facts(Facts { judged, ..Facts::default() });
        let source = format!("{source}, bound {}", extraction.bound);
        builder.write(path, source, segments.clone(), (*width, *height))
    }

    /// Hands the frames of an extracted video to `each`, in order.
    pub(super) fn import_frames(
        &self,
        folder: &Path,
        mut each: impl FnMut(&Picture) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let folder = ExtractedFolder::open(folder)?;
        let mut size = None;
        for t in 0..folder.layout.images.len() {
            let picture = folder.frame(t, size)?;
            let (width, height) = *size.get_or_insert((picture.width, picture.height));
            let target = target_size(width, height, self.config.short_side);
            if target != (width, height) && !self.resizing_noted.swap(true, Ordering::Relaxed) {
                self.progress.note(&format!(
                    "extracted frames and flow are resized, here from {width}x{height} to {}x{}, and the vectors scaled \
                     with them",
                    target.0, target.1
                ));
            }
            each(&picture)?;
        }
        Ok(())
    }
}

/// A picture in the form that the cache can store unchanged.
pub(super) fn stored(picture: &Picture) -> Stored<'_> {
    Stored { pixels: &picture.pixels, jpeg: &picture.jpeg }
}
