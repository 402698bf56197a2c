//! Verification of pairs: whether two frames show the same event at the same time.

use data::loader::LabelledVideo;

use super::views::{Test, features, squared_distance};
use crate::pair_scores::PairScores;
use crate::{Console, Error, Interrupt, Result};

/// Number of dissimilar pairs of a frame for each similar one.
const DISSIMILAR: usize = 20;

/// A frame: the index of its video, and its index within the video.
type At = (usize, usize);

/// Computes the distances of similar and dissimilar pairs. Similar pairs are each frame of the tested videos with the same
/// time step in each other view. There are twenty times as many dissimilar pairs, whose partners are drawn from the other
/// classes. The draw does not depend on the net, so that nets are compared on the same pairs.
pub(super) fn verify(test: &Test<'_>, console: &Console, interrupt: &Interrupt) -> Result<PairScores> {
    let Test { videos, others, .. } = *test;
    let tested = features(test, videos, console, interrupt)?;
    let seen = features(test, others, console, interrupt)?;
    let lengths = |of: &[Vec<Vec<f32>>]| of.iter().map(Vec::len).collect::<Vec<_>>();
    let pairs = pairs(videos, &lengths(&tested), others, &lengths(&seen));
    if pairs.is_empty() {
        return Err(Error::Usage(
            "a test by pairs needs events of at least two classes, each in at least two camera views; found none".into(),
        ));
    }
    let mut scores = PairScores {
        split: test.split.to_owned(),
        seed: test.seed,
        groups: Vec::with_capacity(pairs.len()),
        videos: Vec::with_capacity(pairs.len()),
        others: Vec::with_capacity(pairs.len()),
        similar: Vec::with_capacity(pairs.len()),
        distances: Vec::with_capacity(pairs.len()),
    };
    for ((video, frame), (other, beside), similar) in pairs {
        scores.groups.push(videos[video].view.as_ref().map_or_else(String::new, |view| view.group.clone()));
        scores.videos.push(videos[video].id.clone());
        scores.others.push(others[other].id.clone());
        scores.similar.push(similar);
        scores.distances.push(squared_distance(&tested[video][frame], &seen[other][beside]).sqrt());
    }
    Ok(scores)
}

/// Draws the pairs, each with `true` if it is similar. `lengths` are the numbers of frames of the videos.
fn pairs(
    videos: &[LabelledVideo],
    lengths: &[usize],
    others: &[LabelledVideo],
    other_lengths: &[usize],
) -> Vec<(At, At, bool)> {
    let mut generator = nn::random::generator("pair verification", 0, "");
    let mut pairs = Vec::new();
    for (index, video) in videos.iter().enumerate() {
        let Some(view) = &video.view else { continue };
        let beside = |other: &LabelledVideo| {
            other.view.as_ref().is_some_and(|other| other.event == view.event && other.number != view.number)
        };
        let twins: Vec<usize> = (0..others.len()).filter(|&other| beside(&others[other])).collect();
        let strangers: Vec<usize> = (0..others.len())
            .filter(|&other| others[other].label != video.label && other_lengths[other] > 0)
            .collect();
        for (frame, twin) in
            (0..lengths[index]).flat_map(|frame| twins.iter().map(move |&twin| (frame, twin)))
        {
            if frame >= other_lengths[twin] || strangers.is_empty() {
                continue;
            }
            pairs.push(((index, frame), (twin, frame), true));
            for stranger in nn::random::below(&mut generator, strangers.len(), DISSIMILAR) {
                let stranger = strangers[stranger as usize];
                let time_step = nn::random::below(&mut generator, other_lengths[stranger], 1)[0] as usize;
                pairs.push(((index, frame), (stranger, time_step), false));
            }
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use data::dataset::View;
    use data::source::{Direction, Field, Frame, VideoReader};

    use super::*;

    struct Nothing;

    impl VideoReader for Nothing {
        fn segments(&self) -> &[std::ops::Range<usize>] {
            &[]
        }

        fn size(&self) -> (usize, usize) {
            (0, 0)
        }

        fn frames(&self) -> usize {
            0
        }

        fn field(&self, _: Direction, _: usize) -> std::result::Result<Field, data::DataError> {
            unreachable!("pairs are made of names alone")
        }

        fn frame(&self, _: usize) -> std::result::Result<Frame, data::DataError> {
            unreachable!("pairs are made of names alone")
        }
    }

    fn video(event: usize, number: usize) -> LabelledVideo {
        LabelledVideo {
            id: format!("{event}-{number}"),
            label: (event % 3) as u32,
            view: Some(View { event: event.to_string(), number, group: format!("g{}", event % 2) }),
            source: Arc::new(Nothing),
        }
    }

    #[test]
    fn similar_pairs_are_one_event_at_one_time_and_dissimilar_ones_other_classes() {
        let videos: Vec<_> = (0..6).map(|event| video(event, 0)).collect();
        let others: Vec<_> = (0..6).flat_map(|event| [video(event, 1), video(event, 2)]).collect();
        // One view of event 0 ends a frame earlier.
        let mut lengths = vec![3; 12];
        lengths[0] = 2;
        let found = pairs(&videos, &[3; 6], &others, &lengths);
        let similar: Vec<_> = found.iter().filter(|pair| pair.2).collect();
        assert_eq!((similar.len(), found.len()), (6 * 2 * 3 - 1, (6 * 2 * 3 - 1) * 21));
        for &&((video, frame), (other, beside), _) in &similar {
            assert_eq!(
                (videos[video].view.as_ref().unwrap().event.as_str(), frame),
                (&*others[other].id[..1].to_owned(), beside)
            );
        }
        for &((video, _), (other, time_step), _) in found.iter().filter(|pair| !pair.2) {
            assert!(videos[video].label != others[other].label && time_step < lengths[other]);
        }
        // A pair never consists of the same video twice.
        let among = pairs(&others, &lengths, &others, &lengths);
        assert!(among.iter().all(|(one, two, _)| one.0 != two.0));
        assert_eq!(found, pairs(&videos, &[3; 6], &others, &lengths), "the same draw");
    }
}
