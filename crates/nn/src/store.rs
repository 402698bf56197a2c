//! [`Params`] as the store behind a [`VarBuilder`]: networks of any `candle_nn` program get ordered parameters and seeded
//! initial values. (Candle's own generator on the CPU does not accept a seed.)

use base::random;
use candle_core::{DType, Device, Result, Shape, Tensor, Var, bail};
use candle_nn::VarBuilder;
use candle_nn::init::{Init, NormalOrUniform};
use candle_nn::var_builder::SimpleBackend;

use crate::Params;
use crate::params::count;

/// Names of the running averages in `candle_nn`'s batch normalisation, which have no gradient.
const BUFFERS: [&str; 2] = ["running_mean", "running_var"];

impl Params {
    /// Returns a builder of variables that belong to these parameters. Existing variables are returned; missing ones are
    /// drawn with the seed and their name. `running_mean` and `running_var` become buffers.
    pub fn var_builder(&self, seed: u64) -> VarBuilder<'static> {
        let store = Store { params: self.clone(), seed };
        VarBuilder::from_backend(Box::new(store), DType::F32, self.device().clone())
    }
}

struct Store {
    params: Params,
    seed: u64,
}

impl Store {
    fn check(&self, name: &str, dtype: DType, device: &Device) -> Result<()> {
        if dtype != DType::F32 {
            bail!(
                "`{name}` requested as {dtype:?}, but parameters are F32; make the builder with DType::F32"
            );
        }
        if !device.same_device(self.params.device()) {
            bail!("`{name}` requested on {device:?}, but all parameters are on {:?}", self.params.device());
        }
        Ok(())
    }
}

impl SimpleBackend for Store {
    fn get(&self, shape: Shape, name: &str, init: Init, dtype: DType, device: &Device) -> Result<Tensor> {
        self.check(name, dtype, device)?;
        if let Some(var) = self.params.var(name) {
            if var.shape() != &shape {
                bail!("`{name}` has shape {:?}, expected {shape:?}", var.shape());
            }
            return Ok(var.as_tensor().clone());
        }
        let var = Var::from_tensor(&draw(init, self.seed, name, &shape, device)?)?;
        let tensor = var.as_tensor().clone();
        if BUFFERS.contains(&name.rsplit('.').next().unwrap_or(name)) {
            self.params.insert_buffer(name.to_owned(), var);
        } else {
            self.params.insert_param(name.to_owned(), var);
        }
        Ok(tensor)
    }

    fn get_unchecked(&self, name: &str, dtype: DType, device: &Device) -> Result<Tensor> {
        self.check(name, dtype, device)?;
        match self.params.var(name) {
            Some(var) => Ok(var.as_tensor().clone()),
            None => Err(candle_core::Error::CannotFindTensor { path: name.to_owned() }),
        }
    }

    fn contains_tensor(&self, name: &str) -> bool {
        self.params.var(name).is_some()
    }
}

/// Draws the initial values that `candle_nn` requests, with a seeded generator.
fn draw(init: Init, seed: u64, name: &str, shape: &Shape, device: &Device) -> Result<Tensor> {
    let count = count(name, shape)?;
    let mut generator = random::generator("init", seed, name);
    let normal = |mean: f64, deviation: f64| {
        let mut values = random::normal(&random::generator("init", seed, name), deviation, count);
        values.iter_mut().for_each(|value| *value += mean as f32);
        values
    };
    let values = match init {
        Init::Const(value) => vec![value as f32; count],
        Init::Randn { mean, stdev } => normal(mean, stdev),
        Init::Uniform { lo, up } => random::uniform(&mut generator, lo..up, count),
        Init::Kaiming { dist, fan, non_linearity } => {
            let deviation = non_linearity.gain() / (fan.for_shape(shape) as f64).sqrt();
            match dist {
                NormalOrUniform::Normal => normal(0.0, deviation),
                NormalOrUniform::Uniform => {
                    let bound = 3f64.sqrt() * deviation;
                    random::uniform(&mut generator, -bound..bound, count)
                }
            }
        }
    };
    Tensor::from_vec(values, shape, device)
}
