//! A user's own videos: a folder of classes, a list, or the lists of Kinetics.

mod columns;
mod divide;
mod facts;
mod folder;
mod kinetics;
mod list;
mod place;

pub use divide::DivideSpec;
pub use facts::FolderFacts;
pub use folder::FolderSpec;
pub use kinetics::KineticsSpec;
pub use list::{Column, ListPair, ListSpec, Missing};

pub(super) use place::{beside, no_folder};
