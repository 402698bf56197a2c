//! Reads and writes whole Parquet files of scores.

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

/// Reads all rows. The library panics on some damaged files; the panic becomes an error.
pub(crate) fn read_frame(path: &Path) -> Result<DataFrame> {
    let file = base::files::open(path)?;
    let read = catch_unwind(AssertUnwindSafe(|| ParquetReader::new(file).finish()));
    read.map_err(|_| Error::damaged(path)("it cannot be read as scores"))?
        .map_err(|e| failed(path, "read", e))
}

/// Reads a column of strings without missing values.
pub(crate) fn strings(frame: &DataFrame, name: &str) -> Result<Vec<String>, PolarsError> {
    let texts =
        frame.column(name)?.str()?.iter().map(|text| text.map(str::to_owned)).collect::<Option<Vec<_>>>();
    texts.ok_or_else(|| PolarsError::ComputeError(format!("a value of column `{name}` is missing").into()))
}

/// Makes the error for a file that is not one of scores.
pub(crate) fn failed(path: &Path, action: &str, e: PolarsError) -> Error {
    Error::Damaged { path: path.to_owned(), message: format!("cannot {action} it as scores: {e}") }
}
