//! Compact bilinear pooling (Gao et al., CVPR 2016) of any number of inputs: the operation behind the spatiotemporal
//! compact bilinear fusion of the Spatiotemporal Pyramid Network.
//!
//! A count sketch ψ adds each value of a vector, with a sign, to one of d buckets. The sketch of an outer product is
//! the circular convolution of the sketches, ψ(x ⊗ y) = ψ(x) * ψ(y). So it follows from the product of their spectra,
//! and the outer product is never formed. Spectra are linear, so a mean over positions takes a single inverse transform.

use std::fmt;
use std::sync::Arc;

use candle_core::{Result, bail};
use rayon::prelude::*;
use realfft::num_complex::Complex32;
use realfft::{ComplexToReal, RealFftPlanner, RealToComplex};

use crate::array::{Array, Backward, Gradient, Shaped};
use crate::op::Op;
use crate::simd::{Level, vectorised};
use crate::{check, extent};

/// A count sketch: the bucket and the sign of each value of a vector.
#[derive(Debug, Clone, PartialEq)]
pub struct Sketch {
    pub(crate) buckets: Vec<u32>,
    pub(crate) signs: Vec<f32>,
}

impl Sketch {
    /// Creates a sketch from buckets below `size` and signs of ±1, stored as floats as in weights files.
    ///
    /// # Errors
    /// If a value is invalid, or if the numbers of buckets and signs differ.
    pub fn new(buckets: &[f32], signs: &[f32], size: usize) -> Result<Self> {
        if buckets.len() != signs.len() {
            bail!("count sketch: {} buckets and {} signs, expected equal counts", buckets.len(), signs.len());
        }
        if let Some(sign) = signs.iter().find(|sign| sign.abs() != 1.0) {
            bail!("count sketch: a sign is {sign}, expected 1 or -1");
        }
        let whole = |bucket: f32| bucket >= 0.0 && bucket < size as f32 && bucket.fract() == 0.0;
        if let Some(bucket) = buckets.iter().find(|bucket| !whole(**bucket)) {
            bail!(
                "count sketch: a bucket is {bucket}, expected a whole number from 0 to {}",
                size.saturating_sub(1)
            );
        }
        let buckets = buckets.iter().map(|&bucket| bucket as u32).collect();
        Ok(Self { buckets, signs: signs.to_vec() })
    }

    /// Computes ψ(x).
    fn project(&self, x: &[f32], out: &mut [f32]) {
        out.fill(0.0);
        for ((&x, &bucket), &sign) in x.iter().zip(&self.buckets).zip(&self.signs) {
            out[bucket as usize] += sign * x;
        }
    }

    /// Computes the gradient of x from that of ψ(x), times `scale`.
    fn gather(&self, sketched: &[f32], scale: f32, out: &mut [f32]) {
        for ((out, &bucket), &sign) in out.iter_mut().zip(&self.buckets).zip(&self.signs) {
            *out = sign * scale * sketched[bucket as usize];
        }
    }
}

/// The Fourier transforms of vectors of one length, planned once.
#[derive(Clone)]
pub struct Fourier {
    forward: Arc<dyn RealToComplex<f32>>,
    inverse: Arc<dyn ComplexToReal<f32>>,
}

impl Fourier {
    /// Plans the transforms of vectors of `len` values.
    ///
    /// # Errors
    /// If the length is 0.
    pub fn new(len: usize) -> Result<Self> {
        if len == 0 {
            bail!("fourier transform: the vectors have no values, expected at least one");
        }
        extent::axes("fourier transform: a vector", &[len])?;
        let mut planner = RealFftPlanner::new();
        Ok(Self { forward: planner.plan_fft_forward(len), inverse: planner.plan_fft_inverse(len) })
    }

    /// Returns the number of values of a vector.
    #[must_use]
    pub fn len(&self) -> usize {
        self.forward.len()
    }

    /// Returns `false`: there is at least one value.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        false
    }
}

impl fmt::Debug for Fourier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fourier").field("len", &self.len()).finish()
    }
}

/// The sketch of the outer product of all inputs at a spatial position, for every position or as the mean over positions.
///
/// An input is a feature map (B, H, W, C); or, with T sketches, the maps of T time steps (B T, H, W, C), each of which is a
/// separate factor; or a vector (B, C), which counts as a map with the same value everywhere. The output is (B, H, W, d), or
/// the mean over positions (B, d); without any map it is (B, d).
#[derive(Debug, Clone)]
pub struct CompactBilinear {
    pub(crate) fourier: Fourier,
    pub(crate) sketches: Vec<Vec<Sketch>>,
    pub(crate) pooled: bool,
}

