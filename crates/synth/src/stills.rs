//! Generates still pictures, on which a spatial network is trained before it sees the frames of a video; they replace the
//! papers' ImageNet.
//!
//! Eight classes are scenes: the texture families of the videos' backgrounds, with only clutter before them. Sixteen are
//! objects before any scene: the twelve silhouettes, four of them in two hues, which are separate classes as with fruits.
//! A picture is a [`Clip`] of one frame.

mod config;

pub use config::{ClutterConfig, ExposureConfig, ObjectConfig, StillsConfig};

use super::class::Hue;
use super::draw::VideoKey;
use super::knob::{SynthError, text};
use super::object::{Canvas, Object, Shape, contrasting};
use super::scene::expose;
use super::texture::{Family, Patch, Texture};
use crate::{Clip, Generated};

/// The subject of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Subject {
    Scene(Family),
    Object(Shape, Hue),
}

use Subject::{Object as Thing, Scene};

/// Names and subjects in the order of their labels.
const CLASSES: [(&str, Subject); 24] = [
    ("scene-clouds", Scene(Family::Clouds)),
    ("scene-stripes", Scene(Family::Stripes)),
    ("scene-checks", Scene(Family::Checks)),
    ("scene-spots", Scene(Family::Spots)),
    ("scene-bricks", Scene(Family::Bricks)),
    ("scene-waves", Scene(Family::Waves)),
    ("scene-grain", Scene(Family::Grain)),
    ("scene-rings", Scene(Family::Rings)),
    ("disc", Thing(Shape::Disc, Hue::Free)),
    ("box", Thing(Shape::Box, Hue::Free)),
    ("triangle", Thing(Shape::Triangle, Hue::Free)),
    ("ring", Thing(Shape::Ring, Hue::Free)),
    ("cross", Thing(Shape::Cross, Hue::Free)),
    ("crescent", Thing(Shape::Crescent, Hue::Free)),
    ("drop", Thing(Shape::Drop, Hue::Free)),
    ("dumbbell", Thing(Shape::Dumbbell, Hue::Free)),
    ("star-warm", Thing(Shape::Star, Hue::Warm)),
    ("star-cool", Thing(Shape::Star, Hue::Cool)),
    ("capsule-warm", Thing(Shape::Capsule, Hue::Warm)),
    ("capsule-cool", Thing(Shape::Capsule, Hue::Cool)),
    ("hexagon-warm", Thing(Shape::Hexagon, Hue::Warm)),
    ("hexagon-cool", Thing(Shape::Hexagon, Hue::Cool)),
    ("flower-warm", Thing(Shape::Flower, Hue::Warm)),
    ("flower-cool", Thing(Shape::Flower, Hue::Cool)),
];

/// One draw of the set of pictures: the knobs and a seed. Pictures are numbered class by class.
#[derive(Clone, Debug)]
pub struct StillSet {
    config: StillsConfig,
    data_seed: u64,
    classes: Vec<String>,
    /// The knobs that affect the pixels of a single picture, as text.
    pixels: String,
}

impl StillSet {
    /// Creates the set with these knobs and this seed.
    ///
    /// # Errors
    /// [`SynthError`] names the invalid knob.
    pub fn new(config: StillsConfig, data_seed: u64) -> Result<Self, SynthError> {
        config.validate()?;
        let pixels = text("stills", &StillsConfig { pictures_per_class: 0, ..config.clone() })?;
        let classes = CLASSES.iter().map(|(name, _)| (*name).to_owned()).collect();
        Ok(Self { config, data_seed, classes, pixels })
    }

    fn key(&self, i: usize) -> VideoKey<'static> {
        let (class, index) = (CLASSES[self.label(i)].0, i % self.config.pictures_per_class);
        VideoKey { set: "synth-stills", data_seed: self.data_seed, class, index }
    }
}

impl Generated for StillSet {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn each(&self) -> usize {
        self.config.pictures_per_class
    }

    /// Returns the class and the number within it, such as `star-warm-007`.
    fn id(&self, i: usize) -> String {
        let key = self.key(i);
        format!("{}-{:03}", key.class, key.index)
    }

    fn render(&self, i: usize) -> Clip {
        render(self.key(i), CLASSES[self.label(i)].1, &self.config)
    }

    fn fingerprint(&self, i: usize) -> String {
        self.key(i).hash(self.pixels.as_bytes()).to_hex().to_string()
    }
}

fn render(key: VideoKey<'_>, subject: Subject, config: &StillsConfig) -> Clip {
    let (width, height) = (config.width, config.height);
    let mut scene = key.stream("scene");
    let any = scene.pick(&Family::ALL);
    let family = if let Scene(family) = subject { family } else { any };
    let patch = Patch { left: 0, top: 0, width: width + 1, height: height + 1 };
    let texture = Texture::draw(family, config.scene, patch, &mut scene);

    let mut light = key.stream("light");
    let (gain, noise_sd) = (light.span(config.light.gain), light.span(config.light.noise));
    let mut rgb = vec![0.0; width * height * 3];
    texture.view(0.0, 0.0, gain, width, height, &mut rgb);
    let mut canvas = Canvas { width, height, rgb: &mut rgb };

    let mut clutter = key.stream("clutter");
    for _ in 0..clutter.integer(0, config.clutter.count) {
        let object = Object::any(config.clutter.radius, texture.luma, &mut clutter);
        let place = [width, height].map(|side| side as f32 * clutter.unit());
        canvas.paint(place, clutter.unit(), object.reach(), gain, |x, y| object.sample(x, y, 1.0));
    }
    if let Thing(shape, hue) = subject {
        let mut draw = key.stream("object");
        let o = &config.object;
        let (radius, contrast, pattern) = (draw.span(o.radius), draw.span(o.contrast), draw.span(o.pattern));
        let luma = contrasting(texture.luma, contrast, &mut draw);
        let (any, spread) = (draw.unit(), config.hue.spread / 360.0 * (2.0 * draw.unit() - 1.0));
        let chroma = draw.span(if hue == Hue::Free { o.chroma } else { config.hue.chroma });
        let object = Object::new(shape, radius, luma, pattern, hue.turns(any, spread), chroma);
        // The whole object is inside the picture, except for the tips of the longest shapes.
        let place = [width, height].map(|side| radius + (side as f32 - 2.0 * radius) * draw.unit());
        canvas.paint(place, draw.unit(), object.reach(), gain, |x, y| object.sample(x, y, 1.0));
    }
    let mut noise = vec![0u8; width * height * 4];
    key.stream("noise").bytes(&mut noise);
    Clip { width, height, frames: vec![expose(&rgb, &noise, noise_sd)] }
}

#[cfg(test)]
mod tests;
