//! Pieces of HTML: escaped texts, anchors, tables, numbers.

use std::fmt::Write;

pub(super) use figure::escape;

/// The name of a place on the page, from the names that lead to it. Names that differ make anchors that differ, and an
/// anchor is a part of an address as it is: whatever is not a plain letter stands as `~` and two capital digits a byte.
/// Places of the report's own begin with `~` and a small letter, which no name does.
pub(super) fn anchor<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    let mut out = String::new();
    for name in names {
        if !out.is_empty() {
            out.push('/');
        }
        for byte in name.bytes() {
            match byte {
                b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'+' => {
                    out.push(char::from(byte))
                }
                // Writing to a string cannot fail.
                _ => _ = write!(out, "~{byte:02X}"),
            }
        }
    }
    out
}

/// How a column is sorted, and how its cells are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// By its words.
    Words,
    /// By its numbers, the largest first; set to the right.
    Number,
    /// By an order of its own, that of the cells' numbers.
    Order,
    /// A picture; not sorted.
    Mark,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub(super) struct Column {
    /// Its heading, escaped.
    head: String,
    kind: Kind,
    upright: bool,
}

impl Column {
    pub(super) fn words(head: &str) -> Self {
        Self { head: escape(head), kind: Kind::Words, upright: false }
    }

    pub(super) fn number(head: &str) -> Self {
        Self { head: escape(head), kind: Kind::Number, upright: false }
    }

    pub(super) fn ordered(head: &str) -> Self {
        Self { head: escape(head), kind: Kind::Order, upright: false }
    }

    pub(super) fn mark(head: &str) -> Self {
        Self { head: escape(head), kind: Kind::Mark, upright: false }
    }

    /// The same, not sorted.
    pub(super) fn fixed(self) -> Self {
        Self { kind: Kind::Mark, ..self }
    }

    /// A narrow column of numbers whose heading stands upright.
    pub(super) fn upright(head: &str) -> Self {
        Self { head: escape(head), kind: Kind::Number, upright: true }
    }
}

/// A table in a frame that scrolls sideways where the page is narrow. `caption` and `body` are HTML; `id` is the caption's.
pub(super) fn table(id: &str, class: &str, caption: &str, columns: &[Column], body: &str) -> String {
    let head: String = columns
        .iter()
        .map(|Column { head, kind, upright }| {
            let sort = match kind {
                Kind::Words => " data-sort=\"words\"",
                Kind::Number => " data-sort=\"number\"",
                Kind::Order => " data-sort=\"order\"",
                Kind::Mark => "",
            };
            let class = match (upright, kind) {
                (true, _) => " class=\"up\"",
                (false, Kind::Number) => " class=\"n\"",
                (false, _) => "",
            };
            let head = if *upright { format!("<span>{head}</span>") } else { head.clone() };
            format!("<th scope=\"col\"{class}{sort}>{head}</th>")
        })
        .collect();
    format!(
        "<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-labelledby=\"{id}\"><table class=\"{class}\">\
         <caption id=\"{id}\"><span>{caption}</span></caption><thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody></table></div>\n"
    )
}

/// A cell that is sorted by a number and shows a text; a text alone where there is none.
pub(super) fn number(value: Option<f64>, text: &str) -> String {
    match value {
        Some(value) => format!("<td class=\"n\" data-v=\"{}\">{}</td>", short(value), escape(text)),
        None => format!("<td class=\"n\">{}</td>", escape(text)),
    }
}

/// A number for a program: at most four decimals.
pub(super) fn short(value: f64) -> String {
    let text = format!("{value:.4}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.into() }
}

/// A large number in three digits: 527 k, 1.13 G.
pub(super) fn brief(value: f64) -> String {
    let units = [(1e12, "\u{a0}T"), (1e9, "\u{a0}G"), (1e6, "\u{a0}M"), (1e3, "\u{a0}k")];
    let (size, unit) = units.into_iter().find(|(size, _)| value >= *size).unwrap_or((1.0, ""));
    let value = value / size;
    let decimals = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    let text = format!("{value:.decimals$}");
    let text = if decimals > 0 { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    format!("{text}{unit}")
}

/// Points, with one decimal.
pub(super) fn points(value: f64) -> String {
    format!("{value:.1}").replace('-', "\u{2212}")
}

/// Points with their sign.
pub(super) fn signed(value: f64) -> String {
    format!("{value:+.1}").replace('-', "\u{2212}")
}

/// From one number of points to another.
pub(super) fn interval(low: f64, high: f64) -> String {
    format!("{}\u{2009}\u{2013}\u{2009}{}", points(low), points(high))
}

/// The same with signs.
pub(super) fn signed_interval(low: f64, high: f64) -> String {
    format!("{} to {}", signed(low), signed(high))
}

/// "1 row", "2 rows".
pub(super) fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}

/// A link to a place on the page.
pub(super) fn link(anchor: &str, text: &str) -> String {
    format!("<a href=\"#{anchor}\">{}</a>", escape(text))
}

/// The mark beside a heading or a row that links to itself.
pub(super) fn permalink(anchor: &str, what: &str) -> String {
    format!("<a class=\"here\" href=\"#{anchor}\" aria-label=\"Link to {}\">#</a>", escape(what))
}

/// What may be opened. `summary` and `body` are HTML.
pub(super) fn details(id: &str, class: &str, open: bool, summary: &str, body: &str) -> String {
    let open = if open { " open=\"\"" } else { "" };
    format!("<details id=\"{id}\" class=\"{class}\"{open}><summary>{summary}</summary>\n{body}</details>\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_safe_and_differ_where_names_differ() {
        assert_eq!(anchor(["two-stream/table1b", "synth-mini"]), "two-stream~2Ftable1b/synth-mini");
        assert_eq!(anchor(["a b", "\"><script>"]), "a~20b/~22~3E~3Cscript~3E");
        assert_ne!(anchor(["a/b"]), anchor(["a", "b"]));
        assert_ne!(anchor(["a~20"]), anchor(["a "]));
        assert_eq!(anchor(["\u{e9}"]), "~C3~A9");
    }

    #[test]
    fn cells_carry_what_they_are_sorted_by() {
        assert_eq!(number(Some(-0.00001), "0 <"), "<td class=\"n\" data-v=\"0\">0 &lt;</td>");
        assert_eq!(number(Some(12.5), "12.5"), "<td class=\"n\" data-v=\"12.5\">12.5</td>");
        assert_eq!(number(None, "not run"), "<td class=\"n\">not run</td>");
    }

    #[test]
    fn headings_are_escaped_and_say_how_they_sort() {
        let columns =
            [Column::words("<row>"), Column::number("a & b"), Column::mark("bar"), Column::upright("up")];
        let table = table("id", "t", "caption", &columns, "");
        assert!(table.contains("<th scope=\"col\" data-sort=\"words\">&lt;row&gt;</th>"), "{table}");
        assert!(
            table.contains("<th scope=\"col\" class=\"n\" data-sort=\"number\">a &amp; b</th>"),
            "{table}"
        );
        assert!(table.contains("<th scope=\"col\">bar</th>"), "{table}");
        assert!(
            table.contains("<th scope=\"col\" class=\"up\" data-sort=\"number\"><span>up</span></th>"),
            "{table}"
        );
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
    fn minus_signs_are_those_of_print() {
        assert_eq!(signed(-1.25), "\u{2212}1.2");
        assert_eq!(signed_interval(-1.0, 2.0), "\u{2212}1.0 to +2.0");
    }
}
