//! Checks that the structure of the workspace follows ARCHITECTURE.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};

/// Allowed dependencies between crates. Data are independent of models, models
/// of files, and flow of data sets.
const ARROWS: &[(&str, &[&str])] = &[
    ("xtask", &["base", "data", "experiment", "nn", "plan", "report", "slurm"]),
    ("report", &["base", "data", "experiment", "figure", "plan"]),
    ("slurm", &["base", "experiment", "plan"]),
    ("experiment", &["base", "data", "figure", "flow", "models", "nn", "plan"]),
    ("plan", &["base", "data", "flow", "models", "nn"]),
    ("models", &["base", "nn"]),
    ("nn", &["base", "kernels"]),
    ("kernels", &[]),
    ("data", &["base", "flow", "synth"]),
    ("figure", &["base", "flow"]),
    ("synth", &[]),
    ("flow", &["base"]),
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
    assert_eq!(members, known, "a crate was added or removed; update ARROWS and ARCHITECTURE.md");
    for package in &metadata.packages {
        for dependency in package.dependencies.iter().filter(|d| members.contains(&d.name)) {
            let arrow = format!("{} -> {}", package.name, dependency.name);
            match dependency.kind {
                DependencyKind::Development => {
                    let fine = dependency.name == "testkit"
                        || allowed[package.name.as_str()].contains(&dependency.name.as_str());
                    assert!(fine, "{arrow} (in tests) is not an allowed dependency");
                }
                _ => assert!(
                    allowed[package.name.as_str()].contains(&dependency.name.as_str()),
                    "{arrow} is not an allowed dependency"
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

/// Lists all Rust code of a package, including tests and benchmarks, but without fuzzing, which is a separate workspace.
fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).expect("a source folder");
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let of = |path: PathBuf| match path.file_name().and_then(|name| name.to_str()) {
        Some("target" | "fuzz") => Vec::new(),
        _ if path.is_dir() => rust_files(&path),
        Some(name) if name.ends_with(".rs") => vec![path],
        _ => Vec::new(),
    };
    paths.flat_map(of).collect()
}

#[test]
fn unsafe_code_lives_in_kernels_only() {
    // Written in two parts, so that this file does not match.
    let words = [concat!("uns", "afe {"), concat!("uns", "afe fn"), concat!("uns", "afe impl")];
    let metadata = metadata();
    let others = metadata.packages.iter().filter(|package| package.name.as_str() != "kernels");
    let files = others.flat_map(|p| rust_files(p.manifest_path.parent().expect("a folder").as_std_path()));
    let hits: Vec<PathBuf> = files
        .filter(|path| {
            let text = std::fs::read_to_string(path).expect("a source file");
            words.iter().any(|word| text.contains(word))
        })
        .collect();
    assert!(hits.is_empty(), "unsafe code outside crates/kernels: {hits:?}");
}

#[test]
fn no_crate_holds_more_than_a_quarter_of_the_code() {
    let lines = |package: &Package| -> usize {
        let files = rust_files(package.manifest_path.parent().expect("a folder").as_std_path());
        files.iter().map(|path| std::fs::read_to_string(path).expect("a source file").lines().count()).sum()
    };
    let metadata = metadata();
    let crates: Vec<(&str, usize)> =
        metadata.packages.iter().map(|package| (package.name.as_str(), lines(package))).collect();
    let all: usize = crates.iter().map(|(_, lines)| lines).sum();
    let mut page = format!("{all} lines of Rust");
    for (name, lines) in &crates {
        let share = 100.0 * *lines as f64 / all as f64;
        write!(page, "\n{share:5.1} % {name} ({lines} lines)").expect("a string takes all");
    }
    eprintln!("{page}");
    assert!(
        crates.iter().all(|(_, lines)| 4 * lines <= all),
        "a crate has over a quarter of the code\n{page}"
    );
}

/// Patterns of reads of the system's own files, which neither block nor grow.
const OF_THE_SYSTEM: [&str; 3] = ["\"/proc/", "LIMITS.iter()", "card.rs"];

/// Files must be opened by `base::files`, which accepts only regular files of limited length; the standard library would
/// block on a pipe.
#[test]
fn files_are_opened_for_reading_in_one_place() {
    let mut found = Vec::new();
    for package in &metadata().packages {
        let folder = package.manifest_path.parent().expect("a folder").as_std_path().join("src");
        if ["base", "testkit"].contains(&package.name.as_str()) || !folder.is_dir() {
            continue;
        }
        for path in rust_files(&folder) {
            let shown = path.display().to_string();
            let text = std::fs::read_to_string(&path).expect("a source file");
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let opens = ["fs::read(", "fs::read_to_string(", "File::open("];
            let lines = code.lines().filter(|line| opens.iter().any(|open| line.contains(open)));
            let others =
                lines.filter(|line| !OF_THE_SYSTEM.iter().any(|of| line.contains(of) || shown.ends_with(of)));
            let is_test = shown.contains("/tests") || shown.ends_with("tests_support.rs");
            found.extend(others.filter(|_| !is_test).map(|line| format!("{shown}: {}", line.trim())));
        }
    }
    assert!(found.is_empty(), "these lines do not use base::files:\n{}", found.join("\n"));
}

/// Lists the paths of a text in backticks, in links and in fenced blocks: one list per line, with its heading.
fn paths_of(page: &str) -> Vec<(String, Vec<String>)> {
    let (mut found, mut heading, mut fenced) = (Vec::new(), String::new(), false);
    for line in page.lines() {
        if line.starts_with('#') {
            heading = line.trim_matches(['#', ' ', '`']).to_owned();
        }
        if line.starts_with("```") {
            fenced = !fenced;
            continue;
        }
        let links = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        let words: Vec<&str> = match fenced {
            true => line.split([' ', ':']).map(|word| word.trim_end_matches(',')).collect(),
            false => line.split('`').skip(1).step_by(2).chain(links).collect(),
        };
        let is_path = |word: &&str| {
            let plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "_./{},*<>-".contains(c));
            let file = [".rs", ".toml", ".md", ".cu", ".py"].iter().any(|end| word.ends_with(end));
            plain && (file || word.contains('/'))
        };
        // Files under `.cache/` exist only after a run.
        let kept = words.into_iter().filter(is_path).filter(|word| !word.starts_with(".cache/"));
        found.push((heading.clone(), kept.map(str::to_owned).collect()));
    }
    found
}

/// Expands `a/{b,c}` to `a/b` and `a/c`, and `<name>` to a pattern for any name.
fn spelled_out(path: &str) -> Vec<String> {
    if let Some((start, (inner, end))) = path.split_once('{').and_then(|(s, r)| Some((s, r.split_once('}')?)))
    {
        return inner.split(',').flat_map(|middle| spelled_out(&format!("{start}{middle}{end}"))).collect();
    }
    match path.split_once('<').and_then(|(start, rest)| Some((start, rest.split_once('>')?.1))) {
        Some((start, end)) => spelled_out(&format!("{start}*{end}")),
        None => vec![path.to_owned()],
    }
}

/// A path is relative to the root, to the crate of its section (outside of such a section, to any crate) or its sources,
/// or to the folder of the previous path in the line.
#[test]
fn every_path_that_the_architecture_page_names_exists() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().expect("the root");
    let page = std::fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let metadata = metadata();
    let folders = metadata.packages.iter().map(|p| p.manifest_path.parent().expect("a folder").as_std_path());
    let crates: Vec<&Path> = folders.collect();
    let (mut missing, mut checked) = (Vec::new(), 0);
    for (heading, paths) in paths_of(&page) {
        let own: Vec<&Path> =
            crates.iter().copied().filter(|folder| **folder == root.join(&heading)).collect();
        let near = if own.is_empty() { &crates } else { &own };
        let mut bases: Vec<PathBuf> = std::iter::once(root.clone())
            .chain(near.iter().flat_map(|folder| [folder.to_path_buf(), folder.join("src")]))
            .collect();
        for path in paths.iter().flat_map(|path| spelled_out(path)) {
            let hits = |base: &PathBuf| -> Vec<PathBuf> {
                let pattern = base.join(&path).display().to_string();
                glob::glob(&pattern).expect("a pattern").map(|hit| hit.expect("a readable folder")).collect()
            };
            let found = bases.iter().rev().map(hits).find(|hits| !hits.is_empty()).unwrap_or_default();
            checked += 1;
            if found.is_empty() {
                missing.push(format!("{path} (in {heading})"));
            }
            // The next path may be its neighbour, or in its folder.
            for hit in found {
                bases.push(hit.parent().expect("a folder").to_owned());
                bases.push(if hit.is_dir() { hit } else { hit.with_extension("") });
            }
        }
    }
    assert!(checked > 100, "only {checked} paths were found on the page");
    assert!(missing.is_empty(), "ARCHITECTURE.md names missing paths:\n{}", missing.join("\n"));
}
