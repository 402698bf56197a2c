//! Bad input, and good input of an unusual kind.

use super::{Set, worst};
use crate::svm::{Svm, SvmConfig, SvmError, features};

fn three() -> Set {
    Set { x: vec![1.0, 0.0, 0.0, 1.0, -1.0, -1.0], labels: vec![0, 1, 2], classes: 3, features: 2 }
}

#[test]
fn bad_input_is_named() {
    let ok = SvmConfig::default();
    let set = three();
    let train = |x: &[f32], labels: &[u32], classes: usize| Svm::train(x, labels, classes, &ok).unwrap_err();
    assert_eq!(train(&[], &[], 3), SvmError::Empty);
    assert_eq!(train(&[], &[0], 3), SvmError::Rows { rows: 1, found: 0 });
    assert_eq!(train(&set.x[..5], &set.labels, 3), SvmError::Rows { rows: 3, found: 5 });
    assert_eq!(train(&set.x, &set.labels, 2), SvmError::Label { example: 2, label: 2, classes: 2 });
    assert_eq!(train(&set.x, &set.labels, 0), SvmError::Label { example: 0, label: 0, classes: 0 });
    let most = 1 << 16;
    assert_eq!(train(&set.x, &set.labels, most + 1), SvmError::Classes { most, found: most + 1 });
    for value in [f32::NAN, f32::INFINITY] {
        let mut x = set.x.clone();
        x[3] = value;
        let error = train(&x, &set.labels, 3);
        assert!(matches!(error, SvmError::NotFinite { row: 1, column: 1, .. }), "{error}");
    }

    let with = |config: SvmConfig| Svm::train(&set.x, &set.labels, 3, &config).unwrap_err();
    for value in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e200] {
        assert!(matches!(with(SvmConfig { c: value, ..ok }), SvmError::Setting { what: "C", .. }));
        assert!(matches!(with(SvmConfig { tolerance: value, ..ok }), SvmError::Setting { .. }));
        assert!(matches!(with(SvmConfig { bias: Some(value), ..ok }), SvmError::Setting { .. }));
    }
    assert_eq!(with(SvmConfig { max_sweeps: 0, ..ok }), SvmError::NoSweeps);

    let svm = set.train(&ok);
    assert_eq!(svm.predict(&[1.0, 2.0, 3.0]), Err(SvmError::Width { expected: 2, found: 3 }));
    assert!(matches!(svm.decision(&[0.0, f32::NAN]), Err(SvmError::NotFinite { row: 0, column: 1, .. })));
    assert_eq!(svm.predict(&[]), Ok(vec![]));
}

#[test]
fn messages_say_what_was_expected_and_found() {
    let error = SvmError::Label { example: 7, label: 101, classes: 101 };
    let text =
        "expected labels below 101, the number of classes, found 101 at example 7; count classes from 0";
    assert_eq!(error.to_string(), text);
    let error = SvmError::Setting { what: "C", value: -1.0 };
    assert!(error.to_string().starts_with("expected C to be positive and at most 3.4e38, found -1;"));
}