impl CompactBilinear {
    /// Creates the operation. `sketches` holds for each input those of its time steps; d is the length of the transforms.
    ///
    /// # Errors
    /// If an input has no sketch, or a sketch has buckets beyond d.
    pub fn new(fourier: Fourier, sketches: Vec<Vec<Sketch>>, pooled: bool) -> Result<Self> {
        if sketches.is_empty() || sketches.iter().any(Vec::is_empty) {
            bail!("compact-bilinear: an input has no sketch, expected one for each of its time steps");
        }
        let size = fourier.len();
        let mut buckets = sketches.iter().flatten().flat_map(|sketch| &sketch.buckets);
        if let Some(bucket) = buckets.find(|bucket| **bucket as usize >= size) {
            bail!("compact-bilinear: a sketch has a bucket {bucket}, expected less than {size}");
        }
        Ok(Self { fourier, sketches, pooled })
    }

    pub(crate) fn geometry(&self, inputs: &[impl Shaped]) -> Result<Geometry> {
        let name = self.name();
        Level::current()?;
        if inputs.len() != self.sketches.len() {
            bail!("{name}: {} inputs, expected {}", inputs.len(), self.sketches.len());
        }
        let mut batch = None;
        let mut size = None;
        for (input, sketches) in inputs.iter().zip(&self.sketches) {
            let (leading, channels) = match *input.dims() {
                [leading, h, w, c] => {
                    if *size.get_or_insert([h, w]) != [h, w] {
                        bail!("{name}: feature maps of {h}x{w} and of {size:?} positions, expected one size");
                    }
                    (leading, c)
                }
                [leading, c] if sketches.len() == 1 => (leading, c),
                ref other => bail!("{name}: an input has shape {other:?}, expected (B, H, W, C) or (B, C)"),
            };
            if !leading.is_multiple_of(sketches.len())
                || *batch.get_or_insert(leading / sketches.len()) * sketches.len() != leading
            {
                bail!(
                    "{name}: an input has {leading} maps with {} time steps per sample, expected {batch:?} samples",
                    sketches.len()
                );
            }
            if let Some(sketch) = sketches.iter().find(|sketch| sketch.buckets.len() != channels) {
                bail!("{name}: an input has {channels} channels, expected {}", sketch.buckets.len());
            }
        }
        let places = size.map_or(1, |[h, w]| h * w);
        if places == 0 {
            bail!("{name}: the feature maps have no positions");
        }
        let batch = batch.unwrap_or(0);
        extent::values("compact-bilinear: an output", &[batch, places, self.fourier.len()])?;
        Ok(Geometry { batch, size, places })
    }

    pub(crate) fn output_dims(&self, geometry: &Geometry) -> Vec<usize> {
        match geometry.size {
            Some([h, w]) if !self.pooled => vec![geometry.batch, h, w, self.fourier.len()],
            _ => vec![geometry.batch, self.fourier.len()],
        }
    }

    /// Computes the sketches of one sample in the forward pass.
    fn sample(&self, sample: &Sample<'_>, out: &mut [f32]) {
        let mut work = Work::new(self, sample);
        let mut sum = work.bins();
        let size = self.fourier.len();
        for place in 0..sample.places {
            work.transform(Some(place));
            let product = if self.pooled && place > 0 { &mut work.product } else { &mut sum };
            product.copy_from_slice(&work.spectra[0]);
            for spectrum in &work.spectra[1..] {
                multiply(product, spectrum, false);
            }
            if !self.pooled {
                work.plan.back(&mut sum, 1.0 / size as f32, &mut out[place * size..][..size]);
            } else if place > 0 {
                add(&mut sum, &work.product);
            }
        }
        if self.pooled {
            work.plan.back(&mut sum, 1.0 / (size * sample.places) as f32, out);
        }
    }

