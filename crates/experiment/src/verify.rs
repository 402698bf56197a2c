//! Compares a device with the CPU: every operation, optical flow, every architecture, ten training steps.
//!
//! Both get the same inputs. Their results differ by rounding, since sums are taken in a different order. The tolerances
//! bound that difference, relative to the largest value compared, or to the length of a vector. Tests compare the CPU's
//! results with those of PyTorch.

mod flow;
mod line;
mod networks;
mod print;

use candle_core::{Device, DeviceLocation};
use nn::{Precision, verify};
use serde::Serialize;

use crate::{Console, Error, Interrupt, Result, device};

pub use line::{Line, Tolerances};

/// The comparison of a device with the CPU.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Verified {
    /// The device.
    pub device: String,
    /// The precision of its matrix products.
    pub precision: Precision,
    /// Every comparison.
    pub lines: Vec<Line>,
}

impl Verified {
    /// Returns `true` if all differences are within their tolerances.
    pub fn passed(&self) -> bool {
        self.lines.iter().all(Line::passed)
    }
}

/// Compares a device with the CPU.
///
/// # Errors
/// [`Error::Usage`] for the CPU itself, or a precision that the device does not support; [`Error::Interrupted`]. A failure
/// on the device is a line of the result.
pub fn verify(
    device: &Device,
    precision: Precision,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<Verified> {
    if matches!(device.location(), DeviceLocation::Cpu) {
        return Err(Error::Usage(
            "verify compares a GPU with the CPU; choose one with --device cuda (docs/cuda.md describes the build)".into(),
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
