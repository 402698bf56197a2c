//! Fills the places of samples in a batch.

use std::collections::BTreeMap;

use base::Modality;

use crate::augment::Crop;
use crate::inputs::{InputError, Scratch, View};
use crate::sample::{SampleInput, SampleSpec};
use crate::{DataError, VideoReader};

/// The inputs of some samples, by modality.
pub type Inputs = BTreeMap<Modality, InputBatch>;

/// One input of a batch.
#[derive(Clone, Debug, PartialEq)]
pub struct InputBatch {
    /// The values, (B, T, C, H, W) in row-major order.
    pub data: Vec<f32>,
    /// B samples, T time steps, C channels, H rows, W columns.
    pub shape: [usize; 5],
}

/// One sample, whose crops become inputs.
pub(super) struct Sample<'a> {
    pub(super) spec: &'a SampleSpec,
    pub(super) video: &'a dyn VideoReader,
    /// First frame of each time step.
    pub(super) time_steps: &'a [usize],
    /// Width and height that the crops are resized to.
    pub(super) size: (usize, usize),
    /// Offsets added to R, G and B.
    pub(super) colour: [f32; 3],
}

impl Sample<'_> {
    /// Writes one of the inputs: one part (T, C, H, W) of `out` after another, one for each of the `crops`.
    pub(super) fn fill(
        &self,
        placed: &SampleInput,
        crops: &[Crop],
        out: &mut [f32],
        scratch: &mut Scratch,
    ) -> Result<(), DataError> {
        let Self { spec, video, time_steps, size, colour } = *self;
        let read_at = spec.read_at(placed);
        let time_step = placed.input.channels() * size.0 * size.1;
        let expected = crops.len() * read_at.len() * time_step;
        if out.len() != expected {
            return Err(InputError::Output { expected, found: out.len() }.into());
        }
        // Time step by time step over all crops, so that each field is read once for all of them.
        let mut parts: Vec<_> = out
            .chunks_exact_mut(read_at.len() * time_step)
            .map(|all| all.chunks_exact_mut(time_step))
            .collect();
        for k in read_at {
            let mut views: Vec<View> = crops
                .iter()
                .zip(&mut parts)
                .filter_map(|(&crop, part)| part.next().map(|out| View { crop, size, colour, out }))
                .collect();
            placed.input.paint(video, time_steps[k] + spec.offset(placed), &mut views, scratch)?;
        }
        Ok(())
    }
}
