//! Benchmark programs with two modes: criterion measures them, and with `--serve` they
//! execute requests line by line, so that `cargo xtask bench --against-torch` can let them
//! take turns with PyTorch.
//!
//! The protocol has one JSON object per line. The program starts with a greeting that has its
//! threads and versions, and the name of the GPU if it computes on one; then each line on
//! standard input gets one line on standard output:
//!
//! | request | answer |
//! |---|---|
//! | `{"do": "list"}` | `{"cases": [...]}` |
//! | `{"do": "prepare", "case": {"name": ...}}` | `{"sizes": [...]}`, see [`Work::sizes`] |
//! | `{"do": "run", "times": 3}` | `{"seconds": [...]}`: the mean of each phase |
//! | `{"do": "memory"}` | `{"peak_kib": ...}`: the peak so far, see [`Host::peak_kib`]; null if unknown |
//!
//! or `{"error": "..."}`, which also replaces the greeting of a program that cannot start.

use std::io::{BufRead, Write};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use criterion::{Criterion, SamplingMode, Throughput};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A case to measure.
#[derive(Serialize)]
pub struct Case {
    /// Name of letters, digits, dots and hyphens; unique.
    pub name: String,
    /// Name of the group of cases that are averaged.
    pub group: &'static str,
    /// Description of the sizes.
    pub size: String,
    /// Unit of work.
    pub unit: Unit,
    /// Total work of all phases.
    pub work: u64,
    /// The parts of a run, in order.
    pub phases: Vec<Phase>,
    /// True if a phase can be repeated without the others.
    pub apart: bool,
    /// True if the last phase repeats all the others without stops between them; its time is then
    /// that of a run.
    pub whole: bool,
    /// Everything that a peer needs to do the same.
    pub facts: Value,
    /// Creates the inputs.
    #[serde(skip)]
    pub start: Box<dyn Fn() -> Box<dyn Work>>,
}

/// A part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// Name, such as `forward` or `backward`.
    pub name: &'static str,
    /// Its work, in the unit of the case.
    pub work: u64,
}

/// Unit of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unit {
    /// Floating-point operations.
    Flop,
    /// Input values.
    Values,
    /// Training samples.
    Samples,
}

/// A case with its inputs, ready to run any number of times.
pub trait Work {
    /// Returns numbers that a peer must also get if it does the same work: values read
    /// and written, or parameters and multiply-adds.
    fn sizes(&mut self) -> Vec<u64>;

    /// Runs one phase.
    fn run(&mut self, phase: usize);
}

/// The machine and the libraries of a benchmark program.
pub struct Host<'a> {
    /// Versions of everything that the numbers depend on besides the code.
    pub versions: &'a [(&'a str, String)],
    /// Number of threads of the kernels.
    pub threads: usize,
    /// Name of the GPU, if the program computes on one.
    pub gpu: Option<String>,
    /// Returns the peak of memory in use so far, in KiB: the resident memory of the process, or
    /// the arrays on the GPU.
    pub peak_kib: &'a dyn Fn() -> Option<u64>,
}

/// Runs a benchmark program on the CPU, as its `main`. `versions` are those of everything that
/// the numbers depend on besides the code; `threads` is the number of threads of the kernels.
///
/// # Panics
/// If a case cannot be created or run, or the output is closed.
pub fn main(versions: &[(&str, String)], threads: usize, cases: &[Case]) {
    main_on(&Host { versions, threads, gpu: None, peak_kib: &resident_kib }, cases);
}

/// Runs a benchmark program, as its `main`.
///
/// # Panics
/// If a case cannot be created or run, or the output is closed.
pub fn main_on(host: &Host<'_>, cases: &[Case]) {
    if serves() {
        serve(host, cases, std::io::stdin().lock(), std::io::stdout().lock());
    } else {
        measure(cases);
    }
}

/// Replaces [`main_on`] in a program that cannot start: reports the problem to the peer or the user.
///
/// # Panics
/// If the output is closed.
pub fn refuse(problem: &str) -> ExitCode {
    if serves() {
        say(&mut std::io::stdout().lock(), &json!({"error": problem}));
    } else {
        eprintln!("{problem}");
    }
    ExitCode::FAILURE
}

fn serves() -> bool {
    std::env::args().any(|argument| argument == "--serve")
}

/// Measures with criterion: each case as a whole, and its phases separately if possible.
/// Benchmarks are named `case/phase` and `case/together`.
fn measure(cases: &[Case]) {
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_millis(500))
        .measurement_time(Duration::from_secs(2))
        .configure_from_args();
    for case in cases {
        let mut group = criterion.benchmark_group(&case.name);
        group.sampling_mode(SamplingMode::Flat);
        if case.apart && case.phases.len() > 1 {
            for (index, phase) in case.phases.iter().enumerate() {
                group.throughput(Throughput::Elements(phase.work));
                group.bench_function(phase.name, |bencher| {
                    let mut work = (case.start)();
                    // A later phase needs the results of the earlier ones.
                    (0..index).for_each(|earlier| work.run(earlier));
                    bencher.iter(|| work.run(index));
                });
            }
        }
        group.throughput(Throughput::Elements(case.work));
        group.bench_function("together", |bencher| {
            let mut work = (case.start)();
            let last = case.phases.len();
            let phases = if case.whole { last - 1..last } else { 0..last };
            bencher.iter(|| phases.clone().for_each(|phase| work.run(phase)));
        });
        group.finish();
    }
    criterion.final_summary();
}

