//! The record of a training pass, and backpropagation through it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use candle_core::backprop::GradStore;
use candle_core::{DType, Device, Tensor, TensorId};
use kernels::Op;

use crate::{Buffer, Error, Param, Params, Ranks, Result};

/// Gradients of one loss, and the updates of running averages from its batch.
#[derive(Debug)]
pub struct Gradients {
    by_parameter: HashMap<TensorId, Tensor>,
    observations: Vec<Observation>,
}

impl Gradients {
    /// Returns the gradient of a parameter, of the same shape; `None` if the parameter is
    /// frozen or the loss does not depend on it.
    pub fn get(&self, param: &Param) -> Option<&Tensor> {
        self.by_parameter.get(&param.var().as_tensor().id())
    }

    /// Sums the gradients of all ranks, each for the loss of its share. All ranks then have the same bits.
    ///
    /// # Errors
    /// If another rank has ended, or has gradients of other parameters.
    pub fn sum_over(&mut self, ranks: &Ranks, params: &Params) -> Result<()> {
        if ranks.is_alone() {
            return Ok(());
        }
        let ids = params.all().into_iter().map(|param| param.var().as_tensor().id());
        let ids: Vec<TensorId> = ids.filter(|id| self.by_parameter.contains_key(id)).collect();
        let tensors: Vec<Tensor> = ids.iter().map(|id| self.by_parameter[id].clone()).collect();
        for (id, sum) in ids.into_iter().zip(crate::ranks::sum_tensors(ranks, &tensors)?) {
            self.by_parameter.insert(id, sum);
        }
        Ok(())
    }

    /// Returns the gradients as a store for an optimiser of Candle. They do not include updates of running averages: see
    /// [`Gradients::average`].
    ///
    /// # Errors
    /// If Candle cannot make an empty store.
    pub fn to_store(&self) -> Result<GradStore> {
        // Only `backward` makes a store; that of a constant is the cheapest.
        let seed = Tensor::zeros((), DType::F32, &Device::Cpu)?;
        let mut store = seed.backward()?;
        store.remove(&seed);
        // The order does not matter: neither store is ordered.
        self.by_parameter.iter().for_each(|(&id, gradient)| {
            store.insert_id(id, gradient.clone());
        });
        Ok(store)
    }

    /// Takes the gradients of `params` from a store of Candle.
    pub(crate) fn from_store(store: &GradStore, params: &Params) -> Self {
        let var = |param: Arc<Param>| {
            let id = param.var().as_tensor().id();
            store.get_id(id).map(|gradient| (id, gradient.clone()))
        };
        Self { by_parameter: params.all().into_iter().filter_map(var).collect(), observations: Vec::new() }
    }

    /// Updates the running averages with the statistics of the batch, as [`crate::Sgd::descend`] does. For callers with
    /// another optimiser.
    ///
    /// # Errors
    /// If the device fails.
    pub fn average(&self) -> Result<()> {
        self.observations.iter().try_for_each(Observation::apply)
    }
}

/// A pending update of a running average with the statistics of one batch.
#[derive(Debug)]
struct Observation {
    buffer: Arc<Buffer>,
    observed: Tensor,
    share: f64,
}

impl Observation {
    /// Sets `running = (1 - share) * running + share * observed`.
    fn apply(&self) -> Result<()> {
        self.buffer.average_in(&self.observed, self.share)
    }
}

/// Operations on values that depend on parameters, in order.
#[derive(Debug, Default)]
pub(crate) struct Record {
    /// Trainable parameters, and everything computed from them.
    tracked: HashSet<TensorId>,
    nodes: Vec<Node>,
    observations: Vec<Observation>,
    walked_back: bool,
}

/// One recorded step.
#[derive(Debug)]
enum Node {
    Op { op: Arc<dyn Op>, inputs: Vec<Tensor>, wanted: Vec<bool>, output: Tensor },
    Reshape { input: TensorId, dims: Vec<usize>, output: TensorId },
}

impl Record {
    pub(crate) fn track(&mut self, parameter: &Tensor) {
        self.tracked.insert(parameter.id());
    }

    pub(crate) fn push_op(&mut self, op: Arc<dyn Op>, inputs: &[&Tensor], output: &Tensor) {
        let wanted: Vec<bool> = inputs.iter().map(|x| self.tracked.contains(&x.id())).collect();
        if wanted.contains(&true) {
            self.tracked.insert(output.id());
            let inputs = inputs.iter().map(|&x| x.clone()).collect();
            self.nodes.push(Node::Op { op, inputs, wanted, output: output.clone() });
        }
    }

