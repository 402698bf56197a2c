//! Launches kernels.

use std::sync::Arc;

use candle_core::cuda_backend::cudarc::driver::{LaunchConfig, PushKernelArg};
use candle_core::{Result, bail};

use super::Gpu;
use super::gpu::{Function, Source};
use super::memory::Address;
use super::signature::Kind;

/// One argument, with the type of the kernel's parameter.
#[derive(Debug, Clone, Copy)]
enum Argument {
    Address(u64),
    Int(i32),
    Long(i64),
    Float(f32),
    Double(f64),
}

impl Argument {
    fn kind(self) -> Kind {
        match self {
            Self::Address(_) => Kind::Address,
            Self::Int(_) => Kind::Int,
            Self::Long(_) => Kind::Long,
            Self::Float(_) => Kind::Float,
            Self::Double(_) => Kind::Double,
        }
    }
}

/// A kernel with the arguments so far, in the order and with the types of its definition.
pub(super) struct Launch<'a> {
    gpu: &'a Gpu,
    name: &'static str,
    function: Arc<Function>,
    arguments: Vec<Argument>,
    fits: bool,
}

/// Threads of a block for elementwise work.
const THREADS: usize = 256;

impl Gpu {
    /// Prepares the launch of a kernel, without arguments yet.
    pub(super) fn kernel(&self, source: Source, name: &'static str) -> Result<Launch<'_>> {
        let function = self.function(source, name)?;
        Ok(Launch { gpu: self, name, function, arguments: Vec::with_capacity(16), fits: true })
    }
}

impl Launch<'_> {
    /// Adds a pointer to values that are read.
    pub(super) fn read(self, values: &impl Address) -> Self {
        self.with(Argument::Address(values.address()))
    }

    /// Adds a pointer to values that are written.
    pub(super) fn write(self, values: &mut impl Address) -> Self {
        self.with(Argument::Address(values.address()))
    }

    /// Adds an `int`.
    pub(super) fn int(mut self, value: usize) -> Self {
        self.fits &= i32::try_from(value).is_ok();
        self.with(Argument::Int(value as i32))
    }

    /// Adds several `int` values.
    pub(super) fn ints<const N: usize>(self, values: [usize; N]) -> Self {
        values.into_iter().fold(self, Self::int)
    }

    /// Adds an `i64`.
    pub(super) fn long(self, value: usize) -> Self {
        self.with(Argument::Long(value as i64))
    }

    /// Adds a `float`.
    pub(super) fn float(self, value: f32) -> Self {
        self.with(Argument::Float(value))
    }

    /// Adds a `double`.
    pub(super) fn double(self, value: f64) -> Self {
        self.with(Argument::Double(value))
    }

    fn with(mut self, argument: Argument) -> Self {
        self.arguments.push(argument);
        self
    }

    /// Launches one thread per value; the count is the kernel's last argument, an `i64`.
    pub(super) fn over(self, count: usize) -> Result<()> {
        self.long(count).start([count.div_ceil(THREADS), 1, 1], [THREADS, 1])
    }

    /// Launches one thread per value of a matrix; rows and columns are the kernel's last arguments.
    pub(super) fn over_rows(self, rows: usize, columns: usize) -> Result<()> {
        self.ints([rows, columns]).on_rows(rows, columns)
    }

    /// Launches one thread per value of a matrix whose sizes are already among the arguments.
    pub(super) fn on_rows(self, rows: usize, columns: usize) -> Result<()> {
        let across = columns.next_power_of_two().clamp(1, THREADS);
        let down = THREADS / across;
        self.start([rows.div_ceil(down), columns.div_ceil(across), 1], [across, down])
    }

    /// Launches one thread per pixel of `planes` planes; width and height are the kernel's last arguments.
    pub(super) fn over_planes(self, planes: usize, (width, height): (usize, usize)) -> Result<()> {
        const ACROSS: usize = 32;
        const DOWN: usize = THREADS / ACROSS;
        let blocks = [width.div_ceil(ACROSS), height.div_ceil(DOWN), planes];
        self.ints([width, height]).start(blocks, [ACROSS, DOWN])
    }

    /// Launches one block of `ROW_THREADS` threads per row.
    pub(super) fn block_each(self, rows: usize) -> Result<()> {
        self.start([rows, 1, 1], [THREADS, 1])
    }

    /// Launches a grid of blocks with the given threads along x and y.
    pub(super) fn start(self, blocks: [usize; 3], threads: [usize; 2]) -> Result<()> {
        let [x, y, z] = blocks;
        if x == 0 || y == 0 || z == 0 {
            return Ok(());
        }
        if !self.fits || x > i32::MAX as usize || y > 65_535 || z > 65_535 {
            bail!(
                "{}: an array is too large for one call ({blocks:?} blocks); use a smaller batch",
                self.name
            );
        }
        if !self.arguments.iter().map(|argument| argument.kind()).eq(self.function.kinds.iter().copied()) {
            bail!("{}: arguments {:?}, expected {:?}", self.name, self.arguments, self.function.kinds);
        }
        let config = LaunchConfig {
            grid_dim: (x as u32, y as u32, z as u32),
            block_dim: (threads[0] as u32, threads[1] as u32, 1),
            shared_mem_bytes: 0,
        };
        let mut launch = self.gpu.stream().launch_builder(&self.function.function);
        for argument in &self.arguments {
            match argument {
                Argument::Address(value) => launch.arg(value),
                Argument::Int(value) => launch.arg(value),
                Argument::Long(value) => launch.arg(value),
                Argument::Float(value) => launch.arg(value),
                Argument::Double(value) => launch.arg(value),
            };
        }
        // SAFETY: the arguments have the types of the kernel's definition, as was just checked. The callers, in this
        // module's neighbours, give arrays as large as the sizes that go with them, since the shapes were checked; and
        // every kernel returns where its place lies outside those sizes.
        let started = unsafe { launch.launch(config) };
        match started {
            Ok(_) => Ok(()),
            Err(error) => bail!("{}: the kernel could not be started: {error}", self.name),
        }
    }
}
