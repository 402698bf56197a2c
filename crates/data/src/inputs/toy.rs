//! The smallest input, for tests. This file and its line of the list in `inputs.rs` are all it takes to add an input.

use base::Modality;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::kind::{Kind, Spelled};
use super::paint::Scratch;
use super::view::{View, check_frames, check_views};
use crate::error::{DataError, InputError};
use crate::source::VideoReader;

/// The number of the frame, everywhere, times a factor.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Toy {
    /// The factor.
    pub factor: f32,
}

impl Spelled for Toy {
    type Keys = Self;

    fn scaled(keys: &Self, size: f64) -> Self {
        Self { factor: keys.factor * size as f32 }
    }
}

impl Kind for Toy {
    fn modality(&self) -> Modality {
        Modality::new("toy")
    }

    fn stream(&self) -> &'static str {
        "toy"
    }

    fn label(&self) -> String {
        "the time".into()
    }

    fn content(&self) -> &'static str {
        "time"
    }

    fn validate(&self) -> Result<(), InputError> {
        Ok(())
    }

    fn channels(&self) -> usize {
        1
    }

    fn span(&self) -> usize {
        1
    }

    fn paint(
        &self,
        video: &dyn VideoReader,
        start: usize,
        views: &mut [View<'_>],
        _scratch: &mut Scratch,
    ) -> Result<(), DataError> {
        check_views(views, 1, video.size())?;
        check_frames(video, start, 1)?;
        views.iter_mut().for_each(|view| view.out.fill(start as f32 * self.factor));
        Ok(())
    }
}
