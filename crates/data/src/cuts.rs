//! Hard cuts inside a clip.
//!
//! Some clips are two takes joined together. Flow across the joint is meaningless, and a stack of flow fields must
//! not cross it. A joint is one frame pair that changes far more than the pairs around it and more than is usual
//! in the clip.
//!
//! The change between two frames is the mean over the pixels of `max(|difference of luma| - 8, 0)`.
//! The dead zone of 8 grey levels is essential: in compressed video each key frame changes every pixel a little,
//! which in a still scene adds up to more than an actor who vanishes; a joint changes few pixels, but by a lot.
//! A pair is a cut if its change is at least `threshold` times both the clip's median change and
//! the change of each pair within two of it. Repeated frames (every second change zero) are therefore not cuts.
//! On the Weizmann clips the eleven joints have ratios of 2.1 to 7.8; no other pair exceeds 1.3.

use crate::decode::RgbFrame;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Differences of luma up to this are coding noise.
const DEAD_ZONE: i32 = 8;
/// Largest change that counts as coding noise, in grey levels beyond the dead zone. On UCF-101's clips the second of two
/// equal frames is below it and moving frames are ten times above; in a static scene every pair is below it.
const REPEATED: f64 = 0.02;
/// Number of pairs on either side that a cut has to stand out from.
const NEIGHBOURS: usize = 2;

/// Settings of the search for cuts in a data set's clips: `[cuts]` in its file.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CutConfig {
    /// Least ratio of a cut's change to its surroundings and to the median; above 1.
    pub threshold: f64,
    /// Changes below this many grey levels (mean over the frame, beyond the dead zone) are never cuts, so that the
    /// first movement in a frozen clip does not count as one.
    pub least_change: f64,
}

/// Measures the changes of a clip frame by frame.
#[derive(Debug, Default)]
pub struct ChangeMeter {
    previous: Vec<u8>,
    changes: Vec<f64>,
}

impl ChangeMeter {
    /// Takes the next frame. All frames of a clip have the same size.
    pub fn push(&mut self, frame: RgbFrame<'_>) {
        let luma: Vec<u8> = frame.data.chunks_exact(3).map(luma).collect();
        if self.previous.len() == luma.len() {
            let sum: u64 = self
                .previous
                .iter()
                .zip(&luma)
                .map(|(&a, &b)| (i32::from(a).abs_diff(i32::from(b)) as i32 - DEAD_ZONE).max(0) as u64)
                .sum();
            self.changes.push(sum as f64 / luma.len() as f64);
        }
        self.previous = luma;
    }

    /// Number of frame pairs that show the same picture up to coding noise.
    pub fn repeated(&self) -> usize {
        self.changes.iter().filter(|&&change| change <= REPEATED).count()
    }

    /// Change of each frame pair in grey levels; one value fewer than frames.
    pub fn changes(&self) -> &[f64] {
        &self.changes
    }
}

/// Rec. 601 luma in 8 bits.
fn luma(rgb: &[u8]) -> u8 {
    let [r, g, b] = [rgb[0], rgb[1], rgb[2]].map(u32::from);
    ((77 * r + 150 * g + 29 * b + 128) >> 8) as u8
}

/// Finds cuts and returns the index (from 0) of the last frame before each.
#[must_use]
pub fn find_cuts(changes: &[f64], config: &CutConfig) -> Vec<usize> {
    let mut sorted = changes.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(&median) = sorted.get(sorted.len() / 2) else {
        return Vec::new();
    };
    let is_cut = |&t: &usize| {
        let around = t.saturating_sub(NEIGHBOURS)..(t + NEIGHBOURS + 1).min(changes.len());
        let most = around.filter(|&k| k != t).map(|k| changes[k]).fold(median, f64::max);
        changes[t] >= config.least_change && changes[t] >= config.threshold * most
    };
    (0..changes.len()).filter(is_cut).collect()
}

/// The frame ranges between cuts, covering `0..frames`.
#[must_use]
pub fn segments(frames: usize, cuts: &[usize]) -> Vec<Range<usize>> {
    let starts = std::iter::once(0).chain(cuts.iter().map(|&cut| cut + 1));
    let ends = cuts.iter().map(|&cut| cut + 1).chain(std::iter::once(frames));
    starts.zip(ends).map(|(start, end)| start..end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: CutConfig = CutConfig { threshold: 1.6, least_change: 0.1 };

    #[test]
    fn one_large_change_is_a_cut() {
        let mut changes = vec![1.0; 20];
        changes[7] = 2.5;
        assert_eq!(find_cuts(&changes, &CONFIG), [7]);
        assert_eq!(segments(21, &[7]), [0..8, 8..21]);
    }

    #[test]
    fn repeated_frames_are_no_cuts() {
        let changes: Vec<f64> = (0..20).map(|t| if t % 2 == 0 { 0.0 } else { 1.0 }).collect();
        assert!(find_cuts(&changes, &CONFIG).is_empty());
    }

    #[test]
    fn a_fast_movement_over_several_frames_is_no_cut() {
        let changes = [1.0, 1.0, 1.0, 3.0, 4.0, 3.0, 1.0, 1.0, 1.0];
        assert!(find_cuts(&changes, &CONFIG).is_empty());
    }

    #[test]
    fn a_frozen_clip_has_no_cut() {
        let mut changes = vec![0.0; 20];
        changes[9] = 0.05;
        assert!(find_cuts(&changes, &CONFIG).is_empty());
        assert!(find_cuts(&[], &CONFIG).is_empty());
        assert_eq!(segments(1, &[]).as_slice(), std::slice::from_ref(&(0..1)));
    }

    #[test]
    fn coding_noise_is_no_change_and_an_object_is() {
        let mut meter = ChangeMeter::default();
        let mut data = vec![100u8; 4 * 4 * 3];
        let push = |meter: &mut ChangeMeter, data: &[u8]| meter.push(RgbFrame { width: 4, height: 4, data });
        push(&mut meter, &data);
        data.fill(107);
        push(&mut meter, &data);
        data[..3].fill(207);
        push(&mut meter, &data);
        assert_eq!(meter.changes(), [0.0, (100.0 - 8.0) / 16.0]);
    }
}
