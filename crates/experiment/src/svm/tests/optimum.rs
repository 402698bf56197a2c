//! On small random problems, the solution is the unique optimum.

use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::{Set, below, objective, uniform, worst};
use crate::svm::SvmConfig;

const PROBLEMS: u64 = 120;

fn config(seed: u64) -> SvmConfig {
    let c = [0.01, 0.3, 1.0, 10.0][(seed % 4) as usize];
    let bias = [None, Some(1.0), Some(0.5)][(seed % 3) as usize];
    SvmConfig { c, bias, tolerance: 1e-9, max_sweeps: 1_000_000 }
}

#[test]
fn the_duality_gap_closes_and_is_bounded_by_the_violation() {
    for seed in 0..PROBLEMS {
        let set = Set::random(seed);
        for tolerance in [1.0, 0.1, 1e-3, 1e-9] {
            let config = SvmConfig { tolerance, ..config(seed) };
            let svm = set.train(&config);
            let fit = svm.fit();
            assert!(fit.converged && fit.violation <= tolerance, "problem {seed}: {fit:?}");
            // Each example's part of the gap is C times a mean of differences that are at most
            // the violation.
            let bound = set.labels.len() as f64 * config.c * fit.violation;
            let rounding = 1e-11 * (1.0 + fit.objective);
            assert!(
                fit.gap >= -rounding && fit.gap <= bound + rounding,
                "problem {seed}: {fit:?}, {bound:e}"
            );
        }
    }
}

#[test]
fn a_slower_solver_finds_the_same_weights() {
    let mut compared = 0;
    for seed in 0..PROBLEMS {
        let (set, config) = (Set::random(seed), config(seed));
        // The slower solver would assign weights to a class without examples; ours leaves it out.
        if !(0..set.classes).all(|class| set.labels.contains(&(class as u32))) {
            continue;
        }
        compared += 1;
        let svm = set.train(&config);
        let bias = config.bias.unwrap_or(0.0);
        let (weights, intercepts) = projected_gradient(&set, bias, config.c);
        let ours = objective(&set, svm.weights(), svm.intercepts(), bias, config.c);
        let theirs = objective(&set, &weights, &intercepts, bias, config.c);
        let above = svm.fit().gap.max(0.0) + 1e-11 * (1.0 + theirs);
        assert!(ours <= theirs + above, "problem {seed}: {ours}, slower solver {theirs}");
        assert!(theirs - ours < 1e-3 * (1.0 + theirs), "problem {seed}: {ours}, slower solver {theirs}");
        let off = worst(svm.weights(), &weights).max(worst(svm.intercepts(), &intercepts));
        assert!(off < 2e-3, "problem {seed}: weights {off:e}");
    }
    assert!(compared > PROBLEMS / 3, "{compared} problems compared");
}

#[test]
fn no_small_change_of_the_weights_is_better() {
    for seed in 0..PROBLEMS {
        let mut set = Set::random(seed);
        // All classes have examples; weights of others could change freely.
        set.labels.iter_mut().enumerate().for_each(|(i, label)| *label = (i % set.classes) as u32);
        set.classes = set.classes.min(set.labels.len());
        let config = config(seed);
        let bias = config.bias.unwrap_or(0.0);
        let svm = set.train(&config);
        let best = objective(&set, svm.weights(), svm.intercepts(), bias, config.c);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        for scale in [1e-5, 1e-3, 0.1] {
            for _ in 0..20 {
                let mut move_by =
                    |w: &f64, by: f64| w + by * scale * f64::from(uniform(&mut rng) * 2.0 - 1.0);
                let weights: Vec<f64> = svm.weights().iter().map(|w| move_by(w, 1.0)).collect();
                let intercepts: Vec<f64> = svm.intercepts().iter().map(|b| move_by(b, bias)).collect();
                let moved = objective(&set, &weights, &intercepts, bias, config.c);
                assert!(moved >= best - 1e-9 * (1.0 + best), "problem {seed}: {best} before, {moved} after");
            }
        }
    }
}

