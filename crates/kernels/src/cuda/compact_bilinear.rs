//! Compact bilinear pooling. A bound on memory determines for how many samples spectra are computed at once.

use std::sync::Arc;

use candle_core::Result;

use super::gpu::Source;
use super::memory::{Address, Offset};
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, Gpu};
use crate::check;
use crate::compact_bilinear::{Geometry, Sketch};
use crate::op::Op;
use crate::{CompactBilinear, Gradient};

/// A value of a spectrum.
type Complex = [f32; 2];

/// Bytes that the spectra of all factors may take at once.
const SPECTRA: usize = 1 << 30;

/// A sketch on the device, by channel and by bucket.
struct DeviceSketch {
    channels: usize,
    buckets: Buffer<i32>,
    signs: Buffer,
    starts: Buffer<i32>,
    members: Buffer<i32>,
}

impl DeviceSketch {
    fn new(gpu: &Gpu, sketch: &Sketch, size: usize) -> Result<Self> {
        let buckets: Vec<i32> = sketch.buckets.iter().map(|&bucket| bucket as i32).collect();
        let mut starts = vec![0i32; size + 1];
        for &bucket in &sketch.buckets {
            starts[bucket as usize + 1] += 1;
        }
        for bucket in 0..size {
            starts[bucket + 1] += starts[bucket];
        }
        // A stable sort, so that the values of a bucket keep the order of their channels.
        let mut members: Vec<i32> = (0..buckets.len() as i32).collect();
        members.sort_by_key(|&channel| buckets[channel as usize]);
        Ok(Self {
            channels: buckets.len(),
            buckets: gpu.upload(&buckets)?,
            signs: gpu.upload(&sketch.signs)?,
            starts: gpu.upload(&starts)?,
            members: gpu.upload(&members)?,
        })
    }
}

/// One factor of the outer product: a time step of an input.
struct Factor {
    input: usize,
    sketch: DeviceSketch,
    /// Number of values of a sample in the input, and of those before this time step.
    sample: usize,
    first: usize,
    /// Number of rows per sample: the positions of a map, or one for a vector.
    places: usize,
}

/// Transforms of rows of one length.
struct Transform<'a> {
    gpu: &'a Gpu,
    size: usize,
    radices: Vec<usize>,
    roots: Arc<Buffer<Complex>>,
}

impl<'a> Transform<'a> {
    fn new(gpu: &'a Gpu, size: usize) -> Result<Self> {
        Ok(Self { gpu, size, radices: radices(size), roots: gpu.roots(size)? })
    }

    fn room(&self, rows: usize) -> Result<Buffer<Complex>> {
        // SAFETY: a pass, or a product of spectra, writes every value before it is read.
        unsafe { self.gpu.unwritten(rows * self.size) }
    }

    /// Transforms rows from `from` to `target`.
    fn run(
        &self,
        rows: usize,
        inverse: bool,
        from: Buffer<Complex>,
        target: &mut impl Address,
    ) -> Result<()> {
        let mut current = from;
        let mut length = 1;
        for (at, &radix) in self.radices.iter().enumerate() {
            let kernel = self.gpu.kernel(Source::Bilinear, "fourier_pass")?.read(&current);
            let last = at + 1 == self.radices.len();
            let mut next = if last { None } else { Some(self.room(rows)?) };
            let kernel = match &mut next {
                Some(next) => kernel.write(next),
                None => kernel.write(target),
            };
            kernel
                .read(&*self.roots)
                .ints([length, radix, usize::from(inverse)])
                .over_rows(rows, self.size)?;
            length *= radix;
            if let Some(next) = next {
                current = next;
            }
        }
        Ok(())
    }
}

/// Returns the radices of the passes of a transform: eights first, at least one pass.
fn radices(size: usize) -> Vec<usize> {
    let (mut rest, mut found) = (size, Vec::new());
    for radix in [8, 4, 2].into_iter().chain((3..).step_by(2)) {
        while rest > 1 && rest.is_multiple_of(radix) {
            found.push(radix);
            rest /= radix;
        }
        if rest == 1 {
            break;
        }
    }
    if found.is_empty() { vec![1] } else { found }
}

