//! Actions of the set of views: for each class two key poses, and a rhythm between them.
//!
//! A pose is the directions of ten limbs. The active hand or foot is drawn for each event, so that a mirrored picture shows
//! the same class.

use super::ActionConfig;
use crate::draw::{Draw, sin_turns};

/// A direction from a joint, in degrees: `pitch` 0 hangs down, 90 points ahead, 180 up; `out` turns it away from the
/// body's middle, with 90 straight to the side.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Aim {
    pub(super) pitch: f32,
    pub(super) out: f32,
}

const fn aim(pitch: f32, out: f32) -> Aim {
    Aim { pitch, out }
}

/// An arm or a leg: its upper and its lower part.
pub(super) type Limb = [Aim; 2];

/// A whole pose. The active side comes first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Pose {
    pub(super) arms: [Limb; 2],
    pub(super) legs: [Limb; 2],
    /// The trunk's pitch forwards, degrees.
    pub(super) lean: f32,
    /// Height of the whole body above the floor in metres, for a person of 1.75 m; bent legs lower it further.
    pub(super) lift: f32,
}

const HANGING: Limb = [aim(0.0, 8.0), aim(6.0, 5.0)];
const STRAIGHT: Limb = [aim(0.0, 4.0), aim(0.0, 2.0)];

const STANDING: Pose = Pose { arms: [HANGING; 2], legs: [STRAIGHT; 2], lean: 0.0, lift: 0.0 };

const fn arms(first: Limb, second: Limb) -> Pose {
    Pose { arms: [first, second], ..STANDING }
}

/// The action of a class.
#[derive(Debug)]
pub(super) struct Action {
    pub(super) name: &'static str,
    /// The two poses between which it alternates.
    keys: [Pose; 2],
}

/// The classes in the order of their labels. An arm held ahead looks from one side like an arm held out from another, and a
/// crouch like a bow: only the orientation of the body towards the camera distinguishes them.
#[rustfmt::skip]
pub(super) const ACTIONS: [Action; 10] = [
    Action { name: "check-watch", keys: [
        arms([aim(30.0, 10.0), aim(105.0, -45.0)], HANGING),
        Pose { lean: 8.0, ..arms([aim(40.0, 15.0), aim(115.0, -50.0)], HANGING) },
    ] },
    Action { name: "cross-arms", keys: [
        arms([aim(30.0, 12.0), aim(80.0, -65.0)], [aim(30.0, 12.0), aim(80.0, -65.0)]),
        arms([aim(40.0, 15.0), aim(90.0, -65.0)], [aim(25.0, 12.0), aim(75.0, -65.0)]),
    ] },
    Action { name: "hands-up", keys: [
        arms([aim(165.0, 15.0), aim(175.0, 5.0)], [aim(165.0, 15.0), aim(175.0, 5.0)]),
        arms([aim(130.0, 30.0), aim(150.0, 10.0)], [aim(130.0, 30.0), aim(150.0, 10.0)]),
    ] },
    Action { name: "kick", keys: [
        Pose { legs: [[aim(80.0, 5.0), aim(70.0, 5.0)], STRAIGHT], lean: -12.0, ..STANDING },
        Pose { legs: [[aim(-15.0, 5.0), aim(-60.0, 5.0)], STRAIGHT], lean: 4.0, ..STANDING },
    ] },
    Action { name: "pick-up", keys: [
        Pose { arms: [[aim(20.0, 6.0), aim(10.0, 0.0)]; 2], legs: [[aim(25.0, 6.0), aim(-20.0, 4.0)]; 2], lean: 85.0, lift: 0.0 },
        Pose { arms: [[aim(15.0, 6.0), aim(5.0, 0.0)]; 2], lean: 45.0, ..STANDING },
    ] },
    Action { name: "point", keys: [
        arms([aim(5.0, 88.0), aim(5.0, 90.0)], HANGING),
        arms([aim(10.0, 65.0), aim(10.0, 70.0)], HANGING),
    ] },
    Action { name: "punch", keys: [
        arms([aim(90.0, 3.0), aim(90.0, 0.0)], [aim(20.0, 15.0), aim(120.0, -20.0)]),
        arms([aim(15.0, 20.0), aim(105.0, -5.0)], [aim(20.0, 15.0), aim(120.0, -20.0)]),
    ] },
    Action { name: "sit", keys: [
        Pose { arms: [[aim(20.0, 8.0), aim(60.0, 0.0)]; 2], legs: [[aim(85.0, 8.0), aim(-4.0, 4.0)]; 2], lean: 12.0, lift: 0.0 },
        Pose { arms: [[aim(25.0, 8.0), aim(50.0, 0.0)]; 2], legs: [[aim(60.0, 8.0), aim(-15.0, 4.0)]; 2], lean: 30.0, lift: 0.0 },
    ] },
    Action { name: "star-jump", keys: [
        Pose { arms: [[aim(0.0, 145.0), aim(0.0, 160.0)]; 2], legs: [[aim(0.0, 28.0), aim(0.0, 26.0)]; 2], lean: 0.0, lift: 0.08 },
        Pose { arms: [[aim(0.0, 60.0), aim(0.0, 65.0)]; 2], legs: [[aim(5.0, 12.0), aim(-10.0, 10.0)]; 2], lean: 0.0, lift: 0.02 },
    ] },
    Action { name: "walk", keys: [
        Pose { arms: [[aim(-28.0, 6.0), aim(-10.0, 4.0)], [aim(28.0, 6.0), aim(45.0, 4.0)]], legs: [[aim(32.0, 3.0), aim(20.0, 2.0)], [aim(-22.0, 3.0), aim(-45.0, 2.0)]], lean: 4.0, lift: 0.0 },
        Pose { arms: [[aim(28.0, 6.0), aim(45.0, 4.0)], [aim(-28.0, 6.0), aim(-10.0, 4.0)]], legs: [[aim(-22.0, 3.0), aim(-45.0, 2.0)], [aim(32.0, 3.0), aim(20.0, 2.0)]], lean: 4.0, lift: 0.0 },
    ] },
];

