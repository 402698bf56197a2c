//! A table as written ([`spec`]) and its resolution at a profile on a data set: a [`TablePlan`], in which every value is
//! explicit. Nothing here opens a video or allocates a weight.

mod bounds;
mod cast;
pub mod cost;
mod departures;
pub mod draft;
mod error;
pub mod fusion;
mod model;
mod net;
mod remembered;
mod resolve;
pub mod rule;
mod run_name;
mod sample;
mod scale;
pub mod schema;
pub mod spec;
mod table;
mod weight_source;
mod workspace;

pub use self::error::{Error, Result, exit_code_of_data};
pub use self::fusion::Fusion;
pub use self::net::{
    ContrastivePlan, DataPlan, NetPlan, PairsPlan, Protocol, Source, SourceRef, Start, TestPlan, TrainPlan,
    VideoPlan,
};
pub use self::remembered::Remembered;
pub use self::run_name::RunName;
pub use self::table::{DatasetFacts, FusionPlan, Request, RowPlan, Sources, TablePlan, Work};
pub use self::weight_source::{WeightSource, WeightSourceError};
pub use self::workspace::Workspace;