#[test]
fn the_order_of_examples_classes_and_features_does_not_matter() {
    for seed in 0..PROBLEMS {
        let (set, config) = (Set::random(seed), config(seed));
        let svm = set.train(&config);
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let (examples, classes, features) = (
            permutation(set.labels.len(), &mut rng),
            permutation(set.classes, &mut rng),
            permutation(set.features, &mut rng),
        );
        let other = Set {
            x: examples
                .iter()
                .flat_map(|&i| features.iter().map(move |&f| (i, f)))
                .map(|(i, f)| set.x[i * set.features + f])
                .collect(),
            labels: examples.iter().map(|&i| classes[set.labels[i] as usize] as u32).collect(),
            ..set
        };
        let moved = other.train(&config);
        let mut weights = vec![0.0; moved.weights().len()];
        let mut intercepts = vec![0.0; set.classes];
        for (class, &to) in classes.iter().enumerate() {
            intercepts[class] = moved.intercepts()[to];
            for (place, &feature) in features.iter().enumerate() {
                weights[class * set.features + feature] = moved.weights()[to * set.features + place];
            }
        }
        let off = worst(svm.weights(), &weights).max(worst(svm.intercepts(), &intercepts));
        assert!(off < 1e-5, "problem {seed}: {off:e}");
    }
}

fn permutation(n: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut list: Vec<usize> = (0..n).collect();
    for end in (1..n).rev() {
        list.swap(end, below(rng, end + 1));
    }
    list
}

/// Solves the dual by accelerated projected gradient over all alphas at once, directly from its
/// definition. Returns weights and intercepts.
fn projected_gradient(set: &Set, bias: f64, c: f64) -> (Vec<f64>, Vec<f64>) {
    let width = set.features + 1;
    let rows: Vec<(Vec<f64>, usize)> =
        set.rows().map(|(row, y)| (row.iter().map(|&x| f64::from(x)).chain([bias]).collect(), y)).collect();
    let weights = |alpha: &[f64]| {
        let mut weights = vec![0.0; set.classes * width];
        for ((x, _), alpha) in rows.iter().zip(alpha.chunks_exact(set.classes)) {
            for (weights, alpha) in weights.chunks_exact_mut(width).zip(alpha) {
                weights.iter_mut().zip(x).for_each(|(w, x)| *w += alpha * x);
            }
        }
        weights
    };
    // The sum of the squares bounds the largest curvature.
    let curvature = rows.iter().flat_map(|(x, _)| x).map(|x| x * x).sum::<f64>().max(1e-3);
    let mut alpha = vec![0.0; rows.len() * set.classes];
    let mut ahead = alpha.clone();
    for iteration in 0..2000 {
        let w = weights(&ahead);
        let mut next = ahead.clone();
        for ((x, y), next) in rows.iter().zip(next.chunks_exact_mut(set.classes)) {
            for (m, (alpha, w)) in next.iter_mut().zip(w.chunks_exact(width)).enumerate() {
                let product: f64 = w.iter().zip(x).map(|(w, x)| w * x).sum();
                *alpha -= (product + f64::from(u8::from(m != *y))) / curvature;
            }
            project(next, *y, c);
        }
        let momentum = f64::from(iteration) / f64::from(iteration + 3);
        ahead = next.iter().zip(&alpha).map(|(next, last)| next + momentum * (next - last)).collect();
        alpha = next;
    }
    let w = weights(&alpha);
    (
        w.chunks_exact(width).flat_map(|w| &w[..set.features]).copied().collect(),
        w.chunks_exact(width).map(|w| bias * w[set.features]).collect(),
    )
}

/// Projects onto sum zero below the bounds, min(bound, alpha - theta), by bisection.
fn project(alpha: &mut [f64], y: usize, c: f64) {
    let at = |alpha: f64, m: usize, theta: f64| (alpha - theta).min(if m == y { c } else { 0.0 });
    let largest = alpha.iter().fold(0.0_f64, |largest, a| largest.max(a.abs()));
    let (mut low, mut high) = (-2.0 * largest - c, 2.0 * largest + c);
    for _ in 0..60 {
        let theta = 0.5 * (low + high);
        let sum: f64 = alpha.iter().enumerate().map(|(m, &a)| at(a, m, theta)).sum();
        if sum > 0.0 { low = theta } else { high = theta }
    }
    alpha.iter_mut().enumerate().for_each(|(m, a)| *a = at(*a, m, low));
}
