//! The list of ffmpeg's error messages that leave the pictures as they are.
//!
//! Any other error counts as damage, and so does every frame that ffmpeg marks as corrupt, whatever it says else. So a
//! message belongs here only if no picture depends on what it complains of. `tests/sets/messages.rs` makes an input for each.

use super::message::{Level, Message};

/// A harmless message.
struct Harmless {
    /// Whose message it is: the name in brackets, or the beginning of it.
    by: &'static str,
    /// Beginning of the text.
    begins: &'static str,
}

const LIST: [Harmless; 4] = [
    // The stream asks to forget a reference picture that is not there, as in a segment that was cut at an open group of
    // pictures. Forgetting changes no picture; one that would have needed the reference is marked as corrupt.
    Harmless { by: "h264", begins: "mmco: unref short failure" },
    // A remark of the encoder is shorter than it says. It holds text or captions, and no pixels.
    Harmless { by: "h264", begins: "SEI type " },
    // H.261 has no mark for key frames, so ffmpeg says this of every stream.
    Harmless { by: "h261", begins: "warning: first frame is no keyframe" },
    // About the stamps of the pictures that ffmpeg writes to us, which have none.
    Harmless { by: "image2pipe", begins: "Application provided invalid, non monotonically increasing dts" },
];

/// Decoders of sound, by the beginnings of their names. Sound is not decoded, but ffmpeg looks into it when it opens a file.
const SOUND: [&str; 21] = [
    "aac", "ac3", "eac3", "mp1", "mp2", "mp3", "opus", "vorbis", "flac", "alac", "dca", "truehd", "mlp",
    "wma", "pcm_", "adpcm_", "amr", "atrac", "cook", "speex", "ape",
];

/// Returns `true` for an error that says nothing about the pictures.
pub(super) fn is_harmless(message: &Message<'_>) -> bool {
    // A fatal error ends the decoding.
    if message.level != Some(Level::Error) {
        return false;
    }
    let listed = |known: &Harmless| message.by == known.by && message.text.starts_with(known.begins);
    LIST.iter().any(listed) || SOUND.iter().any(|sound| message.by.starts_with(sound))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_listed_is_harmless() {
        for (line, harmless) in [
            ("[h264 @ 0x55bdb7072300] [error] mmco: unref short failure", true),
            ("[vist#0:0/h264 @ 0x1] [dec:h264 @ 0x2] [error] mmco: unref short failure", true),
            ("[hevc @ 0x1] [error] mmco: unref short failure", false),
            ("[h264 @ 0x1] [error] Invalid NAL unit size (-1 > 551).", false),
            ("[h264 @ 0x1] [fatal] mmco: unref short failure", false),
            ("[error] Error while decoding stream #0:0: Invalid data found when processing input", false),
            ("[aac @ 0x1] [error] channel element 3.9 is not allocated", true),
            ("[mpeg4 @ 0x1] [error] ac-tex damaged at 8 5", false),
            ("[mov,mp4,m4a,3gp,3g2,mj2 @ 0x1] [error] moov atom not found", false),
        ] {
            assert_eq!(is_harmless(&Message::parse(line)), harmless, "{line}");
        }
    }
}
