//! A process that runs cases on request: our benchmark program, or the other side.
//!
//! The protocol has one JSON object per line and is described in `crates/testkit/src/bench.rs`.
//! A process works only between a request and its answer.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::case::Case;
use super::error::{Error, Result};
use super::place::Place;
use super::program::Program;
use super::request::Torch;

/// The first answer of a process: its versions, threads and GPU.
#[derive(Debug, Clone, Deserialize)]
pub(crate) struct Greeting {
    pub(crate) versions: BTreeMap<String, String>,
    pub(crate) threads: usize,
    /// Name of the GPU that it computes on.
    #[serde(default)]
    pub(crate) gpu: Option<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Answer<T> {
    Problem { error: String },
    Fine(T),
}

#[derive(Deserialize)]
struct Cases {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Sizes {
    sizes: Vec<u64>,
}

#[derive(Deserialize)]
struct Seconds {
    seconds: Vec<f64>,
}

#[derive(Deserialize)]
struct Memory {
    peak_kib: Option<u64>,
}

/// A running process.
#[derive(Debug)]
pub(crate) struct Peer {
    child: Child,
    talk: Talk<BufReader<ChildStdout>, ChildStdin>,
    pub(crate) greeting: Greeting,
}

const TORCH_PEER: &str = include_str!("torch_peer.py");

impl Peer {
    /// Starts our side.
    ///
    /// # Errors
    /// If it does not start, or does not use the given number of threads.
    pub(crate) fn ours(program: &Program, threads: usize) -> Result<Self> {
        let mut command = program.command(threads);
        command.arg("--serve");
        let start = |source| Error::Start { program: "the benchmark program".into(), source };
        Self::start("the benchmark program", command, threads, start)
    }

    /// Starts the side of `candle_nn`, which our own program runs. Candle has all its threads there.
    ///
    /// # Errors
    /// If it does not start, or does not use the given number of threads.
    pub(crate) fn candle(program: &Program, threads: usize) -> Result<Self> {
        let mut command = program.command(threads);
        command.args(["--serve", "--candle"]).env("CANDLE_NUM_THREADS", threads.to_string());
        let start = |source| Error::Start { program: "the benchmark program".into(), source };
        Self::start("the candle-nn side", command, threads, start)
    }

    /// Starts the side of PyTorch.
    ///
    /// # Errors
    /// If the interpreter does not exist, or its torch is missing or cannot compute on the device.
    pub(crate) fn torch(torch: &Torch, threads: usize, place: Place) -> Result<Self> {
        let python = torch.python.as_path();
        let mut command = Command::new(python);
        command.args(["-u", "-c", TORCH_PEER]).arg(settings(torch, threads, place).to_string());
        let start = |source| Error::NoPython { python: python.to_owned(), source };
        Self::start("PyTorch", command, threads, start).map_err(|error| no_torch(python, error))
    }

    fn start(
        who: &str,
        mut command: Command,
        threads: usize,
        refused: impl FnOnce(std::io::Error) -> Error,
    ) -> Result<Self> {
        let child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.map_err(refused)?;
        let (requests, answers) = (child.stdin.take(), child.stdout.take());
        let (Some(requests), Some(answers)) = (requests, answers) else {
            unreachable!("both pipes were requested");
        };
        let mut talk = Talk { who: who.to_owned(), answers: BufReader::new(answers), requests };
        let greeting: Greeting = talk.answer("start").map_err(|error| ended(error, &mut child))?;
        if greeting.threads != threads {
            return Err(Error::Threads { who: talk.who, found: greeting.threads, wanted: threads });
        }
        Ok(Self { child, talk, greeting })
    }

    /// Returns all cases. Only our side can list them.
    pub(crate) fn cases(&mut self) -> Result<Vec<Case>> {
        self.ask("list its cases", &json!({"do": "list"})).map(|Cases { cases }| cases)
    }

    fn ask<T: DeserializeOwned>(&mut self, doing: &str, request: &Value) -> Result<T> {
        self.talk.ask(doing, request).map_err(|error| ended(error, &mut self.child))
    }
}

/// One of the sides that take turns: a [`Peer`], or a stand-in in tests.
pub(crate) trait Side {
    /// Creates the inputs of a case and returns its sizes, which are the same on both sides if the work is.
    fn prepare(&mut self, case: &Case) -> Result<Vec<u64>>;

