//! Resolves a path in code to its item.

use std::collections::BTreeSet;

use crate::tree::{Definition, Space, Tree};

/// The target of a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Target {
    Module(usize),
    /// An item, by its scope and its index among the definitions of the scope.
    Item(usize, usize),
    /// Another crate, the standard library or the language.
    Outside,
    /// No item of this crate, but a glob of another crate may import it.
    PerhapsOutside,
}

/// Names known in every module.
const EVERYWHERE: &[&str] = &[
    "bool",
    "char",
    "f32",
    "f64",
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "str",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "AsMut",
    "AsRef",
    "Box",
    "Clone",
    "Copy",
    "Default",
    "DoubleEndedIterator",
    "Drop",
    "Eq",
    "Err",
    "ExactSizeIterator",
    "Extend",
    "Fn",
    "FnMut",
    "FnOnce",
    "From",
    "FromIterator",
    "Into",
    "IntoIterator",
    "Iterator",
    "None",
    "Ok",
    "Option",
    "Ord",
    "PartialEq",
    "PartialOrd",
    "Result",
    "Send",
    "Sized",
    "Some",
    "String",
    "Sync",
    "ToOwned",
    "ToString",
    "TryFrom",
    "TryInto",
    "Unpin",
    "Vec",
    "align_of",
    "drop",
    "size_of",
    "size_of_val",
];

/// Resolves names in a crate that may name these other crates.
#[derive(Debug)]
pub(crate) struct Names {
    pub(crate) crates: BTreeSet<String>,
}

impl Names {
    /// Returns all targets of a path written in a scope, in a name space; empty if it is unresolved.
    pub(crate) fn resolve(
        &self,
        tree: &Tree,
        scope: usize,
        path: &[String],
        space: Space,
    ) -> BTreeSet<Target> {
        Search { names: self, tree, under_way: Vec::new() }.path(scope, path, space)
    }
}

struct Search<'a> {
    names: &'a Names,
    tree: &'a Tree,
    /// Names that are being resolved, since a `use` may lead back to itself.
    under_way: Vec<(usize, String, Space)>,
}

impl Search<'_> {
    fn path(&mut self, scope: usize, path: &[String], space: Space) -> BTreeSet<Target> {
        let mut targets = BTreeSet::new();
        for (at, name) in path.iter().enumerate() {
            let space = if at + 1 == path.len() { space } else { Space::Type };
            targets = match (at, name.as_str()) {
                (0, "") => BTreeSet::from([Target::Outside]),
                (0, "crate") => BTreeSet::from([Target::Module(0)]),
                (0, "self") => BTreeSet::from([Target::Module(self.tree.module_of(scope))]),
                (0, "super") => self.above(self.tree.module_of(scope)),
                (0, _) => self.written_in(scope, name, space),
                _ => targets.into_iter().flat_map(|target| self.step(scope, target, name, space)).collect(),
            };
        }
        targets
    }

    fn above(&self, module: usize) -> BTreeSet<Target> {
        self.tree.scopes[module].parent.map(Target::Module).into_iter().collect()
    }

    fn step(&mut self, from: usize, target: Target, name: &str, space: Space) -> BTreeSet<Target> {
        match target {
            Target::Module(module) if name == "super" => self.above(module),
            Target::Module(module) => self.within(module, name, space, !self.is_inside(from, module)),
            // A variant, or an associated function or constant.
            item => BTreeSet::from([item]),
        }
    }

    /// Returns `true` if a scope is inside a module, so that it may use private items of that module.
    fn is_inside(&self, scope: usize, module: usize) -> bool {
        let mut at = Some(self.tree.module_of(scope));
        while let Some(here) = at {
            if here == module {
                return true;
            }
            at = self.tree.scopes[here].parent;
        }
        false
    }

    /// Resolves a name as written in a scope: from a block, from its module, or known everywhere.
    fn written_in(&mut self, scope: usize, name: &str, space: Space) -> BTreeSet<Target> {
        let mut at = Some(scope);
        let mut perhaps = BTreeSet::new();
        while let Some(here) = at {
            let found = self.within(here, name, space, false);
            if found.iter().any(|target| *target != Target::PerhapsOutside) {
                return found;
            }
            perhaps.extend(found);
            at = self.tree.scopes[here].around;
        }
        let other_crate = space == Space::Type && self.names.crates.contains(name);
        if other_crate || EVERYWHERE.contains(&name) { BTreeSet::from([Target::Outside]) } else { perhaps }
    }

    /// Resolves a name that a scope defines or imports.
    fn within(&mut self, scope: usize, name: &str, space: Space, public_only: bool) -> BTreeSet<Target> {
        let request = (scope, name.to_owned(), space);
        if self.under_way.contains(&request) {
            return BTreeSet::new();
        }
        self.under_way.push(request);
        let found = self.search(scope, name, space, public_only);
        self.under_way.pop();
        found
    }

    fn search(&mut self, at: usize, name: &str, space: Space, public_only: bool) -> BTreeSet<Target> {
        let tree = self.tree;
        let scope = &tree.scopes[at];
        let mut found = BTreeSet::new();
        let modules = scope.modules.iter().filter(|(n, _, public)| n == name && (*public || !public_only));
        if space == Space::Type {
            found.extend(modules.map(|(_, module, _)| Target::Module(*module)));
        }
        let fits = |d: &Definition| d.name == name && d.spaces.contains(&space) && (d.public || !public_only);
        let items = scope.definitions.iter().enumerate().filter(|(_, d)| fits(d));
        found.extend(items.map(|(index, _)| Target::Item(at, index)));
        let imports = || scope.imports.iter().filter(|import| import.public || !public_only);
        for import in imports().filter(|import| import.name.as_deref() == Some(name)) {
            found.extend(self.path(at, &import.path, space));
        }
        if !found.is_empty() {
            return found;
        }
        for import in imports().filter(|import| import.name.is_none()) {
            for target in self.path(at, &import.path, Space::Type) {
                match target {
                    Target::Module(module) => {
                        found.extend(self.within(module, name, space, !self.is_inside(at, module)));
                    }
                    Target::Item(scope, index) => {
                        let variants = &tree.scopes[scope].definitions[index].variants;
                        found.extend(variants.iter().any(|v| v == name).then_some(target));
                    }
                    _ => _ = found.insert(Target::PerhapsOutside),
                }
            }
        }
        found
    }
}
