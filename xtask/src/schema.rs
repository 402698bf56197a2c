//! Writes the schemas that editors read, and finds stale ones.

use experiment::store::write_atomic;
use experiment::{Console, Result};
use plan::schema::{SchemaFile, files};

use crate::failure::Failure;
use crate::flags::Folders;
use crate::screen::say;

/// Writes the stale schemas.
pub(crate) fn write(console: &Console) -> Result<()> {
    let stale = stale()?;
    if stale.is_empty() {
        console.line("all schemas are up to date");
    }
    for file in stale {
        write_atomic(&file.path, file.text().as_bytes())?;
        say(file.path.display())?;
    }
    Ok(())
}

/// Fails if a schema is stale.
pub(crate) fn check() -> std::result::Result<(), Failure> {
    let stale = stale()?;
    if stale.is_empty() {
        return Ok(());
    }
    Err(Failure::Stale(stale.iter().map(|file| file.path.display().to_string()).collect()))
}

fn stale() -> Result<Vec<SchemaFile>> {
    let mut stale = Vec::new();
    for file in files(&Folders::default().workspace()) {
        if !file.is_fresh()? {
            stale.push(file);
        }
    }
    Ok(stale)
}
