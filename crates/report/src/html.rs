//! Building blocks of the page: anchors, tables, numbers, drawings. The templates escape all texts.

use std::fmt::Write;

use base::text;
use figure::Drawing;
use maud::{Markup, PreEscaped, html};

/// Placeholder for a missing number.
pub(super) const NONE: &str = "\u{2013}";

/// Marks a text as HTML that needs no escaping. Only for the style sheet, the script, and drawings, which escape their own
/// texts.
pub(super) fn trusted(html: impl Into<String>) -> Markup {
    PreEscaped(html.into())
}

/// Renders a drawing with an additional CSS class.
pub(super) fn drawing(drawing: &Drawing, class: &str) -> Markup {
    trusted(drawing.inline(class))
}

/// Makes an anchor from the names that lead to a place on the page. Different names make different anchors, and an anchor
/// needs no escaping in a URL: each byte of other characters is written as `~` and two upper-case hexadecimal digits.
/// The report's own anchors begin with `~` and a lower-case letter, which no name does.
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

/// Sorting and alignment of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// Sorted by its text.
    Words,
    /// Sorted by its numbers, largest first; aligned to the right.
    Number,
    /// Sorted by a number given with each cell.
    Order,
    /// Pictures; not sorted.
    Mark,
}

/// A column of a table.
#[derive(Debug, Clone)]
pub(super) struct Column {
    head: String,
    kind: Kind,
    upright: bool,
}

impl Column {
    fn of(head: &str, kind: Kind) -> Self {
        Self { head: head.to_owned(), kind, upright: false }
    }

    pub(super) fn words(head: &str) -> Self {
        Self::of(head, Kind::Words)
    }

    pub(super) fn number(head: &str) -> Self {
        Self::of(head, Kind::Number)
    }

    pub(super) fn ordered(head: &str) -> Self {
        Self::of(head, Kind::Order)
    }

    pub(super) fn mark(head: &str) -> Self {
        Self::of(head, Kind::Mark)
    }

    /// Creates a narrow column of numbers with a vertical heading.
    pub(super) fn upright(head: &str) -> Self {
        Self { upright: true, ..Self::number(head) }
    }

    fn head(&self) -> Markup {
        let sort = match self.kind {
            Kind::Words => Some("words"),
            Kind::Number => Some("number"),
            Kind::Order => Some("order"),
            Kind::Mark => None,
        };
        let class = match (self.upright, self.kind) {
            (true, _) => Some("up"),
            (false, Kind::Number) => Some("n"),
            (false, _) => None,
        };
        html! {
            th scope="col" class=[class] data-sort=[sort] {
                @if self.upright { span { (self.head) } } @else { (self.head) }
            }
        }
    }
}

/// Renders a table in a frame that scrolls sideways if the page is narrow; `id` is the caption's.
pub(super) fn table(id: &str, class: &str, caption: &Markup, columns: &[Column], body: &Markup) -> Markup {
    html! {
        div.scroll role="group" tabindex="0" aria-labelledby=(id) {
            table class=(class) {
                caption id=(id) { span { (caption) } }
                thead { tr { @for column in columns { (column.head()) } } }
                tbody { (body) }
            }
        }
        "\n"
    }
}

/// Renders a cell that shows a text and is sorted by a number, if there is one.
pub(super) fn number(value: Option<f64>, text: &str) -> Markup {
    html! { td.n data-v=[value.map(sorted)] { (text) } }
}

/// Renders a cell with a formatted number, or a dash if there is none.
pub(super) fn number_or_dash(value: Option<f64>, words: impl Fn(f64) -> String) -> Markup {
    number(value, &value.map_or(NONE.into(), words))
}

/// Formats a number as a sort key.
pub(super) fn sorted(value: f64) -> String {
    text::short(value, 4)
}

/// Replaces hyphens by minus signs.
fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

/// Formats percentage points with one decimal.
pub(super) fn points(value: f64) -> String {
    minus(&text::points(value))
}

/// Formats percentage points with a sign.
pub(super) fn signed(value: f64) -> String {
    minus(&text::signed(value))
}

/// Formats an interval of percentage points.
pub(super) fn interval(low: f64, high: f64) -> String {
    format!("{}\u{2009}\u{2013}\u{2009}{}", points(low), points(high))
}

/// Formats an interval of percentage points with signs.
pub(super) fn signed_interval(low: f64, high: f64) -> String {
    format!("{} to {}", signed(low), signed(high))
}

/// Renders a link to an anchor on the page.
pub(super) fn link(anchor: &str, text: &str) -> Markup {
    html! { a href={ "#" (anchor) } { (text) } }
}

/// Joins parts with a separator.
pub(super) fn joined(parts: &[Markup], between: &str) -> Markup {
    html! { @for (i, part) in parts.iter().enumerate() { @if i > 0 { (between) } (part) } }
}

/// Renders the mark beside a heading or a row that links to itself.
pub(super) fn permalink(anchor: &str, what: &str) -> Markup {
    html! { a.here href={ "#" (anchor) } aria-label={ "Link to " (what) } { "#" } }
}

/// Renders a part of the page that can be opened and closed.
pub(super) fn details(id: &str, class: &str, open: bool, summary: &Markup, body: &Markup) -> Markup {
    html! {
        details id=(id) class=(class) open=[open.then_some("")] { summary { (summary) } (body) } "\n"
    }
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
        let cell = |value, text| number(value, text).into_string();
        assert_eq!(cell(Some(-0.00001), "0 <"), "<td class=\"n\" data-v=\"0\">0 &lt;</td>");
        assert_eq!(cell(Some(12.5), "12.5"), "<td class=\"n\" data-v=\"12.5\">12.5</td>");
        assert_eq!(cell(None, "not run"), "<td class=\"n\">not run</td>");
    }

    #[test]
    fn headings_say_how_they_sort() {
        let columns =
            [Column::words("<row>"), Column::number("a & b"), Column::mark("bar"), Column::upright("up")];
        let table = table("id", "t", &html! { "caption" }, &columns, &html! {}).into_string();
        for head in [
            "<th scope=\"col\" data-sort=\"words\">&lt;row&gt;</th>",
            "<th scope=\"col\" class=\"n\" data-sort=\"number\">a &amp; b</th>",
            "<th scope=\"col\">bar</th>",
            "<th scope=\"col\" class=\"up\" data-sort=\"number\"><span>up</span></th>",
        ] {
            assert!(table.contains(head), "{head} of {table}");
        }
    }

    #[test]
    fn minus_signs_are_those_of_print() {
        assert_eq!(signed(-1.25), "\u{2212}1.2");
        assert_eq!(signed_interval(-1.0, 2.0), "\u{2212}1.0 to +2.0");
    }
}
