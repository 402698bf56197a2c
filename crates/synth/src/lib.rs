//! Generated sets: videos of small actors before moving backgrounds (`synth`, `synth-hmdb`), still pictures
//! (`synth-stills`) and events seen by several cameras (`synth-views`), rendered from a seed. Nothing is downloaded and
//! nothing need be stored: a video is its key.
//!
//! Any one video can be rendered alone and comes out bit for bit the same whatever else is rendered,
//! on however many threads. All randomness is keyed by (generator version, set, data seed, class, index,
//! part of the video). [`config::SynthConfig`], [`stills::StillsConfig`] and
//! [`views::ViewsConfig`] name each knob and what it serves;
//! `docs/synth.md` says which property of the videos each claim rests on.
//!
//! `texture`, `object`, `actor`, `motion` and `camera` each draw one part; `scene` puts a video
//! together; `class` lists the actions of both sets of videos.

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
    /// The knobs that reach a single video's pixels, as text.
    pixels: String,
}

impl SynthSet {
    /// The set with these classes, these knobs and this seed; an error names the knob that cannot be, that is missing
    /// or that no class uses.
    pub fn new(list: ClassList, config: SynthConfig, data_seed: u64) -> Result<Self, SynthError> {
        config.validate()?;
        config.fits(list.classes())?;
        let pixels = text("synth", &SynthConfig { videos_per_class: 0, ..config.clone() })?;
        let classes = list.classes().iter().map(|class| class.name.to_owned()).collect();
        Ok(SynthSet { list, config, data_seed, classes, pixels })
    }

    /// The knobs.
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

    /// The class and the number within it, such as `rise-007`.
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
