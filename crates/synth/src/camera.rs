//! The camera's path: two slow sinusoids per axis, a shake, and a share of the actor's own path.

use super::config::SynthConfig;
use super::draw::{Draw, sin_turns};
use super::motion::Pose;

/// The positions of the view on the background and of the actor in the view, for each frame.
pub(crate) struct Shot {
    /// Upper left corner of the view on the background, pixels.
    pub(crate) corners: Vec<[f32; 2]>,
    /// Centre of the actor in the frame, pixels.
    pub(crate) actor: Vec<[f32; 2]>,
}

impl Shot {
    /// Draws the camera's path for an actor with these poses that needs `reach` pixels around it.
    ///
    /// The share of the actor's path that the camera follows is the drawn one, or the least above it (in steps
    /// of 0.05) that keeps the actor's centre `reach` pixels inside the frame.
    pub(crate) fn draw(config: &SynthConfig, poses: &[Pose], reach: f32, draw: &mut Draw) -> Self {
        let c = &config.camera;
        let mut axes = Vec::with_capacity(2);
        for share in [1.0, c.pan_vertical] {
            let waves: Vec<[f32; 3]> =
                (0..2).map(|_| [share * draw.span(c.pan), draw.span(c.pan_period), draw.unit()]).collect();
            axes.push(waves);
        }
        let shake = draw.span(c.shake);
        let follow = draw.span(c.follow);
        let places = [draw.unit(), draw.unit()];
        let mut shaken = [0.0, 0.0];
        let swings: Vec<[f32; 2]> = (0..poses.len())
            .map(|t| {
                let swing = [0, 1].map(|axis| {
                    let pan: f32 = axes[axis]
                        .iter()
                        .map(|[speed, period, phase]| {
                            speed * period / std::f32::consts::TAU * sin_turns(t as f32 / period + phase)
                        })
                        .sum();
                    pan + shaken[axis]
                });
                shaken = shaken.map(|v| v + shake * draw.normal());
                swing
            })
            .collect();

        let mut shot = Shot { corners: vec![[0.0; 2]; poses.len()], actor: vec![[0.0; 2]; poses.len()] };
        for axis in 0..2 {
            let side = [config.width, config.height][axis] as f32;
            let path: Vec<f32> = poses.iter().map(|pose| [pose.x, pose.y][axis]).collect();
            let seen = |follow: f32| -> Vec<f32> {
                path.iter().zip(&swings).map(|(p, swing)| p * (1.0 - follow) - swing[axis]).collect()
            };
            let room = side - 2.0 * reach.min(0.35 * side);
            let mut share = follow;
            while share < 1.0 && extent(&seen(share)).1 > room {
                share = (share + 0.05).min(1.0);
            }
            let seen = seen(share);
            let (low, span) = extent(&seen);
            // A random position in the remaining room, or the middle if there is none.
            let slack = (room - span).max(0.0);
            let place = 0.5 * (side - span) + slack * (places[axis] - 0.5) - low;
            for t in 0..poses.len() {
                shot.actor[t][axis] = seen[t] + place;
                shot.corners[t][axis] = swings[t][axis] + share * path[t];
            }
        }
        shot
    }
}

/// Returns the lowest value and the distance to the highest.
fn extent(values: &[f32]) -> (f32, f32) {
    let low = values.iter().copied().fold(f32::MAX, f32::min);
    let high = values.iter().copied().fold(f32::MIN, f32::max);
    (low, high - low)
}

#[cfg(test)]
mod tests {
    use super::super::class::{SYNTH, SYNTH_HMDB};
    use super::super::draw::VideoKey;
    use super::super::motion::Motion;
    use super::super::tests_support::{config, hmdb_config};
    use super::*;

    #[test]
    fn the_actor_stays_in_the_frame() {
        for (config, classes) in [(config(), &SYNTH[..]), (hmdb_config(), &SYNTH_HMDB[..])] {
            let (mut outside, mut all) = (0, 0);
            for class in classes {
                for index in 0..100 {
                    let key = VideoKey { set: "test", data_seed: 1, class: class.name, index };
                    let motion = Motion::draw(class.motion, &config, &mut key.stream("motion"));
                    let poses: Vec<Pose> = (0..config.frames).map(|t| motion.pose(t)).collect();
                    let shot = Shot::draw(&config, &poses, 14.0, &mut key.stream("camera"));
                    for [x, y] in shot.actor {
                        all += 1;
                        outside += usize::from(!(8.0..56.0).contains(&x) || !(8.0..56.0).contains(&y));
                    }
                }
            }
            assert!(outside * 100 < all, "{outside} of {all} centres near or past the border");
        }
    }

    #[test]
    fn the_actor_moves_against_the_background_as_its_poses_say() {
        let config = config();
        let key = VideoKey { set: "test", data_seed: 1, class: "rise", index: 3 };
        let motion = Motion::draw(SYNTH[0].motion, &config, &mut key.stream("motion"));
        let poses: Vec<Pose> = (0..config.frames).map(|t| motion.pose(t)).collect();
        let shot = Shot::draw(&config, &poses, 14.0, &mut key.stream("camera"));
        for t in 1..config.frames {
            let on_plane = |t: usize| shot.actor[t][1] + shot.corners[t][1];
            let moved = on_plane(t) - on_plane(t - 1);
            assert!((moved - (poses[t].y - poses[t - 1].y)).abs() < 1e-3);
        }
    }
}
