//! The knobs of what actors do. A set states those that its classes use, and no others.

use crate::class::Class;
use crate::knob::{Span, SynthError, check, within};
use serde::{Deserialize, Serialize};

/// Motions. Both classes of a pair draw their peak speed from the same range, which leaves a single
/// field blind to the pair.
///
/// A knob that is absent is not written into the text that videos are hashed by, so a knob of one set leaves the
/// fingerprints of another alone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct MotionConfig {
    /// `rise`, `fall`: constant vertical speed. The pair that one field can see: serves L = 1
    /// well above chance.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub climb_speed: Option<Span>,
    /// `sway-slow`, `sway-fast`: peak horizontal speed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sway_speed: Option<Span>,
    /// Period of `sway-slow`. Overlaps the next range, so the pair is graded, not a coin flip.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sway_slow_period: Option<Span>,
    /// Period of `sway-fast`. A stack of ten sees most of it, a stack of five only part.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sway_fast_period: Option<Span>,
    /// `bounce-floor`, `bounce-ceiling`: peak vertical speed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce_speed: Option<Span>,
    /// Period of a bounce.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce_period: Option<Span>,
    /// Share of the period that the turn at the floor takes: 0 a hard bounce, 0.5 the same motion
    /// in both classes. Graded difficulty; serves L = 10 > L = 5.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bounce_rebound: Option<Span>,
    /// `spin`, `wag`: peak turning rate, degrees a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_rate: Option<Span>,
    /// Period of the change in turning rate.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub turn_period: Option<Span>,
    /// Steady part of the turning rate in `spin`: 1 turns evenly, 0 would be a wag.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spin_steady: Option<Span>,
    /// Steady part of the turning rate in `wag`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wag_steady: Option<Span>,
    /// `approach-*`: growth of the actor, per cent a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approach_growth: Option<Span>,
    /// `wave-*`: half the swing of the limbs, degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave_swing: Option<Span>,
    /// Period of the limbs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wave_period: Option<Span>,
    /// `circle`, `figure-eight`: peak speed along the path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_speed: Option<Span>,
    /// Period of a round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_period: Option<Span>,
    /// Width of the path as a share of its natural one: 1 a circle or a full eight; at 0 both are one straight
    /// line. Graded difficulty.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub loop_roundness: Option<Span>,
    /// `flap`, `paddle`: half the swing of the limbs, degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paddle_swing: Option<Span>,
    /// Period of the limbs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paddle_period: Option<Span>,
    /// How far one limb is behind the other in `flap`, as a share of the period: 0 as wings do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flap_lag: Option<Span>,
    /// The same in `paddle`: 0.5 one goes up while the other goes down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paddle_lag: Option<Span>,
    /// `pulse-*`: peak growth and shrinking of the actor, per cent a frame.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulse_growth: Option<Span>,
    /// Period of the pulse.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pulse_period: Option<Span>,
}

impl MotionConfig {
    /// Name, value and limits of every knob.
    fn knobs(&self) -> [(&'static str, Option<Span>, f32, f32); 23] {
        [
            ("motion.climb-speed", self.climb_speed, 0.0, 8.0),
            ("motion.sway-speed", self.sway_speed, 0.0, 8.0),
            ("motion.sway-slow-period", self.sway_slow_period, 4.0, 1000.0),
            ("motion.sway-fast-period", self.sway_fast_period, 4.0, 1000.0),
            ("motion.bounce-speed", self.bounce_speed, 0.0, 8.0),
            ("motion.bounce-period", self.bounce_period, 4.0, 1000.0),
            ("motion.bounce-rebound", self.bounce_rebound, 0.01, 0.5),
            ("motion.turn-rate", self.turn_rate, 0.0, 45.0),
            ("motion.turn-period", self.turn_period, 4.0, 1000.0),
            ("motion.spin-steady", self.spin_steady, 0.0, 1.0),
            ("motion.wag-steady", self.wag_steady, 0.0, 1.0),
            ("motion.approach-growth", self.approach_growth, 0.0, 5.0),
            ("motion.wave-swing", self.wave_swing, 0.0, 90.0),
            ("motion.wave-period", self.wave_period, 4.0, 1000.0),
            ("motion.loop-speed", self.loop_speed, 0.0, 8.0),
            ("motion.loop-period", self.loop_period, 4.0, 1000.0),
            ("motion.loop-roundness", self.loop_roundness, 0.0, 1.0),
            ("motion.paddle-swing", self.paddle_swing, 0.0, 90.0),
            ("motion.paddle-period", self.paddle_period, 4.0, 1000.0),
            ("motion.flap-lag", self.flap_lag, 0.0, 0.5),
            ("motion.paddle-lag", self.paddle_lag, 0.0, 0.5),
            ("motion.pulse-growth", self.pulse_growth, 0.0, 10.0),
            ("motion.pulse-period", self.pulse_period, 4.0, 1000.0),
        ]
    }

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
                (Some(class), None) => ("nothing", format!("a range, by which class `{}` moves", class.name)),
                (None, Some(_)) => ("a range", "nothing, since no class of this set uses it".to_owned()),
                _ => continue,
            };
            return Err(SynthError { table: "synth", key, found: found.to_owned(), expected });
        }
        Ok(())
    }
}

/// `hop-then-spin`, `spin-then-hop`: a lead, a burst, a gap, a burst, a tail. Lead, gap and tail are
/// all longer than the longest stack, so that no single stack can tell which burst came first.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OrderConfig {
    /// The longest stack L, in fields, that must not be able to tell the two classes apart.
    pub stack: usize,
    /// Still fields on top of `stack` in lead, gap and tail.
    pub margin: usize,
    /// Fewest fields of a burst.
    pub burst_min: usize,
    /// Most fields of a burst.
    pub burst_max: usize,
    /// Peak speed of the hop, which ends where it began.
    pub hop_speed: Span,
    /// Turning rate of the spin, degrees a frame; the actor's first orientation is uniform, so the
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
