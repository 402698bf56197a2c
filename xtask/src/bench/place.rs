//! The device and precision of both sides: the CPU, or one GPU in one precision.

use experiment::{DeviceChoice, Precision};

use super::error::{Error, Result};
use super::request::{Request, Rival, Suite};

/// A device and the precision of its products.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) device: DeviceChoice,
    pub(crate) precision: Precision,
}

impl Place {
    /// Returns the requested place if the suite can be measured there.
    ///
    /// # Errors
    /// If the flags conflict.
    pub(crate) fn of(request: &Request) -> Result<Self> {
        let Request { suite, device, precision, .. } = *request;
        let compiles = request.rival.as_ref().is_some_and(Rival::compiles);
        let beside_candle = matches!(request.rival, Some(Rival::Candle));
        let place = Self { device, precision: precision.unwrap_or_default() };
        let problem = match (suite, place.is_gpu()) {
            (Suite::Kernels | Suite::Modules, true) => {
                format!("`bench {}` runs on the CPU; use --device {device} with `bench steps`", suite.name())
            }
            (Suite::Kernels | Suite::Steps, _) if beside_candle => format!(
                "`bench {}` has no candle-nn side; use --against-candle with `bench modules`",
                suite.name()
            ),
            (Suite::Modules, _) if matches!(request.rival, Some(Rival::Torch(_))) => {
                "`bench modules` has no PyTorch side; use --against-torch with `bench kernels`".to_owned()
            }
            (_, false) if precision.is_some() => {
                "--precision applies to products on a GPU; add --device cuda".to_owned()
            }
            (Suite::Kernels, _) if compiles => {
                "--compile applies to networks, not to single kernels; use it with `bench steps`".to_owned()
            }
            _ => return Ok(place),
        };
        Err(Error::Usage(problem))
    }

    pub(crate) fn is_gpu(self) -> bool {
        self.device != DeviceChoice::Cpu
    }

    /// Returns the name of the precision: `fp32` or `tf32`.
    pub(crate) fn precision(self) -> &'static str {
        match self.precision {
            Precision::Fp32 => "fp32",
            Precision::Tf32 => "tf32",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::request::{Layout, Torch};
    use super::*;

    const GPU: DeviceChoice = DeviceChoice::Cuda(1);

    fn asked(
        suite: Suite,
        device: DeviceChoice,
        precision: Option<Precision>,
        compile: bool,
    ) -> Result<Place> {
        let torch = Torch { python: "python".into(), layout: Layout::Nchw, compile };
        let rival = if suite == Suite::Modules { Rival::Candle } else { Rival::Torch(torch) };
        with(suite, device, precision, Some(rival))
    }

    fn with(
        suite: Suite,
        device: DeviceChoice,
        precision: Option<Precision>,
        rival: Option<Rival>,
    ) -> Result<Place> {
        Place::of(&Request { suite, only: Vec::new(), threads: None, device, precision, rival, rounds: 7 })
    }

    #[test]
    fn steps_run_on_a_gpu_in_either_precision() {
        for (precision, expected) in [(None, "fp32"), (Some(Precision::Tf32), "tf32")] {
            let place = asked(Suite::Steps, GPU, precision, true).unwrap();
            assert_eq!((place.device, place.is_gpu(), place.precision()), (GPU, true, expected));
        }
        let place = asked(Suite::Steps, DeviceChoice::Cpu, None, true).unwrap();
        assert_eq!((place.is_gpu(), place.precision()), (false, "fp32"));
        asked(Suite::Kernels, DeviceChoice::Cpu, None, false).unwrap();
    }

    #[test]
    fn flags_that_do_not_go_together_are_refused_with_what_does() {
        let refused = |suite, device, precision, compile| {
            let error = asked(suite, device, precision, compile).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            error.to_string()
        };
        let message = refused(Suite::Kernels, GPU, None, false);
        assert_eq!(message, "`bench kernels` runs on the CPU; use --device cuda:1 with `bench steps`");
        let message = refused(Suite::Steps, DeviceChoice::Cpu, Some(Precision::Fp32), false);
        assert_eq!(message, "--precision applies to products on a GPU; add --device cuda");
        let message = refused(Suite::Kernels, DeviceChoice::Cpu, None, true);
        assert!(message.starts_with("--compile applies to networks"), "{message}");
        let message = refused(Suite::Modules, GPU, None, false);
        assert_eq!(message, "`bench modules` runs on the CPU; use --device cuda:1 with `bench steps`");
    }

    #[test]
    fn each_suite_has_its_own_other_side() {
        let torch = || Rival::Torch(Torch { python: "python".into(), layout: Layout::Nchw, compile: false });
        let refused =
            |suite, rival| with(suite, DeviceChoice::Cpu, None, Some(rival)).unwrap_err().to_string();
        with(Suite::Modules, DeviceChoice::Cpu, None, Some(Rival::Candle)).unwrap();
        with(Suite::Kernels, DeviceChoice::Cpu, None, Some(torch())).unwrap();
        let message = refused(Suite::Steps, Rival::Candle);
        assert_eq!(message, "`bench steps` has no candle-nn side; use --against-candle with `bench modules`");
        let message = refused(Suite::Modules, torch());
        assert_eq!(message, "`bench modules` has no PyTorch side; use --against-torch with `bench kernels`");
    }
}
