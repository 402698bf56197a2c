//! SVG documents: shapes, texts whose width is estimated, and escaping.

use std::fmt::Write;

use super::colour::{BORDER, INK, Rgb, hex};

/// Width of a picture in pixels, about that of a page on GitHub.
pub(super) const WIDTH: f64 = 880.0;
/// Space around a picture.
pub(super) const MARGIN: f64 = 24.0;
/// Baseline of the title, and of the line under it.
pub(super) const TITLE_Y: f64 = 34.0;
pub(super) const SUBTITLE_Y: f64 = 54.0;
/// Where the drawing may start.
pub(super) const HEAD: f64 = 70.0;

const FONTS: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// Which point of a text its position means.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// How a text looks.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    pub size: f64,
    pub fill: Rgb,
    pub anchor: Anchor,
    pub bold: bool,
    /// Degrees, clockwise about the position.
    pub turn: f64,
}

impl Style {
    /// A text of `size` pixels in ink.
    pub(super) const fn new(size: f64) -> Self {
        Self { size, fill: INK, anchor: Anchor::Start, bold: false, turn: 0.0 }
    }

    pub(super) const fn fill(self, fill: Rgb) -> Self {
        Self { fill, ..self }
    }

    pub(super) const fn middle(self) -> Self {
        Self { anchor: Anchor::Middle, ..self }
    }

    pub(super) const fn end(self) -> Self {
        Self { anchor: Anchor::End, ..self }
    }

    pub(super) const fn bold(self) -> Self {
        Self { bold: true, ..self }
    }

    pub(super) const fn turn(self, turn: f64) -> Self {
        Self { turn, ..self }
    }
}

/// A document in the making. Positions are pixels from the top left.
pub(super) struct Svg {
    width: f64,
    height: f64,
    body: String,
}

impl Svg {
    pub(super) fn new(width: f64, height: f64) -> Self {
        Self { width, height, body: String::new() }
    }

    /// The title and a line under it, cut to the picture's width.
    pub(super) fn head(&mut self, title: &str, subtitle: &str) {
        let room = self.width - 2.0 * MARGIN;
        self.text_within(MARGIN, TITLE_Y, Style::new(16.0).bold(), title, room);
        self.text_within(MARGIN, SUBTITLE_Y, Style::new(12.0).fill(super::colour::QUIET), subtitle, room);
    }

    /// A filled rectangle.
    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Rgb) {
        let (x, y, width, height) = (num(x), num(y), num(width), num(height));
        self.add(&format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{}\"/>",
            hex(fill)
        ));
    }

    /// A filled rectangle that tells `tip` when the mouse rests on it.
    pub(super) fn rect_with_tip(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Rgb, tip: &str) {
        let (x, y, width, height) = (num(x), num(y), num(width), num(height));
        self.add(&format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"{}\"><title>{}</title></rect>",
            hex(fill),
            escape(tip)
        ));
    }

    /// The outline of a rectangle, one pixel wide.
    pub(super) fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, stroke: Rgb) {
        let (x, y, width, height) = (num(x), num(y), num(width), num(height));
        self.add(&format!(
            "<rect x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" fill=\"none\" stroke=\"{}\"/>",
            hex(stroke)
        ));
    }

    /// A straight line; `dash` as in `stroke-dasharray`, empty for none.
    pub(super) fn line(&mut self, from: (f64, f64), to: (f64, f64), stroke: Rgb, width: f64, dash: &str) {
        self.path(
            &format!("M{} {}L{} {}", num(from.0), num(from.1), num(to.0), num(to.1)),
            stroke,
            width,
            dash,
        );
    }

    /// A line along path data.
    pub(super) fn path(&mut self, data: &str, stroke: Rgb, width: f64, dash: &str) {
        let dash = if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") };
        self.add(&format!(
            "<path d=\"{data}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{dash}/>",
            hex(stroke),
            num(width)
        ));
    }

    /// A filled shape along path data with a thin white rim and a tip.
    pub(super) fn shape(&mut self, data: &str, fill: Rgb, tip: &str) {
        self.outlined(data, fill, "#ffffff", tip);
    }

    /// The same with an outline of any colour.
    pub(super) fn outlined(&mut self, data: &str, fill: Rgb, outline: &str, tip: &str) {
        self.add(&format!(
            "<path d=\"{data}\" fill=\"{}\" stroke=\"{outline}\"><title>{}</title></path>",
            hex(fill),
            escape(tip)
        ));
    }

    /// A filled circle.
    pub(super) fn dot(&mut self, x: f64, y: f64, radius: f64, fill: Rgb) {
        let (x, y, radius) = (num(x), num(y), num(radius));
        self.add(&format!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{}\"/>", hex(fill)));
    }

    /// A picture within the picture, from a `data:` address.
    pub(super) fn image(&mut self, x: f64, y: f64, width: f64, height: f64, address: &str) {
        let (x, y, width, height) = (num(x), num(y), num(width), num(height));
        self.add(&format!(
            "<image x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\" href=\"{address}\"/>"
        ));
    }

    /// A text whose baseline is at y.
    pub(super) fn text(&mut self, x: f64, y: f64, style: Style, text: &str) {
        self.text_of(x, y, style, text, None);
    }

    /// A text cut to `room` pixels; the whole of it is then its tip.
    pub(super) fn text_within(&mut self, x: f64, y: f64, style: Style, text: &str, room: f64) {
        // Bold letters are about a sixth wider.
        let size = if style.bold { style.size * 1.17 } else { style.size };
        match cut(text, size, room) {
            None => self.text_of(x, y, style, text, None),
            Some(short) => self.text_of(x, y, style, &short, Some(text)),
        }
    }

    fn text_of(&mut self, x: f64, y: f64, style: Style, text: &str, tip: Option<&str>) {
        let (x, y) = (num(x), num(y));
        let mut line = format!("<text x=\"{x}\" y=\"{y}\" font-size=\"{}\"", num(style.size));
        let _ = write!(line, " fill=\"{}\"", hex(style.fill));
        match style.anchor {
            Anchor::Start => {}
            Anchor::Middle => line.push_str(" text-anchor=\"middle\""),
            Anchor::End => line.push_str(" text-anchor=\"end\""),
        }
        if style.bold {
            line.push_str(" font-weight=\"bold\"");
        }
        if style.turn != 0.0 {
            let _ = write!(line, " transform=\"rotate({} {x} {y})\"", num(style.turn));
        }
        line.push('>');
        line.push_str(&escape(text));
        if let Some(tip) = tip {
            let _ = write!(line, "<title>{}</title>", escape(tip));
        }
        line.push_str("</text>");
        self.add(&line);
    }

    /// The whole document. `title` and `description` are what a screen reader says.
    pub(super) fn finish(self, title: &str, description: &str) -> String {
        let (width, height) = (num(self.width.ceil()), num(self.height.ceil()));
        let (right, bottom) = (num(self.width.ceil() - 1.0), num(self.height.ceil() - 1.0));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\">\n\
             <title>{}</title>\n<desc>{}</desc>\n\
             <rect x=\"0.5\" y=\"0.5\" width=\"{right}\" height=\"{bottom}\" rx=\"6\" fill=\"#ffffff\" \
             stroke=\"{}\"/>\n{}</svg>\n",
            escape(title),
            escape(description),
            hex(BORDER),
            self.body
        )
    }

    fn add(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

/// A coordinate with at most two decimals.
pub fn num(value: f64) -> String {
    let text = format!("{value:.2}");
    let short = text.trim_end_matches('0').trim_end_matches('.');
    if short == "-0" { "0".into() } else { short.into() }
}

/// A share of a hundred, as everywhere in the pictures: one decimal.
pub(super) fn percent(value: f64) -> String {
    format!("{value:.1}\u{a0}%")
}

/// Text that may stand in an element or an attribute. Characters that XML
/// forbids, and those that turn the direction of writing, are replaced.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c if c.is_control() => out.push('\u{fffd}'),
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fffe}' | '\u{ffff}' => {
                out.push('\u{fffd}');
            }
            c => out.push(c),
        }
    }
    out
}

