//! Finds the folder of real clips, which few machines have, and skips tests that need it elsewhere.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Finds a folder or file below the folder of real clips: `$VAR_REAL_DATA`, or `../shared/real` beside the checkout.
/// If it is missing, reports what is `untested` and returns `None`.
///
/// Only tests of facts about published data sets may depend on it; all others use clips that any machine can make
/// ([`crate::clip`], generated videos).
///
/// # Panics
/// If it is missing and `REQUIRE_REAL_DATA=1` demands it, as the project's own check does on machines with the clips.
#[must_use]
pub fn real_data(name: &str, untested: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/real");
    let path = std::env::var_os("VAR_REAL_DATA").map_or_else(beside, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    let missing = format!("{} is missing (VAR_REAL_DATA sets the folder)", path.display());
    assert!(!demanded("REQUIRE_REAL_DATA"), "REQUIRE_REAL_DATA=1 demands the real clips, but {missing}");
    skipped(untested, &missing);
    None
}

/// Returns `true` if an environment variable is set to anything but an empty text or 0.
#[must_use]
pub fn demanded(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Reports that something is not tested, even for a passing test whose output is captured.
pub fn skipped(untested: &str, why: &str) {
    // A closed standard error must not fail the test.
    let _written = writeln!(std::io::stderr(), "SKIPPED: {untested}: {why}");
}
