//! Training of convolutional networks on top of the kernels: named and seeded
//! parameters, layers, the record of a pass and its gradients, losses, the
//! optimiser and its rate schedule.
//!
//! This crate does not depend on a paper or a data set. Random numbers always come
//! from a generator keyed by a seed and a name ([`random`]), so values do not depend
//! on the order of construction or on threads.
//!
//! Feature maps are channels last, (B, H, W, C); weights have PyTorch's layout.
//!
//! Letters: B batch, C channels, H height, W width, O outputs, I inputs, K classes.

mod batch_norm;
mod bilinear;
mod consensus;
pub mod device;
mod dropout;
mod error;
mod factors;
mod host_memory;
pub mod init;
mod layers;
mod loss;
pub mod modules;
mod params;
mod pass;
pub use base::random;
pub mod ranks;
mod record;
mod schedule;
mod sgd;
mod store;
mod temporal;
pub mod tensors;
mod transfer;

pub use batch_norm::{BatchNorm, BatchNormConfig, Statistics};
pub use bilinear::{BilinearInput, CompactBilinear};
pub use consensus::{AttentionOverTime, WeightedOverTime, largest_over_time, top_over_time};
pub use device::{Sent, Upload};
pub use dropout::Dropout;
pub use error::{Error, Result};
pub use factors::Factors;
pub use host_memory::HostMemory;
pub use init::Init;
#[cfg(feature = "cuda")]
pub use kernels::cuda::tvl1;
pub use kernels::{ContrastiveLoss, PairDistance, Precision, ReusingAllocator, simd, verify};
pub use layers::{Activation, Conv2d, Conv2dConfig, Linear};
pub use loss::{
    contrastive as contrastive_loss, softmax, softmax_cross_entropy, softmax_cross_entropy_of,
    sum as sum_of_losses,
};
pub use params::{Buffer, Builder, Param, Params, Training};
pub use pass::Pass;
pub use ranks::{Ranks, Share};
pub use record::Gradients;
pub use schedule::StepSchedule;
pub use sgd::{Sgd, SgdConfig};
pub use temporal::{
    LearnedOverTime, TemporalConv, largest_of_windows, max_over_time, mean_over_time, weighted_over_time,
};
pub use transfer::{cross_modality, inflate};

/// Operations without parameters, for [`Pass::apply`].
pub mod ops {
    pub use kernels::{
        Add, AvgPool2d, Concat, Conv2d, GlobalAvgPool, JoinTimeSteps, LocalResponseNorm, Lrn, MaxPool2d,
        Pool2d, PositionSoftmax, Relu, RmsNorm, SignedSqrt, SumTimeSteps, ToChannelsFirst, ToChannelsLast,
        WeightedPool,
    };
}
