//! The schemas accept and refuse the same TOML files as the parser.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::path::{Path, PathBuf};

use boon::{Compiler, SchemaIndex, Schemas};
use data::dataset::DatasetSpec;
use plan::spec::Spec;
use plan::{Workspace, schema};
use serde_json::Value;

fn workspace() -> Workspace {
    Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

/// The schemas of tables and of data sets, compiled by an independent validator.
struct Read {
    schemas: Schemas,
    tables: SchemaIndex,
    data_sets: SchemaIndex,
}

impl Read {
    fn new() -> Self {
        let (mut schemas, mut compiler) = (Schemas::new(), Compiler::new());
        let [tables, data_sets] = schema::files(&workspace()).map(|file| {
            let name = format!("http://localhost/{}", file.path.file_name().unwrap().to_string_lossy());
            compiler.add_resource(&name, file.schema).unwrap();
            compiler.compile(&name, &mut schemas).unwrap()
        });
        Self { schemas, tables, data_sets }
    }

    fn refuses(&self, index: SchemaIndex, text: &str) -> Option<String> {
        let document: Value = toml::from_str(text).unwrap();
        self.schemas.validate(&document, index).err().map(|error| format!("{error:#}"))
    }

    /// Returns the schema's objection to a table, if any.
    fn table(&self, text: &str) -> Option<String> {
        self.refuses(self.tables, text)
    }

    /// Returns the schema's objection to a data set, if any.
    fn data_set(&self, text: &str) -> Option<String> {
        self.refuses(self.data_sets, text)
    }
}

fn toml_files(folder: &Path) -> Vec<PathBuf> {
    let files = base::files::list(folder).unwrap().into_iter();
    files.filter(|file| file.extension().is_some_and(|ending| ending == "toml")).collect()
}

fn read(file: &Path) -> String {
    std::fs::read_to_string(file).unwrap()
}

#[test]
fn the_committed_schemas_are_those_of_the_types() {
    for file in schema::files(&workspace()) {
        let path = file.path.display();
        assert!(file.is_fresh().unwrap(), "{path} is stale; update it with `cargo xtask schema`");
    }
}

#[track_caller]
fn assert_begins(file: &Path, text: &str, line: &str) {
    assert_eq!(
        text.lines().next(),
        Some(line),
        "the first line of {}, which tells editors its schema",
        file.display()
    );
}

#[test]
fn every_committed_file_names_its_schema_and_fits_it() {
    let (schemas, workspace) = (Read::new(), workspace());
    let tables = workspace.spec_files().unwrap();
    assert!(tables.len() > 10, "{tables:?}");
    for file in tables {
        let text = read(&file);
        assert_begins(&file, &text, "#:schema ../table.schema.json");
        assert_eq!(schemas.table(&text), None, "{}", file.display());
    }
    let data_sets = toml_files(&workspace.root.join("datasets"));
    assert!(data_sets.len() > 5, "{data_sets:?}");
    for file in data_sets {
        let text = read(&file);
        assert_begins(&file, &text, "#:schema ./dataset.schema.json");
        assert_eq!(schemas.data_set(&text), None, "{}", file.display());
    }
}

/// Returns a table with one typing error.
fn spoilt(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "there is no {from}");
    text.replacen(from, to, 1)
}

#[test]
fn wrong_tables_are_refused_by_the_schema_and_by_the_parser() {
    let (schemas, root) = (Read::new(), workspace().root);
    let cases = [
        ("two-stream/table1b", "batch = 256", "bacth = 256"),
        ("two-stream/table1b", "batch = 256", "batch = \"256\""),
        ("two-stream/table1b", "batch = 256", "batch = -256"),
        ("two-stream/table1b", "batch = 256", "batch = 2.5"),
        ("two-stream/table1b", "\"cnn-m-2048\"", "\"cnn-m-2084\""),
        ("two-stream/table1b", "kind = \"flow\"", "kind = \"flwo\""),
        ("two-stream/table1b", "kind = \"flow\"", "kind = \"rgb\""),
        ("two-stream/table1b", "sampling = \"stack\"", "sampling = \"heap\""),
        ("two-stream/table1b", "crops = \"ten\"", "crops = \"nine\""),
        ("two-stream/table1b", "[[claim]]", "[[claims]]"),
        ("two-stream/table1b", "title = ", "titel = "),
        ("two-stream/table1b", "[data]", "[net]"),
        ("two-stream/table1a", "extends = ", "extend = "),
        ("two-stream/table1b", "id = \"single-on\"", "id = \"Single on\""),
        ("st-resnet/results", "stride = [", "stride = [1, "),
        ("two-stream/table3", "by = \"average\"", "by = \"avarage\""),
        ("two-stream/table3", "by = \"average\"", "by = { mean = { weight = [1.0, 1.0] } }"),
    ];
    for (table, from, to) in cases {
        let file = root.join("experiments").join(table).with_extension("toml");
        let text = spoilt(&read(&file), from, to);
        let case = format!("{table}: {to}");
        assert!(Spec::parse(&text, &file, &root.join("experiments")).is_err(), "the parser takes {case}");
        assert!(schemas.table(&text).is_some(), "the schema takes {case}");
    }
}

