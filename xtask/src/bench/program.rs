//! The benchmark programs of the workspace, and how to build them with cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Deserialize;

use super::error::{Error, Result};
use super::place::Place;
use super::request::Suite;

impl Suite {
    /// Builds the program for a place; cargo's progress goes to standard error.
    ///
    /// # Errors
    /// If cargo cannot be started or fails to build it.
    pub(crate) fn build(self, place: Place) -> Result<Program> {
        let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let start = |source| Error::Start { program: cargo.to_string_lossy().into_owned(), source };
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../Cargo.toml");
        let output = Command::new(&cargo)
            .args(["bench", "--no-run", "--message-format", "json-render-diagnostics", "--manifest-path"])
            .arg(manifest)
            // The whole workspace: for one package alone, dependencies would get other features and be built again.
            .args(["--workspace", "--bench", self.name()])
            .args(features(place))
            .stderr(Stdio::inherit())
            .output()
            .map_err(start)?;
        if !output.status.success() {
            return Err(Error::Build { name: self.name(), status: output.status });
        }
        let messages = String::from_utf8_lossy(&output.stdout);
        let file = executable(&messages, self.name()).ok_or(Error::NoProgram(self.name()))?;
        Ok(Program { file, place })
    }
}

/// Returns cargo's feature flags for a place.
fn features(place: Place) -> &'static [&'static str] {
    if place.is_gpu() { &["--features", "cudnn"] } else { &[] }
}

/// A built benchmark program.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    file: PathBuf,
    place: Place,
}

impl Program {
    /// Returns a command that runs the program in its place on `threads` threads. Candle's own threads wait by
    /// spinning and are limited to one, as `.cargo/config.toml` does for programs that cargo starts.
    pub(crate) fn command(&self, threads: usize) -> Command {
        let mut command = Command::new(&self.file);
        command.env("RAYON_NUM_THREADS", threads.to_string()).env("CANDLE_NUM_THREADS", "1");
        command.env("BENCH_DEVICE", self.place.device.to_string());
        command.env("BENCH_PRECISION", self.place.precision());
        command
    }

    /// Creates a program without a file, for tests.
    #[cfg(test)]
    pub(crate) fn at(place: Place) -> Self {
        Self { file: PathBuf::new(), place }
    }

    /// Returns the place where it computes.
    pub(crate) fn place(&self) -> Place {
        self.place
    }

    /// Returns the folder of criterion's estimates, beside the build.
    pub(crate) fn criterion_home(&self) -> PathBuf {
        let target = self.file.ancestors().nth(3).unwrap_or(Path::new("target"));
        target.join("criterion")
    }
}

/// A line of cargo's build messages that names an artifact.
#[derive(Deserialize)]
struct Artifact {
    target: Target,
    executable: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

/// Finds the executable of a benchmark in cargo's messages.
fn executable(messages: &str, name: &str) -> Option<PathBuf> {
    let artifacts = messages.lines().filter_map(|line| serde_json::from_str::<Artifact>(line).ok());
    let mut ours = artifacts.filter(|a| a.target.name == name && a.target.kind.iter().any(|k| k == "bench"));
    ours.find_map(|artifact| artifact.executable)
}

#[cfg(test)]
mod tests {
    use experiment::{DeviceChoice, Precision};

    use super::*;

    const CPU: Place = Place { device: DeviceChoice::Cpu, precision: Precision::Fp32 };
    const GPU: Place = Place { device: DeviceChoice::Cuda(1), precision: Precision::Tf32 };

    #[test]
    fn the_program_is_built_for_its_place_and_told_of_it() {
        assert_eq!(features(CPU), [""; 0]);
        assert_eq!(features(GPU), ["--features", "cudnn"]);
        let told = |place, name: &str| {
            let command = Program::at(place).command(3);
            let value = command.get_envs().find(|(key, _)| *key == name).and_then(|(_, value)| value);
            value.unwrap().to_str().unwrap().to_owned()
        };
        assert_eq!(
            (told(CPU, "BENCH_DEVICE").as_str(), told(CPU, "BENCH_PRECISION").as_str()),
            ("cpu", "fp32")
        );
        assert_eq!(
            (told(GPU, "BENCH_DEVICE").as_str(), told(GPU, "BENCH_PRECISION").as_str()),
            ("cuda:1", "tf32")
        );
        assert_eq!(told(GPU, "RAYON_NUM_THREADS"), "3");
    }

    #[test]
    fn the_executable_is_found_among_cargos_messages() {
        let messages = r#"{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"kernels"},"executable":null}
{"reason":"compiler-message","message":{}}
{"reason":"compiler-artifact","target":{"kind":["bench"],"name":"kernels"},"executable":"/t/release/deps/kernels-1"}
{"reason":"build-finished","success":true}"#;
        let file = executable(messages, "kernels").unwrap();
        assert_eq!(file, Path::new("/t/release/deps/kernels-1"));
        assert_eq!(Program { file, place: CPU }.criterion_home(), Path::new("/t/criterion"));
        assert_eq!(executable(messages, "steps"), None);
    }
}
