//! One face for all methods of estimating flow.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::coarse_to_fine::Space;
use crate::error::same_size;
use crate::{BroxParams, FlowError, FlowField, GrayImage, TvL1Params};

/// A method with its parameters. In a spec file `method` names it, beside the
/// parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// Coarse-to-fine TV-L1: `method = "tv-l1"`.
    #[serde(rename = "tv-l1")]
    TvL1(TvL1Params),
    /// Brox et al. 2004: `method = "brox"`.
    Brox(BroxParams),
}

/// An estimator of any method: checked parameters, ready for any number of
/// pairs.
#[derive(Debug, Clone)]
pub struct Estimator {
    method: Method,
    threads: NonZeroUsize,
}

/// Scratch memory of [`Estimator::compute_with`], kept from pair to pair. It fits
/// itself to the estimator and the pair; what it holds never shows in a result.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    // The memory of one method at a time.
    tvl1: Option<Box<Space<TvL1Params>>>,
    brox: Option<Box<Space<BroxParams>>>,
}

impl Workspace {
    /// The memory of TV-L1, fresh where it was another method's.
    fn tvl1(&mut self) -> &mut Space<TvL1Params> {
        self.brox = None;
        self.tvl1.get_or_insert_default()
    }

    /// The memory of Brox et al., fresh where it was another method's.
    fn brox(&mut self) -> &mut Space<BroxParams> {
        self.tvl1 = None;
        self.brox.get_or_insert_default()
    }
}

impl Estimator {
    /// An estimator of this method. It works on the calling thread.
    ///
    /// # Errors
    /// [`FlowError::Parameter`] when a parameter is outside its range.
    pub fn new(method: Method) -> Result<Self, FlowError> {
        match &method {
            Method::TvL1(params) => params.check()?,
            Method::Brox(params) => params.check()?,
        }
        Ok(Self { method, threads: NonZeroUsize::MIN })
    }

    /// The same with each pair shared out over so many threads of rayon's pool.
    /// Results are the same to the bit. A program that has many videos at once
    /// is better off with a video per thread.
    #[must_use]
    pub fn with_threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }

    /// The method with its parameters.
    pub fn method(&self) -> Method {
        self.method.clone()
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
        self.take_both(workspace, from, to)?;
        self.solve(workspace, [0, 1])
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
        self.take_both(workspace, from, to)?;
        Ok([self.solve(workspace, [0, 1])?, self.solve(workspace, [1, 0])?])
    }

    /// Takes over a pair of pictures.
    fn take_both(
        &self,
        workspace: &mut Workspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<(), FlowError> {
        from.check("first")?;
        to.check("second")?;
        same_size((from.width, from.height), (to.width, to.height))?;
        self.next_frame(workspace, from);
        self.next_frame(workspace, to);
        Ok(())
    }

    /// Takes over a checked frame as the second; the second becomes the first.
    fn next_frame(&self, workspace: &mut Workspace, frame: &GrayImage) {
        match &self.method {
            Method::TvL1(params) => workspace.tvl1().next_frame(params, self.threads, frame),
            Method::Brox(params) => workspace.brox().next_frame(params, self.threads, frame),
        }
    }

    /// The flow from one of the two frames, 0 or 1, to the other.
    fn solve(&self, workspace: &mut Workspace, pair: [usize; 2]) -> Result<FlowField, FlowError> {
        match &self.method {
            Method::TvL1(params) => workspace.tvl1().solve(params, self.threads, pair),
            Method::Brox(params) => workspace.brox().solve(params, self.threads, pair),
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
        self.estimator.solve(&mut self.workspace, [0, 1]).map(Some)
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
        let Self { estimator, workspace, .. } = self;
        Ok(Some([estimator.solve(workspace, [0, 1])?, estimator.solve(workspace, [1, 0])?]))
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
        self.estimator.next_frame(&mut self.workspace, frame);
        Ok(self.size.replace(size).is_some())
    }
}
