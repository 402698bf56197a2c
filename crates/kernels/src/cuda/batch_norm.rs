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

    /// Parts of column sums, with room for two sums of every column in each.
    fn parts(self, gpu: &Gpu) -> Result<(usize, Buffer<f64>)> {
        let parts = parts(self.rows);
        // SAFETY: the kernels that sum up parts write every value.
        Ok((parts, unsafe { gpu.unwritten(2 * parts * self.channels) }?))
    }
}

/// The output of both.
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

/// What a backward pass knows.
struct Passes<'a> {
    gpu: &'a Gpu,
    sizes: Sizes,
    x: DeviceArray<'a>,
    output: DeviceArray<'a>,
    gradient: DeviceArray<'a>,
    scale: DeviceArray<'a>,
    statistics: &'a Buffer<f64>,
    affine: &'a Buffer,
    epsilon: f64,
    relu: bool,
    has_residual: bool,
    /// The ranks that the statistics are of, and their rows.
    over: Option<(&'a dyn SumOverRanks, usize)>,
}

/// Gradients of scale and shift, what leads through the statistics, and the gradient before the rectification.
struct FirstPass {
    scale: Buffer,
    shift: Buffer,
    through: Buffer,
    masked: Option<Buffer>,
}

impl Passes<'_> {
    /// How the kernels judge a rectification: not at all, by the input, by the output.
    fn mask(&self) -> usize {
        match (self.relu, self.has_residual) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2,
        }
    }

    /// The sums; with `masked`, the gradient before the rectification too.
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
            .read(&self.gradient)
            .read(&self.x)
            .read(&self.output)
            .read(self.affine)
            .write(&mut masked)
            .write(&mut partial)
            .int(self.mask())
            .ints([rows, channels])
            .start(part_blocks(parts, channels), PART_THREADS)?;
        self.parameter_gradients(&partial, parts, rows, [&mut scale, &mut shift, &mut through])?;
        if let Some((ranks, rows)) = self.over {
            let sums = self.summed(ranks, &partial, parts)?;
            // The gradients of scale and shift stay this rank's; these are not looked at.
            // SAFETY: the kernel writes every value of both.
            let (mut of_all, mut more) =
                unsafe { (self.gpu.unwritten(channels)?, self.gpu.unwritten(channels)?) };
            self.parameter_gradients(&sums, 1, rows, [&mut of_all, &mut more, &mut through])?;
        }
        Ok(FirstPass { scale, shift, through, masked })
    }

    /// Gradients of scale and shift and what leads through the statistics of `rows` rows, from `count` parts of sums.
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
            .read(&self.scale)
            .double(self.epsilon)
            .write(scale)
            .write(shift)
            .write(through)
            .ints([rows, channels])
            .start(part_blocks(1, channels), PART_THREADS)
    }

    /// The sums of all parts of all ranks, as one part. They go by way of the processor: they are few.
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

    /// The gradient of the input.
    fn second_pass(&self, through: Option<&Buffer>, masked: Option<&Buffer>) -> Result<Buffer> {
        // SAFETY: the kernel writes every value.
        let mut out = unsafe { self.gpu.unwritten(self.sizes.count()) }?;
        let kernel = self.gpu.kernel(Source::BatchNorm, "input_gradient")?;
        // The masked gradient, where the first pass wrote it, saves judging it again.
        let (kernel, mask) = match masked {
            Some(masked) => (kernel.read(masked), 0),
            None => (kernel.read(&self.gradient), self.mask()),
        };
        kernel
            .read(&self.x)
            .read(&self.output)
            .read(self.affine)
            .read(&through)
            .write(&mut out)
            .int(mask)
            .over_rows(self.sizes.rows, self.sizes.channels)?;
        Ok(out)
    }
}

fn wants(wanted: &[bool], at: usize) -> bool {
    wanted.get(at).copied().unwrap_or(false)
}

/// A gradient that is wanted.
fn chosen(values: Option<Buffer>, wanted: bool) -> Gradient<Buffer> {
    values.filter(|_| wanted).map_or(Gradient::None, Gradient::Values)
}

/// The gradient of a residual.
fn of_residual(relu: bool, masked: Option<Buffer>, wanted: bool) -> Gradient<Buffer> {
    match (wanted, relu) {
        (false, _) => Gradient::None,
        (true, false) => Gradient::OfOutput,
        (true, true) => chosen(masked, true),
    }
}

impl BatchNorm {
    /// The statistics of all ranks' rows in place of this one's; their number.
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
        let DeviceBackward { inputs, output, gradient, wanted } = *given;
        let ([x, scale, shift], residual) = split(self.name(), inputs)?;
        let [rows, channels] = self.check(&x, &scale, &shift)?;
        check::backward(self.name(), given, x.dims())?;
        let kept = lock(&self.on_device);
        let Some(DeviceStatistics { statistics, affine, rows: all, .. }) = kept.as_ref() else {
            bail!("{}: the forward pass has not run", self.name());
        };
        let has_residual = residual.is_some();
        let (epsilon, relu, sizes) = (self.epsilon, self.relu, Sizes { rows, channels });
        let back = Passes {
            gpu,
            sizes,
            x,
            output,
            gradient,
            scale,
            statistics,
            affine,
            epsilon,
            relu,
            has_residual,
            over: self.ranks.as_ref().map(|ranks| (&**ranks as _, *all)),
        };
        let first = back.first_pass(relu && wants(wanted, 3))?;
        let input = match wants(wanted, 0) {
            true => Some(back.second_pass(Some(&first.through), first.masked.as_ref())?),
            false => None,
        };
        let mut found = vec![
            chosen(input, true),
            chosen(Some(first.scale), wants(wanted, 1)),
            chosen(Some(first.shift), wants(wanted, 2)),
        ];
        if has_residual {
            found.push(of_residual(relu, first.masked, wants(wanted, 3)));
        }
        Ok(found)
    }
}

impl FrozenBatchNorm {
    /// Statistics and what the passes need of them.
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
        let DeviceBackward { inputs, output, gradient, wanted } = *given;
        let ([x, scale, shift, mean, variance], residual) = split(self.name(), inputs)?;
        let [rows, channels] = self.check(&[x, scale, shift, mean, variance])?;
        check::backward(self.name(), given, x.dims())?;
        let (statistics, affine) = self.fixed(gpu, [&scale, &shift, &mean, &variance])?;
        let (statistics, affine, has_residual) = (&statistics, &affine, residual.is_some());
        let (epsilon, relu, sizes) = (self.epsilon, self.relu, Sizes { rows, channels });
        let back = Passes {
            gpu,
            sizes,
            x,
            output,
            gradient,
            scale,
            statistics,
            affine,
            epsilon,
            relu,
            has_residual,
            over: None,
        };
        let masks = relu && wants(wanted, 5);
        let first = match wants(wanted, 1) || wants(wanted, 2) || masks {
            true => Some(back.first_pass(masks)?),
            false => None,
        };
        let input = match wants(wanted, 0) {
            true => Some(back.second_pass(None, first.as_ref().and_then(|first| first.masked.as_ref()))?),
            false => None,
        };
        let (scale, shift, masked) =
            first.map_or((None, None, None), |first| (Some(first.scale), Some(first.shift), first.masked));
        let mut found = vec![
            chosen(input, true),
            chosen(scale, wants(wanted, 1)),
            chosen(shift, wants(wanted, 2)),
            Gradient::None,
            Gradient::None,
        ];
        if has_residual {
            found.push(of_residual(relu, masked, wants(wanted, 5)));
        }
        Ok(found)
    }
}
