//! Exports a trained row as a folder: for the Hugging Face hub, for `run --from`, for `predict`.
//!
//! | file | contents |
//! |---|---|
//! | `config.json` | inputs, network and training of each net; the labels; the row's record |
//! | `model.safetensors`, or one file per stream | the weights, under this project's names |
//! | `labels.txt` | one class name per line, in label order |
//! | `README.md` | the model card: the row beside the paper's number, its training and its use |
//!
//! A folder may come from anywhere: file names cannot lead outside it, checksums are verified, and a network takes no more
//! memory than its file of weights allows.

mod card;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base::text::one_line;
use serde::{Deserialize, Serialize};

use crate::files::LARGEST;
use crate::record::{Record, TrainOutcome};
use crate::store::{write_atomic, write_json};
use crate::trained::{Trained, TrainedNet};
use crate::weights::{Hub, NameMap, WeightSource, sha256};
use crate::{Console, Error, Interrupt, Result, Workspace};
use plan::{Protocol, RunName};

/// Name of the file that marks a folder as an export.
pub const CONFIG: &str = "config.json";

/// Version of the format of that file; raised when a field changes its meaning.
const FORMAT: u32 = 1;

/// Maximum size of a file of weights beyond a network's parameters, in bytes.
const SPARE: u64 = 1 << 30;

/// Maximum size of a configuration, in bytes.
const LARGEST_CONFIG: u64 = 64 << 20;

/// The contents of `config.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Config {
    /// The format, [`FORMAT`].
    format: u32,
    /// The networks, as the hub lists them.
    architectures: Vec<String>,
    /// The run of the row, such as `synth-mini`.
    run: String,
    /// Class names by label.
    id2label: BTreeMap<usize, String>,
    /// The split and the seed of the nets.
    split: String,
    seed: u64,
    /// The nets; the record's plan has the fusion of their scores.
    streams: Vec<StreamConfig>,
    /// The row's record.
    record: Record,
}

/// One net.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StreamConfig {
    name: String,
    /// The file of its weights, in the same folder, and its SHA-256.
    weights: String,
    sha256: String,
    protocol: Protocol,
    /// The outcome of its training.
    training: TrainOutcome,
}

impl Config {
    /// Refuses impossible numbers, nets other than those of the record, and classes without a name. It runs before anything
    /// is built from the configuration.
    fn check(&self) -> std::result::Result<(), String> {
        self.record.check()?;
        let recorded = self.record.work.protocols();
        if self.streams.len() != recorded.len() {
            return Err(format!(
                "expected the {} nets of its record, found {}",
                recorded.len(),
                self.streams.len()
            ));
        }
        for (stream, protocol) in self.streams.iter().zip(recorded) {
            if stream.protocol != *protocol {
                return Err(format!("expected {} to be the net of its record, found another", stream.name));
            }
        }
        let names = self.id2label.values().chain(self.streams.iter().map(|stream| &stream.name));
        if let Some(name) =
            names.into_iter().find(|name| name.is_empty() || name.chars().any(char::is_control))
        {
            return Err(format!("expected names without control characters, found `{}`", one_line(name)));
        }
        let (first, last) = (self.id2label.keys().next(), self.id2label.keys().next_back());
        if first != Some(&0) || last != Some(&(self.id2label.len() - 1)) {
            return Err(format!(
                "expected names of classes 0 to {}, found {first:?} to {last:?}",
                self.id2label.len().saturating_sub(1)
            ));
        }
        Ok(())
    }
}

