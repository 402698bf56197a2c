//! The choice of C.

use super::sklearn::Fixture;
use super::{Set, below};
use crate::svm::{CANDIDATES, Choice, Svm, SvmConfig, SvmError, choose_c};

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

fn choose(set: &Set, folds: &[usize], candidates: &[f64]) -> Result<Choice, SvmError> {
    choose_c(&set.x, &set.labels, set.classes, folds, candidates, &SvmConfig::default())
}

#[test]
fn every_candidate_is_counted_over_all_folds() {
    let (set, _) = Fixture::read().sets();
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    // The numbers of folds need not be consecutive, nor the folds of equal size.
    let folds: Vec<usize> = set.labels.iter().map(|_| [3, 7, 7, 100][below(&mut rng, 4)]).collect();
    let choice = choose(&set, &folds, &CANDIDATES).unwrap();

    assert_eq!(choice.candidates.len(), CANDIDATES.len());
    for (candidate, c) in choice.candidates.iter().zip(CANDIDATES) {
        let mut correct = 0;
        for fold in [3, 7, 100] {
            let part = |held: bool| {
                let inside: Vec<usize> = (0..folds.len()).filter(|&i| (folds[i] == fold) == held).collect();
                let x = inside.iter().flat_map(|&i| &set.x[i * set.features..][..set.features]);
                let labels = inside.iter().map(|&i| set.labels[i]);
                Set { x: x.copied().collect(), labels: labels.collect(), ..set.clone() }
            };
            let svm: Svm = part(false).train(&SvmConfig { c, ..SvmConfig::default() });
            let held = part(true);
            let predicted = svm.predict(&held.x).unwrap();
            correct += predicted.iter().zip(&held.labels).filter(|(a, b)| a == b).count();
        }
        assert_eq!((candidate.c, candidate.correct), (c, correct));
        assert_eq!(candidate.accuracy, correct as f64 / folds.len() as f64);
        assert!(candidate.converged);
    }
    let most = choice.candidates.iter().map(|candidate| candidate.correct).max().unwrap();
    let first = choice.candidates.iter().find(|candidate| candidate.correct == most).unwrap();
    assert_eq!(choice.c, first.c);
    let fewest = choice.candidates.iter().map(|candidate| candidate.correct).min().unwrap();
    assert!(most > fewest, "candidates that differ in nothing test nothing");
}

#[test]
fn of_equal_candidates_the_smallest_is_chosen() {
    let set = Set {
        x: vec![1.0, 0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0],
        labels: vec![0, 1, 0, 1],
        classes: 2,
        features: 2,
    };
    let choice = choose(&set, &[0, 0, 1, 1], &[4.0, 0.5, 1.0]).unwrap();
    assert!(choice.candidates.iter().all(|candidate| candidate.correct == 4));
    assert_eq!(choice.c, 0.5);
    assert_eq!(choice.candidates.iter().map(|candidate| candidate.c).collect::<Vec<_>>(), [4.0, 0.5, 1.0]);
}

#[test]
fn the_number_of_threads_changes_nothing() {
    let (set, _) = Fixture::read().sets();
    let folds: Vec<usize> = (0..set.labels.len()).map(|i| i % 3).collect();
    let on = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| (choose(&set, &folds, &[0.1, 1.0, 10.0]).unwrap(), set.train(&SvmConfig::default())))
    };
    assert_eq!(on(1), on(4));
}

#[test]
fn a_class_of_one_fold_alone_is_wrong_there() {
    let set = Set { x: vec![1.0, 0.0, 0.0, 1.0, -1.0, -1.0], labels: vec![0, 0, 1], classes: 2, features: 2 };
    let choice = choose(&set, &[0, 1, 1], &[1.0]).unwrap();
    // Fold 1 is tested by an SVM that knows only class 0, fold 0 by one that knows both.
    assert_eq!(choice.candidates[0].correct, 2);
}

#[test]
fn bad_folds_and_candidates_are_named() {
    let set = Set::random(3);
    let n = set.labels.len();
    let folds: Vec<usize> = (0..n).collect();
    assert!(n > 2);
    let error = choose(&set, &folds[1..], &[1.0]).unwrap_err();
    assert_eq!(error, SvmError::Lengths { what: "fold", expected: n, found: n - 1 });
    assert_eq!(choose(&set, &vec![5; n], &[1.0]).unwrap_err(), SvmError::Folds { found: 1 });
    assert_eq!(choose(&set, &folds, &[]).unwrap_err(), SvmError::NoCandidates);
    assert!(matches!(choose(&set, &folds, &[1.0, 0.0]), Err(SvmError::Setting { what: "C", .. })));
}