/// Everything that both passes need.
struct Work<'a> {
    op: &'a CompactBilinear,
    gpu: &'a Gpu,
    geometry: Geometry,
    transform: Transform<'a>,
    factors: Vec<Factor>,
}

/// Some samples: `count` from `first` on.
#[derive(Clone, Copy)]
struct Samples {
    first: usize,
    count: usize,
}

/// The spectra of all factors of some samples, with the start of each factor and whether it has a spectrum per position.
struct Spectra {
    values: Buffer<Complex>,
    spans: Buffer<i64>,
}

impl<'a> Work<'a> {
    fn new(op: &'a CompactBilinear, gpu: &'a Gpu, inputs: &[DeviceArray<'_>]) -> Result<Self> {
        let geometry = op.geometry(inputs)?;
        let size = op.fourier.len();
        let mut factors = Vec::new();
        for (at, (input, sketches)) in inputs.iter().zip(&op.sketches).enumerate() {
            let sample = input.count() / geometry.batch.max(1);
            let places = if input.dims().len() == 2 { 1 } else { geometry.places };
            for (time_step, sketch) in sketches.iter().enumerate() {
                let first = time_step * places * sketch.buckets.len();
                let sketch = DeviceSketch::new(gpu, sketch, size)?;
                factors.push(Factor { input: at, sketch, sample, first, places });
            }
        }
        Ok(Self { op, gpu, geometry, transform: Transform::new(gpu, size)?, factors })
    }

    fn size(&self) -> usize {
        self.transform.size
    }

    /// Returns the number of rows of spectra per sample.
    fn rows(&self) -> usize {
        self.factors.iter().map(|factor| factor.places).sum()
    }

    /// Returns the number of rows of the output per sample.
    fn out_places(&self) -> usize {
        if self.op.pooled { 1 } else { self.geometry.places }
    }

    fn chunks(&self) -> impl Iterator<Item = Samples> + use<> {
        let batch = self.geometry.batch;
        let each = (SPECTRA / (self.rows() * self.size() * size_of::<Complex>())).clamp(1, batch.max(1));
        (0..batch).step_by(each).map(move |first| Samples { first, count: each.min(batch - first) })
    }

    fn spectra(&self, inputs: &[DeviceArray<'_>], samples: Samples) -> Result<Spectra> {
        let values = self.transform.room(self.rows() * samples.count)?;
        let (mut start, mut spans) = (0, Vec::new());
        for factor in &self.factors {
            let (rows, sketch) = (factor.places * samples.count, &factor.sketch);
            let mut sketched = self.transform.room(rows)?;
            self.gpu
                .kernel(Source::Bilinear, "sketch")?
                .read(&Offset::of::<f32>(&inputs[factor.input], samples.first * factor.sample))
                .read(&sketch.starts)
                .read(&sketch.members)
                .read(&sketch.signs)
                .write(&mut sketched)
                .long(factor.sample)
                .long(factor.first)
                .ints([factor.places, sketch.channels])
                .over_rows(rows, self.size())?;
            let mut target = Offset::of::<Complex>(&values, start * self.size());
            self.transform.run(rows, false, sketched, &mut target)?;
            spans.extend([start as i64, i64::from(factor.places == self.geometry.places)]);
            start += rows;
        }
        Ok(Spectra { values, spans: self.gpu.upload(&spans)? })
    }

    /// Computes the inverse transform of the product of all spectra, or of the gradient's and all but one factor's; with
    /// `out_places` rows per sample.
    fn product(
        &self,
        spectra: &Spectra,
        samples: Samples,
        without: Option<(usize, &Buffer<Complex>)>,
        out_places: usize,
    ) -> Result<Buffer<Complex>> {
        let rows = samples.count * out_places;
        let mut product = self.transform.room(rows)?;
        self.gpu
            .kernel(Source::Bilinear, "spectra_product")?
            .read(&spectra.values)
            .read(&spectra.spans)
            .read(&without.map(|(_, gradient)| gradient))
            .write(&mut product)
            .int(self.factors.len())
            .int(without.map_or(self.factors.len(), |(factor, _)| factor))
            .ints([self.out_places(), self.geometry.places, out_places])
            .over_rows(rows, self.size())?;
        let mut back = self.transform.room(rows)?;
        self.transform.run(rows, true, product, &mut back)?;
        Ok(back)
    }

    /// Returns the inverse of the factor of a transform forth and back, and of the number of positions in a mean.
    fn scale(&self) -> f32 {
        let share = if self.op.pooled { self.geometry.places } else { 1 };
        1.0 / (self.size() * share) as f32
    }
}

impl CudaOp for CompactBilinear {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let work = Work::new(self, gpu, inputs)?;
        let dims = self.output_dims(&work.geometry);
        let each = work.out_places() * work.size();
        // SAFETY: the chunks are all samples, and the kernel writes every value of each.
        let out = unsafe { gpu.unwritten(dims.iter().product()) }?;
        for samples in work.chunks() {
            let spectra = work.spectra(inputs, samples)?;
            let back = work.product(&spectra, samples, None, work.out_places())?;
            gpu.kernel(Source::Bilinear, "to_real")?
                .read(&back)
                .write(&mut Offset::of::<f32>(&out, samples.first * each))
                .float(work.scale())
                .over(samples.count * each)?;
        }
        Ok((out, dims))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let DeviceBackward { inputs, gradient, wanted, .. } = *given;
        let work = Work::new(self, gpu, inputs)?;
        check::backward(self.name(), given, &self.output_dims(&work.geometry))?;
        let found = inputs.iter().zip(wanted).map(|(input, &wanted)| {
            // SAFETY: the factors of an input are all its values, and the kernel writes every one.
            wanted.then(|| unsafe { gpu.unwritten::<f32>(input.count()) }).transpose()
        });
        let found = found.collect::<Result<Vec<Option<Buffer>>>>()?;
        for samples in work.chunks() {
            let spectra = work.spectra(inputs, samples)?;
            let rows = samples.count * work.out_places();
            let mut complex = work.transform.room(rows)?;
            gpu.kernel(Source::Bilinear, "to_complex")?
                .read(&Offset::of::<f32>(&gradient, samples.first * work.out_places() * work.size()))
                .write(&mut complex)
                .over(rows * work.size())?;
            let mut of_output = work.transform.room(rows)?;
            work.transform.run(rows, false, complex, &mut of_output)?;
            for (at, factor) in work.factors.iter().enumerate() {
                let Some(out) = &found[factor.input] else { continue };
                let back = work.product(&spectra, samples, Some((at, &of_output)), factor.places)?;
                gpu.kernel(Source::Bilinear, "sketch_gradient")?
                    .read(&back)
                    .read(&factor.sketch.buckets)
                    .read(&factor.sketch.signs)
                    .write(&mut Offset::of::<f32>(out, samples.first * factor.sample))
                    .float(work.scale())
                    .long(factor.sample)
                    .long(factor.first)
                    .int(factor.places)
                    .ints([samples.count * factor.places, factor.sketch.channels, work.size()])
                    .on_rows(samples.count * factor.places, factor.sketch.channels)?;
            }
        }
        Ok(found.into_iter().map(|found| found.map_or(Gradient::None, Gradient::Values)).collect())
    }
}

impl Gpu {
    /// Returns `exp(-2πi t / size)` for every t, computed once.
    fn roots(&self, size: usize) -> Result<Arc<Buffer<Complex>>> {
        let mut kept = super::lock::lock(&self.roots);
        if let Some(roots) = kept.get(&size) {
            return Ok(Arc::clone(roots));
        }
        let angle = |t: usize| -std::f64::consts::TAU * t as f64 / size as f64;
        let values: Vec<Complex> =
            (0..size).map(|t| [angle(t).cos() as f32, angle(t).sin() as f32]).collect();
        let roots = Arc::new(self.upload(&values)?);
        kept.insert(size, Arc::clone(&roots));
        Ok(roots)
    }
}

#[cfg(test)]
mod tests {
    use super::radices;

    #[test]
    fn radices_multiply_to_the_length() {
        for size in 1..600 {
            let found = radices(size);
            assert_eq!(found.iter().product::<usize>(), size, "{found:?}");
            assert!(!found.is_empty());
        }
        assert_eq!(radices(8192), [8, 8, 8, 8, 2]);
        assert_eq!(radices(90), [2, 3, 3, 5]);
    }
}