/// About how wide a text is at `size`; wide fonts such as DejaVu Sans fit too.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size
}

/// The widest of some texts.
pub(super) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, size: f64) -> f64 {
    texts.into_iter().map(|text| text_width(text, size)).fold(0.0, f64::max)
}

/// Which entries of a legend go into which line, where each takes `mark` pixels beside its text of size 12.
pub(super) fn legend_lines<'a>(entries: impl IntoIterator<Item = &'a str>, mark: f64) -> Vec<Vec<usize>> {
    let mut lines: Vec<Vec<usize>> = Vec::new();
    let mut left = 0.0;
    for (entry, text) in entries.into_iter().enumerate() {
        let width = mark + text_width(text, 12.0);
        match lines.last_mut() {
            Some(line) if width <= left => line.push(entry),
            _ => {
                lines.push(vec![entry]);
                left = WIDTH - 2.0 * MARGIN;
            }
        }
        left -= width;
    }
    lines
}

/// The text with its end replaced by an ellipsis, where it is wider than `room`.
fn cut(text: &str, size: f64, room: f64) -> Option<String> {
    if text_width(text, size) <= room {
        return None;
    }
    let mut left = room - advance('…') * size;
    let fits = |c: &char| {
        left -= advance(*c) * size;
        left >= 0.0
    };
    let mut short: String = text.chars().take_while(fits).collect();
    short.push('…');
    Some(short)
}

fn advance(c: char) -> f64 {
    match c {
        'i' | 'j' | 'l' | 'I' | ' ' | '.' | ',' | '\'' | ':' | ';' | '!' | '|' | '\u{a0}' => 0.34,
        'f' | 't' | 'r' | 's' | '-' | '(' | ')' | '[' | ']' | '/' => 0.45,
        'm' | 'w' | 'M' | 'W' | '@' | '%' | '…' => 0.98,
        'A'..='Z' => 0.72,
        c if u32::from(c) >= 0x1100 => 1.05,
        _ => 0.64,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_leave_their_place() {
        assert_eq!(escape("a<b>&\"'"), "a&lt;b&gt;&amp;&quot;&#39;");
        assert_eq!(escape("a\u{0}b\nc\u{202e}d"), "a\u{fffd}b c\u{fffd}d");
    }

    #[test]
    fn numbers_have_no_needless_digits() {
        assert_eq!([0.0, -0.001, 1.5, 2.0 / 3.0, 100.0].map(num), ["0", "0", "1.5", "0.67", "100"]);
        assert_eq!(percent(2.0 / 3.0 * 100.0), "66.7\u{a0}%");
    }

    #[test]
    fn a_long_text_is_cut_to_its_room_and_kept_as_its_tip() {
        let name = "HandstandPushups of the very long name";
        let short = cut(name, 11.0, 100.0).unwrap();
        assert!(short.ends_with('…') && name.starts_with(short.trim_end_matches('…')), "{short}");
        assert!(text_width(&short, 11.0) <= 100.0 && text_width(&short, 11.0) > 80.0);
        assert_eq!(cut("short", 11.0, 100.0), None);
        assert_eq!(cut("anything", 11.0, 0.0).unwrap(), "…");
        let mut svg = Svg::new(10.0, 10.0);
        svg.text_within(0.0, 0.0, Style::new(11.0), name, 100.0);
        assert!(svg.finish("", "").contains(&format!("<title>{name}</title></text>")));
    }
}
