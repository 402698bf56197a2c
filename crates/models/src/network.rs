//! What goes into a network and what comes out.

use candle_core::Tensor;
use nn::Pass;

use crate::Result;

/// A batch. Each part is (B, S, C, H, W); a network reads the parts that it needs.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    /// Frames.
    pub rgb: Option<Tensor>,
    /// Stacks of optical flow.
    pub flow: Option<Tensor>,
}

impl Inputs {
    /// The part of that kind.
    pub fn get(&self, modality: Modality) -> Option<&Tensor> {
        match modality {
            Modality::Rgb => self.rgb.as_ref(),
            Modality::Flow => self.flow.as_ref(),
        }
    }
}

/// A kind of input.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Modality {
    /// Frames.
    Rgb,
    /// Stacks of optical flow.
    Flow,
}

impl Modality {
    /// Three channels are a frame; a stack of flow has an even number.
    pub(crate) fn of_channels(channels: usize) -> Self {
        if channels == 3 { Self::Rgb } else { Self::Flow }
    }

    /// The name of its part of [`Inputs`].
    pub fn name(self) -> &'static str {
        match self {
            Self::Rgb => "rgb",
            Self::Flow => "flow",
        }
    }
}

/// One classifier's answer.
#[derive(Debug, Clone)]
pub struct Head {
    /// Name of the head: `main` if there is one, that of its layer if there are several.
    pub name: String,
    /// (B, K), before the softmax.
    pub logits: Tensor,
    /// The task that it answers, counted from 0. Several heads of one task all learn from its samples, and their
    /// scores are averaged.
    pub task: usize,
}

/// What a network says about a batch.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// One or more classifiers.
    pub heads: Vec<Head>,
    /// What the first classifier reads, (B, F), before dropout.
    pub features: Option<Tensor>,
    /// Of a network that attends, the weights of the places of its frames, (B, H, W); those of a frame sum to one.
    pub attention: Option<Tensor>,
}

/// A network that classifies batches.
pub trait Network: Send + Sync {
    /// The parts of [`Inputs`] that it needs.
    fn reads(&self) -> &[Modality];

    /// Runs the batch through; all inputs have as many samples, and as many moments where it sees clips.
    ///
    /// # Errors
    /// If an input is missing or of the wrong shape.
    fn forward(&self, inputs: &Inputs, pass: &Pass) -> Result<Outputs>;
}
