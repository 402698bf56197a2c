//! Objects: twelve silhouettes, each with its own pattern, drawn with soft edges at sub-pixel
//! positions so that flow sees motions of less than a pixel.

use super::draw::{Draw, cos_turns, sin_turns};
use super::knob::Span;

/// The silhouettes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// A disc of two halves.
    Disc,
    /// A striped square.
    Box,
    /// A triangle with a spot.
    Triangle,
    /// A star with a spot.
    Star,
    /// A ring of four quarters.
    Ring,
    /// A cross of two halves.
    Cross,
    /// A banded rod with round ends.
    Capsule,
    /// A striped hexagon.
    Hexagon,
    /// A crescent.
    Crescent,
    /// A drop with a spot.
    Drop,
    /// Two discs on a bar.
    Dumbbell,
    /// Four petals.
    Flower,
}

impl Shape {
    /// Every silhouette.
    pub(crate) const ALL: [Shape; 12] = [
        Shape::Disc,
        Shape::Box,
        Shape::Triangle,
        Shape::Star,
        Shape::Ring,
        Shape::Cross,
        Shape::Capsule,
        Shape::Hexagon,
        Shape::Crescent,
        Shape::Drop,
        Shape::Dumbbell,
        Shape::Flower,
    ];

    /// Computes the signed distance from the outline at (`x`, `y`), negative inside, in units of the radius.
    fn distance(self, x: f32, y: f32) -> f32 {
        match self {
            Shape::Disc => length(x, y) - 0.95,
            Shape::Box => x.abs().max(y.abs()) - 0.8,
            // Half-planes with outward normals at 90, 210 and 330 degrees.
            Shape::Triangle => (0.866_025_4 * x.abs() - 0.5 * y).max(y) - 0.55,
            Shape::Star => star(x, y),
            Shape::Ring => (length(x, y) - 0.7).abs() - 0.27,
            Shape::Cross => {
                let (a, b) = (x.abs(), y.abs());
                (a.max(b) - 1.0).max(a.min(b) - 0.36)
            }
            Shape::Capsule => length(x - x.clamp(-0.75, 0.75), y) - 0.42,
            Shape::Hexagon => {
                let (a, b) = (x.abs(), y.abs());
                a.max(0.5 * a + 0.866_025_4 * b) - 0.85
            }
            Shape::Crescent => (length(x, y) - 1.0).max(0.72 - length(x - 0.5, y)),
            Shape::Drop => {
                let roof = (0.8 * x.abs() - 0.6 * y - 0.48).max(y - 0.2);
                (length(x, y - 0.3) - 0.68).min(roof)
            }
            Shape::Dumbbell => {
                let bar = (x.abs() - 0.6).max(y.abs() - 0.18);
                (length(x.abs() - 0.6, y) - 0.42).min(bar)
            }
            Shape::Flower => {
                let (a, b) = (x.abs().max(y.abs()), x.abs().min(y.abs()));
                length(a - 0.55, b) - 0.42
            }
        }
    }

    /// Computes the body's own pattern at (`x`, `y`), within -1..1.
    fn pattern(self, x: f32, y: f32) -> f32 {
        let spot = |r: f32, cx: f32, cy: f32| ((r - length(x - cx, y - cy)) * 6.0).clamp(-1.0, 1.0);
        match self {
            Shape::Disc => (6.0 * x).clamp(-1.0, 1.0),
            Shape::Box | Shape::Hexagon => sin_turns(1.4 * x),
            Shape::Ring => (8.0 * x).clamp(-1.0, 1.0) * (8.0 * y).clamp(-1.0, 1.0),
            Shape::Cross | Shape::Dumbbell => (6.0 * y.abs().max(-x) - 2.4).clamp(-1.0, 1.0),
            Shape::Capsule => sin_turns(1.1 * x + 0.25),
            Shape::Triangle => spot(0.35, 0.0, 0.1),
            Shape::Star | Shape::Flower => spot(0.3, 0.0, 0.0),
            Shape::Crescent => (4.0 * y).clamp(-1.0, 1.0),
            Shape::Drop => spot(0.35, 0.0, 0.35),
        }
    }
}

