//! The cache file: one per video and kind (frames, forward flow or backward flow).
//!
//! | part | bytes | content |
//! |---|---|---|
//! | magic | 8 | `VARVIDEO` |
//! | version | 4 | [`VERSION`] |
//! | header length | 4 | length of the next part |
//! | header | header length | JSON, [`Header`] |
//! | index | 56 each | offset in the payload (8), length (4), vectors that were clipped (4), values of the bytes 0 and 255 of u and of v (16), mean of u and v (8), checksum (16) |
//! | checksum | 32 | BLAKE3 of everything above |
//! | payload | as in the header | the entries one after another, without gaps |
//!
//! Numbers are little endian. The checksum of an entry (16 bytes of BLAKE3) covers the file's key, the entry's number, its index
//! record and its bytes, so an entry can be read and verified without the rest of the file, and a moved entry is
//! detected. Nothing is memory-mapped, and a file is open only while it is read, so thousands of videos need
//! no file handles.
//!
//! A reader trusts nothing: every length is checked against the size of the file before memory is
//! allocated, and any mismatch is [`DataError::CorruptCache`].

mod build;
mod payload;
mod record;
mod resident;

use crate::codec::{Codec, ValueRange, floats, restore};
use crate::error::DataError;
use crate::source::{Direction, Field, FieldWindow, FrameWindow, Plane, Window};
use serde::{Deserialize, Serialize};
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use record::{RECORD, Record};
use resident::{Resident, Room};

pub use build::{Builder, Stored};

/// Version of the format. Raised whenever the meaning of a file changes; part of every key, so that old files are rebuilt.
pub const VERSION: u32 = 2;

const MAGIC: &[u8; 8] = b"VARVIDEO";
/// Magic, version, header length.
const PREAMBLE: usize = 16;
const CHECKSUM: usize = 32;
const MAX_HEADER: usize = 1 << 20;
/// Largest width and height.
const MAX_SIDE: usize = 16_384;

/// Content of a cache file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// RGB frames.
    Frames,
    /// Flow from each frame to the next.
    ForwardFlow,
    /// Flow from each frame to the one before, stored at the earlier frame's index.
    BackwardFlow,
}

impl Kind {
    /// Name of the folder below the cache folder.
    #[must_use]
    pub fn folder(self) -> &'static str {
        match self {
            Self::Frames => "frames",
            Self::ForwardFlow => "forward-flow",
            Self::BackwardFlow => "backward-flow",
        }
    }
}

impl From<Direction> for Kind {
    fn from(direction: Direction) -> Self {
        match direction {
            Direction::Forward => Self::ForwardFlow,
            Direction::Backward => Self::BackwardFlow,
        }
    }
}

/// The header of a cache file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Header {
    /// Hash of everything that determines the content, in hex; also the file's name.
    pub key: String,
    /// Content of the entries.
    pub kind: Kind,
    /// Storage of the entries.
    pub codec: Codec,
    /// Columns of each entry.
    pub width: usize,
    /// Rows of each entry.
    pub height: usize,
    /// Number of entries.
    pub count: usize,
    /// Bytes of the payload.
    pub bytes: u64,
    /// Flow vectors, over all entries, that exceeded the bound and were clipped.
    pub clipped: u64,
    /// Origin of the content, in words. It names no file, so that the same video under two names gives the
    /// same cache file.
    pub source: String,
    /// Ranges of frames between hard cuts.
    pub segments: Vec<Range<usize>>,
    /// Facts recorded while the content was made.
    #[serde(default)]
    pub facts: Facts,
}

/// Facts about a video, recorded while a cache file was made.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Facts {
    /// For frames: number of pairs that show the same picture up to coding noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub repeated: Option<usize>,
    /// For extracted flow: `true` if it was compared with its frames, `false` if too little moves for that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub judged: Option<bool>,
    /// For frames: the messages of ffmpeg that were accepted with them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub messages: Option<Messages>,
}

/// Messages by which a decoded picture may be wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Messages {
    /// Their number.
    pub count: usize,
    /// The first of them.
    pub first: String,
}

/// A cache file whose header and index were found intact.
#[derive(Debug, Clone)]
pub struct Container {
    path: PathBuf,
    header: Header,
    /// Offset of the index.
    index: u64,
    /// Offset of the payload.
    payload: u64,
    /// The content, once an entry was read and there was room for it; `None` inside if there was not, or it is damaged.
    resident: Arc<OnceLock<Option<Resident>>>,
}

