//! Reference for tests of the fast code: one fixed-point step in plain `f64`,
//! pixel by pixel, without separate colours, bands or vectors.

use std::num::NonZeroUsize;

use proptest::prelude::*;

use crate::plane::Plane;

use super::data::{self, Data, First, SHARE_OF_FIRST, Second};
use super::derivatives::Derivatives;
use super::grid::State;
use super::sor;
use super::system::{Coefficients, REGULAR, Weights};

/// A picture or field of any size with its border repeated outwards.
#[derive(Clone)]
struct Field {
    width: usize,
    height: usize,
    values: Vec<f64>,
}

impl Field {
    fn new(width: usize, height: usize, value: impl Fn(isize, isize) -> f64) -> Self {
        let at = |i: usize| value((i % width) as isize, (i / width) as isize);
        Self { width, height, values: (0..width * height).map(at).collect() }
    }

    fn at(&self, x: isize, y: isize) -> f64 {
        let x = x.clamp(0, self.width as isize - 1) as usize;
        let y = y.clamp(0, self.height as isize - 1) as usize;
        self.values[y * self.width + x]
    }

    fn map(&self, value: impl Fn(isize, isize) -> f64) -> Self {
        Self::new(self.width, self.height, value)
    }

    fn along(&self) -> Self {
        self.map(|x, y| {
            (8.0 * (self.at(x + 1, y) - self.at(x - 1, y)) - (self.at(x + 2, y) - self.at(x - 2, y))) / 12.0
        })
    }

    fn down(&self) -> Self {
        self.map(|x, y| {
            (8.0 * (self.at(x, y + 1) - self.at(x, y - 1)) - (self.at(x, y + 2) - self.at(x, y - 2))) / 12.0
        })
    }

    /// Samples by Catmull-Rom interpolation.
    fn sample(&self, x: f64, y: f64) -> f64 {
        let weights = |t: f64| {
            [
                -0.5 * t + t * t - 0.5 * t * t * t,
                1.0 - 2.5 * t * t + 1.5 * t * t * t,
                0.5 * t + 2.0 * t * t - 1.5 * t * t * t,
                -0.5 * t * t + 0.5 * t * t * t,
            ]
        };
        let (left, top) = (x.floor(), y.floor());
        let mut sum = 0.0;
        for (dy, down) in weights(y - top).into_iter().enumerate() {
            for (dx, across) in weights(x - left).into_iter().enumerate() {
                sum +=
                    down * across * self.at(left as isize + dx as isize - 1, top as isize + dy as isize - 1);
            }
        }
        sum
    }

    fn plane(&self) -> Plane {
        let mut plane = Plane::new(self.width, self.height);
        for y in 0..self.height {
            for (x, value) in plane.row_mut(y).iter_mut().enumerate() {
                *value = self.at(x as isize, y as isize) as f32;
            }
        }
        plane
    }
}

/// Computes the fields of the data term in the order of `data::FIELDS`.
fn linearise(first: &Field, second: &Field, flow: &[Field; 2]) -> Vec<Field> {
    let channels = |picture: &Field| {
        let (x, y) = (picture.along(), picture.down());
        [picture.clone(), x.clone(), y.clone(), x.along(), y.along(), y.down()]
    };
    let (here, there) = (channels(first), channels(second));
    let pixel = |x: isize, y: isize| {
        let (u, v) = (flow[0].at(x, y), flow[1].at(x, y));
        let (to_x, to_y) = (x as f64 + u, y as f64 + v);
        let inside = (0.0..=first.width as f64 - 1.0).contains(&to_x)
            && (0.0..=first.height as f64 - 1.0).contains(&to_y);
        if !inside {
            return [0.0; data::FIELDS];
        }
        let there: Vec<f64> = there.iter().map(|channel| channel.sample(to_x, to_y)).collect();
        let here: Vec<f64> = here.iter().map(|channel| channel.at(x, y)).collect();
        let share = f64::from(SHARE_OF_FIRST);
        let mean: Vec<f64> =
            here.iter().zip(&there).map(|(here, there)| share * here + (1.0 - share) * there).collect();
        let (gx, gy, gxx, gxy, gyy) = (mean[1], mean[2], mean[3], mean[4], mean[5]);
        let c0 = there[0] - here[0] - gx * u - gy * v;
        let c1 = there[1] - here[1] - gxx * u - gxy * v;
        let c2 = there[2] - here[2] - gxy * u - gyy * v;
        [gx, gy, c0, gxx, gxy, gyy, c1, c2]
    };
    (0..data::FIELDS).map(|field| first.map(|x, y| pixel(x, y)[field])).collect()
}

