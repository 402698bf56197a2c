//! What a unit of work asks of a machine, by its plan alone: arithmetic and memory.

use crate::error::Result;
use crate::net::{NetPlan, Protocol, VideoPlan};
use crate::spec::Learns;

/// The work of one unit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Cost {
    /// Floating-point operations in the networks.
    pub operations: f64,
    /// Pixels times frame pairs of optical flow.
    pub flow: f64,
    /// Bytes of memory, beside what the program itself takes.
    pub bytes: f64,
}

/// Frames of a video of which nothing is known yet; UCF-101 has 186 on average.
const FRAMES: f64 = 200.0;

/// The training of a net, without the stages before it.
///
/// # Errors
/// Those of a network that cannot be described.
pub fn training(net: &NetPlan) -> Result<Cost> {
    let summary = net.model.summary()?;
    let batch = net.train.batch * net.tasks() * if net.train.pairs.is_some() { 2 } else { 1 };
    // Without gradients a third of the arithmetic is left.
    let passes = if net.train.learns == Learns::All { 3.0 } else { 1.0 };
    let forward = 2.0 * summary.multiply_adds() as f64 * (batch * net.train.iterations) as f64;
    Ok(Cost { operations: passes * forward, flow: 0.0, bytes: summary.training_bytes(batch) as f64 })
}

/// The test of a trained net on so many videos.
///
/// # Errors
/// As [`training`].
pub fn testing(protocol: &Protocol, videos: usize) -> Result<Cost> {
    let summary = protocol.net.model.summary()?;
    let crops = match protocol.test.crops {
        data::loader::Crops::Ten => 10,
        data::loader::Crops::Center => 1,
    };
    let views = protocol.test.frames.unwrap_or(FRAMES as usize) * crops;
    let forward = 2.0 * summary.multiply_adds() as f64 * (views * videos) as f64;
    Ok(Cost { operations: forward, flow: 0.0, bytes: summary.training_bytes(views) as f64 })
}

/// Decoding so many videos and estimating their flow, in both directions if `backward`.
pub fn preparing(video: &VideoPlan, videos: usize, backward: bool) -> Cost {
    let side = video.short_side as f64;
    let pixels = side * side * 4.0 / 3.0;
    let directions = match (&video.flow, &video.extraction) {
        (Some(_), None) if backward => 2.0,
        (Some(_), None) => 1.0,
        _ => 0.0,
    };
    // Decoding and storing takes about a tenth of what flow does.
    Cost {
        operations: 0.0,
        flow: (directions + 0.1) * pixels * FRAMES * videos as f64,
        bytes: 100.0 * pixels,
    }
}