/// Writes a trained row into a folder, which is created, and returns the files.
///
/// # Errors
/// [`Error::Usage`] for a folder with other files, [`Error::File`] if a file cannot be written.
pub fn write(trained: &Trained, folder: &Path, interrupt: &Interrupt) -> Result<Vec<PathBuf>> {
    let foreign = |entry: &std::fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    let is_empty = std::fs::read_dir(folder)
        .map_or(true, |entries| !entries.filter_map(std::result::Result::ok).any(|entry| foreign(&entry)));
    if !is_empty && !folder.join(CONFIG).is_file() {
        return Err(Error::Usage(format!(
            "{} has other files in it; choose a new folder, or one that was exported before",
            folder.display()
        )));
    }
    std::fs::create_dir_all(folder).map_err(Error::io("create", folder))?;
    let mut files = Vec::new();
    let mut streams = Vec::with_capacity(trained.nets.len());
    for net in &trained.nets {
        let name = if trained.nets.len() == 1 {
            "model.safetensors".to_owned()
        } else {
            format!("{}.safetensors", net.name)
        };
        let bytes = base::files::read(&net.weights, LARGEST)?;
        write_atomic(&folder.join(&name), &bytes)?;
        streams.push(StreamConfig {
            name: net.name.clone(),
            sha256: sha256(&folder.join(&name), interrupt)?,
            weights: name.clone(),
            protocol: net.protocol.clone(),
            training: net.training.clone(),
        });
        files.push(folder.join(name));
    }
    let run = &trained.record.runs[trained.run];
    let mut architectures: Vec<String> =
        trained.nets.iter().map(|net| net.protocol.net.model.kind().to_owned()).collect();
    architectures.dedup();
    let config = Config {
        format: FORMAT,
        architectures,
        run: trained.question.to_string(),
        id2label: trained.classes.iter().cloned().enumerate().collect(),
        split: run.split.clone(),
        seed: run.seed,
        streams,
        record: trained.record.clone(),
    };
    let labels: String = trained.classes.iter().map(|class| format!("{class}\n")).collect();
    write_atomic(&folder.join("labels.txt"), labels.as_bytes())?;
    write_atomic(&folder.join("README.md"), card::card(trained).as_bytes())?;
    // Written last, since it marks the folder as an export.
    write_json(&folder.join(CONFIG), &config)?;
    files.extend(["labels.txt", "README.md", CONFIG].map(|file| folder.join(file)));
    Ok(files)
}

/// Returns the table and the request that test these nets again.
pub fn question(trained: &Trained) -> Result<(String, crate::Request)> {
    let sums: Vec<String> =
        trained.nets.iter().map(|net| sha256(&net.weights, &Interrupt::never())).collect::<Result<_>>()?;
    let from = crate::store::hash(&sums)[..8].to_owned();
    let name = RunName { from: Some(from), ..trained.question.clone() };
    // Nets of one split and seed may have been trained on the test videos of other splits.
    let run = &trained.record.runs[trained.run];
    let request = crate::Request {
        splits: vec![run.split.clone()],
        seeds: Some(1),
        rows: vec![trained.record.row.clone()],
        ..name.request()
    };
    Ok((trained.record.table.clone(), request))
}

/// Reads an exported folder.
///
/// # Errors
/// [`Error::Damaged`] for an invalid configuration or weights that do not fit it; [`Error::Usage`] for a wrong checksum.
pub fn open(folder: &Path, interrupt: &Interrupt) -> Result<Trained> {
    let path = folder.join(CONFIG);
    let config = read(&path)?;
    let damaged = |message: String| Error::damaged(&path)(message);
    config.check().map_err(&damaged)?;
    let mut nets = Vec::with_capacity(config.streams.len());
    for stream in &config.streams {
        let weights = folder.join(plain(&stream.weights).map_err(&damaged)?);
        fits(stream, &weights).map_err(&damaged)?;
        let found = sha256(&weights, interrupt)?;
        if found != stream.sha256 {
            return Err(Error::Usage(format!(
                "{}: expected the SHA-256 {}, found {found}; export or download the folder again",
                weights.display(),
                stream.sha256
            )));
        }
        nets.push(TrainedNet {
            name: stream.name.clone(),
            protocol: stream.protocol.clone(),
            seed: config.seed,
            weights,
            training: stream.training.clone(),
        });
    }
    let question: RunName = config.run.parse()?;
    let run =
        config.record.runs.iter().position(|run| (&run.split, run.seed) == (&config.split, config.seed));
    let classes: Vec<String> = config.id2label.into_values().collect();
    let known = |net: &TrainedNet| {
        let heads = net.protocol.net.model.heads();
        heads.first().is_some_and(|&head| head >= classes.len())
    };
    if nets.is_empty() || classes.is_empty() || !nets.iter().all(known) {
        return Err(damaged("expected nets with an output for each of its classes".into()));
    }
    Ok(Trained {
        name: folder.display().to_string(),
        classes,
        nets,
        run: run.ok_or_else(|| damaged("expected the record of its split and seed".into()))?,
        record: config.record,
        question,
    })
}