    pub(crate) fn push_reshape(&mut self, input: &Tensor, output: &Tensor) {
        // Candle returns the same tensor if the shape does not change.
        if self.tracked.contains(&input.id()) && self.tracked.insert(output.id()) {
            let node = Node::Reshape { input: input.id(), dims: input.dims().to_vec(), output: output.id() };
            self.nodes.push(node);
        }
    }

    pub(crate) fn observe(&mut self, buffer: &Arc<Buffer>, observed: Tensor, share: f64) {
        self.observations.push(Observation { buffer: Arc::clone(buffer), observed, share });
    }

    /// Computes the gradients of `weight` times the loss.
    pub(crate) fn backward(&mut self, loss: &Tensor, weight: f64) -> Result<Gradients> {
        let refuse = |problem: &str| Err(Error::Backward { problem: problem.into() });
        if self.walked_back {
            return refuse(
                "`backward` was already called on this pass; add the losses first, or start a new pass",
            );
        }
        if loss.elem_count() != 1 {
            return refuse(&format!("the loss has shape {:?}, expected a single value", loss.dims()));
        }
        let unreachable = "the loss does not depend on a parameter that trains; compute it with operations of \
             this pass from the network's outputs, and leave a parameter of the network unfrozen";
        if !self.tracked.contains(&loss.id()) {
            return refuse(unreachable);
        }
        self.walked_back = true;
        self.tracked = HashSet::new();

        let mut pending = Pending::default();
        pending.add(loss.id(), Tensor::full(weight as f32, loss.shape(), loss.device())?, true)?;
        while let Some(node) = self.nodes.pop() {
            node.backward(&mut pending)?;
        }
        if pending.0.is_empty() {
            return refuse(unreachable);
        }
        let by_parameter = pending.0.into_iter().map(|(id, (gradient, _))| (id, gradient)).collect();
        Ok(Gradients { by_parameter, observations: std::mem::take(&mut self.observations) })
    }
}

impl Node {
    /// Replaces the gradient of the output by those of the inputs. Drops the node and the
    /// tensors that it keeps.
    fn backward(self, pending: &mut Pending) -> Result<()> {
        match self {
            Self::Op { op, inputs, wanted, output } => {
                // Without a gradient, the loss does not depend on this output.
                let Some((gradient, alone)) = pending.0.remove(&output.id()) else { return Ok(()) };
                let arguments: Vec<&Tensor> = inputs.iter().collect();
                let all = kernels::backward(&*op, &arguments, &output, &gradient, &wanted)?;
                let ids: Vec<TensorId> = inputs.iter().map(Tensor::id).collect();
                // A gradient is alone in its memory unless it is that of the output, which others may be too.
                let is_alone = |(at, found): (usize, &Option<Tensor>)| {
                    let Some(found) = found else { return false };
                    let shared = |(other, with): (usize, &Option<Tensor>)| {
                        other != at && with.as_ref().is_some_and(|with| kernels::share_memory(found, with))
                    };
                    (alone || !kernels::share_memory(found, &gradient)) && !all.iter().enumerate().any(shared)
                };
                let alone: Vec<bool> = all.iter().enumerate().map(is_alone).collect();
                // Frees memory before the sums allocate theirs.
                drop((op, inputs, output, gradient));
                for ((id, found), alone) in ids.into_iter().zip(all).zip(alone) {
                    if let Some(found) = found {
                        pending.add(id, found, alone)?;
                    }
                }
            }
            Self::Reshape { input, dims, output } => {
                if let Some((gradient, alone)) = pending.0.remove(&output) {
                    pending.add(input, gradient.reshape(dims)?, alone)?;
                }
            }
        }
        Ok(())
    }
}

/// Gradients of values whose operation has not been reached yet, and whether they are alone in their memory. In the end only
/// those of parameters remain, because no operation computes parameters.
#[derive(Debug, Default)]
struct Pending(HashMap<TensorId, (Tensor, bool)>);

impl Pending {
    /// Adds a gradient; a value that is used more than once gets the sum, in the memory of one that is alone there.
    fn add(&mut self, id: TensorId, gradient: Tensor, alone: bool) -> Result<()> {
        let sum = match self.0.remove(&id) {
            None => (gradient, alone),
            Some((other, true)) => (kernels::add_to(other, &gradient)?, true),
            Some((other, false)) if alone => (kernels::add_to(gradient, &other)?, true),
            Some((other, false)) => {
                (kernels::forward(&kernels::Add { relu: false }, &[&other, &gradient])?, true)
            }
        };
        self.0.insert(id, sum);
        Ok(())
    }
}
