//! Vectors of eight floats, for loops whose vectors are the rows of a patch.
//!
//! The other loops of this crate run over whole rows of a picture, which the compiler turns into vectors. It
//! does not for many short rows with sums, so those name their vectors here. The results are the same bits with and
//! without AVX2.

/// Floats in a vector.
pub(crate) const EIGHT: usize = 8;

/// Arithmetic on vectors of eight floats.
pub(crate) trait Eight: Copy {
    /// A vector.
    type V: Copy;

    fn splat(self, value: f32) -> Self::V;
    fn of(self, values: [f32; EIGHT]) -> Self::V;
    fn values(self, v: Self::V) -> [f32; EIGHT];
    fn add(self, a: Self::V, b: Self::V) -> Self::V;
    fn sub(self, a: Self::V, b: Self::V) -> Self::V;
    fn mul(self, a: Self::V, b: Self::V) -> Self::V;
    fn div(self, a: Self::V, b: Self::V) -> Self::V;
    /// Returns a * b + c, rounded once.
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// Returns the larger of |a| and b.
    fn magnitude_or(self, a: Self::V, b: Self::V) -> Self::V;

    /// Reads the first eight values of a row.
    #[inline(always)]
    fn load(self, row: &[f32]) -> Self::V {
        let mut values = [0.0; EIGHT];
        values.copy_from_slice(&row[..EIGHT]);
        self.of(values)
    }

    /// Writes the first eight values of a row.
    #[inline(always)]
    fn store(self, row: &mut [f32], v: Self::V) {
        row[..EIGHT].copy_from_slice(&self.values(v));
    }

    /// Adds the values of a vector, in a fixed order.
    #[inline(always)]
    fn sum(self, v: Self::V) -> f32 {
        let v = self.values(v);
        ((v[0] + v[4]) + (v[2] + v[6])) + ((v[1] + v[5]) + (v[3] + v[7]))
    }
}

/// Code that is compiled for each kind of vector.
pub(crate) trait WithEight {
    fn call<E: Eight>(self, e: E);
}

/// Runs the code with the vectors of this processor.
pub(crate) fn run(code: impl WithEight) {
    #[cfg(target_arch = "x86_64")]
    if let Some(simd) = pulp::x86::V3::try_new() {
        return pulp::Simd::vectorize(simd, Call { code, e: simd });
    }
    pulp::Arch::new().dispatch(Call { code, e: Arrays });
}

struct Call<C, E> {
    code: C,
    e: E,
}

impl<C: WithEight, E: Eight> pulp::NullaryFnOnce for Call<C, E> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.code.call(self.e);
    }
}

#[cfg(target_arch = "x86_64")]
impl Eight for pulp::x86::V3 {
    type V = pulp::f32x8;

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        self.splat_f32x8(value)
    }

    #[inline(always)]
    fn of(self, values: [f32; EIGHT]) -> Self::V {
        pulp::cast(values)
    }

    #[inline(always)]
    fn values(self, v: Self::V) -> [f32; EIGHT] {
        pulp::cast(v)
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        self.add_f32x8(a, b)
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        self.sub_f32x8(a, b)
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        self.mul_f32x8(a, b)
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        self.div_f32x8(a, b)
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        self.mul_add_f32x8(a, b, c)
    }

    #[inline(always)]
    fn magnitude_or(self, a: Self::V, b: Self::V) -> Self::V {
        self.max_f32x8(self.abs_f32x8(a), b)
    }
}

/// The vectors of other processors.
#[derive(Debug, Clone, Copy)]
struct Arrays;

/// Computes each value of a vector from those of others.
macro_rules! each {
    ($i:ident: $value:expr) => {{
        let mut out = [0.0; EIGHT];
        for $i in 0..EIGHT {
            out[$i] = $value;
        }
        out
    }};
}

impl Eight for Arrays {
    type V = [f32; EIGHT];

    #[inline(always)]
    fn splat(self, value: f32) -> Self::V {
        [value; EIGHT]
    }

    #[inline(always)]
    fn of(self, values: [f32; EIGHT]) -> Self::V {
        values
    }

    #[inline(always)]
    fn values(self, v: Self::V) -> [f32; EIGHT] {
        v
    }

    #[inline(always)]
    fn add(self, a: Self::V, b: Self::V) -> Self::V {
        each!(i: a[i] + b[i])
    }

    #[inline(always)]
    fn sub(self, a: Self::V, b: Self::V) -> Self::V {
        each!(i: a[i] - b[i])
    }

    #[inline(always)]
    fn mul(self, a: Self::V, b: Self::V) -> Self::V {
        each!(i: a[i] * b[i])
    }

    #[inline(always)]
    fn div(self, a: Self::V, b: Self::V) -> Self::V {
        each!(i: a[i] / b[i])
    }

    #[inline(always)]
    fn mul_add(self, a: Self::V, b: Self::V, c: Self::V) -> Self::V {
        each!(i: a[i].mul_add(b[i], c[i]))
    }

    #[inline(always)]
    fn magnitude_or(self, a: Self::V, b: Self::V) -> Self::V {
        each!(i: if a[i].abs() > b[i] { a[i].abs() } else { b[i] })
    }
}

#[cfg(all(test, target_arch = "x86_64"))]
mod tests {
    use super::*;

    /// Every operation once, on values that round.
    fn chain(e: impl Eight, values: [f32; EIGHT]) -> ([f32; EIGHT], f32) {
        let a = e.load(&values);
        let b = e.div(e.splat(1.0), e.magnitude_or(e.sub(a, e.splat(0.3)), e.splat(0.7)));
        let c = e.mul_add(e.mul(a, b), e.add(a, b), b);
        let mut out = [0.0; EIGHT];
        e.store(&mut out, c);
        (out, e.sum(c))
    }

    #[test]
    fn both_kinds_of_vector_give_the_same_bits() {
        let Some(simd) = pulp::x86::V3::try_new() else { return };
        for seed in 1..50 {
            let values = std::array::from_fn(|i| ((seed * 37 + i * 101) % 97) as f32 / 13.0 - 3.1);
            assert_eq!(chain(simd, values), chain(Arrays, values));
        }
    }
}
