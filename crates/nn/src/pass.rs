//! One run through a network: its mode and the record of its operations.

use std::cell::RefCell;
use std::sync::Arc;

use candle_core::{Shape, Tensor};
use kernels::Op;

use crate::record::{Gradients, Record};
use crate::{Buffer, Error, Param, Ranks, Result, Share};

/// One run of one batch through a network, in training or evaluation.
///
/// Every layer receives the pass, so layers have no mode of their own. In training it
/// records all operations on values that depend on a parameter, and [`Pass::backward`]
/// goes back through this record once. In evaluation nothing is recorded.
///
/// Only operations through the pass are recorded. The result of a Candle operation on a
/// recorded value is not recorded: a loss computed from it has no gradient, which
/// `backward` reports.
///
/// A pass does not change parameters or buffers. Updates of running statistics are part
/// of the [`Gradients`] and are applied in [`crate::Sgd::descend`].
///
/// [`Pass::in_graph`] is for programs that use Candle: its operations are nodes of Candle's graph.
#[derive(Debug)]
pub struct Pass {
    seed: u64,
    mode: Mode,
    /// The ranks and this rank's share, if the batch is spread over ranks.
    shared: Option<(Ranks, Share)>,
}

#[derive(Debug)]
enum Mode {
    Evaluation,
    Training(RefCell<Record>),
    /// Operations are recorded in Candle's graph.
    Graph {
        training: bool,
    },
}

impl Pass {
    /// Makes a pass without dropout and without a record.
    pub fn eval() -> Self {
        Self { seed: 0, mode: Mode::Evaluation, shared: None }
    }

    /// Makes a training pass. The seed decides the dropout masks: use a new seed for every
    /// iteration.
    pub fn train(seed: u64) -> Self {
        Self { seed, mode: Mode::Training(RefCell::default()), shared: None }
    }

    /// Makes a pass whose operations are nodes of Candle's graph. [`Tensor::backward`] then computes the gradients of
    /// parameters and inputs, and the graph may contain Candle's own operations. In training the seed decides the dropout
    /// masks, and running averages are updated at once.
    pub fn in_graph(training: bool, seed: u64) -> Self {
        Self { seed, mode: Mode::Graph { training }, shared: None }
    }

    /// Returns this pass for one of several ranks, on its share of the batch. Losses are means over this rank's samples;
    /// [`Pass::backward`] weights them by the share, so the gradients of all ranks have to be summed
    /// ([`Gradients::sum_over`]).
    #[must_use]
    pub fn of_share(self, ranks: &Ranks, share: Share) -> Self {
        Self { shared: Some((ranks.clone(), share)), ..self }
    }

    /// Returns `true` in training: dropout is active, and batches are normalised by their own statistics.
    pub fn is_training(&self) -> bool {
        match self.mode {
            Mode::Evaluation => false,
            Mode::Training(_) => true,
            Mode::Graph { training } => training,
        }
    }

    /// Returns the seed of random numbers in training.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// Returns the ranks, if the batch is spread over several.
    pub(crate) fn ranks(&self) -> Option<&Ranks> {
        self.shared.as_ref().map(|(ranks, _)| ranks)
    }

    /// Returns this rank's share of the batch, if it is spread over several ranks.
    pub(crate) fn share(&self) -> Option<&Share> {
        self.shared.as_ref().map(|(_, share)| share)
    }

    /// Runs an operation and records it if an input has a gradient.
    ///
    /// # Errors
    /// If the inputs do not fit.
    pub fn apply(&self, op: impl Op, inputs: &[&Tensor]) -> Result<Tensor> {
        self.apply_shared(Arc::new(op), inputs)
    }

    /// Does the same as [`Pass::apply`], for a caller that needs the operation afterwards.
    pub(crate) fn apply_shared(&self, op: Arc<dyn Op>, inputs: &[&Tensor]) -> Result<Tensor> {
        if let Mode::Graph { .. } = self.mode {
            return Ok(kernels::apply_shared(op, inputs)?);
        }
        let output = kernels::forward(&*op, inputs)?;
        if let Mode::Training(record) = &self.mode {
            record.borrow_mut().push_op(op, inputs, &output);
        }
        Ok(output)
    }

    /// Reshapes a tensor without copying its values.
    ///
    /// # Errors
    /// If the number of values differs.
    pub fn reshape(&self, x: &Tensor, shape: impl Into<Shape>) -> Result<Tensor> {
        let output = x.reshape(shape.into())?;
        if let Mode::Training(record) = &self.mode {
            record.borrow_mut().push_reshape(x, &output);
        }
        Ok(output)
    }

    /// Computes the gradients of a loss, a single value, with respect to every trainable
    /// parameter that it depends on.
    ///
    /// Each operation is removed from the record, with its tensors, as soon as its
    /// gradients are computed, so memory is freed along the way.
    ///
    /// # Errors
    /// If the pass has no record or `backward` was already called, or if the loss is not a
    /// single value or does not depend on a trainable parameter.
    pub fn backward(&self, loss: &Tensor) -> Result<Gradients> {
        let refuse = |problem: &str| Err(Error::Backward { problem: problem.into() });
        match &self.mode {
            Mode::Training(record) => {
                record.borrow_mut().backward(loss, self.share().map_or(1.0, Share::weight))
            }
            Mode::Evaluation => refuse("this pass is an evaluation and records nothing; use Pass::train"),
            Mode::Graph { .. } => refuse(
                "the record of this pass is Candle's graph; call `backward` on the loss, or use Pass::train",
            ),
        }
    }

    /// Updates a running average with the statistics of a batch: together with the optimiser's step, or at once in Candle's
    /// graph.
    pub(crate) fn observe(&self, buffer: &Arc<Buffer>, observed: Tensor, share: f64) -> Result<()> {
        match &self.mode {
            Mode::Evaluation => Ok(()),
            Mode::Training(record) => {
                record.borrow_mut().observe(buffer, observed, share);
                Ok(())
            }
            Mode::Graph { .. } => buffer.average_in(&observed, share),
        }
    }
}

impl Param {
    /// Returns the tensor to compute with. It has a gradient in a recorded pass, unless the parameter is frozen.
    pub fn tensor(&self, pass: &Pass) -> Tensor {
        match &pass.mode {
            Mode::Training(record) if !self.training().frozen => {
                record.borrow_mut().track(self.var().as_tensor());
                self.var().as_tensor().clone()
            }
            Mode::Graph { .. } if !self.training().frozen => self.var().as_tensor().clone(),
            _ => self.var().as_detached_tensor(),
        }
    }
}
