//! Selects the events that are written to standard error, by `-v`, `-q` and `RUST_LOG`.

use std::io::IsTerminal;

use experiment::Console;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::flags::Loudness;
use crate::screen::in_colour;

/// The workspace's own crates; `-v` has no effect on others.
const OWN: [&str; 13] = [
    "base",
    "data",
    "experiment",
    "figure",
    "flow",
    "kernels",
    "models",
    "nn",
    "plan",
    "report",
    "slurm",
    "synth",
    "xtask",
];

const LEVELS: &str = "off, error, warn, info, debug or trace";

/// Starts writing events. An invalid `RUST_LOG` is reported and ignored.
pub(crate) fn start(loudness: &Loudness, console: &Console) {
    let asked = std::env::var_os("RUST_LOG").map(|text| text.to_string_lossy().into_owned());
    let read = asked.filter(|text| !text.trim().is_empty()).map(|text| directives(&text));
    let (targets, problem) = match read {
        Some(Ok(targets)) => (targets, None),
        Some(Err(problem)) => (of_flags(loudness), Some(problem)),
        None => (of_flags(loudness), None),
    };
    // With more events, their targets are shown, so that the reader can silence single ones.
    let named = targets.iter().any(|(_, level)| level > LevelFilter::WARN)
        || targets.default_level().is_some_and(|level| level > LevelFilter::WARN);
    let lines = console.lines();
    let events = tracing_subscriber::fmt::layer()
        .with_writer(move || lines.clone())
        .with_ansi(in_colour(std::io::stderr().is_terminal(), |name| std::env::var(name).ok()))
        .without_time()
        .with_target(named);
    tracing_subscriber::registry().with(targets).with(events).init();
    if let Some(problem) = problem {
        console.error(&format!("warning: RUST_LOG is ignored: {problem}"));
    }
}

fn of_flags(loudness: &Loudness) -> Targets {
    let own = match (loudness.quiet, loudness.verbose) {
        (true, _) => return Targets::new().with_default(LevelFilter::ERROR),
        (false, 0) => LevelFilter::WARN,
        (false, 1) => LevelFilter::INFO,
        (false, 2) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    Targets::new().with_default(LevelFilter::WARN).with_targets(OWN.map(|name| (name, own)))
}

/// Parses directives separated by commas: `LEVEL`, `CRATE=LEVEL` (or a module in place of a crate) and `CRATE`, which means all
/// events of one of the own crates. Everything else stays at `warn`.
fn directives(text: &str) -> Result<Targets, String> {
    let mut targets = Targets::new().with_default(LevelFilter::WARN);
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        targets = match part.split_once('=') {
            Some((target, level)) => match (is_module(target.trim()), read_level(level)) {
                (true, Some(level)) => targets.with_target(target.trim(), level),
                (true, None) => {
                    return Err(format!("expected a level ({LEVELS}) after `=`, found `{part}`"));
                }
                (false, _) => {
                    return Err(format!("expected CRATE=LEVEL, such as data=debug, found `{part}`"));
                }
            },
            None => match read_level(part) {
                Some(level) => targets.with_default(level),
                None if is_own(part) => targets.with_target(part, LevelFilter::TRACE),
                None => {
                    return Err(format!(
                        "expected a level ({LEVELS}), a crate of this program ({}) or CRATE=LEVEL, found `{part}`",
                        OWN.join(", ")
                    ));
                }
            },
        };
    }
    Ok(targets)
}

fn read_level(text: &str) -> Option<LevelFilter> {
    let levels = ["off", "error", "warn", "info", "debug", "trace"];
    let named = levels.iter().find(|level| text.trim().eq_ignore_ascii_case(level))?;
    named.parse().ok()
}

/// Returns `true` if a text is the path of a module, `a::b`.
fn is_module(text: &str) -> bool {
    let plain = |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    text.split("::").all(plain)
}

fn is_own(text: &str) -> bool {
    is_module(text) && OWN.contains(&text.split("::").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tracing::Level;

    fn shown(targets: &Targets, target: &str) -> Option<Level> {
        let levels = [Level::TRACE, Level::DEBUG, Level::INFO, Level::WARN, Level::ERROR];
        levels.into_iter().find(|level| targets.would_enable(target, level))
    }

    #[test]
    fn flags_raise_the_workspaces_own_crates_alone() {
        let of = |verbose, quiet| of_flags(&Loudness { verbose, quiet });
        let own = [Level::WARN, Level::INFO, Level::DEBUG, Level::TRACE, Level::TRACE];
        for (verbose, level) in own.into_iter().enumerate() {
            let targets = of(verbose as u8, false);
            assert_eq!(shown(&targets, "data::decode"), Some(level));
            assert_eq!(shown(&targets, "ureq::pool"), Some(Level::WARN));
        }
        assert_eq!(shown(&of(0, true), "data::decode"), Some(Level::ERROR));
    }

    #[test]
    fn the_usual_directives_are_understood() {
        let of = |text: &str| directives(text).unwrap();
        assert_eq!(shown(&of("info"), "ureq"), Some(Level::INFO));
        let some = of(" data=debug, experiment::run=INFO ,");
        assert_eq!(shown(&some, "data::decode"), Some(Level::DEBUG));
        assert_eq!(shown(&some, "experiment::run::steps"), Some(Level::INFO));
        assert_eq!(shown(&some, "experiment::train"), Some(Level::WARN));
        assert_eq!(shown(&of("off,data"), "data::decode"), Some(Level::TRACE));
        assert_eq!(shown(&of("off,data"), "plan"), None);
        assert_eq!(shown(&of("data=off"), "data"), None);
    }

    #[test]
    fn others_are_refused_with_what_is_expected() {
        for (text, expected) in [
            ("inof", "expected a level (off, error"),
            ("data=loud", "after `=`, found `data=loud`"),
            ("data=", "after `=`"),
            ("=info", "expected CRATE=LEVEL"),
            ("data[{video}]=debug", "expected CRATE=LEVEL"),
            ("data=info=debug", "after `=`"),
        ] {
            let problem = directives(text).unwrap_err();
            assert!(problem.contains(expected), "{text}: {problem}");
        }
    }

    #[test]
    fn own_crates_are_those_of_the_workspace() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
        let names =
            std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> =
            names.filter(|name| name != "testkit").chain(["xtask".to_owned()]).collect();
        names.sort();
        assert_eq!(names, OWN);
    }

    #[test]
    fn colours_are_for_terminals_unless_asked_for() {
        let of = |terminal, given: &'static [(&str, &str)]| {
            in_colour(terminal, |name| {
                given.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
            })
        };
        assert!(of(true, &[]));
        assert!(!of(false, &[]));
        assert!(!of(true, &[("NO_COLOR", "1")]));
        assert!(of(true, &[("NO_COLOR", "")]));
        assert!(!of(true, &[("TERM", "dumb")]));
        assert!(of(false, &[("CLICOLOR_FORCE", "1")]));
        assert!(!of(false, &[("CLICOLOR_FORCE", "0")]));
        assert!(!of(true, &[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
    }
}
