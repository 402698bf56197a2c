//! The main job: trains, tests and records a table's rows, and prints the table.

mod census;
mod forecast;
mod given;
mod graph;
mod job;
pub(crate) mod library;
mod looking;
mod pictures;
mod preparing;
mod ranks;
mod repeat;
mod rows;
mod runner;
mod steps;
mod units;
mod walk;

pub use self::census::Census;
pub use self::runner::{DataRoots, Runner};
pub use self::units::{Cut, Of, Planned, Task, UnderWay};
