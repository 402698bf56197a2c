//! Layers for any program that is written for Candle: made from a [`VarBuilder`](candle_nn::VarBuilder), run as
//! [`candle_nn::Module`]s, walked back by [`Tensor::backward`].
//!
//! **Feature maps are (B, C, H, W)**, as everywhere in Candle. The kernels work on (B, H, W, C), so that each module turns
//! its input around and its output back. Modules of ours that follow one another save that by their second face,
//! `channels_last`, between [`to_channels_last`] and [`to_channels_first`].
//!
//! What Candle has not, or not with a gradient, or several times slower: groups and a stride and a padding per axis in a
//! convolution, pooling with overlap, padding and rounding up, local response normalisation, batch normalisation that is
//! followed by a sum and a rectification in one pass, compact bilinear pooling. Values and gradients agree with
//! `candle_nn`'s where that has them.

mod batch_norm;
mod bilinear;
mod conv;
mod plain;

use candle_core::{Result, Tensor};

pub use batch_norm::{BatchNorm, batch_norm};
pub use bilinear::{CompactBilinear, compact_bilinear};
pub use conv::{Conv2d, conv2d};
pub use plain::{AvgPool2d, GlobalAvgPool, LocalResponseNorm, MaxPool2d};

/// (B, C, H, W) to (B, H, W, C), in Candle's graph.
///
/// # Errors
/// If it is no feature map of `f32`.
pub fn to_channels_last(x: &Tensor) -> Result<Tensor> {
    kernels::apply(kernels::ToChannelsLast, &[x])
}

/// (B, H, W, C) to (B, C, H, W), in Candle's graph.
///
/// # Errors
/// If it is no feature map of `f32`.
pub fn to_channels_first(x: &Tensor) -> Result<Tensor> {
    kernels::apply(kernels::ToChannelsFirst, &[x])
}

/// Makes a [`candle_nn::Module`] of what runs on channels that are last.
macro_rules! module {
    ($module:ty) => {
        impl candle_nn::Module for $module {
            /// (B, C, H, W) to (B, C', H', W').
            fn forward(&self, x: &candle_core::Tensor) -> candle_core::Result<candle_core::Tensor> {
                let x = $crate::modules::to_channels_last(x)?;
                $crate::modules::to_channels_first(&self.channels_last(&x)?)
            }
        }
    };
}
use module;
