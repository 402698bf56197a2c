//! The flags of every command.

mod bench;
mod groups;
mod old;
mod recorded;

use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::{ArgAction, Args, Parser, Subcommand};
use experiment::check::CheckRequest;
use experiment::{Console, DataRoots, FlowRequest, Interrupt, Precision, Request, Runner, Workspace};
use plan::spec::{FlowPreset, ProfileName};

use crate::torture::Part;

pub(crate) use self::bench::Bench;
use self::groups::{Decoding, Extracted, Question, Roots, Scale, Where, precision};
pub(crate) use self::groups::{Engine, Folders};
pub(crate) use self::old::notes;
pub(crate) use self::recorded::{Compare, Judge, Printed};

/// Reproduce tables of action-recognition papers: one TOML file a table, one command to train, compare and test the
/// paper's claims.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask", version, disable_help_subcommand = true)]
#[command(
    after_help = "Examples:\n  cargo xtask run table1b\n  cargo xtask list\n  cargo xtask predict --run table1b/stack-10-on VIDEO"
)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) loudness: Loudness,
}

/// The amount of progress and log messages.
#[derive(Debug, Args)]
#[command(next_help_heading = "Messages on standard error")]
pub(crate) struct Loudness {
    /// Print more: -v steps, -vv files and programs, -vvv everything. RUST_LOG overrides it, by crate or module:
    /// RUST_LOG=data=debug,experiment::run=info
    #[arg(short, long, global = true, action = ArgAction::Count)]
    pub(crate) verbose: u8,
    /// Print results and errors only
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    pub(crate) quiet: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// List the tables, their rows and claims, and the recorded runs
    #[command(after_help = "Examples:\n  cargo xtask list\n  cargo xtask list --claims --run synth-mini")]
    List {
        /// Print every claim with its verdicts instead, as Markdown
        #[arg(long)]
        claims: bool,
        /// Print the verdicts of these runs only, such as synth-mini [default: all]
        #[arg(long, value_name = "NAME", num_args = 1.., requires = "claims")]
        run: Vec<String>,
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        folders: Folders,
    },
    /// Show a table's resolved plan: shapes, parameters, cost, departures from the paper
    #[command(
        after_help = "Examples:\n  cargo xtask show table1b\n  cargo xtask show table1b --profile paper --json"
    )]
    Show {
        /// Table, such as table1b or two-stream/table1b
        table: String,
        #[command(flatten)]
        question: Question,
        /// Print JSON: the training and test of each row, every value explicit
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        folders: Folders,
    },
    /// Train and test the rows of tables, print them beside the paper's numbers, judge the paper's claims
    #[command(
        after_help = "Examples:\n  cargo xtask run table1b\n  cargo xtask run table1b --row stack-10-on single-on\n  cargo xtask run table1b --dataset weizmann --data-root /data/weizmann\n  cargo xtask run table1a table1b table2 table3 table4\n  cargo xtask run table1b --data-seed 201,202,203\n  cargo xtask run table1b --budget 1,2,4\n  cargo xtask run table1b --profile paper --dry-run"
    )]
    Run(Box<Run>),
    /// Write a commented file for a new table or data set
    #[command(
        after_help = "Examples:\n  cargo xtask new dataset mine --root /data/clips\n  cargo xtask new table two-stream/deeper-stacks\n  cargo xtask new table mypaper/results --extends st-resnet/results"
    )]
    #[command(subcommand)]
    New(New),
    /// Check a data set, decode its videos and compute their flow ahead of a run; resumes
    #[command(
        after_help = "Examples:\n  cargo xtask prepare weizmann --data-root /data/weizmann\n  cargo xtask prepare ucf101 --data-root /data/ucf101 --profile paper"
    )]
    Prepare(Box<Prepare>),
    /// Draw figures of finished rows: filters, recall, confusion, loss, inputs
    #[command(after_help = "Examples:\n  cargo xtask figures table3")]
    Figures(Box<Figures>),
    /// Estimate optical flow between two images or along a video
    #[command(
        after_help = "Examples:\n  cargo xtask flow a.png b.png -o flow.png\n  cargo xtask flow clip.avi --method fast -o fields/"
    )]
    Flow(Flow),
    /// Compare finished rows across papers and architectures: all on one data set, or named ones pair by pair
    #[command(
        after_help = "Examples:\n  cargo xtask compare\n  cargo xtask compare --dataset synth --sort training-time --only pyramid\n  cargo xtask compare two-stream/table3/average st-resnet/results/st-resnet-star-ucf101\n  cargo xtask compare --pareto\n  cargo xtask compare --format csv"
    )]
    Compare(Box<Compare>),
    /// Compute intervals and verdicts of recorded runs again, from their records
    #[command(
        after_help = "Examples:\n  cargo xtask judge\n  cargo xtask judge table1b --run weizmann-mini --data-root /data/weizmann"
    )]
    Judge(Judge),
    /// Classify video files with a finished row
    #[command(
        after_help = "A video that cannot be classified does not stop the others: its error is printed, and the exit code is 3.\n\nExamples:\n  cargo xtask predict --run table3/average clip.avi\n  cargo xtask predict --run table3/average --chart clip.svg clip.avi\n  cargo xtask predict --run table3/average --json *.avi > answers.jsonl"
    )]
    Predict(Box<Predict>),
    /// Export a finished row to a folder: weights, configuration, labels, model card
    #[command(after_help = "Examples:\n  cargo xtask export --run table1b/stack-10-on exported/")]
    Export(Box<Export>),
    /// Run tables again and compare them with their committed records; fail when a number has moved
    #[command(after_help = "Examples:\n  cargo xtask check table1b\n  cargo xtask check --profile smoke")]
    Check(Box<Check>),
    /// Write all recorded results to one HTML page
    #[command(after_help = "Examples:\n  cargo xtask report\n  cargo xtask report --output results.html")]
    Report {
        /// File to write [default: runs/report.html]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        #[command(flatten)]
        folders: Folders,
    },
    /// Check this machine: processor, memory, disk, ffmpeg, data sets, GPU, Slurm
    #[command(after_help = "Examples:\n  cargo xtask doctor")]
    Doctor {
        /// Print JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        folders: Folders,
    },
    /// Compare a GPU with the CPU: every operation, every network, ten training steps
    #[command(after_help = "Examples:\n  cargo xtask-cuda verify --device cuda")]
    Verify {
        #[command(flatten)]
        device: Where,
        /// Precision of products on the GPU: fp32 or tf32
        #[arg(long, value_name = "NAME", default_value = "fp32", value_parser = precision)]
        precision: Precision,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
    /// Write the JSON schemas with which editors complete and check the TOML files
    #[command(after_help = "Examples:\n  cargo xtask schema\n  cargo xtask schema --check")]
    Schema {
        /// Write nothing; fail if a schema is stale
        #[arg(long)]
        check: bool,
    },
    /// Do one task of a job that `--engine slurm` has submitted
    #[command(hide = true)]
    Work {
        /// Manifest of the job
        manifest: PathBuf,
        /// Number of the task
        task: u32,
    },
    /// Print a completion script for a shell with the alias xtask="cargo xtask"
    #[command(
        after_help = "Examples:\n  cargo xtask completions bash > ~/.local/share/bash-completion/completions/xtask"
    )]
    Completions {
        /// Shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Measure kernels or training steps, alone or interleaved with PyTorch or candle-nn
    #[command(
        after_help = "Examples:\n  cargo xtask bench kernels\n  cargo xtask bench steps --against-torch ~/venv/bin/python"
    )]
    Bench(Box<Bench>),
    /// Stress the program: kill it, damage its files, fill its disk, change its inputs; compare with an undisturbed run
    #[command(
        after_help = "Examples:\n  cargo xtask torture --minutes 3\n  cargo xtask torture --only kills disk --minutes 30 --seed 7"
    )]
    Torture {
        /// Duration in minutes
        #[arg(long, value_name = "N", default_value_t = 3.0, value_parser = minutes)]
        minutes: f64,
        /// Seed of the campaign [default: a random one, printed with the result]
        #[arg(long, value_name = "SEED")]
        seed: Option<u64>,
        /// Run only these parts [default: all]
        #[arg(long, value_enum, value_name = "PART", num_args = 1..)]
        only: Vec<Part>,
        /// Print JSON
        #[arg(long)]
        json: bool,
    },
}

