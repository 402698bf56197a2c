//! `doctor`: checks what this machine can do, and advises on what it cannot.

use std::path::{Path, PathBuf};

use base::text::{gibibytes, one_line};
use candle_core::Device;
use data::dataset::Dataset;
use data::decode::Decoder;
use serde::Serialize;

use base::memory;
use experiment::grid::{Grid, Screen};
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
    /// Something must be fixed: the default commands, or those on one table or data set, will not run.
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

/// Checks the machine, the folders, the data sets and the tables. Writes only a probe to the folders, which is deleted, and
/// fetches nothing. Whatever cannot be read is a line of the report, so that one bad file hides no other.
pub(crate) fn doctor(workspace: &Workspace) -> Report {
    let mut checks = machine();
    checks.push(ffmpeg());
    checks.push(cluster());
    checks.push(disk(&workspace.cache));
    for (what, folder) in [("results folder", &workspace.results), ("cache folder", &workspace.cache)] {
        checks.push(writable(what, folder));
    }
    checks.extend(data_sets(workspace));
    checks.extend(tables(workspace));
    Report { checks }
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

fn data_sets(workspace: &Workspace) -> Vec<Check> {
    let names = match workspace.datasets() {
        Ok(names) => names,
        Err(error) => return vec![bad("data sets", said(&error), "restore the folder datasets/")],
    };
    let check = |name: &String| {
        let what = format!("data set {name}");
        data_set(workspace, name, &what).unwrap_or_else(|error| {
            bad(&what, said(&error), "correct the file; no command on this data set runs until then")
        })
    };
    names.iter().map(check).collect()
}

fn data_set(workspace: &Workspace, name: &str, what: &str) -> Result<Check> {
    let spec = workspace.dataset_spec(name)?;
    let about = Dataset::describe(&spec)?;
    let sizes = format!("{} videos of {} classes", about.videos, about.classes.len());
    Ok(if let Some(root) = spec.root() {
        if root.is_dir() {
            good(what, format!("{sizes}: {}", about.title))
        } else {
            bad(what, format!("no folder at {}", root.display()), "correct `root` in its file")
        }
    } else if spec.needs_root() {
        limited(
            what,
            format!("{sizes}, needs your own copy: {}", about.title),
            format!(
                "`cargo xtask prepare {name} --data-root DIR` checks the folder and prepares it; docs/data.md has the layout"
            ),
        )
    } else {
        good(what, format!("{sizes}, rendered when needed: {}", about.title))
    })
}

/// Checks that the tables can be read, and the published weights that they name.
fn tables(workspace: &Workspace) -> Vec<Check> {
    let tables = match workspace.tables() {
        Ok(tables) => tables,
        Err(error) => return vec![bad("tables", said(&error), "restore the folder experiments/")],
    };
    let mut checks: Vec<Check> = Vec::new();
    for table in tables {
        let spec = match workspace.spec(&table) {
            Ok((spec, _)) => spec,
            Err(error) => {
                let advice = "correct the file; no command on this table runs until then";
                checks.push(bad(&format!("table {table}"), said(&error), advice));
                continue;
            }
        };
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
    checks
}

/// An error as the content of a cell.
fn said(error: &impl std::fmt::Display) -> String {
    one_line(&error.to_string())
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
            bad => format!("{bad} of these must be fixed before every table runs here."),
        };
        format!("{}\n{verdict}", Grid::new(lines, 9).terminal(screen))
    }

    /// Returns `true` if nothing must be fixed.
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
    /// One bad file is one bad line, and hides neither the others nor what is good.
    #[test]
    fn files_that_cannot_be_read_are_lines_of_the_report() {
        let folder = tempfile::tempdir().unwrap();
        let put = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        };
        let own = |list: &str| {
            format!(
                "kind = \"split-files\"\ntitle = \"mine\"\nlayout = \"ucf101\"\nlists = \"{list}\"\nclasses = 1\n\
                 clips = 2\nextensions = [\"avi\"]\n[[split]]\nname = \"1\"\ntrain = 1\ntest = 1\n"
            )
        };
        put("datasets/broken.toml", "kind = \"split-files\"\ntitle = 7\n");
        put("datasets/bad-list.toml", &own("bad-list"));
        put("datasets/bad-list/classInd.txt", "one Run\n");
        put("datasets/bad-list/trainlist01.txt", "Run/v_Run_g08_c01.avi 1\n");
        put("datasets/bad-list/testlist01.txt", "Run/v_Run_g01_c01.avi\n");
        put("datasets/good.toml", &own("good"));
        put("datasets/good/classInd.txt", "1 Run\n");
        put("datasets/good/trainlist01.txt", "Run/v_Run_g08_c01.avi 1\n");
        put("datasets/good/testlist01.txt", "Run/v_Run_g01_c01.avi\n");
        put("experiments/mine/one.toml", "[nonsense\n");
        put("experiments/mine/two.toml", "title = 1\n");
        let workspace = Workspace::new(folder.path());
        let found: Vec<(String, Standing)> =
            data_sets(&workspace).into_iter().map(|check| (check.what, check.standing)).collect();
        let named = |what: &str, standing| (what.to_owned(), standing);
        assert_eq!(
            found,
            [
                named("data set bad-list", Standing::Bad),
                named("data set broken", Standing::Bad),
                named("data set good", Standing::Limited),
            ]
        );
        let checks: Vec<Check> = data_sets(&workspace).into_iter().chain(tables(&workspace)).collect();
        for (what, says) in [
            ("data set bad-list", "classInd.txt:1"),
            ("data set broken", "broken.toml:2"),
            ("table mine/one", "one.toml:1"),
            ("table mine/two", "two.toml"),
        ] {
            let check = checks.iter().find(|check| check.what == what).unwrap();
            assert!(check.found.contains(says) && check.advice.is_some(), "{check:?}");
            assert!(!check.found.contains('\n'), "{check:?}");
        }
        let report = Report { checks };
        assert!(!report.is_well());
        let text = report.terminal(Screen { width: Some(120), colours: false });
        assert!(text.ends_with("4 of these must be fixed before every table runs here."), "{text}");
    }
}
