//! Weights of approximate rank pooling (Bilen, Fernando, Gavves, Vedaldi & Gould, CVPR 2016, Sect. 2): a weighted sum over time
//! that tells apart what comes early from what comes late.
//!
//! Both forms are the first step of gradient descent on the loss of a linear function that has to rank the time steps: on their
//! running means, or on the time steps themselves. Their sum is 0 from two time steps on, so what does not change disappears.

/// Returns the weights of n time steps, ranked by their running means: the weight of time step t (from 1) is the sum over
/// i = t..n of (2i - n - 1) / i. A single time step has the weight 1, as in the authors' code.
#[must_use]
pub fn approximate_rank(count: usize) -> Vec<f64> {
    if count == 1 {
        return vec![1.0];
    }
    let n = count as f64;
    let mut weights = vec![0.0; count];
    let mut sum = 0.0;
    for (at, weight) in weights.iter_mut().enumerate().rev() {
        let i = (at + 1) as f64;
        sum += (2.0 * i - n - 1.0) / i;
        *weight = sum;
    }
    weights
}

/// Returns the weights of n time steps, ranked as they are: the weight of time step t (from 1) is 2t - n - 1. A single time step
/// has the weight 1.
#[must_use]
pub fn linear_rank(count: usize) -> Vec<f64> {
    if count == 1 {
        return vec![1.0];
    }
    (1..=count).map(|t| 2.0 * t as f64 - count as f64 - 1.0).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(found: &[f64], expected: &[f64]) {
        assert_eq!(found.len(), expected.len());
        for (found, expected) in found.iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6, "{found} instead of {expected}");
        }
    }

    #[test]
    fn weights_are_those_of_the_paper() {
        close(&approximate_rank(2), &[-0.5, 0.5]);
        close(&approximate_rank(5), &[-3.7, 0.3, 1.3, 1.3, 0.8]);
        close(&approximate_rank(6), &[-5.15, -0.15, 1.35, 1.683_333_333, 1.433_333_333, 0.833_333_333]);
        let ten = [
            -12.218_651,
            -3.218_651,
            0.281_349,
            1.948_016,
            2.698_016,
            2.898_016,
            2.731_349,
            2.302_778,
            1.677_778,
            0.9,
        ];
        close(&approximate_rank(10), &ten);
        let long = approximate_rank(25);
        close(&[long[0], long[5], long[12], long[24]], &[-49.214_913, 0.151_754, 7.468_565, 0.96]);
        close(&linear_rank(5), &[-4.0, -2.0, 0.0, 2.0, 4.0]);
        assert_eq!((approximate_rank(1), linear_rank(1)), (vec![1.0], vec![1.0]));
    }

    /// The definition: the sum over all time steps of (2t - n - 1) times the running mean up to t.
    #[test]
    fn weights_are_a_ranking_of_running_means() {
        for n in [2, 3, 7, 40] {
            for at in 0..n {
                let running = |t: usize| if at < t { 1.0 / t as f64 } else { 0.0 };
                let direct: f64 = (1..=n).map(|t| (2.0 * t as f64 - n as f64 - 1.0) * running(t)).sum();
                assert!((approximate_rank(n)[at] - direct).abs() < 1e-9, "{n}, {at}");
            }
        }
    }

    #[test]
    fn what_does_not_change_disappears() {
        for n in 2..100 {
            for weights in [approximate_rank(n), linear_rank(n)] {
                assert!(weights.iter().sum::<f64>().abs() < 1e-9, "{n}");
            }
        }
    }
}
