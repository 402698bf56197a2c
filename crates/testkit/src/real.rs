//! The folder of real clips, which few machines have, and what tests that cannot do without it do elsewhere.

use std::io::Write as _;
use std::path::{Path, PathBuf};

/// A folder or file below the folder of real clips: `$VAR_REAL_DATA`, or `../shared/real` beside the checkout.
///
/// Only what is a fact of a published data set may wait for it; all else is tested on clips that any machine can make
/// ([`crate::clip`], generated videos). Where it is not there, `None` after saying what is `untested` in consequence.
///
/// # Panics
/// If it is not there and `REQUIRE_REAL_DATA=1` demands it, as the project's own check does where the clips are.
#[must_use]
pub fn real_data(name: &str, untested: &str) -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/real");
    let path = std::env::var_os("VAR_REAL_DATA").map_or_else(beside, PathBuf::from).join(name);
    if path.exists() {
        return Some(path);
    }
    let missing = format!("there is no {} (VAR_REAL_DATA names another folder)", path.display());
    assert!(!demanded("REQUIRE_REAL_DATA"), "REQUIRE_REAL_DATA=1 demands the real clips, and {missing}");
    skipped(untested, &missing);
    None
}

/// Whether a variable of the environment says yes.
#[must_use]
pub fn demanded(variable: &str) -> bool {
    std::env::var_os(variable).is_some_and(|value| !value.is_empty() && value != "0")
}

/// Says that something is not tested here, past the capture of what a test that passes prints.
pub fn skipped(untested: &str, why: &str) {
    // A closed standard error is no fault of the test.
    let _written = writeln!(std::io::stderr(), "SKIPPED: {untested}: {why}");
}
