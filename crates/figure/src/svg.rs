//! Builds SVG pictures from shapes and texts with estimated widths, and writes them to a file or into a page.

use std::fmt::Write;

use base::text::{printable, short};

use super::colour::{BORDER, GROUND, INK, Paint, QUIET};

/// Width of a picture in pixels, about that of a page on GitHub.
pub(super) const WIDTH: f64 = 880.0;
/// Space around a picture.
pub(super) const MARGIN: f64 = 24.0;
/// Baselines of the title and of the line under it.
pub(super) const TITLE_Y: f64 = 34.0;
pub(super) const SUBTITLE_Y: f64 = 54.0;
/// Top of the drawing, below the title.
pub(super) const HEAD: f64 = 70.0;

const FONTS: &str = "Helvetica, Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// The point of a text at its position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Anchor {
    Start,
    Middle,
    End,
}

/// The style of a text.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    pub size: f64,
    pub fill: Paint,
    pub anchor: Anchor,
    pub bold: bool,
    /// Rotation in degrees, clockwise about the position.
    pub turn: f64,
}

impl Style {
    /// Creates the style of a text of `size` pixels in ink.
    pub(super) const fn new(size: f64) -> Self {
        Self { size, fill: INK, anchor: Anchor::Start, bold: false, turn: 0.0 }
    }

    pub(super) const fn fill(self, fill: Paint) -> Self {
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

    /// Returns weight and rotation as attributes.
    fn further(&self, x: &str, y: &str) -> String {
        let mut text = String::new();
        if self.bold {
            text.push_str(" font-weight=\"bold\"");
        }
        if self.turn != 0.0 {
            text.push_str(&format!(" transform=\"rotate({} {x} {y})\"", num(self.turn)));
        }
        text
    }
}

/// A picture: its shapes and texts, and a description in words. It is written as a file or into a page, with the same
/// geometry. Positions are pixels from the top left.
#[derive(Debug, Clone)]
pub struct Drawing {
    width: f64,
    height: f64,
    /// Title of one line; empty for a picture within a text.
    pub title: String,
    /// Explanation of one line.
    pub subtitle: String,
    /// Description for screen readers.
    pub description: String,
    body: Vec<Element>,
}

/// An element of a picture, in drawing order.
#[derive(Debug, Clone)]
enum Element {
    Rect {
        area: [f64; 4],
        fill: Paint,
        tip: String,
    },
    Frame {
        area: [f64; 4],
        stroke: Paint,
    },
    Line {
        points: Vec<(f64, f64)>,
        stroke: Paint,
        width: f64,
        dash: &'static str,
    },
    Shape {
        data: String,
        fill: Paint,
        outline: Paint,
        tip: String,
    },
    Dot {
        at: (f64, f64),
        radius: f64,
        fill: Paint,
    },
    Image {
        area: [f64; 4],
        address: String,
    },
    Text {
        at: (f64, f64),
        style: Style,
        text: String,
        tip: String,
    },
    /// Start of a group, which on a page links to `place`.
    Open {
        class: &'static str,
        place: Option<String>,
        name: String,
    },
    Close,
}

impl Drawing {
    pub(super) fn new(width: f64, height: f64) -> Self {
        let (title, subtitle, description) = (String::new(), String::new(), String::new());
        Self { width, height, title, subtitle, description, body: Vec::new() }
    }

    /// Sets the title and the line under it, which a page shows beside the picture.
    pub(super) fn head(&mut self, title: &str, subtitle: &str) {
        (self.title, self.subtitle) = (title.to_owned(), subtitle.to_owned());
    }

    /// Sets the description of the finished picture.
    pub(super) fn described(self, description: String) -> Self {
        Self { description, ..self }
    }

    /// Draws a filled rectangle.
    pub(super) fn rect(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Paint) {
        self.rect_with_tip(x, y, width, height, fill, "");
    }

    /// Draws a filled rectangle with a tooltip.
    pub(super) fn rect_with_tip(&mut self, x: f64, y: f64, width: f64, height: f64, fill: Paint, tip: &str) {
        self.body.push(Element::Rect { area: [x, y, width, height], fill, tip: tip.to_owned() });
    }

