//! The motion of an actor: a pose for every frame.

mod kind;

use super::config::{OrderConfig, SynthConfig};
use super::draw::{Draw, cos_turns, sin_turns};
use super::knob::Span;

pub(crate) use kind::MotionKind;

/// Returns a knob that the motion being drawn uses.
fn given<T>(knob: Option<T>) -> T {
    knob.expect("SynthSet::new has checked that every class has its knobs")
}

/// The actor's pose in one frame, relative to its position.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pose {
    /// Pixels to the right.
    pub(crate) x: f32,
    /// Pixels down.
    pub(crate) y: f32,
    /// Orientation in turns (1 = full circle), clockwise on the screen.
    pub(crate) turns: f32,
    /// Size relative to the drawn radius.
    pub(crate) scale: f32,
    /// Swing of the right and of the left limb in turns; equal swings mirror each other, like wings.
    pub(crate) swings: [f32; 2],
}

/// A motion with all random values drawn.
#[derive(Clone, Debug)]
pub(crate) struct Motion {
    path: Path,
    /// Orientation before any turn.
    start_turns: f32,
}

#[derive(Clone, Debug)]
enum Path {
    /// Velocity in pixels per frame, y down, about the middle of the video.
    Climb {
        velocity: f32,
        middle: f32,
    },
    Sway {
        speed: f32,
        period: f32,
        phase: f32,
    },
    /// `up` is -1 for a floor (y points down), +1 for a ceiling.
    Bounce {
        speed: f32,
        period: f32,
        phase: f32,
        rebound: f32,
        up: f32,
    },
    /// Rates in turns per frame.
    Turn {
        rate: f32,
        steady: f32,
        period: f32,
        phase: f32,
    },
    /// `octaves` is the growth of log2(size) per frame, about the middle.
    Approach {
        octaves: f32,
        middle: f32,
    },
    /// `lag` is the lag of the left limb behind the right one, in periods.
    Wave {
        swing: f32,
        period: f32,
        phase: f32,
        lag: f32,
    },
    /// A closed path of peak speed `speed`; `way` is its sense of rotation, `heading` its orientation in the frame.
    Loop {
        eight: bool,
        speed: f32,
        period: f32,
        phase: f32,
        roundness: f32,
        way: f32,
        heading: [f32; 2],
    },
    /// `octaves` is the peak growth of log2(size) per frame.
    Pulse {
        octaves: f32,
        period: f32,
        phase: f32,
    },
    Phases {
        schedule: Schedule,
        hop_first: bool,
        hop_speed: f32,
        spin_rate: f32,
    },
}

/// Fields of the order classes: still for `lead`, a burst, still for `gap`, a burst, still for `tail`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Schedule {
    pub(crate) lead: usize,
    pub(crate) first: usize,
    pub(crate) gap: usize,
    pub(crate) second: usize,
    pub(crate) tail: usize,
}

impl Schedule {
    /// Draws a schedule of `fields` fields in all. The remaining time is divided randomly among lead, gap
    /// and tail.
    fn draw(config: &OrderConfig, fields: usize, draw: &mut Draw) -> Self {
        let still = config.stack + config.margin;
        let first = draw.integer(config.burst_min, config.burst_max);
        let second = draw.integer(config.burst_min, config.burst_max);
        let spare = fields - 3 * still - first - second;
        let (a, b) = (draw.integer(0, spare), draw.integer(0, spare));
        let (a, b) = (a.min(b), a.max(b));
        Schedule { lead: still + a, first, gap: still + b - a, second, tail: still + spare - b }
    }
}

impl Motion {
    /// Draws a motion for a video of `config.frames` frames.
    pub(crate) fn draw(kind: MotionKind, config: &SynthConfig, draw: &mut Draw) -> Self {
        let middle = (config.frames - 1) as f32 / 2.0;
        let m = &config.motion;
        let any_way_up = draw.unit();
        let tilt = config.actor.tilt / 360.0 * (2.0 * draw.unit() - 1.0);
        let turning = |steady: Option<Span>, draw: &mut Draw| Path::Turn {
            rate: draw.sign() * draw.span(given(m.turn_rate)) / 360.0,
            steady: draw.span(given(steady)),
            period: draw.span(given(m.turn_period)),
            phase: draw.unit(),
        };
        let path = match kind {
            MotionKind::Rise => Path::Climb { velocity: -draw.span(given(m.climb_speed)), middle },
            MotionKind::Fall => Path::Climb { velocity: draw.span(given(m.climb_speed)), middle },
            MotionKind::SwaySlow | MotionKind::SwayFast => Path::Sway {
                speed: draw.span(given(m.sway_speed)),
                period: draw.span(given(if kind == MotionKind::SwaySlow {
                    m.sway_slow_period
                } else {
                    m.sway_fast_period
                })),
                phase: draw.unit(),
            },
            MotionKind::BounceFloor | MotionKind::BounceCeiling => Path::Bounce {
                speed: draw.span(given(m.bounce_speed)),
                period: draw.span(given(m.bounce_period)),
                phase: draw.unit(),
                rebound: draw.span(given(m.bounce_rebound)),
                up: if kind == MotionKind::BounceFloor { -1.0 } else { 1.0 },
            },
            MotionKind::Spin => turning(m.spin_steady, draw),
            MotionKind::Wag => turning(m.wag_steady, draw),
            MotionKind::Approach => {
                Path::Approach { octaves: octaves(draw.span(given(m.approach_growth))), middle }
            }
            MotionKind::Wave => Path::Wave {
                swing: draw.span(given(m.wave_swing)) / 360.0,
                period: draw.span(given(m.wave_period)),
                phase: draw.unit(),
                lag: 0.0,
            },
            MotionKind::HopThenSpin | MotionKind::SpinThenHop => {
                let order = given(config.order.as_ref());
                Path::Phases {
                    schedule: Schedule::draw(order, config.frames - 1, draw),
                    hop_first: kind == MotionKind::HopThenSpin,
                    hop_speed: draw.span(order.hop_speed),
                    spin_rate: draw.sign() * draw.span(order.spin_rate) / 360.0,
                }
            }
            MotionKind::Circle | MotionKind::FigureEight => {
                let heading = draw.unit();
                Path::Loop {
                    eight: kind == MotionKind::FigureEight,
                    speed: draw.span(given(m.loop_speed)),
                    period: draw.span(given(m.loop_period)),
                    phase: draw.unit(),
                    roundness: draw.span(given(m.loop_roundness)),
                    way: draw.sign(),
                    heading: [cos_turns(heading), sin_turns(heading)],
                }
            }
            MotionKind::Flap | MotionKind::Paddle => Path::Wave {
                swing: draw.span(given(m.paddle_swing)) / 360.0,
                period: draw.span(given(m.paddle_period)),
                phase: draw.unit(),
                lag: draw.sign()
                    * draw.span(given(if kind == MotionKind::Flap { m.flap_lag } else { m.paddle_lag })),
            },
            MotionKind::Pulse => Path::Pulse {
                octaves: octaves(draw.span(given(m.pulse_growth))),
                period: draw.span(given(m.pulse_period)),
                phase: draw.unit(),
            },
        };
        let any = matches!(path, Path::Turn { .. } | Path::Phases { .. });
        Motion { path, start_turns: if any { any_way_up } else { tilt } }
    }

