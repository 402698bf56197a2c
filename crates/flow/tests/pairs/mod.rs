//! Generates pairs of pictures with known flow from a seed.
//!
//! A scene is a textured background and, in some kinds, textured objects before it; each of
//! these layers moves by its own similarity (shift, rotation, zoom). A scene is a function of
//! continuous position, so both pictures are rendered from it directly and nothing is ever
//! interpolated: a pixel is the mean of 4x4 points, so that edges are soft as in a camera
//! picture. Intensities are rounded to 0..=255, as in a video.
//!
//! The truth is the motion of the layer visible at the centre of the pixel. It is unknown (NaN)
//! if that point leaves the second picture or is covered in it.
//!
//! The texture has both easy and hard parts for estimators: smooth noise of several scales
//! with most power in the coarse ones, and hard-edged patches of constant intensity.

use flow::{FlowField, GrayImage};

/// The difficulty of a pair.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A shift by a few pixels and a fraction.
    Translation,
    /// A rotation by some degrees about a point in the picture.
    Rotation,
    /// An enlargement by some percent.
    Zoom,
    /// Objects that move before a moving background.
    Occlusion,
    /// Occlusion with independent Gaussian noise of 6 intensities in both pictures.
    Noise,
    /// Occlusion with motions up to 20 pixels.
    LargeMotion,
    /// Occlusion with a lighter second picture: 1.06 times plus 4 intensities.
    Brightness,
    /// Occlusion with motions up to a sixth of the shorter side: 40 pixels of 240.
    FastMotion,
    /// What a car's camera sees: an enlargement by up to a fifth about a point near the middle, with
    /// objects that come closer even faster. About 30 pixels in the corners of 320x240.
    Driving,
}

impl Kind {
    /// All kinds.
    pub(crate) const ALL: [Self; 9] = [
        Self::Translation,
        Self::Rotation,
        Self::Zoom,
        Self::Occlusion,
        Self::Noise,
        Self::LargeMotion,
        Self::Brightness,
        Self::FastMotion,
        Self::Driving,
    ];

    /// Returns the name of the kind, in letters and hyphens.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Translation => "translation",
            Self::Rotation => "rotation",
            Self::Zoom => "zoom",
            Self::Occlusion => "occlusion",
            Self::Noise => "noise",
            Self::LargeMotion => "large-motion",
            Self::Brightness => "brightness",
            Self::FastMotion => "fast-motion",
            Self::Driving => "driving",
        }
    }
}

/// Two pictures and the flow from one to the other.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    /// The first picture.
    pub(crate) from: GrayImage,
    /// The second picture.
    pub(crate) to: GrayImage,
    /// The true flow; NaN where it is unknown.
    pub(crate) truth: FlowField,
}

/// Generates the pair for a kind, a size and a seed; always the same.
pub(crate) fn pair(kind: Kind, width: usize, height: usize, seed: u64) -> Pair {
    let scene = Scene::new(kind, [width as f64, height as f64], seed);
    let (mut u, mut v) = (Vec::new(), Vec::new());
    for y in 0..height {
        for x in 0..width {
            let at = [x as f64, y as f64];
            let (motion, known) = scene.motion(at);
            u.push(if known { motion[0] as f32 } else { f32::NAN });
            v.push(if known { motion[1] as f32 } else { f32::NAN });
        }
    }
    let render = |second: bool| {
        let mut noise = Draws::new(seed, 90 + u64::from(second));
        let mut data = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                let value = scene.pixel([x as f64, y as f64], second);
                let value = match (kind, second) {
                    (Kind::Noise, _) => value + 6.0 * noise.normal(),
                    (Kind::Brightness, true) => 1.06 * value + 4.0,
                    _ => value,
                };
                data.push(value.round().clamp(0.0, 255.0) as f32);
            }
        }
        GrayImage::new(width, height, data).expect("the sizes agree")
    };
    let truth = FlowField::new(width, height, u, v).expect("the sizes agree");
    Pair { from: render(false), to: render(true), truth }
}

/// A background, and objects before it, the nearest last.
struct Scene {
    size: [f64; 2],
    layers: Vec<Layer>,
}

