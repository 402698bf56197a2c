//! The classes of the two sets of videos: pairs, each with its own actor and scene.
//!
//! The actor and the scene identify the pair, never the class; the motion or the actor's hue identifies
//! the class within a pair. Left and right are not separate classes, because training flips pictures.
//!
//! A class that is in both sets is the same action there, by a different actor in a different scene.

use super::motion::MotionKind;
use super::object::Shape;
use super::texture::Family;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The range of the actor's hue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hue {
    /// Any hue.
    Free,
    /// Around orange.
    Warm,
    /// Around azure, opposite to warm.
    Cool,
}

impl Hue {
    /// Returns the hue in turns: `any` if it is free, else `spread` away from orange or azure.
    pub(crate) fn turns(self, any: f32, spread: f32) -> f32 {
        match self {
            Hue::Free => any,
            Hue::Warm => 0.375 + spread,
            Hue::Cool => 0.875 + spread,
        }
    }
}

/// The lists of classes; a data set's file names one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ClassList {
    /// The fourteen actions of `synth`.
    Synth,
    /// The twelve actions of `synth-hmdb`, half of which are also in `synth`.
    SynthHmdb,
}

impl ClassList {
    /// Returns the name used in the keys of videos.
    pub(crate) fn name(self) -> &'static str {
        match self {
            ClassList::Synth => "synth",
            ClassList::SynthHmdb => "synth-hmdb",
        }
    }

    /// Returns the classes in the order of their labels; labels 2k and 2k + 1 are a pair.
    pub(crate) fn classes(self) -> &'static [Class] {
        match self {
            ClassList::Synth => &SYNTH,
            ClassList::SynthHmdb => &SYNTH_HMDB,
        }
    }
}

/// One class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    /// Name, as printed in tables.
    pub(crate) name: &'static str,
    /// The actor's body.
    pub(crate) actor: Shape,
    /// The most frequent scene of the actor.
    pub(crate) scene: Family,
    /// The motion of the actor.
    pub(crate) motion: MotionKind,
    /// The actor's hue.
    pub(crate) hue: Hue,
}

const fn class(name: &'static str, actor: Shape, scene: Family, motion: MotionKind, hue: Hue) -> Class {
    Class { name, actor, scene, motion, hue }
}

/// `synth`.
#[rustfmt::skip]
pub(crate) const SYNTH: [Class; 14] = [
    class("rise", Shape::Triangle, Family::Clouds, MotionKind::Rise, Hue::Free),
    class("fall", Shape::Triangle, Family::Clouds, MotionKind::Fall, Hue::Free),
    class("sway-slow", Shape::Box, Family::Stripes, MotionKind::SwaySlow, Hue::Free),
    class("sway-fast", Shape::Box, Family::Stripes, MotionKind::SwayFast, Hue::Free),
    class("bounce-floor", Shape::Disc, Family::Bricks, MotionKind::BounceFloor, Hue::Free),
    class("bounce-ceiling", Shape::Disc, Family::Bricks, MotionKind::BounceCeiling, Hue::Free),
    class("spin", Shape::Cross, Family::Checks, MotionKind::Spin, Hue::Free),
    class("wag", Shape::Cross, Family::Checks, MotionKind::Wag, Hue::Free),
    class("approach-warm", Shape::Star, Family::Spots, MotionKind::Approach, Hue::Warm),
    class("approach-cool", Shape::Star, Family::Spots, MotionKind::Approach, Hue::Cool),
    class("wave-warm", Shape::Capsule, Family::Waves, MotionKind::Wave, Hue::Warm),
    class("wave-cool", Shape::Capsule, Family::Waves, MotionKind::Wave, Hue::Cool),
    class("hop-then-spin", Shape::Hexagon, Family::Grain, MotionKind::HopThenSpin, Hue::Free),
    class("spin-then-hop", Shape::Hexagon, Family::Grain, MotionKind::SpinThenHop, Hue::Free),
];

/// `synth-hmdb`. Six names are also in `synth`.
#[rustfmt::skip]
pub(crate) const SYNTH_HMDB: [Class; 12] = [
    class("sway-slow", Shape::Drop, Family::Waves, MotionKind::SwaySlow, Hue::Free),
    class("sway-fast", Shape::Drop, Family::Waves, MotionKind::SwayFast, Hue::Free),
    class("bounce-floor", Shape::Flower, Family::Rings, MotionKind::BounceFloor, Hue::Free),
    class("bounce-ceiling", Shape::Flower, Family::Rings, MotionKind::BounceCeiling, Hue::Free),
    class("spin", Shape::Dumbbell, Family::Clouds, MotionKind::Spin, Hue::Free),
    class("wag", Shape::Dumbbell, Family::Clouds, MotionKind::Wag, Hue::Free),
    class("circle", Shape::Ring, Family::Checks, MotionKind::Circle, Hue::Free),
    class("figure-eight", Shape::Ring, Family::Checks, MotionKind::FigureEight, Hue::Free),
    class("flap", Shape::Triangle, Family::Stripes, MotionKind::Flap, Hue::Free),
    class("paddle", Shape::Triangle, Family::Stripes, MotionKind::Paddle, Hue::Free),
    class("pulse-warm", Shape::Hexagon, Family::Spots, MotionKind::Pulse, Hue::Warm),
    class("pulse-cool", Shape::Hexagon, Family::Spots, MotionKind::Pulse, Hue::Cool),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_shares_actor_and_scene_and_no_two_pairs_do() {
        for classes in [&SYNTH[..], &SYNTH_HMDB[..]] {
            for pair in classes.chunks(2) {
                assert_eq!((pair[0].actor, pair[0].scene), (pair[1].actor, pair[1].scene));
                assert!((pair[0].motion == pair[1].motion) != (pair[0].hue == pair[1].hue));
            }
            for (label, class) in classes.iter().enumerate() {
                for other in &classes[label + 1..] {
                    assert_ne!(class.name, other.name);
                }
                for other in classes.chunks(2).skip(label / 2 + 1) {
                    assert_ne!(class.actor, other[0].actor);
                    assert_ne!(class.scene, other[0].scene);
                }
            }
        }
    }

    #[test]
    fn a_name_in_both_sets_is_one_action_by_another_actor_elsewhere() {
        let both: Vec<_> = SYNTH
            .iter()
            .flat_map(|a| SYNTH_HMDB.iter().filter(|b| a.name == b.name).map(move |b| (a, b)))
            .collect();
        assert_eq!(both.len(), 6);
        for (a, b) in both {
            assert_eq!((a.motion, a.hue), (b.motion, b.hue));
            assert!(a.actor != b.actor && a.scene != b.scene, "{}", a.name);
        }
    }
}
