//! Measures the speed of this machine.

use std::time::Instant;

use candle_core::{DType, Device, Tensor};
use nn::{Activation, Conv2d, Conv2dConfig, Params, Pass, ops};

use crate::error::{Error, Result};

use plan::cost::Speed;

const BATCH: usize = 32;
const SIDE: usize = 28;
const CHANNELS: usize = 64;

/// Measures the speed of the training kernels: the best of a few training steps of two convolutions. The speed of other work
/// on feature maps is assumed to be in the same proportion as on the machines where it was measured. The speed of flow is
/// assumed to be that of slow cores.
///
/// # Errors
/// [`crate::Error::Network`] if the convolutions cannot be computed.
pub fn of_this_machine() -> Result<Speed> {
    let operations = learning().map_err(Error::network("measuring this machine's speed"))?;
    let flow = Speed::TRUSTED_CORE.times(rayon::current_num_threads()).flow;
    Ok(Speed { operations, maps: operations * MAPS, flow })
}

/// Returns a speed of this machine's cores that nothing was measured for: that of usual cores.
pub fn of_cores() -> Speed {
    let cores = rayon::current_num_threads() as f64;
    Speed { operations: OPERATIONS * cores, maps: OPERATIONS * cores * MAPS, flow: FLOW * cores }
}

/// Floating-point operations per second of a core with AVX2.
const OPERATIONS: f64 = 4e10;

/// Pixels per second of which a core estimates the flow, by TV-L1 `fast`.
const FLOW: f64 = 1.0 / 3e-7;

/// Bytes of feature maps processed in the time of one floating-point operation.
const MAPS: f64 = 0.04;

/// Measures the floating-point operations per second.
fn learning() -> nn::Result<f64> {
    let params = Params::new(&Device::Cpu);
    let builder = params.builder(0);
    let config = Conv2dConfig {
        inputs: CHANNELS,
        outputs: CHANNELS,
        kernel: [3; 2],
        stride: [1; 2],
        padding: [1; 2],
        groups: 1,
        bias: true,
        activation: Activation::Relu,
    };
    let first = Conv2d::new(&builder.pp("first"), &config)?;
    let second = Conv2d::new(&builder.pp("second"), &config)?;
    let x = Tensor::ones((BATCH, SIDE, SIDE, CHANNELS), DType::F32, &Device::Cpu)?;
    let mut best = f64::MAX;
    for _ in 0..6 {
        let begun = Instant::now();
        let pass = Pass::train(0);
        let y = second.forward(&first.forward(&x, &pass)?, &pass)?;
        let logits = pass.apply(ops::GlobalAvgPool, &[&y])?;
        pass.backward(&nn::softmax_cross_entropy(&logits, &[0; BATCH], &pass)?)?;
        best = best.min(begun.elapsed().as_secs_f64());
    }
    // As in a network, the gradient of the first convolution's input is not computed.
    let passes = 5.0;
    let multiply_adds = (BATCH * SIDE * SIDE * CHANNELS * CHANNELS * 9) as f64;
    Ok(passes * 2.0 * multiply_adds / best)
}
