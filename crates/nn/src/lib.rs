//! What training a convolutional network needs around the kernels: named and
//! seeded parameters, layers, losses, the optimiser and its rate schedule.
//!
//! Nothing here knows a paper or a data set. Randomness is always drawn from a
//! generator keyed by a seed and a name ([`random`]), so values do not depend on
//! the order of construction or on threads.
//!
//! Letters: B batch, C channels, H height, W width, F features, K classes.

mod error;
pub mod init;
mod layers;
mod loss;
mod params;
mod pass;
pub mod random;
mod schedule;
mod sgd;
pub mod tensors;

pub use error::{Error, Result};
pub use init::Init;
pub use kernels::{Conv2d as ConvWindow, Lrn, Pool2d};
pub use layers::{Activation, Conv2d, Conv2dConfig, Dropout, Linear, local_response_norm, max_pool2d};
pub use loss::{softmax, softmax_cross_entropy};
pub use params::{Builder, Param, Params, Training};
pub use pass::Pass;
pub use schedule::StepSchedule;
pub use sgd::Sgd;