fn length(x: f32, y: f32) -> f32 {
    (x * x + y * y).sqrt()
}

/// Computes the distance from a five-pointed star: folds the plane onto half a point, whose edge is a straight line.
fn star(x: f32, y: f32) -> f32 {
    // Cosine and sine of 36 degrees.
    const C: f32 = 0.809_017;
    const S: f32 = 0.587_785_25;
    let (mut px, mut py) = (x.abs(), -y);
    // Mirror lines at 54 and -18 degrees from the horizontal map every point to the upper one.
    for (nx, ny) in [(C, -S), (-C, -S)] {
        let over = 2.0 * (nx * px + ny * py).max(0.0);
        px -= over * nx;
        py -= over * ny;
    }
    px = px.abs();
    // Edge from the tip (0, 1) to the inner corner at radius 0.5, 36 degrees from the tip.
    let (ex, ey) = (0.5 * S, 0.5 * C - 1.0);
    let norm = length(ex, ey);
    (px * -ey + (py - 1.0) * ex) / norm
}

/// An object to draw: silhouette, size and colours.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Object {
    pub(crate) shape: Shape,
    /// Radius in pixels.
    pub(crate) radius: f32,
    /// The two colours of the pattern, RGB grey levels.
    pub(crate) colours: [[f32; 3]; 2],
}

impl Object {
    /// Creates an object in two shades of one hue: `luma` +- `pattern`.
    pub(crate) fn new(shape: Shape, radius: f32, luma: f32, pattern: f32, hue: f32, chroma: f32) -> Self {
        let colours = [colour(luma - pattern, hue, chroma), colour(luma + pattern, hue, chroma)];
        Object { shape, radius, colours }
    }

    /// Draws an object of random shape and colour that differs a little from a background of mean grey level `background`.
    pub(crate) fn any(radius: Span, background: f32, draw: &mut Draw) -> Self {
        let shape = draw.pick(&Shape::ALL);
        let radius = draw.span(radius);
        let contrast = 25.0 + 50.0 * draw.unit();
        let tone = contrasting(background, contrast, draw);
        let (pattern, hue, chroma) = (25.0 * draw.unit(), draw.unit(), 60.0 * draw.unit());
        Object::new(shape, radius, tone, pattern, hue, chroma)
    }

    /// Returns the distance in pixels that a rotated object reaches from its centre.
    pub(crate) fn reach(&self) -> f32 {
        1.5 * self.radius + 1.0
    }

    /// Returns coverage (0..1) and colour at (`x`, `y`) pixels from the centre in the object's own axes, with
    /// the object scaled by `scale`.
    pub(crate) fn sample(&self, x: f32, y: f32, scale: f32) -> (f32, [f32; 3]) {
        let size = self.radius * scale;
        let (u, v) = (x / size, y / size);
        let cover = coverage(self.shape.distance(u, v) * size);
        if cover == 0.0 {
            return (0.0, self.colours[0]);
        }
        let mix = 0.5 + 0.5 * self.shape.pattern(u, v);
        let [dark, light] = self.colours;
        (cover, std::array::from_fn(|c| dark[c] + (light[c] - dark[c]) * mix))
    }
}

/// Returns the share of a pixel inside an edge at signed distance `d` pixels.
pub(crate) fn coverage(d: f32) -> f32 {
    (0.5 - d).clamp(0.0, 1.0)
}

/// A grey-level frame of RGB, `width * height * 3` values.
pub(crate) struct Canvas<'a> {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) rgb: &'a mut [f32],
}