    /// Draws the outline of a rectangle, one pixel wide.
    pub(super) fn frame(&mut self, x: f64, y: f64, width: f64, height: f64, stroke: Paint) {
        self.body.push(Element::Frame { area: [x, y, width, height], stroke });
    }

    /// Draws a straight line; `dash` as in `stroke-dasharray`, empty for none.
    pub(super) fn line(
        &mut self,
        from: (f64, f64),
        to: (f64, f64),
        stroke: Paint,
        width: f64,
        dash: &'static str,
    ) {
        self.path(vec![from, to], stroke, width, dash);
    }

    /// Draws a line from point to point.
    pub(super) fn path(&mut self, points: Vec<(f64, f64)>, stroke: Paint, width: f64, dash: &'static str) {
        self.body.push(Element::Line { points, stroke, width, dash });
    }

    /// Draws a filled shape from path data with a thin outline and a tooltip.
    pub(super) fn shape(&mut self, data: String, fill: Paint, outline: Paint, tip: &str) {
        self.body.push(Element::Shape { data, fill, outline, tip: tip.to_owned() });
    }

    /// Draws a filled circle.
    pub(super) fn dot(&mut self, x: f64, y: f64, radius: f64, fill: Paint) {
        self.body.push(Element::Dot { at: (x, y), radius, fill });
    }

    /// Draws a raster picture from a `data:` URL.
    pub(super) fn image(&mut self, x: f64, y: f64, width: f64, height: f64, address: String) {
        self.body.push(Element::Image { area: [x, y, width, height], address });
    }

    /// Draws a text with its baseline at y.
    pub(super) fn text(&mut self, x: f64, y: f64, style: Style, text: &str) {
        self.body.push(Element::Text { at: (x, y), style, text: text.to_owned(), tip: String::new() });
    }

    /// Draws a text cut to `room` pixels; the full text is then its tooltip.
    pub(super) fn text_within(&mut self, x: f64, y: f64, style: Style, text: &str, room: f64) {
        self.body.push(within((x, y), style, text, room));
    }

    /// Opens a group that ends with [`Self::close`]. On a page it has the class `class`, and links to `place` under that name.
    pub(super) fn open(&mut self, class: &'static str, place: Option<&str>, name: &str) {
        self.body.push(Element::Open { class, place: place.map(str::to_owned), name: name.to_owned() });
    }

    pub(super) fn close(&mut self) {
        self.body.push(Element::Close);
    }

    /// Writes the picture as an SVG file, on white.
    pub fn file(&self) -> String {
        let (width, height) = (num(self.width.ceil()), num(self.height.ceil()));
        let (right, bottom) = (num(self.width.ceil() - 1.0), num(self.height.ceil() - 1.0));
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" role=\"img\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" font-family=\"{FONTS}\">\n\
             <title>{}</title>\n<desc>{}</desc>\n\
             <rect x=\"0.5\" y=\"0.5\" width=\"{right}\" height=\"{bottom}\" rx=\"6\" fill=\"{}\" \
             stroke=\"{}\"/>\n",
            escape(&self.title),
            escape(&self.description),
            GROUND.hex(),
            BORDER.hex(),
        );
        let room = self.width - 2.0 * MARGIN;
        let head = [
            within((MARGIN, TITLE_Y), Style::new(16.0).bold(), &self.title, room),
            within((MARGIN, SUBTITLE_Y), Style::new(12.0).fill(QUIET), &self.subtitle, room),
        ];
        for element in head.iter().filter(|_| !self.title.is_empty()).chain(&self.body) {
            element.write_to_file(&mut out);
        }
        out.push_str("</svg>\n");
        out
    }

