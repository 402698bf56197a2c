//! Samples as a spec spells them: `{ kind = "...", ... }`.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::spec::{Align, At, SampleInput, SampleSpec, TimeSteps};
use crate::inputs::{FlowStack, FrameStack, InputError, Sampling, SpelledInput};
use crate::schema::{of_kind, one_of, with_key};

/// Keys of any single input, beside those of its kind.
const SEGMENTS: &str = "segments";
const WINDOWS: &str = "windows";

/// Largest number of frames of a clip, of snippets, of segments and of windows; more is a typing error, and sizes computed from it
/// could overflow.
const MOST: usize = 1000;

/// Largest distance between two windows, in frames.
const LONGEST: usize = 1 << 16;

/// The input of a network as a spec spells it, before the scale of a profile is known.
#[derive(Clone, Debug)]
pub enum SpelledSample {
    /// One input, at one time step or in segments.
    One(SpelledOne),
    /// A clip.
    Clip(SpelledClip),
    /// Snippets.
    Snippets(SpelledSnippets),
}

/// One input: at one time step, or one snippet of each of several segments of the video (Temporal Segment Networks).
#[derive(Clone, Debug)]
pub struct SpelledOne {
    /// The input of one time step.
    pub input: SpelledInput,
    /// K, the number of equal parts of the video, from each of which one snippet is drawn; `None` for a single time step.
    pub segments: Option<usize>,
    /// Windows at a fixed distance; `None` for a single time step.
    pub windows: Option<SpelledWindows>,
}

/// Windows at a fixed distance, each read as one input (dynamic images).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SpelledWindows {
    /// T, the largest number of windows of a video in training: 1 to 1000. A test has `test.frames`.
    #[schemars(range(min = 1, max = 1000))]
    pub count: usize,
    /// Distance between the starts of two windows, in frames: 1 to 65536.
    #[schemars(range(min = 1, max = 65536))]
    pub stride: usize,
}

impl SpelledOne {
    /// Returns in how many ways the time steps are chosen, other than anywhere.
    fn ways(&self) -> usize {
        let ways = [self.input.every().is_some(), self.segments.is_some(), self.windows.is_some()];
        ways.into_iter().filter(|way| *way).count()
    }

    /// Reads the keys beside `kind`; `None` if the kind is unknown. Every kind of input can be read in segments or windows.
    fn read(kind: &str, mut keys: toml::Table) -> Option<Result<Self, toml::de::Error>> {
        let segments = keys.remove(SEGMENTS).map(|found| match found {
            toml::Value::Integer(count) => Ok(usize::try_from(count).unwrap_or(0)),
            other => Err(toml::de::Error::custom(format!(
                "{SEGMENTS} = {other}: expected the number of equal parts of the video, 1 to 1000"
            ))),
        });
        let windows = keys.remove(WINDOWS).map(|found| {
            found.try_into().map_err(|e: toml::de::Error| {
                toml::de::Error::custom(format!(
                    "{WINDOWS}: expected {{ count = 10, stride = 6 }}: {}",
                    e.message()
                ))
            })
        });
        let read = SpelledInput::read(kind, keys)?;
        Some(read.and_then(|input| {
            Ok(Self { input, segments: segments.transpose()?, windows: windows.transpose()? })
        }))
    }
}

/// A clip: frames, each in the middle of a volume of optical flow (ST-ResNet, Sect. 4).
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SpelledClip {
    /// T, the number of frames in training.
    pub frames: usize,
    /// Least and largest distance between two frames of the clip in training, in frames.
    #[serde(deserialize_with = "two")]
    pub stride: [usize; 2],
    /// L, the number of displacement fields around each frame.
    pub length: usize,
    /// Subtracts each field's mean vector from it.
    pub mean_subtraction: bool,
}

/// Snippets of flow, with an optional frame in the middle (the pyramid network).
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct SpelledSnippets {
    /// T, the number of snippets.
    pub count: usize,
    /// Least and largest distance between two snippets in training, in frames; ignored for a single snippet.
    #[serde(deserialize_with = "two")]
    pub interval: [usize; 2],
    /// L, the number of displacement fields of a snippet.
    pub length: usize,
    /// Subtracts each field's mean vector from it.
    pub mean_subtraction: bool,
    /// Adds a frame in the middle of the snippets.
    pub frame: bool,
}

/// Reads exactly two numbers; deserialising an array would take the first two of a longer list.
fn two<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[usize; 2], D::Error> {
    let numbers = Vec::<usize>::deserialize(deserializer)?;
    <[usize; 2]>::try_from(numbers)
        .map_err(|found| D::Error::custom(format!("expected two numbers, [least, largest], found {found:?}")))
}

impl<'de> Deserialize<'de> for SpelledSample {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut keys = toml::Table::deserialize(deserializer)?;
        let kind = keys.remove("kind").ok_or_else(|| D::Error::missing_field("kind"))?;
        let read = match kind.as_str() {
            Some("clip") => Some(keys.try_into().map(Self::Clip)),
            Some("snippets") => Some(keys.try_into().map(Self::Snippets)),
            one => one.and_then(|one| SpelledOne::read(one, keys)).map(|read| read.map(Self::One)),
        };
        read.map(|read| read.map_err(|e| D::Error::custom(e.message()))).unwrap_or_else(|| {
            let known: Vec<&str> = SpelledInput::KINDS.iter().copied().chain(["clip", "snippets"]).collect();
            let hint = base::did_you_mean(kind.as_str().unwrap_or_default(), known.iter().copied());
            let known = known.join(", ");
            Err(D::Error::custom(format!("unknown kind of input {kind}{hint}; expected one of {known}")))
        })
    }
}

