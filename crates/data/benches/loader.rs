//! Training samples a second from cache files: 10 fields of 340x256 as 224x224x20, random start, random
//! crop, flip, mean subtraction, `f32` out.
//!
//! `cargo bench -p data --bench loader`, and `-- --against-python PYTHON` to take turns with a PyTorch
//! `DataLoader` that reads the same clips with OpenCV in the layout of Temporal Segment Networks
//! (`loader_peer.py`); that Python needs `torch` and `opencv-python-headless`.
//!
//! | flag | does |
//! |---|---|
//! | `--clips DIR` | the clips; default `../shared/real/clips/ucf101` beside the checkout |
//! | `--workers N` | threads of ours, processes of Python's; default 2 |
//! | `--batch N` | samples of a batch; default 32 |
//! | `--rounds N` | rounds of each side that count; default 7 |
//! | `--seconds N` | least time of a side's turn; default 2 |
//! | `--pairs N` | largest number of flow fields of each clip; default 90 |
#![expect(clippy::print_stdout, reason = "the table is what a benchmark is for")]

mod loader {
    pub(crate) mod clips;
    pub(crate) mod peer;
}

use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Instant;

use data::augment::Augmentation;
use data::inputs::{FlowStack, Sampling};
use data::loader::{LabelledVideo, TrainConfig, TrainLoader};
use data::sample::SampleSpec;
use loader::clips::{self, Clip, Form};
use loader::peer::Peer;

/// Quality of all JPEG files, ours and those of the peer.
const QUALITY: u8 = 90;
const CROP: usize = 224;
const LENGTH: usize = 10;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

struct Options {
    python: Option<PathBuf>,
    clips: PathBuf,
    workers: usize,
    batch: usize,
    rounds: usize,
    seconds: f64,
    pairs: usize,
}

impl Options {
    fn read(mut args: impl Iterator<Item = String>) -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
        let mut options = Self {
            python: None,
            clips: root.join("../shared/real/clips/ucf101"),
            workers: 2,
            batch: 32,
            rounds: 7,
            seconds: 2.0,
            pairs: 90,
        };
        while let Some(flag) = args.next() {
            // Cargo adds it.
            if flag == "--bench" {
                continue;
            }
            let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
            match flag.as_str() {
                "--against-python" => options.python = Some(value.into()),
                "--clips" => options.clips = value.into(),
                "--workers" => options.workers = value.parse()?,
                "--batch" => options.batch = value.parse()?,
                "--rounds" => options.rounds = value.parse::<usize>()?.max(1),
                "--seconds" => options.seconds = value.parse()?,
                "--pairs" => options.pairs = value.parse()?,
                _ => return Err(format!("{flag} is no flag of this benchmark").into()),
            }
        }
        Ok(options)
    }
}

fn main() -> Result<()> {
    let options = Options::read(std::env::args().skip(1))?;
    if !options.clips.is_dir() {
        println!("skipped: no clips at {} (use --clips DIR)", options.clips.display());
        return Ok(());
    }
    let folder = tempfile::tempdir()?;
    let clips = clips::extract(&options.clips, options.pairs, folder.path(), QUALITY)?;
    let pairs: usize = clips.iter().map(|clip| clip.pairs).sum();
    println!("{} clips, {pairs} flow fields of {}x{}", clips.len(), clips::WIDTH, clips::HEIGHT);

    let mut sides =
        Form::ALL.map(|form| ours(form, &clips, &options)).into_iter().collect::<Result<Vec<_>>>()?;
    if let Some(python) = &options.python {
        let mut peer = Peer::start(python, &clips, &options)?;
        println!("Python: {}", peer.versions);
        let bytes = clips.iter().map(|clip| clip.tsn_bytes).sum::<u64>() / pairs as u64;
        sides.push(Side::new("DataLoader, OpenCV", bytes, Box::new(move |least| peer.run(least))));
    }
    // The first round warms up and does not count.
    for round in 0..=options.rounds {
        for side in &mut sides {
            let rate = (side.run)(options.seconds)?;
            if round > 0 {
                side.rates.push(rate);
            }
        }
    }
    report(&mut sides, &options);
    Ok(())
}

/// One way of making samples.
struct Side {
    name: &'static str,
    /// Bytes of one field on disk.
    bytes: u64,
    /// Makes batches for at least the given seconds and returns the samples per second.
    run: Box<dyn FnMut(f64) -> Result<f64>>,
    rates: Vec<f64>,
}

impl Side {
    fn new(name: &'static str, bytes: u64, run: Box<dyn FnMut(f64) -> Result<f64>>) -> Self {
        Self { name, bytes, run, rates: Vec::new() }
    }
}

fn ours(form: Form, clips: &[Clip], options: &Options) -> Result<Side> {
    let videos: Vec<LabelledVideo> =
        clips.iter().map(|clip| clip.labelled(form)).collect::<std::result::Result<_, _>>()?;
    let (pairs, bytes) = clips
        .iter()
        .fold((0, 0), |(pairs, bytes), clip| (pairs + clip.pairs as u64, bytes + clip.cache_bytes(form)));
    let stack = FlowStack { sampling: Sampling::Stack, length: LENGTH, mean_subtraction: true, scale: 1.0 };
    let config = TrainConfig {
        sample: SampleSpec::single(stack),
        size: (CROP, CROP),
        batch: options.batch,
        places: None,
        augmentation: Augmentation::random_crops(true),
        seed: 1,
        depth: 2,
        workers: options.workers,
    };
    let mut next = 0;
    let run = move |least: f64| {
        // A fresh loader each turn, so that nothing is made while others have their turn.
        let mut loader = TrainLoader::new(videos.clone(), &config, next..u64::MAX)?;
        let mut discard = || -> Result<()> {
            let batch = loader.next().ok_or("the loader ended")??;
            next = batch.iteration + 1;
            loader.recycle(batch);
            Ok(())
        };
        // The first batches are written into fresh memory, which a long training does only once.
        (0..4).try_for_each(|_| discard())?;
        let begun = Instant::now();
        let mut batches = 0;
        // Whole rounds of the workers, because batches may come in bursts.
        while begun.elapsed().as_secs_f64() < least {
            (0..config.workers).try_for_each(|_| discard())?;
            batches += config.workers;
        }
        Ok((batches * config.batch) as f64 / begun.elapsed().as_secs_f64())
    };
    Ok(Side::new(form.name(), bytes / pairs, Box::new(run)))
}

fn report(sides: &mut [Side], options: &Options) {
    println!("batches of {}, {} workers, {} rounds\n", options.batch, options.workers, options.rounds);
    println!("| reader | bytes a field | samples/s (median) | least | most | against Python |");
    println!("|---|---|---|---|---|---|");
    for side in &mut *sides {
        side.rates.sort_by(f64::total_cmp);
    }
    let median = |side: &Side| side.rates[side.rates.len() / 2];
    let python = options.python.as_ref().and_then(|_| sides.last().map(median));
    for side in &*sides {
        let ratio = python.map_or_else(String::new, |python| format!("{:.2}", median(side) / python));
        let (least, most) = (side.rates[0], side.rates[side.rates.len() - 1]);
        let Side { name, bytes, .. } = side;
        println!("| {name} | {bytes} | {:.0} | {least:.0} | {most:.0} | {ratio} |", median(side));
    }
}
