//! Standard output: its width and colours, and what is printed on it.

use std::io::{IsTerminal, Write};

use experiment::grid::{Screen, Tone};
use experiment::{Error, Result};

/// The screen behind standard output. `COLUMNS` gives a width to a file or a pipe too.
pub(crate) fn screen() -> Screen {
    let out = std::io::stdout();
    let variable = |name: &str| std::env::var(name).ok();
    let given = variable("COLUMNS").and_then(|text| text.trim().parse().ok()).filter(|&width| width > 0);
    let own = || out.is_terminal().then(|| console::Term::stdout().size_checked()).flatten();
    Screen {
        width: given.or_else(|| own().map(|(_, columns)| columns.into())),
        colours: in_colour(out.is_terminal(), variable),
    }
}

/// Returns whether a stream gets colours: a terminal does unless `NO_COLOR` is set, and any with `CLICOLOR_FORCE`.
pub(crate) fn in_colour(terminal: bool, variable: impl Fn(&str) -> Option<String>) -> bool {
    let set = |name| variable(name).is_some_and(|value| !value.is_empty());
    let forced = set("CLICOLOR_FORCE") && variable("CLICOLOR_FORCE").is_none_or(|value| value != "0");
    let dumb = variable("TERM").is_some_and(|value| value == "dumb");
    !set("NO_COLOR") && (forced || terminal && !dumb)
}

/// Prints to standard output. A reader that has gone, as behind `| head`, is no error.
pub(crate) fn say(text: impl std::fmt::Display) -> Result<()> {
    let text = coloured(&base::text::terminal(&text.to_string()), screen().colours);
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(Error::io("write to", "standard output")),
    }
}

/// Turns the marks of tones into the terminal's sequences, or drops them.
fn coloured(text: &str, colours: bool) -> String {
    let sequence = |c: char| {
        let begin = Tone::MARKS.iter().find(|(_, mark, _)| *mark == c).map(|(_, _, sequence)| *sequence);
        begin.or_else(|| (Tone::END.0 == c).then_some(Tone::END.1))
    };
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match sequence(c) {
            Some(sequence) if colours => out.push_str(sequence),
            Some(_) => {}
            None => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_become_colours_or_nothing() {
        let marked = "a \u{e000}holds\u{e003} b";
        assert_eq!(coloured(marked, true), "a \x1b[32mholds\x1b[39m b");
        assert_eq!(coloured(marked, false), "a holds b");
    }
}
