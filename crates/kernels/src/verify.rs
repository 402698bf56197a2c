//! Compares every operation on a device with the CPU: the test cases, and their differences.
//!
//! The tests of this crate use the same cases and check their gradients on the CPU by finite differences.

use candle_core::{Device, Result, Tensor, Var};

use crate::{
    Add, AvgPool2d, BatchNorm, CompactBilinear, Concat, ContrastiveLoss, Conv2d, Fourier, FrozenBatchNorm,
    GlobalAvgPool, JoinTimeSteps, Linear, LocalResponseNorm, Lrn, Mask, MaxPool2d, Op, PairDistance, Pool2d,
    PositionSoftmax, Relu, RmsNorm, SgdStep, SignedSqrt, Sketch, SoftmaxCrossEntropy, SumTimeSteps,
    ToChannelsFirst, ToChannelsLast, WeightedPool, backward, forward,
};

/// One application of an operation to pseudorandom inputs.
pub struct Case {
    /// Name of the operation and of its variant.
    pub name: String,
    make: Box<dyn Fn() -> Result<Box<dyn Op>>>,
    /// The inputs' shapes.
    pub shapes: Vec<Vec<usize>>,
    /// True for a product of matrices, whose precision can be chosen.
    pub is_product: bool,
    /// Index of the input that holds variances, which are above 0.
    positive: Option<usize>,
}

/// The output of an operation, and the gradient of each input; empty for constants.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// The output.
    pub output: Vec<f32>,
    /// The gradients, in the order of the inputs.
    pub gradients: Vec<Vec<f32>>,
}

impl Case {
    fn new<O: Op>(name: &str, shapes: &[&[usize]], make: impl Fn() -> Result<O> + 'static) -> Self {
        Self {
            name: name.into(),
            make: Box::new(move || Ok(Box::new(make()?))),
            shapes: shapes.iter().map(|shape| shape.to_vec()).collect(),
            is_product: false,
            positive: None,
        }
    }

    fn product(self) -> Self {
        Self { is_product: true, ..self }
    }

    /// Creates a new instance of the operation.
    ///
    /// # Errors
    /// Never, for the cases of this module.
    pub fn op(&self) -> Result<Box<dyn Op>> {
        (self.make)()
    }

    /// Creates the inputs on a device, with the same values everywhere.
    ///
    /// # Errors
    /// If the device's memory does not suffice.
    pub fn inputs(&self, device: &Device) -> Result<Vec<Tensor>> {
        let input = |(at, shape): (usize, &Vec<usize>)| {
            let mut values = noise(1 + at as u64, shape.iter().product());
            if self.positive == Some(at) {
                values.iter_mut().for_each(|value| *value = value.abs() + 0.25);
            }
            Tensor::from_vec(values, shape.as_slice(), device)
        };
        self.shapes.iter().enumerate().map(input).collect()
    }

    /// Runs the forward and the backward pass on a device.
    ///
    /// # Errors
    /// If the operation fails there.
    pub fn run(&self, device: &Device) -> Result<Values> {
        let (op, inputs) = (self.op()?, self.inputs(device)?);
        let inputs: Vec<&Tensor> = inputs.iter().collect();
        let output = forward(&*op, &inputs)?;
        let gradient = Tensor::from_vec(noise(99, output.elem_count()), output.shape(), device)?;
        let found = backward(&*op, &inputs, &output, &gradient, &vec![true; inputs.len()])?;
        let read = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
        let gradients = found.iter().map(|found| found.as_ref().map_or(Ok(Vec::new()), read));
        Ok(Values { output: read(&output)?, gradients: gradients.collect::<Result<_>>()? })
    }
}

impl Values {
    /// Returns the largest difference of any output or gradient, relative to its largest magnitude in `expected`, or to one
    /// if that is smaller: sums whose terms cancel are small compared with their terms.
    #[must_use]
    pub fn difference(&self, expected: &Self) -> f64 {
        let own = std::iter::once(&self.output).chain(&self.gradients);
        let other = std::iter::once(&expected.output).chain(&expected.gradients);
        own.zip(other).map(|(a, b)| difference(a, b)).fold(0.0, f64::max)
    }
}

