//! Writing a cache file.

use super::{CHECKSUM, Facts, Header, Kind, MAGIC, MAX_SIDE, PREAMBLE, RECORD, Record, VERSION};
use crate::atomic::write_atomically;
use crate::codec::{Codec, ValueRange, mean, quantise, restore};
use crate::error::DataError;
use flow::FlowField;
use std::ops::Range;
use std::path::Path;

/// Largest payload: what is kept in memory until the file is written, so that its exact size is known first.
const MAX_PAYLOAD: usize = 4 << 30;

/// Gathers the entries of one file in memory and writes it at once.
#[derive(Debug)]
pub struct Builder {
    kind: Kind,
    codec: Codec,
    size: Option<(usize, usize)>,
    records: Vec<Record>,
    payload: Vec<u8>,
    key: String,
    facts: Facts,
}

/// A picture that exists in both forms already.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a> {
    /// H x W bytes, or H x W x 3 for a frame.
    pub pixels: &'a [u8],
    /// The JPEG file that they come from.
    pub jpeg: &'a [u8],
}

impl Builder {
    /// A file of the given kind, codec and key.
    #[must_use]
    pub fn new(kind: Kind, codec: Codec, key: String) -> Self {
        Self {
            kind,
            codec,
            size: None,
            records: Vec::new(),
            payload: Vec::new(),
            key,
            facts: Facts::default(),
        }
    }

    /// Number of entries so far.
    #[must_use]
    pub fn count(&self) -> usize {
        self.records.len()
    }

    /// Appends an RGB frame, H x W x 3 bytes.
    ///
    /// # Errors
    /// [`DataError::Invalid`] for a frame of another size than the ones before or one that cannot be encoded.
    pub fn push_frame(&mut self, width: usize, height: usize, rgb: &[u8]) -> Result<(), DataError> {
        let none = ValueRange { min: 0.0, max: 0.0 };
        let bytes = self.encode(width, height, 3, rgb)?;
        self.push(width, height, &bytes, [none; 2], [0.0; 2])
    }

    /// Appends a flow field, each component over its own range; the mean is that of the exact values.
    ///
    /// # Errors
    /// As [`Builder::push_frame`], and for values that are not finite.
    pub fn push_field(&mut self, field: &FlowField) -> Result<(), DataError> {
        let (width, height) = (field.width, field.height);
        let mut bytes = Vec::new();
        let mut ranges = [ValueRange { min: 0.0, max: 0.0 }; 2];
        for (component, (values, range)) in [&field.u, &field.v].into_iter().zip(&mut ranges).enumerate() {
            let quantised =
                quantise(values).ok_or_else(|| self.invalid("finite flow", "a value that is not"))?;
            *range = quantised.1;
            let part = self.encode(width, height, 1, &quantised.0)?;
            if component == 0 && self.codec != Codec::Raw8 {
                let length =
                    u32::try_from(part.len()).map_err(|e| self.invalid("a small JPEG", &e.to_string()))?;
                bytes.extend_from_slice(&length.to_le_bytes());
            }
            bytes.extend_from_slice(&part);
        }
        self.push(width, height, &bytes, ranges, [mean(&field.u), mean(&field.v)])
    }

    /// Appends a frame of `size` (W, H) that is a JPEG already, as it is if the codec is JPEG.
    ///
    /// # Errors
    /// As [`Builder::push_frame`].
    pub fn push_stored_frame(&mut self, size: (usize, usize), frame: Stored<'_>) -> Result<(), DataError> {
        let none = ValueRange { min: 0.0, max: 0.0 };
        let bytes = self.take_over(size, 3, frame)?;
        self.push(size.0, size.1, &bytes, [none; 2], [0.0; 2])
    }

    /// Appends a field of `size` (W, H) whose components are bytes already: 0 stands for `-bound` and 255 for
    /// `bound` pixels. JPEG files go in as they are if the codec is JPEG.
    ///
    /// # Errors
    /// As [`Builder::push_frame`].
    pub fn push_stored_field(
        &mut self,
        size: (usize, usize),
        components: [Stored<'_>; 2],
        bound: f32,
    ) -> Result<(), DataError> {
        let range = ValueRange { min: -bound, max: bound };
        let [u, v] = components;
        let (first, second) = (self.take_over(size, 1, u)?, self.take_over(size, 1, v)?);
        let mut bytes = Vec::with_capacity(first.len() + second.len() + 4);
        if self.codec != Codec::Raw8 {
            let length =
                u32::try_from(first.len()).map_err(|e| self.invalid("a small JPEG", &e.to_string()))?;
            bytes.extend_from_slice(&length.to_le_bytes());
        }
        bytes.extend_from_slice(&first);
        bytes.extend_from_slice(&second);
        let means = components.map(|component| mean(&restore(component.pixels, range)));
        self.push(size.0, size.1, &bytes, [range; 2], means)
    }

    /// The bytes of a picture in this file's codec: the JPEG itself if the reader gets these very pixels from it, else
    /// encoded anew.
    fn take_over(
        &self,
        (width, height): (usize, usize),
        channels: usize,
        picture: Stored<'_>,
    ) -> Result<Vec<u8>, DataError> {
        let whole = |pixels: &Vec<u8>| pixels == picture.pixels;
        let jpeg = matches!(self.codec, Codec::Jpeg { .. });
        if jpeg && self.codec.decode(width, height, channels, picture.jpeg).as_ref().is_ok_and(whole) {
            return Ok(picture.jpeg.to_vec());
        }
        self.encode(width, height, channels, picture.pixels)
    }

    /// Keeps what was found out.
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

    fn push(
        &mut self,
        width: usize,
        height: usize,
        bytes: &[u8],
        ranges: [ValueRange; 2],
        mean: [f32; 2],
    ) -> Result<(), DataError> {
        let size = *self.size.get_or_insert((width, height));
        if size != (width, height) {
            return Err(self.invalid(&format!("{}x{}", size.0, size.1), &format!("{width}x{height}")));
        }
        if self.payload.len() + bytes.len() > MAX_PAYLOAD {
            return Err(self.invalid(&format!("up to {MAX_PAYLOAD} bytes per video"), "more"));
        }
        let length = u32::try_from(bytes.len()).map_err(|e| self.invalid("a small entry", &e.to_string()))?;
        let offset = self.payload.len() as u64;
        let mut record = Record { offset, length, ranges, mean, checksum: [0; 16] };
        record.checksum = record.checksum_of(&self.key, self.records.len(), bytes);
        self.records.push(record);
        self.payload.extend_from_slice(bytes);
        Ok(())
    }

    fn invalid(&self, expected: &str, found: &str) -> DataError {
        DataError::Invalid {
            what: format!("entry {} of {}", self.records.len(), self.kind.folder()),
            expected: expected.to_owned(),
            found: found.to_owned(),
        }
    }

    /// Writes the file atomically. An empty file takes the size `empty`.
    ///
    /// # Errors
    /// [`DataError::DiskFull`] or [`DataError::Io`]; nothing partial remains.
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
            bytes: self.payload.len() as u64,
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
        write_atomically(path, &[&head, &self.payload])
    }
}
