//! Tables of text: for a screen of some width, or as Markdown.
//!
//! On a narrow screen headings and texts are wrapped between words, then columns that can be missed are left out and named
//! below, and at last each row is written as a paragraph of its own.

use tabled::builder::Builder;
use tabled::settings::formatting::AlignmentStrategy;
use tabled::settings::object::Columns;
use tabled::settings::{Alignment, Style};
use unicode_width::UnicodeWidthStr;

use base::text::{one_line, terminal};

/// The screen that a text is printed on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Screen {
    /// Columns of characters; `None` for a file or a pipe, where lines have any length.
    pub width: Option<usize>,
    /// True if verdicts are marked for colour; see [`Tone`].
    pub colours: bool,
}

/// The form of a printed table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// Lines and corners.
    Terminal(Screen),
    /// A Markdown table.
    Markdown,
}

/// The colour of a cell. It is marked with characters that no font has; the program turns them into colours when it prints.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// As it should be.
    Good,
    /// Open, or with limits.
    Open,
    /// Not as it should be.
    Bad,
}

impl Tone {
    /// All tones with the mark that begins them and the terminal's sequence for it.
    pub const MARKS: [(Self, char, &str); 3] = [
        (Self::Good, '\u{e000}', "\x1b[32m"),
        (Self::Open, '\u{e001}', "\x1b[33m"),
        (Self::Bad, '\u{e002}', "\x1b[31m"),
    ];

    /// The mark that ends a tone, and the terminal's sequence for it.
    pub const END: (char, &str) = ('\u{e003}', "\x1b[39m");

    /// Returns the tone of a verdict or another word for how something stands.
    fn of(word: &str) -> Option<Self> {
        Some(match word {
            "holds" | "same" | "ok" | "good" => Self::Good,
            "undecided" | "within" | "not run" | "no baseline" | "limited" => Self::Open,
            "contradicted" | "failed" | "MOVED" | "FAILED" | "DIFFERS" | "bad" => Self::Bad,
            _ => return None,
        })
    }

    fn mark(self, text: &str) -> String {
        let mark = Self::MARKS.iter().find(|(tone, ..)| *tone == self).map_or(' ', |(_, mark, _)| *mark);
        format!("{mark}{text}{}", Self::END.0)
    }
}

/// Width down to which texts are wrapped before columns are left out.
const READABLE: usize = 24;

/// A table: a line of headings, and lines of cells.
#[derive(Debug, Clone)]
pub struct Grid {
    lines: Vec<Vec<String>>,
    /// The first column of numbers; they are aligned right.
    numbers: usize,
    dispensable: Vec<&'static str>,
}

impl Grid {
    /// A table whose first line holds the headings. Columns from `numbers` on are aligned right.
    pub fn new(lines: Vec<Vec<String>>, numbers: usize) -> Self {
        Self { lines, numbers, dispensable: Vec::new() }
    }

