//! Keys whose value is a name or a table.

use std::fmt;
use std::marker::PhantomData;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// Reads a string as a name and a table as a `T`; `expected` describes both in error messages.
///
/// # Errors
/// If the value is neither, or if reading the `T` fails; with the place in the file.
pub(super) fn name_or_table<'de, D: Deserializer<'de>, T: Deserialize<'de>, Out>(
    deserializer: D,
    expected: &'static str,
    name: fn(String) -> Out,
    table: fn(T) -> Out,
) -> Result<Out, D::Error> {
    deserializer.deserialize_any(Either { expected, name, table, of: PhantomData })
}

struct Either<'de, T, Out> {
    expected: &'static str,
    name: fn(String) -> Out,
    table: fn(T) -> Out,
    of: PhantomData<&'de ()>,
}

impl<'de, T: Deserialize<'de>, Out> Visitor<'de> for Either<'de, T, Out> {
    type Value = Out;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.expected)
    }

    fn visit_str<E>(self, name: &str) -> Result<Out, E> {
        Ok((self.name)(name.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Out, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(self.table)
    }
}

/// Returns the JSON schema of such a key.
pub(super) fn schema_of_name_or_table<T: JsonSchema>(
    generator: &mut SchemaGenerator,
    description: &str,
    name: &str,
) -> Schema {
    let table = generator.subschema_for::<T>();
    json_schema!({ "description": description, "anyOf": [{ "description": name, "type": "string" }, table] })
}