impl Scene {
    fn new(kind: Kind, size: [f64; 2], seed: u64) -> Self {
        let mut draws = Draws::new(seed, kind as u64);
        let middle = [0.5 * size[0] + draws.between(-9.0, 9.0), 0.5 * size[1] + draws.between(-9.0, 9.0)];
        let motion = |shift, turn: f64, zoom| Motion { centre: middle, shift, turn: turn.to_radians(), zoom };
        let short = size[0].min(size[1]);
        let background = match kind {
            Kind::Translation => motion(draws.vector(1.0, 4.0), 0.0, 1.0),
            Kind::Rotation => motion(draws.vector(0.0, 0.5), draws.sign() * draws.between(1.5, 3.0), 1.0),
            Kind::Zoom => motion(draws.vector(0.0, 0.5), 0.0, draws.between(1.025, 1.05)),
            Kind::LargeMotion => motion(draws.vector(6.0, 12.0), draws.between(-1.0, 1.0), 1.0),
            Kind::FastMotion => motion(
                draws.vector(0.06 * short, 0.1 * short),
                draws.between(-2.0, 2.0),
                draws.between(0.98, 1.02),
            ),
            Kind::Driving => {
                motion(draws.vector(0.0, 2.0), draws.between(-0.5, 0.5), draws.between(1.13, 1.2))
            }
            Kind::Occlusion | Kind::Noise | Kind::Brightness => {
                motion(draws.vector(0.5, 2.0), draws.between(-0.6, 0.6), draws.between(0.99, 1.01))
            }
        };
        let mut layers = vec![Layer { texture: seed ^ 0x51, motion: background, shape: None }];
        let (things, slowest, fastest) = match kind {
            Kind::Translation | Kind::Rotation | Kind::Zoom => (0, 0.0, 0.0),
            Kind::LargeMotion => (4, 10.0, 20.0),
            Kind::FastMotion => (4, short / 12.0, short / 6.0),
            Kind::Driving => (4, 0.0, 0.0),
            Kind::Occlusion | Kind::Noise | Kind::Brightness => (6, 1.0, 6.0),
        };
        for thing in 0..things {
            let centre = [draws.between(0.1, 0.9) * size[0], draws.between(0.1, 0.9) * size[1]];
            let shape = Shape {
                centre,
                radius: draws.between(0.07, 0.2) * short,
                lobes: draws.between(2.0, 6.0).floor(),
                depth: draws.between(0.0, 0.35),
                phase: draws.between(0.0, 6.0),
            };
            let turn = draws.between(-3.0_f64, 3.0).to_radians();
            let shift = draws.vector(slowest, fastest);
            let motion = match kind {
                // Nearer than the background, on the way to the camera.
                Kind::Driving => Motion { centre: middle, shift, turn: 0.0, zoom: draws.between(1.2, 1.3) },
                _ => Motion { centre, shift, turn, zoom: draws.between(0.97, 1.03) },
            };
            layers.push(Layer { texture: seed ^ (0x1000 + thing), motion, shape: Some(shape) });
        }
        Self { size, layers }
    }

    /// Returns the nearest layer at a point of the first or the second picture, and the position
    /// of that point in the first.
    fn visible(&self, at: [f64; 2], second: bool) -> (usize, [f64; 2]) {
        for (index, layer) in self.layers.iter().enumerate().rev() {
            let place = if second { layer.motion.backward(at) } else { at };
            if layer.shape.as_ref().is_none_or(|shape| shape.contains(place)) {
                return (index, place);
            }
        }
        (0, at)
    }

    /// Returns the motion of the point visible at a position in the first picture, and whether
    /// it is also visible in the second.
    fn motion(&self, at: [f64; 2]) -> ([f64; 2], bool) {
        let (layer, _) = self.visible(at, false);
        let to = self.layers[layer].motion.forward(at);
        let inside = (0..2).all(|axis| (0.0..=self.size[axis] - 1.0).contains(&to[axis]));
        ([to[0] - at[0], to[1] - at[1]], inside && self.visible(to, true).0 == layer)
    }

    /// Returns the mean over a pixel.
    fn pixel(&self, at: [f64; 2], second: bool) -> f64 {
        const SIDE: usize = 4;
        let offset = |i: usize| (i as f64 + 0.5) / SIDE as f64 - 0.5;
        let mut sum = 0.0;
        for j in 0..SIDE {
            for i in 0..SIDE {
                let (layer, place) = self.visible([at[0] + offset(i), at[1] + offset(j)], second);
                sum += texture(self.layers[layer].texture, place);
            }
        }
        sum / (SIDE * SIDE) as f64
    }
}

struct Layer {
    texture: u64,
    motion: Motion,
    shape: Option<Shape>,
}

/// The similarity to = centre + shift + zoom * rotated(from - centre).
struct Motion {
    centre: [f64; 2],
    shift: [f64; 2],
    turn: f64,
    zoom: f64,
}

impl Motion {
    fn forward(&self, at: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = self.turn.sin_cos();
        let [x, y] = [at[0] - self.centre[0], at[1] - self.centre[1]];
        [
            self.centre[0] + self.shift[0] + self.zoom * (cos * x - sin * y),
            self.centre[1] + self.shift[1] + self.zoom * (sin * x + cos * y),
        ]
    }

    fn backward(&self, at: [f64; 2]) -> [f64; 2] {
        let (sin, cos) = self.turn.sin_cos();
        let x = (at[0] - self.centre[0] - self.shift[0]) / self.zoom;
        let y = (at[1] - self.centre[1] - self.shift[1]) / self.zoom;
        [self.centre[0] + cos * x + sin * y, self.centre[1] + cos * y - sin * x]
    }
}

