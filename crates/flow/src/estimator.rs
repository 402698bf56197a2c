//! One face for all methods of estimating flow.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::brox::{Brox, BroxParams, BroxWorkspace};
use crate::tvl1::{TvL1, TvL1Workspace, same_size};
use crate::{FlowError, FlowField, GrayImage, TvL1Params};

/// A method with its parameters. In a spec file `method` names it, beside the
/// parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// [`TvL1`]: `method = "tv-l1"`.
    #[serde(rename = "tv-l1")]
    TvL1(TvL1Params),
    /// [`Brox`]: `method = "brox"`.
    Brox(BroxParams),
}

/// An estimator of any method: checked parameters, ready for any number of
/// pairs.
#[derive(Debug, Clone)]
pub struct Estimator {
    engine: Engine,
}

#[derive(Debug, Clone)]
enum Engine {
    TvL1(TvL1),
    Brox(Brox),
}

/// Scratch memory of [`Estimator::compute_with`], kept from pair to pair. It fits
/// itself to the estimator and the pair; what it holds never shows in a result.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    // The memory of one method at a time.
    tvl1: Option<Box<TvL1Workspace>>,
    brox: Option<Box<BroxWorkspace>>,
}

impl Workspace {
    /// The memory of TV-L1, fresh where it was another method's.
    fn tvl1(&mut self) -> &mut TvL1Workspace {
        self.brox = None;
        self.tvl1.get_or_insert_default()
    }

    /// The memory of Brox et al., fresh where it was another method's.
    fn brox(&mut self) -> &mut BroxWorkspace {
        self.tvl1 = None;
        self.brox.get_or_insert_default()
    }
}

impl Estimator {
    /// An estimator of this method. It works on the calling thread.
    ///
    /// # Errors
    /// [`FlowError::Parameter`] or [`FlowError::BroxParameter`] when a parameter is
    /// outside its range.
    pub fn new(method: Method) -> Result<Self, FlowError> {
        let engine = match method {
            Method::TvL1(params) => Engine::TvL1(TvL1::new(params)?),
            Method::Brox(params) => Engine::Brox(Brox::new(params)?),
        };
        Ok(Self { engine })
    }

    /// The same with each pair shared out over so many threads of rayon's pool.
    /// Results are the same to the bit. A program that has many videos at once
    /// is better off with a video per thread.
    #[must_use]
    pub fn with_threads(self, threads: NonZeroUsize) -> Self {
        let engine = match self.engine {
            Engine::TvL1(tvl1) => Engine::TvL1(tvl1.with_threads(threads)),
            Engine::Brox(brox) => Engine::Brox(brox.with_threads(threads)),
        };
        Self { engine }
    }

    /// The method with its parameters.
    pub fn method(&self) -> Method {
        match &self.engine {
            Engine::TvL1(tvl1) => Method::TvL1(tvl1.params().clone()),
            Engine::Brox(brox) => Method::Brox(brox.params().clone()),
        }
    }

    /// Empty scratch memory for [`Estimator::compute_with`].
    pub fn workspace(&self) -> Workspace {
        Workspace::default()
    }

    /// The flow from `from` to `to`, H x W vectors in pixels: what is at (x, y)
    /// in `from` is at (x + u, y + v) in `to`.
    ///
    /// # Errors
    /// When the pictures differ in size, a buffer has the wrong length, or an
    /// intensity is not finite.
    pub fn compute(&self, from: &GrayImage, to: &GrayImage) -> Result<FlowField, FlowError> {
        self.compute_with(&mut self.workspace(), from, to)
    }

    /// [`Estimator::compute`] with scratch memory of the caller's, for many pairs
    /// of one size. The result is the same.
    ///
    /// # Errors
    /// As [`Estimator::compute`].
    pub fn compute_with(
        &self,
        workspace: &mut Workspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<FlowField, FlowError> {
        match &self.engine {
            Engine::TvL1(tvl1) => tvl1.compute_with(workspace.tvl1(), from, to),
            Engine::Brox(brox) => brox.compute_with(workspace.brox(), from, to),
        }
    }

    /// The flow from `from` to `to` and that from `to` to `from`: the same as of
    /// two calls, with the work that they share done once.
    ///
    /// # Errors
    /// As [`Estimator::compute`].
    pub fn compute_both(
        &self,
        workspace: &mut Workspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<[FlowField; 2], FlowError> {
        match &self.engine {
            Engine::TvL1(tvl1) => tvl1.compute_both(workspace.tvl1(), from, to),
            Engine::Brox(brox) => brox.compute_both(workspace.brox(), from, to),
        }
    }

    /// The flow along a video, frame by frame.
    pub fn stream(&self) -> Stream {
        Stream { estimator: self.clone(), workspace: self.workspace(), size: None }
    }
}

/// The flow between each frame of a video and the next: what
/// [`Estimator::compute_with`] gives for each pair, without doing a frame's share
/// of the work twice.
#[derive(Debug, Clone)]
pub struct Stream {
    estimator: Estimator,
    workspace: Workspace,
    /// Width and height of the frames so far.
    size: Option<(usize, usize)>,
}

impl Stream {
    /// Takes the next frame and gives the flow from the one before to it; none
    /// for the first.
    ///
    /// # Errors
    /// When the frame differs in size from the one before, its buffer has the
    /// wrong length, or an intensity is not finite. The frame is then as if it had
    /// not come.
    pub fn push(&mut self, frame: &GrayImage) -> Result<Option<FlowField>, FlowError> {
        if !self.take(frame)? {
            return Ok(None);
        }
        match &self.estimator.engine {
            Engine::TvL1(tvl1) => tvl1.solve(self.workspace.tvl1(), 0, 1).map(Some),
            Engine::Brox(brox) => brox.solve(self.workspace.brox(), 0, 1).map(Some),
        }
    }

    /// [`Stream::push`] in both directions: the flow from the frame before to this
    /// one, and the flow back.
    ///
    /// # Errors
    /// As [`Stream::push`].
    pub fn push_both(&mut self, frame: &GrayImage) -> Result<Option<[FlowField; 2]>, FlowError> {
        if !self.take(frame)? {
            return Ok(None);
        }
        match &self.estimator.engine {
            Engine::TvL1(tvl1) => {
                let space = self.workspace.tvl1();
                Ok(Some([tvl1.solve(space, 0, 1)?, tvl1.solve(space, 1, 0)?]))
            }
            Engine::Brox(brox) => {
                let space = self.workspace.brox();
                Ok(Some([brox.solve(space, 0, 1)?, brox.solve(space, 1, 0)?]))
            }
        }
    }

    /// Forgets the frames so far, as at a cut; the memory is kept.
    pub fn restart(&mut self) {
        self.size = None;
    }

    /// Takes over a frame; true when there is one before it.
    fn take(&mut self, frame: &GrayImage) -> Result<bool, FlowError> {
        frame.check("pushed")?;
        let size = (frame.width, frame.height);
        if let Some(before) = self.size {
            same_size(before, size)?;
        }
        match &self.estimator.engine {
            Engine::TvL1(tvl1) => tvl1.next_frame(self.workspace.tvl1(), frame),
            Engine::Brox(brox) => brox.next_frame(self.workspace.brox(), frame),
        }
        Ok(self.size.replace(size).is_some())
    }
}
