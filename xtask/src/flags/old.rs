//! Earlier spellings of flags. They still work, and a note names the new one.

use std::ffi::OsString;

/// Command (any, if empty), old spelling, new spelling. The first match counts.
const SPELLINGS: [(&str, &str, &str); 3] =
    [("flow", "--out", "--output"), ("prepare", "--root", "--data-root"), ("", "--out", "--results")];

/// The notes on a command line, whose first word is the program.
pub(crate) fn notes(words: impl IntoIterator<Item = OsString>) -> Vec<String> {
    let words: Vec<String> =
        words.into_iter().skip(1).map(|word| word.to_string_lossy().into_owned()).collect();
    let command = words.iter().find(|word| !word.starts_with('-')).cloned().unwrap_or_default();
    let mut notes = Vec::new();
    for word in words.iter().take_while(|word| *word != "--") {
        let flag = word.split('=').next().unwrap_or(word);
        let of_command = |of: &str| of.is_empty() || of == command;
        let known = SPELLINGS.iter().find(|(of, old, _)| of_command(of) && *old == flag);
        if let Some((_, old, new)) = known {
            notes.push(format!("note: {old} is now {new}"));
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::flags::Cli;

    fn noted(line: &str) -> Vec<String> {
        let words = ["xtask"].into_iter().chain(line.split_whitespace());
        Cli::try_parse_from(words.clone()).unwrap();
        notes(words.map(OsString::from))
    }

    #[test]
    fn old_spellings_are_understood_and_new_ones_named() {
        assert_eq!(noted("run table1b --out x"), ["note: --out is now --results"]);
        assert_eq!(noted("-q compare --out=x"), ["note: --out is now --results"]);
        assert_eq!(noted("flow a b --out x"), ["note: --out is now --output"]);
        assert_eq!(noted("prepare synth --root x --out y").len(), 2);
        assert_eq!(noted("run table1b --results x --data-root y"), Vec::<String>::new());
    }
}
