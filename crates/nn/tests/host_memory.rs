//! Peak memory of a piece of work. The only test of its process, because others would be counted too.

#![cfg(target_os = "linux")]

use nn::HostMemory;

/// The allocator of the program.
#[global_allocator]
static ALLOCATOR: nn::ReusingAllocator = nn::ReusingAllocator;

const MIB: usize = 1 << 20;

/// The peak of small work after large work does not include the memory of the large work, even if that is kept for reuse.
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
