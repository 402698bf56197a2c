//! Reads a table that extends another one: `extends = "two-stream/table1b"`.
//!
//! Data sets, protocols, scales and stages that a paper's tables share are written once. `[shared]`, each protocol of
//! `[shared.train]`, `[net]` and each `[profile.*]` are joined key by key. Any other value, such as `[data]` or
//! `splits = {...}`, replaces the other table's whole.

use std::path::{Path, PathBuf};

use base::{Source, TomlError};
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::error::Result;

/// Tables that one may extend another along a chain.
const LONGEST_CHAIN: usize = 8;

/// A file, read.
struct File {
    /// As messages name it.
    shown: PathBuf,
    /// Its text after `begin` blanks, so that every position belongs to one file alone.
    text: String,
    begin: usize,
}

impl File {
    fn source(&self) -> Source<'_> {
        Source { path: &self.shown, text: &self.text, begin: self.begin }
    }
}

/// Reads a spec, a `T`, with all that it takes from the tables that it extends, which lie in `experiments`.
pub(super) fn read<T: DeserializeOwned + JsonSchema>(
    text: &str,
    shown: &Path,
    experiments: &Path,
) -> Result<T> {
    let mut files = vec![File { shown: shown.to_path_buf(), text: text.to_owned(), begin: 0 }];
    while let Some(next) = next(&files, experiments)? {
        files.push(next);
    }
    let sources: Vec<Source<'_>> = files.iter().map(File::source).collect();
    let mut table = sources[0].table()?;
    for source in &sources[1..] {
        join(table.get_mut(), source.table()?.into_inner(), &mut Vec::new());
    }
    Ok(base::read_described(table, &sources)?)
}

/// The file that the last one extends.
fn next(files: &[File], experiments: &Path) -> Result<Option<File>> {
    let last = &files[files.len() - 1];
    let table = last.source().table()?;
    let Some(value) = table.get_ref().get("extends") else { return Ok(None) };
    let wrong = |message: String| {
        let sources: Vec<Source<'_>> = files.iter().map(File::source).collect();
        TomlError::at(value.span().start, &sources, message)
    };
    let Some(name) = value.get_ref().as_str() else {
        return Err(
            wrong("extends must be the full name of a table, such as \"two-stream/table1b\"".into()).into()
        );
    };
    let is_word = |word: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    let shown =
        last.shown.parent().and_then(Path::parent).unwrap_or(Path::new("")).join(format!("{name}.toml"));
    match name.split('/').collect::<Vec<_>>()[..] {
        [paper, table] if is_word(paper) && is_word(table) => {}
        _ => {
            return Err(wrong(format!(
                "extends = \"{name}\" is not the full name of a table; expected PAPER/TABLE, such as two-stream/table1b"
            ))
            .into());
        }
    }
    if files.len() > LONGEST_CHAIN || files.iter().any(|file| file.shown == shown) {
        return Err(wrong(format!(
            "extends = \"{name}\" leads back to a table that extends it, or on for too long"
        ))
        .into());
    }
    let path = experiments.join(format!("{name}.toml"));
    let Some(bytes) = base::files::read_if_there(&path, base::files::TEXT)? else {
        return Err(wrong(format!("extends = \"{name}\": there is no {}", shown.display())).into());
    };
    let text = String::from_utf8(bytes)
        .map_err(|_| wrong(format!("extends = \"{name}\": {} is not text", shown.display())))?;
    let begin = last.text.len() + 1;
    Ok(Some(File { shown, text: format!("{}{text}", " ".repeat(begin)), begin }))
}

/// The sections that a table takes from the one it extends.
const TAKEN: [&str; 4] = ["data", "shared", "net", "profile"];

/// Returns `true` if a section is joined with that of the other file key by key.
fn is_joined(path: &[String]) -> bool {
    let path: Vec<&str> = path.iter().map(String::as_str).collect();
    matches!(
        path[..],
        ["shared" | "net" | "profile"] | ["profile", _] | ["shared", "train"] | ["shared", "train", _]
    )
}

