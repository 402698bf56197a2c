//! Renders a whole video frame by frame: background, distractors, actor, light and noise.

use super::actor::Actor;
use super::camera::Shot;
use super::class::Class;
use super::config::{DistractorConfig, SynthConfig};
use super::draw::{Draw, VideoKey};
use super::motion::{Motion, Pose};
use super::object::{Canvas, Object};
use super::texture::{Family, Patch, Texture};
use crate::Clip;

/// An object that is not the actor, lying on the background.
struct Distractor {
    object: Object,
    /// Position on the background in the middle of the video.
    place: [f32; 2],
    /// Pixels per frame.
    drift: [f32; 2],
    start_turns: f32,
    /// Turns per frame.
    turn: f32,
}

impl Distractor {
    /// Draws a distractor that is at a random position in the frame with corner `corner` in the middle of the video.
    fn draw(
        config: &DistractorConfig,
        size: [usize; 2],
        corner: [f32; 2],
        luma: f32,
        draw: &mut Draw,
    ) -> Self {
        let object = Object::any(config.radius, luma, draw);
        let place = [0, 1].map(|axis| corner[axis] + size[axis] as f32 * draw.unit());
        let (drifts, turns) = (draw.chance(config.drifts), draw.chance(config.turns));
        let drift = [0, 1].map(|_| config.drift * draw.normal());
        let (start_turns, turn) = (draw.unit(), draw.sign() * draw.span(config.turn) / 360.0);
        Distractor {
            object,
            place,
            drift: if drifts { drift } else { [0.0; 2] },
            start_turns,
            turn: if turns { turn } else { 0.0 },
        }
    }

    fn paint(&self, canvas: &mut Canvas<'_>, corner: [f32; 2], t: f32, gain: f32) {
        let place = [0, 1].map(|axis| self.place[axis] + self.drift[axis] * t - corner[axis]);
        let turns = self.start_turns + self.turn * t;
        canvas.paint(place, turns, self.object.reach(), gain, |x, y| self.object.sample(x, y, 1.0));
    }
}

/// Renders the video `key` of `class`.
pub(super) fn render(key: VideoKey<'_>, class: &Class, config: &SynthConfig) -> Clip {
    let (width, height) = (config.width, config.height);
    let motion = Motion::draw(class.motion, config, &mut key.stream("motion"));
    let poses: Vec<Pose> = (0..config.frames).map(|t| motion.pose(t)).collect();
    let reach = 1.3 * config.actor.radius.hi;
    let shot = Shot::draw(config, &poses, reach, &mut key.stream("camera"));

    let mut scene_draw = key.stream("scene");
    let follows = scene_draw.chance(config.scene.follows_class);
    let any = scene_draw.pick(&Family::ALL);
    let family = if follows { class.scene } else { any };
    let texture = Texture::draw(family, config.scene.look(), patch(&shot, width, height), &mut scene_draw);
    let actor = Actor::draw(class, config, texture.luma, &mut key.stream("actor"));

    let middle = (config.frames - 1) as f32 / 2.0;
    let corner = shot.corners[config.frames / 2];
    let mut clutter = key.stream("distractors");
    let distractors: Vec<Distractor> = (0..clutter.integer(0, config.distractors.count))
        .map(|_| Distractor::draw(&config.distractors, [width, height], corner, texture.luma, &mut clutter))
        .collect();

    let mut light = key.stream("light");
    let noise_sd = light.span(config.light.noise);
    let fade = light.sign() * config.light.fade * light.unit();
    let mut noise = key.stream("noise");
    let mut noise_bytes = vec![0u8; width * height * 4];
    let mut rgb = vec![0.0; width * height * 3];
    let frames = (0..config.frames)
        .map(|t| {
            let since = t as f32 - middle;
            let gain = 1.0 + 0.5 * fade * since / middle;
            texture.view(shot.corners[t][0], shot.corners[t][1], gain, width, height, &mut rgb);
            let mut canvas = Canvas { width, height, rgb: &mut rgb };
            for distractor in &distractors {
                distractor.paint(&mut canvas, shot.corners[t], since, gain);
            }
            actor.paint(&mut canvas, shot.actor[t], &poses[t], gain);
            noise.bytes(&mut noise_bytes);
            expose(&rgb, &noise_bytes, noise_sd)
        })
        .collect();
    Clip { width, height, frames }
}

/// Returns the rectangle of whole pixels of the background that the camera sees.
fn patch(shot: &Shot, width: usize, height: usize) -> Patch {
    let bounds = |axis: usize| {
        let places = shot.corners.iter().map(|corner| corner[axis]);
        let low = places.clone().fold(f32::MAX, f32::min).floor();
        let high = places.fold(f32::MIN, f32::max).floor();
        (low as i32, (high - low) as usize)
    };
    let ((left, across), (top, down)) = (bounds(0), bounds(1));
    Patch { left, top, width: width + across + 1, height: height + down + 1 }
}

/// Adds grey noise of standard deviation `sd` and rounds to bytes. The sum of four random bytes per
/// pixel is close to normal, needs no logarithm and is the same on every machine.
pub(super) fn expose(rgb: &[f32], noise: &[u8], sd: f32) -> Vec<u8> {
    // Variance of a sum of four draws from 0..=255 is 4 (256^2 - 1) / 12 = 147.8^2; its mean is 510.
    let scale = sd / 147.800_77;
    let mut frame = vec![0; rgb.len()];
    for ((out, pixel), bytes) in frame.chunks_exact_mut(3).zip(rgb.chunks_exact(3)).zip(noise.chunks_exact(4))
    {
        let sum: i32 = bytes.iter().map(|&b| i32::from(b)).sum();
        let grain = scale * (sum - 510) as f32 + 0.5;
        for (byte, value) in out.iter_mut().zip(pixel) {
            // A float-to-integer cast saturates.
            *byte = (value + grain) as u8;
        }
    }
    frame
}
