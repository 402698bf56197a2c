//! Writing of cache files.

use super::payload::{LONGEST, Payload};
use super::record::{RECORD, Record};
use super::{CHECKSUM, Facts, Header, Kind, MAGIC, MAX_SIDE, PREAMBLE, VERSION};
use crate::codec::{Codec, ValueRange, float_bytes, mean, quantise, restore};
use crate::error::DataError;
use crate::source::Window;
use flow::FlowField;
use std::ops::Range;
use std::path::{Path, PathBuf};

/// The part of a field's record that describes its values.
struct Flow {
    ranges: [ValueRange; 2],
    mean: [f32; 2],
    clipped: u32,
}

impl Flow {
    /// The values stored for a frame.
    const NONE: Self = Self { ranges: [ValueRange::NONE; 2], mean: [0.0; 2], clipped: 0 };
}

/// Gathers the entries of one file and writes the file in one go, once its exact size is known.
#[derive(Debug)]
pub struct Builder {
    kind: Kind,
    codec: Codec,
    bound: Option<f32>,
    size: Option<(usize, usize)>,
    records: Vec<Record>,
    payload: Payload,
    /// Folder for entries that do not fit in memory.
    folder: PathBuf,
    key: String,
    facts: Facts,
}

/// A picture at hand both as pixels and as a JPEG file.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// H x W bytes, or H x W x 3 for a frame.
    pub pixels: &'a [u8],
    /// The JPEG file that the pixels come from.
    pub jpeg: &'a [u8],
}

impl Builder {
    /// Starts a file of the given kind, codec and key. Entries that do not fit in memory are held in `folder`.
    #[must_use]
    pub fn new(kind: Kind, codec: Codec, key: String, folder: &Path) -> Self {
        let (payload, folder) = (Payload::new(folder), folder.to_owned());
        let (bound, size, records, facts) = (None, None, Vec::new(), Facts::default());
        Self { kind, codec, bound, size, records, payload, folder, key, facts }
    }

    /// Quantises flow over `[-bound, bound]` pixels instead of each component's own range, and counts the vectors that
    /// exceed the bound.
    #[must_use]
    pub fn with_bound(self, bound: Option<f32>) -> Self {
        Self { bound, ..self }
    }

    /// Number of entries so far.
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// Appends an RGB frame, H x W x 3 bytes.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a frame whose size differs from the ones before, or that cannot be encoded.
    pub fn push_frame(&mut self, width: usize, height: usize, rgb: &[u8]) -> Result<(), DataError> {
        let bytes = self.encode(width, height, 3, rgb)?;
        self.push(width, height, &bytes, Flow::NONE)
    }

    /// Appends a flow field; the stored mean is that of the exact values.
    ///
    /// # Errors
    /// The errors of [`Builder::push_frame`], and [`DataError::Invalid`] for values that are not finite.
    pub fn push_field(&mut self, field: &FlowField) -> Result<(), DataError> {
        let (width, height) = (field.width, field.height);
        let own = |values| ValueRange::of(values);
        let (Some(u), Some(v)) = (own(&field.u), own(&field.v)) else {
            return Err(self.invalid("finite flow", "a value that is not finite, or no values"));
        };
        let mut flow = Flow { ranges: [u, v], mean: [mean(&field.u), mean(&field.v)], clipped: 0 };
        if self.codec == Codec::Float32 {
            let bytes = [float_bytes(&field.u), float_bytes(&field.v)].concat();
            return self.push(width, height, &bytes, flow);
        }
        if let Some(bound) = self.bound {
            let range = ValueRange::symmetric(bound);
            let inside = |(&u, &v): (&f32, &f32)| range.contains(u) && range.contains(v);
            flow.clipped = field.u.iter().zip(&field.v).filter(|&vector| !inside(vector)).count() as u32;
            flow.ranges = [range; 2];
        }
        let parts = [(&field.u, flow.ranges[0]), (&field.v, flow.ranges[1])]
            .map(|(values, range)| self.encode(width, height, 1, &quantise(values, range)));
        let [u, v] = parts;
        let bytes = self.joined(&u?, &v?)?;
        self.push(width, height, &bytes, flow)
    }

    /// Joins both components into one entry.
    fn joined(&self, u: &[u8], v: &[u8]) -> Result<Vec<u8>, DataError> {
        if self.codec == Codec::Raw8 {
            return Ok([u, v].concat());
        }
        let length =
            u32::try_from(u.len()).map_err(|e| self.invalid("a JPEG below 4 GiB", &e.to_string()))?;
        Ok([&length.to_le_bytes(), u, v].concat())
    }

    /// Appends a frame of `size` (W, H) that is already a JPEG file. If the codec is JPEG, the file is stored unchanged.
    ///
    /// # Errors
    /// The errors of [`Builder::push_frame`].
    pub fn push_stored_frame(&mut self, size: (usize, usize), frame: Stored<'_>) -> Result<(), DataError> {
        let bytes = self.take_over(size, 3, frame)?;
        self.push(size.0, size.1, &bytes, Flow::NONE)
    }

