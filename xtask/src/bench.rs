//! `bench`: measures kernels and whole training steps, alone or against PyTorch or `candle_nn`.
//!
//! The benchmark programs under `crates/*/benches` define the cases. Criterion measures a program alone.
//! In a comparison, the program and the process of the other side take turns.

mod alone;
mod case;
mod error;
mod peer;
mod place;
mod program;
mod report;
mod request;
mod timing;
mod versus;

use experiment::{Console, Interrupt};

pub(crate) use error::Error;
pub(crate) use request::{Layout, Request, Rival, Suite, Torch};

use case::Case;
use error::Result;
use peer::Peer;
use place::Place;
use report::{Against, Measured, Report};
use versus::Setting;

/// Builds the benchmark program of a suite and measures its cases.
///
/// # Errors
/// If the flags conflict, the program or the peer cannot be run, or no case matches the requested
/// names.
pub(crate) fn run(request: &Request, console: &Console, interrupt: &Interrupt) -> Result<Report> {
    let cores = || std::thread::available_parallelism().map_or(1, usize::from);
    let threads = request.threads.unwrap_or_else(cores);
    let place = Place::of(request)?;
    let program = request.suite.build(place)?;
    let mut ours = Peer::ours(&program, threads)?;
    let cases = wanted(ours.cases()?, &request.only)?;
    let peer::Greeting { mut versions, gpu, .. } = ours.greeting.clone();
    drop(ours);

    let mut measured = Vec::new();
    if let Some(rival) = &request.rival {
        let setting = Setting { program: &program, rival, threads, rounds: request.rounds };
        // Before any measurement, check that the other side starts and uses the same GPU.
        let greeting = setting.theirs()?.greeting.clone();
        if gpu != greeting.gpu {
            return Err(Error::TwoDevices { ours: gpu, theirs: greeting.gpu });
        }
        versions.extend(greeting.versions);
        let timings = setting.measure(&cases, console, interrupt)?;
        for (case, [ours, theirs]) in cases.into_iter().zip(timings) {
            measured.push(Measured::new(case, ours, Some(theirs)));
        }
    } else {
        let timings = alone::measure(&program, &cases, threads, interrupt)?;
        for (case, ours) in cases.into_iter().zip(timings) {
            measured.push(Measured::new(case, ours, None));
        }
    }
    let against = request.rival.as_ref();
    Ok(Report {
        suite: request.suite.name(),
        processor: processor(),
        gpu: gpu.map(|name| format!("{} {name}", place.device)),
        precision: place.precision(),
        threads,
        versions,
        against: against.map(|rival| Against {
            rival: rival.name(),
            layout: rival.layout().name(),
            compiled: rival.compiles(),
            rounds: request.rounds,
        }),
        means: report::means(&measured),
        cases: measured,
    })
}

/// Returns the cases whose names contain one of the patterns; all cases if there are no patterns.
fn wanted(cases: Vec<Case>, patterns: &[String]) -> Result<Vec<Case>> {
    let known = cases.iter().map(|case| case.name.as_str()).collect::<Vec<_>>().join(", ");
    let is_wanted =
        |case: &Case| patterns.is_empty() || patterns.iter().any(|pattern| case.name.contains(pattern));
    let wanted: Vec<Case> = cases.into_iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        return Err(Error::NoCase { patterns: patterns.to_vec(), known });
    }
    Ok(wanted)
}

/// Returns the processor's name, or its architecture if the system does not report a name.
fn processor() -> String {
    experiment::record::processor().unwrap_or_else(|| format!("{} processor", std::env::consts::ARCH))
}

#[cfg(test)]
mod tests {
    use super::timing::convolution;
    use super::*;

    #[test]
    fn cases_are_chosen_by_parts_of_their_names() {
        let cases = || vec![convolution("conv-1x1"), convolution("conv-3x3"), convolution("lrn")];
        let names = |patterns: &[&str]| -> Result<Vec<String>> {
            let patterns: Vec<String> = patterns.iter().map(|&pattern| pattern.into()).collect();
            Ok(wanted(cases(), &patterns)?.into_iter().map(|case| case.name).collect())
        };
        assert_eq!(names(&[]).unwrap(), ["conv-1x1", "conv-3x3", "lrn"]);
        assert_eq!(names(&["3x3", "lrn"]).unwrap(), ["conv-3x3", "lrn"]);
        let error = names(&["pool", "relu"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "no case name contains `pool` or `relu`; there are: conv-1x1, conv-3x3, lrn"
        );
        assert_eq!(error.exit_code(), 2);
    }
}
