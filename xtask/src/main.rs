//! The command line: `cargo xtask run table1b`. Flags and dispatch only.

mod asked;
mod bench;
mod cluster;
mod commands;
mod doctor;
mod failure;
mod flags;
mod log;
mod schema;
mod screen;
mod torture;

use std::process::ExitCode;

use clap::Parser;
use experiment::{Console, Interrupt};

/// Reuses large buffers, because every training step needs the same ones.
#[global_allocator]
static ALLOCATOR: nn::ReusingAllocator = nn::ReusingAllocator;

fn main() -> ExitCode {
    let flags = flags::Cli::parse();
    let console = if flags.loudness.quiet { Console::quiet() } else { Console::stderr() };
    log::start(&flags.loudness, &console);
    flags::notes(std::env::args_os()).iter().for_each(|note| console.line(note));
    let outcome = Interrupt::on_ctrl_c()
        .map_err(failure::Failure::from)
        .and_then(|interrupt| commands::dispatch(&flags.command, &console, &interrupt));
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(e) => {
            console.error(&format!("error: {e}"));
            ExitCode::from(e.exit_code())
        }
    }
}