/// Returns the largest difference of two lists, relative to the largest magnitude of the second or to one. Infinite if a
/// value is NaN on only one side, or if the lists differ in length.
#[must_use]
pub fn difference(found: &[f32], expected: &[f32]) -> f64 {
    if found.len() != expected.len() {
        return f64::INFINITY;
    }
    let scale = expected.iter().fold(1.0f64, |scale, &value| {
        if value.is_finite() { scale.max(f64::from(value).abs()) } else { scale }
    });
    let each = found.iter().zip(expected).map(|(&a, &b)| {
        if a == b || (a.is_nan() && b.is_nan()) {
            return 0.0;
        }
        let difference = (f64::from(a) - f64::from(b)).abs() / scale;
        if difference.is_nan() { f64::INFINITY } else { difference }
    });
    each.fold(0.0, f64::max)
}

/// Generates pseudorandom values, about uniform in -1..1 and the same on every machine.
#[must_use]
pub fn noise(seed: u64, count: usize) -> Vec<f32> {
    // splitmix64
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ 0xd1b5_4a32_d192_ed03;
    let mut next = || {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^= z >> 31;
        (z >> 40) as f32 / (1u64 << 23) as f32 - 1.0
    };
    (0..count).map(|_| next()).collect()
}

/// Returns cases for every operation, with sizes that leave a remainder in every block.
#[must_use]
pub fn cases() -> Vec<Case> {
    let mut cases = products();
    cases.extend(windows());
    cases.extend(normalisations());
    cases.extend(movements());
    cases.extend(heads());
    cases
}

fn products() -> Vec<Case> {
    let conv = |stride, padding, groups, relu| Conv2d { stride, padding, groups, relu };
    let case =
        |name: &str, shapes: &[&[usize]], op: Conv2d| Case::new(name, shapes, move || Ok(op)).product();
    vec![
        case("convolution 7x7, stride 2", &[&[2, 13, 15, 5], &[6, 5, 7, 7]], conv([2, 2], [3, 3], 1, false)),
        case("convolution 3x3, bias", &[&[2, 9, 8, 4], &[5, 4, 3, 3], &[5]], conv([1, 1], [1, 1], 1, false)),
        case(
            "convolution 3x3, bias, relu",
            &[&[2, 9, 8, 4], &[5, 4, 3, 3], &[5]],
            conv([1, 1], [1, 1], 1, true),
        ),
        case(
            "convolution 5x5 in 2 groups",
            &[&[2, 7, 8, 6], &[4, 3, 5, 5], &[4]],
            conv([1, 1], [2, 2], 2, false),
        ),
        case("convolution 1x1", &[&[2, 5, 6, 9], &[7, 9, 1, 1]], conv([1, 1], [0, 0], 1, false)),
        case("convolution 1x1, stride 2", &[&[2, 7, 6, 9], &[7, 9, 1, 1]], conv([2, 2], [0, 0], 1, false)),
        case("convolution 3x1 over time", &[&[2, 5, 12, 4], &[6, 4, 3, 1]], conv([1, 1], [1, 0], 1, false)),
        case(
            "convolution of unequal sides",
            &[&[1, 9, 11, 3], &[4, 3, 3, 4]],
            conv([2, 3], [1, 2], 1, false),
        ),
        Case::new("linear", &[&[5, 37], &[11, 37], &[11]], || Ok(Linear { relu: false })).product(),
        Case::new("linear, relu", &[&[5, 37], &[11, 37], &[11]], || Ok(Linear { relu: true })).product(),
    ]
}

fn windows() -> Vec<Case> {
    let pool = |kernel, stride, padding, ceil_mode| Pool2d { kernel, stride, padding, ceil_mode };
    let (caffe, padded) = (pool([3, 3], [2, 2], [0, 0], true), pool([3, 2], [1, 2], [1, 1], false));
    let average =
        |count_padding| move || Ok(AvgPool2d { pool: pool([3, 3], [2, 2], [1, 1], true), count_padding });
    let x: &[usize] = &[2, 9, 8, 5];
    vec![
        Case::new("maximum 3x3, stride 2, rounding up", &[x], move || Ok(MaxPool2d::new(caffe))),
        Case::new("maximum 3x2, padded", &[x], move || Ok(MaxPool2d::new(padded))),
        Case::new("average", &[x], average(false)),
        Case::new("average, padding counts", &[x], average(true)),
        Case::new("global average", &[x], || Ok(GlobalAvgPool)),
    ]
}