/// Adds keys that `own` lacks. Rows, claims and words about the table itself are never taken.
fn join<'i>(own: &mut DeTable<'i>, other: DeTable<'i>, path: &mut Vec<String>) {
    for (key, value) in other {
        path.push(key.get_ref().to_string());
        let stays = path.len() == 1 && !TAKEN.contains(&&*path[0]);
        match (own.get_mut(key.get_ref().as_ref()).map(Spanned::get_mut), value.get_ref()) {
            _ if stays => {}
            (None, _) => _ = own.insert(key, value),
            (Some(DeValue::Table(own)), DeValue::Table(_)) if is_joined(path) => {
                if let DeValue::Table(other) = value.into_inner() {
                    join(own, other, path);
                }
            }
            (Some(_), _) => {}
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of tables, as messages name it, and what becomes of one of them.
    fn read_in(tables: &[(&str, &str)], which: &str) -> Result<DeTable<'static>, String> {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in tables {
            let path = folder.path().join(format!("{name}.toml"));
            base::files::write(&path, &[text.as_bytes()]).unwrap();
        }
        let text = tables.iter().find(|(name, _)| *name == which).unwrap().1;
        let shown = Path::new("experiments").join(format!("{which}.toml"));
        match read::<crate::spec::Spec>(text, &shown, folder.path()) {
            Ok(_) => Ok(DeTable::new()),
            Err(error) => Err(error.to_string()),
        }
    }

    fn joined(own: &str, other: &str) -> toml::Table {
        let mut table = DeTable::parse(own).unwrap();
        join(table.get_mut(), DeTable::parse(other).unwrap().into_inner(), &mut Vec::new());
        serde::Deserialize::deserialize(toml::de::Deserializer::from(table)).unwrap()
    }

    #[test]
    fn sections_are_joined_and_values_replaced() {
        let own = "
            title = 'mine'
            [shared]
            model = 'a'
            [shared.train.scratch]
            batch = 1
            [profile.mini]
            splits = {}
            [[row]]
            id = 'mine'
        ";
        let other = "
            title = 'theirs'
            source = 'theirs'
            [shared]
            model = 'b'
            frames = { crop = 2, short-side = 3 }
            [shared.train.scratch]
            batch = 256
            rate = 0.1
            [shared.train.fine]
            batch = 9
            [profile.mini]
            splits = { synth = ['1'] }
            seeds = 1
            [[row]]
            id = 'theirs'
            [[claim]]
            id = 'theirs'
        ";
        let expected: toml::Table = toml::from_str(
            "
            title = 'mine'
            [shared]
            model = 'a'
            frames = { crop = 2, short-side = 3 }
            [shared.train]
            scratch = { batch = 1, rate = 0.1 }
            fine = { batch = 9 }
            [profile.mini]
            splits = {}
            seeds = 1
            [[row]]
            id = 'mine'
            ",
        )
        .unwrap();
        assert_eq!(joined(own, other), expected);
    }

    #[test]
    fn an_error_names_the_file_that_holds_it() {
        let tables = [
            ("a/mine", "extends = 'a/base'\n[shared]\nmodel = 'cnn-m-2048'\n"),
            ("a/base", "\n[shared]\nframes = { short-side = 'x', crop = 1 }\n"),
        ];
        let error = read_in(&tables, "a/mine").unwrap_err();
        assert!(error.starts_with("experiments/a/base.toml:3:25: "), "{error}");
        let tables = [("a/mine", "extends = 'a/base'\n[shared]\nmodle = 'x'\n"), ("a/base", "[shared]\n")];
        let error = read_in(&tables, "a/mine").unwrap_err();
        assert!(error.starts_with("experiments/a/mine.toml:3:1: unknown field `modle`"), "{error}");
    }

    #[test]
    fn what_cannot_be_extended_is_an_error_at_its_place() {
        for (of, expected) in [
            ("3", "experiments/a/mine.toml:1:11: extends must be the full name"),
            ("'../../etc/passwd'", "is not the full name of a table"),
            ("'table1b'", "is not the full name of a table"),
            ("'a/none'", "there is no experiments/a/none.toml"),
            ("'a/mine'", "leads back to a table that extends it"),
            ("'a/other'", "experiments/a/other.toml:1:11: extends = \"a/mine\" leads back"),
        ] {
            let text = format!("extends = {of}\n");
            let tables = [("a/mine", &*text), ("a/other", "extends = 'a/mine'")];
            let error = read_in(&tables, "a/mine").unwrap_err();
            assert!(error.contains(expected), "{of}: {error}");
        }
    }
}
