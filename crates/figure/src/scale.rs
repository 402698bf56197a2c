//! Round numbers for axes.

use base::text::{self, trimmed};

/// Largest magnitude that is drawn as a number; larger values are treated as not
/// finite, so that the difference of two values stays finite.
const LARGEST: f64 = 1e100;
/// Approximate number of marks on an axis.
const MARKS: f64 = 6.0;

/// Returns `true` if an axis can hold the value.
pub(super) fn drawable(value: f64) -> bool {
    value.abs() <= LARGEST
}

/// Returns evenly spaced round values that enclose `low`..=`high`.
pub(super) fn linear(low: f64, high: f64) -> Vec<f64> {
    let span = if high > low { high - low } else { high.abs().max(1.0) };
    let step = round_up(span / MARKS);
    // Whole multiples of the step, so that rounding errors do not add up along the axis.
    let (first, last) = ((low / step).floor(), (high / step).ceil());
    let last = if last > first { last } else { first + 1.0 };
    (0..=(last - first) as usize).map(|i| (first + i as f64) * step).collect()
}

/// Returns round values (1, 2 and 5 times powers of ten, or only powers of ten)
/// that enclose `low`..=`high`, both above 0.
pub(super) fn logarithmic(low: f64, high: f64) -> Vec<f64> {
    let (first, last) = (low.log10().floor() as i32, high.log10().ceil() as i32);
    let decades = (last - first).max(1);
    if decades > 4 {
        let stride = (decades as usize).div_ceil(MARKS as usize);
        let mut marks: Vec<f64> = (first..last).step_by(stride).map(|e| 10f64.powi(e)).collect();
        marks.push(10f64.powi(first + (marks.len() * stride) as i32));
        return marks;
    }
    let all: Vec<f64> =
        (first..=first + decades).flat_map(|e| [1.0, 2.0, 5.0].map(|m| m * 10f64.powi(e))).collect();
    let start = all.iter().rposition(|&v| v <= low).unwrap_or(0);
    let end = all.iter().position(|&v| v >= high).unwrap_or(all.len() - 1);
    all[start..=end.max(start + 1).min(all.len() - 1)].to_vec()
}

/// Rounds up to 1, 2 or 5 times a power of ten.
fn round_up(value: f64) -> f64 {
    let power = 10f64.powf(value.log10().floor());
    let factor = [1.0, 2.0, 5.0].into_iter().find(|f| f * power >= value * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// Formats the text of a mark with no more digits than needed.
pub(super) fn mark(value: f64) -> String {
    match value.abs() {
        0.0 => "0".into(),
        1e-4..1e7 => with_commas(value),
        _ => format!("{value:e}"),
    }
}

/// Formats a number with commas between the thousands of its integer part.
fn with_commas(value: f64) -> String {
    // Twelve significant digits: 0.30000000000000004 is 0.3.
    let decimals = (11 - value.abs().log10().floor() as i32).clamp(0, 15) as usize;
    let number = format!("{value:.decimals$}");
    let number = trimmed(&number);
    let (whole, fraction) = number.split_once('.').map_or((number, None), |(w, f)| (w, Some(f)));
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |d| ("\u{2212}", d));
    let fraction = fraction.map_or(String::new(), |fraction| format!(".{fraction}"));
    format!("{sign}{}{fraction}", text::grouped(digits))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn marks_are_round_and_written_short() {
        let texts = |marks: Vec<f64>| marks.into_iter().map(mark).collect::<Vec<_>>().join(" ");
        assert_eq!(texts(linear(0.0, 2.8)), "0 0.5 1 1.5 2 2.5 3");
        assert_eq!(texts(linear(0.0, 80_000.0)), "0 20,000 40,000 60,000 80,000");
        assert_eq!(texts(linear(-0.1, 0.1)), "\u{2212}0.1 \u{2212}0.05 0 0.05 0.1");
        assert_eq!(texts(linear(3.0, 3.0)), "3 3.5");
        assert_eq!(texts(logarithmic(0.03, 2.8)), "0.02 0.05 0.1 0.2 0.5 1 2 5");
        assert_eq!(texts(logarithmic(1.0, 1.0)), "1 2");
        assert_eq!(texts(logarithmic(1e-9, 3.0)), "1e-9 1e-7 1e-5 0.001 0.1 10");
    }

    proptest! {
        #[test]
        fn an_axis_encloses_its_values_with_few_marks(a in -1e9f64..1e9, b in -1e9f64..1e9) {
            let (low, high) = (a.min(b), a.max(b));
            let marks = linear(low, high);
            prop_assert!((2..=9).contains(&marks.len()), "{marks:?}");
            prop_assert!(marks[0] <= low && marks[marks.len() - 1] >= high, "{marks:?}");
        }

        #[test]
        fn so_does_a_logarithmic_one(a in -30f64..30.0, b in -30f64..30.0) {
            let (low, high) = (10f64.powf(a.min(b)), 10f64.powf(a.max(b)));
            let marks = logarithmic(low, high);
            prop_assert!((2..=16).contains(&marks.len()), "{marks:?}");
            prop_assert!(marks[0] <= low * 1.001 && marks[marks.len() - 1] >= high * 0.999, "{marks:?}");
            prop_assert!(marks.windows(2).all(|m| m[0] < m[1]), "{marks:?}");
        }
    }
}
