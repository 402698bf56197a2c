//! Generated sets: what renders a video, and which videos a split tests.

use super::{Video, VideoSource, View};
use crate::split::{Split, hold_out_views};
use schemars::JsonSchema;
use serde::Deserialize;
use synth::{Generated, StillSet, SynthError, SynthSet, ViewSet};

/// What renders the videos of a generated set.
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
    /// The set, whichever it is.
    pub fn set(&self) -> &dyn Generated {
        match self {
            Self::Videos(set) => &**set,
            Self::Stills(set) => set,
            Self::Views(set) => &**set,
        }
    }

    /// Names of the views; none where every video is an event of its own.
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

    /// All videos. An actor of a set of views is a group; any other video is one of its own: they are drawn independently.
    pub(super) fn videos(&self) -> Vec<Video> {
        let set = self.set();
        let video = |index| {
            let (id, view) = (set.id(index), self.view(index));
            let group = view.as_ref().map_or(&id, |view| &view.group).clone();
            Video { id, label: set.label(index), group, view, source: VideoSource::Generated(index) }
        };
        (0..set.len()).map(video).collect()
    }
}

/// `[splits]` of a generated set: which numbers of each class a split tests; it trains on all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SplitRule {
    /// Number of splits, named "1" and so on.
    pub count: usize,
    /// Test videos of each class in a split.
    pub test: usize,
    /// Which they are.
    pub numbers: Numbers,
}

/// How test videos lie among the numbers of a class.
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
    /// Checks that the rule suits classes of `each` videos.
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
            "splits: expected {} {each} videos of a class, some left to train on, found count = {count} and test = {test}",
            match numbers {
                Numbers::Interleaved => "count times test to be the",
                Numbers::Blocks => "count times test of at most the",
            }
        ))
    }

    /// Whether split `k`, from 0, tests the videos with this number.
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

/// The generator and the splits of a set, or what is wrong with them.
pub(super) fn generate(
    generator: Result<Generator, SynthError>,
    rule: &SplitRule,
) -> Result<(Generator, Vec<Split>), String> {
    let generator = generator.map_err(|error| error.to_string())?;
    rule.check(generator.set().each())?;
    let splits = rule.splits(&generator);
    Ok((generator, splits))
}

/// `[splits]` of a generated set of views: how many actors are tested, the last ones. Split k holds out view k.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct ViewSplitRule {
    /// Actors whose events are tested.
    pub test: usize,
}

/// The generator and the splits of a set of views, or what is wrong with them.
pub(super) fn generate_views(
    set: Result<ViewSet, SynthError>,
    rule: &ViewSplitRule,
) -> Result<(Generator, Vec<Split>), String> {
    let set = set.map_err(|error| error.to_string())?;
    let actors = set.actors();
    if rule.test == 0 || rule.test >= actors {
        return Err(format!(
            "splits: expected some of the {actors} actors to test and others to train on, found test = {}",
            rule.test
        ));
    }
    let place = |i| (set.view(i), set.actor(i) >= actors - rule.test);
    let splits = hold_out_views(set.views().len(), (0..set.len()).map(place));
    Ok((Generator::Views(Box::new(set)), splits))
}
