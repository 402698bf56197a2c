//! One line of ffmpeg's standard error.

/// The level of a message, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    /// Error, with which decoding goes on.
    Error,
    /// Error that ends the program.
    Fatal,
    /// Warnings and everything below.
    Lower,
}

/// A message: `[h264 @ 0x55bdb7072300] [error] mmco: unref short failure`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Message<'a> {
    /// The part of ffmpeg that says it, such as `h264`; empty for the program itself.
    pub(super) by: &'a str,
    /// `None` for a line that has no level: it continues the line before, or is of another program.
    pub(super) level: Option<Level>,
    /// The rest.
    pub(super) text: &'a str,
}

impl<'a> Message<'a> {
    /// Takes a line apart. Only what stands before the text is looked at, since a text may quote the name of the file.
    pub(super) fn parse(line: &'a str) -> Self {
        let (mut by, mut rest) = ("", line);
        while let Some((name, after)) = rest.strip_prefix('[').and_then(|inner| inner.split_once(']')) {
            rest = after.strip_prefix(' ').unwrap_or(after);
            let level = match name {
                "error" => Level::Error,
                "fatal" | "panic" => Level::Fatal,
                "warning" | "info" | "verbose" | "debug" | "trace" => Level::Lower,
                _ => {
                    let name = name.split_once(" @ ").map_or(name, |(name, _)| name);
                    by = name.strip_prefix("dec:").unwrap_or(name);
                    continue;
                }
            };
            return Self { by, level: Some(level), text: rest };
        }
        Self { by: "", level: None, text: line }
    }

    /// Returns `true` if it says that a decoded frame is corrupt, which ffmpeg only calls a warning.
    pub(super) fn is_of_corrupt_frame(&self) -> bool {
        let end = self.text.trim_end_matches(|c: char| c.is_ascii_digit());
        self.level == Some(Level::Lower)
            && (end.ends_with("corrupt decoded frame") || end.ends_with("corrupt decoded frame in stream "))
    }

    /// Returns the sizes that a picture is scaled from and to: `w:240 h:320 fmt:yuv420p sar:1/1 -> w:320 h:240 fmt:rgb24 …`.
    pub(super) fn scaling(&self) -> Option<[(usize, usize); 2]> {
        if self.level != Some(Level::Lower) || !self.by.contains("scale") {
            return None;
        }
        let (from, to) = self.text.split_once(" -> ")?;
        Some([size(from)?, size(to)?])
    }

    /// Returns the size of a picture that the filter `showinfo` describes: `n:   0 pts:      0 … s:320x240 i:P …`.
    pub(super) fn shown(&self) -> Option<(usize, usize)> {
        if !self.by.contains("showinfo") || !self.text.starts_with("n:") {
            return None;
        }
        let size = self.text.split_whitespace().find_map(|word| word.strip_prefix("s:"))?;
        let (width, height) = size.split_once('x')?;
        Some((width.parse().ok()?, height.parse().ok()?))
    }

    /// Returns `true` if it describes the opened file.
    pub(super) fn is_of_input(&self) -> bool {
        self.level == Some(Level::Lower) && self.text.starts_with("Input #0, ")
    }

    /// Returns `true` if it lists a picture that belongs to a file, such as the cover of a record.
    pub(super) fn is_of_cover(&self) -> bool {
        self.level == Some(Level::Lower) && self.text.ends_with("(attached pic)")
    }
}

fn size(text: &str) -> Option<(usize, usize)> {
    let value = |name: &str| text.split_whitespace().find_map(|word| word.strip_prefix(name)?.parse().ok());
    Some((value("w:")?, value("h:")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_taken_apart_at_its_beginning() {
        let of = |line| {
            let Message { by, level, text } = Message::parse(line);
            (by, level, text)
        };
        assert_eq!(of("[h264 @ 0x1] [error] no frame!"), ("h264", Some(Level::Error), "no frame!"));
        assert_eq!(of("[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] [fatal] x"), ("h264", Some(Level::Fatal), "x"));
        assert_eq!(of("[warning] file:[error].avi: odd"), ("", Some(Level::Lower), "file:[error].avi: odd"));
        assert_eq!(of("sh: 1: not found"), ("", None, "sh: 1: not found"));
        assert_eq!(of("[not closed"), ("", None, "[not closed"));
    }

    #[test]
    fn corrupt_frames_are_seen_in_every_version() {
        for (line, corrupt) in [
            ("[warning] file:x.mp4: corrupt decoded frame in stream 0", true),
            ("[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] [warning] corrupt decoded frame", true),
            ("[warning] file:x.ts: corrupt input packet in stream 0", false),
            ("[warning] corrupt decoded frame.avi: odd", false),
        ] {
            assert_eq!(Message::parse(line).is_of_corrupt_frame(), corrupt, "{line}");
        }
    }

    #[test]
    fn sizes_are_read_in_every_version() {
        for line in [
            "[scaler_out_0_0 @ 0x1] [verbose] w:240 h:320 fmt:yuv420p sar:1/1 -> w:320 h:240 fmt:rgb24 sar:9/16 flags:0x4",
            "[scaler_out_0_0 @ 0x1] [verbose] w:240 h:320 fmt:yuv420p csp:unknown range:unknown sar:1/1 -> w:320 h:240 fmt:rgb24",
        ] {
            assert_eq!(Message::parse(line).scaling(), Some([(240, 320), (320, 240)]), "{line}");
        }
        let settings = Message::parse("[scaler_out_0_0 @ 0x1] [verbose] w:320 h:240 flags:'' interl:0");
        assert_eq!(settings.scaling(), None);
        let shown = "[Parsed_showinfo_0 @ 0x1] [info] n:   7 pts:   3600 fmt:yuv420p sar:1/1 s:240x320 i:P iskey:1 type:I";
        assert_eq!(Message::parse(shown).shown(), Some((240, 320)));
        let set_up = "[Parsed_showinfo_0 @ 0x1] [info] config in time_base: 1/25, frame_rate: 25/1";
        assert_eq!(Message::parse(set_up).shown(), None);
    }
}
