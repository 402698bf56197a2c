//! The sequential dual method (Keerthi et al. 2008) for the SVM of Crammer & Singer.
//!
//! The dual has a variable alpha_i^m for each example and class,
//!
//! ```text
//! min  1/2 sum_m |w_m|^2 + sum_i sum_m e_i^m alpha_i^m,    w_m = sum_i alpha_i^m x_i
//! with  sum_m alpha_i^m = 0,   alpha_i^m <= bound,   bound = C for m = y_i, else 0
//! ```
//!
//! and its gradient is g_i^m = w_m . x_i + e_i^m. One step takes one example and
//! solves for all its alphas exactly; the weights follow. At the optimum the
//! largest gradient of an example is not above the smallest one of those alphas
//! that are below their bound; the difference is the example's *violation*.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use super::config::{Fit, SvmConfig};

/// Number of partial sums of a product; rows are padded with zeros to a multiple of it.
pub(super) const LANES: usize = 8;

/// A violation up to this size may be pure rounding, so that a step gains nothing.
const ROUNDING: f64 = 1e-12;

/// The variables of the primal and the dual problem, and the state of shrinking.
pub(super) struct Solver<'a> {
    /// Features and class of each example.
    examples: Vec<(&'a [f64], usize)>,
    /// |x_i|^2.
    squares: Vec<f64>,
    classes: usize,
    width: usize,
    c: f64,
    /// (N, K).
    alpha: Vec<f64>,
    /// (N, K): all classes of each example; those in use come first.
    order: Vec<usize>,
    /// Number of classes in use, for each example.
    used: Vec<usize>,
    /// (K, width).
    weights: Vec<f64>,
    /// Buffers for [`subproblem`]: the gradient per class in use, then its linear term. Kept to reuse their memory.
    gradient: Vec<f64>,
    sorted: Vec<f64>,
}

