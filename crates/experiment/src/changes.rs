//! Differences between two plans, value by value.

use serde::Serialize;
use serde_json::Value;

use crate::record::Record;

/// A value that differs.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Change {
    /// Path of the value, such as `work.net.train.momentum`.
    pub place: String,
    /// The value before; `None` if it is new.
    pub before: Option<Value>,
    /// The value now; `None` if it is gone.
    pub now: Option<Value>,
}

impl std::fmt::Display for Change {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let shown = |value: &Option<Value>| match value {
            None => "absent".to_owned(),
            Some(value) => {
                let text = value.to_string();
                if text.chars().count() > LONGEST {
                    format!("{}…", text.chars().take(LONGEST).collect::<String>())
                } else {
                    text
                }
            }
        };
        write!(f, "{} was {}, now {}", self.place, shown(&self.before), shown(&self.now))
    }
}

/// Maximum number of characters of a value that are shown.
const LONGEST: usize = 60;

/// Finds the differences between two records in everything that their numbers depend on: plan, videos, splits and seeds.
pub(super) fn changes(before: &Record, now: &Record) -> Vec<Change> {
    let decisive = |record: &Record| {
        let runs: Vec<_> = record.runs.iter().map(|run| (&run.split, run.seed)).collect();
        serde_json::json!({ "work": record.work, "data": record.data, "measure": record.measure, "runs": runs })
    };
    differences(&decisive(before), &decisive(now))
}

/// Finds the differences between two values, each with its path.
pub(crate) fn differences(before: &impl Serialize, now: &impl Serialize) -> Vec<Change> {
    let mut found = Vec::new();
    if let (Ok(before), Ok(now)) = (serde_json::to_value(before), serde_json::to_value(now)) {
        compare("", &before, &now, &mut found);
    }
    found
}

fn compare(place: &str, before: &Value, now: &Value, found: &mut Vec<Change>) {
    let below = |name: &str| if place.is_empty() { name.to_owned() } else { format!("{place}.{name}") };
    match (before, now) {
        (Value::Object(a), Value::Object(b)) => {
            for (name, before) in a {
                match b.get(name) {
                    Some(now) => compare(&below(name), before, now, found),
                    None => {
                        found.push(Change { place: below(name), before: Some(before.clone()), now: None })
                    }
                }
            }
            for (name, now) in b.iter().filter(|(name, _)| !a.contains_key(*name)) {
                found.push(Change { place: below(name), before: None, now: Some(now.clone()) });
            }
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            for (index, (before, now)) in a.iter().zip(b).enumerate() {
                compare(&format!("{place}[{index}]"), before, now, found);
            }
        }
        _ if before == now => {}
        _ => found.push(Change {
            place: place.to_owned(),
            before: Some(before.clone()),
            now: Some(now.clone()),
        }),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_change_is_named_by_its_place() {
        let before = json!({ "net": { "rates": [0.1, 0.2], "crop": 64, "old": 1 } });
        let now = json!({ "net": { "rates": [0.1, 0.3], "crop": 64, "new": "x" } });
        let mut found = Vec::new();
        compare("", &before, &now, &mut found);
        let said: Vec<String> = found.iter().map(ToString::to_string).collect();
        assert_eq!(
            said,
            ["net.old was 1, now absent", "net.rates[1] was 0.2, now 0.3", "net.new was absent, now \"x\""]
        );
    }
}
