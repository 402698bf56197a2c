//! Background textures: eight families of pattern, in two colours, with fine grain on top.
//!
//! A texture is a patch of an infinite plane: it is computed for the rectangle that the camera will
//! see, and a pixel's value depends only on its position, not on the rectangle.

use super::draw::{Draw, cos_turns, sin_turns};
use super::knob::{Span, SynthError, within};
use super::object::colour;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The knobs of a texture.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextureLook {
    /// Mean grey level.
    pub luma: Span,
    /// Amplitude about the mean, grey levels.
    pub contrast: Span,
    /// Size of the features.
    pub feature: Span,
    /// Strength of the colour.
    pub chroma: Span,
}

impl TextureLook {
    pub(crate) fn validate(&self) -> Result<(), SynthError> {
        within("scene.luma", self.luma, 60.0, 195.0)?;
        within("scene.contrast", self.contrast, 1.0, 60.0)?;
        within("scene.feature", self.feature, 4.0, 64.0)?;
        within("scene.chroma", self.chroma, 0.0, 128.0)
    }
}

/// The families of pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Family {
    /// Soft blobs of several sizes.
    Clouds,
    /// Bent stripes.
    Stripes,
    /// A chess board with soft edges.
    Checks,
    /// Scattered discs.
    Spots,
    /// Bricks with mortar.
    Bricks,
    /// Wavy lines, one above the other.
    Waves,
    /// Small blobs.
    Grain,
    /// Concentric rings about a far centre.
    Rings,
}

impl Family {
    /// Every family.
    pub(crate) const ALL: [Family; 8] = [
        Family::Clouds,
        Family::Stripes,
        Family::Checks,
        Family::Spots,
        Family::Bricks,
        Family::Waves,
        Family::Grain,
        Family::Rings,
    ];
}

/// A patch of a background in linear RGB, grey levels.
pub(crate) struct Texture {
    /// Position of the first pixel on the plane.
    left: i32,
    top: i32,
    width: usize,
    height: usize,
    /// `height * width * 3` values.
    rgb: Vec<f32>,
    /// Mean grey level as drawn.
    pub(crate) luma: f32,
}

/// A rectangle of whole pixels on the plane.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patch {
    pub(crate) left: i32,
    pub(crate) top: i32,
    pub(crate) width: usize,
    pub(crate) height: usize,
}

impl Texture {
    /// Draws a texture of `family` and computes it on `patch`.
    pub(crate) fn draw(family: Family, look: TextureLook, patch: Patch, draw: &mut Draw) -> Self {
        let luma = draw.span(look.luma);
        let contrast = draw.span(look.contrast);
        let (hue, chroma) = (draw.unit(), draw.span(look.chroma));
        let (other_hue, other_chroma) = (draw.unit(), draw.span(look.chroma));
        let side = draw.sign();
        let dark = colour(luma - side * contrast, hue, chroma);
        let light = colour(luma + side * contrast, other_hue, other_chroma);
        let pattern = Pattern::draw(family, draw.span(look.feature), draw);
        let values = pattern.fill(patch);
        let mut rgb = Vec::with_capacity(values.len() * 3);
        for value in values {
            let mix = 0.5 + 0.5 * value;
            rgb.extend((0..3).map(|c| dark[c] + (light[c] - dark[c]) * mix));
        }
        Texture { left: patch.left, top: patch.top, width: patch.width, height: patch.height, rgb, luma }
    }

    /// Copies the view whose upper left corner is at (`x`, `y`) on the plane into `frame`
    /// (`height * width * 3`), times `gain`. Interpolates bilinearly; repeats the border outside the patch.
    pub(crate) fn view(&self, x: f32, y: f32, gain: f32, width: usize, height: usize, frame: &mut [f32]) {
        let (fx, fy) = (x.floor(), y.floor());
        let (ax, ay) = (x - fx, y - fy);
        let limit = |offset: i32, size: usize, view: usize| -> usize {
            offset.clamp(0, (size as i32 - view as i32 - 1).max(0)) as usize
        };
        let column = limit(fx as i32 - self.left, self.width, width);
        let row = limit(fy as i32 - self.top, self.height, height);
        let weights =
            [gain * (1.0 - ax) * (1.0 - ay), gain * ax * (1.0 - ay), gain * (1.0 - ax) * ay, gain * ax * ay];
        let line = width * 3;
        for (r, out) in frame.chunks_exact_mut(line).take(height).enumerate() {
            let start = ((row + r) * self.width + column) * 3;
            let above = &self.rgb[start..start + line + 3];
            let below = &self.rgb[start + self.width * 3..start + self.width * 3 + line + 3];
            for (i, value) in out.iter_mut().enumerate() {
                *value = weights[0] * above[i]
                    + weights[1] * above[i + 3]
                    + weights[2] * below[i]
                    + weights[3] * below[i + 3];
            }
        }
    }
}

