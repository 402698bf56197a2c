//! What an actor does over time: a pose for every frame.

use super::config::{OrderConfig, Span, SynthConfig};
use super::draw::{Draw, cos_turns, sin_turns};

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
    /// Turns one way.
    Spin,
    /// Turns to and fro.
    Wag,
    /// Grows exponentially.
    Approach,
    /// Limbs swing in phase.
    Wave,
    /// Still, a hop, still, a turn, still.
    HopThenSpin,
    /// Still, a turn, still, a hop, still.
    SpinThenHop,
    /// Round and round.
    Circle,
    /// Along an eight, same peak speed.
    FigureEight,
    /// Limbs swing together.
    Flap,
    /// Limbs swing against each other.
    Paddle,
    /// Grows and shrinks.
    Pulse,
}

impl MotionKind {
    /// The knobs that this motion is drawn from; [`MotionKind::ordered`] ones use the `order` table.
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

    /// Whether the motion is two bursts in an order.
    pub(crate) fn ordered(self) -> bool {
        matches!(self, MotionKind::HopThenSpin | MotionKind::SpinThenHop)
    }
}

/// A knob that the motion being drawn uses.
fn given<T>(knob: Option<T>) -> T {
    knob.expect("SynthSet::new has checked that every class has its knobs")
}

/// Where the actor is in one frame, relative to its place.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pose {
    /// Pixels to the right.
    pub(crate) x: f32,
    /// Pixels down.
    pub(crate) y: f32,
    /// Orientation in turns (1 = full circle), clockwise on the screen.
    pub(crate) turns: f32,
    /// Size, 1 at the drawn radius.
    pub(crate) scale: f32,
    /// Swing of the right and of the left limb in turns; equal ones mirror each other, as wings do.
    pub(crate) swings: [f32; 2],
}

/// A motion with everything drawn.
#[derive(Clone, Debug)]
pub(crate) struct Motion {
    path: Path,
    /// Orientation before any turn.
    start_turns: f32,
}

#[derive(Clone, Debug)]
enum Path {
    /// Velocity in pixels a frame, y down, about the middle of the video.
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
    /// Rates in turns a frame.
    Turn {
        rate: f32,
        steady: f32,
        period: f32,
        phase: f32,
    },
    /// `octaves` is the growth of log2(size) a frame, about the middle.
    Approach {
        octaves: f32,
        middle: f32,
    },
    /// `lag` is how far the left limb is behind the right one, in periods.
    Wave {
        swing: f32,
        period: f32,
        phase: f32,
        lag: f32,
    },
    /// A closed path of peak speed `speed`; `way` is its sense of rotation, `heading` turns it in the frame.
    Loop {
        eight: bool,
        speed: f32,
        period: f32,
        phase: f32,
        roundness: f32,
        way: f32,
        heading: [f32; 2],
    },
    /// `octaves` is the peak growth of log2(size) a frame.
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
    /// Draws a schedule of `fields` fields in all. The time that lead, gap, tail and bursts leave over
    /// is shared among lead, gap and tail at random.
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

    /// The pose in frame `frame`.
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
                    // Fastest where the eight crosses itself, there 1 along and `roundness` across.
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

/// 1 / (2 pi): turns of a circle in its radius.
const TURN: f32 = 1.0 / std::f32::consts::TAU;

/// Height of a bouncing point at phase `s` in 0..1, for unit peak speed and unit period. Speed falls
/// evenly from +1 to -1 during `1 - rebound` and climbs back during `rebound`.
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

/// Growth in octaves of `growth` per cent; log2 to second order is exact enough for a few per cent, and portable.
fn octaves(growth: f32) -> f32 {
    let growth = growth / 100.0;
    (growth - growth * growth / 2.0) * std::f32::consts::LOG2_E
}

/// 2 to the power of `x`: repeated doubling of a short Taylor series, the same bits everywhere.
fn exp2(x: f32) -> f32 {
    let y = f64::from(x) * std::f64::consts::LN_2 / 64.0;
    let mut value = 1.0 + y * (1.0 + y / 2.0 * (1.0 + y / 3.0 * (1.0 + y / 4.0)));
    for _ in 0..6 {
        value *= value;
    }
    value as f32
}

#[cfg(test)]
mod tests {
    use super::super::draw::VideoKey;
    use super::super::tests_support::{config, hmdb_config};
    use super::*;

