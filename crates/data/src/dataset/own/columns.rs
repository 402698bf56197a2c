//! Lines of columns: the lists of videos that other programs write.

use crate::error::DataError;
use crate::split::ListFile;
use base::text::one_line;
use std::path::Path;

/// One line of a list, in the order of the columns.
pub(super) struct Entry {
    /// The line in the file, from 1.
    pub(super) line: usize,
    /// Its columns.
    pub(super) fields: Vec<String>,
}

/// Makes an error about a line.
pub(super) fn refuse(list: &Path, line: usize, message: impl AsRef<str>) -> DataError {
    DataError::Split { path: list.to_path_buf(), line, message: one_line(message.as_ref()) }
}

/// Reads a list of `columns` columns, of which one is the path and one the label. Commas separate them in a `.csv` file, tabs
/// in a line that has any, and blanks otherwise; with blanks, the first column takes what the others leave, so a path may hold
/// blanks. A header is left out.
///
/// # Errors
/// [`DataError::Split`] with file and line for a line of another number of columns, or with an empty one.
pub(super) fn entries(
    list: &ListFile,
    columns: usize,
    path: usize,
    label: usize,
) -> Result<Vec<Entry>, DataError> {
    let mut entries = Vec::new();
    if list.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
        entries = table(list)?;
    } else {
        list.each_line(|line| {
            entries.push(Entry { line: line.number, fields: separated(line.text, columns) });
            Ok(())
        })?;
    }
    let whole = |entry: &Entry| entry.fields.len() == columns && !entry.fields.iter().any(String::is_empty);
    if let Some(odd) = entries.iter().find(|entry| !whole(entry)) {
        let found = odd.fields.iter().filter(|field| !field.is_empty()).count();
        return Err(uneven(list, odd.line, columns, found));
    }
    let is_header = |first: &Entry| {
        let named =
            |at: usize, names: &[&str]| names.iter().any(|name| first.fields[at].eq_ignore_ascii_case(name));
        named(label, &["label", "class"]) || named(path, &["path", "video", "file", "filename", "video_path"])
    };
    if entries.first().is_some_and(is_header) {
        entries.remove(0);
    }
    Ok(entries)
}

/// The columns of a line, by tabs or by blanks.
fn separated(line: &str, columns: usize) -> Vec<String> {
    if line.contains('\t') {
        return line.split('\t').map(|field| field.trim().to_owned()).collect();
    }
    let (mut rest, mut fields) = (line, Vec::new());
    while fields.len() + 1 < columns
        && let Some((before, last)) = rest.rsplit_once(' ')
    {
        fields.push(last.to_owned());
        rest = before.trim_end();
    }
    fields.push(rest.to_owned());
    fields.reverse();
    fields
}

fn uneven(list: &ListFile, line: usize, expected: usize, found: usize) -> DataError {
    refuse(&list.path, line, format!("expected {expected} columns, found {found}; `columns` names them"))
}

/// Reads comma-separated values with quotes; every line becomes an entry.
///
/// # Errors
/// [`DataError::Split`] with file and line for text that is not UTF-8.
pub(super) fn table(list: &ListFile) -> Result<Vec<Entry>, DataError> {
    let bytes = list.bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&list.bytes);
    let mut reader =
        csv::ReaderBuilder::new().has_headers(false).flexible(true).trim(csv::Trim::All).from_reader(bytes);
    let mut entries = Vec::new();
    for record in reader.records() {
        let record = record.map_err(|error| {
            let line = error.position().map_or(1, |position| position.line() as usize);
            refuse(&list.path, line, format!("expected comma-separated text in UTF-8, found: {error}"))
        })?;
        let line = record.position().map_or(1, |position| position.line() as usize);
        let fields: Vec<String> = record.iter().map(str::to_owned).collect();
        if fields.iter().any(|field| !field.is_empty()) {
            entries.push(Entry { line, fields });
        }
    }
    Ok(entries)
}
