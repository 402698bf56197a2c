//! The kinds of motion, and the knobs of each.

/// The kinds of motion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MotionKind {
    /// Up at constant speed.
    Rise,
    /// Down at constant speed.
    Fall,
    /// Horizontal sine, long period.
    SwaySlow,
    /// Horizontal sine, short period, same peak speed.
    SwayFast,
    /// Parabolas upwards from a floor: falls under gravity, turns quickly.
    BounceFloor,
    /// The same upside down.
    BounceCeiling,
    /// Rotates in one direction.
    Spin,
    /// Rotates back and forth.
    Wag,
    /// Grows exponentially.
    Approach,
    /// Limbs swing in phase.
    Wave,
    /// A hop and then a turn, with pauses before, between and after.
    HopThenSpin,
    /// A turn and then a hop, with pauses before, between and after.
    SpinThenHop,
    /// Moves along a circle.
    Circle,
    /// Moves along an eight, with the same peak speed.
    FigureEight,
    /// Limbs swing together.
    Flap,
    /// Limbs swing in opposition.
    Paddle,
    /// Grows and shrinks.
    Pulse,
}

impl MotionKind {
    /// Returns the knobs of this motion; [`MotionKind::ordered`] ones use the `order` table.
    pub(crate) fn knobs(self) -> &'static [&'static str] {
        match self {
            MotionKind::Rise | MotionKind::Fall => &["motion.climb-speed"],
            MotionKind::SwaySlow => &["motion.sway-speed", "motion.sway-slow-period"],
            MotionKind::SwayFast => &["motion.sway-speed", "motion.sway-fast-period"],
            MotionKind::BounceFloor | MotionKind::BounceCeiling => {
                &["motion.bounce-speed", "motion.bounce-period", "motion.bounce-rebound"]
            }
            MotionKind::Spin => &["motion.turn-rate", "motion.turn-period", "motion.spin-steady"],
            MotionKind::Wag => &["motion.turn-rate", "motion.turn-period", "motion.wag-steady"],
            MotionKind::Approach => &["motion.approach-growth"],
            MotionKind::Wave => &["motion.wave-swing", "motion.wave-period"],
            MotionKind::HopThenSpin | MotionKind::SpinThenHop => &[],
            MotionKind::Circle | MotionKind::FigureEight => {
                &["motion.loop-speed", "motion.loop-period", "motion.loop-roundness"]
            }
            MotionKind::Flap => &["motion.paddle-swing", "motion.paddle-period", "motion.flap-lag"],
            MotionKind::Paddle => &["motion.paddle-swing", "motion.paddle-period", "motion.paddle-lag"],
            MotionKind::Pulse => &["motion.pulse-growth", "motion.pulse-period"],
        }
    }

    /// Returns `true` if the motion is two bursts in an order.
    pub(crate) fn ordered(self) -> bool {
        matches!(self, MotionKind::HopThenSpin | MotionKind::SpinThenHop)
    }
}
