//! Checks that no files of a crate use each other in a cycle.
//!
//! A file uses another if a path in it leads to an item that the other defines, through any re-exports. `mod x;` and
//! `pub use` are not uses, and tests are ignored. Calls of methods cannot be seen, since their names belong to types.

mod names;
mod tree;
mod uses;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;

use cargo_metadata::{DependencyKind, MetadataCommand, Package, TargetKind};
use petgraph::algo::tarjan_scc;
use petgraph::graph::DiGraph;

use names::Names;
use tree::Tree;
use uses::Uses;

fn packages() -> Vec<Package> {
    let folder = std::env::var("CARGO_MANIFEST_DIR").expect("cargo says which package it tests");
    let manifest = Path::new(&folder).join("../../Cargo.toml");
    MetadataCommand::new().manifest_path(manifest).no_deps().exec().expect("cargo metadata").packages
}

/// Returns the crates that a package's code may name.
fn names(package: &Package, is_program: bool) -> Names {
    let dependencies = package.dependencies.iter().filter(|d| d.kind == DependencyKind::Normal);
    let written = dependencies.map(|d| d.rename.as_ref().unwrap_or(&d.name).replace('-', "_"));
    let own = is_program.then(|| package.name.replace('-', "_"));
    Names {
        crates: ["std", "core", "alloc"].map(str::to_owned).into_iter().chain(written).chain(own).collect(),
    }
}

/// Lists files that use each other in a cycle, each with the items that it uses; empty if there are none.
fn rings(tree: &Tree, uses: &Uses, folder: &Path) -> Vec<String> {
    let short = |file: usize| tree.files[file].strip_prefix(folder).unwrap_or(&tree.files[file]).display();
    let graph = DiGraph::<(), (), usize>::from_edges(uses.edges.keys().copied());
    let mut rings = Vec::new();
    for ring in tarjan_scc(&graph).into_iter().filter(|ring| ring.len() > 1) {
        let members: BTreeSet<usize> = ring.into_iter().map(|node| node.index()).collect();
        let mut text = format!("{} files in a cycle:", members.len());
        for ((from, to), items) in &uses.edges {
            if members.contains(from) && members.contains(to) {
                let items: Vec<&str> = items.iter().map(String::as_str).collect();
                write!(text, "\n    {} -> {} (uses {})", short(*from), short(*to), items.join(", "))
                    .expect("a string takes all");
            }
        }
        rings.push(text);
    }
    rings
}

fn source_files(folder: &Path, found: &mut BTreeSet<std::path::PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a source folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().unwrap_or_default();
        if path.is_dir() && name != "tests" {
            source_files(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") && name != "tests.rs" {
            found.insert(path);
        }
    }
}

#[test]
fn no_files_use_each_other_in_a_ring() {
    let mut complaints = String::new();
    for package in packages() {
        let folder = package.manifest_path.parent().expect("a folder").join("src").into_std_path_buf();
        let mut unread = BTreeSet::new();
        source_files(&folder, &mut unread);
        let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
        for target in package.targets.iter().filter(|target| target.src_path.starts_with(&folder)) {
            let names = names(&package, target.kind.contains(&TargetKind::Bin));
            let mut tree = Tree::read(target.src_path.as_std_path());
            let uses = uses::uses(&mut tree, &names);
            for file in tree.files.iter().chain(&tree.left_out) {
                unread.remove(file);
            }
            for ring in rings(&tree, &uses, &folder) {
                writeln!(complaints, "{}: {ring}", target.name).expect("a string takes all");
            }
            for path in &uses.unknown {
                writeln!(complaints, "{}: unresolved name {path}", target.name).expect("a string takes all");
            }
            uses.counts.iter().for_each(|(kind, count)| *counts.entry(*kind).or_default() += count);
        }
        eprintln!("{}: {counts:?}", package.name);
        for file in unread {
            writeln!(complaints, "{}: no module declares {}", package.name, file.display())
                .expect("a string takes all");
        }
    }
    assert!(complaints.is_empty(), "\n{complaints}");
}

/// Checks the ways in which a file can name an item of another.
#[test]
fn a_use_is_found_however_it_is_written() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("circles");
    std::fs::create_dir_all(folder.join("a")).expect("a folder for the test");
    let files = [
        (
            "lib.rs",
            "mod a; mod b; mod c; mod d; mod e; pub use a::inner::{Deep as Renamed, Kind}; use rayon::prelude::*;",
        ),
        ("a.rs", "pub mod inner; pub fn a() -> usize { inner::deep() }"),
        (
            "a/inner.rs",
            "pub struct Deep; pub enum Kind { One } pub fn deep() -> usize { 1 } pub const SIZE: usize = 2;",
        ),
        ("b.rs", "use super::*; fn b(x: usize) { let deep = x; drop(deep); let _ = Renamed; }"),
        (
            "c.rs",
            "fn c<T: Default>(x: Option<u8>) -> T { use crate::Kind::*; match x { _ => One }; T::default() }",
        ),
        (
            "d.rs",
            "use std::fmt; fn d() { println!(\"{}\", crate::a::inner::SIZE); fmt::format(todo!()) }
                  #[cfg(test)] mod tests { use crate::b::b; }",
        ),
        ("e.rs", "#[serde(default = \"crate::a::a\")] fn e() { self::missing::e(); missing(); }"),
    ];
    for (name, text) in files {
        std::fs::write(folder.join(name), text).expect("a file of the test");
    }
    let mut tree = Tree::read(&folder.join("lib.rs"));
    let uses = uses::uses(&mut tree, &Names { crates: ["std", "rayon"].map(str::to_owned).into() });
    let name = |file: usize| tree.files[file].strip_prefix(&folder).expect("a file of the test").display();
    let edges =
        uses.edges.iter().map(|((from, to), items)| format!("{} -> {} {items:?}", name(*from), name(*to)));
    let expected = [
        "a.rs -> a/inner.rs {\"deep\"}",
        "b.rs -> a/inner.rs {\"Deep\"}",
        "c.rs -> a/inner.rs {\"Kind\"}",
        "d.rs -> a/inner.rs {\"SIZE\"}",
        "e.rs -> a.rs {\"a\"}",
    ];
    assert_eq!(edges.collect::<Vec<_>>(), expected);
    let unknown: Vec<&str> = uses.unknown.iter().filter_map(|path| path.split(": ").nth(1)).collect();
    assert_eq!(unknown, ["missing", "self::missing::e"]);
}
