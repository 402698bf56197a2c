//! Reads the modules of a crate from its files, with the names that each of them defines or imports.

use std::path::{Path, PathBuf};

use proc_macro2::{Delimiter, Punct, Spacing, TokenStream, TokenTree};
use syn::{Attribute, Expr, ExprLit, Fields, Item, ItemMod, Lit, Meta, UseTree, Visibility};

/// A name space; a name may have a different meaning in each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Space {
    Type,
    Value,
    Macro,
}

/// An item that can be named.
#[derive(Debug)]
pub(crate) struct Definition {
    pub(crate) name: String,
    pub(crate) spaces: Vec<Space>,
    pub(crate) public: bool,
    /// Variants of an enum.
    pub(crate) variants: Vec<String>,
}

/// A name, or all names (`None`), brought in by `use`.
#[derive(Debug, Clone)]
pub(crate) struct Import {
    pub(crate) name: Option<String>,
    pub(crate) path: Vec<String>,
    /// True for a re-export (`pub`, `pub(crate)` and the like).
    pub(crate) public: bool,
}

/// A scope of names: a module, or a block of a function that has items.
pub(crate) struct Scope {
    pub(crate) file: usize,
    /// The parent module; `None` for the root of a crate.
    pub(crate) parent: Option<usize>,
    /// The enclosing scope of a block.
    pub(crate) around: Option<usize>,
    pub(crate) modules: Vec<(String, usize, bool)>,
    pub(crate) definitions: Vec<Definition>,
    pub(crate) imports: Vec<Import>,
    /// A module's items, except for its modules.
    pub(crate) content: Vec<Item>,
}

/// The modules of a library or a program.
#[derive(Default)]
pub(crate) struct Tree {
    pub(crate) files: Vec<PathBuf>,
    pub(crate) scopes: Vec<Scope>,
    /// Files of modules that are compiled only for tests; they are not read.
    pub(crate) left_out: Vec<PathBuf>,
}

impl Tree {
    /// Reads all files from the root on, except tests.
    pub(crate) fn read(root: &Path) -> Self {
        let mut tree = Self::default();
        let folder = root.parent().expect("a source file lies in a folder");
        tree.read_file(root, folder, None);
        tree
    }

    fn read_file(&mut self, path: &Path, folder: &Path, parent: Option<usize>) -> usize {
        let text = std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = self.files.len();
        self.files.push(path.to_owned());
        self.add_module(parsed.items, file, folder, parent)
    }

    /// Adds a module. `folder` holds the files of its modules.
    fn add_module(&mut self, items: Vec<Item>, file: usize, folder: &Path, parent: Option<usize>) -> usize {
        let at = self.add_scope(file, parent, None, &items);
        let mut modules = Vec::new();
        for item in items {
            match item {
                Item::Mod(module) => modules.push(module),
                other => {
                    modules.extend(modules_of_macro(&other));
                    self.scopes[at].content.push(other);
                }
            }
        }
        for module in modules {
            let name = module.ident.to_string();
            let inner = folder.join(&name);
            let usual = [folder.join(format!("{name}.rs")), inner.join("mod.rs")];
            if for_tests(&module.attrs) || name == "tests" {
                self.left_out.extend(usual);
                continue;
            }
            let child = match module.content {
                Some((_, items)) => self.add_module(items, file, &inner, Some(at)),
                None => {
                    let beside = self.files[file].parent().expect("a source file lies in a folder");
                    let path = match path_attribute(&module.attrs) {
                        Some(path) => beside.join(path),
                        None => usual.into_iter().find(|path| path.exists()).unwrap_or_else(|| {
                            panic!("{}: no file for mod {name}", self.files[file].display())
                        }),
                    };
                    self.read_file(&path, &inner, Some(at))
                }
            };
            self.scopes[at].modules.push((name, child, is_public(&module.vis)));
        }
        at
    }

