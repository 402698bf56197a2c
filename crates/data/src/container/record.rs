//! The index of a cache file: where each entry lies, and what its bytes stand for.

use crate::codec::ValueRange;

/// Bytes of a record.
pub(super) const RECORD: usize = 56;
/// The part of a record that its checksum covers.
const RECORD_FACTS: usize = RECORD - 16;

/// One record of the index.
#[derive(Debug, Clone, Copy)]
pub(super) struct Record {
    pub(super) offset: u64,
    pub(super) length: u32,
    pub(super) clipped: u32,
    pub(super) ranges: [ValueRange; 2],
    pub(super) mean: [f32; 2],
    pub(super) checksum: [u8; 16],
}

impl Record {
    pub(super) fn to_bytes(self) -> [u8; RECORD] {
        let mut out = [0; RECORD];
        out[..8].copy_from_slice(&self.offset.to_le_bytes());
        out[8..12].copy_from_slice(&self.length.to_le_bytes());
        out[12..16].copy_from_slice(&self.clipped.to_le_bytes());
        let [u, v] = self.ranges;
        let numbers = [u.min, u.max, v.min, v.max, self.mean[0], self.mean[1]];
        for (slot, number) in out[16..RECORD_FACTS].chunks_exact_mut(4).zip(numbers) {
            slot.copy_from_slice(&number.to_le_bytes());
        }
        out[RECORD_FACTS..].copy_from_slice(&self.checksum);
        out
    }

    pub(super) fn from_bytes(bytes: &[u8; RECORD]) -> Self {
        let mut offset = [0; 8];
        offset.copy_from_slice(&bytes[..8]);
        let mut numbers = [0.0; 6];
        for (number, b) in numbers.iter_mut().zip(bytes[16..RECORD_FACTS].chunks_exact(4)) {
            *number = f32::from_le_bytes([b[0], b[1], b[2], b[3]]);
        }
        let [a, b, c, d, mean_u, mean_v] = numbers;
        let mut checksum = [0; 16];
        checksum.copy_from_slice(&bytes[RECORD_FACTS..]);
        Self {
            offset: u64::from_le_bytes(offset),
            length: u32::from_le_bytes([bytes[8], bytes[9], bytes[10], bytes[11]]),
            clipped: u32::from_le_bytes([bytes[12], bytes[13], bytes[14], bytes[15]]),
            ranges: [ValueRange { min: a, max: b }, ValueRange { min: c, max: d }],
            mean: [mean_u, mean_v],
            checksum,
        }
    }

    pub(super) fn checksum_of(&self, key: &str, index: usize, payload: &[u8]) -> [u8; 16] {
        let mut hasher = blake3::Hasher::new();
        hasher.update(key.as_bytes());
        hasher.update(&(index as u64).to_le_bytes());
        hasher.update(&self.to_bytes()[..RECORD_FACTS]);
        hasher.update(payload);
        let mut checksum = [0; 16];
        checksum.copy_from_slice(&hasher.finalize().as_bytes()[..16]);
        checksum
    }
}
