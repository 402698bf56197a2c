//! Batch normalisation with the statistics of the batch, or with fixed ones.

use candle_core::{Result, bail};

use super::engine::tensor;
use super::gpu::Source;
use super::lock::lock;
use super::rows::{PART_THREADS, part_blocks, parts};
use super::{Buffer, CudaOp, DeviceArray, DeviceBackward, DeviceStatistics, Gpu};
use crate::batch_norm::{enough, pool, split};
use crate::check;
use crate::op::Op;
use crate::ranks::SumOverRanks;
use crate::{BatchNorm, FrozenBatchNorm, Gradient};

/// The sizes of a pass.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    rows: usize,
    channels: usize,
}

impl Sizes {
    fn count(self) -> usize {
        self.rows * self.channels
    }

    /// Returns the number of parts of column sums, and a buffer for two sums of every column in each part.
    fn parts(self, gpu: &Gpu) -> Result<(usize, Buffer<f64>)> {
        let parts = parts(self.rows);
        // SAFETY: the kernels that sum up parts write every value.
        Ok((parts, unsafe { gpu.unwritten(2 * parts * self.channels) }?))
    }
}

/// Computes the output of both operations.
fn normalised(
    gpu: &Gpu,
    sizes: Sizes,
    x: &DeviceArray<'_>,
    affine: &Buffer,
    residual: Option<&DeviceArray<'_>>,
    relu: bool,
) -> Result<Buffer> {
    // SAFETY: the kernel writes every value.
    let mut out = unsafe { gpu.unwritten(sizes.count()) }?;
    gpu.kernel(Source::BatchNorm, "normalise")?
        .read(x)
        .read(affine)
        .read(&residual)
        .write(&mut out)
        .int(usize::from(relu))
        .over_rows(sizes.rows, sizes.channels)?;
    Ok(out)
}

/// The two sweeps of a backward pass.
struct Passes<'a> {
    gpu: &'a Gpu,
    given: &'a DeviceBackward<'a>,
    sizes: Sizes,
    statistics: &'a Buffer<f64>,
    affine: &'a Buffer,
    epsilon: f64,
    relu: bool,
    /// True if the statistics come from the batch and depend on it; false if they are separate inputs.
    of_batch: bool,
    /// The ranks that share the statistics, and their number of rows.
    over: Option<(&'a dyn SumOverRanks, usize)>,
}

/// Gradients of scale and shift, the terms through the statistics, and the gradient before the rectification.
struct FirstPass {
    scale: Buffer,
    shift: Buffer,
    through: Buffer,
    masked: Option<Buffer>,
}

