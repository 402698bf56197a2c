//! The fuzz targets on some hundred mutated inputs, so that they stay alive without a fuzzer.

#[path = "../../fuzz/src/targets.rs"]
mod targets;

/// splitmix64.
struct Draw(u64);

impl Draw {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % n.max(1) as u64) as usize
    }
}

/// A few changes like those of a fuzzer: other bytes, special bytes, cuts, copies, the middle of another seed.
fn mutate(draw: &mut Draw, seeds: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = seeds[draw.below(seeds.len())].clone();
    for _ in 0..=draw.below(4) {
        let at = draw.below(bytes.len() + 1);
        let length = draw.below(12).min(bytes.len() - at);
        match draw.below(6) {
            0 => bytes.truncate(at),
            1 => drop(bytes.drain(at..at + length)),
            2 => {
                let copied = bytes[at..at + length].to_vec();
                bytes.splice(at..at, copied);
            }
            3 => {
                let other = &seeds[draw.below(seeds.len())];
                let from = draw.below(other.len());
                let to = (from + draw.below(40)).min(other.len());
                bytes.splice(at..at + length, other[from..to].iter().copied());
            }
            _ if at < bytes.len() => {
                let known = [0, 1, 0x7f, 0x80, 0xff, b'\n', b' ', b'/', b'.', b'0', b'9'];
                bytes[at] =
                    if draw.below(2) == 0 { known[draw.below(known.len())] } else { draw.below(256) as u8 };
            }
            _ => bytes.push(0),
        }
    }
    bytes
}

#[test]
fn readers_stand_mutated_inputs() {
    for (name, target, seeds) in targets::all() {
        let (mut draw, seeds) = (Draw(name.len() as u64), seeds());
        seeds.iter().for_each(|seed| target(seed));
        target(b"");
        for _ in 0..400 {
            target(&mutate(&mut draw, &seeds));
        }
    }
}
