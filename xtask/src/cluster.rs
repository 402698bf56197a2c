//! `--engine slurm`, and the work of its jobs.

use std::path::Path;

use clap::Parser;
use experiment::device::Device;
use experiment::run::Task;
use experiment::store::write_atomic;
use experiment::{Census, Console, DeviceChoice, Error, Interrupt, Ranks, Result, Runner};
use slurm::config::SlurmConfig;
use slurm::folder::note_of;
use slurm::{Finished, Goal, Manifest, Slurm, why_absent};

use crate::asked::{Asked, print_tables, ranks, together};
use crate::flags::{Cli, Command, Prepare, Run};
use crate::screen::say;

/// Handles `run --engine slurm`.
pub(crate) fn run(
    flags: &Run,
    asked: &Asked,
    config: SlurmConfig,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<()> {
    let runner = asked.runner(flags, &Device::Cpu, console, interrupt);
    let device = flags.device.device;
    let slurm = slurm(&runner, Goal::Tables(&asked.tables), config, device, flags.engine.detach())?;
    submit(&slurm, flags.dry_run)
}

/// Handles `prepare --engine slurm`.
pub(crate) fn prepare(
    flags: &Prepare,
    config: SlurmConfig,
    console: &Console,
    interrupt: &Interrupt,
) -> Result<()> {
    let (workspace, dataset, request) = flags.asked()?;
    let runner = flags.runner(&workspace, &request, console, interrupt);
    let goal = Goal::Videos { table: flags.table.as_deref(), dataset: &dataset };
    let slurm = slurm(&runner, goal, config, flags.device.device, flags.engine.detach())?;
    submit(&slurm, flags.dry_run)
}

#[expect(
    clippy::disallowed_methods,
    reason = "jobs start in the folder of the command, so that its paths stay valid"
)]
fn slurm<'a>(
    runner: &'a Runner<'a>,
    goal: Goal<'a>,
    config: SlurmConfig,
    device: DeviceChoice,
    detach: bool,
) -> Result<Slurm<'a>> {
    Ok(Slurm {
        runner,
        goal,
        command: std::env::args().skip(1).collect(),
        given_in: std::env::current_dir().map_err(Error::io("find", "the current folder"))?,
        config,
        device,
        detach,
    })
}

fn submit(slurm: &Slurm<'_>, dry_run: bool) -> Result<()> {
    if dry_run {
        return say(slurm.dry_run()?);
    }
    let Finished { text, error } = slurm.run()?;
    if !text.is_empty() {
        say(text)?;
    }
    error.map_or(Ok(()), Err)
}

/// Does one task of a job.
pub(crate) fn work(manifest: &Path, task: u32, interrupt: &Interrupt) -> Result<()> {
    let console = Console::reporting(note_of(manifest, task, "progress"));
    let done = ranks().and_then(|ranks| do_task(manifest, task, &ranks, &console, interrupt));
    if let Err(error) = &done {
        write_atomic(&note_of(manifest, task, "error"), error.to_string().as_bytes())?;
    }
    done
}

/// Does a task without checking cached videos: the jobs that prepared them have just done so, and every job would read all of
/// them again. If a video turns out to be damaged, all are checked after all.
fn work_on(runner: &Runner<'_>, task: &Task) -> Result<()> {
    let data_roots = runner.data_roots.clone();
    let ranks = runner.ranks.clone();
    match (Runner { trust_cache: true, data_roots, ranks, census: Census::default(), ..*runner }).work(task) {
        Err(error) if error.is_of_damaged_cache() => {
            runner.console.line(&format!("{error}; checking all cached videos"));
            runner.work(task)
        }
        done => done,
    }
}

fn do_task(path: &Path, task: u32, ranks: &Ranks, console: &Console, interrupt: &Interrupt) -> Result<()> {
    let silent = Console::silent();
    let loud = console;
    let console = if ranks.is_first() { console } else { &silent };
    let manifest = Manifest::read(path)?;
    let damaged = |message: String| Error::Damaged { path: path.to_owned(), message };
    let entry = manifest.tasks.get(&task).ok_or_else(|| damaged(format!("it has no task {task}")))?;
    console.line(&format!("{} ({})", entry.title, entry.unit));
    let words = std::iter::once("xtask".to_owned()).chain(manifest.command);
    let command = Cli::try_parse_from(words).map_err(|error| damaged(error.to_string()))?.command;
    match &command {
        Command::Run(flags) => {
            let asked = Asked::of(flags, console, interrupt)?;
            let device = flags.device.device.open()?;
            // `--fresh` took effect before the job was submitted.
            let runner = Runner {
                fresh: false,
                ranks: ranks.clone(),
                ..asked.runner(flags, &device, console, interrupt)
            };
            match &entry.task {
                Task::Finish => {
                    let why = |unit: &str| why_absent(path, unit);
                    print_tables(flags, &asked.tables, &Runner { absent: Some(&why), ..runner })
                }
                task => together(&runner, loud, || work_on(&runner, task)),
            }
        }
        Command::Prepare(flags) => {
            let (workspace, dataset, request) = flags.asked()?;
            let device = flags.device.device.open()?;
            let runner = Runner { device: &device, ..flags.runner(&workspace, &request, console, interrupt) };
            let table = flags.table.as_deref();
            match &entry.task {
                Task::Finish => say(runner.prepare(table, &dataset)?),
                task => runner.work_on_videos(table, &dataset, task),
            }
        }
        _ => {
            Err(damaged(format!("no job runs `{}`", std::env::args().skip(1).collect::<Vec<_>>().join(" "))))
        }
    }
}
