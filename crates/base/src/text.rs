//! How numbers are written, wherever a person reads them: the terminal, Markdown, pictures and the page.

/// What stands where there is no number.
pub const NONE: &str = "-";

/// Points of accuracy or percent, to a tenth: "61.7".
pub fn points(value: f64) -> String {
    format!("{value:.1}")
}

/// Points with their sign: "+1.2", "-0.3".
pub fn signed(value: f64) -> String {
    format!("{value:+.1}")
}

/// From one number of points to another: "57.1 .. 66.0".
pub fn range(low: f64, high: f64) -> String {
    format!("{low:.1} .. {high:.1}")
}

/// The same with signs: "-0.3 .. +1.2".
pub fn signed_range(low: f64, high: f64) -> String {
    format!("{low:+.1} .. {high:+.1}")
}

/// Points with their interval: "61.7 [57.1, 66.0]".
pub fn within(value: f64, low: f64, high: f64) -> String {
    format!("{value:.1} [{low:.1}, {high:.1}]")
}

/// The same with signs: "+1.2 [-0.3, +2.7]".
pub fn signed_within(value: f64, low: f64, high: f64) -> String {
    format!("{value:+.1} [{low:+.1}, {high:+.1}]")
}

/// A share of a hundred, its sign kept beside it: "66.7 %".
pub fn percent(value: f64) -> String {
    format!("{value:.1}\u{a0}%")
}

/// A paper's number with the decimals that it has there, one at least.
pub fn reported(value: f64) -> String {
    let rounded = points(value);
    if rounded.parse() == Ok(value) { rounded } else { value.to_string() }
}

/// Seconds as a person says them.
pub fn duration(seconds: f64) -> String {
    let s = seconds.round() as u64;
    match s {
        0..100 => format!("{s} s"),
        100..6_000 => format!("{} min {:02} s", s / 60, s % 60),
        6_000..360_000 => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
        _ => format!("{:.1} days", seconds / 86_400.0),
    }
}

/// Without decimals: samples a second, MiB, points where there is no room for more.
pub fn whole(value: f64) -> String {
    format!("{value:.0}")
}

/// Bytes of memory or of a disk: "7.5 GiB".
pub fn gibibytes(bytes: f64) -> String {
    format!("{:.1} GiB", bytes / f64::from(1 << 30))
}

/// Bytes of files together: "12.34 GB".
pub fn gigabytes(bytes: f64) -> String {
    format!("{:.2} GB", bytes / 1e9)
}

/// Bytes of one file: "12.34 MB".
pub fn megabytes(bytes: f64) -> String {
    format!("{:.2} MB", bytes / 1e6)
}

/// 90707781 as 90,707,781.
pub fn thousands(n: u64) -> String {
    grouped(&n.to_string())
}

/// Digits with a comma between thousands.
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

/// A large number in three digits: "527 k", "1.13 G".
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

/// A number with at most so many decimals, and none that says nothing: "0.67", "100".
pub fn short(value: f64, decimals: usize) -> String {
    match trimmed(&format!("{value:.decimals$}")) {
        "-0" => "0".into(),
        text => text.into(),
    }
}

/// A number without the zeros at the end of its fraction.
pub fn trimmed(number: &str) -> &str {
    if number.contains('.') { number.trim_end_matches('0').trim_end_matches('.') } else { number }
}

/// A value as indented JSON.
///
/// # Panics
/// For a value that JSON cannot hold, such as a map whose keys are no strings.
pub fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string_pretty(value).expect("what is printed holds strings, numbers and lists only")
}

/// "1 row", "2 rows", "3 classes".
pub fn counted(count: usize, noun: &str) -> String {
    let ending = match (count, noun.ends_with('s')) {
        (1, _) => "",
        (_, true) => "es",
        (_, false) => "s",
    };
    format!("{count} {noun}{ending}")
}

/// What stands for a character of an untrusted text: itself, or a sign in the place of one that XML forbids, that steers a
/// terminal, or that turns the direction of writing.
pub fn printable(c: char) -> char {
    match c {
        '\n' | '\t' => c,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    }
}

/// A text that others wrote, as the terminal may have it: no character steers it. Lines stay lines.
pub fn terminal(text: &str) -> String {
    text.chars().map(printable).collect()
}

/// A name that others gave, in one line.
pub fn one_line(text: &str) -> String {
    text.chars().map(|c| if matches!(c, '\n' | '\r' | '\t') { ' ' } else { printable(c) }).collect()
}

/// A name that others gave, as text of Markdown: it opens no tag and ends no cell of a table.
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
