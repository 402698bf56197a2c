//! Common code for every crate of the workspace: files, texts, random numbers and modalities. Depends on none of them.

pub mod files;
pub mod memory;
mod modality;
pub mod random;
pub mod rank;
mod suggest;
pub mod text;
mod toml;

pub use self::files::FileError;
pub use self::modality::{Modality, ModalityError};
pub use self::suggest::{did_you_mean, named, there_are};
pub use self::toml::{Source, TomlError, parse_described, parse_toml, read_described};
