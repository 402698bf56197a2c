//! Renders a body for a camera: projects every rod, shades it by the camera's own lamp, and paints from the farthest to the
//! nearest.

use super::body::{Rod, Vec3, add, dot, scale};
use super::{CameraPlace, LensConfig, RoomLightConfig};
use crate::draw::{Draw, cos_turns, sin_turns};
use crate::object::{Canvas, coverage};

/// The point that all cameras look at, in metres.
const MIDDLE: Vec3 = [0.0, 0.0, 0.9];

/// A camera with its position and light.
pub(super) struct Camera {
    /// Unit vectors: to the right and down in the picture, and away from the camera.
    right: Vec3,
    down: Vec3,
    ahead: Vec3,
    distance: f32,
    /// Pixels per metre at that distance.
    scale: f32,
    /// Unit vector to the lamp, in the axes of the picture.
    lamp: Vec3,
    ambient: f32,
    /// Factor of each colour.
    pub(super) gain: [f32; 3],
}

/// A projected rod.
struct Seen {
    ends: [[f32; 2]; 2],
    radii: [f32; 2],
    depth: f32,
    colour: [f32; 3],
}

impl Camera {
    /// Creates the camera at `place`; `draw` decides its lamp and colours.
    pub(super) fn draw(
        place: &CameraPlace,
        lens: &LensConfig,
        light: &RoomLightConfig,
        draw: &mut Draw,
    ) -> Self {
        let (azimuth, elevation) = (place.azimuth / 360.0, place.elevation / 360.0);
        let [sa, ca] = [sin_turns(azimuth), cos_turns(azimuth)];
        let [se, ce] = [sin_turns(elevation), cos_turns(elevation)];
        // The actor looks along y. A camera in front of the face looks along -y, and sees the actor's left on its right.
        let ahead = [-sa * ce, -ca * ce, -se];
        let right = [ca, -sa, 0.0];
        let down = [-sa * se, -ca * se, ce].map(|value| -value);
        let lamp = [draw.sign() * (0.3 + 0.5 * draw.unit()), -(0.2 + 0.5 * draw.unit()), -0.5];
        let lamp = scale(lamp, 1.0 / dot(lamp, lamp).sqrt());
        let gain = draw.span(light.gain);
        let hue = draw.unit();
        let tint = [0.0, 1.0 / 3.0, 2.0 / 3.0].map(|shift| light.tint / 128.0 * cos_turns(hue + shift));
        Self {
            right,
            down,
            ahead,
            distance: lens.distance,
            scale: lens.scale,
            lamp,
            ambient: light.ambient,
            gain: tint.map(|tint| gain * (1.0 + tint)),
        }
    }

    /// Paints the rods into a picture whose centre is the middle of the scene.
    pub(super) fn paint(&self, canvas: &mut Canvas<'_>, rods: &[Rod]) {
        let centre = [0.5 * canvas.width as f32, 0.5 * canvas.height as f32];
        let mut seen: Vec<Seen> = rods.iter().map(|rod| self.see(rod, centre)).collect();
        seen.sort_by(|a, b| b.depth.total_cmp(&a.depth));
        for rod in &seen {
            self.paint_rod(canvas, rod);
        }
    }

    fn see(&self, rod: &Rod, centre: [f32; 2]) -> Seen {
        let project = |point: Vec3| {
            let from_middle = add(point, scale(MIDDLE, -1.0));
            // Nothing is behind the camera, since bodies are metres away from it.
            let depth = (self.distance + dot(from_middle, self.ahead)).max(0.5);
            let scale = self.scale * self.distance / depth;
            let place = [dot(from_middle, self.right), dot(from_middle, self.down)];
            ([centre[0] + scale * place[0], centre[1] + scale * place[1]], scale, depth)
        };
        let [(a, scale_a, depth_a), (b, scale_b, depth_b)] = rod.ends.map(project);
        Seen {
            ends: [a, b],
            radii: [rod.radii[0] * scale_a, rod.radii[1] * scale_b],
            depth: 0.5 * (depth_a + depth_b),
            colour: rod.colour,
        }
    }

    fn paint_rod(&self, canvas: &mut Canvas<'_>, rod: &Seen) {
        let [a, b] = rod.ends;
        let along = [b[0] - a[0], b[1] - a[1]];
        let squared = along[0] * along[0] + along[1] * along[1];
        let middle = [0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1])];
        let reach = 0.5 * squared.sqrt() + rod.radii[0].max(rod.radii[1]) + 1.0;
        canvas.paint(middle, 0.0, reach, 1.0, |x, y| {
            let (dx, dy) = (x + middle[0] - a[0], y + middle[1] - a[1]);
            let share =
                if squared > 0.0 { ((dx * along[0] + dy * along[1]) / squared).clamp(0.0, 1.0) } else { 0.0 };
            let radius = rod.radii[0] + (rod.radii[1] - rod.radii[0]) * share;
            let (px, py) = (dx - share * along[0], dy - share * along[1]);
            let from_axis = (px * px + py * py).sqrt();
            let cover = coverage(from_axis - radius);
            if cover == 0.0 {
                return (0.0, rod.colour);
            }
            // The normal of a round rod lies in the picture plane at its edge, and points to the camera in its middle.
            let (nx, ny) = (px / radius, py / radius);
            let towards = (1.0 - nx * nx - ny * ny).max(0.0).sqrt();
            let lit = dot([nx, ny, -towards], self.lamp).max(0.0);
            let light = self.ambient + (1.0 - self.ambient) * lit;
            (cover, std::array::from_fn(|c| rod.colour[c] * light * self.gain[c]))
        });
    }
}