    fn draws(kind: MotionKind, count: usize) -> impl Iterator<Item = Motion> {
        use MotionKind::*;
        let own = matches!(kind, Circle | FigureEight | Flap | Paddle | Pulse);
        let config = if own { hmdb_config() } else { config() };
        (0..count).map(move |index| {
            let key = VideoKey { set: "test", data_seed: 1, class: "any", index };
            Motion::draw(kind, &config, &mut key.stream(&format!("{kind:?}")))
        })
    }

    fn speeds(kind: MotionKind) -> Vec<f32> {
        let mut speeds: Vec<f32> = draws(kind, 20_000)
            .map(|motion| match motion.path {
                Path::Climb { velocity, .. } => velocity.abs(),
                Path::Sway { speed, .. } | Path::Bounce { speed, .. } => speed,
                Path::Turn { rate, .. } => rate.abs(),
                Path::Approach { octaves, .. } => octaves,
                Path::Wave { swing, .. } => swing,
                Path::Phases { hop_speed, spin_rate, .. } => hop_speed + spin_rate.abs(),
                Path::Loop { speed, .. } => speed,
                Path::Pulse { octaves, .. } => octaves,
            })
            .collect();
        speeds.sort_by(f32::total_cmp);
        speeds
    }

    #[test]
    fn both_classes_of_a_pair_have_the_same_peak_speeds() {
        use MotionKind::*;
        for (a, b) in [
            (Rise, Fall),
            (SwaySlow, SwayFast),
            (BounceFloor, BounceCeiling),
            (Spin, Wag),
            (HopThenSpin, SpinThenHop),
            (Circle, FigureEight),
            (Flap, Paddle),
        ] {
            let (x, y) = (speeds(a), speeds(b));
            // Two-sample Kolmogorov-Smirnov distance; 0.0163 is the 1 % point for 20,000 + 20,000.
            let below = |list: &[f32], v: f32| list.partition_point(|&s| s <= v) as f32 / 20_000.0;
            let distance =
                x.iter().chain(&y).map(|&v| (below(&x, v) - below(&y, v)).abs()).fold(0.0, f32::max);
            assert!(distance < 0.0163, "{a:?} against {b:?}: {distance}");
        }
    }

    #[test]
    fn measured_peak_speed_is_the_drawn_one() {
        use MotionKind::*;
        for kind in [SwaySlow, SwayFast, BounceFloor, BounceCeiling, Circle, FigureEight] {
            for motion in draws(kind, 200) {
                let drawn = match motion.path {
                    Path::Sway { speed, .. } | Path::Bounce { speed, .. } | Path::Loop { speed, .. } => speed,
                    _ => unreachable!(),
                };
                let fastest = (0..47)
                    .map(|t| (motion.pose(t), motion.pose(t + 1)))
                    .map(|(a, b)| ((b.x - a.x).powi(2) + (b.y - a.y).powi(2)).sqrt())
                    .fold(0.0, f32::max);
                assert!(fastest <= drawn * 1.001 && fastest > drawn * 0.7, "{kind:?} {fastest} {drawn}");
            }
        }
    }

    #[test]
    fn no_stack_can_see_which_burst_came_first() {
        use MotionKind::*;
        let config = config();
        let (fields, order) = (config.frames - 1, config.order.unwrap());
        for kind in [HopThenSpin, SpinThenHop] {
            for motion in draws(kind, 3000) {
                let Path::Phases { schedule: s, .. } = motion.path else { unreachable!() };
                let longest = order.stack + order.margin;
                assert!(longest > 10 && s.lead >= longest && s.gap >= longest && s.tail >= longest);
                assert_eq!(s.lead + s.first + s.gap + s.second + s.tail, fields);
                // The poses keep to the schedule: nothing moves in lead, gap and tail.
                let moves: Vec<bool> = (0..fields).map(|t| motion.pose(t) != motion.pose(t + 1)).collect();
                let still =
                    |from: usize, count: usize| moves[from..from + count].iter().all(|moving| !moving);
                assert!(still(0, s.lead) && still(s.lead + s.first, s.gap) && still(fields - s.tail, s.tail));
                let first = s.lead..s.lead + s.first;
                let second = fields - s.tail - s.second..fields - s.tail;
                assert!(moves[first.clone()].iter().filter(|&&moving| moving).count() + 1 >= first.len());
                // Either burst can lie at every place in a stack, the stack staying within the video.
                let stack = order.stack;
                assert!(
                    first.start >= stack && first.end + stack <= second.start && second.end + stack <= fields
                );
                // The hop ends where it began.
                assert_eq!(
                    (motion.pose(0).x, motion.pose(0).y),
                    (motion.pose(fields).x, motion.pose(fields).y)
                );
            }
        }
    }

