//! Finds the uses of items between the files of a crate.

use std::collections::{BTreeMap, BTreeSet};

use proc_macro2::{TokenStream, TokenTree};
use syn::visit::{self, Visit};
use syn::{
    Attribute, Block, ExprPath, GenericParam, Generics, ImplItem, ImplItemFn, Item, ItemMod, ItemUse, Lit,
    Local, Macro, Meta, PatIdent, PatTupleStruct, Path, QSelf, Stmt, TraitItem, TypePath, Visibility,
};

use crate::names::{Names, Target};
use crate::tree::{Import, Space, Tree, attributes, for_tests};

/// The uses of items between a crate's files.
#[derive(Debug, Default)]
pub(crate) struct Uses {
    /// Used items, by the using file and the defining file.
    pub(crate) edges: BTreeMap<(usize, usize), BTreeSet<String>>,
    /// Number of paths by kind of target.
    pub(crate) counts: BTreeMap<&'static str, usize>,
    /// Paths without a target.
    pub(crate) unknown: BTreeSet<String>,
}

/// Reads every file of a crate.
pub(crate) fn uses(tree: &mut Tree, names: &Names) -> Uses {
    let modules = tree.scopes.len();
    let mut reader =
        Reader { tree, names, scope: 0, parameters: vec![], locals: vec![], uses: Uses::default() };
    for module in 0..modules {
        reader.scope = module;
        reader.imports();
        for item in std::mem::take(&mut reader.tree.scopes[module].content) {
            reader.visit_item(&item);
        }
    }
    reader.uses
}

/// Attributes that do not name our items.
const NO_NAMES: &[&str] = &[
    "allow",
    "cfg",
    "cold",
    "default",
    "deny",
    "derive",
    "doc",
    "expect",
    "inline",
    "must_use",
    "non_exhaustive",
    "path",
    "repr",
    "target_feature",
    "test",
    "warn",
];
/// Keys of attributes whose value is a path.
const PATH_KEYS: &[&str] = &[
    "default",
    "deserialize_with",
    "from",
    "into",
    "serialize_with",
    "skip_serializing_if",
    "try_from",
    "with",
];

struct Reader<'a> {
    tree: &'a mut Tree,
    names: &'a Names,
    scope: usize,
    /// Generic parameters of the enclosing items.
    parameters: Vec<BTreeSet<String>>,
    /// Variables of the enclosing functions, as far as they have been read.
    locals: Vec<BTreeSet<String>>,
    uses: Uses,
}