/// A file to begin with.
#[derive(Debug, Subcommand)]
pub(crate) enum New {
    /// A table of two rows and a claim, ready to run and to change
    Table {
        /// Full name of the table, PAPER/TABLE
        name: String,
        /// Table from which it takes data sets, protocols and scales
        #[arg(long, value_name = "TABLE", default_value = "two-stream/table1b")]
        extends: String,
    },
    /// A data set of your own videos, described from a look at their folder
    #[command(
        after_help = "Examples:\n  cargo xtask new dataset mine --root /data/clips\n  cargo xtask new dataset mine --root /data/clips -o mine.toml"
    )]
    Dataset {
        /// Name of the data set: small letters, digits and dashes
        name: String,
        /// Folder of the videos, as CLASS/FILE, or as train/CLASS/FILE and test/CLASS/FILE
        #[arg(long, value_name = "DIR")]
        root: PathBuf,
        /// File to write [default: datasets/NAME.toml in the checkout]
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
}

/// A number of minutes, up to a day.
fn minutes(text: &str) -> std::result::Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.0..=1440.0).contains(minutes));
    minutes.ok_or_else(|| "expected minutes from 0 to 1440".into())
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    /// Tables, such as table1b or two-stream/table1b
    #[arg(required_unless_present = "from")]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    pub(crate) question: Question,
    /// Multiples of the profile's iterations, such as 1,2,4; several print accuracies and verdicts of all in one table
    #[arg(long, value_name = "FACTOR", value_delimiter = ',', conflicts_with = "from")]
    pub(crate) budget: Vec<f64>,
    /// Test an exported row without training: a folder, or OWNER/NAME[@REVISION] on the Hugging Face hub. Table, row and data
    /// set default to those of the export
    #[arg(long, value_name = "FOLDER|REPO")]
    pub(crate) from: Option<String>,
    #[command(flatten)]
    pub(crate) device: Where,
    /// Precision of products: fp32, or tf32 on a GPU's tensor cores [default: fp32]
    #[arg(long, value_name = "NAME", value_parser = precision)]
    precision: Option<Precision>,
    #[command(flatten)]
    pub(crate) roots: Roots,
    #[command(flatten)]
    pub(crate) extracted: Extracted,
    #[command(flatten)]
    decoding: Decoding,
    #[command(flatten)]
    pub(crate) folders: Folders,
    /// Write the records into the committed results/
    #[arg(long, conflicts_with = "results")]
    update: bool,
    /// Train and test finished rows again
    #[arg(long)]
    pub(crate) fresh: bool,
    /// Seconds between checkpoints; more if writing them would take over 1/20 of the time
    #[arg(long, value_name = "SECONDS", default_value_t = experiment::train::CHECKPOINT_EVERY.as_secs())]
    pub(crate) checkpoint_every: u64,
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// Print the plan only; with --engine slurm, the scripts to submit
    #[arg(long)]
    pub(crate) dry_run: bool,
    /// Print top-5 accuracy and the mean over classes too
    #[arg(long)]
    pub(crate) more: bool,
    /// Print the finished tables as JSON
    #[arg(long, conflicts_with = "dry_run")]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Figures {
    /// Tables, such as table3 or two-stream/table3
    #[arg(required = true)]
    pub(crate) tables: Vec<String>,
    #[command(flatten)]
    question: Question,
    #[command(flatten)]
    roots: Roots,
    #[command(flatten)]
    extracted: Extracted,
    #[command(flatten)]
    decoding: Decoding,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