/// Computes the weight of the smoothness half-way from (x, y) to the pixel (dx, dy) away.
fn smoothness(flow: &[Field; 2], weights: Weights, [x, y]: [isize; 2], [dx, dy]: [isize; 2]) -> f64 {
    let (to_x, to_y) = (x + dx, y + dy);
    if to_x < 0 || to_y < 0 || to_x >= flow[0].width as isize || to_y >= flow[0].height as isize {
        return 0.0;
    }
    let mut squared = f64::from(weights.epsilon).powi(2);
    for w in flow {
        let across = w.at(to_x, to_y) - w.at(x, y);
        // The central difference at right angles, at both pixels.
        let central = |x, y| 0.5 * (w.at(x + dy, y + dx) - w.at(x - dy, y - dx));
        let along = 0.5 * (central(x, y) + central(to_x, to_y));
        squared += across * across + along * along;
    }
    f64::from(weights.alpha) / squared.sqrt()
}

/// The matrix and right-hand side of a pixel, and the weights to its neighbours.
struct Equation {
    matrix: [f64; 3],
    right_side: [f64; 2],
    neighbours: [([isize; 2], f64); 4],
}

fn equation(data: &[Field], flow: &[Field; 2], weights: Weights, x: isize, y: isize) -> Equation {
    let [gx, gy, c0, gxx, gxy, gyy, c1, c2] = std::array::from_fn(|field| data[field].at(x, y));
    let (u, v) = (flow[0].at(x, y), flow[1].at(x, y));
    let residuals = [c0 + gx * u + gy * v, c1 + gxx * u + gxy * v, c2 + gxy * u + gyy * v];
    let epsilon = f64::from(weights.epsilon).powi(2);
    let brightness = 1.0 / (residuals[0].powi(2) + epsilon).sqrt();
    let gradient = f64::from(weights.gamma) / (residuals[1].powi(2) + residuals[2].powi(2) + epsilon).sqrt();
    let constraints = [(brightness, gx, gy, c0), (gradient, gxx, gxy, c1), (gradient, gxy, gyy, c2)];
    let sum =
        |part: &dyn Fn(f64, f64, f64) -> f64| constraints.iter().map(|&(w, g, h, c)| w * part(g, h, c)).sum();
    let neighbours =
        [[-1, 0], [1, 0], [0, -1], [0, 1]].map(|step| (step, smoothness(flow, weights, [x, y], step)));
    let total = neighbours.iter().map(|(_, weight)| weight).sum::<f64>() + f64::from(REGULAR);
    let a11: f64 = sum(&|g, _, _| g * g);
    let a22: f64 = sum(&|_, h, _| h * h);
    Equation {
        matrix: [a11 + total, sum(&|g, h, _| g * h), a22 + total],
        right_side: [-sum(&|g, _, c| g * c), -sum(&|_, h, c| h * c)],
        neighbours,
    }
}

/// Computes the right-hand side: the sum over the neighbours and the data.
fn pull(equation: &Equation, flow: &[Field; 2], x: isize, y: isize) -> [f64; 2] {
    [0, 1].map(|component| {
        let near = |&([dx, dy], weight): &([isize; 2], f64)| weight * flow[component].at(x + dx, y + dy);
        equation.right_side[component] + equation.neighbours.iter().map(near).sum::<f64>()
    })
}

