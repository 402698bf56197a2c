//! What a command prints.

use std::io::Write;

use experiment::{Error, Result};

/// Prints to standard output. That nobody reads it any more, as behind `| head`, is no error.
pub(crate) fn say(text: impl std::fmt::Display) -> Result<()> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        printed => printed.map_err(Error::io("write to", "standard output")),
    }
}