#[derive(Debug, Args)]
pub(crate) struct Prepare {
    /// Data set, such as synth or weizmann, or one of your own: its TOML file or its folder of videos
    pub(crate) dataset: String,
    /// Folder of the real videos
    #[arg(long, alias = "root", value_name = "DIR")]
    data_root: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) device: Where,
    #[command(flatten)]
    pub(crate) extracted: Extracted,
    #[command(flatten)]
    decoding: Decoding,
    /// Table whose profile sets the sizes and the flow method [default: the first one that reads this set's flow]
    #[arg(long)]
    pub(crate) table: Option<String>,
    #[command(flatten)]
    pub(crate) scale: Scale,
    #[command(flatten)]
    pub(crate) engine: Engine,
    /// Print the number of videos to prepare only; with --engine slurm, the scripts to submit
    #[arg(long)]
    pub(crate) dry_run: bool,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

#[derive(Debug, Args)]
pub(crate) struct Flow {
    /// First image (PNG or JPEG), or a video
    from: PathBuf,
    /// Second image
    to: Option<PathBuf>,
    /// File to write: .flo (vectors) or .png (colours); for a video, a folder
    #[arg(short, long, alias = "out", value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write the flow of a video as .flo files, not as images
    #[arg(long, conflicts_with = "to", requires = "output")]
    flo: bool,
    /// Method: fast (TV-L1), brox, or accurate, dis or dis-fast (dense inverse search)
    #[arg(long, value_name = "NAME", default_value = "accurate")]
    method: FlowPreset,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<NonZeroUsize>,
    #[command(flatten)]
    pub(crate) device: Where,
    /// True flow (.flo): print the endpoint and angular error
    #[arg(long, value_name = "FLO")]
    truth: Option<PathBuf>,
}

