//! Random numbers keyed by a purpose, a seed and a name.
//!
//! The key is a hash of all three, so two layers never share a sequence and a
//! layer's sequence does not depend on which other layers exist.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};
use rayon::prelude::*;

/// Number of values drawn from one stream of the generator.
const CHUNK: usize = 1 << 14;

/// Creates the generator for a purpose ("init", "dropout"), a seed and a name.
pub fn generator(purpose: &str, seed: u64, name: &str) -> ChaCha8Rng {
    let mut hasher = blake3::Hasher::new();
    hasher.update(purpose.as_bytes());
    hasher.update(&[0]);
    hasher.update(&seed.to_le_bytes());
    hasher.update(name.as_bytes());
    ChaCha8Rng::from_seed(*hasher.finalize().as_bytes())
}

/// Draws `count` values from the normal distribution with mean 0, in parallel.
///
/// Chunk i is drawn from the generator's stream i.
pub fn normal(generator: &ChaCha8Rng, standard_deviation: f64, count: usize) -> Vec<f32> {
    let mut out = vec![0f32; count];
    out.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| {
        let mut stream = generator.clone();
        stream.set_stream(chunk as u64);
        for pair in out.chunks_mut(2) {
            // Box-Muller; `1 - u` keeps the logarithm finite.
            let radius = (-2.0 * (1.0 - unit(&mut stream)).ln()).sqrt() * standard_deviation;
            let angle = std::f64::consts::TAU * unit(&mut stream);
            let both = [radius * angle.cos(), radius * angle.sin()];
            for (out, value) in pair.iter_mut().zip(both) {
                *out = value as f32;
            }
        }
    });
    out
}

/// Draws the values in `range` of an unbounded random sequence, in parallel. Each value is `kept` with probability `keep`,
/// else 0, and does not depend on the range.
pub fn mask(generator: &ChaCha8Rng, keep: f64, kept: f32, range: Range<usize>) -> Vec<f32> {
    let threshold = (keep.clamp(0.0, 1.0) * 4_294_967_296.0) as u64;
    let mut out = vec![0f32; range.len()];
    // The rest of the first chunk, then whole chunks.
    let first = range.len().min(CHUNK - range.start % CHUNK);
    let (head, rest) = out.split_at_mut(first);
    let fill = |at: usize, out: &mut [f32]| {
        let mut stream = generator.clone();
        stream.set_stream((at / CHUNK) as u64);
        stream.set_word_pos((at % CHUNK) as u128);
        for out in out {
            if u64::from(stream.next_u32()) < threshold {
                *out = kept;
            }
        }
    };
    let at = range.start + first;
    rayon::join(
        || fill(range.start, head),
        || rest.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, out)| fill(at + chunk * CHUNK, out)),
    );
    out
}

/// Draws `count` whole numbers from 0 to below `bound`, which is at most 2^24.
pub fn below(generator: &mut ChaCha8Rng, bound: usize, count: usize) -> Vec<f32> {
    // With 64 random bits the bias is less than one in 2^40.
    (0..count).map(|_| (generator.next_u64() % bound.max(1) as u64) as f32).collect()
}

/// Draws `count` values uniformly from the range.
pub fn uniform(generator: &mut ChaCha8Rng, range: Range<f64>, count: usize) -> Vec<f32> {
    let span = range.end - range.start;
    (0..count).map(|_| (range.start + span * unit(generator)) as f32).collect()
}

/// Draws a uniform value in [0, 1) with 53 random bits.
fn unit(rng: &mut impl RngCore) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every weight, mask and pair follows from these draws, so a new version of the generator must give the same ones.
    #[test]
    fn draws_are_kept() {
        let mut hasher = blake3::Hasher::new();
        let mut words = generator("kept", 1, "raw");
        for _ in 0..200 {
            hasher.update(&words.next_u32().to_le_bytes());
            hasher.update(&words.next_u64().to_le_bytes());
        }
        let mut bytes = [0; 301];
        words.fill_bytes(&mut bytes);
        hasher.update(&bytes);
        hasher.update(&words.next_u64().to_le_bytes());
        let of = |purpose| generator(purpose, 3, "a layer");
        for value in mask(&of("dropout"), 0.3, 1.0, 5..3 * CHUNK + 77) {
            hasher.update(&value.to_le_bytes());
        }
        for value in below(&mut of("pairs"), 1_000_003, 500) {
            hasher.update(&value.to_le_bytes());
        }
        assert_eq!(&hasher.finalize().to_hex()[..16], "20405746282aeace");
        // The logarithm and the cosine come from the platform, whose last bit may differ.
        let normal = normal(&of("init"), 2.0, CHUNK + 4);
        let found = [normal[0], normal[1], normal[CHUNK - 1], normal[CHUNK], normal[CHUNK + 3]];
        let expected = [-2.962_763, -1.778_593_5, -1.123_556_6, -0.115_220_25, 1.424_376_1];
        for (found, expected) in found.into_iter().zip(expected) {
            assert!((found - expected).abs() < 1e-6_f32, "{found:?} {normal:?}");
        }
    }

    #[test]
    fn a_part_of_a_mask_is_that_part() {
        let generator = generator("dropout", 3, "a layer");
        let all = mask(&generator, 0.5, 2.0, 0..5 * CHUNK);
        for range in [0..0, 0..7, 9..9, 3..CHUNK, CHUNK..CHUNK + 1, CHUNK - 1..2 * CHUNK + 5, 77..5 * CHUNK] {
            assert_eq!(mask(&generator, 0.5, 2.0, range.clone()), all[range]);
        }
    }
}