impl Passes<'_> {
    /// Returns the index of the residual, if there is one: the last input.
    fn residual(&self) -> usize {
        if self.of_batch { 3 } else { 5 }
    }

    fn has_residual(&self) -> bool {
        self.given.inputs.len() > self.residual()
    }

    /// Returns how the kernels determine the mask of a rectification: not at all, from the input, or from the output.
    fn mask(&self) -> usize {
        match (self.relu, self.has_residual()) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        }
    }

    /// Computes the requested gradients.
    fn gradients(&self) -> Result<Vec<Gradient<Buffer>>> {
        let wants = |input| self.given.wants(input);
        let masks = self.relu && wants(self.residual());
        let first = match self.of_batch || wants(1) || wants(2) || masks {
            true => Some(self.first_pass(masks)?),
            false => None,
        };
        let through = first.as_ref().filter(|_| self.of_batch).map(|first| &first.through);
        let masked = first.as_ref().and_then(|first| first.masked.as_ref());
        let input = wants(0).then(|| self.second_pass(through, masked)).transpose()?;
        let (scale, shift, masked) =
            first.map_or((None, None, None), |first| (Some(first.scale), Some(first.shift), first.masked));
        let mut found = vec![chosen(input, true), chosen(scale, wants(1)), chosen(shift, wants(2))];
        found.resize_with(self.residual(), || Gradient::None);
        if self.has_residual() {
            found.push(match (wants(self.residual()), self.relu) {
                (true, false) => Gradient::OfOutput,
                (wanted, _) => chosen(masked, wanted),
            });
        }
        Ok(found)
    }

    /// Computes the sums and, if `masked`, the gradient before the rectification.
    fn first_pass(&self, masked: bool) -> Result<FirstPass> {
        let Sizes { rows, channels } = self.sizes;
        let (parts, mut partial) = self.sizes.parts(self.gpu)?;
        // SAFETY: the kernels write every value of all of these.
        let (mut masked, mut scale, mut shift, mut through) = unsafe {
            let masked = masked.then(|| self.gpu.unwritten(self.sizes.count())).transpose()?;
            let channel = || self.gpu.unwritten(channels);
            (masked, channel()?, channel()?, self.gpu.unwritten(2 * channels)?)
        };
        self.gpu
            .kernel(Source::BatchNorm, "gradient_sums")?
            .read(&self.given.gradient)
            .read(&self.given.inputs[0])
            .read(&self.given.output)
            .read(self.affine)
            .write(&mut masked)
            .write(&mut partial)
            .int(self.mask())
            .ints([rows, channels])
            .start(part_blocks(parts, channels), PART_THREADS)?;
        self.parameter_gradients(&partial, parts, rows, [&mut scale, &mut shift, &mut through])?;
        if let Some((ranks, rows)) = self.over {
            let sums = self.summed(ranks, &partial, parts)?;
            // The gradients of scale and shift stay this rank's; those of all ranks are not used.
            // SAFETY: the kernel writes every value of both.
            let (mut of_all, mut more) =
                unsafe { (self.gpu.unwritten(channels)?, self.gpu.unwritten(channels)?) };
            self.parameter_gradients(&sums, 1, rows, [&mut of_all, &mut more, &mut through])?;
        }
        Ok(FirstPass { scale, shift, through, masked })
    }

    /// Computes the gradients of scale and shift and the terms through the statistics of `rows` rows, from `count` parts of
    /// sums.
    fn parameter_gradients(
        &self,
        partial: &Buffer<f64>,
        count: usize,
        rows: usize,
        [scale, shift, through]: [&mut Buffer; 3],
    ) -> Result<()> {
        let channels = self.sizes.channels;
        self.gpu
            .kernel(Source::BatchNorm, "parameter_gradients")?
            .read(partial)
            .int(count)
            .read(self.statistics)
            .read(&self.given.inputs[1])
            .double(self.epsilon)
            .write(scale)
            .write(shift)
            .write(through)
            .ints([rows, channels])
            .start(part_blocks(1, channels), PART_THREADS)
    }

    /// Computes the sums of all parts of all ranks, as one part. They go through the CPU, since they are few.
    fn summed(&self, ranks: &dyn SumOverRanks, partial: &Buffer<f64>, parts: usize) -> Result<Buffer<f64>> {
        let channels = self.sizes.channels;
        // SAFETY: the kernel writes every value.
        let mut sums = unsafe { self.gpu.unwritten::<f64>(2 * channels) }?;
        self.gpu
            .kernel(Source::BatchNorm, "add_up_parts")?
            .read(partial)
            .int(parts)
            .write(&mut sums)
            .int(channels)
            .start(part_blocks(1, channels), PART_THREADS)?;
        let mut values = sums.read_part(self.gpu, 0..2 * channels)?;
        ranks.sum(&mut values)?;
        self.gpu.upload(&values)
    }

    /// Computes the gradient of the input.
    fn second_pass(&self, through: Option<&Buffer>, masked: Option<&Buffer>) -> Result<Buffer> {
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { self.gpu.unwritten(self.sizes.count()) }?;
        let kernel = self.gpu.kernel(Source::BatchNorm, "input_gradient")?;
        // If the first pass wrote the masked gradient, the mask need not be determined again.
        let (kernel, mask) = match masked {
            Some(masked) => (kernel.read(masked), 0),
            None => (kernel.read(&self.given.gradient), self.mask()),
        };
        kernel
            .read(&self.given.inputs[0])
            .read(&self.given.output)
            .read(self.affine)
            .read(&through)
            .write(&mut out)
            .int(mask)
            .over_rows(self.sizes.rows, self.sizes.channels)?;
        Ok(out)
    }
}

/// Returns a gradient if it is requested.
fn chosen(values: Option<Buffer>, wanted: bool) -> Gradient<Buffer> {
    values.filter(|_| wanted).map_or(Gradient::None, Gradient::Values)
}