impl Reader<'_> {
    fn file(&self) -> usize {
        self.tree.scopes[self.scope].file
    }

    fn imports(&mut self) {
        for Import { name, path, public } in self.tree.scopes[self.scope].imports.clone() {
            let spaces = [Space::Type, Space::Value, Space::Macro];
            let found: BTreeSet<Target> = spaces
                .into_iter()
                .flat_map(|space| self.names.resolve(self.tree, self.scope, &path, space))
                .collect();
            if public || name.is_none() {
                // A re-export does not count; its users do.
                let kind = if found.is_empty() { None } else { Some("handed on, or a glob") };
                self.count(kind, &path);
            } else {
                self.add(&found, &path, true);
            }
        }
    }

    fn count(&mut self, kind: Option<&'static str>, path: &[String]) {
        match kind {
            Some(kind) => *self.uses.counts.entry(kind).or_default() += 1,
            None => {
                let file = self.tree.files[self.file()].display().to_string();
                self.uses.unknown.insert(format!("{file}: {}", path.join("::")));
            }
        }
    }

    fn add(&mut self, found: &BTreeSet<Target>, path: &[String], must_exist: bool) {
        for target in found {
            if let Target::Item(scope, index) = *target {
                let (from, to) = (self.file(), self.tree.scopes[scope].file);
                if from != to {
                    let name = self.tree.scopes[scope].definitions[index].name.clone();
                    self.uses.edges.entry((from, to)).or_default().insert(name);
                }
            }
        }
        let kind = match found.iter().next() {
            Some(Target::Item(..)) => Some("items of the crate"),
            Some(Target::Module(_)) => Some("modules of the crate"),
            Some(Target::Outside) => Some("other crates and the language"),
            Some(Target::PerhapsOutside) => Some("a glob of another crate, it must be"),
            None => None,
        };
        if must_exist || kind.is_some() {
            self.count(kind, path);
        }
    }

    /// Handles a path in code. A path that need not exist is a guess, since a word in a macro can be anything.
    fn path(&mut self, path: &[String], space: Space, must_exist: bool) {
        let first = path[0].as_str();
        let named = |sets: &[BTreeSet<String>]| sets.iter().any(|set| set.contains(first));
        if first == "Self" || named(&self.parameters) {
            return self.count(Some("Self and generic parameters"), path);
        }
        if path.len() == 1 && (first == "self" || named(&self.locals)) {
            return self.count(Some("variables"), path);
        }
        let other = if space == Space::Value { Space::Type } else { Space::Value };
        let mut found = self.names.resolve(self.tree, self.scope, path, space);
        if found.is_empty() || found.contains(&Target::PerhapsOutside) {
            found.extend(self.names.resolve(self.tree, self.scope, path, other));
        }
        self.add(&found, path, must_exist);
    }

    fn syn_path(&mut self, self_type: Option<&QSelf>, path: &Path, space: Space) {
        // `<T as Trait>::Name` names the trait, `<T>::Name` does not name an item.
        let end = self_type.map_or(path.segments.len(), |self_type| self_type.position);
        let start = path.leading_colon.as_ref().map(|_| String::new());
        let segments = path.segments.iter().take(end).map(|segment| segment.ident.to_string());
        let written: Vec<String> = start.into_iter().chain(segments).collect();
        if end > 0 {
            self.path(&written, space, true);
        }
        if let Some(self_type) = self_type {
            self.visit_type(&self_type.ty);
        }
        visit::visit_path(self, path);
    }

    /// Handles the paths among raw tokens: the arguments of a macro or an attribute.
    fn tokens(&mut self, tokens: TokenStream, must_exist: bool) {
        let trees: Vec<TokenTree> = tokens.into_iter().collect();
        let is = |at: usize, c: char| matches!(trees.get(at), Some(TokenTree::Punct(p)) if p.as_char() == c);
        let before = |at: usize, back: usize, c: char| at >= back && is(at - back, c);
        let mut at = 0;
        while at < trees.len() {
            match &trees[at] {
                TokenTree::Group(group) => self.tokens(group.stream(), must_exist),
                TokenTree::Literal(literal) => {
                    if let Lit::Str(text) = Lit::new(literal.clone()) {
                        let key = matches!(at.checked_sub(2).map(|key| &trees[key]),
                            Some(TokenTree::Ident(key)) if PATH_KEYS.iter().any(|k| key == k));
                        self.text(&text.value(), key && before(at, 1, '='));
                    }
                }
                TokenTree::Ident(first) => {
                    let field = before(at, 1, '.') && !before(at, 2, '.');
                    let continued = before(at, 1, ':') && before(at, 2, ':');
                    let variable = before(at, 1, '$') && first != "crate";
                    let mut path = vec![first.to_string()];
                    while is(at + 1, ':') && is(at + 2, ':') {
                        let Some(TokenTree::Ident(next)) = trees.get(at + 3) else { break };
                        path.push(next.to_string());
                        at += 3;
                    }
                    if !(field || continued || variable) {
                        let must_exist = must_exist && path.len() > 1;
                        self.path(&path, Space::Value, must_exist);
                    }
                }
                TokenTree::Punct(_) => {}
            }
            at += 1;
        }
    }

    /// Handles a string among tokens: it may have constants between braces, or be a path for some attributes.
    fn text(&mut self, text: &str, is_path: bool) {
        let constants = text.split('{').skip(1).filter_map(|rest| rest.split(['}', ':']).next());
        let constant =
            |name: &&str| !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_');
        for name in constants.filter(constant) {
            self.path(&[name.to_owned()], Space::Value, false);
        }
        if is_path {
            let mut path: Vec<String> = text.split("::").map(str::to_owned).collect();
            // `with` names a module of two functions.
            let found = self.names.resolve(self.tree, self.scope, &path, Space::Type);
            if found.iter().any(|target| matches!(target, Target::Module(_))) {
                path.push("serialize".to_owned());
            }
            self.path(&path, Space::Value, false);
        }
    }

    fn within_item(&mut self, visit: impl FnOnce(&mut Self)) {
        self.parameters.push(BTreeSet::new());
        self.locals.push(BTreeSet::new());
        visit(self);
        self.parameters.pop();
        self.locals.pop();
    }
}