    /// Runs the prepared case `times` times and returns the mean seconds of each phase.
    fn run(&mut self, case: &Case, times: u32) -> Result<Vec<f64>>;

    /// Returns the peak memory so far in KiB (resident, or on the GPU), or `None` if it is unknown.
    fn peak_kib(&mut self) -> Result<Option<u64>>;
}

impl Side for Peer {
    fn prepare(&mut self, case: &Case) -> Result<Vec<u64>> {
        let request = json!({"do": "prepare", "case": case});
        self.ask(&format!("prepare {}", case.name), &request).map(|Sizes { sizes }| sizes)
    }

    fn run(&mut self, case: &Case, times: u32) -> Result<Vec<f64>> {
        let doing = format!("run {}", case.name);
        let Seconds { seconds } = self.ask(&doing, &json!({"do": "run", "times": times}))?;
        if seconds.len() == case.phases.len() && seconds.iter().all(|s| s.is_finite() && *s > 0.0) {
            return Ok(seconds);
        }
        let problem = format!("expected a positive time for each of {} phases", case.phases.len());
        Err(Error::Talk { who: self.talk.who.clone(), doing, line: format!("{seconds:?}"), problem })
    }

    fn peak_kib(&mut self) -> Result<Option<u64>> {
        self.ask("report its memory", &json!({"do": "memory"})).map(|Memory { peak_kib }| peak_kib)
    }
}

/// Returns the settings that PyTorch's side gets when it starts.
fn settings(torch: &Torch, threads: usize, place: Place) -> Value {
    json!({
        "threads": threads,
        "layout": torch.layout.name(),
        "compile": torch.compile,
        "device": place.device.to_string(),
        "precision": place.precision(),
    })
}

/// Converts the error of a refused start. PyTorch's side refuses only if torch is missing or cannot
/// compute on the device.
fn no_torch(python: &Path, error: Error) -> Error {
    match error {
        Error::Refused { message, .. } => Error::NoTorch { python: python.to_owned(), message },
        other => other,
    }
}

/// Adds the exit status of the process to an error.
fn ended(error: Error, child: &mut Child) -> Error {
    match error {
        Error::Ended { who, doing, .. } => {
            let status = child.wait().map_or_else(|e| e.to_string(), |status| status.to_string());
            Error::Ended { who, doing, status }
        }
        other => other,
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The process may have exited by itself; a failure needs no handling either way.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// The pipes to and from a process.
#[derive(Debug)]
struct Talk<R, W> {
    who: String,
    answers: R,
    requests: W,
}

impl<R: BufRead, W: Write> Talk<R, W> {
    fn ask<T: DeserializeOwned>(&mut self, doing: &str, request: &Value) -> Result<T> {
        // A broken pipe means that the process has exited; its last answer may still be readable.
        writeln!(self.requests, "{request}").and_then(|()| self.requests.flush()).ok();
        self.answer(doing)
    }

    fn answer<T: DeserializeOwned>(&mut self, doing: &str) -> Result<T> {
        let (who, doing) = (self.who.clone(), doing.to_owned());
        let mut line = String::new();
        match self.answers.read_line(&mut line) {
            Ok(0) | Err(_) => return Err(Error::Ended { who, doing, status: "no status".into() }),
            Ok(_) => {}
        }
        match serde_json::from_str(&line) {
            Ok(Answer::Fine(answer)) => Ok(answer),
            Ok(Answer::Problem { error }) => Err(Error::Refused { who, doing, message: error }),
            Err(problem) => {
                let line = line.trim_end().to_owned();
                Err(Error::Talk { who, doing, line, problem: problem.to_string() })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use experiment::{DeviceChoice, Precision};

    use super::super::request::Layout;
    use super::*;

    const CPU: Place = Place { device: DeviceChoice::Cpu, precision: Precision::Fp32 };

    fn torch(python: &str) -> Torch {
        Torch { python: python.into(), layout: Layout::Nchw, compile: false }
    }

    #[test]
    fn pytorch_is_told_where_and_how_it_computes() {
        let told = settings(&torch("python"), 2, CPU);
        let expected =
            json!({"threads": 2, "layout": "nchw", "compile": false, "device": "cpu", "precision": "fp32"});
        assert_eq!(told, expected);
        let gpu = Place { device: DeviceChoice::Cuda(1), precision: Precision::Tf32 };
        let variant = Torch { layout: Layout::ChannelsLast, compile: true, ..torch("python") };
        let expected = json!({
            "threads": 4, "layout": "channels-last", "compile": true, "device": "cuda:1", "precision": "tf32"
        });
        assert_eq!(settings(&variant, 4, gpu), expected);
    }

    fn answer<T: DeserializeOwned>(line: &str) -> Result<T> {
        let mut requests = Vec::new();
        let mut talk = Talk { who: "PyTorch".into(), answers: line.as_bytes(), requests: &mut requests };
        let answer = talk.ask("run lrn", &json!({"do": "run", "times": 1}));
        assert_eq!(requests, b"{\"do\":\"run\",\"times\":1}\n");
        answer
    }

    fn refusal(line: &str) -> String {
        match answer::<Seconds>(line) {
            Ok(_) => panic!("`{line}` was accepted"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn answers_are_read() {
        assert_eq!(answer::<Seconds>("{\"seconds\": [0.5, 1e-3]}\n").unwrap().seconds, [0.5, 1e-3]);
        assert_eq!(answer::<Memory>("{\"peak_kib\": 12}\n").unwrap().peak_kib, Some(12));
        assert_eq!(answer::<Memory>("{\"peak_kib\": null}\n").unwrap().peak_kib, None);
        let greeting: Greeting = answer("{\"versions\": {\"PyTorch\": \"2.9\"}, \"threads\": 2}\n").unwrap();
        assert_eq!((greeting.versions["PyTorch"].as_str(), greeting.threads), ("2.9", 2));
        assert_eq!(greeting.gpu, None);
        let greeting: Greeting = answer("{\"versions\": {}, \"threads\": 2, \"gpu\": \"H200\"}\n").unwrap();
        assert_eq!(greeting.gpu.as_deref(), Some("H200"));
    }

    #[test]
    fn what_a_process_cannot_do_is_an_error_with_its_own_words() {
        let message = refusal("{\"error\": \"MemoryError: 3 GiB\"}\n");
        assert_eq!(message, "PyTorch could not run lrn: MemoryError: 3 GiB");
    }

    #[test]
    fn a_line_that_is_no_answer_is_shown() {
        let message = refusal("Segmentation fault\n");
        assert!(
            message.contains("was asked to run lrn and gave the invalid answer `Segmentation fault`"),
            "{message}"
        );
    }

    #[test]
    fn a_process_that_ended_is_an_error() {
        assert!(refusal("").contains("PyTorch exited unexpectedly"), "{}", refusal(""));
    }

    #[test]
    fn an_interpreter_without_torch_or_whose_torch_has_no_gpu_is_refused_in_its_own_words() {
        let line = "{\"error\": \"cannot import torch: No module named 'torch'; install it\"}\n";
        let error = answer::<Greeting>(line).map_err(|error| no_torch(Path::new("python3"), error));
        let error = error.unwrap_err();
        assert_eq!(error.to_string(), "python3: cannot import torch: No module named 'torch'; install it");
        assert_eq!(error.exit_code(), 2);
    }

    #[cfg(unix)]
    #[test]
    fn a_process_that_dies_is_reported_with_its_status() {
        let message = Peer::torch(&torch("false"), 1, CPU).unwrap_err().to_string();
        let expected = "PyTorch exited unexpectedly (exit status: 1) when asked to start";
        assert!(message.starts_with(expected), "{message}");
    }

    #[test]
    fn an_interpreter_that_is_not_there_is_refused_with_what_to_give() {
        let error = Peer::torch(&torch("/nowhere/python"), 1, CPU).unwrap_err();
        let message = error.to_string();
        assert!(message.starts_with("cannot start /nowhere/python: "), "{message}");
        assert!(message.contains("--against-torch takes the path of a Python interpreter"), "{message}");
        assert_eq!(error.exit_code(), 2);
    }
}
