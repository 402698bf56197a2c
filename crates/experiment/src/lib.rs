//! Runs tables: from a spec in TOML to a finished, checked table.
//!
//! The path of a table: [`plan::spec`] (as written) -> [`plan::TablePlan`] (every value
//! explicit) -> [`run`] ([`train`], [`evaluate`], each a unit of work in a
//! [`store`]) -> [`record`] and [`scores`] -> [`claim`] verdicts -> [`table`].

pub mod answers;
pub mod beside;
pub mod blocks;
pub mod budgets;
pub mod changes;
pub mod check;
pub mod checkpoint;
pub mod claim;
pub mod compare;
pub mod console;
pub mod device;
pub mod device_flow;
pub mod error;
pub mod estimate;
pub mod evaluate;
pub mod export;
mod files;
pub mod fusion;
pub mod grid;
mod inputs;
pub mod interrupt;
pub mod judge;
pub mod judged;
pub mod list;
mod memory;
pub mod outcomes;
pub mod pair_scores;
pub mod pictures;
mod pool;
pub mod predict;
pub mod record;
pub mod right;
pub mod run;
pub mod run_folder;
pub mod scores;
pub mod show;
pub mod speed;
pub mod statistics;
pub mod store;
pub mod svm;
pub mod table;
pub mod train;
pub mod trained;
pub mod verify;
pub mod weights;

pub use base::text::json;
pub use console::Console;
pub use data::extracted::Extraction;
pub use device::DeviceChoice;
pub use error::{Error, Result};
pub use estimate::{FlowRequest, estimate_flow};
pub use interrupt::Interrupt;
pub use nn::{Precision, Ranks};
pub use plan::Request;
pub use plan::Workspace;
pub use run::{Census, DataRoots, Runner};
