//! Generated sets: the generators that render videos, and the rules that choose the test videos of a split.

use super::{Video, VideoSource, View};
use crate::split::{Split, hold_out_views};
use schemars::JsonSchema;
use serde::Deserialize;
use synth::{Generated, StillSet, SynthError, SynthSet, ViewSet};

/// The generator that renders the videos of a set.
#[derive(Debug, Clone)]
pub enum Generator {
    /// Videos of actors.
    Videos(Box<SynthSet>),
    /// Still pictures, clips of one frame.
    Stills(StillSet),
    /// Events seen by several cameras.
    Views(Box<ViewSet>),
}

impl Generator {
    /// The set behind the generator.
    pub fn set(&self) -> &dyn Generated {
        match self {
            Self::Videos(set) => &**set,
            Self::Stills(set) => set,
            Self::Views(set) => &**set,
        }
    }

    /// Names of the camera views; empty if every video is an event of its own.
    pub(super) fn views(&self) -> &[String] {
        match self {
            Self::Videos(_) | Self::Stills(_) => &[],
            Self::Views(set) => set.views(),
        }
    }

    fn view(&self, i: usize) -> Option<View> {
        match self {
            Self::Videos(_) | Self::Stills(_) => None,
            Self::Views(set) => {
                let group = format!("actor-{:02}", set.actor(i));
                Some(View { event: set.event(i), number: set.view(i), group })
            }
        }
    }

    /// All videos, as draw number `draw` of a data set. In a set of views each actor is a group. Videos of other sets are drawn
    /// independently, so each is its own group.
    pub(super) fn videos(&self, draw: usize) -> Vec<Video> {
        let set = self.set();
        let video = |index| {
            let (id, view) = (set.id(index), self.view(index));
            let group = view.as_ref().map_or(&id, |view| &view.group).clone();
            let source = VideoSource::Generated { draw, index };
            Video { id, label: set.label(index), group, view, source }
        };
        (0..set.len()).map(video).collect()
    }
}

/// `[splits]` of a generated set: the numbers of each class that a split tests; it trains on all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SplitRule {
    /// Number of splits, named "1" and so on.
    pub count: usize,
    /// Number of test videos of each class in a split.
    pub test: usize,
    /// Choice of the test videos.
    pub numbers: Numbers,
}

/// Choice of the test videos among the numbers of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Numbers {
    /// Split k tests the numbers n with n mod `count` = k - 1. Every video is tested once.
    Interleaved,
    /// Split k tests the numbers from (k - 1) `test` up to k `test`. Numbers from `count` times `test` on are always
    /// trained on.
    Blocks,
}

impl SplitRule {
    /// Checks that the rule fits classes of `each` videos.
    fn check(&self, each: usize) -> Result<(), String> {
        let Self { count, test, numbers } = *self;
        let tested = count.checked_mul(test).filter(|&tested| tested > 0 && test < each);
        let fits = tested.is_some_and(|tested| match numbers {
            Numbers::Interleaved => tested == each,
            Numbers::Blocks => tested <= each,
        });
        if fits {
            return Ok(());
        }
        Err(format!(
            "splits: expected {} {each} videos of a class, with some left to train on; found count = {count} and test = {test}",
            match numbers {
                Numbers::Interleaved => "count times test to equal the",
                Numbers::Blocks => "count times test to be at most the",
            }
        ))
    }

    /// Returns `true` if split `k`, from 0, tests the videos with this number.
    fn tests(&self, k: usize, number: usize) -> bool {
        match self.numbers {
            Numbers::Interleaved => number % self.count == k,
            Numbers::Blocks => number / self.test == k,
        }
    }

    fn splits(&self, generator: &Generator) -> Vec<Split> {
        let (each, videos) = (generator.set().each(), generator.set().len());
        let split = |k: usize| {
            let (test, train) = (0..videos).partition(|&index| self.tests(k, index % each));
            Split { name: (k + 1).to_string(), train, test, ..Split::default() }
        };
        (0..self.count).map(split).collect()
    }
}

/// Checks the rule and returns the generator and the splits of a set; `Err` says what is wrong.
pub(super) fn generate(
    generator: Result<Generator, SynthError>,
    rule: &SplitRule,
) -> Result<(Generator, Vec<Split>), String> {
    let generator = generator.map_err(|error| error.to_string())?;
    rule.check(generator.set().each())?;
    let splits = rule.splits(&generator);
    Ok((generator, splits))
}

/// `[splits]` of a generated set of views: the last actors are tested. Split k holds out view k.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ViewSplitRule {
    /// Number of actors whose events are tested.
    pub test: usize,
}

/// Checks the rule and returns the generator and the splits of a set of views; `Err` says what is wrong.
pub(super) fn generate_views(
    set: Result<ViewSet, SynthError>,
    rule: &ViewSplitRule,
) -> Result<(Generator, Vec<Split>), String> {
    let set = set.map_err(|error| error.to_string())?;
    let actors = set.actors();
    if rule.test == 0 || rule.test >= actors {
        return Err(format!(
            "splits: expected some of the {actors} actors to test and others to train on; found test = {}",
            rule.test
        ));
    }
    let place = |i| (set.view(i), set.actor(i) >= actors - rule.test);
    let splits = hold_out_views(set.views().len(), (0..set.len()).map(place));
    Ok((Generator::Views(Box::new(set)), splits))
}