impl Canvas<'_> {
    /// Paints an object that reaches `reach` pixels from (`x`, `y`) and is rotated by `turns`. `sample`
    /// gives coverage and colour in the object's own axes; colours are multiplied by `gain`.
    pub(crate) fn paint(
        &mut self,
        place: [f32; 2],
        turns: f32,
        reach: f32,
        gain: f32,
        sample: impl Fn(f32, f32) -> (f32, [f32; 3]),
    ) {
        let (c, s) = (cos_turns(turns), sin_turns(turns));
        let range = |centre: f32, size: usize| {
            let lo = (centre - reach).floor().max(0.0) as usize;
            let hi = ((centre + reach).ceil() + 1.0).clamp(0.0, size as f32) as usize;
            lo..hi
        };
        for row in range(place[1], self.height) {
            let dy = row as f32 - place[1];
            for column in range(place[0], self.width) {
                let dx = column as f32 - place[0];
                let (cover, rgb) = sample(c * dx + s * dy, c * dy - s * dx);
                if cover > 0.0 {
                    let start = (row * self.width + column) * 3;
                    for (old, new) in self.rgb[start..start + 3].iter_mut().zip(rgb) {
                        *old += (gain * new - *old) * cover;
                    }
                }
            }
        }
    }
}

/// Returns the RGB colour of the given luma (Rec. 601), hue in turns (0.375 orange, 0.875 azure) and chroma.
///
/// The chroma is limited to the range of both this hue and its opposite at this luma, so that opposite
/// hues have exactly equal distributions of luma and of chroma.
pub(crate) fn colour(luma: f32, hue: f32, chroma: f32) -> [f32; 3] {
    const DARKEST: f32 = 20.0;
    const LIGHTEST: f32 = 235.0;
    let (cb, cr) = (cos_turns(hue), sin_turns(hue));
    let offset = [1.402 * cr, -0.344_136 * cb - 0.714_136 * cr, 1.772 * cb];
    let room = (luma - DARKEST).min(LIGHTEST - luma).max(0.0);
    let longest = offset.iter().fold(0.0f32, |m, o| m.max(o.abs()));
    let chroma = chroma.min(room / longest);
    offset.map(|o| luma + chroma * o)
}

/// Draws a grey level at least `contrast` away from `other`, on a random side if both sides have room.
pub(crate) fn contrasting(other: f32, contrast: f32, draw: &mut Draw) -> f32 {
    let (lowest, highest) = (40.0, 215.0);
    let side = draw.sign();
    let wanted = other + side * contrast;
    if (lowest..=highest).contains(&wanted) {
        return wanted;
    }
    (other - side * contrast).clamp(lowest, highest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shape_fills_a_fair_part_of_its_circle() {
        for shape in Shape::ALL {
            let object = Object::new(shape, 10.0, 120.0, 20.0, 0.1, 30.0);
            let mut area = 0.0;
            for y in -20..=20 {
                for x in -20..=20 {
                    let (cover, _) = object.sample(x as f32, y as f32, 1.0);
                    assert!(cover == 0.0 || x * x + y * y <= 15 * 15, "{shape:?} reaches ({x}, {y})");
                    area += cover;
                }
            }
            assert!((90.0..330.0).contains(&area), "{shape:?} covers {area}");
        }
    }

    #[test]
    fn opposite_hues_have_equal_luma() {
        for step in 0..200 {
            let (luma, hue) = (40.0 + 0.8 * step as f32, 0.005 * step as f32);
            for chroma in [10.0, 40.0, 90.0] {
                for hue in [hue, hue + 0.5] {
                    let [r, g, b] = colour(luma, hue, chroma);
                    assert!((0.299 * r + 0.587 * g + 0.114 * b - luma).abs() < 0.1);
                    assert!([r, g, b].iter().all(|v| (19.9..=235.1).contains(v)));
                }
            }
        }
        let [r, _, b] = colour(128.0, 0.375, 50.0);
        assert!(r > 160.0 && b < 90.0, "warm is red and yellow");
    }
}