#[derive(Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
enum Request {
    List,
    Prepare { case: Named },
    Run { times: u32 },
    Memory,
}

/// A case in a request; its other fields are for peers.
#[derive(Deserialize)]
struct Named {
    name: String,
}

fn serve(host: &Host<'_>, cases: &[Case], requests: impl BufRead, mut answers: impl Write) {
    let mut say = |answer: &Value| say(&mut answers, answer);
    let versions: Value = host.versions.iter().map(|(what, version)| (*what, version.as_str())).collect();
    say(&json!({"versions": versions, "threads": host.threads, "gpu": host.gpu}));
    let mut prepared = None;
    for line in requests.lines() {
        let line = line.expect("a line of text");
        say(&match serde_json::from_str(&line) {
            Ok(request) => answer(request, host, cases, &mut prepared),
            Err(problem) => json!({"error": format!("`{line}` is not a request: {problem}")}),
        });
    }
}

fn say(answers: &mut impl Write, answer: &Value) {
    writeln!(answers, "{answer}").expect("somebody listens");
    answers.flush().expect("somebody listens");
}

type Prepared<'a> = Option<(&'a Case, Box<dyn Work>)>;

fn answer<'a>(request: Request, host: &Host<'_>, cases: &'a [Case], prepared: &mut Prepared<'a>) -> Value {
    match request {
        Request::List => json!({"cases": cases}),
        Request::Prepare { case: Named { name } } => {
            let Some(case) = cases.iter().find(|case| case.name == name) else {
                return json!({"error": format!("unknown case `{name}`")});
            };
            // The previous case is dropped first, so that two cases never share the memory.
            *prepared = None;
            let mut work = (case.start)();
            let sizes = work.sizes();
            *prepared = Some((case, work));
            json!({"sizes": sizes})
        }
        Request::Run { times } => match prepared {
            Some((case, work)) => json!({"seconds": time(case, work.as_mut(), times)}),
            None => json!({"error": "no case is prepared"}),
        },
        Request::Memory => json!({"peak_kib": (host.peak_kib)()}),
    }
}

/// Measures the mean seconds of each phase. Several runs follow one that is not counted, since
/// the peer has used the caches and the processor in between.
fn time(case: &Case, work: &mut dyn Work, times: u32) -> Vec<f64> {
    let mut seconds = vec![0.0; case.phases.len()];
    let idle = u32::from(times > 1);
    for run in 0..times + idle {
        for (phase, seconds) in seconds.iter_mut().enumerate() {
            let begun = Instant::now();
            work.run(phase);
            if run >= idle {
                *seconds += begun.elapsed().as_secs_f64() / f64::from(times);
            }
        }
    }
    seconds
}

/// Returns the peak resident memory of this process in KiB, if the system reports it.
pub fn resident_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Counted(u64);

    impl Work for Counted {
        fn sizes(&mut self) -> Vec<u64> {
            vec![self.0]
        }

        fn run(&mut self, phase: usize) {
            self.0 += phase as u64;
        }
    }

    fn talk(requests: &str) -> Vec<Value> {
        let phases = vec![Phase { name: "forward", work: 1 }, Phase { name: "backward", work: 2 }];
        let case = Case {
            name: "one".into(),
            group: "all",
            size: "1".into(),
            unit: Unit::Flop,
            work: 3,
            phases,
            apart: true,
            whole: false,
            facts: json!({"op": "none"}),
            start: Box::new(|| Box::new(Counted(7))),
        };
        let mut answers = Vec::new();
        let versions = [("SIMD", "none".to_owned())];
        let host = Host { versions: &versions, threads: 1, gpu: None, peak_kib: &|| Some(12) };
        serve(&host, &[case], requests.as_bytes(), &mut answers);
        let text = String::from_utf8(answers).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn every_request_gets_one_line() {
        let requests = r#"{"do": "list"}
            {"do": "run", "times": 1}
            {"do": "prepare", "case": {"name": "two"}}
            {"do": "prepare", "case": {"name": "one", "facts": 1}}
            {"do": "run", "times": 3}
            {"do": "memory"}
            go"#;
        let answers = talk(requests);
        assert_eq!(answers.len(), 8);
        assert_eq!(answers[0], json!({"versions": {"SIMD": "none"}, "threads": 1, "gpu": null}));
        assert_eq!(answers[1]["cases"][0]["phases"][1], json!({"name": "backward", "work": 2}));
        assert_eq!(answers[2]["error"], "no case is prepared");
        assert_eq!(answers[3]["error"], "unknown case `two`");
        assert_eq!(answers[4]["sizes"], json!([7]));
        assert_eq!(answers[5]["seconds"].as_array().unwrap().len(), 2);
        assert_eq!(answers[6]["peak_kib"], 12);
        assert!(answers[7]["error"].as_str().unwrap().contains("`            go` is not a request"));
    }
}
