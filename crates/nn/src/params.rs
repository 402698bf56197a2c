//! The parameters and buffers of a network: named, seeded, in name order.
//!
//! A parameter trains. A buffer (the running statistics of batch normalisation) is
//! stored and loaded with the parameters, but has no gradient, is not the optimiser's,
//! and does not count as a parameter.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::VarBuilder;

use crate::tensors::{self, Tensors};
use crate::{Error, Init, Result};

/// What the names and shapes in a file of weights may take, in bytes.
const NAMES: u64 = 64 << 20;

/// The most values of a parameter: 256 GiB.
const MOST_VALUES: usize = 1 << 36;

/// How the optimiser treats one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Training {
    /// Multiple of the learning rate.
    pub rate: f64,
    /// Multiple of the weight decay.
    pub weight_decay: f64,
    /// A frozen parameter records no gradient and never changes.
    pub frozen: bool,
}

impl Default for Training {
    /// Everything trains alike.
    fn default() -> Self {
        Self { rate: 1.0, weight_decay: 1.0, frozen: false }
    }
}

/// One named parameter. Layers hold it and ask for its tensor on every pass.
#[derive(Debug)]
pub struct Param {
    name: String,
    var: Var,
    training: Mutex<Training>,
}

impl Param {
    /// The full name, such as `conv1.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The variable, as the key of its gradient.
    pub fn var(&self) -> &Var {
        &self.var
    }

    /// How the optimiser treats it.
    pub fn training(&self) -> Training {
        *lock(&self.training)
    }
}

/// One named buffer.
#[derive(Debug)]
pub struct Buffer {
    name: String,
    var: Var,
}

impl Buffer {
    /// The full name, such as `bn1.running_mean`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The present values; they share memory with the buffer.
    pub fn tensor(&self) -> Tensor {
        self.var.as_detached_tensor()
    }

    /// `values = (1 - share) * values + share * observed`.
    pub(crate) fn average_in(&self, observed: &Tensor, share: f64) -> Result<()> {
        Ok(kernels::running_average(self.var.as_tensor(), observed, share)?)
    }
}

/// What a name stands for.
#[derive(Debug, Clone)]
enum Entry {
    Param(Arc<Param>),
    Buffer(Arc<Buffer>),
}

impl Entry {
    fn var(&self) -> &Var {
        match self {
            Self::Param(param) => &param.var,
            Self::Buffer(buffer) => &buffer.var,
        }
    }
}

/// The parameters and buffers of one network, shared between its layers and the optimiser.
#[derive(Debug, Clone)]
pub struct Params {
    device: Device,
    by_name: Arc<Mutex<BTreeMap<String, Entry>>>,
}

impl Params {
    /// No parameters yet; those made later live on `device`.
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone(), by_name: Arc::default() }
    }

    /// Where the parameters live.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// What layers make their parameters with. Initial values depend on the seed and
    /// the parameter's name only.
    pub fn builder(&self, seed: u64) -> Builder<'static> {
        Builder { params: self.clone(), prefix: String::new(), seed, store: None }
    }

    /// What layers make their parameters with where those are a `candle_nn` program's: every parameter is what `store` has
    /// under its name. Variables, as those of a `VarMap`, are shared; tensors of a file become variables. What a
    /// `VarMap` lacks it is given, drawn as by [`Params::builder`], under its name there.
    pub fn builder_from<'a>(&self, store: VarBuilder<'a>, seed: u64) -> Builder<'a> {
        Builder { params: self.clone(), prefix: String::new(), seed, store: Some(store) }
    }

    /// The parameters that `vars` are, without names of their own.
    pub(crate) fn of_vars(vars: Vec<Var>) -> Self {
        let device = vars.first().map_or(Device::Cpu, |var| var.device().clone());
        let params = Self::new(&device);
        for (at, var) in vars.into_iter().enumerate() {
            // Names in the order of the list.
            params.insert_param(format!("{at:08}"), var);
        }
        params
    }

    /// The variable of that name, a parameter's or a buffer's.
    pub(crate) fn var(&self, name: &str) -> Option<Var> {
        lock(&self.by_name).get(name).map(|entry| entry.var().clone())
    }

    pub(crate) fn insert_param(&self, name: String, var: Var) -> Arc<Param> {
        let param = Arc::new(Param { name: name.clone(), var, training: Mutex::default() });
        lock(&self.by_name).insert(name, Entry::Param(Arc::clone(&param)));
        param
    }

    pub(crate) fn insert_buffer(&self, name: String, var: Var) -> Arc<Buffer> {
        let buffer = Arc::new(Buffer { name: name.clone(), var });
        lock(&self.by_name).insert(name, Entry::Buffer(Arc::clone(&buffer)));
        buffer
    }

    /// All parameters in name order.
    pub fn all(&self) -> Vec<Arc<Param>> {
        let param = |entry: &Entry| match entry {
            Entry::Param(param) => Some(Arc::clone(param)),
            Entry::Buffer(_) => None,
        };
        lock(&self.by_name).values().filter_map(param).collect()
    }

    /// The parameter of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Param>> {
        match lock(&self.by_name).get(name) {
            Some(Entry::Param(param)) => Some(Arc::clone(param)),
            Some(Entry::Buffer(_)) | None => None,
        }
    }

    /// Number of values in all parameters.
    pub fn count(&self) -> usize {
        let params = self.all();
        params.iter().map(|param| param.var.elem_count()).sum()
    }

    /// Bytes of all parameters and buffers.
    pub fn bytes(&self) -> u64 {
        let entries = lock(&self.by_name);
        let bytes = |entry: &Entry| entry.var().elem_count() as u64 * size_of::<f32>() as u64;
        entries.values().map(bytes).sum()
    }

    /// Sets how parameters are trained; `set` sees each name and its present treatment.
    pub fn configure(&self, mut set: impl FnMut(&str, &mut Training)) {
        for param in self.all() {
            set(&param.name, &mut lock(&param.training));
        }
    }

    /// The present values of parameters and buffers by name. They share memory with the
    /// network: later training steps change them too.
    pub fn tensors(&self) -> Tensors {
        let entries = lock(&self.by_name);
        entries.iter().map(|(name, entry)| (name.clone(), entry.var().as_detached_tensor())).collect()
    }

    /// Copies in values for every parameter and buffer.
    ///
    /// # Errors
    /// If a tensor is missing, surplus, or of another shape or type; then nothing changes.
    pub fn set_tensors(&self, stored: &Tensors) -> Result<()> {
        tensors::check_same_layout(&self.tensors(), stored)?;
        self.copy_in(stored)
    }

    /// Copies in what is stored for the parameters and buffers of the same names; their
    /// layout has been checked.
    pub(crate) fn copy_in(&self, stored: &Tensors) -> Result<()> {
        // Copies, because `stored` may share memory with the parameters themselves; all of
        // them first, so that a device that is full changes nothing.
        let mut copies = Vec::new();
        let entries = lock(&self.by_name);
        for (name, entry) in entries.iter() {
            if let Some(stored) = stored.get(name) {
                copies.push((entry, stored.to_device(&self.device)?.copy()?));
            }
        }
        for (entry, copy) in copies {
            entry.var().set(&copy)?;
        }
        Ok(())
    }

    /// Reads all parameters and buffers from a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be read, or as [`Params::set_tensors`].
    pub fn load(&self, path: &Path) -> Result<()> {
        let most = self.bytes().saturating_add(NAMES);
        self.set_tensors(&tensors::read_at_most(path, most, &self.device)?)
    }
}

