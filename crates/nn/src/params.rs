//! Parameters and buffers of a network: named, seeded, in name order.
//!
//! Parameters are trained. Buffers (such as the running statistics of batch normalisation)
//! are stored and loaded with the parameters, but have no gradient, are not updated by the
//! optimiser, and do not count as parameters.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};
use candle_nn::VarBuilder;

use crate::tensors::{self, Tensors};
use crate::{Error, Init, Result};

/// Largest size of the names and shapes in a file of weights, in bytes.
const NAMES: u64 = 64 << 20;

/// Largest number of values of a parameter: 256 GiB.
const MOST_VALUES: usize = 1 << 36;

/// Settings of the optimiser for one parameter.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Training {
    /// Factor on the learning rate.
    pub rate: f64,
    /// Factor on the weight decay.
    pub weight_decay: f64,
    /// Freezes the parameter: it has no gradient and never changes.
    pub frozen: bool,
}

impl Default for Training {
    /// All factors are 1, and nothing is frozen.
    fn default() -> Self {
        Self { rate: 1.0, weight_decay: 1.0, frozen: false }
    }
}

/// A named parameter. Layers hold it and request its tensor in every pass.
#[derive(Debug)]
pub struct Param {
    name: String,
    var: Var,
    training: Mutex<Training>,
}

impl Param {
    /// Returns the full name, such as `conv1.weight`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the variable, which is the key of its gradient.
    pub fn var(&self) -> &Var {
        &self.var
    }

    /// Returns the settings of the optimiser.
    pub fn training(&self) -> Training {
        *lock(&self.training)
    }
}

/// A named buffer.
#[derive(Debug)]
pub struct Buffer {
    name: String,
    var: Var,
}

impl Buffer {
    /// Returns the full name, such as `bn1.running_mean`.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the present values, which share memory with the buffer.
    pub fn tensor(&self) -> Tensor {
        self.var.as_detached_tensor()
    }

    /// Sets `values = (1 - share) * values + share * observed`.
    pub(crate) fn average_in(&self, observed: &Tensor, share: f64) -> Result<()> {
        Ok(kernels::running_average(self.var.as_tensor(), observed, share)?)
    }
}

