//! Corner cropping and scale jittering (Temporal Segment Networks, Sect. 3.2).

use rand::Rng;
use serde::{Deserialize, Serialize};

use super::crop::{Crop, slack};
use crate::error::InputError;

/// Crops of several sizes at fixed places, as in the public code of Temporal Segment Networks.
///
/// A side is the frame's short side times one of `scales`, rounded down. A side within two pixels of
/// the input's is set to the input's, so that rounding alone causes no resizing. Width and height are
/// drawn together, uniformly over the pairs whose scales are at most `max_distance` apart in the
/// list; then the place is drawn uniformly.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MultiScale {
    /// Factors on the frame's short side, above 0 and at most 1.
    pub scales: Vec<f64>,
    /// Largest distance between the scales of width and height, in positions of the list.
    pub max_distance: usize,
    /// Positions of the crops.
    pub places: Places,
}

/// Positions of the crops of [`MultiScale`]: multiples of a quarter of the margin. The quarter is rounded
/// down, so a right or lower corner may lie up to three pixels from the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Places {
    /// The four corners and the centre.
    Five,
    /// The five, the middles of the sides and the four points half-way from the centre to the corners ("more
    /// fix crop" in the public code).
    Thirteen,
}

impl Places {
    /// Quarters of the margin, across and down.
    fn quarters(self) -> &'static [(usize, usize)] {
        const ALL: [(usize, usize); 13] = [
            (0, 0),
            (4, 0),
            (0, 4),
            (4, 4),
            (2, 2),
            (0, 2),
            (4, 2),
            (2, 4),
            (2, 0),
            (1, 1),
            (3, 1),
            (1, 3),
            (3, 3),
        ];
        match self {
            Self::Five => &ALL[..5],
            Self::Thirteen => &ALL,
        }
    }
}

impl MultiScale {
    /// The published settings: 1, 0.875, 0.75 and 0.66, one step apart.
    #[must_use]
    pub fn published(places: Places) -> Self {
        Self { scales: vec![1.0, 0.875, 0.75, 0.66], max_distance: 1, places }
    }

    pub(super) fn validate(&self) -> Result<(), InputError> {
        if !self.scales.is_empty() && self.scales.iter().all(|&scale| scale > 0.0 && scale <= 1.0) {
            return Ok(());
        }
        Err(InputError::Spec {
            name: "the scales of crops",
            expected: "one or more, above 0 and at most 1",
            found: format!("{:?}", self.scales),
        })
    }

    /// Lists width and height of every crop that may be drawn, ordered by the scale of the height, then of the width.
    ///
    /// # Errors
    /// Invalid scales; a side that is empty or longer than the frame's.
    pub fn sizes(
        &self,
        frame: (usize, usize),
        size: (usize, usize),
    ) -> Result<Vec<(usize, usize)>, InputError> {
        self.validate()?;
        let short = frame.0.min(frame.1);
        let side = |scale: f64, input: usize| {
            let side = (short as f64 * scale) as usize;
            if side.abs_diff(input) < 3 { input } else { side }
        };
        let mut sizes = Vec::new();
        for (i, &down) in self.scales.iter().enumerate() {
            for (j, &across) in self.scales.iter().enumerate() {
                if i.abs_diff(j) <= self.max_distance {
                    let crop = (side(across, size.0), side(down, size.1));
                    slack(frame, crop)?;
                    sizes.push(crop);
                }
            }
        }
        Ok(sizes)
    }

    pub(super) fn check(&self, frame: (usize, usize), size: (usize, usize)) -> Result<(), InputError> {
        self.sizes(frame, size).map(|_| ())
    }

    /// Draws a crop, not mirrored.
    pub(super) fn draw(
        &self,
        frame: (usize, usize),
        size: (usize, usize),
        rng: &mut impl Rng,
    ) -> Result<Crop, InputError> {
        let sizes = self.sizes(frame, size)?;
        let (width, height) = sizes[rng.random_range(0..sizes.len() as u64) as usize];
        let places = self.places.quarters();
        let (across, down) = places[rng.random_range(0..places.len() as u64) as usize];
        let x = across * ((frame.0 - width) / 4);
        let y = down * ((frame.1 - height) / 4);
        Ok(Crop { x, y, width, height, flip: false })
    }
}
