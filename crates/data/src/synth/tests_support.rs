//! The shipped knobs, for tests.

use super::config::SynthConfig;

/// The `[synth]` table of `datasets/synth.toml`, its sub-tables included, as a document of its own.
pub(super) fn config_text() -> String {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../datasets/synth.toml");
    let text = std::fs::read_to_string(file).unwrap();
    let table: toml::Table = toml::from_str(&text).unwrap();
    toml::to_string(&table["synth"]).unwrap()
}

/// The shipped knobs.
pub(super) fn config() -> SynthConfig {
    toml::from_str(&config_text()).unwrap()
}