    /// Appends a field of `size` (W, H) whose components are already bytes: 0 stands for `-bound` and 255 for
    /// `bound` pixels. If the codec is JPEG, the JPEG files are stored unchanged.
    ///
    /// # Errors
    /// The errors of [`Builder::push_frame`].
    pub fn push_stored_field(
        &mut self,
        size: (usize, usize),
        components: [Stored<'_>; 2],
        bound: f32,
    ) -> Result<(), DataError> {
        let range = ValueRange::symmetric(bound);
        let [u, v] = components.map(|component| restore(component.pixels, range.min, range.step()));
        // Values that the extractor clipped have the first or the last byte.
        let at_an_end = |byte: u8| byte == 0 || byte == 255;
        let vectors = components[0].pixels.iter().zip(components[1].pixels);
        let clipped = vectors.filter(|&(&u, &v)| at_an_end(u) || at_an_end(v)).count() as u32;
        let flow = Flow { ranges: [range; 2], mean: [mean(&u), mean(&v)], clipped };
        if self.codec == Codec::Float32 {
            return self.push(size.0, size.1, &[float_bytes(&u), float_bytes(&v)].concat(), flow);
        }
        let [u, v] = components.map(|component| self.take_over(size, 1, component));
        let bytes = self.joined(&u?, &v?)?;
        self.push(size.0, size.1, &bytes, flow)
    }

    /// Returns the bytes of a picture in this file's codec: the JPEG file itself if it decodes to exactly these pixels,
    /// otherwise a new encoding.
    fn take_over(
        &self,
        (width, height): (usize, usize),
        channels: usize,
        picture: Stored<'_>,
    ) -> Result<Vec<u8>, DataError> {
        if let Codec::Jpeg { .. } = self.codec {
            let (size, mut pixels) = ((width, height), Vec::new());
            let read = self.codec.decode(size, channels, picture.jpeg, Window::whole(size), &mut pixels);
            if read.is_ok() && pixels == picture.pixels {
                return Ok(picture.jpeg.to_vec());
            }
        }
        self.encode(width, height, channels, picture.pixels)
    }

    /// Sets the facts that the header records.
    pub fn set_facts(&mut self, facts: Facts) {
        self.facts = facts;
    }

    fn encode(
        &self,
        width: usize,
        height: usize,
        channels: usize,
        data: &[u8],
    ) -> Result<Vec<u8>, DataError> {
        if width > MAX_SIDE || height > MAX_SIDE {
            return Err(self.invalid(&format!("sides up to {MAX_SIDE}"), &format!("{width}x{height}")));
        }
        self.codec
            .encode(width, height, channels, data)
            .map_err(|found| self.invalid(&format!("a picture of {width}x{height}"), &found))
    }

    fn push(&mut self, width: usize, height: usize, bytes: &[u8], flow: Flow) -> Result<(), DataError> {
        let size = *self.size.get_or_insert((width, height));
        if size != (width, height) {
            return Err(self.invalid(&format!("{}x{}", size.0, size.1), &format!("{width}x{height}")));
        }
        if self.payload.len() + bytes.len() as u64 > LONGEST {
            let expected =
                format!("at most {LONGEST} bytes per video in the cache (shorten or downscale the video)");
            return Err(self.invalid(&expected, "more"));
        }
        let length =
            u32::try_from(bytes.len()).map_err(|e| self.invalid("an entry below 4 GiB", &e.to_string()))?;
        let offset = self.payload.len();
        let Flow { ranges, mean, clipped } = flow;
        let mut record = Record { offset, length, clipped, ranges, mean, checksum: [0; 16] };
        record.checksum = record.checksum_of(&self.key, self.records.len(), bytes);
        self.records.push(record);
        self.payload.push(bytes, &self.folder)
    }

    fn invalid(&self, expected: &str, found: &str) -> DataError {
        DataError::invalid(format!("entry {} of {}", self.records.len(), self.kind.folder()), expected, found)
    }

    /// Writes the file atomically. A file without entries gets the size `empty`.
    ///
    /// # Errors
    /// [`DataError::File`]; no partial file remains.
    pub fn write(
        self,
        path: &Path,
        source: String,
        segments: Vec<Range<usize>>,
        empty: (usize, usize),
    ) -> Result<(), DataError> {
        let (width, height) = self.size.unwrap_or(empty);
        let header = Header {
            key: self.key,
            kind: self.kind,
            codec: self.codec,
            width,
            height,
            count: self.records.len(),
            bytes: self.payload.len(),
            clipped: self.records.iter().map(|record| u64::from(record.clipped)).sum(),
            source,
            segments,
            facts: self.facts,
        };
        let json = serde_json::to_vec(&header).map_err(|e| DataError::io("write", path, e.into()))?;
        let mut head = Vec::with_capacity(PREAMBLE + json.len() + self.records.len() * RECORD + CHECKSUM);
        head.extend_from_slice(MAGIC);
        head.extend_from_slice(&VERSION.to_le_bytes());
        head.extend_from_slice(&(json.len() as u32).to_le_bytes());
        head.extend_from_slice(&json);
        for record in &self.records {
            head.extend_from_slice(&record.to_bytes());
        }
        let checksum = blake3::hash(&head);
        head.extend_from_slice(checksum.as_bytes());
        let length = self.payload.len();
        Ok(base::files::write_from(path, &head, self.payload.into_reader(path)?, length)?)
    }
}
