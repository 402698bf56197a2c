//! The memory of one piece of work. Alone in its process: others would be counted with it.

#![cfg(target_os = "linux")]

use nn::HostMemory;

/// As the program has it.
#[global_allocator]
static ALLOCATOR: nn::ReusingAllocator = nn::ReusingAllocator;

const MIB: usize = 1 << 20;

/// Small work after large work is not charged with the large one's memory, kept for further use or not.
#[test]
fn each_piece_of_work_has_a_peak_of_its_own() {
    let large = HostMemory::begin();
    drop(std::hint::black_box(vec![1_u8; 700 * MIB]));
    let large = large.peak_mib();
    let small = HostMemory::begin();
    drop(std::hint::black_box(vec![1_u8; 50 * MIB]));
    let small = small.peak_mib();
    assert!(large.is_some_and(|peak| (700..900).contains(&peak)), "{large:?} MiB");
    assert!(small.is_some_and(|peak| (50..200).contains(&peak)), "{small:?} MiB");
}