    /// Writes the picture as an element of a page with [`style`](crate::style): without background, title and subtitle,
    /// with links, in colours that follow the page. `class` is an additional CSS class.
    pub fn inline(&self, class: &str) -> String {
        // The page provides the title and the margins.
        let (left, top) = if self.title.is_empty() { (0.0, 0.0) } else { (MARGIN - 4.0, HEAD - 8.0) };
        let (width, height) = (num(self.width - 2.0 * left), num(self.height - top));
        let (left, top) = (num(left), num(top));
        let links = self.body.iter().any(|part| matches!(part, Element::Open { place: Some(_), .. }));
        let says = if self.description.is_empty() {
            // The page shows the same information beside it.
            "aria-hidden=\"true\"".to_owned()
        } else {
            // Links inside the role `img` could not be reached.
            let role = if links { "group" } else { "img" };
            format!("role=\"{role}\" aria-label=\"{}\"", escape(&self.description))
        };
        let mut out = format!(
            "<svg class=\"fig {class}\" width=\"{width}\" height=\"{height}\" viewBox=\"{left} {top} {width} {height}\" {says}>"
        );
        let mut open = Vec::new();
        for element in &self.body {
            element.write_to_page(&mut out, &mut open);
        }
        out.push_str("</svg>");
        out
    }
}

/// Creates a text element that may take `room` pixels.
fn within(at: (f64, f64), style: Style, text: &str, room: f64) -> Element {
    // Bold letters are about one sixth wider.
    let size = if style.bold { style.size * 1.17 } else { style.size };
    match cut(text, size, room) {
        None => Element::Text { at, style, text: text.to_owned(), tip: String::new() },
        Some(short) => Element::Text { at, style, text: short, tip: text.to_owned() },
    }
}

/// Ends an element, with a tooltip inside if there is one.
fn ended(name: &str, tip: &str) -> String {
    if tip.is_empty() { "/>".into() } else { format!("><title>{}</title></{name}>", escape(tip)) }
}

impl Element {
    // Writing to a string cannot fail.
    fn write_to_file(&self, out: &mut String) {
        let _ = match self {
            Self::Rect { area, fill, tip } => {
                writeln!(out, "<rect{} fill=\"{}\"{}", place(area), fill.hex(), ended("rect", tip))
            }
            Self::Frame { area, stroke } => {
                writeln!(out, "<rect{} fill=\"none\" stroke=\"{}\"/>", place(area), stroke.hex())
            }
            Self::Line { points, stroke, width, dash } => {
                let places: Vec<String> =
                    points.iter().map(|&(x, y)| format!("{} {}", num(x), num(y))).collect();
                writeln!(
                    out,
                    "<path d=\"M{}\" fill=\"none\" stroke=\"{}\" stroke-width=\"{}\" stroke-linejoin=\"round\"{}/>",
                    places.join("L"),
                    stroke.hex(),
                    num(*width),
                    dashes(dash)
                )
            }
            Self::Shape { data, fill, outline, tip } => {
                let (fill, outline) = (fill.hex(), outline.hex());
                writeln!(out, "<path d=\"{data}\" fill=\"{fill}\" stroke=\"{outline}\"{}", ended("path", tip))
            }
            Self::Dot { at: (x, y), radius, fill } => {
                let (x, y, radius) = (num(*x), num(*y), num(*radius));
                writeln!(out, "<circle cx=\"{x}\" cy=\"{y}\" r=\"{radius}\" fill=\"{}\"/>", fill.hex())
            }
            Self::Image { area, address } => writeln!(out, "<image{} href=\"{address}\"/>", place(area)),
            Self::Text { at: (x, y), style, text, tip } => {
                let anchor = match style.anchor {
                    Anchor::Start => "",
                    Anchor::Middle => " text-anchor=\"middle\"",
                    Anchor::End => " text-anchor=\"end\"",
                };
                let (x, y) = (num(*x), num(*y));
                writeln!(
                    out,
                    "<text x=\"{x}\" y=\"{y}\" font-size=\"{}\" fill=\"{}\"{anchor}{}>{}{}</text>",
                    num(style.size),
                    style.fill.hex(),
                    style.further(&x, &y),
                    escape(text),
                    title(tip)
                )
            }
            Self::Open { .. } | Self::Close => Ok(()),
        };
    }