/// Checks that a file of weights has a plausible size for its network, with room for statistics and names. A small file
/// cannot make the program take much memory, and a file that is too large is not read.
fn fits(stream: &StreamConfig, weights: &Path) -> std::result::Result<(), String> {
    let bytes = std::fs::metadata(weights).map_err(|e| e.to_string())?.len();
    let summary = stream.protocol.net.model.summary().map_err(|e| e.to_string())?;
    let needed = summary.parameters() as u64;
    if needed.saturating_mul(4) > bytes {
        return Err(format!(
            "expected weights for {needed} parameters, found {bytes} bytes in {}",
            weights.display()
        ));
    }
    if bytes > needed.saturating_mul(8).saturating_add(SPARE) {
        return Err(format!(
            "expected weights for {needed} parameters, found {bytes} bytes in {}, which is too many",
            weights.display()
        ));
    }
    Ok(())
}

fn read(path: &Path) -> Result<Config> {
    parse(&base::files::read(path, LARGEST_CONFIG)?).map_err(Error::damaged(path))
}

fn parse(text: &[u8]) -> std::result::Result<Config, String> {
    #[derive(Deserialize)]
    struct Form {
        format: u32,
    }
    let form: Form =
        serde_json::from_slice(text).map_err(|e| format!("expected an exported row, found: {e}"))?;
    if form.format != FORMAT {
        return Err(format!("expected an exported row of format {FORMAT}, found format {}", form.format));
    }
    serde_json::from_slice(text).map_err(|e| format!("expected an exported row, found: {e}"))
}

/// Checks that a file name stays in its folder, and returns it.
fn plain(name: &str) -> std::result::Result<&str, String> {
    let good = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let is_plain = name.chars().all(good) && !name.starts_with('.') && !name.is_empty();
    is_plain.then_some(name).ok_or_else(|| format!("expected a file name without a path, found `{name}`"))
}

/// Opens a row from a folder, or from a repository of the hub, `OWNER/NAME` or `OWNER/NAME@REVISION`, which is downloaded
/// into the cache.
///
/// # Errors
/// As [`open`], and those of a download.
pub fn from(name: &str, workspace: &Workspace, console: &Console, interrupt: &Interrupt) -> Result<Trained> {
    let folder = Path::new(name);
    if folder.is_dir() {
        return open(folder, interrupt);
    }
    let (repository, revision) = name.split_once('@').unwrap_or((name, "main"));
    if repository.split('/').count() != 2 || name.starts_with(['.', '/']) {
        return Err(Error::Usage(format!(
            "`{name}` is not a folder; expected one that `cargo xtask export` wrote, or OWNER/NAME of a repository on the hub"
        )));
    }
    let source = |file: &str, sha256: &str| WeightSource {
        repository: repository.to_owned(),
        revision: revision.to_owned(),
        file: file.to_owned(),
        sha256: sha256.to_owned(),
        names: NameMap::Native,
    };
    let hub = Hub::from_env()?;
    // The configuration has the checksums of all other files, and is itself identified by its hash.
    let text = hub.read(&source(CONFIG, &"0".repeat(64)), LARGEST_CONFIG, interrupt)?;
    let config = parse(&text).map_err(Error::damaged(name))?;
    let key = blake3::hash(&text).to_hex()[..16].to_owned();
    let folder = workspace.cache.join("weights").join("rows").join(key);
    for stream in &config.streams {
        let name = plain(&stream.weights).map_err(Error::damaged(name))?;
        let file = hub.fetch(&source(name, &stream.sha256), &workspace.cache, console, interrupt)?;
        let bytes = base::files::read(&file, LARGEST)?;
        write_atomic(&folder.join(name), &bytes)?;
    }
    write_atomic(&folder.join(CONFIG), &text)?;
    Ok(Trained { name: name.to_owned(), ..open(&folder, interrupt)? })
}
