//! Adds operations with any number of inputs to Candle's graph.
//!
//! A node of Candle has one to three inputs. Inputs without a gradient are constants of our node and take none of the three
//! slots. If more than three inputs have a gradient, the others are attached to *bundles*: nodes of one value each, which
//! only Candle regards as inputs of the operation. The operation computes all gradients at once, and the bundles, which
//! Candle reaches next, pass theirs on.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, ThreadId};

use candle_core::{CpuStorage, CustomOp1, CustomOp2, CustomOp3, Layout, Result, Shape, Tensor, bail};
#[cfg(feature = "cuda")]
use candle_core::{CudaStorage, DType, backend::BackendDevice};

#[cfg(feature = "cuda")]
use crate::cuda::Gpu;
use crate::engine::{backward, forward, forward_storage};
use crate::op::Op;

/// Applies an operation as part of Candle's own graph: [`candle_core::Tensor::backward`] goes through it to every input
/// that has a gradient.
///
/// # Errors
/// As for [`forward`].
pub fn apply(op: impl Op, inputs: &[&Tensor]) -> Result<Tensor> {
    apply_shared(Arc::new(op), inputs)
}

/// Applies an operation like [`apply`], for a caller that queries it afterwards.
///
/// # Errors
/// As for [`forward`].
pub fn apply_shared(op: Arc<dyn Op>, inputs: &[&Tensor]) -> Result<Tensor> {
    let inputs = inputs.iter().map(|x| x.contiguous()).collect::<Result<Vec<_>>>()?;
    let all: Vec<&Tensor> = inputs.iter().collect();
    let tracked: Vec<usize> = (0..inputs.len()).filter(|&at| inputs[at].track_op()).collect();
    if tracked.is_empty() {
        return forward(&*op, &all);
    }
    let found = Arc::new(Found::default());
    let mut edges: Vec<Edge> = tracked.iter().map(|&at| Edge::Input(at, inputs[at].clone())).collect();
    while edges.len() > MOST_EDGES {
        // The bundle comes last: a chain, whose first link Candle reaches last.
        let rest = edges.split_off(MOST_EDGES);
        let is_first = edges.iter().all(|edge| matches!(edge, Edge::Input(..)));
        let bundle = attach(edges, |edges| Bundle { found: Arc::clone(&found), edges, is_first })?;
        edges = vec![Edge::Bundle(bundle)];
        edges.extend(rest);
    }
    let has_bundles = edges.iter().any(|edge| matches!(edge, Edge::Bundle(_)));
    attach(edges, |edges| Node { op, inputs, edges, found: has_bundles.then_some(found) })
}

/// Maximum number of inputs of a node in Candle.
const MOST_EDGES: usize = 3;

/// A dependency of a node.
enum Edge {
    /// An input of the operation, with its index.
    Input(usize, Tensor),
    /// A bundle of further inputs.
    Bundle(Tensor),
}

/// The index of an edge's gradient among those of the operation's inputs; `None` for a bundle.
type Place = Option<usize>;

/// The interface of our nodes to Candle, for any number of edges.
trait Step: Send + Sync + 'static {
    fn name(&self) -> &'static str;
    fn run(&self) -> Result<(CpuStorage, Shape)>;
    /// Runs on the GPU that has the storage of the first edge.
    #[cfg(feature = "cuda")]
    fn run_cuda(&self, first: &CudaStorage) -> Result<(CudaStorage, Shape)>;
    /// Computes the gradients of the edges.
    fn gradients(&self, output: &Tensor, gradient: &Tensor) -> Result<Vec<Option<Tensor>>>;
}

/// Creates a node with these edges.
fn attach<S: Step>(edges: Vec<Edge>, step: impl FnOnce(Vec<Place>) -> S) -> Result<Tensor> {
    let (places, tensors): (Vec<Place>, Vec<Tensor>) = edges
        .into_iter()
        .map(|edge| match edge {
            Edge::Input(at, tensor) => (Some(at), tensor),
            Edge::Bundle(tensor) => (None, tensor),
        })
        .unzip();
    let step = InCandle(step(places));
    match tensors.as_slice() {
        [a] => a.apply_op1(step),
        [a, b] => a.apply_op2(b, step),
        [a, b, c] => a.apply_op3(b, c, step),
        other => bail!("{}: a node cannot have {} edges", step.0.name(), other.len()),
    }
}

/// Gradients on their way from an operation to its bundles, by thread: two threads may go back through one graph.
#[derive(Debug, Default)]
struct Found(Mutex<HashMap<ThreadId, Vec<Option<Tensor>>>>);

impl Found {
    fn put(&self, gradients: Vec<Option<Tensor>>) {
        self.lock().insert(thread::current().id(), gradients);
    }

    fn take(&self, at: usize) -> Option<Tensor> {
        self.lock().get_mut(&thread::current().id())?.get_mut(at)?.take()
    }

