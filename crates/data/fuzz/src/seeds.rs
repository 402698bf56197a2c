//! Writes the first inputs of every fuzz target to `corpus/TARGET/`, beside this crate's `Cargo.toml`.

#[expect(dead_code, reason = "only the seeds are used here")]
mod targets;

use std::path::Path;

fn main() -> std::io::Result<()> {
    for (target, _, seeds) in targets::all() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
        std::fs::create_dir_all(&folder)?;
        for (index, seed) in seeds().into_iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{index}")), seed)?;
        }
    }
    Ok(())
}
