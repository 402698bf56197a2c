//! Classifies by the nearest frame of the training videos, for features without a softmax layer.

use rayon::prelude::*;

use super::views::{Test, features, squared_distance};
use crate::{Console, Error, Interrupt, Result};

/// Computes the scores of every test video, (videos, classes): the mean of [`of_frame`] over its frames.
pub(super) fn classify(test: &Test<'_>, console: &Console, interrupt: &Interrupt) -> Result<Vec<f32>> {
    let known = features(test, test.others, console, interrupt)?;
    let known: Vec<(u32, &[f32])> = test
        .others
        .iter()
        .zip(&known)
        .flat_map(|(video, frames)| frames.iter().map(|frame| (video.label, frame.as_slice())))
        .collect();
    if known.is_empty() {
        return Err(Error::Usage("nearest neighbours need training videos; found none".into()));
    }
    let asked = features(test, test.videos, console, interrupt)?;
    let classes = test.classes.len();
    let video = |frames: &Vec<Vec<f32>>| -> Vec<f32> {
        let mut sum = vec![0.0_f64; classes];
        for frame in frames {
            of_frame(frame, &known, &mut sum);
        }
        sum.into_iter().map(|score| (score / frames.len().max(1) as f64) as f32).collect()
    };
    Ok(asked.par_iter().map(video).collect::<Vec<_>>().concat())
}

/// Adds the scores of one frame, which sum to one. The score of a class is proportional to the inverse square of the
/// distance to its nearest known frame. The class of the nearest frame scores highest; the other scores show how clear that
/// is, so that disagreeing frames are weighted by their distances.
fn of_frame(frame: &[f32], known: &[(u32, &[f32])], scores: &mut [f64]) {
    let mut nearest = vec![f32::INFINITY; scores.len()];
    for (label, other) in known {
        let distance = squared_distance(frame, other);
        if let Some(nearest) = nearest.get_mut(*label as usize)
            && distance < *nearest
        {
            *nearest = distance;
        }
    }
    // If frames coincide, the distance is 0, and their class gets all of the score.
    let least = f64::from(nearest.iter().copied().fold(f32::INFINITY, f32::min)).max(1e-30);
    let weights: Vec<f64> = nearest.iter().map(|&distance| least / f64::from(distance).max(1e-30)).collect();
    let all: f64 = weights.iter().sum();
    for (score, weight) in scores.iter_mut().zip(weights) {
        *score += weight / all;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scores(frame: &[f32], known: &[(u32, &[f32])]) -> Vec<f64> {
        let mut scores = vec![0.0; 3];
        of_frame(frame, known, &mut scores);
        scores
    }

    #[test]
    fn the_nearest_frames_class_has_the_highest_score() {
        let known: [(u32, &[f32]); 4] =
            [(0, &[0.0, 4.0]), (1, &[0.0, 1.0]), (1, &[9.0, 9.0]), (2, &[0.0, -2.0])];
        let found = scores(&[0.0, 0.0], &known);
        // Squared distances 16, 1 and 4 give weights 1/16, 1 and 1/4.
        for (found, weight) in found.iter().zip([0.0625, 1.0, 0.25]) {
            assert!((found - weight / 1.3125).abs() < 1e-6, "{found}");
        }
        let found = scores(&[0.0, 4.0], &known);
        assert!(found[0] > 0.999 && (found.iter().sum::<f64>() - 1.0).abs() < 1e-9, "{found:?}");
        // A class without known videos scores 0.
        let found = scores(&[1.0, 1.0], &known[..2]);
        assert_eq!(found[2], 0.0);
    }
}