impl Container {
    /// Opens a file and checks header, index and length, but no entry.
    ///
    /// # Errors
    /// [`DataError::File`] if the file cannot be read, [`DataError::CorruptCache`] if it is damaged.
    pub fn open(path: &Path) -> Result<Self, DataError> {
        let mut file = base::files::open(path)?;
        Self::parse(path, &mut file).map(|(container, _)| container)
    }

    /// Opens a file and checks every byte of it.
    ///
    /// # Errors
    /// The errors of [`Container::open`].
    pub fn open_verified(path: &Path) -> Result<Self, DataError> {
        let mut file = base::files::open(path)?;
        let (container, index) = Self::parse(path, &mut file)?;
        let mut next = 0;
        for (number, record) in index.as_chunks().0.iter().enumerate() {
            let record = Record::from_bytes(record);
            if record.offset != next {
                return Err(
                    container.corrupt(format!("entry {number} at {next}"), format!("{}", record.offset))
                );
            }
            container.payload_of(&mut file, number, record)?;
            next += u64::from(record.length);
        }
        if next != container.header.bytes {
            return Err(
                container.corrupt(format!("entries of {} bytes", container.header.bytes), next.to_string())
            );
        }
        Ok(container)
    }

    fn parse(path: &Path, file: &mut File) -> Result<(Self, Vec<u8>), DataError> {
        let corrupt = |expected: &str, found: String| DataError::corrupt(path, expected, found);
        let io = |error| DataError::io("read", path, error);
        let size = file.metadata().map_err(io)?.len();
        let mut head = vec![0; PREAMBLE];
        if size < (PREAMBLE + CHECKSUM) as u64 {
            return Err(corrupt("a header", format!("a file of {size} bytes")));
        }
        file.read_exact(&mut head).map_err(io)?;
        if &head[..8] != MAGIC {
            return Err(corrupt("the magic bytes `VARVIDEO`", format!("{:02x?}", &head[..8])));
        }
        let number = |at: usize| u32::from_le_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        let (version, length) = (number(8), number(12) as usize);
        if version != VERSION {
            return Err(corrupt(&format!("version {VERSION}"), version.to_string()));
        }
        if length > MAX_HEADER || (PREAMBLE + length + CHECKSUM) as u64 > size {
            return Err(corrupt("a header within the file", format!("a length of {length}")));
        }
        head.resize(PREAMBLE + length, 0);
        file.read_exact(&mut head[PREAMBLE..]).map_err(io)?;
        let header: Header = serde_json::from_slice(&head[PREAMBLE..])
            .map_err(|e| corrupt("a readable header", e.to_string()))?;
        let side_ok = |side| (1..=MAX_SIDE).contains(&side);
        if !side_ok(header.width) || !side_ok(header.height) {
            return Err(corrupt(
                &format!("a size of 1 to {MAX_SIDE}"),
                format!("{}x{}", header.width, header.height),
            ));
        }
        let index_bytes = header.count.checked_mul(RECORD);
        let payload = index_bytes.and_then(|n| n.checked_add(head.len() + CHECKSUM)).map(|n| n as u64);
        let (Some(index_bytes), Some(payload)) = (index_bytes, payload) else {
            return Err(corrupt("an index within the file", format!("{} entries", header.count)));
        };
        if payload.checked_add(header.bytes) != Some(size) {
            return Err(corrupt(
                &format!("{} entries and {} bytes of payload", header.count, header.bytes),
                format!("a file of {size} bytes"),
            ));
        }
        let index_at = head.len();
        head.resize(index_at + index_bytes, 0);
        file.read_exact(&mut head[index_at..]).map_err(io)?;
        let mut checksum = [0; CHECKSUM];
        file.read_exact(&mut checksum).map_err(io)?;
        if blake3::hash(&head) != checksum {
            return Err(corrupt("header and index to match their checksum", "a mismatch".to_owned()));
        }
        let index = head.split_off(index_at);
        let (path, resident) = (path.to_path_buf(), Arc::default());
        Ok((Self { path, header, index: index_at as u64, payload, resident }, index))
    }

    /// The same file for a single pass over it: what is read is not held in memory once the pass is over, and takes no room from
    /// the files that are read again and again.
    pub(crate) fn for_one_pass(&self) -> Self {
        Self { resident: Arc::default(), ..self.clone() }
    }

