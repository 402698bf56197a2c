//! The knobs of actors' motions. A set states exactly those that its classes use.

use crate::class::Class;
use crate::knob::{Span, SynthError, check, within};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Generates the struct of optional knobs, and the list of them with names and limits.
macro_rules! knobs {
    ($(#[$about:meta])* pub struct $config:ident: $($(#[$doc:meta])+ $knob:ident, $name:literal: $lo:literal to $hi:literal;)+) => {
        $(#[$about])*
        #[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
        #[serde(deny_unknown_fields, rename_all = "kebab-case")]
        pub struct $config {
            $($(#[$doc])+ #[serde(skip_serializing_if = "Option::is_none")] pub $knob: Option<Span>,)+
        }

        impl $config {
            /// Returns name, value and limits of every knob.
            fn knobs(&self) -> Vec<(&'static str, Option<Span>, f32, f32)> {
                vec![$(($name, self.$knob, $lo, $hi)),+]
            }
        }
    };
}

knobs! {
    /// Motions. Both classes of a pair draw their peak speed from the same range, so a single field cannot
    /// distinguish them.
    ///
    /// An absent knob is not part of the text from which videos are hashed, so a knob of one set does not change the
    /// fingerprints of another.
    pub struct MotionConfig:
    /// `rise`, `fall`: constant vertical speed. A single field can distinguish this pair: serves
    /// L = 1 well above chance.
    climb_speed, "motion.climb-speed": 0.0 to 8.0;
    /// `sway-slow`, `sway-fast`: peak horizontal speed.
    sway_speed, "motion.sway-speed": 0.0 to 8.0;
    /// Period of `sway-slow`. Overlaps the next range, so the pair is graded, not a coin flip.
    sway_slow_period, "motion.sway-slow-period": 4.0 to 1000.0;
    /// Period of `sway-fast`. A stack of ten sees most of it, a stack of five only part.
    sway_fast_period, "motion.sway-fast-period": 4.0 to 1000.0;
    /// `bounce-floor`, `bounce-ceiling`: peak vertical speed.
    bounce_speed, "motion.bounce-speed": 0.0 to 8.0;
    /// Period of a bounce.
    bounce_period, "motion.bounce-period": 4.0 to 1000.0;
    /// Share of the period taken by the turn at the floor: 0 is a hard bounce, 0.5 the same motion
    /// in both classes. Graded difficulty; serves L = 10 > L = 5.
    bounce_rebound, "motion.bounce-rebound": 0.01 to 0.5;
    /// `spin`, `wag`: peak turning rate, degrees per frame.
    turn_rate, "motion.turn-rate": 0.0 to 45.0;
    /// Period of the change in turning rate.
    turn_period, "motion.turn-period": 4.0 to 1000.0;
    /// Constant part of the turning rate in `spin`: 1 is uniform rotation, 0 would be a wag.
    spin_steady, "motion.spin-steady": 0.0 to 1.0;
    /// Constant part of the turning rate in `wag`.
    wag_steady, "motion.wag-steady": 0.0 to 1.0;
    /// `approach-*`: growth of the actor, percent per frame.
    approach_growth, "motion.approach-growth": 0.0 to 5.0;
    /// `wave-*`: amplitude of the limbs' swing, degrees.
    wave_swing, "motion.wave-swing": 0.0 to 90.0;
    /// Period of the limbs.
    wave_period, "motion.wave-period": 4.0 to 1000.0;
    /// `circle`, `figure-eight`: peak speed along the path.
    loop_speed, "motion.loop-speed": 0.0 to 8.0;
    /// Period of one round.
    loop_period, "motion.loop-period": 4.0 to 1000.0;
    /// Width of the path relative to the full one: 1 is a circle or a full eight, 0 a straight line for both.
    /// Graded difficulty.
    loop_roundness, "motion.loop-roundness": 0.0 to 1.0;
    /// `flap`, `paddle`: amplitude of the limbs' swing, degrees.
    paddle_swing, "motion.paddle-swing": 0.0 to 90.0;
    /// Period of the limbs.
    paddle_period, "motion.paddle-period": 4.0 to 1000.0;
    /// Lag of one limb behind the other in `flap`, as a share of the period; 0 is the motion of wings.
    flap_lag, "motion.flap-lag": 0.0 to 0.5;
    /// Lag of one limb behind the other in `paddle`; at 0.5 one goes up while the other goes down.
    paddle_lag, "motion.paddle-lag": 0.0 to 0.5;
    /// `pulse-*`: peak growth and shrinking of the actor, percent per frame.
    pulse_growth, "motion.pulse-growth": 0.0 to 10.0;
    /// Period of the pulse.
    pulse_period, "motion.pulse-period": 4.0 to 1000.0;
}

impl MotionConfig {
    pub(crate) fn validate(&self) -> Result<(), SynthError> {
        for (key, span, lo, hi) in self.knobs() {
            span.map_or(Ok(()), |span| within(key, span, lo, hi))?;
        }
        Ok(())
    }

    /// Checks that the knobs are those that `classes` use.
    pub(crate) fn fits(&self, classes: &[Class]) -> Result<(), SynthError> {
        for (key, span, ..) in self.knobs() {
            let user = classes.iter().find(|class| class.motion.knobs().contains(&key));
            let (found, expected) = match (user, span) {
                (Some(class), None) => ("nothing", format!("a range, since class `{}` uses it", class.name)),
                (None, Some(_)) => ("a range", "nothing, since no class of this set uses it".to_owned()),
                _ => continue,
            };
            return Err(SynthError { table: "synth", key, found: found.to_owned(), expected });
        }
        Ok(())
    }
}

/// `hop-then-spin`, `spin-then-hop`: a lead, a burst, a gap, a burst, a tail. Lead, gap and tail are
/// all longer than the longest stack, so that no single stack shows which burst came first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OrderConfig {
    /// The longest stack L, in fields, that must not distinguish the two classes.
    pub stack: usize,
    /// Number of still fields in lead, gap and tail in addition to `stack`.
    pub margin: usize,
    /// Minimum number of fields in a burst.
    pub burst_min: usize,
    /// Maximum number of fields in a burst.
    pub burst_max: usize,
    /// Peak speed of the hop, which ends where it began.
    pub hop_speed: Span,
    /// Turning rate of the spin, degrees per frame. The actor's first orientation is random, so the
    /// turn leaves no trace.
    pub spin_rate: Span,
}

impl OrderConfig {
    pub(crate) fn validate(&self, frames: usize) -> Result<(), SynthError> {
        check("order.stack", self.stack, (1..=1000).contains(&self.stack), "1 to 1000 fields")?;
        check("order.margin", self.margin, self.margin <= 1000, "at most 1000 fields")?;
        check("order.burst-min", self.burst_min, self.burst_min >= 2, "at least 2 fields, up and down")?;
        check(
            "order.burst-max",
            self.burst_max,
            (self.burst_min..=1000).contains(&self.burst_max),
            "at least burst-min and at most 1000",
        )?;
        let needed = 3 * (self.stack + self.margin) + 2 * self.burst_max + 1;
        check(
            "frames",
            frames,
            frames >= needed,
            &format!(
                "at least {needed}: lead, gap and tail of {} fields and two bursts of up to {} \
                 (order.stack, order.margin, order.burst-max), one frame more than fields",
                self.stack + self.margin,
                self.burst_max
            ),
        )?;
        within("order.hop-speed", self.hop_speed, 0.0, 8.0)?;
        within("order.spin-rate", self.spin_rate, 0.0, 45.0)
    }
}
