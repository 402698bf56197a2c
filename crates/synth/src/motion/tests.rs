//! Tests of motions: speeds, paths and the content of stacks.

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
        let distance = x.iter().chain(&y).map(|&v| (below(&x, v) - below(&y, v)).abs()).fold(0.0, f32::max);
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
            // The poses follow the schedule: nothing moves in lead, gap and tail.
            let moves: Vec<bool> = (0..fields).map(|t| motion.pose(t) != motion.pose(t + 1)).collect();
            let still = |from: usize, count: usize| moves[from..from + count].iter().all(|moving| !moving);
            assert!(still(0, s.lead) && still(s.lead + s.first, s.gap) && still(fields - s.tail, s.tail));
            let first = s.lead..s.lead + s.first;
            let second = fields - s.tail - s.second..fields - s.tail;
            assert!(moves[first.clone()].iter().filter(|&&moving| moving).count() + 1 >= first.len());
            // Either burst can be at every position in a stack inside the video.
            let stack = order.stack;
            assert!(
                first.start >= stack && first.end + stack <= second.start && second.end + stack <= fields
            );
            // The hop ends where it began.
            assert_eq!((motion.pose(0).x, motion.pose(0).y), (motion.pose(fields).x, motion.pose(fields).y));
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

/// An eight passes its middle twice per round, a circle never; flattened to a line both are the same motion.
#[test]
fn an_eight_crosses_itself_and_a_flat_one_is_a_flat_circle() {
    for (kind, crosses) in [(MotionKind::Circle, false), (MotionKind::FigureEight, true)] {
        for mut motion in draws(kind, 200) {
            let Path::Loop { period, speed, roundness, .. } = &mut motion.path else { unreachable!() };
            (*period, *speed, *roundness) = (200.0, 1.0, 1.0);
            let nearest = (0..200).map(|t| motion.pose(t)).map(|p| p.x.hypot(p.y)).fold(f32::MAX, f32::min);
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