    fn clear(&self) {
        self.lock().remove(&thread::current().id());
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ThreadId, Vec<Option<Tensor>>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// An operation as a node.
struct Node {
    op: Arc<dyn Op>,
    /// All inputs; Candle passes only those of the edges.
    inputs: Vec<Tensor>,
    edges: Vec<Place>,
    /// Storage from which the bundles take their gradients, if there are any bundles.
    found: Option<Arc<Found>>,
}

impl Step for Node {
    fn name(&self) -> &'static str {
        self.op.name()
    }

    fn run(&self) -> Result<(CpuStorage, Shape)> {
        forward_storage(&*self.op, &self.inputs)
    }

    #[cfg(feature = "cuda")]
    fn run_cuda(&self, first: &CudaStorage) -> Result<(CudaStorage, Shape)> {
        let gpu = Gpu::of(&first.device)?;
        crate::cuda::forward_storage(&*self.op, &gpu, &self.inputs)
    }

    fn gradients(&self, output: &Tensor, gradient: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let wanted: Vec<bool> = self.inputs.iter().map(Tensor::track_op).collect();
        let inputs: Vec<&Tensor> = self.inputs.iter().collect();
        let mut all = backward(&*self.op, &inputs, output, gradient, &wanted)?;
        for (found, input) in all.iter_mut().zip(&self.inputs) {
            // Candle requires a gradient for every tensor in the graph, even for a constant.
            if found.is_none() && input.track_op() {
                *found = Some(input.zeros_like()?);
            }
        }
        let of = |place: &Place| match place {
            Some(at) => Ok(all[*at].take()),
            None => Tensor::zeros((), gradient.dtype(), gradient.device()).map(Some),
        };
        let gradients = self.edges.iter().map(of).collect();
        if let Some(found) = &self.found {
            found.put(all);
        }
        gradients
    }
}

/// One value that stands for further inputs of an operation.
struct Bundle {
    found: Arc<Found>,
    edges: Vec<Place>,
    /// True if no other bundle depends on it.
    is_first: bool,
}

impl Step for Bundle {
    fn name(&self) -> &'static str {
        "bundle"
    }

    fn run(&self) -> Result<(CpuStorage, Shape)> {
        Ok((CpuStorage::F32(vec![0.0]), Shape::from(())))
    }

    #[cfg(feature = "cuda")]
    fn run_cuda(&self, first: &CudaStorage) -> Result<(CudaStorage, Shape)> {
        let shape = Shape::from(());
        Ok((first.device.zeros_impl(&shape, DType::F32)?, shape))
    }

    fn gradients(&self, _: &Tensor, gradient: &Tensor) -> Result<Vec<Option<Tensor>>> {
        let of = |place: &Place| match place {
            Some(at) => self.found.take(*at),
            None => Some(gradient.clone()),
        };
        let gradients = self.edges.iter().map(of).collect();
        if self.is_first {
            self.found.clear();
        }
        Ok(gradients)
    }
}

/// A node of Candle's graph. Values are read from the tensors that the step holds, since Candle passes only those of the
/// edges.
struct InCandle<S>(S);

impl<S: Step> InCandle<S> {
    /// Returns the gradients of the edges, and `None` for missing edges.
    fn gradients(&self, y: &Tensor, dy: &Tensor) -> Result<[Option<Tensor>; MOST_EDGES]> {
        let mut found = self.0.gradients(y, dy)?.into_iter();
        Ok(std::array::from_fn(|_| found.next().flatten()))
    }
}

impl<S: Step> CustomOp1 for InCandle<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.0.run()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(&self, s: &CudaStorage, _: &Layout) -> Result<(CudaStorage, Shape)> {
        self.0.run_cuda(s)
    }

    fn bwd(&self, _: &Tensor, y: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let [a, ..] = self.gradients(y, dy)?;
        Ok(a)
    }
}

impl<S: Step> CustomOp2 for InCandle<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout, _: &CpuStorage, _: &Layout) -> Result<(CpuStorage, Shape)> {
        self.0.run()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.0.run_cuda(s)
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let [a, b, _] = self.gradients(y, dy)?;
        Ok((a, b))
    }
}

impl<S: Step> CustomOp3 for InCandle<S> {
    fn name(&self) -> &'static str {
        self.0.name()
    }

    fn cpu_fwd(
        &self,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
        _: &CpuStorage,
        _: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        self.0.run()
    }

    #[cfg(feature = "cuda")]
    fn cuda_fwd(
        &self,
        s: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
        _: &CudaStorage,
        _: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        self.0.run_cuda(s)
    }

    fn bwd(
        &self,
        _: &Tensor,
        _: &Tensor,
        _: &Tensor,
        y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        let [a, b, c] = self.gradients(y, dy)?;
        Ok((a, b, c))
    }
}
