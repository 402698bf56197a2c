//! One run through a network: its mode, and the record of what depends on what.

use std::cell::RefCell;
use std::sync::Arc;

use candle_core::{Shape, Tensor};
use kernels::Op;

use crate::record::{Gradients, Record};
use crate::{Buffer, Error, Param, Ranks, Result, Share};

/// One run of one batch through a network, in training or evaluation.
///
/// It reaches every layer, so no layer holds a mode of its own. In training it
/// records the operations on everything that depends on a parameter, and
/// [`Pass::backward`] walks that record back once. In evaluation nothing is kept.
///
/// Only operations done through the pass are recorded. A Candle operation on a
/// recorded value gives an unrecorded one: a loss computed from it has no gradient,
/// which `backward` reports.
///
/// A pass changes no parameter and no buffer. What the batch statistics do to the
/// running ones travels with the [`Gradients`] and happens in [`crate::Sgd::descend`].
///
/// [`Pass::in_graph`] is for programs that are written for Candle: its operations are nodes of Candle's graph.
#[derive(Debug)]
pub struct Pass {
    seed: u64,
    mode: Mode,
    /// Of a batch that is spread over ranks: they, and this one's share.
    shared: Option<(Ranks, Share)>,
}

#[derive(Debug)]
enum Mode {
    Evaluation,
    Training(RefCell<Record>),
    /// Candle keeps the record.
    Graph {
        training: bool,
    },
}

impl Pass {
    /// A pass without dropout that records nothing.
    pub fn eval() -> Self {
        Self { seed: 0, mode: Mode::Evaluation, shared: None }
    }

    /// A training pass. The seed decides the dropout masks: take a new one for every
    /// iteration.
    pub fn train(seed: u64) -> Self {
        Self { seed, mode: Mode::Training(RefCell::default()), shared: None }
    }

    /// A pass whose operations are nodes of Candle's graph, so that [`Tensor::backward`] goes through them to the
    /// parameters and to the inputs, and Candle's own operations may stand in between. In training the seed decides the
    /// dropout masks, and running averages take in the batch at once.
    pub fn in_graph(training: bool, seed: u64) -> Self {
        Self { seed, mode: Mode::Graph { training }, shared: None }
    }

    /// The same pass for one of several ranks, on its share of the batch. The losses are means over this rank's samples;
    /// [`Pass::backward`] weighs them by the share, so that the gradients of all ranks are to be summed
    /// ([`Gradients::sum_over`]).
    #[must_use]
    pub fn of_share(self, ranks: &Ranks, share: Share) -> Self {
        Self { shared: Some((ranks.clone(), share)), ..self }
    }

    /// Whether dropout drops and batches are normalised by their own statistics.
    pub fn is_training(&self) -> bool {
        match self.mode {
            Mode::Evaluation => false,
            Mode::Training(_) => true,
            Mode::Graph { training } => training,
        }
    }

    /// Seed of what is random in training.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The ranks that the batch is spread over.
    pub(crate) fn ranks(&self) -> Option<&Ranks> {
        self.shared.as_ref().map(|(ranks, _)| ranks)
    }

    /// This rank's share of the batch, if it is spread over several.
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

    /// [`Pass::apply`] for a caller that asks the operation something afterwards.
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

    /// The same values in another shape, without a copy.
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

    /// The gradients of a loss, a single value, with respect to every parameter that
    /// trains and that the loss depends on.
    ///
    /// Each operation is dropped from the record, with the tensors kept for it, as soon
    /// as its gradients are computed, so memory falls along the way.
    ///
    /// # Errors
    /// If the pass does not record or was walked back before, or if the loss is not a
    /// single value or does not depend on a parameter that trains.
    pub fn backward(&self, loss: &Tensor) -> Result<Gradients> {
        let refuse = |problem: &str| Err(Error::Backward { problem: problem.into() });
        match &self.mode {
            Mode::Training(record) => {
                record.borrow_mut().backward(loss, self.share().map_or(1.0, Share::weight))
            }
            Mode::Evaluation => refuse("this pass is an evaluation and records nothing; use Pass::train"),
            Mode::Graph { .. } => refuse(
                "the record of this pass is Candle's graph; call `backward` of the loss, or use Pass::train",
            ),
        }
    }

    /// Takes the statistics of a batch into a running average: with the step that the gradients lead to, or, where Candle
    /// keeps the record, at once.
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
    /// The tensor to compute with: it has a gradient in a pass that is recorded, unless frozen.
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
