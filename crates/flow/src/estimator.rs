//! One face for all methods of estimating flow.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

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
}

/// Scratch memory of [`Estimator::compute_with`], kept from pair to pair. It fits
/// itself to the estimator and the pair; what it holds never shows in a result.
#[derive(Debug, Clone)]
pub struct Workspace {
    space: Space,
}

#[derive(Debug, Clone)]
enum Space {
    TvL1(Box<TvL1Workspace>),
}

impl Space {
    /// The memory of this method, fresh where it was another's.
    fn tvl1(&mut self) -> &mut TvL1Workspace {
        match self {
            Self::TvL1(space) => space,
        }
    }
}

impl Estimator {
    /// An estimator of this method. It works on the calling thread.
    ///
    /// # Errors
    /// [`FlowError::Parameter`] when a parameter is outside its range.
    pub fn new(method: Method) -> Result<Self, FlowError> {
        let engine = match method {
            Method::TvL1(params) => Engine::TvL1(TvL1::new(params)?),
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
        };
        Self { engine }
    }

    /// The method with its parameters.
    pub fn method(&self) -> Method {
        match &self.engine {
            Engine::TvL1(tvl1) => Method::TvL1(tvl1.params().clone()),
        }
    }

    /// Empty scratch memory for [`Estimator::compute_with`].
    pub fn workspace(&self) -> Workspace {
        let space = match &self.engine {
            Engine::TvL1(tvl1) => Space::TvL1(Box::new(tvl1.workspace())),
        };
        Workspace { space }
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
            Engine::TvL1(tvl1) => tvl1.compute_with(workspace.space.tvl1(), from, to),
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
            Engine::TvL1(tvl1) => tvl1.compute_both(workspace.space.tvl1(), from, to),
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
            Engine::TvL1(tvl1) => tvl1.solve(self.workspace.space.tvl1(), 0, 1).map(Some),
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
                let space = self.workspace.space.tvl1();
                Ok(Some([tvl1.solve(space, 0, 1)?, tvl1.solve(space, 1, 0)?]))
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
            Engine::TvL1(tvl1) => tvl1.next_frame(self.workspace.space.tvl1(), frame),
        }
        Ok(self.size.replace(size).is_some())
    }
}