/// A data set of a kind that no committed file has.
const VIEW_FOLDERS: &str = r#"
kind = "view-folders"
title = "Mine"
views = ["cam0", "cam1"]
classes = ["kick", "wave"]
events = "mine/events.txt"
test = ["bob"]
extensions = ["avi"]
"#;

#[test]
fn wrong_data_sets_are_refused_by_the_schema_and_by_the_parser() {
    let (schemas, folder) = (Read::new(), workspace().root.join("datasets"));
    let whole = |name: &str| read(&folder.join(name).with_extension("toml"));
    assert_eq!(schemas.data_set(VIEW_FOLDERS), None);
    let cases = [
        (VIEW_FOLDERS.to_owned(), "views = [\"cam0\", \"cam1\"]", "view = [\"cam0\", \"cam1\"]"),
        (VIEW_FOLDERS.to_owned(), "\"view-folders\"", "\"video-folders\""),
        (whole("synth"), "data-seed = 0", "data-seed = -1"),
        (whole("synth"), "kind = \"synth\"", "kind = \"sinth\""),
        (whole("synth"), "numbers = \"", "numbers = \"un"),
        (whole("synth"), "sway-speed = [", "sway-sped = ["),
        (whole("synth"), "sway-speed = [", "sway-speed = [0.1, "),
        (whole("hmdb51"), "layout = \"hmdb51\"", "layout = \"kinetics\""),
        (whole("hmdb51"), "clips = 6766", "clips = \"6766\""),
        (whole("weizmann"), "[cuts]", "[cut]"),
    ];
    for (text, from, to) in cases {
        let text = spoilt(&text, from, to);
        let taken = DatasetSpec::parse(Path::new("mine.toml"), &text).is_ok();
        assert!(!taken, "the parser takes {to}");
        assert!(schemas.data_set(&text).is_some(), "the schema takes {to}");
    }
}

/// Covers optional keys, and both forms of keys that have two.
#[test]
fn what_the_parser_takes_the_schema_takes() {
    let (schemas, root) = (Read::new(), workspace().root);
    let cases = [
        ("two-stream/table3", "by = \"average\"", "by = { mean = { weights = [1, 2.5], of = \"logits\" } }"),
        ("two-stream/table1b", "rate = 1e-2", "rate = 1"),
    ];
    for (table, from, to) in cases {
        let file = root.join("experiments").join(table).with_extension("toml");
        let text = spoilt(&read(&file), from, to);
        assert!(Spec::parse(&text, &file, &root.join("experiments")).is_ok(), "{table}: {to}");
        assert_eq!(schemas.table(&text), None, "{table}: {to}");
    }
}

/// Editors show the descriptions beside the cursor.
#[test]
fn schemas_are_plain_and_name_what_there_is() {
    for file in schema::files(&workspace()) {
        let text = file.text();
        for noise in ["[`", "\"null\"", "\"format\""] {
            assert!(!text.contains(noise), "{} holds {noise}", file.path.display());
        }
    }
    let [tables, _] = schema::files(&workspace()).map(|file| file.text());
    let models = models::ModelName::all().map(models::ModelName::name);
    for name in models.chain(["rgb", "flow", "difference", "clip", "snippets"]) {
        assert!(tables.contains(&format!("\"{name}\"")), "no {name}");
    }
}

/// The complete file of `docs/specs.md` is a spec, and shows every key that a spec may have.
#[test]
fn the_reference_shows_every_key() {
    let root = workspace().root;
    let page = read(&root.join("docs/specs.md"));
    let begin = page.find("#:schema ../table.schema.json\n# ").unwrap_or_else(|| panic!("no complete file"));
    let text = &page[begin..begin + page[begin..].find("\n```").unwrap()];
    let file = root.join("experiments/mypaper/everything.toml");
    if let Err(error) = Spec::parse(text, &file, &root.join("experiments")) {
        panic!("the complete file of docs/specs.md: {error}");
    }
    let [tables, _] = schema::files(&workspace()).map(|file| file.schema);
    let mut names = std::collections::BTreeSet::new();
    keys(&tables, &mut names);
    // A file that extends another is not complete.
    names.remove("extends");
    let words: std::collections::BTreeSet<&str> =
        text.split(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).collect();
    let lacking: Vec<&String> = names.iter().filter(|name| !words.contains(name.as_str())).collect();
    assert!(lacking.is_empty(), "docs/specs.md does not show {lacking:?}");
    assert!(names.len() > 60, "{names:?}");
}

/// The names of all keys of a schema.
fn keys(schema: &Value, names: &mut std::collections::BTreeSet<String>) {
    match schema {
        Value::Object(map) => {
            if let Some(Value::Object(properties)) = map.get("properties") {
                names.extend(properties.keys().cloned());
            }
            map.values().for_each(|value| keys(value, names));
        }
        Value::Array(list) => list.iter().for_each(|value| keys(value, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