/// Does a fixed-point step: relaxes the system of `flow` in red-black order.
fn step(data: &[Field], flow: &mut [Field; 2], weights: Weights, omega: f64, sweeps: usize) -> Vec<Equation> {
    let (width, height) = (flow[0].width, flow[0].height);
    let place = |i: usize| ((i % width) as isize, (i / width) as isize);
    let equations: Vec<Equation> =
        (0..width * height).map(|i| equation(data, flow, weights, place(i).0, place(i).1)).collect();
    for colour in (0..2 * sweeps).map(|half| (half % 2) as isize) {
        for (i, equation) in equations.iter().enumerate() {
            let (x, y) = place(i);
            if (x + y) % 2 != colour {
                continue;
            }
            let [su, sv] = pull(equation, flow, x, y);
            let [a11, a12, a22] = equation.matrix;
            let determinant = a11 * a22 - a12 * a12;
            let to = [(a22 * su - a12 * sv) / determinant, (a11 * sv - a12 * su) / determinant];
            for (component, to) in flow.iter_mut().zip(to) {
                component.values[i] += omega * (to - component.values[i]);
            }
        }
    }
    equations
}

/// The fast code on the same problem.
struct Fast {
    state: State,
    data: Data,
    system: Coefficients,
    first: First,
    second: Second,
}

impl Fast {
    fn new(first: &Field, second: &Field, flow: &[Field; 2]) -> Self {
        let (width, height) = (first.width, first.height);
        let mut fast = Self {
            state: State::default(),
            data: Data::default(),
            system: Coefficients::default(),
            first: First::default(),
            second: Second::default(),
        };
        fast.state.reshape(width, height);
        fast.data.reshape(width, height);
        fast.system.reshape(width, height);
        let (mut one, mut two) = (Plane::new(width, height), Plane::new(width, height));
        let mut derivatives = Derivatives::default();
        data::take_first(&mut fast.first, &first.plane(), [&mut one, &mut two], &mut derivatives);
        fast.second.take(&second.plane(), [&mut one, &mut two], &mut derivatives);
        flow.iter().enumerate().for_each(|(at, component)| fast.state.take(at, &component.plane()));
        data::linearise(&mut fast.data, &fast.first, &fast.second, &fast.state, NonZeroUsize::MIN);
        fast
    }

    /// Returns the fast data term, for the plain step. The plain step uses it
    /// instead of the plain data term: near a residual of zero the robust weight
    /// is so steep that the rounding of an intensity to `f32` shows in the fourth
    /// digit of the flow.
    fn data_term(&self) -> Vec<Field> {
        (0..data::FIELDS)
            .map(|field| {
                let values = values(&self.data, field).into_iter().map(f64::from).collect();
                Field { width: self.data.width, height: self.data.height, values }
            })
            .collect()
    }

    fn step(&mut self, weights: Weights, omega: f32, sweeps: usize, threads: NonZeroUsize) {
        self.system.build(&mut self.state, &self.data, weights, threads);
        sor::relax(&mut self.state, &self.system, omega, sweeps, threads);
    }
}

fn values<const F: usize>(grid: &super::grid::Grid<F>, field: usize) -> Vec<f32> {
    let mut plane = Plane::new(grid.width, grid.height);
    grid.give(field, &mut plane);
    (0..grid.height).flat_map(|y| plane.row(y).to_vec()).collect()
}

/// Asserts that all values agree to `within` of the largest.
fn assert_close(what: &str, fast: &[f32], slow: &Field, within: f64) {
    assert_eq!(fast.len(), slow.values.len());
    let largest = slow.values.iter().fold(1.0_f64, |largest, value| largest.max(value.abs()));
    for (i, (&fast, &slow)) in fast.iter().zip(&slow.values).enumerate() {
        assert!((f64::from(fast) - slow).abs() < within * largest, "{what} {i}: {fast}, expected {slow}");
    }
}