    /// Returns the pose in frame `frame`.
    pub(crate) fn pose(&self, frame: usize) -> Pose {
        let t = frame as f32;
        let mut pose = Pose { x: 0.0, y: 0.0, turns: self.start_turns, scale: 1.0, swings: [0.0; 2] };
        match self.path {
            Path::Climb { velocity, middle } => pose.y = velocity * (t - middle),
            Path::Sway { speed, period, phase } => {
                pose.x = speed * period * TURN * sin_turns(t / period + phase);
            }
            Path::Bounce { speed, period, phase, rebound, up } => {
                let s = t / period + phase;
                pose.y = up * speed * period * bounce(s - s.floor(), rebound);
            }
            Path::Turn { rate, steady, period, phase } => {
                let swung = period * TURN * (cos_turns(phase) - cos_turns(t / period + phase));
                pose.turns += rate * (steady * t + (1.0 - steady) * swung);
            }
            Path::Approach { octaves, middle } => pose.scale = exp2(octaves * (t - middle)),
            Path::Wave { swing, period, phase, lag } => {
                pose.swings = [0.0, lag].map(|lag| swing * sin_turns(t / period + phase - lag));
            }
            Path::Loop { eight, speed, period, phase, roundness, way, heading: [c, s] } => {
                let round = t / period + phase;
                let size = speed * period * TURN;
                let (along, across) = if eight {
                    // Fastest at the crossing of the eight: there 1 along and `roundness` across.
                    let size = size / (1.0 + roundness * roundness).sqrt();
                    (size * sin_turns(round), 0.5 * way * roundness * size * sin_turns(2.0 * round))
                } else {
                    (size * cos_turns(round), way * roundness * size * sin_turns(round))
                };
                (pose.x, pose.y) = (c * along - s * across, s * along + c * across);
            }
            Path::Pulse { octaves, period, phase } => {
                pose.scale = exp2(octaves * period * TURN * sin_turns(t / period + phase));
            }
            Path::Phases { schedule, hop_first, hop_speed, spin_rate } => {
                let second = schedule.lead + schedule.first + schedule.gap;
                let bursts = [(schedule.lead, schedule.first), (second, schedule.second)];
                let [hop, spin] = if hop_first { bursts } else { [bursts[1], bursts[0]] };
                let s = (frame.saturating_sub(hop.0) as f32 / hop.1 as f32).min(1.0);
                pose.y = -hop_speed * hop.1 as f32 * s * (1.0 - s);
                pose.turns += spin_rate * frame.saturating_sub(spin.0).min(spin.1) as f32;
            }
        }
        pose
    }
}

/// 1 / (2 pi): converts radians to turns.
const TURN: f32 = 1.0 / std::f32::consts::TAU;

/// Returns the height of a bouncing point at phase `s` in 0..1, for unit peak speed and unit period. Speed
/// falls linearly from +1 to -1 during `1 - rebound` and rises again during `rebound`.
fn bounce(s: f32, rebound: f32) -> f32 {
    let flight = 1.0 - rebound;
    if s < flight {
        let u = s / flight;
        flight * u * (1.0 - u)
    } else {
        let u = (s - flight) / rebound;
        -rebound * u * (1.0 - u)
    }
}

/// Converts a growth in percent to octaves; log2 to second order is accurate enough for a few percent, and portable.
fn octaves(growth: f32) -> f32 {
    let growth = growth / 100.0;
    (growth - growth * growth / 2.0) * std::f32::consts::LOG2_E
}

/// Computes 2 to the power of `x` by repeated doubling of a short Taylor series, with the same bits everywhere.
fn exp2(x: f32) -> f32 {
    let y = f64::from(x) * std::f64::consts::LN_2 / 64.0;
    let mut value = 1.0 + y * (1.0 + y / 2.0 * (1.0 + y / 3.0 * (1.0 + y / 4.0)));
    for _ in 0..6 {
        value *= value;
    }
    value as f32
}

#[cfg(test)]
mod tests;
