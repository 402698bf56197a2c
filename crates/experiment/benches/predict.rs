//! Measures the frames per second of `predict`, including decoding and flow, in turns with OpenCV and PyTorch:
//! `cargo bench -p experiment --bench predict -- RUN PYTHON VIDEO...`.

#![expect(clippy::print_stdout, reason = "a benchmark is for people to read")]

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use experiment::predict::Predictor;
use experiment::trained::Trained;
use experiment::{Console, Interrupt, Workspace};
use serde_json::Value;

/// Number of measured rounds; one more warms up.
const ROUNDS: usize = 5;

/// OpenCV's flow methods: the same method, and its fastest.
const METHODS: [&str; 2] = ["dual-tv-l1", "dis-medium"];

struct Peer {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Peer {
    fn start(python: &str, folder: &Path, method: &str, threads: usize) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/predict_peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .arg(folder)
            .args([method, &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|e| {
                panic!("{python}: {e}; give a Python that has OpenCV, PyTorch and safetensors")
            });
        let requests = child.stdin.take().expect("it was piped");
        let answers = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut peer = Self { child, requests, answers };
        let versions = peer.listen();
        println!("{method}: {versions}");
        peer
    }

    fn listen(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the peer speaks text");
        serde_json::from_str(&line).expect("the peer speaks JSON")
    }

    /// Returns the number of frames, and the seconds of decoding with flow and of the networks.
    fn predict(&mut self, video: &str) -> Value {
        writeln!(self.requests, "{video}").expect("the peer listens");
        self.listen()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // The peer waits for a request; nothing is lost.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn median(times: &[f64]) -> f64 {
    let mut sorted = times.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted[sorted.len() / 2]
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let [run, python, videos @ ..] = &arguments[..] else {
        // When all benchmarks are run, there is no trained row that every machine has.
        println!("predict: give a RUN such as table3/average, a PYTHON with OpenCV and PyTorch, and videos");
        return;
    };
    let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let (console, interrupt) = (Console::silent(), Interrupt::never());
    let trained = Trained::find(&workspace, run, &interrupt).unwrap_or_else(|e| panic!("{e}"));
    let folder = workspace.cache.join("predict/exported");
    experiment::export::write(&trained, &folder, &interrupt).unwrap_or_else(|e| panic!("{e}"));
    let predictor = Predictor::new(&trained, &workspace, &candle_core::Device::Cpu, &console, &interrupt)
        .unwrap_or_else(|e| panic!("{e}"));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut peers = METHODS.map(|method| Peer::start(python, &folder, method, threads));

    println!(
        "{threads} threads; medians of {ROUNDS} rounds in turns; frames/s of all steps (s for decoding and flow, s for networks)"
    );
    for video in videos {
        // Times of each side: total, preparing, networks.
        let mut times: [Vec<[f64; 3]>; 3] = Default::default();
        let mut frames = 0;
        for round in 0..=ROUNDS {
            let ours = predictor.predict(Path::new(video)).unwrap_or_else(|e| panic!("{e}"));
            frames = ours.frames;
            let mut sides = vec![[ours.seconds.preparing, ours.seconds.networks]];
            for peer in &mut peers {
                let theirs = peer.predict(video);
                sides.push(["preparing", "networks"].map(|part| theirs[part].as_f64().expect("a time")));
                let spatial =
                    (&theirs["scores"]["spatial"], ours.streams.iter().find(|s| s.name == "spatial"));
                if let (Some(theirs), Some(ours)) = (spatial.0.as_array(), spatial.1) {
                    let far = theirs
                        .iter()
                        .zip(&ours.scores)
                        .map(|(a, b)| (a.as_f64().unwrap_or(1.0) - f64::from(*b)).abs());
                    // Only the programs that decode and scale frames may differ.
                    assert!(far.fold(0.0, f64::max) < 0.1, "the spatial nets see other things");
                }
            }
            for (times, [preparing, networks]) in times.iter_mut().zip(sides).filter(|_| round > 0) {
                times.push([preparing + networks, preparing, networks]);
            }
        }
        println!("{video}, {frames} frames");
        let of = |side: usize, part: usize| median(&times[side].iter().map(|t| t[part]).collect::<Vec<_>>());
        for (side, name) in
            ["ours", "OpenCV dual-tv-l1 + PyTorch", "OpenCV dis-medium + PyTorch"].iter().enumerate()
        {
            println!(
                "  {name:28} {:8.1} frames/s ({:.3} s, {:.3} s), ratio {:.2}",
                frames as f64 / of(side, 0),
                of(side, 1),
                of(side, 2),
                of(side, 0) / of(0, 0)
            );
        }
    }
}