/// A disc with a wavy edge.
struct Shape {
    centre: [f64; 2],
    radius: f64,
    lobes: f64,
    depth: f64,
    phase: f64,
}

impl Shape {
    fn contains(&self, at: [f64; 2]) -> bool {
        let [x, y] = [at[0] - self.centre[0], at[1] - self.centre[1]];
        let square = x * x + y * y;
        if square > (self.radius * (1.0 + self.depth)).powi(2) {
            return false;
        }
        let rim = 1.0 + self.depth * (self.lobes * y.atan2(x) + self.phase).sin();
        square <= (self.radius * rim).powi(2)
    }
}

/// Returns the intensity of a texture at a point: about 20 to 235.
fn texture(seed: u64, at: [f64; 2]) -> f64 {
    // Cell in pixels and amplitude of each scale.
    const SCALES: [(f64, f64); 5] = [(64.0, 60.0), (27.0, 42.0), (12.0, 26.0), (5.5, 14.0), (3.0, 8.0)];
    let mut value = 128.0 + 50.0 * patch(seed, [at[0] / 21.0, at[1] / 21.0]);
    for (scale, (cell, amplitude)) in SCALES.into_iter().enumerate() {
        value += amplitude * smooth_noise(seed ^ (scale as u64 + 1) << 32, [at[0] / cell, at[1] / cell]);
    }
    value
}

/// Interpolates noise on a lattice of step 1, from -1 to 1, by quintics: twice differentiable.
fn smooth_noise(seed: u64, at: [f64; 2]) -> f64 {
    let [x, y] = at.map(f64::floor);
    let ease = |t: f64| t * t * t * (t * (t * 6.0 - 15.0) + 10.0);
    let [along, down] = [ease(at[0] - x), ease(at[1] - y)];
    let corner = |i: i64, j: i64| lattice(seed, x as i64 + i, y as i64 + j);
    let above = corner(0, 0) + along * (corner(1, 0) - corner(0, 0));
    let below = corner(0, 1) + along * (corner(1, 1) - corner(0, 1));
    above + down * (below - above)
}

/// Returns the value of the nearest of scattered points, one in each cell of a lattice: patches
/// with straight edges. Half of them are 0, which leaves only the noise.
fn patch(seed: u64, at: [f64; 2]) -> f64 {
    let [x, y] = at.map(|value| value.floor() as i64);
    let (mut least, mut nearest) = (f64::INFINITY, 0);
    for j in y - 1..=y + 1 {
        for i in x - 1..=x + 1 {
            // Three draws from the bits of one.
            let bits = lattice_bits(seed ^ 0xa1, i, j);
            let [across, down] = [bits << 21, bits << 42].map(|bits| 0.05 + 0.9 * unit(bits));
            let distance = (at[0] - i as f64 - across).powi(2) + (at[1] - j as f64 - down).powi(2);
            if distance < least {
                (least, nearest) = (distance, bits);
            }
        }
    }
    let draw = 4.0 * unit(nearest) - 2.0;
    if draw > 0.0 { draw - 1.0 } else { 0.0 }
}

/// Returns the random value of a point of a lattice, -1 to 1.
fn lattice(seed: u64, x: i64, y: i64) -> f64 {
    unit(lattice_bits(seed, x, y)) * 2.0 - 1.0
}

fn lattice_bits(seed: u64, x: i64, y: i64) -> u64 {
    let column = (x as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    let row = (y as u64).wrapping_mul(0xc2b2_ae3d_27d4_eb4f);
    scramble(scramble(seed) ^ column.wrapping_add(row.rotate_left(31)))
}

/// The finaliser of splitmix64.
fn scramble(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Converts random bits to a number from 0 to below 1.
fn unit(bits: u64) -> f64 {
    (bits >> 11) as f64 / (1_u64 << 53) as f64
}

/// A sequence of draws from a seed and a purpose.
struct Draws(u64);

impl Draws {
    fn new(seed: u64, purpose: u64) -> Self {
        Self(scramble(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ scramble(purpose + 1)))
    }

    fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        unit(scramble(self.0))
    }

    fn between(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    fn sign(&mut self) -> f64 {
        if self.unit() < 0.5 { -1.0 } else { 1.0 }
    }

    /// Draws a vector of random direction with a length in a range.
    fn vector(&mut self, least: f64, most: f64) -> [f64; 2] {
        let (length, angle) = (self.between(least, most), self.between(0.0, std::f64::consts::TAU));
        [length * angle.cos(), length * angle.sin()]
    }

    /// Draws from the normal distribution by Box and Muller's method.
    fn normal(&mut self) -> f64 {
        let radius = (-2.0 * (1.0 - self.unit()).ln()).sqrt();
        radius * (std::f64::consts::TAU * self.unit()).cos()
    }
}