    /// Computes the gradients of one sample's inputs from that of its output.
    fn sample_gradient(&self, sample: &Sample<'_>, gradient: &[f32], out: &mut [Option<&mut [f32]>]) {
        let mut work = Work::new(self, sample);
        let size = self.fourier.len();
        let share = if self.pooled { sample.places } else { 1 };
        let scale = 1.0 / (size * share) as f32;
        let mut spectrum = work.bins();
        // The sums over positions, for inputs that are vectors.
        let mut sums: Vec<_> =
            work.factors.iter().map(|factor| factor.is_vector.then(|| work.bins())).collect();
        for place in 0..sample.places {
            work.transform(Some(place));
            if !self.pooled || place == 0 {
                let row = if self.pooled { 0 } else { place };
                work.plan.real.copy_from_slice(&gradient[row * size..][..size]);
                work.plan.forth(&mut spectrum);
            }
            for (at, sum) in sums.iter_mut().enumerate() {
                let factor = work.factors[at];
                let Some(out) = out[factor.input].as_deref_mut() else { continue };
                work.product.copy_from_slice(&spectrum);
                for (_, other) in work.spectra.iter().enumerate().filter(|(other, _)| *other != at) {
                    multiply(&mut work.product, other, true);
                }
                match sum {
                    Some(sum) => add(sum, &work.product),
                    None => {
                        let from = factor.place(place, sample.places);
                        let channels = factor.sketch.buckets.len();
                        work.plan.gradient(
                            &mut work.product,
                            factor.sketch,
                            scale,
                            &mut out[from..from + channels],
                        );
                    }
                }
            }
        }
        for (factor, sum) in work.factors.iter().zip(&mut sums) {
            if let (Some(sum), Some(out)) = (sum, out[factor.input].as_deref_mut()) {
                work.plan.gradient(sum, factor.sketch, scale, out);
            }
        }
    }
}

impl Op for CompactBilinear {
    fn name(&self) -> &'static str {
        "compact-bilinear"
    }

    fn forward_cpu(&self, inputs: &[Array<'_>]) -> Result<(Vec<f32>, Vec<usize>)> {
        let geometry = self.geometry(inputs)?;
        let dims = self.output_dims(&geometry);
        let mut out = vec![0.0; dims.iter().product()];
        let each = out.len() / geometry.batch.max(1);
        out.par_chunks_mut(each.max(1))
            .enumerate()
            .for_each(|(sample, out)| self.sample(&Sample::new(inputs, &geometry, sample), out));
        Ok((out, dims))
    }

    fn backward_cpu(&self, given: &Backward<'_>) -> Result<Vec<Gradient>> {
        let Backward { inputs, gradient, wanted, .. } = *given;
        let geometry = self.geometry(inputs)?;
        check::backward(self.name(), given, &self.output_dims(&geometry))?;
        let mut found: Vec<Option<Vec<f32>>> = inputs
            .iter()
            .zip(wanted)
            .map(|(input, &wanted)| wanted.then(|| vec![0.0; input.data.len()]))
            .collect();
        // The part of every gradient that belongs to each sample.
        let mut parts: Vec<Vec<Option<&mut [f32]>>> = (0..geometry.batch).map(|_| Vec::new()).collect();
        for found in &mut found {
            match found {
                Some(found) => {
                    let each = found.len() / geometry.batch.max(1);
                    let chunks = found.chunks_mut(each.max(1));
                    parts.iter_mut().zip(chunks).for_each(|(part, chunk)| part.push(Some(chunk)));
                }
                None => parts.iter_mut().for_each(|part| part.push(None)),
            }
        }
        let each = gradient.data.len() / geometry.batch.max(1);
        parts.par_iter_mut().enumerate().for_each(|(sample, out)| {
            let gradient = &gradient.data[sample * each..][..each];
            self.sample_gradient(&Sample::new(inputs, &geometry, sample), gradient, out);
        });
        Ok(found.into_iter().map(|found| found.map_or(Gradient::None, Gradient::Values)).collect())
    }
}

/// Sizes of one application.
pub(crate) struct Geometry {
    pub(crate) batch: usize,
    /// Height and width of the maps, if there are any.
    size: Option<[usize; 2]>,
    pub(crate) places: usize,
}

/// The values of one sample in every input.
struct Sample<'a> {
    inputs: Vec<(&'a [f32], bool)>,
    places: usize,
}

impl<'a> Sample<'a> {
    fn new(inputs: &[Array<'a>], geometry: &Geometry, sample: usize) -> Self {
        let part = |input: &Array<'a>| {
            let each = input.data.len() / geometry.batch;
            (&input.data[sample * each..][..each], input.dims.len() == 2)
        };
        Self { inputs: inputs.iter().map(part).collect(), places: geometry.places }
    }
}

/// One factor of the outer product: a time step of an input.
#[derive(Clone, Copy)]
struct Factor<'a> {
    input: usize,
    time_step: usize,
    is_vector: bool,
    sketch: &'a Sketch,
}

impl Factor<'_> {
    /// Returns the start of its values at a position.
    fn place(&self, place: usize, places: usize) -> usize {
        if self.is_vector { 0 } else { (self.time_step * places + place) * self.sketch.buckets.len() }
    }
}

