//! The parameters and buffers of a network: named, seeded, in name order.
//!
//! A parameter trains. A buffer (the running statistics of batch normalisation) is
//! stored and loaded with the parameters, but has no gradient, is not the optimiser's,
//! and does not count as a parameter.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};

use crate::tensors::{self, Tensors};
use crate::{Error, Init, Result};

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
    pub fn builder(&self, seed: u64) -> Builder {
        Builder { params: self.clone(), prefix: String::new(), seed }
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
        self.set_tensors(&tensors::read(path, &self.device)?)
    }
}

/// Makes parameters and buffers under a prefix.
#[derive(Debug, Clone)]
pub struct Builder {
    params: Params,
    prefix: String,
    seed: u64,
}

impl Builder {
    /// The builder one level down: `builder.pp("conv1")` makes `conv1.weight`.
    #[must_use]
    pub fn pp(&self, name: &str) -> Self {
        Self { params: self.params.clone(), prefix: self.full_name(name), seed: self.seed }
    }

    /// The prefix so far, which also names layers without parameters.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// Makes a parameter.
    ///
    /// # Errors
    /// If the name is taken or the device refuses the tensor.
    pub fn param(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Arc<Param>> {
        let (name, var) = self.draw(name, shape.into(), init)?;
        let param = Arc::new(Param { name: name.clone(), var, training: Mutex::default() });
        lock(&self.params.by_name).insert(name, Entry::Param(Arc::clone(&param)));
        Ok(param)
    }

    /// Makes a buffer.
    ///
    /// # Errors
    /// If the name is taken or the device refuses the tensor.
    pub fn buffer(&self, name: &str, shape: impl Into<Shape>, init: Init) -> Result<Arc<Buffer>> {
        let (name, var) = self.draw(name, shape.into(), init)?;
        let buffer = Arc::new(Buffer { name: name.clone(), var });
        lock(&self.params.by_name).insert(name, Entry::Buffer(Arc::clone(&buffer)));
        Ok(buffer)
    }

    /// The full name, if it is free, and first values.
    fn draw(&self, name: &str, shape: Shape, init: Init) -> Result<(String, Var)> {
        let name = self.full_name(name);
        if lock(&self.params.by_name).contains_key(&name) {
            return Err(Error::DuplicateParameter { name });
        }
        let values = init.draw(self.seed, &name, &shape, &self.params.device)?;
        debug_assert_eq!(values.dtype(), DType::F32);
        Ok((name, Var::from_tensor(&values)?))
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}

/// Locks; the values behind these locks are whole even if a holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