    /// Writes the element into a page. `open` lists the elements that are not closed yet.
    fn write_to_page(&self, out: &mut String, open: &mut Vec<&'static str>) {
        let _ = match self {
            Self::Rect { area, fill, tip } => {
                write!(out, "<rect class=\"{}\"{}{}", fill.class(), place(area), ended("rect", tip))
            }
            Self::Frame { area, stroke } => {
                write!(out, "<rect class=\"out {}\"{}/>", stroke.class(), place(area))
            }
            Self::Line { points, stroke, width, dash } => {
                let width =
                    if *width == 1.0 { String::new() } else { format!(" stroke-width=\"{}\"", num(*width)) };
                let (class, data) = (stroke.class(), steps(points));
                write!(out, "<path class=\"{class}\" d=\"{data}\"{width}{}/>", dashes(dash))
            }
            Self::Shape { data, fill, outline, tip } => {
                // The outline of a mark has the colour of the background.
                let rim = if *outline == GROUND { "" } else { " rim" };
                write!(out, "<path class=\"f {}{rim}\" d=\"{data}\"{}", fill.class(), ended("path", tip))
            }
            Self::Dot { at: (x, y), radius, fill } => {
                let (x, y, radius) = (num(*x), num(*y), num(*radius));
                write!(out, "<circle class=\"{}\" cx=\"{x}\" cy=\"{y}\" r=\"{radius}\"/>", fill.class())
            }
            Self::Image { area, address } => write!(out, "<image{} href=\"{address}\"/>", place(area)),
            Self::Text { at: (x, y), style, text, tip } => {
                let anchor = match style.anchor {
                    Anchor::Start => "",
                    Anchor::Middle => " m",
                    Anchor::End => " e",
                };
                let size = if style.size == 12.0 {
                    String::new()
                } else {
                    format!(" font-size=\"{}\"", num(style.size))
                };
                let (x, y) = (short(*x, 1), short(*y, 1));
                write!(
                    out,
                    "<text class=\"{}{anchor}\" x=\"{x}\" y=\"{y}\"{size}{}>{}{}</text>",
                    style.fill.class(),
                    style.further(&x, &y),
                    escape(text),
                    title(tip)
                )
            }
            Self::Open { class, place: Some(place), name } => {
                open.push("a");
                let name = escape(name);
                write!(out, "<a class=\"{class}\" href=\"#{}\" aria-label=\"{name}\">", escape(place))
            }
            Self::Open { class, place: None, .. } => {
                open.push("g");
                write!(out, "<g class=\"{class}\">")
            }
            Self::Close => match open.pop() {
                Some(name) => write!(out, "</{name}>"),
                None => Ok(()),
            },
        };
    }
}

fn place([x, y, width, height]: &[f64; 4]) -> String {
    format!(" x=\"{}\" y=\"{}\" width=\"{}\" height=\"{}\"", num(*x), num(*y), num(*width), num(*height))
}

fn dashes(dash: &str) -> String {
    if dash.is_empty() { String::new() } else { format!(" stroke-dasharray=\"{dash}\"") }
}

fn title(tip: &str) -> String {
    if tip.is_empty() { String::new() } else { format!("<title>{}</title>", escape(tip)) }
}

/// Writes path data with relative steps from point to point, in tenths of a pixel.
fn steps(points: &[(f64, f64)]) -> String {
    let tenths = |value: f64| (value * 10.0).round();
    let mut out = String::new();
    let mut last = (0.0, 0.0);
    for (i, &(x, y)) in points.iter().enumerate() {
        let here = (tenths(x), tenths(y));
        let [x, y] = [here.0 - last.0, here.1 - last.1].map(|step| num(step / 10.0));
        out.push_str(match i {
            0 => "M",
            1 => "l",
            _ if x.starts_with('-') => "",
            _ => " ",
        });
        out.push_str(&x);
        out.push_str(if y.starts_with('-') { "" } else { " " });
        out.push_str(&y);
        last = here;
    }
    out
}