    /// Adds the names of some items as a module of `parent` or a block in `around`.
    pub(crate) fn add_scope<'i>(
        &mut self,
        file: usize,
        parent: Option<usize>,
        around: Option<usize>,
        items: impl IntoIterator<Item = &'i Item>,
    ) -> usize {
        let (mut definitions, mut imports) = (Vec::new(), Vec::new());
        for item in items.into_iter().filter(|item| !for_tests(attributes(item))) {
            match item {
                Item::Use(item) => {
                    let start = if item.leading_colon.is_some() { vec![String::new()] } else { Vec::new() };
                    flatten(&item.tree, start, is_public(&item.vis), &mut imports);
                }
                other => {
                    definitions.extend(definition(other));
                    definitions.extend(types_of_macro(other));
                }
            }
        }
        let (modules, content) = (Vec::new(), Vec::new());
        self.scopes.push(Scope { file, parent, around, modules, definitions, imports, content });
        self.scopes.len() - 1
    }

    /// Returns the module of a scope.
    pub(crate) fn module_of(&self, mut scope: usize) -> usize {
        while let Some(around) = self.scopes[scope].around {
            scope = around;
        }
        scope
    }
}

fn definition(item: &Item) -> Option<Definition> {
    use Space::{Macro, Type, Value};
    let (name, spaces, vis) = match item {
        Item::Const(i) => (&i.ident, vec![Value], Some(&i.vis)),
        Item::Enum(i) => (&i.ident, vec![Type], Some(&i.vis)),
        Item::Fn(i) => (&i.sig.ident, vec![Value], Some(&i.vis)),
        Item::Static(i) => (&i.ident, vec![Value], Some(&i.vis)),
        Item::Struct(i) if matches!(i.fields, Fields::Named(_)) => (&i.ident, vec![Type], Some(&i.vis)),
        Item::Struct(i) => (&i.ident, vec![Type, Value], Some(&i.vis)),
        Item::Trait(i) => (&i.ident, vec![Type], Some(&i.vis)),
        Item::Type(i) => (&i.ident, vec![Type], Some(&i.vis)),
        Item::Union(i) => (&i.ident, vec![Type], Some(&i.vis)),
        Item::Macro(i) => (i.ident.as_ref()?, vec![Macro], None),
        _ => return None,
    };
    let variants = match item {
        Item::Enum(i) => i.variants.iter().map(|variant| variant.ident.to_string()).collect(),
        _ => Vec::new(),
    };
    // A macro has no visibility; `use` re-exports it.
    Some(Definition { name: name.to_string(), spaces, public: vis.is_none_or(is_public), variants })
}

/// Returns the tokens of a macro call that takes the place of an item.
fn tokens_of_call(item: &Item) -> Vec<TokenTree> {
    match item {
        Item::Macro(call) if call.ident.is_none() => call.mac.tokens.clone().into_iter().collect(),
        _ => Vec::new(),
    }
}

/// Returns the modules with separate files in a macro call: `mod x` among its tokens is taken for one.
fn modules_of_macro(item: &Item) -> Vec<ItemMod> {
    let tokens = tokens_of_call(item);
    let is_word = |at: usize, word: &str| matches!(tokens.get(at), Some(TokenTree::Ident(i)) if i == word);
    let declared = |at: usize| {
        let name = tokens.get(at + 1).filter(|_| is_word(at, "mod"))?;
        // It may be preceded by `pub`, and that by one attribute.
        let first = if at > 0 && is_word(at - 1, "pub") { at - 1 } else { at };
        let attribute: TokenStream = tokens[first.saturating_sub(2)..first].iter().cloned().collect();
        let visibility = (first < at).then(|| tokens[first].clone());
        let plain: TokenStream = visibility.into_iter().chain([tokens[at].clone(), name.clone()]).collect();
        let with = |attribute: TokenStream| {
            let end: TokenTree = Punct::new(';', Spacing::Alone).into();
            syn::parse2(attribute.into_iter().chain(plain.clone()).chain([end]).collect()).ok()
        };
        with(attribute).or_else(|| with(TokenStream::new()))
    };
    (0..tokens.len()).filter_map(declared).collect()
}