/// A family with its random values drawn.
struct Pattern {
    family: Family,
    /// Size of a feature in pixels.
    size: f32,
    /// Orientation as cosine and sine.
    along: [f32; 2],
    /// Position on the plane.
    offset: [f32; 2],
    seed: u32,
}

impl Pattern {
    fn draw(family: Family, size: f32, draw: &mut Draw) -> Self {
        let turns = draw.unit();
        Pattern {
            family,
            size,
            along: [cos_turns(turns), sin_turns(turns)],
            offset: [draw.unit() * 64.0, draw.unit() * 64.0],
            seed: draw.seed(),
        }
    }

    /// Computes values within -1..1, row by row.
    fn fill(&self, patch: Patch) -> Vec<f32> {
        let wide = self.noise(patch, 2.0 * self.size, 1);
        let grain = self.noise(patch, 3.0, 2);
        let blobs = match self.family {
            Family::Clouds => self.noise(patch, self.size, 4),
            Family::Grain => self.noise(patch, 0.3 * self.size.max(8.0), 3),
            _ => Vec::new(),
        };
        let share = if self.family == Family::Grain { 0.4 } else { 0.3 };
        let mut values = Vec::with_capacity(patch.width * patch.height);
        for row in 0..patch.height {
            let y = (patch.top + row as i32) as f32 + self.offset[1];
            for column in 0..patch.width {
                let x = (patch.left + column as i32) as f32 + self.offset[0];
                let i = row * patch.width + column;
                let value = match self.family {
                    Family::Clouds => 1.5 * (0.65 * wide[i] + 0.35 * blobs[i]),
                    Family::Grain => 1.3 * blobs[i],
                    Family::Stripes => self.stripes(x, y, wide[i]),
                    Family::Checks => self.checks(x, y),
                    Family::Spots => self.spots(x, y),
                    Family::Bricks => self.bricks(x, y),
                    Family::Waves => self.waves(x, y),
                    Family::Rings => self.rings(x, y, wide[i]),
                };
                values.push(((1.0 - share) * value + share * grain[i]).clamp(-1.0, 1.0));
            }
        }
        values
    }

    fn turned(&self, x: f32, y: f32) -> [f32; 2] {
        [self.along[0] * x + self.along[1] * y, self.along[0] * y - self.along[1] * x]
    }

    fn stripes(&self, x: f32, y: f32, bend: f32) -> f32 {
        soft(sin_turns((self.turned(x, y)[0] + 0.5 * self.size * bend) / self.size), 2.0)
    }

    fn checks(&self, x: f32, y: f32) -> f32 {
        let [u, v] = self.turned(x, y);
        soft(sin_turns(u / (1.5 * self.size)) * sin_turns(v / (1.5 * self.size)), 4.0)
    }

    fn spots(&self, x: f32, y: f32) -> f32 {
        let cell = 1.1 * self.size;
        let (column, row) = ((x / cell).floor(), (y / cell).floor());
        let mut nearest = f32::MAX;
        for j in -1..=1 {
            for i in -1..=1 {
                let (c, r) = (column as i32 + i, row as i32 + j);
                let centre_x = (c as f32 + 0.5 + 0.35 * lattice(c, r, self.seed)) * cell;
                let centre_y = (r as f32 + 0.5 + 0.35 * lattice(c, r, self.seed ^ 0x5bd1)) * cell;
                let (dx, dy) = (x - centre_x, y - centre_y);
                nearest = nearest.min(dx * dx + dy * dy);
            }
        }
        ((0.36 * cell - nearest.sqrt()) / 1.2).clamp(-1.0, 1.0)
    }

    fn bricks(&self, x: f32, y: f32) -> f32 {
        let (tall, wide) = (0.8 * self.size, 1.8 * self.size);
        let row = (y / tall).floor();
        let shifted = x + if (row as i32).rem_euclid(2) == 0 { 0.0 } else { 0.5 * wide };
        let column = (shifted / wide).floor();
        let edge = |v: f32, size: f32, cell: f32| (v - cell * size).min((cell + 1.0) * size - v);
        let inside = edge(shifted, wide, column).min(edge(y, tall, row));
        let shade = 0.35 + 0.4 * lattice(column as i32, row as i32, self.seed);
        let mortar = ((inside - 1.2) / 0.8).clamp(0.0, 1.0);
        -1.0 + (1.0 + shade) * mortar
    }

    fn waves(&self, x: f32, y: f32) -> f32 {
        let lift = 0.35 * self.size * sin_turns(x / (2.2 * self.size));
        soft(sin_turns((y + lift) / (0.9 * self.size)), 1.5)
    }

