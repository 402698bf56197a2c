//! The Python side, controlled by lines of JSON.

use std::error::Error;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};

use super::clips::{BOUND, Clip};
use crate::{CROP, LENGTH, Options};

/// A running `loader_peer.py`; it ends when this is dropped.
pub(crate) struct Peer {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
    /// Versions of Python and its libraries.
    pub(crate) versions: String,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

impl Peer {
    pub(crate) fn start(python: &Path, clips: &[Clip], options: &Options) -> Result<Self> {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("benches/loader_peer.py");
        let mut child = Command::new(python)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|e| format!("{} did not start: {e}", python.display()))?;
        let output = BufReader::new(child.stdout.take().ok_or("no standard output")?);
        let input = child.stdin.take();
        let mut peer = Self { child, input, output, versions: String::new() };
        let answer = peer.ask(&json!({
            "clips": clips.iter().map(|c| json!({"folder": c.tsn, "pairs": c.pairs})).collect::<Vec<_>>(),
            "bound": BOUND,
            "length": LENGTH,
            "crop": CROP,
            "batch": options.batch,
            "workers": options.workers,
        }))?;
        let versions = answer["versions"].as_str().ok_or("the peer does not report its versions")?;
        versions.clone_into(&mut peer.versions);
        Ok(peer)
    }

    /// Makes batches for at least the given seconds and returns the samples per second.
    pub(crate) fn run(&mut self, least: f64) -> Result<f64> {
        let answer = self.ask(&json!({"seconds": least}))?;
        answer["rate"].as_f64().ok_or_else(|| format!("unexpected answer of the peer: {answer}").into())
    }

    fn ask(&mut self, request: &Value) -> Result<Value> {
        let input = self.input.as_mut().ok_or("the peer is gone")?;
        writeln!(input, "{request}")?;
        input.flush()?;
        let mut line = String::new();
        if self.output.read_line(&mut line)? == 0 {
            return Err("the peer ended; its message is above".into());
        }
        Ok(serde_json::from_str(&line)?)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // It ends when its input does.
        self.input = None;
        let _ = self.child.wait();
    }
}
