//! `doctor`: checks what this machine can do, and advises on what it cannot.

use std::path::{Path, PathBuf};

use base::text::gibibytes;
use candle_core::Device;
use data::dataset::Dataset;
use data::decode::Decoder;
use serde::Serialize;

use experiment::grid::{Grid, Screen};
use experiment::memory;
use experiment::record::Environment;
use experiment::store::write_atomic;
use experiment::{DeviceChoice, Error, Result, weights};
use plan::Workspace;
use plan::spec::Player;

/// The result of a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Standing {
    /// Nothing to do.
    Good,
    /// Something is slower or unavailable; the default commands will run.
    Limited,
    /// The default commands will not run.
    Bad,
}

/// A check of one part of the machine, the folders or the data sets.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Check {
    /// The part that was checked.
    pub what: String,
    /// The result.
    pub standing: Standing,
    /// The value or problem found.
    pub found: String,
    /// The advice; `None` if there is nothing to do.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub advice: Option<String>,
}

/// The report of all checks.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Report {
    /// The checks in printing order.
    pub checks: Vec<Check>,
}

/// Disk space in bytes for the videos and units of all tables at profile `mini`.
const ROOM: u64 = 16 << 30;

/// Memory in bytes for the largest table at profile `mini`, with a margin.
const MEMORY: u64 = 3 << 30;

/// Checks the machine, the folders and the data sets. Writes only a probe to the folders, which is deleted, and fetches
/// nothing.
///
/// # Errors
/// If a spec or a data-set file cannot be read.
pub(crate) fn doctor(workspace: &Workspace) -> Result<Report> {
    let mut checks = machine();
    checks.push(ffmpeg());
    checks.push(cluster());
    checks.push(disk(&workspace.cache));
    for (what, folder) in [("results folder", &workspace.results), ("cache folder", &workspace.cache)] {
        checks.push(writable(what, folder));
    }
    checks.extend(data_sets(workspace)?);
    checks.extend(published(workspace)?);
    Ok(Report { checks })
}

fn good(what: &str, found: impl Into<String>) -> Check {
    Check { what: what.into(), standing: Standing::Good, found: found.into(), advice: None }
}

fn limited(what: &str, found: impl Into<String>, advice: impl Into<String>) -> Check {
    Check { what: what.into(), standing: Standing::Limited, found: found.into(), advice: Some(advice.into()) }
}

fn bad(what: &str, found: impl Into<String>, advice: &str) -> Check {
    Check { standing: Standing::Bad, ..limited(what, found, advice) }
}

fn machine() -> Vec<Check> {
    let here = Environment::here(Path::new("."), &Device::Cpu);
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
    let processor = here.processor.unwrap_or_else(|| here.system.clone());
    let threads = match here.threads {
        threads if threads < cores => limited(
            "threads",
            format!("{threads} of {cores} cores"),
            "RAYON_NUM_THREADS limits them; unset it to use all cores",
        ),
        threads => good("threads", format!("{threads} on {cores} cores")),
    };
    let mut checks = vec![good("processor", processor), threads, vectors()];
    checks.push(gpu());
    checks.push(memory());
    checks
}

fn gpu() -> Check {
    let facts = DeviceChoice::Cuda(0).open().and_then(|device| {
        nn::device::gpu_facts(&device).map_err(Error::network("reading the properties of the GPU"))
    });
    match facts {
        Ok(Some(facts)) => good(
            "GPU",
            format!(
                "{}, compute capability {}.{}, {} of {} GiB free; use it with --device cuda",
                facts.name,
                facts.capability.0,
                facts.capability.1,
                facts.free >> 30,
                facts.memory >> 30
            ),
        ),
        _ if !cfg!(feature = "cuda") => limited(
            "GPU",
            "not used: this build computes on the CPU",
            "`mini` and `smoke` do not need one; for the papers' scale build with CUDA (docs/cuda.md)",
        ),
        Ok(None) => limited("GPU", "none", "see docs/cuda.md for the requirements"),
        Err(error) => limited("GPU", error.to_string(), "see docs/cuda.md for the requirements"),
    }
}

fn vectors() -> Check {
    let what = "vector instructions";
    match nn::simd::Level::current() {
        Ok(nn::simd::Level::Portable) => limited(
            what,
            "none that the kernels support",
            "training takes several times as long; use a processor with AVX2 or NEON",
        ),
        Ok(level) => good(what, level.name()),
        Err(error) => bad(what, error.to_string(), "correct or unset this variable"),
    }
}

fn memory() -> Check {
    let what = "memory";
    match (memory::available(), memory::there_is()) {
        (Some(available), Some(all)) => {
            let found = format!("{} of {} available", gibibytes(available as f64), gibibytes(all as f64));
            if available < MEMORY {
                limited(
                    what,
                    found,
                    format!("close other programs: `mini` takes up to {}", gibibytes(MEMORY as f64)),
                )
            } else {
                good(what, found)
            }
        }
        _ => limited(what, "not reported by this system", "`mini` takes up to 3 GiB"),
    }
}

fn ffmpeg() -> Check {
    match Decoder::find() {
        Ok(decoder) => good("ffmpeg", decoder.version()),
        Err(error) => limited("ffmpeg", error.to_string(), "only real videos need it; generated ones do not"),
    }
}