    fn rings(&self, x: f32, y: f32, bend: f32) -> f32 {
        let (dx, dy) = (x - self.offset[1] + 40.0 * self.along[0], y - self.offset[0] + 40.0 * self.along[1]);
        soft(sin_turns(((dx * dx + dy * dy).sqrt() + 0.15 * self.size * bend) / self.size), 2.0)
    }

    /// Computes value noise: random values on a square lattice of side `cell`, smoothly interpolated; about -1..1.
    fn noise(&self, patch: Patch, cell: f32, octave: u32) -> Vec<f32> {
        let seed = self.seed.wrapping_add(octave.wrapping_mul(0x9e37_79b9));
        let axis = |start: i32, count: usize, offset: f32| -> Vec<(i32, f32)> {
            (0..count)
                .map(|i| {
                    let place = ((start + i as i32) as f32 + offset) / cell;
                    let f = place - place.floor();
                    (place.floor() as i32, f * f * (3.0 - 2.0 * f))
                })
                .collect()
        };
        let columns = axis(patch.left, patch.width, self.offset[0]);
        let rows = axis(patch.top, patch.height, self.offset[1]);
        let (first_column, first_row) = (columns[0].0, rows[0].0);
        let wide = (columns[columns.len() - 1].0 - first_column) as usize + 2;
        let tall = (rows[rows.len() - 1].0 - first_row) as usize + 2;
        let knots: Vec<f32> = (0..wide * tall)
            .map(|i| lattice(first_column + (i % wide) as i32, first_row + (i / wide) as i32, seed))
            .collect();
        let mut values = Vec::with_capacity(patch.width * patch.height);
        for &(row, b) in &rows {
            let above = &knots[(row - first_row) as usize * wide..][..wide];
            let below = &knots[(row - first_row + 1) as usize * wide..][..wide];
            values.extend(columns.iter().map(|&(column, a)| {
                let c = (column - first_column) as usize;
                let top = above[c] + (above[c + 1] - above[c]) * a;
                let bottom = below[c] + (below[c + 1] - below[c]) * a;
                top + (bottom - top) * b
            }));
        }
        values
    }
}

/// Steepens a value within -1..1 and keeps it in that range.
fn soft(value: f32, gain: f32) -> f32 {
    let v = (value * gain).clamp(-1.0, 1.0);
    v * (1.5 - 0.5 * v * v)
}

/// Hashes a lattice point to a value uniform in -1..1.
fn lattice(x: i32, y: i32, seed: u32) -> f32 {
    let mut h = seed ^ (x as u32).wrapping_mul(0x85eb_ca6b) ^ (y as u32).wrapping_mul(0xc2b2_ae35);
    h ^= h >> 16;
    h = h.wrapping_mul(0x7feb_352d);
    h ^= h >> 15;
    h = h.wrapping_mul(0x846c_a68b);
    h ^= h >> 16;
    (h >> 8) as f32 / (1u32 << 23) as f32 - 1.0
}

#[cfg(test)]
mod tests {
    use super::super::draw::VideoKey;
    use super::super::tests_support::config;
    use super::*;

    fn texture(family: Family, patch: Patch) -> Texture {
        let key = VideoKey { set: "test", data_seed: 1, class: "any", index: 0 };
        Texture::draw(family, config().scene.look(), patch, &mut key.stream("scene"))
    }

    #[test]
    fn a_pixel_depends_on_its_place_alone() {
        for family in Family::ALL {
            let whole = texture(family, Patch { left: -40, top: -30, width: 140, height: 130 });
            let part = texture(family, Patch { left: -3, top: 5, width: 70, height: 70 });
            let mut a = vec![0.0; 64 * 64 * 3];
            let mut b = a.clone();
            whole.view(-1.25, 7.5, 1.0, 64, 64, &mut a);
            part.view(-1.25, 7.5, 1.0, 64, 64, &mut b);
            assert_eq!(a, b, "{family:?}");
        }
    }

    #[test]
    fn textures_have_contrast_and_stay_in_range() {
        for family in Family::ALL {
            let texture = texture(family, Patch { left: 0, top: 0, width: 100, height: 100 });
            let luma: Vec<f32> =
                texture.rgb.chunks(3).map(|p| 0.299 * p[0] + 0.587 * p[1] + 0.114 * p[2]).collect();
            let mean = luma.iter().sum::<f32>() / luma.len() as f32;
            let sd = (luma.iter().map(|v| (v - mean).powi(2)).sum::<f32>() / luma.len() as f32).sqrt();
            assert!(sd > 5.0, "{family:?} has a swing of only {sd} grey levels");
            assert!(texture.rgb.iter().all(|v| (0.0..=255.0).contains(v)), "{family:?}");
        }
    }
}
