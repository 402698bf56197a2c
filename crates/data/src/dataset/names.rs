//! Names of videos: their endings, and the comparison of listed names with those of files.

use unicode_normalization::UnicodeNormalization as _;

/// File name endings that are taken for videos where a data set names none, without the dot.
pub const VIDEO_ENDINGS: [&str; 24] = [
    "3g2", "3gp", "asf", "avi", "divx", "dv", "flv", "gif", "m2ts", "m2v", "m4v", "mkv", "mov", "mp4",
    "mpeg", "mpg", "mts", "mxf", "ogm", "ogv", "ts", "vob", "webm", "wmv",
];

/// Splits a file name into the name of the video and its ending. A dot alone makes no ending: `take_0.2` has none.
pub(crate) fn split_ending<'a>(name: &'a str, further: &[String]) -> (&'a str, Option<&'a str>) {
    match name.rsplit_once('.') {
        Some((stem, ending)) if !stem.is_empty() && is_video_ending(ending, further) => (stem, Some(ending)),
        _ => (name, None),
    }
}

/// Returns `true` for a name with one of these endings.
pub(super) fn has_ending(name: &str, endings: &[String]) -> bool {
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    endings.iter().any(|known| known.eq_ignore_ascii_case(ending))
}

/// Returns `true` for the ending of a video: a known one, or one of `further`.
fn is_video_ending(ending: &str, further: &[String]) -> bool {
    let known = VIDEO_ENDINGS.iter().copied().chain(further.iter().map(String::as_str));
    known.into_iter().any(|known| known.eq_ignore_ascii_case(ending))
}

/// The name with composed characters. Some systems store `é` as one character, others as two; both look the same.
pub(crate) fn composed(name: &str) -> String {
    if name.is_ascii() { name.to_owned() } else { name.nfc().collect() }
}

/// The form in which names are compared when none matches exactly: composed, in lower case, and with `@` for `#`, which some
/// copies of HMDB-51 and JHMDB have in its place.
pub(crate) fn folded(name: &str) -> String {
    composed(name).to_lowercase().replace('#', "@")
}

/// Makes the name of a data set from any text: small letters, digits and single dashes; `own` if nothing is left.
pub fn plain_name(text: &str) -> String {
    let mut name = String::new();
    for c in text.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            name.push(c);
        } else if !name.is_empty() && !name.ends_with('-') {
            name.push('-');
        }
    }
    let name = name.trim_end_matches('-');
    if name.is_empty() { "own".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_endings_of_videos_are_endings() {
        let further = ["y4m".to_owned()];
        for (name, stem, ending) in [
            ("a.avi", "a", Some("avi")),
            ("a.b.MP4", "a.b", Some("MP4")),
            ("take_0.2", "take_0.2", None),
            ("x.y4m", "x", Some("y4m")),
            (".avi", ".avi", None),
            ("plain", "plain", None),
        ] {
            assert_eq!(split_ending(name, &further), (stem, ending), "{name}");
        }
        assert_eq!(split_ending("x.y4m", &[]), ("x.y4m", None));
    }

    #[test]
    fn the_name_of_a_set_can_be_that_of_a_folder_of_records() {
        for (text, name) in
            [("My Clips (2)", "my-clips-2"), ("../..", "own"), ("\u{e9}t\u{e9}", "t"), ("a.b", "a-b")]
        {
            assert_eq!(plain_name(text), name);
        }
    }

    #[test]
    fn composed_and_decomposed_names_are_the_same() {
        assert_eq!(folded("Cafe\u{301}/A.avi"), folded("caf\u{e9}/a.AVI"));
        assert_ne!(folded("cafe"), folded("caf\u{e9}"));
        assert_eq!(folded("wave/#20_Rhythm_wave.avi"), folded("wave/@20_Rhythm_wave.avi"));
    }
}
