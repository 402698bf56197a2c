//! Repeats the tests of values with every level of vector instructions of this processor.

use std::process::Command;

use kernels::simd::{Level, SETTING};

#[test]
fn every_level_passes_the_tests_of_values() {
    for level in Level::supported() {
        let program = std::env::current_exe().unwrap();
        let mut command = Command::new(program);
        command.args(["properties::", "torch::"]).env(SETTING, level.name()).env_remove("KERNELS_DEVICE");
        let output = command.output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{}:\n{text}", level.name());
        let passed = text.split_once("test result: ok. ").and_then(|(_, rest)| rest.split_once(" passed"));
        let passed: usize = passed.unwrap_or_else(|| panic!("{}:\n{text}", level.name())).0.parse().unwrap();
        assert!(passed > 0, "{}: no test ran", level.name());
    }
}

#[test]
fn a_level_that_does_not_exist_is_an_error_of_every_operation() {
    // The setting is read once per process, so this needs a separate process.
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.arg("torch::").env(SETTING, "sse9").env_remove("KERNELS_DEVICE");
    let output = command.output().unwrap();
    assert!(!output.status.success());
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("expected one of") && text.contains("sse9"), "{text}");
    assert!(text.contains(" 0 passed"), "{text}");
}