impl<'ast> Visit<'ast> for Reader<'_> {
    fn visit_item(&mut self, item: &'ast Item) {
        if !for_tests(attributes(item)) {
            self.within_item(|reader| visit::visit_item(reader, item));
        }
    }

    fn visit_impl_item(&mut self, item: &'ast ImplItem) {
        self.within_item(|reader| visit::visit_impl_item(reader, item));
    }

    fn visit_impl_item_fn(&mut self, item: &'ast ImplItemFn) {
        if !for_tests(&item.attrs) {
            visit::visit_impl_item_fn(self, item);
        }
    }

    fn visit_trait_item(&mut self, item: &'ast TraitItem) {
        self.within_item(|reader| visit::visit_trait_item(reader, item));
    }

    fn visit_item_mod(&mut self, item: &'ast ItemMod) {
        self.count(None, &[format!("mod {} in a function, which this test cannot read", item.ident)]);
    }

    fn visit_item_use(&mut self, _: &'ast ItemUse) {}

    fn visit_visibility(&mut self, _: &'ast Visibility) {}

    fn visit_generics(&mut self, generics: &'ast Generics) {
        let names = generics.params.iter().filter_map(|parameter| match parameter {
            GenericParam::Type(parameter) => Some(parameter.ident.to_string()),
            GenericParam::Const(parameter) => Some(parameter.ident.to_string()),
            _ => None,
        });
        self.parameters.last_mut().expect("generics belong to an item").extend(names);
        visit::visit_generics(self, generics);
    }

    fn visit_block(&mut self, block: &'ast Block) {
        let items: Vec<&Item> = block
            .stmts
            .iter()
            .filter_map(|stmt| if let Stmt::Item(item) = stmt { Some(item) } else { None })
            .collect();
        if items.is_empty() {
            return visit::visit_block(self, block);
        }
        let around = self.scope;
        self.scope = self.tree.add_scope(self.file(), None, Some(around), items);
        self.imports();
        visit::visit_block(self, block);
        self.scope = around;
    }

    /// Visits the value first, since the new name does not mean the variable there yet.
    fn visit_local(&mut self, local: &'ast Local) {
        if let Some(init) = &local.init {
            self.visit_local_init(init);
        }
        self.visit_pat(&local.pat);
    }

    fn visit_pat_ident(&mut self, pattern: &'ast PatIdent) {
        let name = pattern.ident.to_string();
        if name.starts_with(|c: char| c.is_ascii_uppercase()) {
            self.path(&[name], Space::Value, true);
        } else if let Some(locals) = self.locals.last_mut() {
            locals.insert(name);
        }
        visit::visit_pat_ident(self, pattern);
    }

    fn visit_pat_tuple_struct(&mut self, pattern: &'ast PatTupleStruct) {
        self.syn_path(pattern.qself.as_ref(), &pattern.path, Space::Value);
        pattern.elems.iter().for_each(|element| self.visit_pat(element));
    }

    fn visit_expr_path(&mut self, expr: &'ast ExprPath) {
        self.syn_path(expr.qself.as_ref(), &expr.path, Space::Value);
    }

    fn visit_type_path(&mut self, ty: &'ast TypePath) {
        self.syn_path(ty.qself.as_ref(), &ty.path, Space::Type);
    }

    /// Visits a trait, or the name of a struct before its fields.
    fn visit_path(&mut self, path: &'ast Path) {
        self.syn_path(None, path, Space::Type);
    }

    fn visit_macro(&mut self, item: &'ast Macro) {
        self.tokens(item.tokens.clone(), true);
    }

    fn visit_attribute(&mut self, attribute: &'ast Attribute) {
        if let Meta::List(list) = &attribute.meta
            && !NO_NAMES.iter().any(|name| list.path.is_ident(name))
        {
            self.tokens(list.tokens.clone(), false);
        }
    }
}