impl JsonSchema for SpelledSample {
    fn schema_name() -> Cow<'static, str> {
        "Input".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let segments = json_schema!({
            "description": "K, the number of equal parts of the video, from each of which one snippet is drawn: 1 to 1000. \
                            Needs `consensus`. A single time step if absent.",
            "type": "integer",
            "minimum": 1,
            "maximum": MOST
        });
        let windows = generator.subschema_for::<SpelledWindows>();
        let in_segments =
            |kind| with_key(with_key(kind, SEGMENTS, segments.clone()), WINDOWS, windows.clone());
        let mut kinds: Vec<Schema> = SpelledInput::schemas(generator).into_iter().map(in_segments).collect();
        kinds.push(of_kind("clip", SpelledClip::json_schema(generator)));
        kinds.push(of_kind("snippets", SpelledSnippets::json_schema(generator)));
        one_of("The input of a network: frames of a video, its optical flow, or both.", kinds)
    }
}

impl SpelledSample {
    /// Checks the settings that do not depend on a profile.
    ///
    /// # Errors
    /// Numbers of frames outside their range.
    pub fn check(&self) -> Result<(), InputError> {
        let refuse =
            |name, expected, found: usize| Err(InputError::Spec { name, expected, found: found.to_string() });
        match self {
            Self::One(one) if one.input.every() == Some(0) => refuse("input.every", "1 or more frames", 0),
            Self::One(SpelledOne { segments: Some(count), .. }) if !(1..=MOST).contains(count) => {
                refuse("input.segments", "1 to 1000", *count)
            }
            Self::One(SpelledOne { windows: Some(windows), .. }) if !(1..=MOST).contains(&windows.count) => {
                refuse("input.windows.count", "1 to 1000", windows.count)
            }
            Self::One(SpelledOne { windows: Some(windows), .. })
                if !(1..=LONGEST).contains(&windows.stride) =>
            {
                refuse("input.windows.stride", "1 to 65536 frames", windows.stride)
            }
            Self::One(one) if one.ways() > 1 => Err(InputError::Spec {
                name: "the time steps of an input",
                expected: "`every`, `segments` or `windows`",
                found: if one.ways() == 2 { "both".into() } else { "several".into() },
            }),
            Self::One(one) if one.ways() > 0 && one.input.scaled(1.0).is_whole() => Err(InputError::Spec {
                name: "the time steps of a whole video",
                expected: "a single one; give the input a `length` for several windows",
                found: "several".into(),
            }),
            Self::Clip(clip) if !(2..=MOST).contains(&clip.frames) => refuse(
                "frames of a clip",
                "2 to 1000 (a single time step is kind = \"rgb\" or \"flow\")",
                clip.frames,
            ),
            Self::Snippets(snippets) if !(1..=MOST).contains(&snippets.count) => {
                refuse("count of snippets", "1 to 1000", snippets.count)
            }
            Self::One(_) | Self::Clip(_) | Self::Snippets(_) => Ok(()),
        }
    }

    /// Returns `true` if the spec restricts the time steps to a grid.
    #[must_use]
    pub fn has_grid(&self) -> bool {
        matches!(self, Self::One(one) if one.input.every().is_some())
    }

    /// Returns the number of segments, if the spec divides the video into any.
    #[must_use]
    pub fn segments(&self) -> Option<usize> {
        match self {
            Self::One(one) => one.segments,
            Self::Clip(_) | Self::Snippets(_) => None,
        }
    }

    /// Returns the windows, if the spec reads several.
    #[must_use]
    pub fn windows(&self) -> Option<SpelledWindows> {
        match self {
            Self::One(one) => one.windows,
            Self::Clip(_) | Self::Snippets(_) => None,
        }
    }

    /// The sample for pictures whose sides are `size` times the paper's.
    #[must_use]
    pub fn scaled(&self, size: f64) -> SampleSpec {
        let flow = |length, mean_subtraction, at| {
            let stack = FlowStack::of_paper(Sampling::Stack, length, mean_subtraction, size);
            SampleInput { input: stack.into(), at }
        };
        let frame = |at| SampleInput { input: FrameStack::consecutive(1).into(), at };
        match *self {
            Self::One(SpelledOne { ref input, segments, windows }) => SampleSpec {
                time_steps: match (input.every(), segments, windows) {
                    (Some(every), _, _) => TimeSteps::Grid { every },
                    (None, Some(count), _) => TimeSteps::Segments { count },
                    (None, None, Some(SpelledWindows { count, stride })) => {
                        TimeSteps::Windows { count, stride }
                    }
                    (None, None, None) => TimeSteps::Single,
                },
                ..SampleSpec::single(input.scaled(size))
            },
            Self::Clip(SpelledClip { frames: count, stride: [from, to], length, mean_subtraction }) => {
                SampleSpec {
                    inputs: vec![frame(At::Every), flow(length, mean_subtraction, At::Every)],
                    align: Align::Center,
                    time_steps: TimeSteps::Strided { count, from, to },
                }
            }
            Self::Snippets(SpelledSnippets {
                count,
                interval: [from, to],
                length,
                mean_subtraction,
                frame: seen,
            }) => {
                let middle = seen.then(|| frame(At::Middle));
                SampleSpec {
                    inputs: middle.into_iter().chain([flow(length, mean_subtraction, At::Every)]).collect(),
                    align: Align::Center,
                    time_steps: match count {
                        1 => TimeSteps::Single,
                        _ => TimeSteps::Strided { count, from, to },
                    },
                }
            }
        }
    }
}
