//! What goes into a network and what comes out.

use std::collections::BTreeMap;

use base::Modality;
use candle_core::Tensor;
use nn::Pass;

use crate::Result;

/// A batch: a tensor (B, T, C, H, W) for each modality. A network reads those that it needs.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    parts: BTreeMap<Modality, Tensor>,
}

impl Inputs {
    /// The tensor of that modality.
    pub fn get(&self, modality: Modality) -> Option<&Tensor> {
        self.parts.get(&modality)
    }

    /// Adds a tensor, in the place of the one that was there.
    pub fn insert(&mut self, modality: Modality, tensor: Tensor) {
        self.parts.insert(modality, tensor);
    }

    /// Everything that there is, in the order of the modalities' names.
    pub fn iter(&self) -> impl Iterator<Item = (Modality, &Tensor)> {
        self.parts.iter().map(|(&modality, tensor)| (modality, tensor))
    }
}

impl FromIterator<(Modality, Tensor)> for Inputs {
    fn from_iter<I: IntoIterator<Item = (Modality, Tensor)>>(parts: I) -> Self {
        Self { parts: parts.into_iter().collect() }
    }
}

impl<const N: usize> From<[(Modality, Tensor); N]> for Inputs {
    fn from(parts: [(Modality, Tensor); N]) -> Self {
        parts.into_iter().collect()
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
    /// Of a network that attends, the weights of the spatial positions of its frames, (B, H, W); those of a frame sum to one.
    pub attention: Option<Tensor>,
}

/// A network that classifies batches.
pub trait Network: Send + Sync {
    /// The modalities that it needs, in the order of a sample's inputs.
    fn reads(&self) -> &[Modality];

    /// Runs the batch through; all inputs have as many samples, and as many time steps where it sees clips.
    ///
    /// # Errors
    /// If an input is missing or of the wrong shape.
    fn forward(&self, inputs: &Inputs, pass: &Pass) -> Result<Outputs>;
}