impl Flow {
    pub(crate) fn request(&self) -> FlowRequest {
        FlowRequest {
            from: self.from.clone(),
            to: self.to.clone(),
            out: self.output.clone(),
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

/// What `predict` classifies.
fn videos() -> String {
    let formats = data::decode::FORMATS.replace(',', ", ");
    format!("Video files, or - for standard input. Formats, by ffmpeg's names: {formats}")
}

#[derive(Debug, Args)]
pub(crate) struct Predict {
    #[arg(required = true, help = videos())]
    pub(crate) videos: Vec<PathBuf>,
    /// Row: TABLE/ROW or TABLE/RUN/ROW, such as table3/average, or an exported folder
    #[arg(long, value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) device: Where,
    #[command(flatten)]
    pub(crate) decoding: Decoding,
    /// Draw the class probabilities over time to an SVG file
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,
    /// Print JSON with every class and time step: one line for each video that could be classified, in their order
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    /// Folder to create
    pub(crate) folder: PathBuf,
    /// Row: TABLE/ROW or TABLE/RUN/ROW, such as table3/average
    #[arg(long, value_name = "RUN")]
    pub(crate) run: String,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// Tables [default: all with committed records at the profile]
    tables: Vec<String>,
    /// Check only these runs, such as synth-mini.data-seed-7 [default: each table's own data set, or else its first run]
    #[arg(long, value_name = "NAME", num_args = 1..)]
    run: Vec<String>,
    /// Scale, unless runs are named: paper, mini or smoke
    #[arg(long, default_value = "mini", conflicts_with = "run")]
    profile: ProfileName,
    /// Check only these rows
    #[arg(long, value_name = "ID", num_args = 1..)]
    row: Vec<String>,
    #[command(flatten)]
    pub(crate) device: Where,
    #[command(flatten)]
    pub(crate) roots: Roots,
    /// Make the new numbers the baseline and list those that moved in CHANGELOG.md
    #[arg(long)]
    pub(crate) update: bool,
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) folders: Folders,
}

impl Check {
    /// Returns the checkout with the baselines: `.ci/smoke` at the profile `smoke`, else the committed results, unless a flag
    /// names a folder.
    pub(crate) fn workspace(&self) -> Workspace {
        let mut workspace = self.folders.workspace();
        if self.profile == ProfileName::Smoke && self.run.is_empty() && workspace.committed.is_some() {
            workspace.committed = Some(workspace.root.join(".ci/smoke"));
        }
        workspace
    }

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
    /// Returns the checkout; with `--update` its committed results are written.
    pub(crate) fn workspace(&self) -> Workspace {
        if self.update { self.folders.committed() } else { self.folders.workspace() }
    }

    pub(crate) fn request(&self) -> Request {
        Request {
            extraction: self.extracted.extraction(),
            accept_messages: self.decoding.accept_messages,
            precision: self.precision.unwrap_or_default(),
            budget: self.budget.first().copied(),
            ..self.question.request()
        }
    }

    /// Returns the request of an exported row, with the flags' values where given.
    pub(crate) fn request_of(&self, own: Request) -> Request {
        let Request {
            profile,
            dataset,
            splits,
            seeds,
            data_seeds,
            budget,
            extraction,
            accept_messages,
            rows,
            ..
        } = self.request();
        let or = |given: Vec<String>, own: Vec<String>| if given.is_empty() { own } else { given };
        Request {
            profile: profile.or(own.profile),
            dataset: dataset.or(own.dataset),
            splits: or(splits, own.splits),
            seeds: seeds.or(own.seeds),
            data_seeds: if data_seeds.is_empty() { own.data_seeds } else { data_seeds },
            budget: budget.or(own.budget),
            extraction: extraction.or(own.extraction),
            accept_messages: accept_messages || own.accept_messages,
            // Another table has other rows.
            rows: if self.tables.is_empty() { or(rows, own.rows) } else { rows },
            from: own.from,
            precision: self.precision.unwrap_or(own.precision),
        }
    }
}

impl Figures {
    pub(crate) fn request(&self) -> Request {
        Request {
            extraction: self.extracted.extraction(),
            accept_messages: self.decoding.accept_messages,
            ..self.question.request()
        }
    }

    pub(crate) fn data_roots(&self) -> DataRoots {
        self.roots.data_roots()
    }
}

impl Prepare {
    /// Returns the runner that prepares, on the CPU. Only the requested data set has a folder.
    pub(crate) fn runner<'a>(
        &self,
        workspace: &'a Workspace,
        request: &'a Request,
        console: &'a Console,
        interrupt: &'a Interrupt,
    ) -> Runner<'a> {
        let dataset = request.dataset.clone().unwrap_or_default();
        let folder = self.data_root.iter().map(|root| (dataset.clone(), root.clone()));
        let data_roots = DataRoots { main: None, named: folder.collect() };
        Runner { data_roots, ..Runner::new(workspace, request, console, interrupt) }
    }

