//! JSON schemas of the TOML files for editors: one of specs and one of data sets, generated from the types that read them.
//!
//! A schema describes single keys and their values. Conditions between several keys are checked when a file is read.

use std::path::PathBuf;

use data::dataset::DatasetSpec;
use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde_json::{Map, Value, json};

use crate::error::Result;
use crate::spec::Spec;
use crate::workspace::Workspace;

/// A schema and the path of its file.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemaFile {
    /// Path of the file.
    pub path: PathBuf,
    /// Expected content of the file.
    pub schema: Value,
}

/// Returns the schemas of all TOML files of a workspace.
pub fn files(workspace: &Workspace) -> [SchemaFile; 2] {
    let file = |path: &str, schema| SchemaFile { path: workspace.root.join(path), schema };
    [
        file("experiments/table.schema.json", extending(schema_of::<Spec>("A table of a paper"))),
        file("datasets/dataset.schema.json", schema_of::<DatasetSpec>("A data set")),
    ]
}

impl SchemaFile {
    /// Returns the text of the file.
    pub fn text(&self) -> String {
        format!("{:#}\n", self.schema)
    }

    /// Returns `true` if the file on disk holds this schema.
    ///
    /// # Errors
    /// [`Error::File`] if the file exists and cannot be read.
    pub fn is_fresh(&self) -> Result<bool> {
        let text = base::files::read_if_there(&self.path, base::files::TEXT)?;
        Ok(text
            .is_some_and(|text| serde_json::from_slice::<Value>(&text).is_ok_and(|held| held == self.schema)))
    }
}

/// Sections that a table takes whole or in part from the one it extends; no key of these is required where it extends one.
const TAKEN: [&str; 3] = ["data", "shared", "profile"];

/// Parts of such sections that are joined key by key.
const JOINED: [&str; 4] = ["Shared", "Train", "Profiles", "Profile"];

/// Lets a table that extends another one leave out keys. Which of them the other one lacks too is found when it is read.
fn extending(mut schema: Value) -> Value {
    for name in JOINED {
        if let Some(keys) = schema.pointer_mut(&format!("/definitions/{name}")).and_then(Value::as_object_mut)
        {
            keys.remove("required");
        }
    }
    if let Some(Value::Array(required)) = schema.get_mut("required") {
        required.retain(|key| key.as_str().is_none_or(|key| !TAKEN.contains(&key)));
    }
    schema["if"] = json!({ "not": { "required": ["extends"] } });
    schema["then"] = json!({ "required": TAKEN });
    schema
}

/// Generates the schema of a type, in the draft that TOML editors support best.
fn schema_of<T: JsonSchema>(title: &str) -> Value {
    let settings = SchemaSettings::draft07().with(|settings| {
        // Before the draft's own transforms, which look at the keys beside a reference.
        settings.transforms.insert(0, Box::new(RecursiveTransform(for_toml)));
    });
    let mut schema = settings.into_generator().into_root_schema_for::<T>();
    schema.insert("title".to_owned(), title.into());
    schema.to_value()
}

/// Removes what TOML cannot express, and turns descriptions into plain text.
fn for_toml(schema: &mut Schema) {
    let Some(keys) = schema.as_object_mut() else { return };
    // Names of Rust types; `minimum` already gives their range.
    keys.remove("format");
    without_null(keys);
    if let Some(Value::String(description)) = keys.get_mut("description") {
        *description = plain(description);
    }
}

/// Removes `null` from the values of a key: TOML has no null, and an optional key is simply not in `required`.
fn without_null(keys: &mut Map<String, Value>) {
    let is_null = |schema: &Value| schema.get("type").is_some_and(|kind| kind == "null");
    if keys.get("default").is_some_and(Value::is_null) {
        keys.remove("default");
    }
    if let Some(Value::Array(kinds)) = keys.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [kind] = &mut kinds[..] {
            let kind = kind.take();
            keys.insert("type".to_owned(), kind);
        }
    }
    if let Some(Value::Array(values)) = keys.get_mut("enum") {
        values.retain(|value| !value.is_null());
    }
    if let Some(Value::Array(choices)) = keys.get_mut("anyOf") {
        choices.retain(|choice| !is_null(choice));
        if let [Value::Object(only)] = &mut choices[..] {
            let only = std::mem::take(only);
            keys.remove("anyOf");
            for (key, value) in only {
                keys.entry(key).or_insert(value);
            }
        }
    }
}

/// Removes the links of Rust's documentation and joins lines to paragraphs.
fn plain(description: &str) -> String {
    let paragraphs =
        description.split("\n\n").map(|paragraph| paragraph.split('\n').collect::<Vec<_>>().join(" "));
    paragraphs.collect::<Vec<_>>().join("\n\n").replace("[`", "`").replace("`]", "`")
}
