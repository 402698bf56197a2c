//! All keys that a file lacks, by the schema of the type that it is read into. The parser stops at the first.

use schemars::{JsonSchema, schema_for};
use serde::Deserialize;
use serde_json::Value;
use toml::Spanned;
use toml::de::{DeTable, Deserializer};

/// The required keys of `T` that the table lacks, as dotted paths such as `profile.mini.flow`, in the order of the schema.
pub(super) fn keys<T: JsonSchema>(table: Spanned<DeTable<'_>>) -> Vec<String> {
    let schema = schema_for!(T).to_value();
    let mut keys = Vec::new();
    if let Ok(value) = Value::deserialize(Deserializer::from(table)) {
        Walk { root: &schema }.add(&schema, &value, "", &mut keys);
    }
    keys
}

struct Walk<'a> {
    root: &'a Value,
}

impl Walk<'_> {
    fn add(&self, schema: &Value, value: &Value, path: &str, keys: &mut Vec<String>) {
        let schema = self.resolved(schema);
        for choices in ["oneOf", "anyOf", "allOf"].iter().filter_map(|key| schema.get(key)?.as_array()) {
            if let Some(choice) = self.choice(choices, value) {
                self.add(choice, value, path, keys);
            }
        }
        match value {
            Value::Object(held) => {
                let required = schema.get("required").and_then(Value::as_array).into_iter().flatten();
                let lacking = required.filter_map(Value::as_str).filter(|key| !held.contains_key(*key));
                keys.extend(lacking.map(|key| format!("{path}{key}")));
                for (key, value) in held {
                    let own = schema.get("properties").and_then(|properties| properties.get(key));
                    if let Some(schema) = own.or(schema.get("additionalProperties")) {
                        self.add(schema, value, &format!("{path}{key}."), keys);
                    }
                }
            }
            Value::Array(items) => {
                let Some(schema) = schema.get("items") else { return };
                let path = path.trim_end_matches('.');
                for (at, item) in items.iter().enumerate() {
                    let name =
                        item.get("id").and_then(Value::as_str).map_or((at + 1).to_string(), str::to_owned);
                    self.add(schema, item, &format!("{path}[{name}]."), keys);
                }
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn resolved<'s>(&'s self, schema: &'s Value) -> &'s Value {
        let pointer =
            schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        pointer.and_then(|pointer| self.root.pointer(pointer)).unwrap_or(schema)
    }

    /// The one of several schemas that a value is meant for: the only one of its type whose tags it carries.
    fn choice<'s>(&'s self, choices: &'s [Value], value: &Value) -> Option<&'s Value> {
        let fits = |choice: &&Value| {
            let schema = self.resolved(choice);
            let kind = match value {
                Value::Object(_) => "object",
                Value::Array(_) => "array",
                _ => return false,
            };
            let tags = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
            let mut tags = tags.filter_map(|(key, schema)| Some((key, schema.get("const")?)));
            schema.get("type").is_none_or(|of| of == kind)
                && tags.all(|(key, tag)| value.get(key) == Some(tag))
        };
        let mut fitting = choices.iter().filter(fits);
        fitting.next().filter(|_| fitting.next().is_none())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::path::Path;

    use crate::parse_described;

    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only its form counts")]
    struct Table {
        title: String,
        note: Option<String>,
        profile: BTreeMap<String, Profile>,
        row: Vec<Row>,
    }

    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    #[serde(rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only its form counts")]
    struct Profile {
        batch_size: f64,
        seeds: usize,
    }

    #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
    #[serde(tag = "kind", rename_all = "kebab-case")]
    #[expect(dead_code, reason = "only its form counts")]
    enum Row {
        Net { id: String, rate: f64 },
        Fusion { id: String, of: Vec<String> },
    }

    #[test]
    fn all_missing_keys_are_named_at_once() {
        let text = "
            [profile.mini]
            seeds = 1
            [profile.smoke]
            [[row]]
            kind = 'net'
            id = 'single'
            [[row]]
            kind = 'fusion'
            of = []
        ";
        let error = parse_described::<Table>(Path::new("a.toml"), text).unwrap_err();
        assert_eq!(
            error.message,
            "missing `title`, `profile.mini.batch-size`, `profile.smoke.batch-size`, `profile.smoke.seeds`, \
             `row[single].rate`, `row[2].id`"
        );
    }

    #[test]
    fn a_misspelt_key_is_told_with_its_place() {
        #[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
        #[serde(deny_unknown_fields)]
        #[expect(dead_code, reason = "only its form counts")]
        struct Named {
            name: String,
        }
        let error = parse_described::<Named>(Path::new("a.toml"), "\n nmae = 'x'").unwrap_err();
        assert_eq!((error.line, error.column), (2, 2));
        assert!(error.message.ends_with("(did you mean `name`?)"), "{}", error.message);
    }
}
