//! Flags that several commands have.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use experiment::{DataRoots, DeviceChoice, Extraction, Precision, Request, Workspace};
use plan::spec::ProfileName;
use slurm::config::{Config, SlurmConfig};

/// Folders of real videos.
#[derive(Debug, Args)]
pub(crate) struct Roots {
    /// Folder of the real videos: DIR for the table's data set, NAME=DIR for the data set NAME
    #[arg(long, value_name = "[NAME=]DIR", num_args = 1..)]
    data_root: Vec<DataRoot>,
}

impl Roots {
    pub(crate) fn data_roots(&self) -> DataRoots {
        let mut roots = DataRoots::default();
        for DataRoot { name, folder } in &self.data_root {
            match name {
                Some(name) => _ = roots.named.insert(name.clone(), folder.clone()),
                None => roots.main = Some(folder.clone()),
            }
        }
        roots
    }
}

/// The processor, or a GPU.
#[derive(Debug, Args)]
pub(crate) struct Where {
    /// Device for networks and TV-L1 flow: cpu, cuda, or cuda:N for GPU number N
    #[arg(long, value_name = "DEVICE", default_value = "cpu", value_parser = device)]
    pub(crate) device: DeviceChoice,
}

fn device(text: &str) -> Result<DeviceChoice, String> {
    text.parse().map_err(|error: experiment::Error| error.to_string())
}

pub(super) fn precision(text: &str) -> Result<Precision, String> {
    match text {
        "fp32" => Ok(Precision::Fp32),
        "tf32" => Ok(Precision::Tf32),
        _ => Err(format!("expected fp32 or tf32, found `{text}`")),
    }
}

/// `DIR`, or `NAME=DIR`.
#[derive(Debug, Clone)]
struct DataRoot {
    name: Option<String>,
    folder: PathBuf,
}

impl std::str::FromStr for DataRoot {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        // A folder whose path holds a `=` before any `/` is taken for a name; `./a=b` is a folder.
        let name =
            |name: &&str| name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') && !name.is_empty();
        Ok(match text.split_once('=').filter(|(before, _)| name(before)) {
            Some((name, folder)) => Self { name: Some(name.to_owned()), folder: folder.into() },
            None => Self { name: None, folder: text.into() },
        })
    }
}

/// The scale, and the data seed of a generated data set.
#[derive(Debug, Args)]
pub(crate) struct Scale {
    /// Scale: paper, midi, mini or smoke [default: mini]
    #[arg(long)]
    pub(crate) profile: Option<ProfileName>,
    /// Data seeds of a generated data set, one for each draw, such as 201,202,203
    #[arg(long, value_name = "N", value_delimiter = ',')]
    pub(crate) data_seed: Vec<u64>,
}

/// Frames and flow that another program has extracted.
#[derive(Debug, Args)]
pub(crate) struct Extracted {
    /// Read frames and flow that TSN's tools or dense_flow have extracted to the data root; the flow's bytes 0 to 255 stand
    /// for -BOUND to BOUND pixels
    #[arg(long, value_name = "BOUND", value_parser = bound, allow_negative_numbers = true)]
    extracted_bound: Option<Extraction>,
    /// Use extracted flow without comparing it with the frames
    #[arg(long, requires = "extracted_bound")]
    unchecked_flow: bool,
}

impl Extracted {
    pub(super) fn extraction(&self) -> Option<Extraction> {
        self.extracted_bound.map(|extraction| Extraction { check: !self.unchecked_flow, ..extraction })
    }
}

fn bound(text: &str) -> Result<Extraction, String> {
    let pixels: f32 = text.parse().map_err(|_| format!("expected a number of pixels, found `{text}`"))?;
    Extraction::new(pixels).map_err(|e| e.to_string())
}

/// Videos that decode with messages.
#[derive(Debug, Args)]
pub(crate) struct Decoding {
    /// Take videos in which ffmpeg reports errors, with their frames as they are; the output and the records count them
    #[arg(long)]
    pub(crate) accept_messages: bool,
}

