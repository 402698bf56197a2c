//! The generated video set `synth`: fourteen actions of small actors before moving backgrounds,
//! rendered from a seed. Nothing is downloaded and nothing is stored: a video is its key.
//!
//! Any one video can be rendered alone and comes out bit for bit the same whatever else is rendered,
//! on however many threads. All randomness is keyed by (generator version, data seed, class, index,
//! part of the video). [`config::SynthConfig`] names each knob and what it serves; `docs/synth.md`
//! says which property of the videos each claim rests on.
//!
//! `texture`, `object`, `actor`, `motion` and `camera` each draw one part; `scene` puts a video
//! together; `class` lists the actions.

mod actor;
mod camera;
mod class;
pub mod config;
mod draw;
mod motion;
mod object;
mod scene;
mod texture;

pub use config::{SynthConfig, SynthError};

use self::class::CLASSES;
use self::draw::VideoKey;
use crate::clip::Clip;

/// Raised whenever the same key and knobs would give other pixels, so that caches and records of the
/// former videos are not taken for the new ones.
pub const GENERATOR_VERSION: u32 = 1;

/// Number of groups that the splits are made of.
pub const GROUPS: usize = 3;

/// One draw of the set: the knobs and a seed. Videos are numbered class by class.
#[derive(Clone, Debug)]
pub struct SynthSet {
    config: SynthConfig,
    data_seed: u64,
    classes: Vec<String>,
    /// The knobs that reach a single video's pixels, as text.
    pixels: String,
}

impl SynthSet {
    /// The set with these knobs and this seed; an error names the knob that cannot be.
    pub fn new(config: SynthConfig, data_seed: u64) -> Result<Self, SynthError> {
        config.validate()?;
        let pixels = serde_json::to_string(&SynthConfig { videos_per_class: 0, ..config.clone() }).map_err(
            |error| SynthError {
                key: "synth",
                found: error.to_string(),
                expected: "knobs that can be written as text".to_owned(),
            },
        )?;
        let classes = CLASSES.iter().map(|class| class.name.to_owned()).collect();
        Ok(SynthSet { config, data_seed, classes, pixels })
    }

    /// Names of the classes in the order of their labels.
    pub fn classes(&self) -> &[String] {
        &self.classes
    }

    /// Number of videos of all classes.
    pub fn len(&self) -> usize {
        CLASSES.len() * self.config.videos_per_class
    }

    /// Whether the set has no videos (it always has some).
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The knobs.
    pub fn config(&self) -> &SynthConfig {
        &self.config
    }

    /// Label of video `i`, an index into [`SynthSet::classes`].
    pub fn label(&self, i: usize) -> usize {
        i / self.config.videos_per_class
    }

    /// Name of video `i`: its class and its number within the class, such as `rise-007`.
    ///
    /// # Panics
    /// If `i` is not below [`SynthSet::len`], as indexing does; so do `render` and `fingerprint`.
    pub fn id(&self, i: usize) -> String {
        format!("{}-{:03}", CLASSES[self.label(i)].name, self.number(i))
    }

    /// Group of video `i`, 0, 1 or 2; each has a third of every class. Split k tests group k and trains
    /// on the other two.
    pub fn group(&self, i: usize) -> usize {
        self.number(i) % GROUPS
    }

    /// Renders video `i`.
    pub fn render(&self, i: usize) -> Clip {
        scene::render(self.key(i), &CLASSES[self.label(i)], &self.config)
    }

    /// A hash of all that decides the pixels of video `i`: generator version, knobs, seed, class, number.
    pub fn fingerprint(&self, i: usize) -> String {
        self.key(i).hash(self.pixels.as_bytes()).to_hex().to_string()
    }

    fn number(&self, i: usize) -> usize {
        i % self.config.videos_per_class
    }

    fn key(&self, i: usize) -> VideoKey<'static> {
        let class = CLASSES[self.label(i)].name;
        VideoKey { set: "synth", data_seed: self.data_seed, class, index: self.number(i) }
    }
}

#[cfg(test)]
mod tests_support;

#[cfg(test)]
mod tests;