impl<'a> Solver<'a> {
    /// Takes padded rows, each with its class below `classes`.
    pub(super) fn new(examples: Vec<(&'a [f64], usize)>, classes: usize, width: usize, c: f64) -> Self {
        let n = examples.len();
        let squares: Vec<f64> = examples.iter().map(|(x, _)| dot(x, x)).collect();
        let mut alpha = vec![0.0; n * classes];
        for (i, &(_, y)) in examples.iter().enumerate() {
            // The loss of an example of zeros does not depend on the weights, so no step touches
            // it. Its part of the dual is solved by giving everything to any one other class.
            if squares[i] == 0.0 && classes > 1 {
                alpha[i * classes + y] = c;
                alpha[i * classes + usize::from(y == 0)] = -c;
            }
        }
        Self {
            squares,
            classes,
            width,
            c,
            alpha,
            order: (0..n).flat_map(|_| 0..classes).collect(),
            used: vec![classes; n],
            weights: vec![0.0; classes * width],
            gradient: Vec::with_capacity(classes),
            sorted: Vec::with_capacity(classes),
            examples,
        }
    }

    /// Sweeps over the examples, each time in a new random order. Alphas at their
    /// bound, and examples that have no others, are left out of later sweeps
    /// (shrinking), until the rest is solved to a tolerance that is halved each time.
    pub(super) fn run(&mut self, config: &SvmConfig) -> Fit {
        let mut rng = ChaCha8Rng::seed_from_u64(0x0057_3a11);
        let mut queue: Vec<usize> = (0..self.examples.len()).collect();
        let mut left = queue.len();
        let mut bound = (10.0 * config.tolerance).max(1.0);
        let mut complete = true;
        let mut sweeps = 0;
        while sweeps < config.max_sweeps {
            sweeps += 1;
            shuffle(&mut queue[..left], &mut rng);
            let mut worst = 0.0_f64;
            let mut at = 0;
            while at < left {
                match self.step(queue[at]) {
                    Some(violation) => {
                        worst = worst.max(violation);
                        at += 1;
                    }
                    None => {
                        left -= 1;
                        queue.swap(at, left);
                    }
                }
            }
            if worst >= bound {
                complete = false;
                continue;
            }
            // The weights changed while `worst` was measured, so it is measured again.
            if complete && worst < config.tolerance {
                let fit = self.fit(sweeps, config.tolerance);
                if fit.converged {
                    return fit;
                }
            }
            left = queue.len();
            self.used.fill(self.classes);
            bound = (bound / 2.0).max(config.tolerance);
            complete = true;
        }
        self.fit(sweeps, config.tolerance)
    }

    /// Returns the weights, (K, width).
    pub(super) fn weights(&self) -> &[f64] {
        &self.weights
    }

    /// Solves for the alphas of example `i`. Returns its violation before the step, or
    /// `None` if at most one of its alphas is in use.
    fn step(&mut self, i: usize) -> Option<f64> {
        let (x, y) = self.examples[i];
        let square = self.squares[i];
        if square == 0.0 {
            return None;
        }
        let (c, width) = (self.c, self.width);
        let classes = i * self.classes..(i + 1) * self.classes;
        let alpha = &mut self.alpha[classes.clone()];
        let order = &mut self.order[classes];
        let limit = |class: usize| if class == y { c } else { 0.0 };

        self.gradient.clear();
        let (mut smallest, mut largest) = (f64::INFINITY, f64::NEG_INFINITY);
        for &class in &order[..self.used[i]] {
            let g = dot(&self.weights[class * width..][..width], x) + f64::from(u8::from(class != y));
            largest = largest.max(g);
            if alpha[class] < limit(class) {
                smallest = smallest.min(g);
            }
            self.gradient.push(g);
        }
        for place in (0..self.gradient.len()).rev() {
            let class = order[place];
            if alpha[class] == limit(class) && self.gradient[place] < smallest {
                self.gradient.swap_remove(place);
                order.swap(place, self.gradient.len());
            }
        }
        self.used[i] = self.gradient.len();
        if self.used[i] <= 1 {
            return None;
        }
        let violation = (largest - smallest).max(0.0);
        if violation <= ROUNDING {
            return Some(violation);
        }

        let order = &order[..self.used[i]];
        for (linear, &class) in self.gradient.iter_mut().zip(order) {
            *linear -= square * alpha[class];
        }
        let beta = subproblem(
            &self.gradient,
            order.iter().position(|&class| class == y),
            square * c,
            &mut self.sorted,
        );
        for (&linear, &class) in self.gradient.iter().zip(order) {
            let solved = limit(class).min((beta.shift - linear + beta.rest) / square);
            let change = solved - alpha[class];
            if change != 0.0 {
                alpha[class] = solved;
                for (w, &x) in self.weights[class * width..][..width].iter_mut().zip(x) {
                    *w += change * x;
                }
            }
        }
        Some(violation)
    }

    /// Computes the state of the training at the present weights, over all examples and classes.
    fn fit(&self, sweeps: usize, tolerance: f64) -> Fit {
        let (mut violation, mut loss, mut linear) = (0.0_f64, 0.0, 0.0);
        for (&(x, y), alpha) in self.examples.iter().zip(self.alpha.chunks_exact(self.classes)) {
            let (mut smallest, mut largest, mut own) = (f64::INFINITY, f64::NEG_INFINITY, 0.0);
            for (class, (weights, &alpha)) in self.weights.chunks_exact(self.width).zip(alpha).enumerate() {
                let product = dot(weights, x);
                let (g, limit) = if class == y { (product, self.c) } else { (product + 1.0, 0.0) };
                largest = largest.max(g);
                if alpha < limit {
                    smallest = smallest.min(g);
                }
                if class == y {
                    own = product;
                } else {
                    linear += alpha;
                }
            }
            violation = violation.max(largest - smallest);
            loss += largest - own;
        }
        let norm: f64 = self.weights.chunks_exact(self.width).map(|w| dot(w, w)).sum();
        let objective = 0.5 * norm + self.c * loss;
        let gap = objective + 0.5 * norm + linear;
        Fit { converged: violation <= tolerance, sweeps, violation, objective, gap }
    }
}

/// A sum in two parts, because `rest` may be far below the rounding error of `shift`.
struct Beta {
    shift: f64,
    rest: f64,
}

/// Minimises 1/2 A sum_m alpha_m^2 + sum_m linear_m alpha_m over alphas that sum to zero
/// and do not exceed their bounds. The solution is alpha_m = min(bound_m, (beta - linear_m) / A)
/// for the returned beta (Keerthi et al. 2008).
///
/// `own` is the position of the example's own class, `product` is A C.
fn subproblem(linear: &[f64], own: Option<usize>, product: f64, sorted: &mut Vec<f64>) -> Beta {
    let shift = linear.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    sorted.clear();
    sorted.extend(linear.iter().map(|value| value - shift));
    if let Some(own) = own {
        sorted[own] += product;
    }
    sorted.sort_unstable_by(|a, b| b.total_cmp(a));
    let mut sum = -product;
    let mut count = 0.0;
    for &value in &*sorted {
        if count > 0.0 && sum >= count * value {
            break;
        }
        sum += value;
        count += 1.0;
    }
    Beta { shift, rest: sum / count }
}

/// Computes the inner product of two padded rows, always summed in the same order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; LANES];
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        for lane in 0..LANES {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum()
}

/// Shuffles a list (Fisher and Yates), with multiply-shift draws whose bias is below 2^-32.
fn shuffle(list: &mut [usize], rng: &mut ChaCha8Rng) {
    for end in (1..list.len()).rev() {
        let range = end as u128 + 1;
        let pick = (u128::from(rng.next_u64()) * range) >> 64;
        list.swap(end, usize::try_from(pick).unwrap_or(end));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last bits of a trained SVM depend on the order of its sweeps.
    #[test]
    fn the_order_of_sweeps_is_kept() {
        let mut rng = ChaCha8Rng::seed_from_u64(0x0057_3a11);
        let mut list: Vec<usize> = (0..12).collect();
        shuffle(&mut list, &mut rng);
        assert_eq!(list, [7, 1, 5, 3, 11, 8, 10, 9, 4, 2, 0, 6]);
        shuffle(&mut list, &mut rng);
        assert_eq!(list, [7, 1, 3, 2, 5, 9, 4, 8, 6, 10, 0, 11]);
    }
}
