//! Inputs and outputs of networks.

use std::collections::BTreeMap;

use base::Modality;
use candle_core::Tensor;
use nn::Pass;

use crate::Result;

/// A batch: a tensor (B, T, C, H, W) for each modality. A network reads only the modalities that it needs.
#[derive(Debug, Clone, Default)]
pub struct Inputs {
    parts: BTreeMap<Modality, Tensor>,
}

impl Inputs {
    /// Returns the tensor of a modality.
    pub fn get(&self, modality: Modality) -> Option<&Tensor> {
        self.parts.get(&modality)
    }

    /// Sets the tensor of a modality, and replaces the previous one.
    pub fn insert(&mut self, modality: Modality, tensor: Tensor) {
        self.parts.insert(modality, tensor);
    }

    /// Iterates over all tensors, in the order of the modalities' names.
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

/// Output of one classifier.
#[derive(Debug, Clone)]
pub struct Head {
    /// Name of the head: `main` for a single head, otherwise the name of its layer.
    pub name: String,
    /// Class scores before the softmax, (B, K).
    pub logits: Tensor,
    /// Index of its task, from 0. Several heads of one task all learn from the task's samples, and their scores are
    /// averaged.
    pub task: usize,
}

/// Outputs of a network for a batch.
#[derive(Debug, Clone)]
pub struct Outputs {
    /// Outputs of the classifiers, at least one.
    pub heads: Vec<Head>,
    /// Features that the first classifier reads, (B, F), before dropout.
    pub features: Option<Tensor>,
    /// Attention weights of the spatial positions of the frames, (B, H, W); the weights of a frame sum to one. Only for networks
    /// with attention.
    pub attention: Option<Tensor>,
}

/// A network that classifies batches.
pub trait Network: Send + Sync {
    /// Returns the modalities that it needs, in the order of a sample's inputs.
    fn reads(&self) -> &[Modality];

    /// Runs a batch through the network. All inputs have the same number of samples, and for clips the same number of time
    /// steps.
    ///
    /// # Errors
    /// If an input is missing or of the wrong shape.
    fn forward(&self, inputs: &Inputs, pass: &Pass) -> Result<Outputs>;
}
