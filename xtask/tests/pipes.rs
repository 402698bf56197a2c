//! Tests of output to a file or a pipe: plain text, with the requested level of detail.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::process::{Command, Output};

use tempfile::TempDir;

/// Returns a command whose records and cache are in a folder.
fn command(place: &TempDir, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments).arg("--results").arg(place.path().join("results"));
    command.arg("--cache").arg(place.path().join("cache"));
    command
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

#[track_caller]
fn assert_ok(output: &Output) {
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
}

/// Runs a command as from a terminal with colours, but with standard output and standard error redirected.
fn piped(mut command: Command) -> Output {
    for variable in ["NO_COLOR", "CLICOLOR_FORCE", "CLICOLOR", "RUST_LOG"] {
        command.env_remove(variable);
    }
    command.env("TERM", "xterm-256color").output().unwrap()
}

fn bare(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command.args(arguments);
    piped(command)
}

#[track_caller]
fn assert_plain(output: &Output, what: &str) {
    for stream in [&output.stdout, &output.stderr] {
        assert!(!stream.contains(&0x1b), "{what} writes terminal escape codes: {}", text(stream));
    }
}

const ROW: [&str; 2] = ["--row", "single-on"];

/// Everything is in one test, so that the row is trained once.
#[test]
fn a_run_is_as_loud_as_it_is_asked_to_be() {
    let place = tempfile::tempdir().unwrap();
    let run = |more: &[&str]| {
        let arguments = [&["run", "table1b", "--profile", "smoke"], &ROW[..], more].concat();
        let output = piped(command(&place, &arguments));
        assert_ok(&output);
        assert_plain(&output, &format!("run {more:?}"));
        (text(&output.stdout), text(&output.stderr))
    };
    let (table, said) = run(&["-vv"]);
    assert!(said.contains("starting") && said.contains("making"), "{said}");
    assert!(said.contains("single-on: "), "{said}");

    let (again, said) = run(&["-v"]);
    assert_eq!(again, table);
    assert!(said.contains("the record is current") && !said.contains("DEBUG"), "{said}");

    let (again, said) = run(&[]);
    assert_eq!(again, table);
    assert!(!said.contains("INFO"), "{said}");

    let (again, said) = run(&["-q"]);
    assert_eq!((again, said.as_str()), (table, ""));

    // Progress, and work that is done again.
    let (_, said) = run(&["--fresh", "-vvv"]);
    assert!(said.contains("from the cache"), "{said}");
}

#[test]
fn other_commands_and_their_errors_are_plain_too() {
    let place = tempfile::tempdir().unwrap();
    let commands: [&[&str]; 9] = [
        &["list"],
        &["list", "--claims"],
        &["show", "table1b"],
        &["show", "table1b", "--json"],
        &["show", "tabel1b"],
        &["compare"],
        &["run", "table1b", "--dry-run"],
        &["check", "table1b", "--run", "nothing-mini"],
        &["prepare", "synth", "--dry-run"],
    ];
    for arguments in commands {
        for more in [&[][..], &["-v"], &["-vvv"], &["-q"]] {
            let arguments = [arguments, more].concat();
            assert_plain(&piped(command(&place, &arguments)), &format!("{arguments:?}"));
        }
    }
    for arguments in [
        &["--help"][..],
        &["run", "--help"],
        &["run"],
        &["rnu"],
        &["show", "table1b", "--porfile"],
        &["show", "table1b", "-q", "-v"],
        &["schema", "--check"],
        &["schema", "-q"],
        &["completions", "bash"],
        &["doctor"],
    ] {
        assert_plain(&bare(arguments), &format!("{arguments:?}"));
    }
}

#[test]
fn an_error_is_said_however_quiet_a_command_is() {
    let output = bare(&["show", "tabel1b", "-q"]);
    assert!(!output.status.success());
    assert!(text(&output.stderr).contains("did you mean `table1b`?"), "{}", text(&output.stderr));
}

#[test]
fn a_rust_log_that_cannot_be_read_is_said_and_ignored() {
    let place = tempfile::tempdir().unwrap();
    let mut command = command(&place, &["list"]);
    for (log, expected) in [
        ("inof", "warning: RUST_LOG is ignored: expected a level"),
        ("data=loud", "found `data=loud`"),
        ("data[{video}]=info", "expected CRATE=LEVEL"),
    ] {
        let output = command.env("RUST_LOG", log).output().unwrap();
        assert_ok(&output);
        let said = text(&output.stderr);
        assert!(said.contains(expected), "{log}: {said}");
    }
    for log in ["", "trace", "off", "data=debug,experiment::run=info"] {
        let output = command.env("RUST_LOG", log).output().unwrap();
        assert_ok(&output);
        assert!(!text(&output.stderr).contains("RUST_LOG"), "{log}: {}", text(&output.stderr));
        assert_plain(&output, log);
    }
}
