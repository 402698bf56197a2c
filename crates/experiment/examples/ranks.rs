//! Trains a net of table 1b at mini size for fifty steps and prints its losses, samples/s and ranks as one line of JSON:
//! alone, or on the ranks that `mpirun` or `srun` starts. `.ci/ranks` compares the two.
//!
//! `ranks [--steps N] [--rate FACTOR] [--checkpoints FOLDER]`. With a folder, a checkpoint is written there every second, and
//! the next run resumes from it.
//!
//! `ranks --compare FILE` reads such lines, alone and on ranks in turns. It prints the largest difference of the first fifty
//! losses and the relative speed of the ranks, and fails if a loss differs by more than 1e-4.
//!
//! The table's learning rate is multiplied by the factor, 0.01 by default. At the full rate the net learns these videos so
//! fast that a rounding difference doubles about every step, once it has changed the position of a maximum. A single process
//! with other vector instructions (`KERNELS_SIMD=avx2`) also departs from the losses of the first after fifteen steps.

#![expect(clippy::print_stdout, reason = "a program whose output is read by a script")]

#[path = "../tests/ranks/videos.rs"]
mod videos;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use candle_core::Device;
use experiment::checkpoint::Checkpoint;
use experiment::record::TrainOutcome;
use experiment::store::Store;
use experiment::train::{Training, WEIGHTS, train};
use experiment::{Console, Error, Interrupt, Result};
use nn::Ranks;
use plan::NetPlan;
use plan::spec::ProfileName;
use serde::Deserialize;
use videos::{net, videos};

fn main() -> ExitCode {
    let ranks = match Ranks::world() {
        Ok(ranks) => ranks,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match run(&ranks) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            if ranks.is_first() || !error.is_collective() {
                eprintln!("rank {}: {error}", ranks.rank());
            }
            if !error.is_collective() {
                ranks.abort(error.exit_code());
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(ranks: &Ranks) -> Result<()> {
    let usage = || {
        Error::Usage(
            "ranks [--steps N] [--rate FACTOR] [--checkpoints FOLDER], or ranks --compare FILE".into(),
        )
    };
    let (mut steps, mut rate, mut checkpoints) = (50, 0.01, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(usage)?;
        match name.as_str() {
            "--steps" => steps = value.parse().map_err(|_| usage())?,
            "--rate" => rate = value.parse().map_err(|_| usage())?,
            "--compare" => return compare(Path::new(&value)),
            "--checkpoints" => checkpoints = Some(PathBuf::from(value)),
            _ => return Err(usage()),
        }
    }
    let mut net = net("table1b", ProfileName::Mini, |_| true);
    net.train.schedule.base_lr *= rate;
    let interrupt = Interrupt::on_ctrl_c()?;
    if let Some(folder) = checkpoints {
        net.train.iterations = steps;
        let every = Duration::from_secs(1);
        let outcome = once(&net, &folder, ranks, every, &Console::stderr(), &interrupt)?;
        eprintln!("rank {}: {} iterations", ranks.rank(), outcome.iterations);
        return Ok(());
    }
    let scratch = std::env::temp_dir().join(format!("ranks-{}", std::process::id()));
    // A checkpoint after every step but the last has the exact losses; the second training has none, to measure the speed.
    net.train.iterations = steps + 1;
    once(&net, &scratch, ranks, Duration::ZERO, &Console::silent(), &interrupt)?;
    let losses = if ranks.is_first() {
        Checkpoint::read(&unit(&scratch).path("checkpoint.safetensors"))?
    } else {
        None
    };
    net.train.iterations = steps;
    let again = scratch.join("again");
    let outcome = once(&net, &again, ranks, Duration::from_secs(3600), &Console::silent(), &interrupt)?;
    if let Some(checkpoint) = losses {
        let found = serde_json::json!({
            "ranks": ranks.size(),
            "threads": rayon::current_num_threads(),
            "batch": net.train.batch,
            "samples_per_second": outcome.samples_per_second,
            "losses": checkpoint.progress.losses,
        });
        println!("{found}");
    }
    std::fs::remove_dir_all(&scratch).map_err(Error::io("delete", &scratch))
}

/// One line of this program's output.
#[derive(Deserialize)]
struct Printed {
    ranks: usize,
    samples_per_second: f64,
    losses: Vec<f64>,
}

fn compare(file: &Path) -> Result<()> {
    let text = std::fs::read_to_string(file).map_err(Error::io("read", file))?;
    let damaged = |message: String| Error::Damaged { path: file.to_owned(), message };
    let printed: Vec<Printed> = text
        .lines()
        .map(|line| serde_json::from_str(line).map_err(|error| damaged(error.to_string())))
        .collect::<Result<_>>()?;
    let (mut apart, mut ratios) = (0f64, Vec::new());
    for pair in printed.as_chunks::<2>().0 {
        let [alone, ranks] = pair;
        if alone.ranks != 1 || ranks.ranks < 2 || alone.losses.len() != ranks.losses.len() {
            return Err(damaged("expected lines of one process and of several ranks in turns".into()));
        }
        let differences = alone.losses.iter().zip(&ranks.losses).take(50).map(|(x, y)| (x - y).abs());
        apart = differences.fold(apart, f64::max);
        let ratio = ranks.samples_per_second / alone.samples_per_second;
        println!(
            "{:8.1} samples/s alone, {:8.1} on {} ranks: {ratio:.3}",
            alone.samples_per_second, ranks.samples_per_second, ranks.ranks
        );
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    let median = ratios.get(ratios.len() / 2).ok_or_else(|| damaged("expected at least two lines".into()))?;
    println!(
        "fifty losses are at most {apart:.1e} apart; {median:.3} of the samples (median of {} rounds)",
        ratios.len()
    );
    if apart > 1e-4 {
        return Err(Error::Usage("the losses of the ranks differ from those of one process".into()));
    }
    Ok(())
}

fn unit(folder: &Path) -> experiment::store::Unit {
    Store::new(folder).unit("train", &"a net")
}

fn once(
    net: &NetPlan,
    folder: &Path,
    ranks: &Ranks,
    checkpoint_every: Duration,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<TrainOutcome> {
    let unit = unit(folder);
    let place = unit.path(WEIGHTS);
    let place = place.parent().unwrap_or(folder);
    std::fs::create_dir_all(place).map_err(Error::io("create", place))?;
    let job = Training {
        name: "a net",
        net,
        seed: 3,
        tasks: &videos(net, 24, Box::new(|_| Ok(()))),
        start: &[],
        unit: &unit,
        device: &Device::Cpu,
        checkpoint_every,
        ranks,
    };
    train(&job, console, interrupt)
}
