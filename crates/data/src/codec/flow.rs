//! Flow components as bytes: linear quantisation to 0..255, and back.

/// The values that the bytes 0 and 255 stand for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ValueRange {
    pub(crate) min: f32,
    pub(crate) max: f32,
}

impl ValueRange {
    /// The range stored for a frame, whose bytes are not flow.
    pub(crate) const NONE: Self = Self { min: 0.0, max: 0.0 };

    /// Smallest and largest of the values; `None` if there are no values or one is not finite.
    pub(crate) fn of(values: &[f32]) -> Option<Self> {
        let mut range = Self { min: f32::INFINITY, max: f32::NEG_INFINITY };
        for &value in values {
            if !value.is_finite() {
                return None;
            }
            range.min = range.min.min(value);
            range.max = range.max.max(value);
        }
        (range.max - range.min).is_finite().then_some(range).filter(|_| !values.is_empty())
    }

    /// `[-bound, bound]`.
    pub(crate) fn symmetric(bound: f32) -> Self {
        Self { min: -bound, max: bound }
    }

    /// Difference in value between neighbouring bytes.
    pub(crate) fn step(self) -> f32 {
        (self.max - self.min) / 255.0
    }

    pub(crate) fn contains(self, value: f32) -> bool {
        (self.min..=self.max).contains(&value)
    }
}

/// Quantises values to the nearest of 256 steps over the range; a value outside becomes the nearer end.
pub(crate) fn quantise(values: &[f32], range: ValueRange) -> Vec<u8> {
    let width = range.max - range.min;
    let scale = if width > 0.0 { 255.0 / width } else { 0.0 };
    // The conversion saturates: below 0 becomes 0, above 255 becomes 255.
    values.iter().map(|&value| ((value - range.min) * scale + 0.5) as u8).collect()
}

/// Restores values from their bytes; byte 0 stands for `min`.
pub(crate) fn restore(bytes: &[u8], min: f32, step: f32) -> Vec<f32> {
    let mut values = vec![0.0; bytes.len()];
    pulp::Arch::new().dispatch(
        #[inline(always)]
        || {
            for (value, &byte) in values.iter_mut().zip(bytes) {
                *value = min + f32::from(byte) * step;
            }
        },
    );
    values
}

/// Mean of a component, summed in double precision.
pub(crate) fn mean(values: &[f32]) -> f32 {
    let sum: f64 = values.iter().map(|&value| f64::from(value)).sum();
    (sum / values.len().max(1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quantisation_stays_within_half_a_step(values in prop::collection::vec(-80.0f32..80.0, 1..300)) {
            let range = ValueRange::of(&values).unwrap();
            let back = restore(&quantise(&values, range), range.min, range.step());
            let most = (range.max - range.min) / 510.0 * 1.001 + 1e-5;
            for (a, b) in values.iter().zip(back) {
                prop_assert!((a - b).abs() <= most, "{a} came back as {b}, at most {most}");
            }
        }

        #[test]
        fn a_bound_clips_and_keeps_the_rest(values in prop::collection::vec(-80.0f32..80.0, 1..300)) {
            let range = ValueRange::symmetric(20.0);
            let back = restore(&quantise(&values, range), range.min, range.step());
            for (a, b) in values.iter().zip(back) {
                prop_assert!((a.clamp(-20.0, 20.0) - b).abs() <= 40.0 / 510.0 * 1.001, "{a} came back as {b}");
            }
        }
    }

    #[test]
    fn a_constant_component_comes_back_exactly() {
        let range = ValueRange::of(&[-3.7; 10]).unwrap();
        assert_eq!(restore(&quantise(&[-3.7; 10], range), range.min, range.step()), [-3.7; 10]);
    }

    #[test]
    fn values_that_are_not_finite_have_no_range() {
        assert!(ValueRange::of(&[1.0, f32::NAN]).is_none());
        assert!(ValueRange::of(&[1.0, f32::INFINITY]).is_none());
        assert!(ValueRange::of(&[f32::MIN, f32::MAX]).is_none());
        assert!(ValueRange::of(&[]).is_none());
    }
}
