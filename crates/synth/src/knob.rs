//! Common parts of all tables of knobs: ranges, checks, and the text from which videos are hashed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// An error in the knobs of a generated set.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{table}: `{key}` = {found}: expected {expected}; change it in [{table}] of the data set's file")]
pub struct SynthError {
    /// The table of knobs, `synth` or `stills`.
    pub table: &'static str,
    /// Knob, as `table.key`.
    pub key: &'static str,
    /// The value found.
    pub found: String,
    /// The accepted values, and the reason.
    pub expected: String,
}

/// A range `[lo, hi]` to draw from uniformly; `lo <= hi`, both finite.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "Vec<f32>", into = "[f32; 2]")]
#[schemars(with = "[f32; 2]")]
pub struct Span {
    /// Lower end.
    pub lo: f32,
    /// Upper end.
    pub hi: f32,
}

/// Converts from a list, since an array would silently take the first two of more numbers.
impl TryFrom<Vec<f32>> for Span {
    type Error = String;

    fn try_from(ends: Vec<f32>) -> Result<Self, String> {
        match ends[..] {
            [lo, hi] if lo.is_finite() && hi.is_finite() && lo <= hi => Ok(Span { lo, hi }),
            _ => Err(format!("expected a range [lo, hi] of finite numbers with lo <= hi, found {ends:?}")),
        }
    }
}

impl From<Span> for [f32; 2] {
    fn from(span: Span) -> Self {
        [span.lo, span.hi]
    }
}

pub(crate) fn check(
    key: &'static str,
    found: impl std::fmt::Display,
    ok: bool,
    expected: &str,
) -> Result<(), SynthError> {
    if ok {
        return Ok(());
    }
    Err(SynthError { table: "synth", key, found: found.to_string(), expected: expected.to_owned() })
}

pub(crate) fn within(key: &'static str, span: Span, lo: f32, hi: f32) -> Result<(), SynthError> {
    let ok = lo <= span.lo && span.lo <= span.hi && span.hi <= hi;
    check(key, format!("[{}, {}]", span.lo, span.hi), ok, &format!("a range within {lo} to {hi}"))
}

pub(crate) fn fraction(key: &'static str, value: f32) -> Result<(), SynthError> {
    check(key, value, (0.0..=1.0).contains(&value), "a fraction from 0 to 1")
}

/// Writes knobs as the text from which videos are hashed.
pub(crate) fn text(table: &'static str, knobs: &impl Serialize) -> Result<String, SynthError> {
    serde_json::to_string(knobs).map_err(|error| SynthError {
        table,
        key: table,
        found: error.to_string(),
        expected: "knobs that can be written as text".to_owned(),
    })
}
