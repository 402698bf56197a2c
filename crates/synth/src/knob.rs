//! What all tables of knobs are made of: ranges, checks, and the text that videos are hashed by.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use thiserror::Error;

/// What is wrong with the knobs of a generated set.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{table}: `{key}` = {found}: expected {expected}; change it under [{table}] in the data set's file")]
pub struct SynthError {
    /// The table of knobs, `synth` or `stills`.
    pub table: &'static str,
    /// Knob, as `table.key`.
    pub key: &'static str,
    /// The value found.
    pub found: String,
    /// What would have been accepted, and why.
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

/// From a list, since an array would be read from the first two of any number.
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

/// Knobs as the text that videos are hashed by.
pub(crate) fn text(table: &'static str, knobs: &impl Serialize) -> Result<String, SynthError> {
    serde_json::to_string(knobs).map_err(|error| SynthError {
        table,
        key: table,
        found: error.to_string(),
        expected: "knobs that can be written as text".to_owned(),
    })
}
