//! Measures our methods and OpenCV's in turns, and prints the tables.

use std::path::PathBuf;
use std::time::Instant;

use flow::endpoint_error;
use tempfile::TempDir;

use crate::generated::Kind;
use crate::opencv::{METHODS, OpenCv, write_pgm};
use crate::{LARGE, Named, SMALL, estimator, methods, real};

/// Number of warm-up rounds, which are not counted.
const WARM: usize = 2;

/// A line of the table.
struct Row {
    name: String,
    errors: Vec<f64>,
    /// Median milliseconds, large pair then small, one thread then two.
    milliseconds: Vec<f64>,
}

impl Row {
    fn new(name: String) -> Self {
        Self { name, errors: Vec::new(), milliseconds: Vec::new() }
    }
}

/// A pair and the files of its pictures for OpenCV.
struct OnDisk {
    pair: Named,
    files: [PathBuf; 2],
}

/// Prints the tables.
///
/// # Panics
/// If Python or OpenCV fails.
pub(crate) fn against_opencv(python: &str, rounds: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let generated: Vec<OnDisk> = Kind::ALL.map(|kind| on_disk(&folder, Named::generated(kind, SMALL))).into();
    let real: Vec<OnDisk> = real::pairs().into_iter().map(|pair| on_disk(&folder, pair)).collect();
    let [large, small] = [LARGE, SMALL].map(|[width, height]| format!("{width}x{height}"));
    let mut rows: Vec<Row> = names().into_iter().map(Row::new).collect();
    let mut opencv = OpenCv::start(python, 2);
    for (title, pairs) in [("real pairs", &real), (&*format!("generated pairs, {small}"), &generated)] {
        rows.iter_mut().for_each(|row| row.errors.clear());
        for pair in pairs {
            rows.iter_mut()
                .zip(errors(&mut opencv, pair, &folder))
                .for_each(|(row, error)| row.errors.push(error));
        }
        print_errors(title, pairs, &rows);
    }
    let version = opencv.version.clone();
    drop(opencv);
    let middle = &generated[Kind::Occlusion as usize];
    let first;
    let timed = match real.first() {
        Some(whale) => [whale, middle],
        None => {
            first = on_disk(&folder, Named::generated(Kind::Occlusion, LARGE));
            [&first, middle]
        }
    };
    for pair in timed {
        for threads in [1, 2] {
            let medians = in_turns(python, pair, threads, rounds);
            rows.iter_mut().zip(medians).for_each(|(row, median)| row.milliseconds.push(median));
        }
    }
    print_times(&rows, [&large, &small], &version, rounds);
}

/// Returns the names of all methods, ours first.
fn names() -> Vec<String> {
    let ours = methods().into_iter().map(|(name, _)| name.to_owned());
    ours.chain(METHODS.map(|name| format!("OpenCV {name}"))).collect()
}

/// Computes the errors of all methods on a pair.
fn errors(opencv: &mut OpenCv, OnDisk { pair, files: [from, to] }: &OnDisk, folder: &TempDir) -> Vec<f64> {
    let mut errors = Vec::new();
    for (_, method) in methods() {
        let field = estimator(method, 2).compute(&pair.from, &pair.to).expect("good pictures");
        errors.push(endpoint_error(&field, &pair.truth).expect("something is known"));
    }
    for name in METHODS {
        opencv.prepare(name, from, to);
        opencv.run(1);
        let field = opencv.field(&folder.path().join("field.flo"));
        errors.push(endpoint_error(&field, &pair.truth).expect("something is known"));
    }
    errors
}

#[expect(clippy::print_stdout, reason = "the tables are what this program is for")]
fn print_errors(title: &str, pairs: &[OnDisk], rows: &[Row]) {
    if pairs.is_empty() {
        return;
    }
    let names: Vec<&str> = pairs.iter().map(|on_disk| on_disk.pair.name.as_str()).collect();
    println!("Mean endpoint error in pixels, {title}:\n");
    println!("| method | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for Row { name, errors, .. } in rows {
        let errors: Vec<String> = errors.iter().map(|error| format!("{error:.3}")).collect();
        println!("| {name} | {} |", errors.join(" | "));
    }
    println!();
}

#[expect(clippy::print_stdout, reason = "the tables are what this program is for")]
fn print_times(rows: &[Row], [large, small]: [&str; 2], version: &str, rounds: usize) {
    println!(
        "Median milliseconds a pair by size and threads, and how many times as long OpenCV's DIS medium and"
    );
    println!("Dual TV-L1 take ({large}, two threads); OpenCV {version}, {rounds} rounds in turns:\n");
    println!(
        "| method | {large}, 1 | {large}, 2 | {small}, 1 | {small}, 2 | DIS medium / it | Dual TV-L1 / it |"
    );
    println!("|---|---|---|---|---|---|---|");
    let of = |name: &str| {
        rows.iter().find(|row| row.name.ends_with(name)).map_or(f64::NAN, |row| row.milliseconds[1])
    };
    for Row { name, milliseconds, .. } in rows {
        let times: Vec<String> = milliseconds.iter().map(|time| format!("{time:.1}")).collect();
        let here = milliseconds[1];
        let [medium, dual] = ["dis-medium", "dual-tv-l1"].map(|peer| of(peer) / here);
        println!("| {name} | {} | {medium:.2} | {dual:.1} |", times.join(" | "));
    }
}

fn on_disk(folder: &TempDir, pair: Named) -> OnDisk {
    let path = |which| folder.path().join(format!("{}-{}-{which}.pgm", pair.name, pair.from.width));
    let files = [path("from"), path("to")];
    write_pgm(&files[0], &pair.from);
    write_pgm(&files[1], &pair.to);
    OnDisk { pair, files }
}

/// Measures the median milliseconds of every method, ours first.
fn in_turns(python: &str, on_disk: &OnDisk, threads: usize, rounds: usize) -> Vec<f64> {
    let OnDisk { pair, files: [from, to] } = on_disk;
    let mut ours: Vec<_> = methods()
        .into_iter()
        .map(|(_, method)| {
            let estimator = estimator(method, threads);
            let workspace = estimator.workspace();
            (estimator, workspace)
        })
        .collect();
    let mut theirs = METHODS.map(|method| {
        let mut peer = OpenCv::start(python, threads);
        peer.prepare(method, from, to);
        peer
    });
    let mut times = vec![Vec::new(); ours.len() + theirs.len()];
    for round in 0..WARM + rounds {
        let mut seconds = Vec::new();
        for (estimator, workspace) in &mut ours {
            // Like the peer, discards the first run of a turn, which has cold caches.
            let mut run = || estimator.compute_with(workspace, &pair.from, &pair.to).expect("good pictures");
            run();
            let begun = Instant::now();
            for _ in 0..2 {
                run();
            }
            seconds.push(begun.elapsed().as_secs_f64() / 2.0);
        }
        for (peer, method) in theirs.iter_mut().zip(METHODS) {
            // A method that takes a second needs no warm-up.
            seconds.push(peer.run(if ["dual-tv-l1", "deepflow"].contains(&method) { 1 } else { 2 }));
        }
        if round >= WARM {
            times.iter_mut().zip(seconds).for_each(|(times, seconds)| times.push(seconds * 1e3));
        }
    }
    times.into_iter().map(median).collect()
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
