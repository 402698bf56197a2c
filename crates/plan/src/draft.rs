//! Files to begin with: a new table, a new data set.

mod dataset;
mod file;
mod table;

pub use self::dataset::draft as dataset;
pub use self::file::Draft;
pub use self::table::table;
