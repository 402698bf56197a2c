//! Reading of a file of which nothing is trusted.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

/// A file and the place in it. A place beyond the end is possible, and reading there gives nothing.
pub(super) struct Bytes<R> {
    input: BufReader<R>,
    /// The place of `input`.
    read: u64,
    at: u64,
    found: u64,
}

impl<R: Read + Seek> Bytes<R> {
    /// Starts at the beginning of a file of `found` bytes.
    pub(super) fn new(file: R, found: u64) -> Self {
        Self { input: BufReader::new(file), read: 0, at: 0, found }
    }

    /// Length of the file.
    pub(super) fn found(&self) -> u64 {
        self.found
    }

    /// The place.
    pub(super) fn at(&self) -> u64 {
        self.at
    }

    /// Number of bytes from the place to the end.
    pub(super) fn left(&self) -> u64 {
        self.found.saturating_sub(self.at)
    }

    /// Goes to a place.
    pub(super) fn go(&mut self, to: u64) {
        self.at = to;
    }

    /// Skips some bytes.
    pub(super) fn skip(&mut self, count: u64) {
        self.at = self.at.saturating_add(count);
    }

    /// Brings the input to the place. A short way stays within its buffer.
    fn settle(&mut self) -> io::Result<()> {
        let to = self.at.min(self.found);
        match i64::try_from(i128::from(to) - i128::from(self.read)) {
            Ok(way) => self.input.seek_relative(way)?,
            Err(_) => _ = self.input.seek(SeekFrom::Start(to))?,
        }
        self.read = to;
        Ok(())
    }

    /// Reads as many bytes as there are, at most a whole buffer, and returns their number.
    pub(super) fn up_to(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let count = usize::try_from(self.left()).unwrap_or(usize::MAX).min(out.len());
        if count == 0 {
            return Ok(0);
        }
        self.settle()?;
        self.input.read_exact(&mut out[..count])?;
        self.at += count as u64;
        self.read = self.at;
        Ok(count)
    }

    /// Reads the next bytes, or nothing if there are fewer.
    pub(super) fn next<const N: usize>(&mut self) -> io::Result<Option<[u8; N]>> {
        let mut out = [0; N];
        if self.left() < N as u64 {
            return Ok(None);
        }
        Ok((self.up_to(&mut out)? == N).then_some(out))
    }

    /// Goes to the next place with the given byte; `false` if there is none.
    pub(super) fn seek_byte(&mut self, byte: u8) -> io::Result<bool> {
        self.settle()?;
        while self.left() > 0 {
            let buffer = self.input.fill_buf()?;
            if buffer.is_empty() {
                break;
            }
            let way = buffer.iter().position(|&b| b == byte);
            let step = way.unwrap_or(buffer.len());
            self.input.consume(step);
            self.at += step as u64;
            self.read = self.at;
            if way.is_some() {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
