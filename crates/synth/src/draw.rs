//! Random draws: one ChaCha8 stream for every part of every video.
//!
//! A stream's key is a BLAKE3 hash of (generator version, set, data seed, class, index, part). So a
//! video can be rendered alone, in any order and on any number of threads, and a knob that changes the
//! number of draws for one part does not affect the other parts.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use super::knob::Span;

/// Version of the generator; raised whenever the same key and knobs would give different pixels, so that
/// caches and records of the old videos are not taken for the new ones.
pub const GENERATOR_VERSION: u32 = 1;

/// The name of one generated video.
#[derive(Clone, Copy, Debug)]
pub(crate) struct VideoKey<'a> {
    /// Set that the video belongs to (`synth`).
    pub(crate) set: &'a str,
    /// Seed of this draw of the whole set.
    pub(crate) data_seed: u64,
    /// Name of the class.
    pub(crate) class: &'a str,
    /// Number of the video within its class.
    pub(crate) index: usize,
}

impl VideoKey<'_> {
    /// Returns the stream of one part (camera, actor, noise, ...) of this video.
    pub(crate) fn stream(&self, part: &str) -> Draw {
        Draw(ChaCha8Rng::from_seed(*self.hash(part.as_bytes()).as_bytes()))
    }

    /// Hashes the key together with `more`; every field is preceded by its length.
    pub(crate) fn hash(&self, more: &[u8]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new();
        for field in [
            &GENERATOR_VERSION.to_le_bytes()[..],
            self.set.as_bytes(),
            &self.data_seed.to_le_bytes(),
            self.class.as_bytes(),
            &(self.index as u64).to_le_bytes(),
            more,
        ] {
            hasher.update(&(field.len() as u64).to_le_bytes());
            hasher.update(field);
        }
        hasher.finalize()
    }
}

/// A stream of random draws.
pub(crate) struct Draw(ChaCha8Rng);

impl Draw {
    /// Draws uniformly from `0..1`, with 24 bits.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.0.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Draws uniformly between the ends of `span`.
    pub(crate) fn span(&mut self, span: Span) -> f32 {
        span.lo + (span.hi - span.lo) * self.unit()
    }

    /// Draws uniformly from the whole numbers `lo..=hi`.
    pub(crate) fn integer(&mut self, lo: usize, hi: usize) -> usize {
        let count = (hi - lo + 1) as u64;
        lo + ((u64::from(self.0.next_u32()) * count) >> 32) as usize
    }

    /// Draws one element of a non-empty list.
    pub(crate) fn pick<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.integer(0, list.len() - 1)]
    }

    /// Returns `true` with probability `p`.
    pub(crate) fn chance(&mut self, p: f32) -> bool {
        self.unit() < p
    }

    /// Draws -1 or +1.
    pub(crate) fn sign(&mut self) -> f32 {
        if self.chance(0.5) { 1.0 } else { -1.0 }
    }

    /// Draws from nearly a normal distribution with mean 0 and sd 1: the sum of twelve uniform draws less six (no
    /// platform `ln`).
    pub(crate) fn normal(&mut self) -> f32 {
        (0..12).map(|_| self.unit()).sum::<f32>() - 6.0
    }

    /// Draws a 32-bit seed for a hash-based lattice.
    pub(crate) fn seed(&mut self) -> u32 {
        self.0.next_u32()
    }

    /// Fills `bytes` with random bits.
    pub(crate) fn bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

/// Computes sin(2 pi `turns`) with only additions and multiplications, so that every machine gives the
/// same bits (a platform's own sine may differ in the last place).
pub(crate) fn sin_turns(turns: f32) -> f32 {
    let x = f64::from(turns);
    let mut r = x - x.round();
    if r > 0.25 {
        r = 0.5 - r;
    } else if r < -0.25 {
        r = -0.5 - r;
    }
    let a = r * std::f64::consts::TAU;
    let s = a * a;
    // Taylor to the 13th power: error below 1e-9 on a quarter turn.
    let tail = 1.0 / 6_227_020_800.0;
    let p = ((((tail * s - 1.0 / 39_916_800.0) * s + 1.0 / 362_880.0) * s - 1.0 / 5_040.0) * s + 1.0 / 120.0)
        * s
        - 1.0 / 6.0;
    (a + a * s * p) as f32
}

/// Computes cos(2 pi `turns`) in the same way as [`sin_turns`].
pub(crate) fn cos_turns(turns: f32) -> f32 {
    sin_turns(turns + 0.25)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sine_agrees_with_the_standard_one() {
        for step in -4000..4000 {
            let turns = step as f32 / 1000.0;
            let expected = (f64::from(turns) * std::f64::consts::TAU).sin() as f32;
            assert!((sin_turns(turns) - expected).abs() < 1e-6, "at {turns} turns");
        }
    }

    #[test]
    fn draws_have_the_stated_moments() {
        let key = VideoKey { set: "synth", data_seed: 1, class: "rise", index: 0 };
        let mut draw = key.stream("test");
        let normals: Vec<f32> = (0..20_000).map(|_| draw.normal()).collect();
        let mean = normals.iter().sum::<f32>() / 20_000.0;
        let variance = normals.iter().map(|x| x * x).sum::<f32>() / 20_000.0;
        assert!(mean.abs() < 0.03 && (variance - 1.0).abs() < 0.05);
        let mut counts = [0; 4];
        for _ in 0..8_000 {
            counts[draw.integer(3, 6) - 3] += 1;
        }
        assert!(counts.iter().all(|&count| (1_800..2_200).contains(&count)), "{counts:?}");
    }

    /// A change here changes every generated pixel, and needs a new [`GENERATOR_VERSION`].
    #[test]
    fn draws_are_kept() {
        let key = VideoKey { set: "synth", data_seed: 1, class: "rise", index: 0 };
        let mut draw = key.stream("kept");
        let mut hasher = blake3::Hasher::new();
        for round in 0..100 {
            hasher.update(&draw.unit().to_le_bytes());
            hasher.update(&draw.normal().to_le_bytes());
            hasher.update(&(draw.integer(round, 3 * round + 5) as u64).to_le_bytes());
            hasher.update(&draw.seed().to_le_bytes());
            // The last word of bytes is only partly used.
            let mut bytes = [0; 7];
            draw.bytes(&mut bytes);
            hasher.update(&bytes);
        }
        assert_eq!(&hasher.finalize().to_hex()[..16], "ea5a750982a833ac");
    }

    #[test]
    fn every_field_of_the_key_changes_the_stream() {
        let key = VideoKey { set: "synth", data_seed: 1, class: "rise", index: 0 };
        let first = key.stream("a").seed();
        assert_eq!(first, key.stream("a").seed());
        assert_ne!(first, key.stream("b").seed());
        assert_ne!(first, VideoKey { set: "other", ..key }.stream("a").seed());
        assert_ne!(first, VideoKey { data_seed: 2, ..key }.stream("a").seed());
        assert_ne!(first, VideoKey { class: "fall", ..key }.stream("a").seed());
        assert_ne!(first, VideoKey { index: 1, ..key }.stream("a").seed());
    }
}
