//! Measures multiply-adds of one thread with factors of f32 and of bf16: `cargo bench -p kernels --bench bf16`.
//!
//! Both loops add to twelve sums in registers and read nothing, so they reach the processor's best rate. Without the
//! instructions the program says "not available".

/// The two loops, for processors that have the instructions.
#[cfg(target_arch = "x86_64")]
mod loops {
    #![expect(unsafe_code, reason = "instructions that are detected at run time")]

    use std::arch::x86_64::{
        __m512, __m512bh, _mm512_cvtne2ps_pbh, _mm512_dpbf16_ps, _mm512_fmadd_ps, _mm512_reduce_add_ps,
        _mm512_set1_ps,
    };
    use std::hint::black_box;

    use serde_json::json;
    use testkit::bench::{Case, Phase, Unit, Work};

    /// Number of sums: enough to hide the latency of either instruction.
    const SUMS: usize = 12;
    /// Number of additions to every sum in a run.
    const ADDITIONS: usize = 1 << 18;

    /// Returns the cases, or `None` if this processor lacks an instruction.
    pub(super) fn cases() -> Option<Vec<Case>> {
        let has = is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
        // SAFETY: both instructions are there.
        has.then(|| vec![case("f32", 16, || unsafe { single() }), case("bf16", 32, || unsafe { brain() })])
    }

    /// Makes a case of `products` multiply-adds an instruction, each two floating-point operations.
    fn case(name: &str, products: usize, run: fn() -> f32) -> Case {
        let work = (2 * products * SUMS * ADDITIONS) as u64;
        Case {
            name: format!("products-{name}"),
            group: "products in registers",
            size: format!("{SUMS} sums"),
            unit: Unit::Flop,
            work,
            phases: vec![Phase { name: "products", work }],
            apart: false,
            whole: false,
            facts: json!({"op": "products", "factors": name}),
            start: Box::new(move || Box::new(Loop(run))),
        }
    }

    struct Loop(fn() -> f32);

    impl Work for Loop {
        fn sizes(&mut self) -> Vec<u64> {
            vec![]
        }

        fn run(&mut self, _: usize) {
            black_box((self.0)());
        }
    }

    /// Multiplies and adds 16 pairs of f32 an instruction.
    #[target_feature(enable = "avx512f")]
    fn single() -> f32 {
        let (a, b) = (black_box(_mm512_set1_ps(1e-3)), black_box(_mm512_set1_ps(0.5)));
        let mut sums = [_mm512_set1_ps(0.0); SUMS];
        for _ in 0..ADDITIONS {
            for sum in &mut sums {
                *sum = _mm512_fmadd_ps(a, b, *sum);
            }
        }
        total(sums)
    }

    /// Multiplies and adds 32 pairs of bf16 an instruction, to sums of f32.
    #[target_feature(enable = "avx512f,avx512bf16")]
    fn brain() -> f32 {
        let pair = |value: f32| _mm512_cvtne2ps_pbh(_mm512_set1_ps(value), _mm512_set1_ps(value));
        let (a, b): (__m512bh, __m512bh) = (black_box(pair(1e-3)), black_box(pair(0.5)));
        let mut sums = [_mm512_set1_ps(0.0); SUMS];
        for _ in 0..ADDITIONS {
            for sum in &mut sums {
                *sum = _mm512_dpbf16_ps(*sum, a, b);
            }
        }
        total(sums)
    }

    #[target_feature(enable = "avx512f")]
    fn total(sums: [__m512; SUMS]) -> f32 {
        sums.into_iter().map(|sum| _mm512_reduce_add_ps(sum)).sum()
    }
}

fn main() {
    #[cfg(target_arch = "x86_64")]
    let cases = loops::cases();
    #[cfg(not(target_arch = "x86_64"))]
    let cases: Option<Vec<testkit::bench::Case>> = None;
    match cases {
        Some(cases) => testkit::bench::main(&[], 1, &cases),
        None => testkit::skipped("products of bf16", "this processor has no AVX-512 BF16"),
    }
}
