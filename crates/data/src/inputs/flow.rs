//! Displacement fields stacked as channels (Two-Stream ConvNets, Sect. 3.1).
//!
//! Write d_t for the field from frame t to frame t + 1 and let an input start at
//! frame s. All three kinds read the L + 1 frames s..=s+L, so that rows that
//! differ only in the kind see the same frames:
//!
//! | kind | channels 2k-1, 2k (k = 1..L) |
//! |---|---|
//! | `stack` (eq. 1) | x, y of d_{s+k-1} at (u, v) |
//! | `trajectory` (eq. 2) | x, y of d_{s+k-1} at p_k; p_1 = (u, v), p_k = p_{k-1} + d_{s+k-2}(p_{k-1}) |
//! | `bi-directional` | k <= L/2: forward field from frame c+k-1 to c+k; k > L/2: backward field from c-j to c-j-1, j = k-1-L/2; c = s + L/2 |
//!
//! A bi-directional input thus leads away from its central frame c in both
//! directions, the forward half first.
//!
//! Three rules that the paper leaves open:
//! - p_k is real-valued: the field is read there bilinearly.
//! - A point that would leave the frame is moved to the nearest point of the
//!   border, stays in the stack, and may come back. The path may leave the crop.
//! - The path follows the field as it was estimated. The mean is subtracted only
//!   from the values that enter the input.
//!
//! Mean subtraction removes from each component its mean over the whole field,
//! not over the crop, because the mean stands for the camera's motion.

use base::Modality;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{FlowUse, Kind, Spelled};
use super::paint::{Painter, Scratch};
use super::view::{View, check_views, read_field};
use crate::error::{DataError, InputError};
use crate::source::{Direction, VideoReader, Window};

/// Points at which the L fields of an input are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sampling {
    /// All at the same pixel (eq. 1).
    Stack,
    /// Along the path of the pixel's motion (eq. 2).
    Trajectory,
    /// At the same pixel, half of them forward and half backward from the central frame.
    BiDirectional,
}

/// Largest L: more than any video needs, and small enough that no size computed from L overflows.
const MOST_FIELDS: usize = 1000;

/// One temporal input: L displacement fields as 2L channels.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FlowStack {
    /// Points at which the fields are read.
    pub sampling: Sampling,
    /// L, the number of fields.
    pub length: usize,
    /// Subtracts each field's mean vector from it.
    pub mean_subtraction: bool,
    /// Factor on the values, after the mean is subtracted: with s, a motion of
    /// 1/s pixels a frame enters the network as 1. The paper states none.
    pub scale: f32,
}

/// A volume of optical flow, 2L channels, as a spec spells it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FlowKeys {
    /// Points at which the fields are read.
    sampling: Sampling,
    /// L, the number of displacement fields.
    length: usize,
    /// Subtracts each field's mean vector from it.
    mean_subtraction: bool,
}

impl Spelled for FlowStack {
    type Keys = FlowKeys;

    fn scaled(keys: &FlowKeys, size: f64) -> Self {
        let FlowKeys { sampling, length, mean_subtraction } = *keys;
        Self::of_paper(sampling, length, mean_subtraction, size)
    }
}

impl FlowStack {
    /// The stack for pictures whose sides are `size` times the paper's. Displacements shrink with the picture; the scale
    /// restores those of the paper's picture for the network.
    #[must_use]
    pub fn of_paper(sampling: Sampling, length: usize, mean_subtraction: bool, size: f64) -> Self {
        Self { sampling, length, mean_subtraction, scale: (1.0 / size) as f32 }
    }

    /// Returns direction and index of the k-th field (k from 0) of an input that starts at frame `start`.
    ///
    /// The index is that of the earlier frame of the pair, in both directions.
    #[must_use]
    pub fn field(&self, start: usize, k: usize) -> (Direction, usize) {
        let half = self.length / 2;
        match self.sampling {
            Sampling::BiDirectional if k < half => (Direction::Forward, start + half + k),
            Sampling::BiDirectional => (Direction::Backward, (start + self.length).saturating_sub(k + 1)),
            Sampling::Stack | Sampling::Trajectory => (Direction::Forward, start + k),
        }
    }
}

impl Kind for FlowStack {
    fn modality(&self) -> Modality {
        Modality::FLOW
    }

    fn stream(&self) -> &'static str {
        "temporal"
    }

    fn label(&self) -> String {
        let sampling = match self.sampling {
            Sampling::Stack => "stack",
            Sampling::Trajectory => "trajectory",
            Sampling::BiDirectional => "bi-directional",
        };
        let mean = if self.mean_subtraction { "on" } else { "off" };
        format!("{sampling}, L = {}, mean subtraction {mean}", self.length)
    }

    fn content(&self) -> &'static str {
        "optical flow"
    }

    /// Refuses L = 0 or above 1000, an odd L for a bi-directional stack and a scale that is not above 0.
    fn validate(&self) -> Result<(), InputError> {
        if self.length == 0 {
            return Err(InputError::EmptyStack);
        }
        if self.length > MOST_FIELDS {
            return Err(InputError::Spec {
                name: "the length of a stack of flow",
                expected: "at most 1000 fields",
                found: self.length.to_string(),
            });
        }
        if self.sampling == Sampling::BiDirectional && !self.length.is_multiple_of(2) {
            return Err(InputError::OddBiDirectional { length: self.length });
        }
        if !(self.scale.is_finite() && self.scale > 0.0) {
            return Err(InputError::Scale { scale: self.scale });
        }
        Ok(())
    }

    fn channels(&self) -> usize {
        2 * self.length
    }

    /// L + 1 for every sampling.
    fn span(&self) -> usize {
        self.length + 1
    }

    fn flow(&self) -> Option<FlowUse> {
        let directions: &[Direction] = match self.sampling {
            Sampling::BiDirectional => &[Direction::Forward, Direction::Backward],
            Sampling::Stack | Sampling::Trajectory => &[Direction::Forward],
        };
        Some(FlowUse { directions, scale: self.scale })
    }

    fn paint(
        &self,
        video: &dyn VideoReader,
        start: usize,
        views: &mut [View<'_>],
        scratch: &mut Scratch,
    ) -> Result<(), DataError> {
        self.validate()?;
        let size = video.size();
        let cut = check_views(views, self.channels(), size)?;
        let end = start.saturating_add(self.length);
        if end > video.fields() {
            return Err(InputError::OutOfFields { start, end, fields: video.fields() }.into());
        }

        let follow = self.sampling == Sampling::Trajectory;
        // A path may leave the crop, so it needs the whole field.
        let window = if follow { Window::whole(size) } else { cut };
        let mut painters: Vec<Painter> =
            views.iter().map(|view| Painter::new(view, window, size, self.scale, follow)).collect();
        let Scratch { field, grid, row, .. } = scratch;
        for k in 0..self.length {
            let (direction, index) = self.field(start, k);
            read_field(video, direction, index, window, field)?;
            if follow {
                grid.load(field);
            }
            let mean = if self.mean_subtraction { field.mean } else { [0.0; 2] };
            for (painter, view) in painters.iter_mut().zip(views.iter_mut()) {
                let plane = view.size.0 * view.size.1;
                let (x, y) = view.out[2 * k * plane..][..2 * plane].split_at_mut(plane);
                painter.paint(field, grid, mean, row, x, y);
            }
        }
        Ok(())
    }
}
