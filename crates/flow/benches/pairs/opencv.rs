//! The peer: a Python process with OpenCV.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use flow::{FlowField, GrayImage, read_flo};
use serde_json::{Value, json};

/// OpenCV's methods, by the names of `opencv_peer.py`.
pub(crate) const METHODS: [&str; 6] =
    ["dis-ultrafast", "dis-fast", "dis-medium", "farneback", "deepflow", "dual-tv-l1"];

/// A running `opencv_peer.py`.
pub(crate) struct OpenCv {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
    /// OpenCV's version.
    pub(crate) version: String,
}

impl OpenCv {
    pub(crate) fn start(python: &str, threads: usize) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/benches/opencv_peer.py");
        let mut child = Command::new(python)
            .args([script, &threads.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{python}: {error}; name a Python that has OpenCV"));
        let requests = child.stdin.take().expect("it was piped");
        let answers = BufReader::new(child.stdout.take().expect("it was piped"));
        let mut peer = Self { child, requests, answers, version: String::new() };
        let greeting = peer.listen();
        peer.version = greeting["versions"]["OpenCV"].as_str().unwrap_or("unknown").to_owned();
        peer
    }

    fn listen(&mut self) -> Value {
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the peer speaks text");
        let answer: Value = serde_json::from_str(&line).expect("the peer speaks JSON");
        assert!(answer["error"].is_null(), "the peer says: {}", answer["error"]);
        answer
    }

    fn ask(&mut self, request: &Value) -> Value {
        writeln!(self.requests, "{request}").expect("the peer listens");
        self.listen()
    }

    /// Loads the pair of two PGM files for a method.
    pub(crate) fn prepare(&mut self, method: &str, from: &Path, to: &Path) {
        let facts = json!({"method": method, "first": from, "second": to});
        self.ask(&json!({"do": "prepare", "case": {"name": method, "facts": facts}}));
    }

    /// Seconds of one run.
    pub(crate) fn run(&mut self, times: u32) -> f64 {
        self.ask(&json!({"do": "run", "times": times}))["seconds"][0].as_f64().expect("a time")
    }

    /// Returns the flow of the last run, through a file.
    pub(crate) fn field(&mut self, path: &Path) -> FlowField {
        self.ask(&json!({"do": "field", "path": path}));
        read_flo(path).expect("a good file")
    }
}

impl Drop for OpenCv {
    fn drop(&mut self) {
        // It only waits for a request, so killing it loses nothing.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Writes a picture of whole intensities as a PGM file.
pub(crate) fn write_pgm(path: &Path, picture: &GrayImage) {
    let mut bytes = format!("P5\n{} {}\n255\n", picture.width, picture.height).into_bytes();
    bytes.extend(picture.data.iter().map(|&value| value as u8));
    std::fs::write(path, bytes).expect("room for a picture");
}
