//! Builds a third-party program outside the workspace that depends on its crates by path.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};
use std::process::Command;

/// Trains CNN-M-2048 with `candle_nn`'s AdamW, and with our SGD as a Candle optimiser; sets its own allocator.
#[test]
fn a_candle_program_trains_our_network() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path();
    std::fs::create_dir(program.join("src")).unwrap();
    std::fs::write(program.join("src/main.rs"), include_str!("program.rs")).unwrap();
    let manifest = include_str!("program.toml").replace("WORKSPACE", workspace.to_str().unwrap());
    std::fs::write(program.join("Cargo.toml"), manifest).unwrap();
    // The versions with which the workspace is tested; cargo drops those that the program does not use.
    std::fs::copy(workspace.join("Cargo.lock"), program.join("Cargo.lock")).unwrap();
    std::fs::copy(workspace.join("rust-toolchain.toml"), program.join("rust-toolchain.toml")).unwrap();

    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["run", "--offline", "--target-dir"])
        .arg(target())
        .current_dir(program)
        .env("CANDLE_NUM_THREADS", "1")
        .output()
        .unwrap();
    let [said, problems] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    assert!(output.status.success(), "{said}\n{problems}");
    assert!(said.contains("the loss fell") && said.contains("the bits are the same"), "{said}\n{problems}");
}

/// Returns a folder beside the build of this test: builds of the program are kept, separate from the workspace's.
fn target() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // TARGET/PROFILE/deps/TEST
    test.ancestors().nth(3).unwrap().join("outside")
}
