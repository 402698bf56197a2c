//! Checks that nothing is built twice: the program, its tests and its benchmarks use the same features of every dependency.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;

/// Returns the features of every crate that is built for the target machine, by name and version.
fn features(selection: &[&str]) -> BTreeMap<String, BTreeSet<String>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(["tree", "--offline", "--prefix", "none", "--format", "{p}|{f}", "--no-dedupe"])
        .args(selection)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
        .output()
        .expect("cargo tree");
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "cargo tree: {}", String::from_utf8_lossy(&output.stderr));
    let mut found = BTreeMap::<String, BTreeSet<String>>::new();
    for (package, features) in text.lines().filter_map(|line| line.split_once('|')) {
        // Our own crates and macros cost little, and syntax parsers are also built for macros.
        let name = package.split(" (").next().unwrap_or(package);
        if !package.contains("(/")
            && !package.contains("(proc-macro)")
            && !name.starts_with("syn ")
            && !name.starts_with("proc-macro2 ")
        {
            found.entry(name.to_owned()).or_default().insert(features.trim().to_owned());
        }
    }
    found
}

#[test]
fn tests_and_program_share_one_build_of_every_dependency() {
    let program = features(&["--package", "xtask", "--edges", "normal"]);
    let all = features(&["--workspace", "--edges", "normal,dev"]);
    assert!(program.len() > 100, "{} crates", program.len());
    for (package, asked) in &program {
        let by_tests = &all[package];
        assert!(
            by_tests == asked,
            "{package} has the features {asked:?} in the program and {by_tests:?} with the tests, so it would be built \
             twice. Add the missing ones in the workspace's Cargo.toml."
        );
    }
}