impl BatchNorm {
    /// Replaces the statistics of this rank's rows by those of all ranks' rows; returns their number.
    fn pooled(
        &self,
        gpu: &Gpu,
        ranks: &dyn SumOverRanks,
        sizes: Sizes,
        [scale, shift]: [&DeviceArray<'_>; 2],
        (statistics, affine, observed): (&mut Buffer<f64>, &mut Buffer, &mut Buffer),
    ) -> Result<usize> {
        let Sizes { mut rows, channels } = sizes;
        let mut values = statistics.read_part(gpu, 0..2 * channels)?;
        let (mean, variance) = values.split_at_mut(channels);
        pool(ranks, mean, variance, &mut rows)?;
        enough(self.name(), rows)?;
        *statistics = gpu.upload(&values)?;
        gpu.kernel(Source::BatchNorm, "given_statistics")?
            .read(&*statistics)
            .read(scale)
            .read(shift)
            .double(self.epsilon)
            .write(affine)
            .write(observed)
            .double(rows as f64)
            .int(channels)
            .start([channels.div_ceil(256), 1, 1], [256, 1])?;
        Ok(rows)
    }
}

impl CudaOp for BatchNorm {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let ([x, scale, shift], residual) = split(self.name(), inputs)?;
        let [rows, channels] = self.check(&x, &scale, &shift)?;
        let sizes = Sizes { rows, channels };
        let (parts, mut partial) = sizes.parts(gpu)?;
        gpu.kernel(Source::BatchNorm, "deviations")?
            .read(&x)
            .write(&mut partial)
            .ints([rows, channels])
            .start(part_blocks(parts, channels), PART_THREADS)?;
        // SAFETY: the kernel writes every value of all of these.
        let (mut statistics, mut affine, mut observed) = unsafe {
            (gpu.unwritten(2 * channels)?, gpu.unwritten(3 * channels)?, gpu.unwritten(2 * channels)?)
        };
        gpu.kernel(Source::BatchNorm, "batch_statistics")?
            .read(&x)
            .read(&partial)
            .int(parts)
            .read(&scale)
            .read(&shift)
            .double(self.epsilon)
            .write(&mut statistics)
            .write(&mut affine)
            .write(&mut observed)
            .ints([rows, channels])
            .start(part_blocks(1, channels), PART_THREADS)?;
        let rows = match &self.ranks {
            None => rows,
            Some(ranks) => {
                let found = (&mut statistics, &mut affine, &mut observed);
                self.pooled(gpu, &**ranks, sizes, [&scale, &shift], found)?
            }
        };
        let out = normalised(gpu, sizes, &x, &affine, residual.as_ref(), self.relu)?;
        let observed = tensor(gpu, observed, vec![2, channels])?;
        let observed = Some([observed.get(0)?, observed.get(1)?]);
        *lock(&self.on_device) = Some(DeviceStatistics { statistics, affine, rows, observed });
        Ok((out, x.dims().to_vec()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let ([x, scale, shift], _) = split(self.name(), given.inputs)?;
        let [rows, channels] = self.check(&x, &scale, &shift)?;
        check::backward(self.name(), given, x.dims())?;
        let kept = lock(&self.on_device);
        let Some(DeviceStatistics { statistics, affine, rows: all, .. }) = kept.as_ref() else {
            bail!("{}: the forward pass has not run", self.name());
        };
        let (epsilon, relu, sizes) = (self.epsilon, self.relu, Sizes { rows, channels });
        let over = self.ranks.as_ref().map(|ranks| (&**ranks as _, *all));
        Passes { gpu, given, sizes, statistics, affine, epsilon, relu, of_batch: true, over }.gradients()
    }
}

impl FrozenBatchNorm {
    /// Computes the statistics and the coefficients that the passes need.
    fn fixed(
        &self,
        gpu: &Gpu,
        [scale, shift, mean, variance]: [&DeviceArray<'_>; 4],
    ) -> Result<(Buffer<f64>, Buffer)> {
        let channels = scale.count();
        // SAFETY: the kernel writes every value of both.
        let (mut statistics, mut affine) =
            unsafe { (gpu.unwritten(2 * channels)?, gpu.unwritten(3 * channels)?) };
        gpu.kernel(Source::BatchNorm, "fixed_statistics")?
            .read(mean)
            .read(variance)
            .read(scale)
            .read(shift)
            .double(self.epsilon)
            .write(&mut statistics)
            .write(&mut affine)
            .int(channels)
            .start([channels.div_ceil(256), 1, 1], [256, 1])?;
        Ok((statistics, affine))
    }
}

impl CudaOp for FrozenBatchNorm {
    fn forward_cuda(&self, gpu: &Gpu, inputs: &[DeviceArray<'_>]) -> Result<(Buffer, Vec<usize>)> {
        let ([x, scale, shift, mean, variance], residual) = split(self.name(), inputs)?;
        let [rows, channels] = self.check(&[x, scale, shift, mean, variance])?;
        let (_, affine) = self.fixed(gpu, [&scale, &shift, &mean, &variance])?;
        let out = normalised(gpu, Sizes { rows, channels }, &x, &affine, residual.as_ref(), self.relu)?;
        Ok((out, x.dims().to_vec()))
    }

    fn backward_cuda(&self, gpu: &Gpu, given: &DeviceBackward<'_>) -> Result<Vec<Gradient<Buffer>>> {
        let ([x, scale, shift, mean, variance], _) = split(self.name(), given.inputs)?;
        let [rows, channels] = self.check(&[x, scale, shift, mean, variance])?;
        check::backward(self.name(), given, x.dims())?;
        let (statistics, affine) = &self.fixed(gpu, [&scale, &shift, &mean, &variance])?;
        let (epsilon, relu, sizes) = (self.epsilon, self.relu, Sizes { rows, channels });
        Passes { gpu, given, sizes, statistics, affine, epsilon, relu, of_batch: false, over: None }
            .gradients()
    }
}