/// Formats a coordinate with at most two decimals.
pub(super) fn num(value: f64) -> String {
    short(value, 2)
}

/// Escapes a text for an element or an attribute. Replaces characters that XML
/// forbids and those that change the direction of writing.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            '\t' | '\n' | '\r' => out.push(' '),
            c => out.push(printable(c)),
        }
    }
    out
}

/// Estimates the width of a text at `size`, with room for wide fonts such as DejaVu Sans.
pub(super) fn text_width(text: &str, size: f64) -> f64 {
    text.chars().map(advance).sum::<f64>() * size
}

/// Returns the largest width of some texts.
pub(super) fn widest<'a>(texts: impl IntoIterator<Item = &'a str>, size: f64) -> f64 {
    texts.into_iter().map(|text| text_width(text, size)).fold(0.0, f64::max)
}

/// Lays out the entries of a legend: returns each number with its position, and the lower end of all lines. An entry takes
/// `beside` pixels in addition to its text of size 12.
pub(super) fn legend<'a>(
    entries: impl IntoIterator<Item = &'a str>,
    beside: f64,
) -> (Vec<(usize, f64, f64)>, f64) {
    let (mut places, mut x, mut y) = (Vec::new(), MARGIN, HEAD);
    for (entry, text) in entries.into_iter().enumerate() {
        let width = beside + text_width(text, 12.0);
        if entry > 0 && x + width > WIDTH - MARGIN {
            (x, y) = (MARGIN, y + 20.0);
        }
        places.push((entry, x, y));
        x += width;
    }
    (places, y + 20.0)
}

/// Replaces the end of a text by an ellipsis if it is wider than `room`; otherwise returns `None`.
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
    fn a_long_text_is_cut_to_its_room_and_kept_as_its_tip() {
        let name = "HandstandPushups of the very long name";
        let short = cut(name, 11.0, 100.0).unwrap();
        assert!(short.ends_with('…') && name.starts_with(short.trim_end_matches('…')), "{short}");
        assert!(text_width(&short, 11.0) <= 100.0 && text_width(&short, 11.0) > 80.0);
        assert_eq!(cut("short", 11.0, 100.0), None);
        assert_eq!(cut("anything", 11.0, 0.0).unwrap(), "…");
        let mut svg = Drawing::new(10.0, 10.0);
        svg.text_within(0.0, 0.0, Style::new(11.0), name, 100.0);
        assert!(svg.file().contains(&format!("<title>{name}</title></text>")));
    }

    #[test]
    fn a_page_takes_the_same_geometry_in_classes_and_links() {
        let mut svg = Drawing::new(100.0, 200.0);
        svg.head("Title", "how to read it");
        svg.open("k", Some("a/b"), "to <b>");
        svg.path(vec![(30.0, 80.0), (31.0, 79.0), (32.54, 82.0)], Paint::Series(1), 2.0, "");
        svg.rect_with_tip(30.0, 80.0, 5.0, 5.0, Paint::Shade(3), "3 & more");
        svg.close();
        let svg = svg.described("Words.".into());
        let page = svg.inline("big");
        for part in [
            "<svg class=\"fig big\" width=\"60\" height=\"138\" viewBox=\"20 62 60 138\" role=\"group\" aria-label=\"Words.\">",
            "<a class=\"k\" href=\"#a/b\" aria-label=\"to &lt;b&gt;\"><path class=\"s1\" d=\"M30 80l1-1 1.5 3\" stroke-width=\"2\"/>",
            "<rect class=\"h3\" x=\"30\" y=\"80\" width=\"5\" height=\"5\"><title>3 &amp; more</title></rect></a></svg>",
        ] {
            assert!(page.contains(part), "{part} of {page}");
        }
        assert!(!page.contains("Title") && !page.contains("fill"), "{page}");
        let file = svg.file();
        assert!(
            file.contains(">Title</text>") && file.contains("M30 80L31 79L32.54 82") && !file.contains("<a")
        );
        roxmltree::Document::parse(&file).unwrap();
    }
}