/// Makes parameters and buffers under a prefix.
#[derive(Clone)]
pub struct Builder<'a> {
    params: Params,
    prefix: String,
    seed: u64,
    /// Where the variables are, unless they are drawn.
    store: Option<VarBuilder<'a>>,
}

impl fmt::Debug for Builder<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { params, prefix, seed, store } = self;
        let store = store.as_ref().map(VarBuilder::prefix);
        let mut out = f.debug_struct("Builder");
        out.field("params", params)
            .field("prefix", prefix)
            .field("seed", seed)
            .field("store", &store)
            .finish()
    }
}

impl Builder<'_> {
    /// The builder one level down: `builder.pp("conv1")` makes `conv1.weight`.
    #[must_use]
    pub fn pp(&self, name: &str) -> Self {
        Self { prefix: self.full_name(name), ..self.clone() }
    }

    /// The prefix so far, which also names layers without parameters.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Makes a parameter.
    ///
    /// # Errors
    /// If the name is taken, the device refuses the tensor, or the store has none of that name and shape.
    pub fn param(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Arc<Param>> {
        let (name, var) = self.var(name, shape.into(), init)?;
        Ok(self.params.insert_param(name, var))
    }

    /// Makes a buffer.
    ///
    /// # Errors
    /// If the name is taken, the device refuses the tensor, or the store has none of that name and shape.
    pub fn buffer(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Arc<Buffer>> {
        let (name, var) = self.var(name, shape.into(), init)?;
        Ok(self.params.insert_buffer(name, var))
    }

    /// The full name, if it is free, and the variable with its first values.
    fn var(&self, name: &str, shape: Shape, init: Init) -> Result<(String, Var)> {
        let name = self.full_name(name);
        if self.params.var(&name).is_some() {
            return Err(Error::DuplicateParameter { name });
        }
        count(&name, &shape)?;
        let draw = |name: &str| init.draw(self.seed, name, &shape, &self.params.device);
        let var = match &self.store {
            None => Var::from_tensor(&draw(&name)?)?,
            Some(store) => {
                let is_new = !store.contains_tensor(&name);
                let hint = candle_nn::Init::Const(0.0);
                let stored = store.get_with_hints_dtype(shape.clone(), &name, hint, DType::F32)?;
                let var = Var::from_tensor(&stored)?;
                if is_new {
                    // Two layers of one seed differ by the place that the program gives them.
                    var.set(&draw(&joined(&store.prefix(), &name))?)?;
                }
                var
            }
        };
        Ok((name, var))
    }

    fn full_name(&self, name: &str) -> String {
        joined(&self.prefix, name)
    }
}

/// The number of values of a parameter of that name and shape.
///
/// # Errors
/// [`Error::Setting`] for more than any machine holds.
pub(crate) fn count(name: &str, shape: &Shape) -> Result<usize> {
    let values = shape.dims().iter().try_fold(1usize, |values, &dim| values.checked_mul(dim));
    values.filter(|values| *values <= MOST_VALUES).ok_or_else(|| {
        let found = format!("{:?}", shape.dims());
        Error::setting(format!("the shape of `{name}`"), found, "at most 2^36 values")
    })
}

fn joined(prefix: &str, name: &str) -> String {
    if prefix.is_empty() { name.to_owned() } else { format!("{prefix}.{name}") }
}

/// Locks; the values behind these locks are whole even if a holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
