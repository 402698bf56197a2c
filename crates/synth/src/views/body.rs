//! The actor of the set of views in space: a skeleton of limbs, each a rounded rod.
//!
//! In metres; x to the actor's left, y ahead, z up, before the actor is turned and placed.

use super::ActorPlaceConfig;
use super::action::{Aim, Limb, Pose};
use crate::draw::{Draw, cos_turns, sin_turns};
use crate::object::colour;

/// A point or a direction in space.
pub(super) type Vec3 = [f32; 3];

pub(super) fn add(a: Vec3, b: Vec3) -> Vec3 {
    [0, 1, 2].map(|i| a[i] + b[i])
}

pub(super) fn scale(a: Vec3, factor: f32) -> Vec3 {
    a.map(|value| value * factor)
}

pub(super) fn dot(a: Vec3, b: Vec3) -> f32 {
    a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
}

/// A rounded rod.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rod {
    pub(super) ends: [Vec3; 2],
    /// Radius at each end.
    pub(super) radii: [f32; 2],
    /// RGB, grey levels.
    pub(super) colour: [f32; 3],
}

/// Lengths and radii of a slim person of 1.75 m.
const HEIGHT: f32 = 1.75;
const UPPER_ARM: f32 = 0.30;
const FOREARM: f32 = 0.32;
const THIGH: f32 = 0.44;
const SHIN: f32 = 0.46;
const TRUNK: f32 = 0.52;
const SHOULDERS: f32 = 0.20;
const HIPS: f32 = 0.10;
const HEAD: f32 = 0.13;

/// An actor with all random values drawn.
pub(super) struct Body {
    size: f32,
    girth: f32,
    /// Sine and cosine of the heading.
    heading: [f32; 2],
    place: [f32; 2],
    shirt: [f32; 3],
    trousers: [f32; 3],
    skin: [f32; 3],
    hair: [f32; 3],
}

impl Body {
    /// Draws an actor before walls of mean grey level `wall`: `draw` decides the appearance, which is the same in all events
    /// of the actor, and `event` the position.
    pub(super) fn draw(config: &ActorPlaceConfig, wall: f32, draw: &mut Draw, event: &mut Draw) -> Self {
        let turns = config.heading / 360.0 * (2.0 * event.unit() - 1.0);
        let place = [0, 1].map(|_| config.step * (2.0 * event.unit() - 1.0));
        let (height, girth) = (draw.span(config.height), draw.span(config.girth));
        let cloth = |draw: &mut Draw| {
            let luma = wall + draw.sign() * draw.span(config.contrast);
            colour(luma.clamp(25.0, 230.0), draw.unit(), draw.span(config.chroma))
        };
        let (shirt, trousers) = (cloth(draw), cloth(draw));
        // Skin of random tone, always with the same hue.
        let skin = colour(70.0 + 120.0 * draw.unit(), 0.36, 25.0);
        let hair = colour(35.0 + 60.0 * draw.unit(), 0.36, 15.0);
        Body {
            size: height / HEIGHT,
            girth,
            heading: [sin_turns(turns), cos_turns(turns)],
            place,
            shirt,
            trousers,
            skin,
            hair,
        }
    }

    /// Returns the rods of a pose in the room.
    pub(super) fn rods(&self, pose: &Pose, hand: f32) -> Vec<Rod> {
        let lean = direction(Aim { pitch: 180.0 - pose.lean, out: 0.0 }, 1.0);
        // The lower foot stands on the floor.
        let reach = |leg: &Limb| -THIGH * direction(leg[0], 1.0)[2] - SHIN * direction(leg[1], 1.0)[2];
        let hips = reach(&pose.legs[0]).max(reach(&pose.legs[1])) + 0.05 + pose.lift;
        let pelvis = [0.0, 0.0, hips];
        let neck = add(pelvis, scale(lean, TRUNK));
        let head = add(neck, scale(lean, 0.20));
        let mut rods = vec![
            self.rod([pelvis, neck], [0.13, 0.16], self.shirt),
            self.rod([head, head], [HEAD; 2], self.skin),
            self.rod([add(head, scale(lean, 0.05)), add(head, [0.0, -0.03, 0.05])], [HEAD; 2], self.hair),
        ];
        for (side, which) in [(hand, 0), (-hand, 1)] {
            let shoulder = add(neck, add([side * SHOULDERS, 0.0, 0.0], scale(lean, -0.05)));
            let [upper, lower] = pose.arms[which].map(|aim| direction(aim, side));
            let elbow = add(shoulder, scale(upper, UPPER_ARM));
            let wrist = add(elbow, scale(lower, FOREARM));
            rods.push(self.rod([shoulder, elbow], [0.065, 0.055], self.shirt));
            rods.push(self.rod([elbow, wrist], [0.055, 0.05], self.skin));
            let hip = add(pelvis, [side * HIPS, 0.0, 0.0]);
            let [upper, lower] = pose.legs[which].map(|aim| direction(aim, side));
            let knee = add(hip, scale(upper, THIGH));
            let ankle = add(knee, scale(lower, SHIN));
            rods.push(self.rod([hip, knee], [0.095, 0.07], self.trousers));
            rods.push(self.rod([knee, ankle], [0.07, 0.05], self.trousers));
            rods.push(self.rod([ankle, add(ankle, [0.0, 0.14, -0.02])], [0.05; 2], self.hair));
        }
        rods
    }

    /// Scales a rod in the actor's own axes, and moves it into the room.
    fn rod(&self, ends: [Vec3; 2], radii: [f32; 2], colour: [f32; 3]) -> Rod {
        let [s, c] = self.heading;
        let ends = ends.map(|[x, y, z]| {
            let (x, y, z) = (x * self.size, y * self.size, z * self.size);
            [c * x + s * y + self.place[0], c * y - s * x + self.place[1], z]
        });
        Rod { ends, radii: radii.map(|radius| radius * self.size * self.girth), colour }
    }
}

/// Returns the unit vector of an aim; `side` is 1 for the actor's left.
fn direction(aim: Aim, side: f32) -> Vec3 {
    let (pitch, out) = (aim.pitch / 360.0, aim.out / 360.0);
    let (sin_out, cos_out) = (sin_turns(out), cos_turns(out));
    [side * sin_out, cos_out * sin_turns(pitch), -cos_out * cos_turns(pitch)]
}
