//! Reads and writes files safely: written files exist whole or not at all, and only regular files of limited size are read.

mod error;
mod list;
mod read;
mod temporary;
mod write;

pub use self::error::FileError;
pub use self::list::list;
pub use self::read::{TEXT, open, read, read_if_there, read_text};
pub use self::temporary::{Scratch, remove_abandoned};
pub use self::write::{write, write_from, write_json};
