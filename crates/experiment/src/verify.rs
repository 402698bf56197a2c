//! A device against the CPU: every operation, optical flow, every architecture, ten training steps.
//!
//! Both sides get the same numbers. What they give differs by rounding, since sums are taken in another order; the
//! tolerances say how much of that is borne, relative to the largest value of what is compared, or to the length of a
//! vector. The CPU's own numbers
//! are compared with PyTorch's by the tests.

mod flow;
mod networks;
mod print;

use candle_core::{Device, DeviceLocation};
use nn::{Precision, verify};
use serde::Serialize;

use crate::console::Console;
use crate::device;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;

/// Relative differences that are borne.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Tolerances {
    /// Of an operation that is no product of matrices.
    pub operation: f64,
    /// Of a convolution or a fully connected layer.
    pub product: f64,
    /// Of a network's outputs.
    pub output: f64,
    /// Of the gradient of all parameters, as a vector.
    pub gradient: f64,
    /// Of the losses of ten training steps.
    pub losses: f64,
    /// Of the parameters after them, as a vector.
    pub parameters: f64,
}

impl Tolerances {
    /// Those of a precision of products.
    #[must_use]
    pub fn of(precision: Precision) -> Self {
        match precision {
            Precision::Fp32 => Self {
                operation: 1e-5,
                product: 1e-4,
                output: 1e-4,
                gradient: 5e-3,
                losses: 2e-3,
                parameters: 1e-3,
            },
            // A factor of TF32 is off by up to 5e-4 of itself.
            Precision::Tf32 => Self {
                operation: 1e-5,
                product: 5e-3,
                output: 2e-2,
                gradient: 1e-1,
                losses: 2e-2,
                parameters: 2e-2,
            },
        }
    }
}

/// What was compared.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Line {
    /// `operation`, `flow`, `network` or `training`.
    pub kind: &'static str,
    /// Its name.
    pub name: String,
    /// The relative difference; absent where it failed.
    pub difference: Option<f64>,
    /// What is borne.
    pub allowed: f64,
    /// Why it failed.
    pub problem: Option<String>,
}

impl Line {
    fn new(
        kind: &'static str,
        name: impl Into<String>,
        found: std::result::Result<f64, String>,
        allowed: f64,
    ) -> Self {
        let (difference, problem) = match found {
            Ok(difference) => (Some(difference), None),
            Err(problem) => (None, Some(problem)),
        };
        Self { kind, name: name.into(), difference, allowed, problem }
    }

    /// Whether the difference is borne.
    #[must_use]
    pub fn passed(&self) -> bool {
        self.difference.is_some_and(|difference| difference <= self.allowed)
    }
}

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
    #[must_use]
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

    #[test]
    fn a_line_passes_within_its_tolerance_and_never_where_it_failed() {
        assert!(Line::new("operation", "relu", Ok(1e-6), 1e-5).passed());
        assert!(!Line::new("operation", "relu", Ok(1e-4), 1e-5).passed());
        assert!(!Line::new("operation", "relu", Ok(f64::NAN), 1e-5).passed());
        assert!(!Line::new("operation", "relu", Err("out of memory".into()), 1e-5).passed());
    }
}
