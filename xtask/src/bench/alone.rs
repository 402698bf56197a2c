//! Measures our side alone: criterion runs the benchmarks, and its estimates are read from its files.

use std::path::Path;
use std::process::Stdio;
use std::time::SystemTime;

use experiment::Interrupt;
use serde_json::Value;

use super::case::Case;
use super::error::{Error, Result};
use super::program::Program;
use super::timing::Timing;

/// Measures cases on `threads` threads. Criterion's own output goes to standard error.
///
/// # Errors
/// If the program fails, or an estimate is missing.
pub(crate) fn measure(
    program: &Program,
    cases: &[Case],
    threads: usize,
    interrupt: &Interrupt,
) -> Result<Vec<Timing>> {
    let names: Vec<&str> = cases.iter().map(|case| case.name.as_str()).collect();
    let home = program.criterion_home();
    let begun = SystemTime::now();
    let mut command = program.command(threads);
    // Criterion expects a regular expression; dots are the only special characters in names of cases.
    command.arg("--bench").arg(format!("^({})/", names.join("|").replace('.', r"\.")));
    command.env("CRITERION_HOME", &home).stdin(Stdio::null()).stdout(std::io::stderr());
    let start = |source| Error::Start { program: "the benchmark program".into(), source };
    let status = command.status().map_err(start)?;
    if interrupt.raised() {
        return Err(Error::Interrupted);
    }
    if !status.success() {
        return Err(Error::Criterion(status));
    }
    cases.iter().map(|case| timing(&home, case, begun)).collect()
}

fn timing(home: &Path, case: &Case, begun: SystemTime) -> Result<Timing> {
    let median = |benchmark: &str| median(&home.join(&case.name).join(benchmark).join("new"), begun);
    let phases = if case.apart && case.phases.len() > 1 {
        case.phases.iter().map(|phase| median(&phase.name)).collect::<Result<Vec<_>>>()?
    } else {
        Vec::new()
    };
    Ok(Timing::of_medians(case, median("together")?, &phases))
}

/// Reads the median in seconds from a folder that must have been written since `begun`.
fn median(folder: &Path, begun: SystemTime) -> Result<f64> {
    let path = folder.join("estimates.json");
    let problem = |problem: String| Error::Estimates { path: path.clone(), problem };
    let text = base::files::read_text(&path).map_err(|e| problem(e.to_string()))?;
    let written = path.metadata().and_then(|file| file.modified()).map_err(|e| problem(e.to_string()))?;
    if written < begun {
        return Err(problem("the file is from an earlier run, this one did not write it".into()));
    }
    let estimates: Value = serde_json::from_str(&text).map_err(|e| problem(e.to_string()))?;
    let median = estimates.pointer("/median/point_estimate").and_then(Value::as_f64);
    let seconds = median.ok_or_else(|| problem("it contains no median".into()))? * 1e-9;
    if seconds.is_finite() && seconds > 0.0 {
        return Ok(seconds);
    }
    Err(problem(format!("its median is {seconds} s")))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::timing::convolution;
    use super::*;

    /// Writes criterion's files of one case, shortened.
    fn home(medians: &[(&str, &str)]) -> tempfile::TempDir {
        let home = tempfile::tempdir().unwrap();
        for (benchmark, median) in medians {
            let folder = home.path().join("conv").join(benchmark).join("new");
            std::fs::create_dir_all(&folder).unwrap();
            let text = format!(
                r#"{{"mean":{{"point_estimate":1.0,"standard_error":0.1}},"median":{{"confidence_interval":
                {{"confidence_level":0.95,"lower_bound":1.0,"upper_bound":2.0}},"point_estimate":{median}}}}}"#
            );
            std::fs::write(folder.join("estimates.json"), text).unwrap();
        }
        home
    }

    #[test]
    fn medians_are_read_from_criterions_files() {
        let home = home(&[("forward", "1e7"), ("backward", "2.5e7"), ("together", "4e7")]);
        let timing = timing(home.path(), &convolution("conv"), SystemTime::UNIX_EPOCH).unwrap();
        assert_eq!(timing, Timing::of_medians(&convolution("conv"), 0.04, &[0.01, 0.025]));
    }

    #[test]
    fn figures_that_are_missing_old_or_senseless_are_refused() {
        let case = convolution("conv");
        let refused = |medians: &[(&str, &str)], begun| {
            let home = home(medians);
            let error = timing(home.path(), &case, begun).unwrap_err().to_string();
            error.replace(&home.path().display().to_string(), "HOME")
        };
        let missing = refused(&[("forward", "1.0")], SystemTime::UNIX_EPOCH);
        assert!(missing.starts_with("HOME/conv/backward/new/estimates.json: "), "{missing}");
        let later = SystemTime::now() + Duration::from_secs(60);
        let old = refused(&[("forward", "1.0"), ("backward", "1.0")], later);
        assert!(old.contains("from an earlier run"), "{old}");
        let zero = refused(&[("forward", "0.0"), ("backward", "1.0")], SystemTime::UNIX_EPOCH);
        assert!(zero.contains("its median is 0 s"), "{zero}");
    }
}