/// An action with all random values drawn.
pub(super) struct Performance {
    /// The key poses as performed by this actor.
    keys: [Pose; 2],
    period: f32,
    phase: f32,
    /// -1 if the left side is the active one, else 1.
    pub(super) hand: f32,
}

impl Performance {
    pub(super) fn draw(action: &Action, config: &ActionConfig, draw: &mut Draw) -> Self {
        let (depth, hand) = (draw.span(config.depth), draw.sign());
        let (period, phase) = (draw.span(config.period), draw.unit());
        // The same error in both key poses: a habit, not a tremor.
        let mistakes: [Limb; 4] = std::array::from_fn(|_| {
            std::array::from_fn(|_| {
                aim(config.sloppiness * draw.normal(), 0.5 * config.sloppiness * draw.normal())
            })
        });
        let keys = action.keys.map(|key| off(&towards(&STANDING, &key, depth), &mistakes));
        Self { keys, period, phase, hand }
    }

    /// Returns the pose in frame `t`.
    pub(super) fn pose(&self, t: usize) -> Pose {
        let swing = sin_turns(t as f32 / self.period + self.phase);
        towards(&self.keys[0], &self.keys[1], 0.5 + 0.5 * swing)
    }
}

/// Interpolates between two poses.
fn towards(from: &Pose, to: &Pose, share: f32) -> Pose {
    let mix = |a: f32, b: f32| a + (b - a) * share;
    let limbs = |a: &[Limb; 2], b: &[Limb; 2]| {
        std::array::from_fn(|side| {
            std::array::from_fn(|part| {
                let (a, b): (Aim, Aim) = (a[side][part], b[side][part]);
                aim(mix(a.pitch, b.pitch), mix(a.out, b.out))
            })
        })
    };
    Pose {
        arms: limbs(&from.arms, &to.arms),
        legs: limbs(&from.legs, &to.legs),
        lean: mix(from.lean, to.lean),
        lift: mix(from.lift, to.lift),
    }
}

fn off(pose: &Pose, mistakes: &[Limb; 4]) -> Pose {
    let add = |limb: Limb, mistake: &Limb| -> Limb {
        std::array::from_fn(|part| {
            aim(limb[part].pitch + mistake[part].pitch, limb[part].out + mistake[part].out)
        })
    };
    Pose {
        arms: [add(pose.arms[0], &mistakes[0]), add(pose.arms[1], &mistakes[1])],
        // Legs carry the body, so their errors are halved.
        legs: [2, 3].map(|leg| {
            let half = mistakes[leg].map(|mistake| aim(0.5 * mistake.pitch, 0.5 * mistake.out));
            add(pose.legs[leg - 2], &half)
        }),
        ..*pose
    }
}
