//! Chooses the vector instructions of the kernels at run time.
//!
//! The default is the best level of the processor. The environment variable
//! `KERNELS_SIMD` overrides it: `avx512`, `avx2`, `neon` or `portable`. AVX-512 and AVX2
//! give the same bits in convolutions (each sum is one chain of fused multiply-adds in
//! the same order); `portable` rounds every product and so differs in the last digits.

use std::sync::OnceLock;

use candle_core::{Result, bail};
use pulp::{Simd, WithSimd};

/// The name of the environment variable that forces a level.
pub const SETTING: &str = "KERNELS_SIMD";

/// A level of vector instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Level {
    /// 16 values at a time (x86-64-v4).
    Avx512,
    /// 8 values at a time with fused multiply-add (x86-64-v3).
    Avx2,
    /// 4 values at a time (AArch64).
    Neon,
    /// Plain code compiled for the baseline processor.
    Portable,
}

impl Level {
    const ALL: [Self; 4] = [Self::Avx512, Self::Avx2, Self::Neon, Self::Portable];

    /// Returns the name used in the setting.
    pub fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Neon => "neon",
            Self::Portable => "portable",
        }
    }

    /// Returns `true` if this processor has the instructions.
    pub fn is_supported(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => pulp::x86::V4::try_new().is_some(),
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => pulp::x86::V3::try_new().is_some(),
            #[cfg(target_arch = "aarch64")]
            Self::Neon => pulp::aarch64::Neon::try_new().is_some(),
            Self::Portable => true,
            _ => false,
        }
    }

    /// Returns the levels of this processor, best first.
    pub fn supported() -> Vec<Self> {
        Self::ALL.into_iter().filter(|level| level.is_supported()).collect()
    }

    /// Returns the level in use.
    ///
    /// # Errors
    /// If the setting names a level that does not exist or that this processor lacks.
    pub fn current() -> Result<Self> {
        static CHOICE: OnceLock<std::result::Result<Level, String>> = OnceLock::new();
        let chosen = CHOICE.get_or_init(|| choose(std::env::var(SETTING).ok().as_deref()));
        match chosen {
            Ok(level) => Ok(*level),
            Err(problem) => bail!("{problem}"),
        }
    }
}

fn choose(setting: Option<&str>) -> std::result::Result<Level, String> {
    let supported = Level::supported();
    let Some(setting) = setting.filter(|setting| !setting.is_empty()) else {
        return Ok(supported[0]);
    };
    let known = Level::ALL.into_iter().find(|level| level.name() == setting);
    let names: Vec<_> = supported.iter().map(|level| level.name()).collect();
    match known {
        Some(level) if level.is_supported() => Ok(level),
        Some(level) => Err(format!(
            "{SETTING} is `{}`, which this processor does not have; available: {}",
            level.name(),
            names.join(", ")
        )),
        None => Err(format!("{SETTING} is `{setting}`, expected one of {}", names.join(", "))),
    }
}

/// Runs generic code compiled for a level.
///
/// The code has to be `#[inline(always)]` at every level: only inlined code is compiled for
/// those vectors.
#[inline(always)]
pub(crate) fn run<T: WithSimd>(level: Level, code: T) -> T::Output {
    match level {
        #[cfg(target_arch = "x86_64")]
        Level::Avx512 => match pulp::x86::V4::try_new() {
            Some(simd) => Simd::vectorize(simd, code),
            None => Simd::vectorize(pulp::Scalar256b, code),
        },
        #[cfg(target_arch = "x86_64")]
        Level::Avx2 => match pulp::x86::V3::try_new() {
            Some(simd) => Simd::vectorize(simd, code),
            None => Simd::vectorize(pulp::Scalar256b, code),
        },
        #[cfg(target_arch = "aarch64")]
        Level::Neon => match pulp::aarch64::Neon::try_new() {
            Some(simd) => Simd::vectorize(simd, code),
            None => Simd::vectorize(pulp::Scalar256b, code),
        },
        _ => Simd::vectorize(pulp::Scalar256b, code),
    }
}

/// Runs a loop that the compiler vectorises for the level in use. No fused multiply-adds are
/// introduced, so results are bit for bit the same on every machine.
///
/// `body` has to be an `#[inline(always)]` closure that calls only `#[inline(always)]` functions.
#[inline(always)]
pub(crate) fn vectorised<R>(body: impl FnMut() -> R) -> R {
    // A bad setting was already refused when the operation began.
    run(Level::current().unwrap_or(Level::Portable), Body(body))
}

/// Calls the closure through `FnMut`. With `FnOnce` the compiler inserts a shim that is not inlined, and the loop behind it
/// is compiled for the baseline processor.
struct Body<F>(F);

impl<R, F: FnMut() -> R> WithSimd for Body<F> {
    type Output = R;

    #[inline(always)]
    fn with_simd<S: Simd>(mut self, _simd: S) -> R {
        (self.0)()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_level_is_the_default_and_any_supported_one_can_be_forced() {
        assert_eq!(choose(None), Ok(Level::supported()[0]));
        for level in Level::supported() {
            assert_eq!(choose(Some(level.name())), Ok(level));
        }
    }

    #[test]
    fn an_unknown_or_unsupported_level_is_refused_with_what_there_is() {
        assert!(choose(Some("sse9")).unwrap_err().contains("portable"));
        let missing = Level::ALL.into_iter().find(|level| !level.is_supported()).unwrap();
        assert!(choose(Some(missing.name())).unwrap_err().contains("does not have"));
    }
}