fn normalisations() -> Vec<Case> {
    let lrn = |size| move || Ok(LocalResponseNorm(Lrn { size, alpha: 2.0, beta: 0.75, k: 1.0 }));
    let batch = |relu| move || Ok(BatchNorm::new(1e-3, relu));
    let frozen = |relu| move || Ok(FrozenBatchNorm { epsilon: 1e-3, relu });
    let (x, c): (&[usize], &[usize]) = (&[3, 7, 5, 35], &[35]);
    let fixed = |case| Case { positive: Some(4), ..case };
    vec![
        Case::new("local response norm", &[x], lrn(5)),
        Case::new("local response norm, even window", &[x], lrn(4)),
        Case::new("batch norm", &[x, c, c], batch(false)),
        Case::new("batch norm, relu", &[x, c, c], batch(true)),
        Case::new("batch norm, residual", &[x, c, c, x], batch(false)),
        Case::new("batch norm, residual, relu", &[x, c, c, x], batch(true)),
        fixed(Case::new("frozen batch norm, relu", &[x, c, c, c, c], frozen(true))),
        fixed(Case::new("frozen batch norm, residual, relu", &[x, c, c, c, c, x], frozen(true))),
        fixed(Case::new("frozen batch norm, residual", &[x, c, c, c, c, x], frozen(false))),
        Case::new("signed root", &[&[4, 65]], || Ok(SignedSqrt { epsilon: 0.1 })),
        Case::new("root mean square norm", &[&[4, 300]], || Ok(RmsNorm { epsilon: 1e-2 })),
    ]
}

fn movements() -> Vec<Case> {
    let clips: &[usize] = &[6, 2, 3, 4];
    vec![
        Case::new("relu", &[&[3, 333]], || Ok(Relu)),
        Case::new("sum", &[&[3, 333], &[3, 333]], || Ok(Add { relu: false })),
        Case::new("sum, relu", &[&[3, 333], &[3, 333]], || Ok(Add { relu: true })),
        Case::new("mask", &[&[3, 40]], || Ok(Mask::new(noise(50, 120)))),
        Case::new("concatenation", &[&[2, 3, 3, 5], &[2, 3, 3, 1], &[2, 3, 3, 34]], || Ok(Concat)),
        Case::new("channels last", &[&[2, 35, 6, 7]], || Ok(ToChannelsLast)),
        Case::new("channels first", &[&[2, 6, 7, 35]], || Ok(ToChannelsFirst)),
        Case::new("time steps joined", &[clips], || Ok(JoinTimeSteps { time_steps: 3 })),
        Case::new("time steps added", &[clips], || Ok(SumTimeSteps { time_steps: 3 })),
    ]
}

fn heads() -> Vec<Case> {
    let bilinear = |inputs: &'static [(usize, usize)], size, pooled| {
        move || {
            let mut seed = 7;
            let mut sketch = |&(channels, time_steps): &(usize, usize)| {
                let each = (0..time_steps).map(|_| {
                    seed += 2;
                    random_sketch(seed, channels, size)
                });
                each.collect::<Result<Vec<_>>>()
            };
            let sketches = inputs.iter().map(&mut sketch).collect::<Result<Vec<_>>>()?;
            CompactBilinear::new(Fourier::new(size)?, sketches, pooled)
        }
    };
    let contrastive = |distance, margin| {
        move || Ok(ContrastiveLoss::new(vec![true, false, false, true, false], margin, distance).weighted(0.5))
    };
    let some = || Ok(SoftmaxCrossEntropy::of_some(vec![Some(3), None, Some(0), Some(10)]));
    let maps: [&[usize]; 3] = [&[2, 2, 3, 5], &[4, 2, 3, 4], &[2, 6]];
    vec![
        Case::new("compact bilinear, pooled", &maps, bilinear(&[(5, 1), (4, 2), (6, 1)], 64, true)),
        Case::new("compact bilinear, at every place", &maps, bilinear(&[(5, 1), (4, 2), (6, 1)], 60, false)),
        Case::new("compact bilinear of vectors", &[&[3, 6], &[3, 9]], bilinear(&[(6, 1), (9, 1)], 21, true)),
        Case::new("softmax over places", &[&[3, 4, 5, 1]], || Ok(PositionSoftmax)),
        Case::new("weighted pool", &[&[2, 3, 4, 1], &[2, 3, 4, 37]], || Ok(WeightedPool)),
        Case::new("cross-entropy", &[&[3, 11]], || Ok(SoftmaxCrossEntropy::new(vec![3, 0, 10]))),
        Case::new("cross-entropy, some labels", &[&[4, 11]], some),
        Case::new("contrastive, L1", &[&[10, 17]], contrastive(PairDistance::L1, 15.0)),
        Case::new("contrastive, L2", &[&[10, 17]], contrastive(PairDistance::L2, 4.0)),
    ]
}

