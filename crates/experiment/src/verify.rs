//! A device against the CPU: every operation, optical flow, every architecture, ten training steps.
//!
//! Both sides get the same numbers. What they give differs by rounding, since sums are taken in another order; the
//! tolerances say how much of that is borne, relative to the largest value of what is compared, or to the length of a
//! vector. The CPU's own numbers
//! are compared with PyTorch's by the tests.

mod flow;
mod line;
mod networks;
mod print;

use candle_core::{Device, DeviceLocation};
use nn::{Precision, verify};
use serde::Serialize;

use crate::{Console, Error, Interrupt, Result, device};

pub use line::{Line, Tolerances};

/// A device, compared with the CPU.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verified {
    /// The device.
    pub device: String,
    /// How its products are computed.
    pub precision: Precision,
    /// Every comparison.
    pub lines: Vec<Line>,
}

impl Verified {
    /// Whether all differences are borne.
    pub fn passed(&self) -> bool {
        self.lines.iter().all(Line::passed)
    }
}

/// Compares a device with the CPU.
///
/// # Errors
/// [`Error::Usage`] for the CPU itself, or a precision that the device does not have; [`Error::Interrupted`]. What fails
/// on the device is a line of the result.
pub fn verify(
    device: &Device,
    precision: Precision,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<Verified> {
    if matches!(device.location(), DeviceLocation::Cpu) {
        return Err(Error::Usage(
            "verify compares a GPU with the CPU; name one with --device cuda (docs/cuda.md says how to build for it)".into(),
        ));
    }
    precision.set(device).map_err(|e| Error::Usage(e.to_string()))?;
    let tolerances = Tolerances::of(precision);
    let mut lines = Vec::new();
    let cases = verify::cases();
    let step = console.step("operations", cases.len() as u64, 0);
    for case in cases {
        interrupt.check()?;
        let found = case.run(&Device::Cpu).and_then(|expected| Ok(case.run(device)?.difference(&expected)));
        let allowed = if case.is_product { tolerances.product } else { tolerances.operation };
        lines.push(Line::new("operation", case.name, found.map_err(|e| e.to_string()), allowed));
        step.advance(1);
    }
    drop(step);
    match verify::optimiser(device) {
        Ok(found) => {
            let line = |(name, found)| Line::new("operation", name, Ok(found), tolerances.operation);
            lines.extend(found.into_iter().map(line));
        }
        Err(e) => lines.push(Line::new("operation", "optimiser", Err(e.to_string()), tolerances.operation)),
    }
    lines.extend(flow::lines(device));
    lines.extend(networks::lines(device, precision, console, interrupt)?);
    Ok(Verified { device: device::describe(device), precision, lines })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cpu_is_not_compared_with_itself() {
        let verified = verify(&Device::Cpu, Precision::Fp32, &Console::silent(), &Interrupt::never());
        let problem = verified.unwrap_err().to_string();
        assert!(problem.contains("--device cuda"), "{problem}");
    }
}
