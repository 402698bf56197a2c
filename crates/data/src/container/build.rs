//! Writing a cache file.

use super::{CHECKSUM, Header, Kind, MAGIC, MAX_SIDE, PREAMBLE, RECORD, Record, VERSION};
use crate::atomic::write_atomically;
use crate::codec::{Codec, ValueRange, float_bytes, mean, quantise};
use crate::error::DataError;
use flow::FlowField;
use std::ops::Range;
use std::path::Path;

/// Largest payload: what is kept in memory until the file is written, so that its exact size is known first.
const MAX_PAYLOAD: usize = 4 << 30;

/// What the index keeps of a field.
struct Flow {
    ranges: [ValueRange; 2],
    mean: [f32; 2],
    clipped: u32,
}

impl Flow {
    /// Of a frame.
    const NONE: Self = Self { ranges: [ValueRange::NONE; 2], mean: [0.0; 2], clipped: 0 };
}

/// Gathers the entries of one file in memory and writes it at once.
#[derive(Debug)]
pub struct Builder {
    kind: Kind,
    codec: Codec,
    bound: Option<f32>,
    size: Option<(usize, usize)>,
    records: Vec<Record>,
    payload: Vec<u8>,
    key: String,
}

impl Builder {
    /// A file of the given kind, codec and key.
    #[must_use]
    pub fn new(kind: Kind, codec: Codec, key: String) -> Self {
        Self { kind, codec, bound: None, size: None, records: Vec::new(), payload: Vec::new(), key }
    }

    /// Quantises flow over `[-bound, bound]` pixels instead of every component's own range, and counts the vectors that
    /// exceed it.
    #[must_use]
    pub fn with_bound(self, bound: Option<f32>) -> Self {
        Self { bound, ..self }
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
        let bytes = self.encode(width, height, 3, rgb)?;
        self.push(width, height, &bytes, Flow::NONE)
    }

    /// Appends a flow field; the mean that is kept is that of the exact values.
    ///
    /// # Errors
    /// As [`Builder::push_frame`], and for values that are not finite.
    pub fn push_field(&mut self, field: &FlowField) -> Result<(), DataError> {
        let (width, height) = (field.width, field.height);
        let own = |values| ValueRange::of(values);
        let (Some(u), Some(v)) = (own(&field.u), own(&field.v)) else {
            return Err(self.invalid("finite flow", "a value that is not, or none"));
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

    /// Both components in one entry.
    fn joined(&self, u: &[u8], v: &[u8]) -> Result<Vec<u8>, DataError> {
        if self.codec == Codec::Raw8 {
            return Ok([u, v].concat());
        }
        let length = u32::try_from(u.len()).map_err(|e| self.invalid("a small JPEG", &e.to_string()))?;
        Ok([&length.to_le_bytes(), u, v].concat())
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
        if self.payload.len() + bytes.len() > MAX_PAYLOAD {
            return Err(self.invalid(&format!("up to {MAX_PAYLOAD} bytes per video"), "more"));
        }
        let length = u32::try_from(bytes.len()).map_err(|e| self.invalid("a small entry", &e.to_string()))?;
        let offset = self.payload.len() as u64;
        let Flow { ranges, mean, clipped } = flow;
        let mut record = Record { offset, length, clipped, ranges, mean, checksum: [0; 16] };
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
            clipped: self.records.iter().map(|record| u64::from(record.clipped)).sum(),
            source,
            segments,
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
