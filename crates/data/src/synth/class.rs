//! The fourteen classes: seven pairs, each pair with one actor and one scene of its own.
//!
//! Which actor or scene is seen tells the pair, never the class; what tells the class within a pair is
//! the motion (five pairs) or the actor's hue (two pairs). Left against right is no class, because
//! training flips.

use super::motion::MotionKind;
use super::object::Shape;
use super::texture::Family;

/// Where the actor's hue lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hue {
    /// Anywhere.
    Free,
    /// Around orange.
    Warm,
    /// Around azure, opposite to warm.
    Cool,
}

/// One class.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    /// Name, as tables print it.
    pub(crate) name: &'static str,
    /// The actor's body.
    pub(crate) actor: Shape,
    /// The scene that the actor is mostly seen in.
    pub(crate) scene: Family,
    /// What the actor does.
    pub(crate) motion: MotionKind,
    /// The actor's hue.
    pub(crate) hue: Hue,
}

const fn class(name: &'static str, actor: Shape, scene: Family, motion: MotionKind, hue: Hue) -> Class {
    Class { name, actor, scene, motion, hue }
}

/// The classes in the order of their labels; labels 2k and 2k + 1 are a pair.
#[rustfmt::skip]
pub(crate) const CLASSES: [Class; 14] = [
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_shares_actor_and_scene_and_no_two_pairs_do() {
        for pair in CLASSES.chunks(2) {
            assert_eq!((pair[0].actor, pair[0].scene), (pair[1].actor, pair[1].scene));
            assert!((pair[0].motion == pair[1].motion) != (pair[0].hue == pair[1].hue));
        }
        for (label, class) in CLASSES.iter().enumerate() {
            for other in &CLASSES[label + 1..] {
                assert_ne!(class.name, other.name);
            }
            for other in CLASSES.chunks(2).skip(label / 2 + 1) {
                assert_ne!(class.actor, other[0].actor);
                assert_ne!(class.scene, other[0].scene);
            }
        }
    }
}
