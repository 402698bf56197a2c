//! Trains a net of table 1b at mini size for fifty steps and prints its losses, samples/s and ranks as one line of JSON:
//! alone, or on the ranks that `mpirun` or `srun` starts. `.ci/ranks` compares the two.
//!
//! `ranks [--steps N] [--rate FACTOR] [--checkpoints FOLDER]`. With a folder, every second leaves a checkpoint there, and the
//! next run goes on from it.
//!
//! The table's rate is multiplied by the factor, a hundredth unless said. At the rate itself the net learns these videos so
//! fast that a rounding grows about twofold a step from the first maximum on that it decides: one process with other
//! vector instructions (`KERNELS_SIMD=avx2`) leaves the losses of the first after fifteen steps, too.

#![expect(clippy::print_stdout, reason = "a program whose output is read by a script")]

#[path = "../tests/ranks/videos.rs"]
mod videos;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use candle_core::Device;
use experiment::checkpoint::Checkpoint;
use experiment::plan::NetPlan;
use experiment::record::TrainOutcome;
use experiment::spec::ProfileName;
use experiment::store::Store;
use experiment::train::{Training, WEIGHTS, train};
use experiment::{Console, Error, Interrupt, Result};
use nn::Ranks;
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
            if ranks.is_first() || !error.is_of_all_ranks() {
                eprintln!("rank {}: {error}", ranks.rank());
            }
            if !error.is_of_all_ranks() {
                ranks.abort(error.exit_code());
            }
            ExitCode::from(error.exit_code())
        }
    }
}

fn run(ranks: &Ranks) -> Result<()> {
    let usage = || Error::Usage("ranks [--steps N] [--rate FACTOR] [--checkpoints FOLDER]".into());
    let (mut steps, mut rate, mut checkpoints) = (50, 0.01, None);
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let value = arguments.next().ok_or_else(usage)?;
        match name.as_str() {
            "--steps" => steps = value.parse().map_err(|_| usage())?,
            "--rate" => rate = value.parse().map_err(|_| usage())?,
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
    // A checkpoint after every step but the last holds the losses to the last bit; the second training has none, for the speed.
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