#[test]
fn settings_refuse_what_they_do_not_know() {
    let read = serde_json::from_str::<SvmConfig>;
    let config = SvmConfig { c: 2.0, max_sweeps: 5, ..SvmConfig::default() };
    assert_eq!(read(r#"{"c": 2.0, "max-sweeps": 5}"#).unwrap(), config);
    assert!(read(r#"{"C": 2.0}"#).is_err());
}

#[test]
fn a_class_without_examples_is_never_predicted() {
    for seed in 0..100 {
        let without = Set::random(seed);
        let mut with = without.clone();
        // Class 1 gives its examples to a new last class.
        with.classes += 1;
        with.labels.iter_mut().filter(|label| **label >= 1).for_each(|label| *label += 1);
        let config = SvmConfig { bias: [None, Some(1.0)][(seed % 2) as usize], ..SvmConfig::default() };
        let (svm, other) = (with.train(&config), without.train(&config));
        let f = with.features;
        assert!(svm.weights()[f..2 * f].iter().all(|&w| w == 0.0) && svm.intercepts()[1] == 0.0);
        assert_eq!(svm.weights()[..f], other.weights()[..f]);
        assert_eq!(svm.weights()[2 * f..], other.weights()[f..]);
        // Without a bias, zero features make all scores equal.
        let mut asked = with.x.clone();
        asked.extend(std::iter::repeat_n(0.0, f));
        let expected: Vec<u32> =
            other.predict(&asked).unwrap().iter().map(|&class| class + u32::from(class >= 1)).collect();
        assert_eq!(svm.predict(&asked).unwrap(), expected);
        assert!(expected.iter().all(|label| with.labels.contains(label)));
    }
}

#[test]
fn training_that_ends_too_early_says_so() {
    let set = Set {
        x: (0..60).map(|i| ((i * 37 % 61) as f32 / 30.0) - 1.0).collect(),
        labels: (0..20).map(|i| i % 3).collect(),
        classes: 3,
        features: 3,
    };
    let config = SvmConfig { c: 100.0, ..SvmConfig::default() };
    let early = *set.train(&SvmConfig { max_sweeps: 2, ..config }).fit();
    assert!(!early.converged && early.sweeps == 2 && early.violation > config.tolerance, "{early:?}");
    let late = *set.train(&SvmConfig { max_sweeps: 100_000, ..config }).fit();
    assert!(late.converged && late.violation <= config.tolerance, "{late:?}");
    assert!(late.objective < early.objective && late.gap < early.gap, "{early:?}, {late:?}");
    // The gap bounds the error of the early one.
    assert!(early.objective - late.objective <= early.gap, "{early:?}, {late:?}");
}

#[test]
fn one_class_one_example_and_zeros_work() {
    let only = Svm::train(&[0.5, 0.25], &[0, 0], 1, &SvmConfig::default()).unwrap();
    assert!(only.fit().converged && only.fit().objective == 0.0, "{:?}", only.fit());
    assert_eq!(only.predict(&[-3.0]), Ok(vec![0]));

    let zeros = Svm::train(&[0.0; 4], &[1, 0], 3, &SvmConfig::default()).unwrap();
    let fit = zeros.fit();
    assert!(fit.converged && fit.objective == 2.0 && fit.gap == 0.0, "{fit:?}");
}

#[test]
fn extreme_numbers_neither_panic_nor_give_what_is_no_number() {
    for scale in [f32::MIN_POSITIVE, 1e-20, 1e20, f32::MAX] {
        for c in [1e-300, 1e-30, 1e30, f64::from(f32::MAX)] {
            for bias in [None, Some(1e-300), Some(1e30)] {
                let mut set = three();
                set.x.iter_mut().for_each(|x| *x *= scale);
                set.x.extend_from_within(..);
                set.labels.extend([1, 2, 0]);
                let config = SvmConfig { c, bias, max_sweeps: 50, ..SvmConfig::default() };
                match Svm::train(&set.x, &set.labels, 3, &config) {
                    Ok(svm) => {
                        assert!(svm.weights().iter().chain(svm.intercepts()).all(|w| w.is_finite()));
                        assert!(svm.fit().violation.is_finite() && svm.fit().gap.is_finite());
                    }
                    Err(error) => assert!(matches!(error, SvmError::Overflow { .. }), "{error}"),
                }
            }
        }
    }
}

#[test]
fn a_tiny_c_gives_the_weights_of_equal_margins() {
    // Every alpha is at its bound: w_m is C times the sum of the class's examples, minus equal
    // shares of the others.
    let set = three();
    let c = 1e-20;
    let svm = set.train(&SvmConfig { c, ..SvmConfig::default() });
    let scaled: Vec<f64> = svm.weights().iter().map(|w| w / c).collect();
    assert!(worst(&scaled, &[1.5, 0.0, 0.0, 1.5, -1.5, -1.5]) < 1e-9, "{scaled:?}");
}

#[test]
fn each_stream_gets_the_norm_of_one() {
    let made = features(&[&[0.6, 0.8], &[0.0, 0.5, 0.0], &[0.0, 0.0]]);
    assert_eq!(made, [0.6, 0.8, 0.0, 1.0, 0.0, 0.0, 0.0]);
    let made = features(&[&[0.1, 0.2, 0.7], &[0.3, 0.3, 0.4]]);
    for stream in made.chunks_exact(3) {
        let norm: f32 = stream.iter().map(|x| x * x).sum();
        assert!((norm - 1.0).abs() < 1e-6);
    }
    assert!(features(&[]).is_empty());
}