fn random_sketch(seed: u64, channels: usize, size: usize) -> Result<Sketch> {
    let bucket = |x: &f32| (((x + 1.0) / 2.0 * size as f32).floor()).min(size as f32 - 1.0);
    let buckets: Vec<f32> = noise(seed, channels).iter().map(bucket).collect();
    let signs: Vec<f32> =
        noise(seed + 1, channels).iter().map(|x| if *x < 0.0 { -1.0 } else { 1.0 }).collect();
    Sketch::new(&buckets, &signs, size)
}

/// Compares the optimiser on a device with the CPU: three steps of descent, a running average, sums of squares. Returns the
/// name and the difference of each.
///
/// # Errors
/// If something fails there.
pub fn optimiser(device: &Device) -> Result<Vec<(&'static str, f64)>> {
    const COUNT: usize = 5003;
    let run = |device: &Device| -> Result<[Vec<f32>; 4]> {
        let tensor = |seed| Tensor::from_vec(noise(seed, COUNT), COUNT, device);
        let (parameter, velocity) = (Var::from_tensor(&tensor(1)?)?, tensor(2)?);
        let step = SgdStep { rate: 0.1, momentum: 0.9, weight_decay: 0.01, gradient_scale: 0.5 };
        for seed in 3..6 {
            crate::sgd_step(&parameter, &velocity, &tensor(seed)?, step)?;
        }
        let average = tensor(7)?;
        crate::running_average(&average, &tensor(8)?, 0.1)?;
        let squares = crate::sum_of_squares(&[tensor(9)?, tensor(10)?])?;
        let squares = squares.into_iter().map(|sum| sum as f32).collect();
        Ok([parameter.to_vec1()?, velocity.to_vec1()?, average.to_vec1()?, squares])
    };
    let (found, expected) = (run(device)?, run(&Device::Cpu)?);
    let names = ["descent: parameters", "descent: velocities", "running average", "sum of squares"];
    let each = names.into_iter().zip(found.iter().zip(&expected));
    Ok(each.map(|(name, (found, expected))| (name, difference(found, expected))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_seen_wherever_it_is() {
        let values = Values { output: vec![1.0, -4.0], gradients: vec![vec![0.5], Vec::new()] };
        assert_eq!(values.difference(&values), 0.0);
        let other = Values { output: vec![1.0, -4.0], gradients: vec![vec![0.75], Vec::new()] };
        assert_eq!(values.difference(&other), 0.25);
        assert_eq!(difference(&[1.0, -3.0], &[1.0, -4.0]), 0.25);
        assert_eq!(difference(&[f32::NAN], &[f32::NAN]), 0.0);
        assert_eq!(difference(&[1.0], &[f32::NAN]), f64::INFINITY);
        assert_eq!(difference(&[1.0], &[1.0, 2.0]), f64::INFINITY);
    }

    #[test]
    fn every_case_runs_and_has_a_name_of_its_own() {
        let mut names = std::collections::BTreeSet::new();
        for case in cases() {
            let values = case.run(&Device::Cpu).unwrap();
            assert!(
                values.output.iter().chain(values.gradients.iter().flatten()).all(|x| x.is_finite()),
                "{}",
                case.name
            );
            assert!(values.gradients.iter().flatten().any(|&x| x != 0.0), "{}: no gradient", case.name);
            assert!(names.insert(case.name));
        }
        assert!(optimiser(&Device::Cpu).unwrap().iter().all(|(_, difference)| *difference == 0.0));
    }
}
