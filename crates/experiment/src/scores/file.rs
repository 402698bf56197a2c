//! Parquet files of scores, read and written whole.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;

use polars::prelude::{
    Column, DataFrame, ParquetCompression, ParquetReader, ParquetWriter, PolarsError, SerReader,
};

use crate::store::write_atomic;
use crate::{Error, Result};

/// Writes `n` rows, atomically.
pub(crate) fn write_frame(path: &Path, n: usize, columns: Vec<Column>) -> Result<()> {
    let mut frame = DataFrame::new(n, columns).map_err(|e| failed(path, "write", e))?;
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes)
        .with_compression(ParquetCompression::Uncompressed)
        .finish(&mut frame)
        .map_err(|e| failed(path, "write", e))?;
    write_atomic(path, &bytes)
}

/// Reads all rows. The library panics at some files that are damaged; that is an error like any other.
pub(crate) fn read_frame(path: &Path) -> Result<DataFrame> {
    let file = base::files::open(path)?;
    let read = catch_unwind(AssertUnwindSafe(|| ParquetReader::new(file).finish()));
    read.map_err(|_| Error::damaged(path)("no scores can be read from it"))?
        .map_err(|e| failed(path, "read", e))
}

/// A column of texts, of which none is missing.
pub(crate) fn strings(frame: &DataFrame, name: &str) -> Result<Vec<String>, PolarsError> {
    let texts =
        frame.column(name)?.str()?.iter().map(|text| text.map(str::to_owned)).collect::<Option<Vec<_>>>();
    texts.ok_or_else(|| PolarsError::ComputeError(format!("a text of the column `{name}` is missing").into()))
}

/// The error for a file that holds something else.
pub(crate) fn failed(path: &Path, action: &str, e: PolarsError) -> Error {
    Error::Damaged { path: path.to_owned(), message: format!("cannot {action} it as scores: {e}") }
}
