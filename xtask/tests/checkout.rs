//! A program whose checkout was copied or moved works on the one in which the user stands.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::Value;

/// Copies a folder of text files.
fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let path = entry.unwrap().path();
        let target = to.join(path.file_name().unwrap());
        if path.is_dir() {
            copy(&path, &target);
        } else {
            fs::copy(&path, &target).unwrap();
        }
    }
}

/// Names of all tables that the program finds from a folder.
fn tables(from: &Path, checkout: Option<&Path>) -> Vec<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(["list", "--json"]).current_dir(from).env_remove("XTASK_CHECKOUT");
    if let Some(checkout) = checkout {
        command.env("XTASK_CHECKOUT", checkout);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    listed.as_array().unwrap().iter().map(|table| table["table"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_copied_or_moved_checkout_is_the_one_around_the_current_folder() {
    let built_from = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let place = tempfile::tempdir().unwrap();
    let copied = place.path().join("copied");
    copy(&built_from.join("datasets"), &copied.join("datasets"));
    // One of the tables, so that the copy differs.
    let table = "experiments/two-stream/table1b.toml";
    fs::create_dir_all(copied.join("experiments/two-stream")).unwrap();
    fs::copy(built_from.join(table), copied.join(table)).unwrap();
    let only_here = ["two-stream/table1b"];
    assert_eq!(tables(&copied, None), only_here);
    assert_eq!(tables(&copied.join("datasets"), None), only_here, "from a folder inside");
    let moved = place.path().join("moved");
    fs::rename(&copied, &moved).unwrap();
    assert_eq!(tables(&moved, None), only_here);
    assert_eq!(tables(place.path(), Some(&moved)), only_here);
    assert!(tables(place.path(), None).len() > 3, "elsewhere, the checkout that the program was built from");
    assert_eq!(
        tables(&built_from, Some(&moved)),
        only_here,
        "what is named counts before the current folder"
    );
}

#[test]
fn a_checkout_that_is_not_there_is_an_error_that_names_it() {
    let nowhere = tempfile::tempdir().unwrap();
    let missing = nowhere.path().join("missing");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    let output = command.arg("list").env("XTASK_CHECKOUT", &missing).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && said.contains(missing.to_str().unwrap()), "{said}");
}
