//! Pairs of videos that show one event, or events of different classes (Siamese cross-view network).

use std::collections::BTreeMap;

use rand::Rng;
use rand_chacha::ChaCha8Rng;

use super::{ClassBalanced, Sampler, Together};
use crate::dataset::View;
use crate::inputs::InputError;

/// Draws pairs. One of `dissimilar + 1` consecutive places holds a similar pair: two views of one event at the same time.
/// The others hold dissimilar pairs: two videos of different classes, each at its own time. Two videos of one class that
/// show different events are never a pair.
///
/// Classes are drawn uniformly, then events or videos within them.
#[derive(Clone, Debug)]
pub struct Pairs {
    dissimilar: u64,
    /// All videos, for the first of a dissimilar pair.
    all: ClassBalanced,
    /// Videos of each class.
    classes: BTreeMap<u32, Vec<usize>>,
    labels: Vec<u32>,
    /// Events of each class that two or more views show, each with its videos.
    events: Vec<Vec<Vec<usize>>>,
}

impl Pairs {
    /// Creates a sampler over videos 0..n, given the label and the view of each in order. `dissimilar` is the number of
    /// dissimilar pairs for each similar one.
    ///
    /// # Errors
    /// [`InputError::NoVideos`] if there is no video, [`InputError::Pairs`] if no two videos show the same event or there
    /// is only one class.
    pub fn new<'a>(
        videos: impl IntoIterator<Item = (u32, Option<&'a View>)>,
        dissimilar: usize,
    ) -> Result<Self, InputError> {
        let mut labels = Vec::new();
        let mut classes = BTreeMap::<u32, Vec<usize>>::new();
        let mut events = BTreeMap::<u32, BTreeMap<&str, Vec<usize>>>::new();
        for (video, (label, view)) in videos.into_iter().enumerate() {
            labels.push(label);
            classes.entry(label).or_default().push(video);
            if let Some(view) = view {
                events.entry(label).or_default().entry(&view.event).or_default().push(video);
            }
        }
        let several = |events: BTreeMap<&str, Vec<usize>>| -> Vec<Vec<usize>> {
            events.into_values().filter(|views| views.len() > 1).collect()
        };
        let events: Vec<_> = events.into_values().map(several).filter(|events| !events.is_empty()).collect();
        let lacking = |what| Err(InputError::Pairs { what });
        if labels.is_empty() {
            return Err(InputError::NoVideos);
        }
        if events.is_empty() {
            return lacking("no event is seen from two views, so there are no similar pairs");
        }
        if classes.len() < 2 {
            return lacking("all videos are of one class, so there are no dissimilar pairs");
        }
        let all = ClassBalanced::new(labels.iter().copied())?;
        Ok(Self { dissimilar: dissimilar as u64, all, classes, labels, events })
    }
}

/// Draws an element of a list that is not empty.
fn pick<'a, T>(list: &'a [T], rng: &mut impl Rng) -> &'a T {
    &list[rng.random_range(0..list.len() as u64) as usize]
}

impl Sampler for Pairs {
    fn group(&self) -> usize {
        2
    }

    fn draw(&self, rng: &mut ChaCha8Rng, place: u64, videos: &mut [usize]) -> Together {
        let [first, second] = videos else { return Together::Apart };
        if place.is_multiple_of(self.dissimilar + 1) {
            let events = pick(&self.events, rng);
            let views = pick(events, rng);
            let one = rng.random_range(0..views.len() as u64) as usize;
            let other = rng.random_range(1..views.len() as u64) as usize;
            (*first, *second) = (views[one], views[(one + other) % views.len()]);
            return Together::SameTimeSteps;
        }
        *first = ClassBalanced::draw(&self.all, rng);
        // Number of the second video's class among the other classes.
        let other = rng.random_range(0..self.classes.len() as u64 - 1) as usize;
        let mut others = self.classes.iter().filter(|(label, _)| **label != self.labels[*first]);
        let (_, members) = others.nth(other).expect("there is one class fewer than classes");
        *second = *pick(members, rng);
        Together::Apart
    }
}
