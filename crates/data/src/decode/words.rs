//! What ffmpeg says while it decodes.

use super::harmless::is_harmless;
use super::message::{Level, Message};
use super::problem::Log;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read};

/// Number of lines of standard error kept for the message.
const LOG_LINES: usize = 6;
/// Number of characters kept of such a line.
const LOG_LINE_CHARS: usize = 200;
/// Number of bytes read of a line.
const LINE_BYTES: u64 = 1 << 16;

/// Width and height of a picture.
pub(super) type Size = (usize, usize);

/// The messages of one run of ffmpeg.
#[derive(Debug, Default)]
pub(super) struct Words {
    /// The last errors, harmless ones too.
    pub(super) log: Log,
    /// Number of messages by which a picture may be wrong.
    pub(super) errors: usize,
    /// The first of them.
    pub(super) first: Option<String>,
    /// Sizes that a picture was scaled from and to, since ffmpeg makes all pictures as large as the first.
    pub(super) scaled: Option<[Size; 2]>,
    /// True if the file was opened as one of a known format.
    pub(super) opened: bool,
    /// True if the file has a picture that belongs to it, such as the cover of a record.
    pub(super) cover: bool,
    /// Number of pictures that `showinfo` described before the first one of another size.
    pub(super) before_change: usize,
    /// Size of the first picture that `showinfo` described.
    shown: Option<Size>,
    changed: bool,
}

impl Words {
    /// Reads standard error to its end in bounded memory.
    pub(super) fn of(stderr: impl Read) -> Self {
        let mut words = Self::default();
        let mut last = VecDeque::new();
        let mut input = BufReader::new(stderr);
        let mut line = Vec::new();
        let mut kept = true;
        while input.by_ref().take(LINE_BYTES).read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
            let text = String::from_utf8_lossy(&line);
            let message = Message::parse(text.trim_end());
            kept = words.take(&message, kept);
            let text: String = text.trim_end().chars().take(LOG_LINE_CHARS).collect();
            line.clear();
            if text.is_empty() || !kept {
                continue;
            }
            if last.len() == LOG_LINES {
                last.pop_front();
            }
            last.push_back(text);
        }
        words.log = Log(last.into());
        words
    }

    /// Takes note of a message and returns whether its line is kept. A line without a level continues the one before.
    fn take(&mut self, message: &Message<'_>, before: bool) -> bool {
        let corrupt = message.is_of_corrupt_frame();
        match message.level {
            None => return before,
            Some(Level::Lower) if !corrupt => {
                self.opened |= message.is_of_input();
                self.cover |= message.is_of_cover();
                if let Some([from, to]) = message.scaling().filter(|[from, to]| from != to) {
                    self.scaled.get_or_insert([from, to]);
                }
                if let Some(size) = message.shown() {
                    self.changed |= *self.shown.get_or_insert(size) != size;
                    self.before_change += usize::from(!self.changed);
                }
                return false;
            }
            _ => {}
        }
        if corrupt || !is_harmless(message) {
            self.errors += 1;
            self.first.get_or_insert_with(|| {
                let by = if message.by.is_empty() { String::new() } else { format!("{}: ", message.by) };
                by + message.text
            });
        }
        true
    }

    /// Returns the number of the first picture that has another size than those before, if `showinfo` described it.
    pub(super) fn change(&self) -> Option<usize> {
        self.changed.then_some(self.before_change)
    }
}