/// Returns the types in a macro call: `enum X` or `struct X` among its tokens, with the variants of the body that follows.
fn types_of_macro(item: &Item) -> Vec<Definition> {
    let tokens = tokens_of_call(item);
    let named = |(at, token): (usize, &TokenTree)| {
        let (TokenTree::Ident(word), Some(TokenTree::Ident(name))) = (token, tokens.get(at + 1)) else {
            return None;
        };
        let public = at > 0 && matches!(&tokens[at - 1], TokenTree::Ident(before) if before == "pub");
        let mut body: Vec<TokenTree> = Vec::new();
        for token in &tokens[at + 2..] {
            match token {
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    body.extend(group.stream());
                    break;
                }
                TokenTree::Punct(end) if end.as_char() == ';' => break,
                _ => {}
            }
        }
        let variant = |pair: &[TokenTree]| match pair {
            [TokenTree::Ident(name), TokenTree::Group(fields)]
                if fields.delimiter() == Delimiter::Parenthesis =>
            {
                Some(name.to_string())
            }
            _ => None,
        };
        let variants = body.windows(2).filter_map(variant).collect();
        (word == "enum" || word == "struct").then(|| Definition {
            name: name.to_string(),
            spaces: vec![Space::Type],
            public,
            variants,
        })
    };
    tokens.iter().enumerate().filter_map(named).collect()
}

/// Splits a tree of `use` into single imports. A path that begins with `::` begins with an empty name.
fn flatten(tree: &UseTree, mut path: Vec<String>, public: bool, imports: &mut Vec<Import>) {
    let (segment, name) = match tree {
        UseTree::Path(tree) => {
            path.push(tree.ident.to_string());
            return flatten(&tree.tree, path, public, imports);
        }
        UseTree::Group(tree) => {
            return tree.items.iter().for_each(|item| flatten(item, path.clone(), public, imports));
        }
        UseTree::Glob(_) => return imports.push(Import { name: None, path, public }),
        UseTree::Name(tree) => (tree.ident.to_string(), tree.ident.to_string()),
        UseTree::Rename(tree) => (tree.ident.to_string(), tree.rename.to_string()),
    };
    let of_itself = segment == "self" && !path.is_empty();
    let name = match path.last() {
        Some(last) if of_itself && name == "self" => last.clone(),
        _ => name,
    };
    if !of_itself {
        path.push(segment);
    }
    imports.push(Import { name: Some(name), path, public });
}

fn is_public(vis: &Visibility) -> bool {
    !matches!(vis, Visibility::Inherited)
}

/// Returns `true` if an item is compiled only for tests.
pub(crate) fn for_tests(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| match &attribute.meta {
        Meta::Path(path) => path.is_ident("test"),
        Meta::List(list) if list.path.is_ident("cfg") => {
            let words: Vec<String> = list.tokens.to_string().split_whitespace().map(str::to_owned).collect();
            words == ["test"] || (words[0] == "all" && words.join("").starts_with("all(test,"))
        }
        _ => false,
    })
}

pub(crate) fn attributes(item: &Item) -> &[Attribute] {
    match item {
        Item::Const(i) => &i.attrs,
        Item::Enum(i) => &i.attrs,
        Item::Fn(i) => &i.attrs,
        Item::Impl(i) => &i.attrs,
        Item::Macro(i) => &i.attrs,
        Item::Mod(i) => &i.attrs,
        Item::Static(i) => &i.attrs,
        Item::Struct(i) => &i.attrs,
        Item::Trait(i) => &i.attrs,
        Item::Type(i) => &i.attrs,
        Item::Use(i) => &i.attrs,
        _ => &[],
    }
}

fn path_attribute(attributes: &[Attribute]) -> Option<String> {
    attributes.iter().find_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("path") => match &pair.value {
            Expr::Lit(ExprLit { lit: Lit::Str(path), .. }) => Some(path.value()),
            _ => None,
        },
        _ => None,
    })
}
