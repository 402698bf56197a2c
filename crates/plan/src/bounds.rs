//! Bounds on the numbers of a plan, whatever its source: a spec, a record, or the folder of a row that somebody else has
//! exported.

use data::sample::TimeSteps;

use crate::net::{ContrastivePlan, NetPlan, PairsPlan, Protocol, TestPlan, TrainPlan, VideoPlan};
use crate::spec::range::{MOST, MOST_ITERATIONS, PENALTY, POSITIVE, SHARE, counted};

/// Largest number of softmax layers of a net.
const MOST_TASKS: usize = 64;

/// Largest number of classes of a data set.
const MOST_CLASSES: usize = 1 << 24;

/// Largest distance between neighbouring time steps, in frames.
const LONGEST: usize = 1 << 24;

impl Protocol {
    /// Checks that every number of the training and the test is within its bounds.
    ///
    /// # Errors
    /// A message with the first number out of bounds and the expected range.
    pub fn check(&self) -> Result<(), String> {
        self.net.check()?;
        let TestPlan { frames, .. } = self.test;
        frames.map_or(Ok(()), |frames| counted("test.frames", frames, MOST).map(drop))?;
        self.tested().0.validate().map_err(|error| error.to_string())
    }
}

impl NetPlan {
    /// Checks that every number of this stage and of the stages before it is within its bounds.
    ///
    /// # Errors
    /// A message with the first number out of bounds and the expected range, or the error of a network or an input that
    /// refuses its settings.
    pub fn check(&self) -> Result<(), String> {
        let in_words = |error: &dyn std::fmt::Display| error.to_string();
        if self.data.is_empty() {
            return Err("the net learns from no data set, expected at least one".into());
        }
        for data in &self.data {
            counted("classes", data.classes, MOST_CLASSES)?;
            counted("the number of tasks", data.task.saturating_add(1), MOST_TASKS)?;
        }
        let VideoPlan { short_side, flow_bound, videos_per_class, .. } = self.video;
        counted("short-side", short_side, MOST)?;
        counted("crop", self.crop, MOST)?;
        flow_bound.map_or(Ok(0.0), |bound| POSITIVE.check("flow-bound", bound.into()))?;
        videos_per_class.map_or(Ok(1), |videos| counted("videos-per-class", videos, usize::MAX))?;
        if let Some(method) = &self.video.flow {
            flow::Estimator::new(method.clone()).map_err(|error| in_words(&error))?;
        }
        self.sample.validate().map_err(|error| in_words(&error))?;
        counted("the number of time steps", self.sample.time_steps.count(), MOST)?;
        match self.sample.time_steps {
            TimeSteps::Strided { to, .. } => counted("the distance between time steps", to, LONGEST)?,
            TimeSteps::Grid { every } => counted("the distance between time steps", every, LONGEST)?,
            TimeSteps::Windows { stride, .. } => counted("the distance between windows", stride, LONGEST)?,
            TimeSteps::Single | TimeSteps::Segments { .. } | TimeSteps::Spread { .. } => 1,
        };
        self.model.summary().map_err(|error| in_words(&error))?;
        self.train.check()?;
        self.train.start.nets().into_iter().try_for_each(|(_, net)| net.check())
    }
}

impl TrainPlan {
    fn check(&self) -> Result<(), String> {
        let Self { batch, iterations, momentum, weight_decay, clip_gradient_norm, factors, .. } = *self;
        counted("batch", batch, MOST)?;
        counted("iterations", iterations, MOST_ITERATIONS)?;
        SHARE.check("momentum", momentum)?;
        PENALTY.check("weight-decay", weight_decay)?;
        clip_gradient_norm.map_or(Ok(0.0), |norm| POSITIVE.check("clip-gradient-norm", norm))?;
        POSITIVE.check("bias-rate", factors.bias_rate)?;
        PENALTY.check("bias-decay", factors.bias_decay)?;
        POSITIVE.check("first-layer-rate", factors.first_layer_rate)?;
        POSITIVE.check("the learning rate", self.schedule.base_lr)?;
        self.schedule.validate().map_err(|error| error.to_string())?;
        self.augmentation.validate().map_err(|error| error.to_string())?;
        let Some(PairsPlan { dissimilar, contrastive, .. }) = self.pairs else { return Ok(()) };
        counted("pairs", dissimilar.saturating_add(1), MOST)?;
        contrastive.map_or(Ok(()), |ContrastivePlan { margin, weight, .. }| {
            POSITIVE.check("contrastive.margin", margin)?;
            POSITIVE.check("contrastive.weight", weight).map(drop)
        })
    }
}