/// The buffers of one sample's work.
struct Work<'a> {
    sample: &'a Sample<'a>,
    factors: Vec<Factor<'a>>,
    /// Spectra of every factor at the current position.
    spectra: Vec<Vec<Complex32>>,
    product: Vec<Complex32>,
    plan: Plan<'a>,
}

impl<'a> Work<'a> {
    fn new(op: &'a CompactBilinear, sample: &'a Sample<'a>) -> Self {
        let mut factors = Vec::new();
        for (input, sketches) in op.sketches.iter().enumerate() {
            let is_vector = sample.inputs[input].1;
            factors.extend(sketches.iter().enumerate().map(|(time_step, sketch)| Factor {
                input,
                time_step,
                is_vector,
                sketch,
            }));
        }
        let bins = op.fourier.forward.complex_len();
        let zeros = || vec![Complex32::default(); bins];
        let spectra = factors.iter().map(|_| zeros()).collect();
        let mut work = Self { sample, factors, spectra, product: zeros(), plan: Plan::new(&op.fourier) };
        work.transform(None);
        work
    }

    fn bins(&self) -> Vec<Complex32> {
        vec![Complex32::default(); self.product.len()]
    }

    /// Computes the spectra of the maps at a position, or those of the vectors.
    fn transform(&mut self, place: Option<usize>) {
        for (factor, spectrum) in self.factors.iter().zip(&mut self.spectra) {
            if factor.is_vector != place.is_none() {
                continue;
            }
            let from = factor.place(place.unwrap_or(0), self.sample.places);
            let x = &self.sample.inputs[factor.input].0[from..][..factor.sketch.buckets.len()];
            factor.sketch.project(x, &mut self.plan.real);
            self.plan.forth(spectrum);
        }
    }
}

/// The transforms with their buffers.
struct Plan<'a> {
    fourier: &'a Fourier,
    real: Vec<f32>,
    scratch: Vec<Complex32>,
}

impl<'a> Plan<'a> {
    fn new(fourier: &'a Fourier) -> Self {
        let scratch = fourier.forward.get_scratch_len().max(fourier.inverse.get_scratch_len());
        Self { fourier, real: vec![0.0; fourier.len()], scratch: vec![Complex32::default(); scratch] }
    }

    /// Computes the spectrum of `self.real`, which is overwritten.
    fn forth(&mut self, spectrum: &mut [Complex32]) {
        let lengths = self.fourier.forward.process_with_scratch(&mut self.real, spectrum, &mut self.scratch);
        debug_assert!(lengths.is_ok(), "buffers are made for the transform");
    }

    /// Computes the vector of a spectrum in `self.real`; the spectrum is overwritten.
    fn back_here(&mut self, spectrum: &mut [Complex32]) {
        // These are real for real vectors; infinities would make them NaN, which the transform refuses.
        spectrum[0].im = 0.0;
        if self.fourier.len().is_multiple_of(2)
            && let Some(last) = spectrum.last_mut()
        {
            last.im = 0.0;
        }
        let lengths = self.fourier.inverse.process_with_scratch(spectrum, &mut self.real, &mut self.scratch);
        debug_assert!(lengths.is_ok(), "buffers are made for the transform");
    }

    /// Computes the vector of a spectrum times `scale`; the spectrum is overwritten.
    fn back(&mut self, spectrum: &mut [Complex32], scale: f32, out: &mut [f32]) {
        self.back_here(spectrum);
        for (out, value) in out.iter_mut().zip(&self.real) {
            *out = value * scale;
        }
    }

    /// Computes the gradient of a factor from the spectrum of its sketch's gradient, which is overwritten.
    fn gradient(&mut self, spectrum: &mut [Complex32], sketch: &Sketch, scale: f32, out: &mut [f32]) {
        self.back_here(spectrum);
        sketch.gather(&self.real, scale, out);
    }
}

/// Computes `a *= b`, or `a *= conj(b)`.
fn multiply(a: &mut [Complex32], b: &[Complex32], conjugate: bool) {
    let sign = if conjugate { -1.0 } else { 1.0 };
    vectorised(
        #[inline(always)]
        || {
            for (a, b) in a.iter_mut().zip(b) {
                let (re, im) = (b.re, sign * b.im);
                *a = Complex32::new(a.re * re - a.im * im, a.re * im + a.im * re);
            }
        },
    );
}

/// Computes `a += b`.
fn add(a: &mut [Complex32], b: &[Complex32]) {
    vectorised(
        #[inline(always)]
        || {
            for (a, b) in a.iter_mut().zip(b) {
                *a = Complex32::new(a.re + b.re, a.im + b.im);
            }
        },
    );
}