/// A named parameter or buffer.
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
    /// Makes an empty set; parameters that are added later live on `device`.
    pub fn new(device: &Device) -> Self {
        Self { device: device.clone(), by_name: Arc::default() }
    }

    /// Returns the device of the parameters.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// Returns a builder for the parameters of layers. Initial values depend only on the
    /// seed and the parameter's name.
    pub fn builder(&self, seed: u64) -> Builder<'static> {
        Builder { params: self.clone(), prefix: String::new(), seed, store: None }
    }

    /// Returns a builder that takes the parameters of layers from the store of a `candle_nn` program, by name. Variables, such
    /// as those of a `VarMap`, are shared; tensors of a file become variables. Parameters that a `VarMap` lacks are drawn as by
    /// [`Params::builder`], with their names in the map, and added to it.
    pub fn builder_from<'a>(&self, store: VarBuilder<'a>, seed: u64) -> Builder<'a> {
        Builder { params: self.clone(), prefix: String::new(), seed, store: Some(store) }
    }

    /// Makes parameters from variables without names.
    pub(crate) fn of_vars(vars: Vec<Var>) -> Self {
        let device = vars.first().map_or(Device::Cpu, |var| var.device().clone());
        let params = Self::new(&device);
        for (at, var) in vars.into_iter().enumerate() {
            // These names keep the order of the list.
            params.insert_param(format!("{at:08}"), var);
        }
        params
    }

    /// Returns the variable of the parameter or buffer with this name.
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

    /// Returns all parameters, in name order.
    pub fn all(&self) -> Vec<Arc<Param>> {
        let param = |entry: &Entry| match entry {
            Entry::Param(param) => Some(Arc::clone(param)),
            Entry::Buffer(_) => None,
        };
        lock(&self.by_name).values().filter_map(param).collect()
    }

    /// Returns the parameter with this name.
    pub fn get(&self, name: &str) -> Option<Arc<Param>> {
        match lock(&self.by_name).get(name) {
            Some(Entry::Param(param)) => Some(Arc::clone(param)),
            Some(Entry::Buffer(_)) | None => None,
        }
    }

    /// Returns the number of values in all parameters.
    pub fn count(&self) -> usize {
        let params = self.all();
        params.iter().map(|param| param.var.elem_count()).sum()
    }

    /// Returns the bytes of all parameters and buffers.
    pub fn bytes(&self) -> u64 {
        let entries = lock(&self.by_name);
        let bytes = |entry: &Entry| entry.var().elem_count() as u64 * size_of::<f32>() as u64;
        entries.values().map(bytes).sum()
    }

    /// Changes the optimiser's settings of parameters; `set` is called with each name and its present settings.
    pub fn configure(&self, mut set: impl FnMut(&str, &mut Training)) {
        for param in self.all() {
            set(&param.name, &mut lock(&param.training));
        }
    }

    /// Returns the present values of parameters and buffers, by name. They share memory with
    /// the network, so later training steps change them.
    pub fn tensors(&self) -> Tensors {
        let entries = lock(&self.by_name);
        entries.iter().map(|(name, entry)| (name.clone(), entry.var().as_detached_tensor())).collect()
    }

    /// Copies in values for every parameter and buffer.
    ///
    /// # Errors
    /// If a tensor is missing, surplus, or of another shape or type. In that case nothing changes.
    pub fn set_tensors(&self, stored: &Tensors) -> Result<()> {
        tensors::check_same_layout(&self.tensors(), stored)?;
        self.copy_in(stored)
    }

    /// Copies in stored values for the parameters and buffers of the same names. Their
    /// layout must have been checked.
    pub(crate) fn copy_in(&self, stored: &Tensors) -> Result<()> {
        // Copies, because `stored` may share memory with the parameters. All copies are made
        // first, so that nothing changes if the device runs out of memory.
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
    /// If the file cannot be read; see also [`Params::set_tensors`].
    pub fn load(&self, path: &Path) -> Result<()> {
        let most = self.bytes().saturating_add(NAMES);
        self.set_tensors(&tensors::read_at_most(path, most, &self.device)?)
    }
}

/// Makes parameters and buffers whose names have a prefix.
#[derive(Clone)]
pub struct Builder<'a> {
    params: Params,
    prefix: String,
    seed: u64,
    /// Store of the variables; `None` if they are drawn.
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
    /// Returns a builder with a longer prefix: `builder.pp("conv1")` makes `conv1.weight`.
    #[must_use]
    pub fn pp(&self, name: &str) -> Self {
        Self { prefix: self.full_name(name), ..self.clone() }
    }

    /// Returns the prefix, which also names layers without parameters.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Makes a parameter.
    ///
    /// # Errors
    /// If the name is taken, the device cannot allocate the tensor, or the store has no tensor of this name and shape.
    pub fn param(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Arc<Param>> {
        let (name, var) = self.var(name, shape.into(), init)?;
        Ok(self.params.insert_param(name, var))
    }

    /// Makes a buffer.
    ///
    /// # Errors
    /// If the name is taken, the device cannot allocate the tensor, or the store has no tensor of this name and shape.
    pub fn buffer(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Arc<Buffer>> {
        let (name, var) = self.var(name, shape.into(), init)?;
        Ok(self.params.insert_buffer(name, var))
    }

    /// Returns the full name, if it is free, and the variable with its initial values.
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
                    // The prefix of the store distinguishes layers with the same seed.
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

/// Returns the number of values of a parameter with this shape; `name` is for the error.
///
/// # Errors
/// [`Error::Setting`] for more than [`MOST_VALUES`].
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

/// Locks a mutex, even if a holder panicked: the values behind these locks are always consistent.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