    /// Returns `true` if its content is held in memory.
    pub fn is_in_memory(&self) -> bool {
        matches!(self.resident.get(), Some(Some(_)))
    }

    /// The file's header.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Size of the whole file in bytes.
    pub fn file_bytes(&self) -> u64 {
        self.payload + self.header.bytes
    }

    /// Frame `index` as RGB, H x W x 3 bytes.
    ///
    /// # Errors
    /// [`DataError::CorruptCache`] if it is damaged, is not a frame or does not exist.
    pub fn frame(&self, index: usize) -> Result<Vec<u8>, DataError> {
        let mut window = FrameWindow::default();
        self.frame_window(index, self.whole(), &mut window)?;
        Ok(window.frame.rgb)
    }

    /// Flow field `index`.
    ///
    /// # Errors
    /// The errors of [`Container::frame`].
    pub fn field(&self, index: usize) -> Result<Field, DataError> {
        let mut window = FieldWindow::default();
        self.field_window(index, self.whole(), &mut window)?;
        let FieldWindow { width, height, mean, u, v, .. } = window;
        Ok(Field { width, height, u: values(u), v: values(v), mean })
    }

    /// Reads the part of frame `index` within `window`; only the part of a JPEG that the window needs is decoded.
    ///
    /// # Errors
    /// The errors of [`Container::frame`], and [`DataError::Input`] for a window that does not fit.
    pub fn frame_window(&self, index: usize, window: Window, out: &mut FrameWindow) -> Result<(), DataError> {
        window.check(self.size())?;
        let FrameWindow { frame, file } = out;
        let (_, bytes) = self.entry(index, &[Kind::Frames], file)?;
        (frame.width, frame.height) = (window.width, window.height);
        self.decode(index, 3, bytes, window, &mut frame.rgb)
    }

    /// Reads the part of flow field `index` within `window` as it is stored, with the mean of the whole field; only the part
    /// of a JPEG that the window needs is decoded.
    ///
    /// # Errors
    /// The errors of [`Container::frame_window`].
    pub fn field_window(&self, index: usize, window: Window, out: &mut FieldWindow) -> Result<(), DataError> {
        window.check(self.size())?;
        let FieldWindow { u, v, file, .. } = out;
        let (record, bytes) = self.entry(index, &[Kind::ForwardFlow, Kind::BackwardFlow], file)?;
        let parts = self.components(index, bytes)?;
        for ((range, bytes), plane) in record.ranges.into_iter().zip(parts).zip([u, v]) {
            self.component(index, bytes, range, window, plane)?;
        }
        (out.width, out.height, out.mean) = (window.width, window.height, record.mean);
        Ok(())
    }

    fn size(&self) -> (usize, usize) {
        (self.header.width, self.header.height)
    }

    fn whole(&self) -> Window {
        Window::whole(self.size())
    }

