//! The flags of every command.

mod bench;
mod groups;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use experiment::check::CheckRequest;
use experiment::compare::{CompareRequest, SortBy};
use experiment::{Console, DataRoots, FlowRequest, Interrupt, Precision, Request, Runner, Workspace};
use plan::spec::{FlowPreset, ProfileName};

use crate::torture::Part;

pub(crate) use self::bench::Bench;
pub(crate) use self::groups::{Engine, Folders};
use self::groups::{Extracted, Question, Roots, Scale, Where, precision};

/// Tables of video action recognition papers, run from their specs.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) loudness: Loudness,
}

/// How much is said beside results and errors.
#[derive(Debug, Args)]
#[command(next_help_heading = "What is said on standard error")]
pub(crate) struct Loudness {
    /// Say what is being done: -v which steps begin and which are found done, -vv every file and program besides,
    /// -vvv everything. RUST_LOG takes its place: a level (error, warn, info, debug, trace, off), or CRATE=LEVEL,
    /// separated by commas, such as RUST_LOG=data=debug,experiment::run=info; the rest stays at warn
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Say nothing but results and errors
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List every table: rows, claims, what has been run on what
    List {
        /// Print every claim with its verdicts instead, as Markdown
        #[arg(long)]
        claims: bool,
        /// The runs whose verdicts are printed, such as synth-mini [default: all]
        #[arg(long, value_name = "NAME", num_args = 1.., requires = "claims")]
        run: Vec<String>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        folders: Folders,
    },
    /// Print the resolved plan of a table: shapes, parameters, cost, departures from the paper
    Show {
        /// The table, such as table1b or two-stream/table1b
        table: String,
        #[command(flatten)]
        question: Question,
        /// Print it as JSON: what each row trains and tests, every value explicit
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        folders: Folders,
    },
    /// Train and test the rows of tables, print them beside the paper's, judge the claims
    Run(Box<Run>),
    /// Check a data set, decode its videos and compute their flow; resumes
    Prepare(Box<Prepare>),
    /// Draw what the finished rows of tables saw and learnt: filters, recall, confusion, loss, inputs
    Figures(Box<Figures>),
    /// Estimate optical flow between two pictures or along a video
    Flow(Flow),
    /// Compare what has been run on one data set, across papers and architectures
    Compare(Box<Compare>),
    /// Classify video files with the nets of a finished row
    Predict(Box<Predict>),
    /// Write a finished row with its nets into a folder: weights, configuration, labels, model card
    Export(Box<Export>),
    /// Run tables again and compare them with their committed records; fail when a number has moved
    Check(Box<Check>),
    /// Write everything that is recorded on one HTML page
    Report {
        /// The file [default: report.html among the results]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        folders: Folders,
    },
    /// Say what this machine can do, and what to do about what it cannot
    Doctor {
        /// Print it as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        folders: Folders,
    },
    /// Compare a GPU with the CPU: every operation, every network, ten training steps
    Verify {
        #[command(flatten)]
        device: Where,
        /// How the GPU computes products: fp32 or tf32
        #[arg(long, value_name = "NAME", default_value = "fp32", value_parser = precision)]
        precision: Precision,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the JSON schemas by which editors complete and check the TOML files of tables and data sets
    Schema {
        /// Write nothing, and fail when a schema is stale
        #[arg(long)]
        check: bool,
    },
    /// Do one task of a job that `--engine slurm` has submitted
    #[command(hide = true)]
    Work {
        /// What the tasks of the job do
        manifest: PathBuf,
        /// Which of them
        task: u32,
    },
    /// Print a script that completes these commands in a shell, for a program or an alias called `xtask`
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Measure the kernels or whole training steps, alone or in turns with PyTorch or candle-nn
    Bench(Box<Bench>),
    /// Try to break this program: kill it, damage its files, fill its disk, change its inputs; compare with undisturbed work
    Torture {
        /// About how long it takes
        #[arg(long, value_name = "N", default_value_t = 3.0, value_parser = minutes)]
        minutes: f64,
        /// Decides what is tried [default: another one each time]
        #[arg(long, value_name = "SEED")]
        seed: Option<u64>,
        /// Run only these parts [default: all]
        #[arg(long, value_enum, value_name = "PART", num_args = 1..)]
        only: Vec<Part>,
        /// Print it as JSON
        #[arg(long)]
        json: bool,
    },
}

/// A number of minutes, up to a day.
fn minutes(text: &str) -> std::result::Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.0..=1440.0).contains(minutes));
    minutes.ok_or_else(|| "expected minutes from 0 to 1440".into())
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// The tables, such as table1b or two-stream/table1b
    #[arg(required_unless_present = "from")]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    pub(crate) question: Question,
    /// Take the nets of an exported row as they are and test them: a folder, or OWNER/NAME[@REVISION] of a repository on
    /// the hub. Tables, rows and data are those of the row unless given
    #[arg(long, value_name = "FOLDER|REPO")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) device: Where,
    /// How products are computed: fp32, or tf32 on the matrix units of a GPU [default: fp32]
    #[arg(long, value_name = "NAME", value_parser = precision)]
    precision: Option<Precision>,
    #[command(flatten)]
    pub(crate) roots: Roots,
    #[command(flatten)]
    pub(crate) extracted: Extracted,
    #[command(flatten)]
    pub(crate) folders: Folders,
    /// Train and test again what is already done
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Seconds between checkpoints; longer where writing one would take more than 1/20 of the time
    #[arg(long, value_name = "SECONDS", default_value_t = experiment::train::CHECKPOINT_EVERY.as_secs())]
    pub(crate) checkpoint_every: u64,
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// Print the plan and stop; with --engine slurm the scripts that would be submitted
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print the finished tables as JSON
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Figures {
    /// The tables, such as table3 or two-stream/table3
    #[arg(required = true)]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    question: Question,
    #[command(flatten)]
    roots: Roots,
    #[command(flatten)]
    extracted: Extracted,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

#[derive(Debug, Args)]
pub(crate) struct Prepare {
    /// The data set, such as synth or weizmann
    pub(crate) dataset: String,
    /// The folder of real videos, for data sets that are not generated
    #[arg(long, visible_alias = "data-root", value_name = "DIR")]
    root: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: Where,
    #[command(flatten)]
    pub(crate) extracted: Extracted,
    /// The table whose profile says how frames and flow are made [default: the first one that sees the set's motion]
    #[arg(long)]
    pub(crate) table: Option<String>,
    #[command(flatten)]
    pub(crate) scale: Scale,
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// Say how many videos are still to be prepared and stop; with --engine slurm print the scripts that would be submitted
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

#[derive(Debug, Args)]
pub(crate) struct Flow {
    /// The first picture (PNG or JPEG), or a video
    from: PathBuf,
    /// The second picture
    to: Option<PathBuf>,
    /// Where it goes: OUT.flo (the vectors) or OUT.png (their colours); for a video a folder
    #[arg(short, long, value_name = "OUT")]
    out: Option<PathBuf>,
    /// Write the fields of a video as .flo files, not as pictures
    #[arg(long, conflicts_with = "to", requires = "out")]
    flo: bool,
    /// The method: fast or accurate (both TV-L1), or brox
    #[arg(long, value_name = "NAME", default_value = "accurate")]
    method: FlowPreset,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) device: Where,
    /// The true flow, a .flo file: print the error
    #[arg(long, value_name = "FLO")]
    truth: Option<PathBuf>,
}

impl Flow {
    pub(crate) fn request(&self) -> FlowRequest {
        FlowRequest {
            from: self.from.clone(),
            to: self.to.clone(),
            out: self.out.clone(),
            flo: self.flo,
            method: self.method,
            threads: self
                .threads
                .unwrap_or_else(|| std::thread::available_parallelism().unwrap_or(NonZeroUsize::MIN)),
            truth: self.truth.clone(),
            batched: None,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// The data set that rows were tested on [default: synth]
    #[arg(long, value_name = "NAME")]
    dataset: Option<String>,
    /// Only these runs, such as synth-mini
    #[arg(long, value_name = "NAME", num_args = 1..)]
    run: Vec<String>,
    /// Only rows in whose table, name, label or architecture one of these is found
    #[arg(long, value_name = "TEXT", num_args = 1..)]
    only: Vec<String>,
    /// The column to sort by: accuracy, paper, parameters, multiply-adds, training-speed, test-speed, memory, training-time
    #[arg(long, value_name = "COLUMN", default_value = "accuracy")]
    sort: SortBy,
    /// The worst first
    #[arg(long)]
    reverse: bool,
    /// How it is printed
    #[arg(long, value_enum, default_value_t = Printed::Terminal, conflicts_with = "json")]
    pub(crate) format: Printed,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
    /// Write it into a Parquet file besides
    #[arg(long, value_name = "FILE")]
    pub(crate) parquet: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

/// How a comparison is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Printed {
    Terminal,
    Markdown,
    Csv,
}

impl Compare {
    pub(crate) fn request(&self) -> CompareRequest {
        CompareRequest {
            dataset: self.dataset.clone(),
            runs: self.run.clone(),
            only: self.only.clone(),
            sort: self.sort,
            reverse: self.reverse,
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    /// Video files, of any kind that ffmpeg reads; - for one that comes through standard input
    #[arg(required = true)]
    pub(crate) videos: Vec<PathBuf>,
    /// The row: TABLE/ROW or TABLE/RUN/ROW, such as table3/average, or a folder that was exported
    #[arg(long, value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) device: Where,
    /// Draw the probabilities along the video into an SVG file
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
    /// Print it as JSON, every class and position included; of several videos one after the other
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// The folder, which is made
    pub(crate) folder: PathBuf,
    /// The row: TABLE/ROW or TABLE/RUN/ROW, such as table3/average
    #[arg(long, value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The tables [default: all that have committed records at the profile]
    tables: Vec<String>,
    /// Only these runs, such as synth-mini.data-seed-7 [default: of each table its own data set, or else its first run]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    run: Vec<String>,
    /// The scale, unless runs are named: paper, mini or smoke
    #[arg(long, default_value = "mini", conflicts_with = "run")]
    profile: ProfileName,
    /// Only these rows
    #[arg(long, value_name = "ID", num_args = 1..)]
    row: Vec<String>,
    #[command(flatten)]
    pub(crate) device: Where,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Make the numbers of now the baseline, and note in CHANGELOG.md which moved
    #[arg(long)]
    pub(crate) update: bool,
    /// Print it as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

impl Check {
    pub(crate) fn request(&self) -> CheckRequest {
        CheckRequest {
            tables: self.tables.clone(),
            runs: self.run.clone(),
            profile: self.profile,
            rows: self.row.clone(),
        }
    }
}

impl Run {
    pub(crate) fn request(&self) -> Request {
        Request {
            extraction: self.extracted.extraction(),
            precision: self.precision.unwrap_or_default(),
            ..self.question.request()
        }
    }

    /// The question of an exported row, but for what the flags say.
    pub(crate) fn request_of(&self, own: Request) -> Request {
        let Request { profile, dataset, splits, seeds, data_seed, extraction, rows, .. } = self.request();
        let or = |given: Vec<String>, own: Vec<String>| if given.is_empty() { own } else { given };
        Request {
            profile: profile.or(own.profile),
            dataset: dataset.or(own.dataset),
            splits: or(splits, own.splits),
            seeds: seeds.or(own.seeds),
            data_seed: data_seed.or(own.data_seed),
            extraction: extraction.or(own.extraction),
            // Another table has other rows.
            rows: if self.tables.is_empty() { or(rows, own.rows) } else { rows },
            from: own.from,
            precision: self.precision.unwrap_or(own.precision),
        }
    }
}

impl Figures {
    pub(crate) fn request(&self) -> Request {
        Request { extraction: self.extracted.extraction(), ..self.question.request() }
    }

    pub(crate) fn data_roots(&self) -> DataRoots {
        self.roots.data_roots()
    }
}

impl Prepare {
    /// What prepares, on the processor. Only the videos asked for have a folder of their own.
    pub(crate) fn runner<'a>(
        &self,
        workspace: &'a Workspace,
        request: &'a Request,
        console: &'a Console,
        interrupt: &'a Interrupt,
    ) -> Runner<'a> {
        let folder = self.root.iter().map(|root| (self.dataset.clone(), root.clone()));
        let data_roots = DataRoots { main: None, named: folder.collect() };
        Runner { data_roots, ..Runner::new(workspace, request, console, interrupt) }
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            profile: self.scale.profile,
            dataset: Some(self.dataset.clone()),
            data_seed: self.scale.data_seed,
            extraction: self.extracted.extraction(),
            ..Request::default()
        }
    }
}
