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

/// Reads a list of `columns` columns. Commas separate them in a `.csv` file, tabs in a list that has any, and blanks
/// otherwise; with blanks, the first column takes what the others leave, so a path may hold blanks.
///
/// # Errors
/// [`DataError::Split`] with file and line for a line of another number of columns.
pub(super) fn entries(list: &ListFile, columns: usize) -> Result<Vec<Entry>, DataError> {
    if list.path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
        let mut entries = table(list)?;
        if let Some(odd) = entries.iter().find(|entry| entry.fields.len() != columns) {
            return Err(uneven(list, odd.line, columns, odd.fields.len()));
        }
        // A header is told by its first column.
        if entries.first().is_some_and(|first| first.fields[0].eq_ignore_ascii_case("path")) {
            entries.remove(0);
        }
        return Ok(entries);
    }
    let mut entries = Vec::new();
    list.each_line(|line| {
        let fields: Vec<String> = if line.text.contains('\t') {
            line.text.split('\t').map(|field| field.trim().to_owned()).collect()
        } else {
            let mut fields: Vec<String> =
                line.text.rsplitn(columns, [' ']).map(|field| field.trim().to_owned()).collect();
            fields.reverse();
            fields
        };
        if fields.len() != columns || fields.iter().any(String::is_empty) {
            return Err(uneven(list, line.number, columns, fields.iter().filter(|f| !f.is_empty()).count()));
        }
        entries.push(Entry { line: line.number, fields });
        Ok(())
    })?;
    Ok(entries)
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
