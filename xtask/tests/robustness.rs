//! Tests with closed output, a closed terminal, a limit on file sizes and a folder that cannot be written to. Kills, damage and
//! full disks are tested by `cargo xtask torture`.

#![cfg(unix)]
#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

mod support;

use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use support::{Place, assert_ok, text};

const ROW: [&str; 5] = ["run", "table1b", "--profile", "smoke", "--row"];

/// Returns a shell that runs a script and then the command, by `exec "$@"`.
fn behind(script: &str, command: &Command) -> Command {
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("{script}; exec \"$@\""), "sh"]);
    shell.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    shell
}

fn row(place: &Place) -> Command {
    place.command(&[&ROW[..], &["single-on"]].concat())
}

fn finished(place: &Place) -> bool {
    place.path("results/two-stream/table1b/synth-smoke/single-on.json").exists()
}

#[test]
fn a_training_goes_on_when_nobody_listens_any_more() {
    for script in ["exec 2>&-", "exec 2>/dev/full", "exec 2>&- 1>&-", "exec 2> >(true)"] {
        let place = Place::new();
        // The last one needs bash.
        let mut command = behind(script, &row(&place));
        if script.contains(">(") {
            let mut bash = Command::new("bash");
            bash.args(command.get_args());
            command = bash;
        }
        let output = command.output().unwrap();
        assert!(output.status.success(), "{script}: {:?} {}", output.status, text(&output.stderr));
        assert!(finished(&place), "{script}");
    }
}

#[expect(clippy::disallowed_methods, reason = "the delay is fixed, so there is no event to wait for")]
/// Sends a signal shortly after the process has started, and waits for its end.
fn signalled(mut command: Command, signal: &str) -> Output {
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(Duration::from_millis(300));
    let sent = Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap();
    assert!(sent.success(), "the process ended too soon");
    child.wait_with_output().unwrap()
}

#[test]
fn the_end_of_the_terminal_interrupts_unless_the_program_was_started_to_outlive_it() {
    let place = Place::new();
    let many = place.command(&["run", "table1b", "--profile", "smoke"]);
    let output = signalled(behind("trap '' HUP", &many), "-HUP");
    assert_ok(&output);
    let outlived = place.numbers();
    let place = Place::new();
    let many = place.command(&["run", "table1b", "--profile", "smoke"]);
    let begun = Instant::now();
    let output = signalled(behind(":", &many), "-HUP");
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    assert!(begun.elapsed() < Duration::from_secs(20));
    // It continues from there to the same numbers.
    assert_ok(&place.smoke(&[]));
    assert_eq!(place.numbers(), outlived);
}

#[test]
fn a_table_that_cannot_be_printed_does_not_keep_the_next_from_being_run() {
    let place = Place::new();
    let tables = place.command(&["run", "table1b", "table2", "--profile", "smoke"]);
    let output = behind("exec 1>/dev/full", &tables).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("standard output"), "{said}");
    for table in ["table1b", "table2"] {
        assert!(place.path(&format!("results/two-stream/{table}/synth-smoke/table.md")).exists(), "{table}");
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error_that_says_so() {
    let place = Place::new();
    let output = behind("ulimit -f 8", &row(&place)).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{:?} {said}", output.status);
    assert!(said.contains("ulimit -f"), "{said}");
    let left = std::fs::read_dir(place.path("cache")).unwrap();
    assert!(left.into_iter().all(|entry| !entry.unwrap().file_name().to_string_lossy().starts_with(".tmp")));
    assert_ok(&row(&place).output().unwrap());
}

/// Not even the superuser may write there.
#[cfg(target_os = "linux")]
#[test]
fn a_cache_that_may_not_be_written_to_is_answered_with_the_flag_for_another() {
    for arguments in [
        &["run", "table1b", "--profile", "smoke", "--row", "single-on"][..],
        &["prepare", "synth", "--profile", "smoke"],
    ] {
        let place = Place::new();
        let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
        command.args(arguments).args(["--cache", "/sys/cache"]);
        if arguments[0] == "run" {
            command.arg("--results").arg(place.path("results"));
        }
        let output = command.output().unwrap();
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("--cache"), "{said}");
    }
}

#[test]
fn numbers_without_sense_are_refused_with_their_place() {
    let place = Place::new();
    let seeds = |seeds: &str| place.smoke(&["--seeds", seeds]);
    for number in ["0", "9223372036854775807", "18446744073709551615"] {
        let output = seeds(number);
        assert_eq!(output.status.code(), Some(2), "{}", text(&output.stderr));
        assert!(text(&output.stderr).contains("expected 1 to 65536"), "{}", text(&output.stderr));
    }
}
