//! Generated sets: videos of small actors before moving backgrounds (`synth`, `synth-hmdb`), still pictures
//! (`synth-stills`) and events seen by several cameras (`synth-views`), rendered from a seed. Nothing is downloaded and
//! nothing needs to be stored: a video follows from its key.
//!
//! Any video can be rendered alone, and is bit for bit the same whatever else is rendered and on any number
//! of threads. All randomness is keyed by (generator version, set, data seed, class, index, part of the
//! video). [`config::SynthConfig`], [`stills::StillsConfig`] and [`views::ViewsConfig`] describe each knob
//! and its purpose; `docs/synth.md` states the property of the videos on which each claim rests.
//!
//! `texture`, `object`, `actor`, `motion` and `camera` each draw one part; `scene` assembles a video;
//! `class` lists the actions of both sets of videos.

mod actor;
mod camera;
mod class;
mod clip;
pub mod config;
mod draw;
mod knob;
mod motion;
mod object;
mod scene;
mod set;
pub mod stills;
mod texture;
pub mod views;

pub use class::ClassList;
pub use clip::Clip;
pub use config::SynthConfig;
pub use draw::GENERATOR_VERSION;
pub use knob::{Span, SynthError};
pub use set::Generated;
pub use stills::StillSet;
pub use texture::TextureLook;
pub use views::ViewSet;

use self::class::Class;
use self::draw::VideoKey;
use self::knob::text;

/// One draw of a set of videos: the classes, the knobs and a seed. Videos are numbered class by class.
#[derive(Clone, Debug)]
pub struct SynthSet {
    list: ClassList,
    config: SynthConfig,
    data_seed: u64,
    classes: Vec<String>,
    /// The knobs that affect the pixels of a single video, as text.
    pixels: String,
}

impl SynthSet {
    /// Creates the set with these classes, knobs and seed. An error names a knob that is invalid, missing or not used by any
    /// class.
    pub fn new(list: ClassList, config: SynthConfig, data_seed: u64) -> Result<Self, SynthError> {
        config.validate()?;
        config.fits(list.classes())?;
        let pixels = text("synth", &SynthConfig { videos_per_class: 0, ..config.clone() })?;
        let classes = list.classes().iter().map(|class| class.name.to_owned()).collect();
        Ok(SynthSet { list, config, data_seed, classes, pixels })
    }

    /// Returns the knobs.
    pub fn config(&self) -> &SynthConfig {
        &self.config
    }

    fn number(&self, i: usize) -> usize {
        i % self.config.videos_per_class
    }

    fn class(&self, i: usize) -> &'static Class {
        &self.list.classes()[self.label(i)]
    }

    fn key(&self, i: usize) -> VideoKey<'static> {
        let (set, class) = (self.list.name(), self.class(i).name);
        VideoKey { set, data_seed: self.data_seed, class, index: self.number(i) }
    }
}

impl Generated for SynthSet {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn each(&self) -> usize {
        self.config.videos_per_class
    }

    /// Returns the class and the number within it, such as `rise-007`.
    fn id(&self, i: usize) -> String {
        format!("{}-{:03}", self.class(i).name, self.number(i))
    }

    fn render(&self, i: usize) -> Clip {
        scene::render(self.key(i), self.class(i), &self.config)
    }

    fn fingerprint(&self, i: usize) -> String {
        self.key(i).hash(self.pixels.as_bytes()).to_hex().to_string()
    }
}

#[cfg(test)]
mod tests_support;

#[cfg(test)]
mod tests;
