//! The shipped knobs, for tests.

use super::config::SynthConfig;

/// Returns a table of a data set's file, including its sub-tables, as a separate document.
pub(super) fn knobs(file: &str, table: &str) -> String {
    let file = format!("{}/../../datasets/{file}", env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(file).unwrap();
    let tables: toml::Table = toml::from_str(&text).unwrap();
    toml::to_string(&tables[table]).unwrap()
}

/// Returns the `[synth]` table of `datasets/synth.toml`.
pub(super) fn config_text() -> String {
    knobs("synth.toml", "synth")
}

/// Returns the shipped knobs of `synth`.
pub(super) fn config() -> SynthConfig {
    toml::from_str(&config_text()).unwrap()
}

/// Returns the shipped knobs of `synth-hmdb`.
pub(super) fn hmdb_config() -> SynthConfig {
    toml::from_str(&knobs("synth-hmdb.toml", "synth")).unwrap()
}