/// The part of a table to run, and the data set.
#[derive(Debug, Args)]
pub(crate) struct Question {
    /// Data set to use in place of the profile's own: its name, or the TOML file or folder of your own videos
    #[arg(long, value_name = "NAME")]
    pub(crate) dataset: Option<String>,
    #[command(flatten)]
    pub(crate) scale: Scale,
    /// Run only these rows
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(crate) row: Vec<String>,
    /// Number of training seeds for each row
    #[arg(long, value_name = "N")]
    pub(crate) seeds: Option<usize>,
    /// Run only these splits of the data set
    #[arg(long, value_name = "NAME", num_args = 1..)]
    pub(crate) split: Vec<String>,
}

impl Question {
    pub(crate) fn request(&self) -> Request {
        Request {
            profile: self.scale.profile,
            dataset: self.dataset.clone(),
            splits: self.split.clone(),
            seeds: self.seeds,
            data_seeds: self.scale.data_seed.clone(),
            budget: None,
            rows: self.row.clone(),
            extraction: None,
            accept_messages: false,
            from: None,
            precision: Precision::Fp32,
        }
    }
}

/// Folders of results and of the cache.
#[derive(Debug, Default, Args)]
pub(crate) struct Folders {
    /// Folder of records and tables [default: runs/, with the committed results/ read beside it]
    #[arg(long, alias = "out", value_name = "DIR")]
    results: Option<PathBuf>,
    /// Folder of frames, flow, checkpoints, weights and scores [default: .cache/]
    #[arg(long, value_name = "DIR")]
    cache: Option<PathBuf>,
}

impl Folders {
    /// Returns the checkout. New records go to `runs/`, which git ignores, unless a flag names a folder.
    pub(crate) fn workspace(&self) -> Workspace {
        let mut workspace = self.committed();
        if self.results.is_none() {
            workspace.committed = Some(workspace.results);
            workspace.results = workspace.root.join("runs");
        }
        workspace
    }

    /// Returns the checkout with its committed records as the results, unless a flag names a folder.
    pub(crate) fn committed(&self) -> Workspace {
        let root = checkout();
        let mut workspace = Workspace::new(root.canonicalize().unwrap_or(root));
        if let Some(results) = &self.results {
            workspace.results = results.clone();
        }
        if let Some(cache) = &self.cache {
            workspace.cache = cache.clone();
        }
        workspace
    }
}

/// Returns the checkout: the one that `XTASK_CHECKOUT` names, or else the one around the current folder, or else the one that
/// the program was built from. A program that was copied, or whose checkout was moved, so works on what is there.
#[expect(clippy::disallowed_methods, reason = "a user who stands in a checkout means that one")]
fn checkout() -> PathBuf {
    let is_checkout = |folder: &Path| folder.join("experiments").is_dir() && folder.join("datasets").is_dir();
    let around = || {
        let here = std::env::current_dir().ok()?;
        here.ancestors().find(|folder| is_checkout(folder)).map(Path::to_path_buf)
    };
    let named = std::env::var_os("XTASK_CHECKOUT").map(PathBuf::from);
    named.or_else(around).unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(".."))
}

/// The engine that runs units of work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum EngineName {
    /// This process.
    Local,
    /// Jobs of a cluster.
    Slurm,
}

/// Flags of the engine.
#[derive(Debug, Args)]
pub(crate) struct Engine {
    /// Run the work in this process (local) or as jobs of a Slurm cluster (slurm) [default: local]
    #[arg(long, value_enum, value_name = "NAME")]
    engine: Option<EngineName>,
    /// File with the cluster's settings in [engine.slurm] [default: ~/.config/xtask/config.toml, if it exists]
    #[arg(long, value_name = "FILE", requires = "engine")]
    config: Option<PathBuf>,
    /// Return once the jobs are submitted
    #[arg(long, requires = "engine", conflicts_with = "dry_run")]
    detach: bool,
}

impl Engine {
    /// Returns the settings of the cluster if jobs do the work.
    pub(crate) fn slurm(&self) -> experiment::Result<Option<SlurmConfig>> {
        match self.engine.unwrap_or(EngineName::Local) {
            EngineName::Slurm => Ok(Some(Config::load(self.config.as_deref())?.engine.slurm)),
            EngineName::Local if self.detach => Err(experiment::Error::Usage(
                "--detach leaves work to jobs; use it with --engine slurm".into(),
            )),
            EngineName::Local => Ok(None),
        }
    }

    pub(crate) fn detach(&self) -> bool {
        self.detach
    }
}
