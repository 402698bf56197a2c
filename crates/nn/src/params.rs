//! The parameters of a network: named, seeded, in name order.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use candle_core::{DType, Device, Shape, Tensor, Var};

use crate::tensors::{self, Tensors};
use crate::{Error, Init, Pass, Result};

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

    /// The tensor to compute with: it records gradients in a training pass, unless frozen.
    pub fn tensor(&self, pass: &Pass) -> Tensor {
        if pass.train && !self.training().frozen {
            self.var.as_tensor().clone()
        } else {
            self.var.as_detached_tensor()
        }
    }
}

/// The parameters of one network, shared between its layers and the optimiser.
#[derive(Debug, Clone)]
pub struct Params {
    device: Device,
    by_name: Arc<Mutex<BTreeMap<String, Arc<Param>>>>,
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
        lock(&self.by_name).values().cloned().collect()
    }

    /// The parameter of that name.
    pub fn get(&self, name: &str) -> Option<Arc<Param>> {
        lock(&self.by_name).get(name).cloned()
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

    /// The present values by name. They share memory with the parameters: later training
    /// steps change them too.
    pub fn tensors(&self) -> Tensors {
        let named = |param: Arc<Param>| (param.name.clone(), param.var.as_detached_tensor());
        self.all().into_iter().map(named).collect()
    }

    /// Copies in values for every parameter.
    ///
    /// # Errors
    /// If a tensor is missing, surplus, or of another shape or type; then nothing changes.
    pub fn set_tensors(&self, stored: &Tensors) -> Result<()> {
        tensors::check_same_layout(&self.tensors(), stored)?;
        for (param, stored) in self.all().iter().zip(stored.values()) {
            param.var.set(&stored.to_device(&self.device)?)?;
        }
        Ok(())
    }

    /// Writes all parameters to a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        tensors::write(path, &self.tensors())
    }

    /// Reads all parameters from a safetensors file.
    ///
    /// # Errors
    /// If the file cannot be read, or as [`Params::set_tensors`].
    pub fn load(&self, path: &Path) -> Result<()> {
        self.set_tensors(&tensors::read(path, &self.device)?)
    }
}

/// Makes parameters under a prefix.
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
        let (name, shape) = (self.full_name(name), shape.into());
        if self.params.get(&name).is_some() {
            return Err(Error::DuplicateParameter { name });
        }
        let values = init.draw(self.seed, &name, &shape, &self.params.device)?;
        debug_assert_eq!(values.dtype(), DType::F32);
        let param = Arc::new(Param {
            name: name.clone(),
            var: Var::from_tensor(&values)?,
            training: Mutex::default(),
        });
        lock(&self.params.by_name).insert(name, Arc::clone(&param));
        Ok(param)
    }

    fn full_name(&self, name: &str) -> String {
        if self.prefix.is_empty() { name.to_owned() } else { format!("{}.{name}", self.prefix) }
    }
}

/// Locks; the values behind these locks are whole even if a holder panicked.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
