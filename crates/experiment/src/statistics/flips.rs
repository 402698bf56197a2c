//! The exact sign-flip test.

/// Returns the two-sided p-value of the sum of the differences, if each were as likely to have the other sign: the share of all
/// choices of signs whose sum is at least as far from 0. Zeros do not matter. If all others are 1 or -1, this is McNemar's exact
/// test.
pub fn sign_flips(differences: &[i64]) -> f64 {
    let sizes: Vec<usize> =
        differences.iter().filter(|d| **d != 0).map(|d| d.unsigned_abs() as usize).collect();
    let sum = differences.iter().sum::<i64>().unsigned_abs() as usize;
    if sum == 0 {
        return 1.0;
    }
    // shares[s]: the share of choices in which the sizes with a positive sign sum to s. The whole sum is 2 s - most.
    let most: usize = sizes.iter().sum();
    let mut shares = vec![0.0_f64; most + 1];
    shares[0] = 1.0;
    let mut reached = 0;
    for size in sizes {
        reached += size;
        for s in (0..=reached).rev() {
            let with = if s >= size { shares[s - size] } else { 0.0 };
            shares[s] = 0.5 * (shares[s] + with);
        }
    }
    // By symmetry both tails are equal.
    (2.0 * shares[(most + sum) / 2..].iter().sum::<f64>()).min(1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ones(plus: usize, minus: usize) -> Vec<i64> {
        std::iter::repeat_n(1, plus).chain(std::iter::repeat_n(-1, minus)).chain([0, 0]).collect()
    }

    #[test]
    fn with_single_answers_it_is_mcnemars_test() {
        assert_eq!(sign_flips(&[]), 1.0);
        assert_eq!(sign_flips(&ones(5, 5)), 1.0);
        assert!((sign_flips(&ones(0, 5)) - 0.0625).abs() < 1e-12);
        // SciPy: binomtest(12, 40).pvalue
        assert!((sign_flips(&ones(12, 28)) - 0.016_589_003).abs() < 1e-6);
        assert_eq!(sign_flips(&ones(12, 28)), sign_flips(&ones(28, 12)));
        assert!(sign_flips(&ones(1000, 1200)) < 1e-4);
    }

    #[test]
    fn it_is_the_share_of_all_choices_of_signs() {
        for differences in
            [vec![3, -1, 2], vec![5, 5, -4, 1, 0, -2], vec![1, 1, 1, -7], vec![2, -2, 9, 4, -3, 3]]
        {
            let sum: i64 = differences.iter().sum();
            let choices = 1_u32 << differences.len();
            let as_far = |signs: &u32| {
                let one = |(i, d): (usize, &i64)| if signs >> i & 1 == 1 { -d } else { *d };
                differences.iter().enumerate().map(one).sum::<i64>().abs() >= sum.abs()
            };
            let expected = (0..choices).filter(as_far).count() as f64 / f64::from(choices);
            assert!((sign_flips(&differences) - expected).abs() < 1e-12, "{differences:?}");
        }
    }
}