fn cluster() -> Check {
    let what = "cluster";
    let settings = slurm::config::Config::load(None);
    match (slurm::jobs(), settings) {
        (_, Err(error)) => limited(what, error.to_string(), "correct the file; --engine slurm reads it"),
        (Ok(jobs), Ok(_)) => {
            good(what, format!("Slurm responds, {jobs} of your jobs are queued; use it with --engine slurm"))
        }
        (Err(error), Ok(_)) => {
            limited(what, error.to_string(), "only --engine slurm needs a cluster (docs/cluster.md)")
        }
    }
}

fn disk(cache: &Path) -> Check {
    let what = "free disk";
    // The folder itself may not exist yet.
    let there = cache.ancestors().find(|folder| folder.exists()).unwrap_or(cache);
    match fs4::available_space(there) {
        Ok(free) if free < ROOM => limited(
            what,
            format!("{} at {}", gibibytes(free as f64), cache.display()),
            format!(
                "all tables in `mini` take {}; move the cache with --cache, or delete the units of older versions in {}",
                gibibytes(ROOM as f64),
                cache.join("units").display()
            ),
        ),
        Ok(free) => good(what, format!("{} at {}", gibibytes(free as f64), cache.display())),
        Err(error) => limited(
            what,
            error.to_string(),
            format!("all tables in `mini` take up to {}", gibibytes(ROOM as f64)),
        ),
    }
}

fn writable(what: &str, folder: &Path) -> Check {
    let probe: PathBuf = folder.join(".writable");
    match write_atomic(&probe, b"")
        .and_then(|()| std::fs::remove_file(&probe).map_err(Error::io("delete", &probe)))
    {
        Ok(()) => good(what, folder.display().to_string()),
        Err(error) => bad(what, error.to_string(), "choose another with --results or --cache"),
    }
}

fn data_sets(workspace: &Workspace) -> Result<Vec<Check>> {
    let mut checks = Vec::new();
    for name in workspace.datasets()? {
        let spec = workspace.dataset_spec(&name)?;
        let about = Dataset::describe(&spec)?;
        let what = format!("data set {name}");
        let sizes = format!("{} videos of {} classes", about.videos, about.classes.len());
        checks.push(if spec.needs_root() {
            limited(
                &what,
                format!("{sizes}, needs your own copy: {}", about.title),
                format!("`cargo xtask prepare {name} --data-root DIR` checks the folder and prepares it; docs/data.md has the layout"),
            )
        } else {
            good(&what, format!("{sizes}, rendered when needed: {}", about.title))
        });
    }
    Ok(checks)
}

/// Checks the published weights that specs name.
fn published(workspace: &Workspace) -> Result<Vec<Check>> {
    let mut checks: Vec<Check> = Vec::new();
    for table in workspace.tables()? {
        let (spec, _) = workspace.spec(&table)?;
        for player in spec.data.values().flat_map(|cast| cast.values()) {
            let Player::Weights(source) = player else { continue };
            let what = format!("weights {}", source.repository);
            if checks.iter().any(|check| check.what == what) {
                continue;
            }
            checks.push(match weights::cached(source, &workspace.cache) {
                Some(path) => good(&what, path.display().to_string()),
                None => limited(
                    &what,
                    format!("not in the cache; {} needs it", spec.name()),
                    "the first run that needs the file fetches it from the hub; docs/weights.md explains how to add it by hand",
                ),
            });
        }
    }
    Ok(checks)
}

impl Report {
    /// Formats the report for a terminal.
    pub(crate) fn terminal(&self, screen: Screen) -> String {
        let mut lines = vec![["", "check", "found", "what to do"].map(str::to_owned).to_vec()];
        for Check { what, standing, found, advice } in &self.checks {
            let mark = match standing {
                Standing::Good => "ok",
                Standing::Limited => "note",
                Standing::Bad => "BAD",
            };
            lines.push(vec![mark.into(), what.clone(), found.clone(), advice.clone().unwrap_or_default()]);
        }
        let bad = self.checks.iter().filter(|check| check.standing == Standing::Bad).count();
        let verdict = match bad {
            0 => "`cargo xtask run table1b` will run here.".to_owned(),
            bad => format!("{bad} of these must be fixed before `cargo xtask run table1b` runs here."),
        };
        format!("{}\n{verdict}", Grid::new(lines, 9).terminal(screen))
    }

    /// Returns `true` if the default commands will run.
    pub(crate) fn is_well(&self) -> bool {
        self.checks.iter().all(|check| check.standing != Standing::Bad)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_fits_the_screen() {
        let report = Report {
            checks: vec![
                good("processor", "a processor with a name"),
                limited(
                    "GPU",
                    "not used: this build computes on the processor",
                    "build with CUDA (docs/cuda.md)",
                ),
                bad("ffmpeg", "not found", "install it, for example with `apt-get install ffmpeg`"),
            ],
        };
        for width in [80, 120, 200] {
            let text = report.terminal(Screen { width: Some(width), colours: false });
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            insta::assert_snapshot!(format!("doctor-at-{width}"), text);
        }
    }
}
