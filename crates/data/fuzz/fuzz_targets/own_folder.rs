#![no_main]

use libfuzzer_sys::fuzz_target;

#[path = "../src/targets.rs"]
#[expect(dead_code, reason = "each program uses one of the targets")]
mod targets;

fuzz_target!(|bytes: &[u8]| targets::own_folder(bytes));
