//! The actor: a patterned body and two limbs.

use super::class::{Class, Hue};
use super::config::SynthConfig;
use super::draw::{Draw, cos_turns, sin_turns};
use super::motion::Pose;
use super::object::{Canvas, Object, colour, contrasting, coverage};

/// An actor with all random values drawn.
pub(crate) struct Actor {
    body: Object,
    limb_length: f32,
    limb_width: f32,
    limb_colour: [f32; 3],
}

impl Actor {
    /// Draws the actor of `class` for a background of mean grey level `background`.
    pub(crate) fn draw(class: &Class, config: &SynthConfig, background: f32, draw: &mut Draw) -> Self {
        let a = &config.actor;
        let radius = draw.span(a.radius);
        let (limb_length, limb_width) = (draw.span(a.limb_length), draw.span(a.limb_width));
        let contrast = draw.span(a.contrast);
        let pattern = draw.span(a.pattern);
        let luma = contrasting(background, contrast, draw);
        let (any, along, side) = (draw.unit(), draw.unit(), draw.sign());
        let spread = config.hue.spread / 360.0 * (2.0 * along - 1.0);
        let strength = draw.unit();
        let chroma_range = if class.hue == Hue::Free { a.chroma } else { config.hue.chroma };
        let chroma = chroma_range.lo + (chroma_range.hi - chroma_range.lo) * strength;
        let hue = class.hue.turns(any, spread);
        let limb_luma = (luma + 0.6 * side * pattern).clamp(30.0, 225.0);
        Actor {
            body: Object::new(class.actor, radius, luma, pattern, hue, chroma),
            limb_length,
            limb_width,
            limb_colour: colour(limb_luma, hue, chroma),
        }
    }

    /// Returns the distance in pixels that the actor reaches from its centre at scale 1.
    pub(crate) fn reach(&self) -> f32 {
        ROOT * self.body.radius + self.limb_length + 0.5 * self.limb_width + 1.0
    }

    /// Paints the actor with its centre at `place`.
    pub(crate) fn paint(&self, canvas: &mut Canvas<'_>, place: [f32; 2], pose: &Pose, gain: f32) {
        let scale = pose.scale;
        let reach = (self.reach() * scale).max(1.5 * self.body.radius * scale) + 1.0;
        let root = ROOT * self.body.radius * scale;
        // Root and direction of each limb. The root stays on the body; equal swings move like wings.
        let limbs = [(SHOULDER, pose.swings[0]), (0.5 - SHOULDER, -pose.swings[1])].map(|(rest, swing)| {
            let (x, y) = (root * cos_turns(rest), root * sin_turns(rest));
            [x, y, cos_turns(rest + swing), sin_turns(rest + swing)]
        });
        let (length, half) = (self.limb_length * scale, 0.5 * self.limb_width * scale);
        canvas.paint(place, pose.turns, reach, gain, |x, y| {
            let (cover, body) = self.body.sample(x, y, scale);
            if cover == 1.0 {
                return (1.0, body);
            }
            let mut nearest = f32::MAX;
            for [rx, ry, c, s] in limbs {
                let (dx, dy) = (x - rx, y - ry);
                let along = (c * dx + s * dy).clamp(0.0, length);
                let (px, py) = (dx - along * c, dy - along * s);
                nearest = nearest.min(px * px + py * py);
            }
            let limb = coverage(nearest.sqrt() - half);
            // The body covers the limbs.
            let all = cover + limb * (1.0 - cover);
            if all == 0.0 {
                return (0.0, body);
            }
            let share = cover / all;
            (all, std::array::from_fn(|c| self.limb_colour[c] + (body[c] - self.limb_colour[c]) * share))
        });
    }
}

/// Distance of the limbs' roots from the centre of the body, as a share of its radius.
const ROOT: f32 = 0.6;

/// Direction of the right limb at rest, in turns clockwise from the right: a little downwards.
const SHOULDER: f32 = 0.06;

#[cfg(test)]
mod tests {
    use super::super::class::SYNTH;
    use super::super::draw::VideoKey;
    use super::super::tests_support::config;
    use super::*;

    #[test]
    fn the_body_stands_out_from_the_background() {
        let config = config();
        for index in 0..2000 {
            let key = VideoKey { set: "test", data_seed: 1, class: "any", index };
            let background =
                config.scene.luma.lo + (config.scene.luma.hi - config.scene.luma.lo) * index as f32 / 2000.0;
            let class = &SYNTH[index % SYNTH.len()];
            let actor = Actor::draw(class, &config, background, &mut key.stream("actor"));
            let luma =
                actor.body.colours.iter().map(|[r, g, b]| 0.299 * r + 0.587 * g + 0.114 * b).sum::<f32>()
                    / 2.0;
            assert!((luma - background).abs() >= config.actor.contrast.lo - 0.1, "{luma} on {background}");
        }
    }
}