    #[test]
    fn orientation_before_a_turn_is_uniform() {
        for kind in [MotionKind::HopThenSpin, MotionKind::SpinThenHop, MotionKind::Wag] {
            let mut counts = [0; 8];
            for motion in draws(kind, 4000) {
                counts[(motion.start_turns * 8.0) as usize] += 1;
            }
            assert!(counts.iter().all(|&count| (420..580).contains(&count)), "{kind:?} {counts:?}");
        }
    }

    #[test]
    fn a_ceiling_bounce_is_a_floor_bounce_upside_down() {
        for motion in draws(MotionKind::BounceFloor, 50) {
            let mut other = motion.clone();
            if let Path::Bounce { up, .. } = &mut other.path {
                *up = 1.0;
            }
            for t in 0..48 {
                assert_eq!(motion.pose(t).y, -other.pose(t).y);
            }
        }
    }

    #[test]
    fn loops_close_and_point_anywhere() {
        for kind in [MotionKind::Circle, MotionKind::FigureEight] {
            let mut quarters = [0; 4];
            for mut motion in draws(kind, 2000) {
                let Path::Loop { period, heading, .. } = &mut motion.path else { unreachable!() };
                quarters[usize::from(heading[0] > 0.0) + 2 * usize::from(heading[1] > 0.0)] += 1;
                *period = 16.0;
                let (a, b) = (motion.pose(3), motion.pose(19));
                assert!((a.x - b.x).abs() < 1e-3 && (a.y - b.y).abs() < 1e-3);
            }
            assert!(quarters.iter().all(|&count| (420..580).contains(&count)), "{kind:?} {quarters:?}");
        }
    }

    /// An eight passes its middle twice a round, a circle never; flattened to a line both are one motion.
    #[test]
    fn an_eight_crosses_itself_and_a_flat_one_is_a_flat_circle() {
        for (kind, crosses) in [(MotionKind::Circle, false), (MotionKind::FigureEight, true)] {
            for mut motion in draws(kind, 200) {
                let Path::Loop { period, speed, roundness, .. } = &mut motion.path else { unreachable!() };
                (*period, *speed, *roundness) = (200.0, 1.0, 1.0);
                let nearest =
                    (0..200).map(|t| motion.pose(t)).map(|p| p.x.hypot(p.y)).fold(f32::MAX, f32::min);
                assert_eq!(nearest < 1.0, crosses, "{nearest}");
            }
        }
        let flat = |kind: MotionKind| {
            let mut motion = draws(kind, 1).next().unwrap();
            if let Path::Loop { eight, period, speed, roundness, phase, heading, .. } = &mut motion.path {
                (*period, *speed, *roundness, *heading) = (20.0, 1.0, 0.0, [1.0, 0.0]);
                *phase = if *eight { 0.25 } else { 0.0 };
            }
            motion
        };
        let (a, b) = (flat(MotionKind::Circle), flat(MotionKind::FigureEight));
        for t in 0..48 {
            assert!((a.pose(t).x - b.pose(t).x).abs() < 1e-4 && a.pose(t).y == 0.0 && b.pose(t).y == 0.0);
        }
    }

    #[test]
    fn limbs_swing_together_in_a_flap_and_against_each_other_in_paddling() {
        for (kind, together) in [(MotionKind::Flap, true), (MotionKind::Paddle, false)] {
            for motion in draws(kind, 500) {
                let agreement: f32 = (0..48).map(|t| motion.pose(t).swings).map(|[a, b]| a * b).sum();
                assert_eq!(agreement > 0.0, together, "{kind:?}");
            }
        }
        for motion in draws(MotionKind::Wave, 50) {
            assert!((0..48).all(|t| motion.pose(t).swings[0] == motion.pose(t).swings[1]));
        }
    }

    #[test]
    fn growth_is_exponential() {
        for (x, expected) in [(0.0, 1.0), (1.0, 2.0), (-1.0, 0.5), (0.5, std::f32::consts::SQRT_2)] {
            assert!((exp2(x) - expected).abs() < 1e-6);
        }
    }
}
