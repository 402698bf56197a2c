//! Common interface of all methods of estimating flow.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};

use crate::coarse_to_fine::Space;
use crate::error::same_size;
use crate::{BroxParams, DisParams, FlowError, FlowField, GrayImage, TvL1Params};

/// A method with its parameters. In a spec file the key `method` names it, next
/// to the parameters.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "method", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Method {
    /// Coarse-to-fine TV-L1: `method = "tv-l1"`.
    #[serde(rename = "tv-l1")]
    TvL1(TvL1Params),
    /// Brox et al. 2004: `method = "brox"`.
    Brox(BroxParams),
    /// Dense inverse search, Kroeger et al. 2016: `method = "dis"`.
    Dis(DisParams),
}

/// An estimator of any method: checked parameters, ready for any number of
/// pairs.
#[derive(Debug, Clone)]
pub struct Estimator {
    method: Method,
    threads: NonZeroUsize,
}

/// Scratch memory of [`Estimator::compute_with`], kept from pair to pair. It adapts
/// to the estimator and the pair. Results do not depend on its previous content.
#[derive(Debug, Clone, Default)]
pub struct Workspace {
    // Only one method at a time has memory.
    tvl1: Option<Box<Space<TvL1Params>>>,
    brox: Option<Box<Space<BroxParams>>>,
    dis: Option<Box<Space<DisParams>>>,
}

impl Workspace {
    /// Returns the memory of TV-L1, newly created if another method used the workspace.
    fn tvl1(&mut self) -> &mut Space<TvL1Params> {
        (self.brox, self.dis) = (None, None);
        self.tvl1.get_or_insert_default()
    }

    /// Returns the memory of Brox et al., newly created if another method used the workspace.
    fn brox(&mut self) -> &mut Space<BroxParams> {
        (self.tvl1, self.dis) = (None, None);
        self.brox.get_or_insert_default()
    }

    /// Returns the memory of DIS, newly created if another method used the workspace.
    fn dis(&mut self) -> &mut Space<DisParams> {
        (self.tvl1, self.brox) = (None, None);
        self.dis.get_or_insert_default()
    }
}

impl Estimator {
    /// Creates an estimator of this method that works on the calling thread.
    ///
    /// # Errors
    /// [`FlowError::Parameter`] if a parameter is outside its range.
    pub fn new(method: Method) -> Result<Self, FlowError> {
        match &method {
            Method::TvL1(params) => params.check()?,
            Method::Brox(params) => params.check()?,
            Method::Dis(params) => params.check()?,
        }
        Ok(Self { method, threads: NonZeroUsize::MIN })
    }

    /// Divides each pair over that many threads of rayon's pool. Results are the
    /// same bit for bit. A program with many videos at once should rather use one
    /// thread per video.
    #[must_use]
    pub fn with_threads(self, threads: NonZeroUsize) -> Self {
        Self { threads, ..self }
    }

    /// Returns the method with its parameters.
    pub fn method(&self) -> Method {
        self.method.clone()
    }

    /// Creates empty scratch memory for [`Estimator::compute_with`].
    pub fn workspace(&self) -> Workspace {
        Workspace::default()
    }

    /// Computes the flow from `from` to `to`, H x W vectors in pixels: the point at
    /// (x, y) in `from` is at (x + u, y + v) in `to`.
    ///
    /// # Errors
    /// If the pictures differ in size, a buffer has the wrong length, or an
    /// intensity is not finite.
    pub fn compute(&self, from: &GrayImage, to: &GrayImage) -> Result<FlowField, FlowError> {
        self.compute_with(&mut self.workspace(), from, to)
    }

    /// Computes the same flow as [`Estimator::compute`] with scratch memory of the
    /// caller, for many pairs of one size.
    ///
    /// # Errors
    /// As for [`Estimator::compute`].
    pub fn compute_with(
        &self,
        workspace: &mut Workspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<FlowField, FlowError> {
        self.take_both(workspace, from, to)?;
        self.solve(workspace, [0, 1])
    }

    /// Computes the flow from `from` to `to` and the flow from `to` to `from`. The
    /// result is that of two calls, but their common work is done once.
    ///
    /// # Errors
    /// As for [`Estimator::compute`].
    pub fn compute_both(
        &self,
        workspace: &mut Workspace,
        from: &GrayImage,
        to: &GrayImage,
    ) -> Result<[FlowField; 2], FlowError> {
        self.take_both(workspace, from, to)?;
        Ok([self.solve(workspace, [0, 1])?, self.solve(workspace, [1, 0])?])
    }

    /// Checks a pair of pictures and takes over both.
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
            Method::Dis(params) => workspace.dis().next_frame(params, self.threads, frame),
        }
    }

    /// Computes the flow from one of the two frames, 0 or 1, to the other.
    fn solve(&self, workspace: &mut Workspace, pair: [usize; 2]) -> Result<FlowField, FlowError> {
        match &self.method {
            Method::TvL1(params) => workspace.tvl1().solve(params, self.threads, pair),
            Method::Brox(params) => workspace.brox().solve(params, self.threads, pair),
            Method::Dis(params) => workspace.dis().solve(params, self.threads, pair),
        }
    }

    /// Returns a stream for the flow along a video, frame by frame.
    pub fn stream(&self) -> Stream {
        Stream { estimator: self.clone(), workspace: self.workspace(), size: None }
    }
}

/// Computes the flow between each frame of a video and the next, as
/// [`Estimator::compute_with`] does for each pair, but processes each frame only
/// once.
#[derive(Debug, Clone)]
pub struct Stream {
    estimator: Estimator,
    workspace: Workspace,
    /// Width and height of the frames so far.
    size: Option<(usize, usize)>,
}

impl Stream {
    /// Takes the next frame and returns the flow from the previous frame to it;
    /// `None` for the first frame.
    ///
    /// # Errors
    /// If the frame differs in size from the previous one, its buffer has the wrong
    /// length, or an intensity is not finite. The stream is then unchanged.
    pub fn push(&mut self, frame: &GrayImage) -> Result<Option<FlowField>, FlowError> {
        if !self.take(frame)? {
            return Ok(None);
        }
        self.estimator.solve(&mut self.workspace, [0, 1]).map(Some)
    }

    /// Takes the next frame and returns the flow in both directions: from the
    /// previous frame to this one, and back.
    ///
    /// # Errors
    /// As for [`Stream::push`].
    pub fn push_both(&mut self, frame: &GrayImage) -> Result<Option<[FlowField; 2]>, FlowError> {
        if !self.take(frame)? {
            return Ok(None);
        }
        let Self { estimator, workspace, .. } = self;
        Ok(Some([estimator.solve(workspace, [0, 1])?, estimator.solve(workspace, [1, 0])?]))
    }

    /// Takes the next frame and returns the flow from it to the previous frame; `None` for the first frame.
    ///
    /// # Errors
    /// As for [`Stream::push`].
    pub fn push_back(&mut self, frame: &GrayImage) -> Result<Option<FlowField>, FlowError> {
        if !self.take(frame)? {
            return Ok(None);
        }
        self.estimator.solve(&mut self.workspace, [1, 0]).map(Some)
    }

    /// Forgets the frames so far, as at a cut, but keeps the memory.
    pub fn restart(&mut self) {
        self.size = None;
    }

    /// Takes over a frame; returns `true` if there is a previous one.
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
