//! Formats numbers and untrusted texts for readers: in the terminal, Markdown, pictures and the report.

/// Placeholder for a missing number.
pub const NONE: &str = "-";

/// Formats percentage points or percent with one decimal: "61.7".
pub fn points(value: f64) -> String {
    format!("{value:.1}")
}

/// Formats percentage points with their sign: "+1.2", "-0.3".
pub fn signed(value: f64) -> String {
    format!("{value:+.1}")
}

/// Formats an interval of percentage points: "57.1 .. 66.0".
pub fn range(low: f64, high: f64) -> String {
    format!("{low:.1} .. {high:.1}")
}

/// Formats an interval of percentage points with signs: "-0.3 .. +1.2".
pub fn signed_range(low: f64, high: f64) -> String {
    format!("{low:+.1} .. {high:+.1}")
}

/// Formats percentage points with their interval: "61.7 [57.1, 66.0]".
pub fn within(value: f64, low: f64, high: f64) -> String {
    format!("{value:.1} [{low:.1}, {high:.1}]")
}

/// Formats percentage points with their interval and signs: "+1.2 [-0.3, +2.7]".
pub fn signed_within(value: f64, low: f64, high: f64) -> String {
    format!("{value:+.1} [{low:+.1}, {high:+.1}]")
}

/// Formats a percentage with a no-break space before the sign: "66.7 %".
pub fn percent(value: f64) -> String {
    format!("{value:.1}\u{a0}%")
}

/// Formats a number of a paper with the decimals given there, at least one.
pub fn reported(value: f64) -> String {
    let rounded = points(value);
    if rounded.parse() == Ok(value) { rounded } else { value.to_string() }
}

