//! Schemas for editors, of tables whose key `kind` decides which other keys there are.

use schemars::{Schema, json_schema};

/// Schema of a table with this `kind`, given that of its other keys.
pub(crate) fn of_kind(kind: &str, mut keys: Schema) -> Schema {
    let keys_of = keys.ensure_object();
    if let Some(properties) =
        keys_of.entry("properties").or_insert_with(|| json_schema!({}).into()).as_object_mut()
    {
        properties.insert("kind".to_owned(), json_schema!({ "type": "string", "const": kind }).into());
    }
    if let Some(required) =
        keys_of.entry("required").or_insert_with(|| Vec::<String>::new().into()).as_array_mut()
    {
        required.retain(|key| key != "kind");
        required.insert(0, "kind".into());
    }
    keys
}

/// Schema of a table that may have one more key.
pub(crate) fn with_key(mut table: Schema, key: &str, value: Schema) -> Schema {
    if let Some(properties) =
        table.ensure_object().get_mut("properties").and_then(|keys| keys.as_object_mut())
    {
        properties.insert(key.to_owned(), value.into());
    }
    table
}

/// Schema of a table of one of these kinds.
pub(crate) fn one_of(description: &str, kinds: Vec<Schema>) -> Schema {
    json_schema!({ "description": description, "oneOf": kinds })
}
