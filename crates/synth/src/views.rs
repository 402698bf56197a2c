//! Generates events, each seen by several cameras at once: `synth-views`, for the cross-view network.
//!
//! An actor of rounded limbs stands in a room and does one of ten actions. The same actors do all of them, in the same
//! clothes. Every camera sees the same limbs in space from its own position, in perspective and with its own occlusions,
//! before its own wall and in its own light. Frame t of every view is the same time step.
//!
//! `action` has the poses, `body` the limbs in space, and `camera` renders them.

mod action;
mod body;
mod camera;
mod config;

pub use config::{ActionConfig, ActorPlaceConfig, CameraPlace, LensConfig, RoomLightConfig, ViewsConfig};

use self::action::{ACTIONS, Performance};
use self::body::Body;
use self::camera::Camera;
use self::config::MOST_TAKES;
use super::draw::VideoKey;
use super::knob::{SynthError, text};
use super::object::Canvas;
use super::scene::expose;
use super::texture::{Family, Patch, Texture};
use crate::{Clip, Generated};

/// Name used in the keys of videos.
const SET: &str = "synth-views";

/// One draw of the set: the knobs and a seed. Videos are numbered class by class, actor by actor, take by
/// take, camera by camera.
#[derive(Clone, Debug)]
pub struct ViewSet {
    config: ViewsConfig,
    data_seed: u64,
    classes: Vec<String>,
    views: Vec<String>,
    /// The knobs that affect the pixels of a single video, as text.
    pixels: String,
}

impl ViewSet {
    /// Creates the set with these knobs and this seed.
    ///
    /// # Errors
    /// [`SynthError`] names the invalid knob.
    pub fn new(config: ViewsConfig, data_seed: u64) -> Result<Self, SynthError> {
        config.validate()?;
        let pixels = text("views", &ViewsConfig { actors: 0, takes: 0, ..config.clone() })?;
        let classes = ACTIONS.iter().map(|action| action.name.to_owned()).collect();
        let views = config.camera.iter().map(|camera| camera.name.clone()).collect();
        Ok(Self { config, data_seed, classes, views, pixels })
    }

    /// Returns the names of the views in the order of their numbers.
    pub fn views(&self) -> &[String] {
        &self.views
    }

    /// Returns the number of actors.
    pub fn actors(&self) -> usize {
        self.config.actors
    }

    /// Returns the view of video `i`, an index into [`ViewSet::views`].
    pub fn view(&self, i: usize) -> usize {
        i % self.views.len()
    }

    /// Returns the actor of video `i`, counted from 0.
    pub fn actor(&self, i: usize) -> usize {
        i / self.views.len() / self.config.takes % self.config.actors
    }

    /// Returns the name of video `i`'s event: its class, actor and take, such as `kick-07-2`.
    ///
    /// # Panics
    /// If `i` is not below [`Generated::len`].
    pub fn event(&self, i: usize) -> String {
        let take = i / self.views.len() % self.config.takes;
        format!("{}-{:02}-{take}", self.classes[self.label(i)], self.actor(i))
    }

    /// Draws the actor and the performance of video `i`, which are the same for all views of its event.
    fn event_in_space(&self, i: usize) -> (Body, Performance) {
        let (config, key) = (&self.config, self.key(i));
        let wall = 0.5 * (config.scene.luma.lo + config.scene.luma.hi);
        let actor = VideoKey { set: SET, data_seed: self.data_seed, class: "actor", index: self.actor(i) };
        let body = Body::draw(&config.actor, wall, &mut actor.stream("looks"), &mut key.stream("place"));
        let action = &ACTIONS[self.label(i)];
        (body, Performance::draw(action, &config.action, &mut key.stream("action")))
    }

    /// Returns the texture family behind the actor in a view; up to eight views have different families.
    fn family(&self, view: usize) -> Family {
        let key = VideoKey { set: SET, data_seed: self.data_seed, class: "camera", index: 0 };
        let mut draw = key.stream("walls");
        let mut left = Family::ALL.to_vec();
        let mut walls = (0..self.views.len()).map(|_| left.remove(draw.integer(0, left.len() - 1)));
        walls.nth(view).unwrap_or(Family::Clouds)
    }

    fn key(&self, i: usize) -> VideoKey<'_> {
        let class = &self.classes[self.label(i)];
        let take = i / self.views.len() % self.config.takes;
        VideoKey { set: SET, data_seed: self.data_seed, class, index: self.actor(i) * MOST_TAKES + take }
    }
}

impl Generated for ViewSet {
    fn classes(&self) -> &[String] {
        &self.classes
    }

    fn each(&self) -> usize {
        self.config.actors * self.config.takes * self.views.len()
    }

    /// Returns the event and the view, such as `kick-07-2-front`.
    fn id(&self, i: usize) -> String {
        format!("{}-{}", self.event(i), self.views[self.view(i)])
    }

    fn render(&self, i: usize) -> Clip {
        let config = &self.config;
        let (key, view) = (self.key(i), self.view(i));
        let camera_key = VideoKey { set: SET, data_seed: self.data_seed, class: "camera", index: view };
        let place = &config.camera[view];
        let camera = Camera::draw(place, &config.lens, &config.light, &mut camera_key.stream("lamp"));

        let (body, performance) = self.event_in_space(i);
        let (width, height) = (config.width, config.height);
        // Each camera has its own wall; the visible part and the colours differ from event to event.
        let mut scene = key.stream(&format!("scene {}", place.name));
        let patch = Patch { left: 0, top: 0, width: width + 1, height: height + 1 };
        let texture = Texture::draw(self.family(view), config.scene, patch, &mut scene);
        let mut empty = vec![0.0; width * height * 3];
        texture.view(0.0, 0.0, 1.0, width, height, &mut empty);
        for pixel in empty.chunks_exact_mut(3) {
            pixel.iter_mut().zip(camera.gain).for_each(|(value, gain)| *value *= gain);
        }

        let mut noise = key.stream(&format!("noise {}", place.name));
        let noise_sd = noise.span(config.light.noise);
        let mut noise_bytes = vec![0u8; width * height * 4];
        let frames = (0..config.frames)
            .map(|t| {
                let mut rgb = empty.clone();
                let rods = body.rods(&performance.pose(t), performance.hand);
                camera.paint(&mut Canvas { width, height, rgb: &mut rgb }, &rods);
                noise.bytes(&mut noise_bytes);
                expose(&rgb, &noise_bytes, noise_sd)
            })
            .collect();
        Clip { width, height, frames }
    }

    fn fingerprint(&self, i: usize) -> String {
        let more = format!("{}, view {}", self.pixels, self.view(i));
        self.key(i).hash(more.as_bytes()).to_hex().to_string()
    }
}

#[cfg(test)]
mod tests;