fn problem(width: usize, height: usize, phase: f64) -> (Field, Field, [Field; 2]) {
    let texture = |x: f64, y: f64| {
        100.0
            + 40.0 * (0.5 * x + 0.2 * y + phase).sin()
            + 30.0 * (0.9 * y - 0.3 * x).cos()
            + 9.0 * (x * y * 0.2).sin()
    };
    let first = Field::new(width, height, |x, y| texture(x as f64, y as f64));
    let second = Field::new(width, height, |x, y| texture(x as f64 - 0.8, y as f64 + 0.5) + 3.0);
    // Rounded as in the fast code, so that both sample at the same position.
    let rounded = |value: f64| f64::from(value as f32);
    let u = Field::new(width, height, |x, y| rounded(1.1 * (0.4 * x as f64 + 0.3 * y as f64 + phase).sin()));
    let v = Field::new(width, height, |x, y| rounded(0.7 * (0.2 * x as f64 - 0.6 * y as f64).cos()));
    let round_all = |field: &Field| field.map(|x, y| rounded(field.at(x, y)));
    (round_all(&first), round_all(&second), [u, v])
}

const WEIGHTS: Weights = Weights { alpha: 30.0, gamma: 4.0, epsilon: 0.01 };

proptest! {
    #[test]
    fn the_data_term_agrees(width in 1usize..50, height in 1usize..20, phase in 0.0..6.0) {
        let (first, second, flow) = problem(width, height, phase);
        let fast = Fast::new(&first, &second, &flow);
        for (field, slow) in linearise(&first, &second, &flow).iter().enumerate() {
            assert_close("field of the data term", &values(&fast.data, field), slow, 1e-4);
        }
    }

    #[test]
    fn a_fixed_point_step_agrees(width in 1usize..50, height in 1usize..20, phase in 0.0..6.0) {
        let (first, second, mut flow) = problem(width, height, phase);
        let mut fast = Fast::new(&first, &second, &flow);
        fast.step(WEIGHTS, 1.7, 3, NonZeroUsize::MIN);
        step(&fast.data_term(), &mut flow, WEIGHTS, f64::from(1.7_f32), 3);
        for (component, slow) in flow.iter().enumerate() {
            assert_close("component", &values(&fast.state, component), slow, 1e-4);
        }
    }
}

#[test]
fn many_sweeps_solve_the_system() {
    let (first, second, mut flow) = problem(37, 22, 0.4);
    let mut fast = Fast::new(&first, &second, &flow);
    fast.step(WEIGHTS, 1.8, 400, NonZeroUsize::MIN);
    let equations = step(&fast.data_term(), &mut flow, WEIGHTS, 1.0, 0);
    for (component, flow) in flow.iter_mut().enumerate() {
        flow.values = values(&fast.state, component).into_iter().map(f64::from).collect();
    }
    for (i, equation) in equations.iter().enumerate() {
        let (x, y) = ((i % 37) as isize, (i / 37) as isize);
        let [a11, a12, a22] = equation.matrix;
        let [u, v] = [flow[0].at(x, y), flow[1].at(x, y)];
        let [su, sv] = pull(equation, &flow, x, y);
        let scale = a11 + a22;
        assert!((a11 * u + a12 * v - su).abs() < 1e-4 * scale, "u at {x}, {y}");
        assert!((a12 * u + a22 * v - sv).abs() < 1e-4 * scale, "v at {x}, {y}");
    }
}

#[test]
fn a_step_on_several_threads_is_the_same_to_the_bit() {
    for (width, height) in [(301, 157), (520, 96), (80, 400)] {
        let (first, second, flow) = problem(width, height, 1.0);
        let mut alone = Fast::new(&first, &second, &flow);
        alone.step(WEIGHTS, 1.9, 23, NonZeroUsize::MIN);
        for threads in [2, 3, 8] {
            let mut shared = Fast::new(&first, &second, &flow);
            shared.step(WEIGHTS, 1.9, 23, NonZeroUsize::new(threads).unwrap());
            for component in [0, 1] {
                assert_eq!(values(&alone.state, component), values(&shared.state, component));
            }
        }
    }
}