/// Formats a time in seconds with suitable units: "99 s", "1 h 40 min", "4.6 days".
pub fn duration(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..100 => format!("{s} s"),
        100..6_000 => format!("{} min {:02} s", s / 60, s % 60),
        6_000..360_000 => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// Formats a number without decimals.
pub fn whole(value: f64) -> String {
    format!("{value:.0}")
}

/// Formats bytes of memory or disk space: "7.5 GiB".
pub fn gibibytes(bytes: f64) -> String {
    format!("{:.1} GiB", bytes / f64::from(1 << 30))
}

/// Formats the total size of files: "12.34 GB".
pub fn gigabytes(bytes: f64) -> String {
    format!("{:.2} GB", bytes / 1e9)
}

/// Formats the size of one file: "12.34 MB".
pub fn megabytes(bytes: f64) -> String {
    format!("{:.2} MB", bytes / 1e6)
}

/// Formats a number with a comma between thousands: 90,707,781.
pub fn thousands(n: u64) -> String {
    grouped(&n.to_string())
}

/// Puts a comma between thousands in a string of digits.
pub fn grouped(digits: &str) -> String {
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Formats a large number with three digits and a unit prefix: "527 k", "1.13 G".
pub fn brief(value: f64) -> String {
    let units = [(1e12, "\u{a0}T"), (1e9, "\u{a0}G"), (1e6, "\u{a0}M"), (1e3, "\u{a0}k")];
    let (size, unit) = units.into_iter().find(|(size, _)| value >= *size).unwrap_or((1.0, ""));
    let value = value / size;
    let decimals = match value {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{}{unit}", trimmed(&format!("{value:.decimals$}")))
}

/// Formats a number with at most `decimals` decimals and without trailing zeros: "0.67", "100".
pub fn short(value: f64, decimals: usize) -> String {
    match trimmed(&format!("{value:.decimals$}")) {
        "-0" => "0".into(),
        text => text.into(),
    }
}

/// Strips trailing zeros from the fraction of a number.
pub fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// Formats a value as indented JSON.
///
/// # Panics
/// If JSON cannot represent the value, such as a map whose keys are not strings.
pub fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("printed values hold only strings, numbers and lists")
}

/// Names numbers: `data seed 7`, or `data seeds 201, 202, 203`; empty without numbers.
#[must_use]
pub fn numbered(what: &str, numbers: &[u64]) -> String {
    let list = numbers.iter().map(u64::to_string).collect::<Vec<_>>().join(", ");
    match numbers.len() {
        0 => list,
        1 => format!("{what} {list}"),
        _ => format!("{what}s {list}"),
    }
}

/// Formats a count with its noun: "1 row", "2 rows", "3 classes".
pub fn counted(count: usize, noun: &str) -> String {
    let ending = match (count, noun.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {noun}{ending}")
}

/// Returns a character of an untrusted text, or U+FFFD if XML forbids it, a terminal would obey it, or it changes the
/// direction of writing.
pub fn printable(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// Makes an untrusted text safe to print in a terminal: replaces control characters, but keeps line breaks.
pub fn terminal(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// Makes an untrusted name safe to print, in one line.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { printable(c) }).collect()
}

/// Makes an untrusted name safe for Markdown: it cannot open a tag or end a table cell.
pub fn markdown(text: &str) -> String {
    one_line(text).replace('|', "\\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_wrote_steers_nothing() {
        let name = "walk\u{1b}[2J\r\nrun\t<b>|\u{202e}";
        assert_eq!(terminal(name), "walk\u{fffd}[2J\u{fffd}\nrun\t<b>|\u{fffd}");
        assert_eq!(one_line(name), "walk\u{fffd}[2J  run <b>|\u{fffd}");
        assert_eq!(markdown(name), "walk\u{fffd}[2J  run &lt;b>\\|\u{fffd}");
        assert_eq!(markdown("ST-ResNet*, Sect. 4"), "ST-ResNet*, Sect. 4");
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([90_707_781, 256, 1_000].map(thousands), ["90,707,781", "256", "1,000"]);
    }

    #[test]
    fn large_numbers_have_three_digits() {
        let briefs = [527_100.0, 1.13e9, 1e8, 2e9, 12_345.0, 7.0, 3.2e15].map(brief);
        assert_eq!(
            briefs.map(|text| text.replace('\u{a0}', " ")),
            ["527 k", "1.13 G", "100 M", "2 G", "12.3 k", "7", "3200 T"]
        );
    }

    #[test]
    fn numbers_have_no_needless_digits() {
        let short = |value: f64| short(value, 2);
        assert_eq!([0.0, -0.001, 1.5, 2.0 / 3.0, 100.0].map(short), ["0", "0", "1.5", "0.67", "100"]);
        assert_eq!(percent(2.0 / 3.0 * 100.0), "66.7\u{a0}%");
        assert_eq!([73.0, 73.24, 59.4].map(reported), ["73.0", "73.24", "59.4"]);
    }

    #[test]
    fn intervals_stand_beside_their_numbers() {
        assert_eq!(within(61.66, 57.14, 66.0), "61.7 [57.1, 66.0]");
        assert_eq!(signed_within(1.2, -0.32, 2.74), "+1.2 [-0.3, +2.7]");
    }

    #[test]
    fn bytes_have_the_unit_of_what_they_fill() {
        let bytes = 8_053_063_680.0;
        assert_eq!(
            [gibibytes(bytes), gigabytes(bytes), megabytes(bytes)],
            ["7.5 GiB", "8.05 GB", "8053.06 MB"]
        );
        assert_eq!([0.4, 2310.7].map(whole), ["0", "2311"]);
    }

    #[test]
    fn a_time_has_two_units_at_most() {
        let times = [99.4, 100.0, 6_000.0, 400_000.0].map(duration);
        assert_eq!(times, ["99 s", "1 min 40 s", "1 h 40 min", "4.6 days"]);
    }

    #[test]
    fn nouns_have_their_number() {
        assert_eq!(
            [counted(1, "class"), counted(2, "class"), counted(0, "row")],
            ["1 class", "2 classes", "0 rows"]
        );
    }
}
