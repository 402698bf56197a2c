//! Layers for programs that use Candle: made from a [`VarBuilder`](candle_nn::VarBuilder), run as [`candle_nn::Module`]s,
//! differentiated by [`Tensor::backward`].
//!
//! **Feature maps are (B, C, H, W)**, as everywhere in Candle. The kernels work on (B, H, W, C), so each module transposes
//! its input and its output. Consecutive modules can avoid that with their method `channels_last`, between
//! [`to_channels_last`] and [`to_channels_first`].
//!
//! The modules provide what Candle lacks, offers only without a gradient, or computes several times slower: convolution with
//! groups and with stride and padding per axis, pooling with overlap, padding and rounding up, local response normalisation,
//! batch normalisation with a sum and a rectification in one pass, and compact bilinear pooling. Values and gradients agree
//! with `candle_nn`'s if it has them.

mod batch_norm;
mod bilinear;
mod conv;
mod plain;

use candle_core::{Result, Tensor};

pub use batch_norm::{BatchNorm, batch_norm};
pub use bilinear::{CompactBilinear, compact_bilinear};
pub use conv::{Conv2d, conv2d};
pub use plain::{AvgPool2d, GlobalAvgPool, LocalResponseNorm, MaxPool2d};

/// Transposes (B, C, H, W) to (B, H, W, C), in Candle's graph.
///
/// # Errors
/// If `x` is not a feature map of `f32`.
pub fn to_channels_last(x: &Tensor) -> Result<Tensor> {
    kernels::apply(kernels::ToChannelsLast, &[x])
}

/// Transposes (B, H, W, C) to (B, C, H, W), in Candle's graph.
///
/// # Errors
/// If `x` is not a feature map of `f32`.
pub fn to_channels_first(x: &Tensor) -> Result<Tensor> {
    kernels::apply(kernels::ToChannelsFirst, &[x])
}

/// Implements [`candle_nn::Module`] for a type with a method `channels_last`.
macro_rules! module {
    ($module:ty) => {
        impl candle_nn::Module for $module {
            /// Maps (B, C, H, W) to (B, C', H', W').
            fn forward(&self, x: &candle_core::Tensor) -> candle_core::Result<candle_core::Tensor> {
                let x = $crate::modules::to_channels_last(x)?;
                $crate::modules::to_channels_first(&self.channels_last(&x)?)
            }
        }
    };
}
use module;
