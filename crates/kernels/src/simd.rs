//! Runs a loop compiled for the best vectors that this machine has.

/// Runs `body` with AVX-512 or AVX2 where the processor has them, and portably elsewhere. No fused
/// multiply-adds are introduced: the same bits on every machine.
///
/// `body` has to be an `#[inline(always)]` closure, and what it calls `#[inline(always)]` functions: only code
/// that is inlined here is compiled for those vectors.
#[inline(always)]
pub(crate) fn vectorised<R>(body: impl FnMut() -> R) -> R {
    pulp::Arch::new().dispatch(Body(body))
}

/// Calls the closure through `FnMut`. Through `FnOnce` the compiler puts a shim in between that is not inlined, and
/// the loop behind it is compiled for the oldest processor.
struct Body<F>(F);

impl<R, F: FnMut() -> R> pulp::NullaryFnOnce for Body<F> {
    type Output = R;

    #[inline(always)]
    fn call(mut self) -> R {
        (self.0)()
    }
}
