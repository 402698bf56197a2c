//! The shape of the workspace, as ARCHITECTURE.md draws it.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};

/// Who may depend on whom. Data knows no model, models know no file, flow
/// knows no data set.
const ARROWS: &[(&str, &[&str])] = &[
    ("xtask", &["data", "experiment", "nn", "plan", "report", "slurm"]),
    ("report", &["base", "data", "experiment", "figure", "plan"]),
    ("slurm", &["data", "experiment", "plan"]),
    ("experiment", &["base", "data", "figure", "flow", "models", "nn", "plan"]),
    ("plan", &["base", "data", "flow", "models", "nn"]),
    ("models", &["base", "nn"]),
    ("nn", &["base", "kernels"]),
    ("kernels", &[]),
    ("data", &["base", "flow"]),
    ("figure", &["base", "flow"]),
    ("flow", &[]),
    ("base", &[]),
    ("testkit", &[]),
];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .manifest_path(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.toml"))
        .no_deps()
        .exec()
        .expect("cargo metadata")
}

#[test]
fn crates_depend_on_each_other_only_along_the_arrows() {
    let metadata = metadata();
    let allowed: BTreeMap<_, _> = ARROWS.iter().copied().collect();
    let members: BTreeSet<String> = metadata.packages.iter().map(|p| p.name.to_string()).collect();
    let known: BTreeSet<String> = allowed.keys().map(|name| (*name).to_owned()).collect();
    assert_eq!(members, known, "a crate came or went: change ARROWS and ARCHITECTURE.md with it");
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().filter(|d| members.contains(&d.name)) {
            let arrow = format!("{} -> {}", package.name, dependency.name);
            match dependency.kind {
                DependencyKind::Development => {
                    let fine = dependency.name == "testkit"
                        || allowed[package.name.as_str()].contains(&dependency.name.as_str());
                    assert!(fine, "{arrow} (in tests) is not an arrow of the design");
                }
                _ => assert!(
                    allowed[package.name.as_str()].contains(&dependency.name.as_str()),
                    "{arrow} is not an arrow of the design"
                ),
            }
        }
    }
}

#[test]
fn the_architecture_page_names_every_crate() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    for (name, _) in ARROWS {
        let heading = if *name == "xtask" { "`xtask`".to_owned() } else { format!("`crates/{name}`") };
        assert!(page.contains(&heading), "ARCHITECTURE.md has no section on {heading}");
    }
}

#[test]
fn unsafe_code_lives_in_kernels_only() {
    fn visit(folder: &Path, hits: &mut Vec<String>) {
        for entry in std::fs::read_dir(folder).expect("a source folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                visit(&path, hits);
            } else if path.extension().is_some_and(|e| e == "rs") {
                let text = std::fs::read_to_string(&path).expect("a source file");
                // Written in two halves, so that this file is not a hit.
                let words = [concat!("uns", "afe {"), concat!("uns", "afe fn"), concat!("uns", "afe impl")];
                if words.iter().any(|word| text.contains(word)) {
                    hits.push(path.display().to_string());
                }
            }
        }
    }
    let mut hits = Vec::new();
    for package in metadata().packages.iter().filter(|p| p.name.as_str() != "kernels") {
        visit(package.manifest_path.parent().expect("a folder").as_std_path(), &mut hits);
    }
    assert!(hits.is_empty(), "unsafe code outside crates/kernels: {hits:?}");
}