    /// Names the columns that may be left out on a narrow screen, the least important first.
    #[must_use]
    pub fn dispensable(mut self, headings: &[&'static str]) -> Self {
        self.dispensable = headings.to_vec();
        self
    }

    /// Renders the table.
    pub fn render(&self, form: Form) -> String {
        match form {
            Form::Markdown => self.markdown(),
            Form::Terminal(screen) => self.terminal(screen),
        }
    }

    /// Renders the table as Markdown.
    pub fn markdown(&self) -> String {
        // A rule in a code span has no characters that end the span or the cell.
        let cell =
            |text: &String| if text.starts_with('`') { one_line(text) } else { base::text::markdown(text) };
        let lines: Vec<Vec<String>> = self.lines.iter().map(|line| line.iter().map(cell).collect()).collect();
        built(&lines, self.numbers, false)
    }

    /// Renders the table for a screen.
    pub fn terminal(&self, screen: Screen) -> String {
        // The only line breaks are in our own cells.
        let mut lines: Vec<Vec<String>> =
            self.lines.iter().map(|line| line.iter().map(|text| terminal(text)).collect()).collect();
        let Some(width) = screen.width else { return finished(&lines, self.numbers, screen) };
        let (mut numbers, mut left_out) = (self.numbers, Vec::new());
        let mut dispensable = self.dispensable.iter();
        loop {
            if let Some(widths) = fitting(&lines, numbers, width, READABLE) {
                wrap(&mut lines, &widths);
                break;
            }
            let Some(heading) = dispensable.next() else {
                match fitting(&lines, numbers, width, 0) {
                    Some(widths) => wrap(&mut lines, &widths),
                    None => return stacked(&lines, width, screen),
                }
                break;
            };
            if let Some(at) = lines[0].iter().position(|known| known == heading) {
                lines.iter_mut().for_each(|line| _ = line.remove(at));
                numbers -= usize::from(at < numbers);
                left_out.push(*heading);
            }
        }
        let mut text = finished(&lines, numbers, screen);
        if !left_out.is_empty() {
            let note = format!("not shown for lack of width: {}", left_out.join(", "));
            text.push('\n');
            text.push_str(&wrapped(&note, width));
        }
        text
    }
}

/// Renders lines that fit, with the words for how things stand in colour.
fn finished(lines: &[Vec<String>], numbers: usize, screen: Screen) -> String {
    let text = built(lines, numbers, true);
    if !screen.colours {
        return text;
    }
    // A word of its own between two bars.
    let coloured = |line: &str| {
        let cells = line.split('│').map(|cell| {
            let word = cell.trim();
            Tone::of(word).map_or_else(|| cell.to_owned(), |tone| cell.replacen(word, &tone.mark(word), 1))
        });
        cells.collect::<Vec<_>>().join("│")
    };
    text.lines().map(coloured).collect::<Vec<_>>().join("\n")
}

fn built(lines: &[Vec<String>], numbers: usize, corners: bool) -> String {
    let mut table = Builder::from_iter(lines.iter().cloned()).build();
    if corners {
        table.with(Style::rounded());
    } else {
        table.with(Style::markdown());
    }
    table
        .modify(Columns::new(numbers..), Alignment::right())
        .modify(Columns::new(numbers..), AlignmentStrategy::PerLine);
    table.to_string()
}

/// Width of the widest line of a text.
fn width_of(text: &str) -> usize {
    text.lines().map(UnicodeWidthStr::width).max().unwrap_or(0)
}

/// Width of the longest word of a text.
fn longest_word(text: &str) -> usize {
    text.split([' ', '\n']).map(UnicodeWidthStr::width).max().unwrap_or(0)
}

/// Returns widths of the columns that fit into `width`, `None` if there are none. Texts are not made narrower than `readable`;
/// numbers keep their width, and headings are wrapped between words.
fn fitting(lines: &[Vec<String>], numbers: usize, width: usize, readable: usize) -> Option<Vec<usize>> {
    let columns = lines.first().map_or(0, Vec::len);
    let column = |at: usize| lines.iter().filter_map(move |line| line.get(at));
    let mut widths: Vec<usize> =
        (0..columns).map(|at| column(at).map(|text| width_of(text)).max().unwrap_or(0)).collect();
    let least: Vec<usize> = (0..columns)
        .map(|at| {
            let heading = column(at).next().map_or(0, |text| longest_word(text));
            let cells = column(at).skip(1);
            let cells = if at < numbers {
                let words = cells.map(|text| longest_word(text)).max().unwrap_or(0);
                words.max(readable.min(widths[at]))
            } else {
                cells.map(|text| width_of(text)).max().unwrap_or(0)
            };
            heading.max(cells)
        })
        .collect();
    // Two blanks and a bar a column, and a bar more.
    let room = width.checked_sub(3 * columns + 1)?;
    while widths.iter().sum::<usize>() > room {
        let wide = (0..columns).filter(|&at| widths[at] > least[at]).max_by_key(|&at| widths[at])?;
        widths[wide] -= 1;
    }
    Some(widths)
}

fn wrap(lines: &mut [Vec<String>], widths: &[usize]) {
    for line in lines {
        for (text, &width) in line.iter_mut().zip(widths) {
            *text = wrapped(text, width);
        }
    }
}

/// Breaks the lines of a text between words. A word that is longer than a line stays whole.
pub fn wrapped(text: &str, width: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    for paragraph in text.split('\n') {
        if paragraph.width() <= width {
            lines.push(paragraph.to_owned());
            continue;
        }
        let mut line = String::new();
        for word in paragraph.split(' ') {
            if !line.is_empty() && line.width() + 1 + word.width() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines.join("\n")
}

/// Writes each row as a paragraph: its first cell, and below it the others with their headings.
fn stacked(lines: &[Vec<String>], width: usize, screen: Screen) -> String {
    const INDENT: &str = "  ";
    let Some((head, rows)) = lines.split_first() else { return String::new() };
    let flat = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let toned = |text: String| match Tone::of(&text) {
        Some(tone) if screen.colours => tone.mark(&text),
        _ => text,
    };
    let paragraph = |row: &Vec<String>| {
        let mut paragraph = vec![toned(flat(&row[0]))];
        let mut line = String::new();
        for (heading, cell) in head.iter().zip(row).skip(1) {
            let pair = format!("{}: {}", flat(heading), toned(flat(cell)));
            if !line.is_empty() && INDENT.len() + line.width() + 2 + pair.width() > width {
                paragraph.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push_str(INDENT);
            }
            line.push_str(&pair);
        }
        paragraph.push(line);
        let rest = paragraph[1..].iter().map(|line| wrapped(line, width.saturating_sub(INDENT.len())));
        let rest =
            rest.flat_map(|line| line.lines().map(|line| format!("{INDENT}{line}")).collect::<Vec<_>>());
        std::iter::once(paragraph[0].clone()).chain(rest).collect::<Vec<_>>().join("\n")
    };
    rows.iter().map(paragraph).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid() -> Grid {
        let lines = [
            ["row", "what is compared here", "top-1 accuracy", "trained in", "verdict"],
            ["stack-10-on", "ten stacked fields against one", "75.3", "40 s", "holds"],
            ["single-on", "one", "50.0", "-", "undecided"],
        ];
        Grid::new(lines.map(|line| line.map(str::to_owned).to_vec()).to_vec(), 2).dispensable(&["trained in"])
    }

    fn on(width: usize) -> String {
        let text = grid().terminal(Screen { width: Some(width), colours: false });
        assert!(text.lines().all(|line| line.width() <= width), "wider than {width}:\n{text}");
        text
    }

    #[test]
    fn a_table_fits_the_screen() {
        assert_eq!(on(200), grid().terminal(Screen::default()));
        insta::assert_snapshot!("at-80", on(80));
        insta::assert_snapshot!("at-64", on(64));
        insta::assert_snapshot!("at-40", on(40));
        for width in 30..100 {
            on(width);
        }
    }

    #[test]
    fn words_stay_whole() {
        for width in 20..100 {
            let text = on(width);
            for word in ["stack-10-on", "undecided", "accuracy"] {
                assert!(text.contains(word), "{word} is broken at {width}:\n{text}");
            }
        }
    }

    #[test]
    fn verdicts_have_colours_on_a_screen_that_shows_them() {
        let coloured = grid().terminal(Screen { width: Some(80), colours: true });
        let plain: String = coloured.chars().filter(|c| !('\u{e000}'..='\u{e003}').contains(c)).collect();
        assert_eq!(plain, on(80));
        assert!(coloured.contains("\u{e000}holds\u{e003}") && coloured.contains("\u{e001}undecided\u{e003}"));
    }
}
