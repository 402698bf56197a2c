//! The dropout of a net: one probability, or one for each of two layers.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error;
use serde::{Deserialize, Deserializer};

use super::range::SHARE;

/// Probabilities of dropout before the classifier in training, each from 0 to below 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Dropout {
    /// The probability, in all layers with dropout or in the first of two.
    pub first: f64,
    /// The probability in the second of two layers, if it is another.
    pub later: Option<f64>,
}

impl<'de> Deserialize<'de> for Dropout {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = |value: &toml::Value| match *value {
            toml::Value::Float(found) => SHARE.check("", found),
            toml::Value::Integer(found) => SHARE.check("", found as f64),
            ref other => Err(format!("found {other}, expected a probability, or [first, second]")),
        };
        let value = toml::Value::deserialize(deserializer)?;
        let read = match &value {
            toml::Value::Array(both) => match &both[..] {
                [first, second] => number(first).and_then(|first| Ok((first, number(second)?))),
                all => {
                    Err(format!("found {} numbers, expected a probability, or [first, second]", all.len()))
                }
            },
            one => number(one).map(|both| (both, both)),
        };
        let (first, second) = read.map_err(D::Error::custom)?;
        Ok(Self { first, later: (second != first).then_some(second) })
    }
}

impl JsonSchema for Dropout {
    fn schema_name() -> Cow<'static, str> {
        "Dropout".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let share = json_schema!({ "type": "number", "minimum": 0, "exclusiveMaximum": 1 });
        json_schema!({
            "description": "Probability of dropout before the classifier in training, from 0 to below 1; or one for each of two \
                            layers.",
            "anyOf": [share, { "type": "array", "items": share, "minItems": 2, "maxItems": 2 }]
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Net {
        dropout: Dropout,
    }

    fn read(text: &str) -> Result<Dropout, String> {
        let net: Result<Net, _> = toml::from_str(&format!("dropout = {text}"));
        net.map(|net| net.dropout).map_err(|error| error.to_string())
    }

    #[test]
    fn one_number_or_one_for_each_of_two_layers() {
        assert_eq!(read("0.9"), Ok(Dropout { first: 0.9, later: None }));
        assert_eq!(read("0"), Ok(Dropout { first: 0.0, later: None }));
        assert_eq!(read("[0.9, 0.8]"), Ok(Dropout { first: 0.9, later: Some(0.8) }));
        // Written twice, it is the same plan.
        assert_eq!(read("[0.9, 0.9]"), read("0.9"));
        for (wrong, expected) in [
            ("1.0", "found 1, expected at least 0 and below 1"),
            ("[0.9, -0.5]", "found -0.5, expected at least 0 and below 1"),
            ("[0.9]", "found 1 numbers, expected a probability, or [first, second]"),
            ("\"high\"", "expected a probability, or [first, second]"),
        ] {
            let message = read(wrong).unwrap_err();
            assert!(message.contains("line 1") && message.contains(expected), "{message}");
        }
    }
}