    /// Returns the workspace, the name of the data set in it, and the request.
    pub(crate) fn asked(&self) -> experiment::Result<(Workspace, String, Request)> {
        let mut workspace = self.folders.workspace();
        let dataset = workspace.take_in(&self.dataset)?;
        let request = Request { dataset: Some(dataset.clone()), ..self.request() };
        Ok((workspace, dataset, request))
    }

    fn request(&self) -> Request {
        Request {
            profile: self.scale.profile,
            dataset: Some(self.dataset.clone()),
            data_seeds: self.scale.data_seed.clone(),
            extraction: self.extracted.extraction(),
            accept_messages: self.decoding.accept_messages,
            ..Request::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn predict_says_which_formats_it_reads() {
        use clap::CommandFactory as _;
        let mut command = Cli::command();
        let help = command.find_subcommand_mut("predict").unwrap().render_help().to_string();
        let words: Vec<&str> = help.split([' ', ',', '\n']).collect();
        for format in data::decode::FORMATS.split(',') {
            assert!(words.contains(&format), "{format} in {help}");
        }
    }

    /// Whatever it needs to run.
    #[test]
    fn every_documented_command_can_be_parsed() {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
        let mut parsed = 0;
        for page in testkit::documented::pages(&root) {
            for command in testkit::documented::commands(&page) {
                let Some(words) = command.arguments() else { continue };
                let words = std::iter::once("xtask".to_owned()).chain(words);
                match Cli::try_parse_from(words) {
                    Err(error) if error.use_stderr() => panic!("{}\n{error}", command.place()),
                    _ => parsed += 1,
                }
                assert_eq!(
                    notes(command.words.iter().skip(1).map(Into::into)),
                    Vec::<String>::new(),
                    "{}",
                    command.place()
                );
            }
        }
        assert!(parsed > 40, "only {parsed} commands are documented");
    }
}