    /// Splits an entry into the bytes of both components of a field.
    fn components<'a>(&self, index: usize, payload: &'a [u8]) -> Result<[&'a [u8]; 2], DataError> {
        let pixels = self.header.width * self.header.height;
        let short = || self.corrupt(format!("two components in entry {index}"), "fewer bytes".to_owned());
        let (length, rest) = match self.header.codec {
            Codec::Raw8 => (pixels, payload),
            Codec::Float32 => (4 * pixels, payload),
            Codec::Jpeg { .. } => {
                let (length, rest) = payload.split_first_chunk().ok_or_else(short)?;
                (u32::from_le_bytes(*length) as usize, rest)
            }
        };
        rest.split_at_checked(length).map(Into::into).ok_or_else(short)
    }

    fn component(
        &self,
        index: usize,
        bytes: &[u8],
        range: ValueRange,
        window: Window,
        out: &mut Plane,
    ) -> Result<(), DataError> {
        if self.header.codec == Codec::Float32 {
            let read = floats(self.size(), bytes, window, out.floats());
            return read.map_err(|found| self.corrupt(format!("the values of entry {index}"), found));
        }
        if !(range.min.is_finite() && range.max.is_finite() && range.min <= range.max) {
            return Err(self.corrupt(format!("a valid range in entry {index}"), format!("{range:?}")));
        }
        self.decode(index, 1, bytes, window, out.bytes(range.min, range.step()))
    }

    fn decode(
        &self,
        index: usize,
        channels: usize,
        bytes: &[u8],
        window: Window,
        out: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let Header { codec, width, height, .. } = self.header;
        codec
            .decode((width, height), channels, bytes, window, out)
            .map_err(|found| self.corrupt(format!("{width}x{height} pixels in entry {index}"), found))
    }

    /// Returns one verified entry: from memory, or read by itself into `payload`.
    fn entry<'a>(
        &'a self,
        index: usize,
        kinds: &[Kind],
        payload: &'a mut Vec<u8>,
    ) -> Result<(Record, &'a [u8]), DataError> {
        if !kinds.contains(&self.header.kind) || index >= self.header.count {
            let Header { kind, count, .. } = self.header;
            return Err(self.corrupt(
                format!("entry {index} of {}", kinds[0].folder()),
                format!("{count} entries of {kind:?}"),
            ));
        }
        if let Some(Resident { records, payload, .. }) = self.resident.get_or_init(|| self.load()) {
            let record = records[index];
            return Ok((record, &payload[record.offset as usize..][..record.length as usize]));
        }
        let io = |error| DataError::io("read", &self.path, error);
        let mut file = base::files::open(&self.path)?;
        let mut record = [0; RECORD];
        file.seek(SeekFrom::Start(self.index + (index * RECORD) as u64)).map_err(io)?;
        self.read(&mut file, &mut record)?;
        let record = Record::from_bytes(&record);
        self.read_payload(&mut file, index, record, payload)?;
        Ok((record, payload))
    }

    /// Reads and verifies the whole file. `None` if there is no room, or if anything is wrong with it: reading entry by entry
    /// then finds the intact ones and has the error of the others.
    fn load(&self) -> Option<Resident> {
        let room = Room::take(self.file_bytes())?;
        let mut file = base::files::open(&self.path).ok()?;
        let (found, index) = Self::parse(&self.path, &mut file).ok()?;
        if found.header != self.header {
            return None;
        }
        let records: Vec<Record> = index.as_chunks().0.iter().map(Record::from_bytes).collect();
        let mut payload = vec![0; self.header.bytes as usize];
        file.read_exact(&mut payload).ok()?;
        let intact = records.iter().enumerate().all(|(index, record)| {
            let (from, length) = (record.offset as usize, record.length as usize);
            let bytes = payload.get(from..).and_then(|rest| rest.get(..length));
            bytes.is_some_and(|bytes| record.checksum_of(&self.header.key, index, bytes) == record.checksum)
        });
        intact.then_some(Resident { records, payload, _room: room })
    }

    fn payload_of(&self, file: &mut File, index: usize, record: Record) -> Result<Vec<u8>, DataError> {
        let mut payload = Vec::new();
        self.read_payload(file, index, record, &mut payload)?;
        Ok(payload)
    }

    fn read_payload(
        &self,
        file: &mut File,
        index: usize,
        record: Record,
        payload: &mut Vec<u8>,
    ) -> Result<(), DataError> {
        let end = record.offset.checked_add(u64::from(record.length));
        if end.is_none_or(|end| end > self.header.bytes) {
            let found = format!("{} bytes at {}", record.length, record.offset);
            return Err(self.corrupt(format!("entry {index} within {} bytes", self.header.bytes), found));
        }
        let io = |error| DataError::io("read", &self.path, error);
        file.seek(SeekFrom::Start(self.payload + record.offset)).map_err(io)?;
        payload.resize(record.length as usize, 0);
        self.read(file, payload)?;
        if record.checksum_of(&self.header.key, index, payload) != record.checksum {
            return Err(self.corrupt(format!("entry {index} to match its checksum"), "a mismatch".to_owned()));
        }
        Ok(())
    }

    /// Fills `buffer`. A file that shrank since it was opened counts as damaged, not as an I/O error.
    fn read(&self, file: &mut File, buffer: &mut [u8]) -> Result<(), DataError> {
        file.read_exact(buffer).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                self.corrupt(format!("a file of {} bytes", self.file_bytes()), "a shorter one".to_owned())
            }
            _ => DataError::io("read", &self.path, error),
        })
    }

    fn corrupt(&self, expected: String, found: String) -> DataError {
        DataError::corrupt(&self.path, expected, found)
    }
}

/// Restores the values of a component.
fn values(plane: Plane) -> Vec<f32> {
    match plane {
        Plane::Bytes { data, min, step } => restore(&data, min, step),
        Plane::Floats(values) => values,
    }
}
