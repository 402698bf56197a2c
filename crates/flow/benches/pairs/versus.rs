//! Measures our methods and OpenCV's in turns, and prints the table.

use std::path::PathBuf;
use std::time::Instant;

use flow::endpoint_error;
use tempfile::TempDir;

use crate::generated::Kind;
use crate::opencv::{METHODS, OpenCv, write_pgm};
use crate::{LARGE, Named, SMALL, estimator, methods, rubber_whale};

/// Number of warm-up rounds, which are not counted.
const WARM: usize = 2;

/// A line of the table.
struct Row {
    name: String,
    errors: Vec<f64>,
    /// Median milliseconds, large pair then small, one thread then two.
    milliseconds: Vec<f64>,
}

/// A pair and the files of its pictures for OpenCV.
struct OnDisk {
    pair: Named,
    files: [PathBuf; 2],
}

/// Prints the table.
///
/// # Panics
/// If Python or OpenCV fails.
#[expect(clippy::print_stdout, reason = "the table is what this program is for")]
pub(crate) fn against_opencv(python: &str, rounds: usize) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut pairs: Vec<OnDisk> = Kind::ALL.map(|kind| on_disk(&folder, Named::generated(kind, SMALL))).into();
    let timed = match rubber_whale() {
        Some(real) => {
            pairs.insert(0, on_disk(&folder, real));
            [0, 1 + Kind::Occlusion as usize]
        }
        None => {
            pairs.push(on_disk(&folder, Named::generated(Kind::Occlusion, LARGE)));
            [pairs.len() - 1, Kind::Occlusion as usize]
        }
    };
    let mut opencv = OpenCv::start(python, 2);
    let mut rows: Vec<Row> = Vec::new();
    for (name, method) in methods() {
        let errors = pairs.iter().map(|OnDisk { pair, .. }| {
            let field = estimator(method.clone(), 2).compute(&pair.from, &pair.to).expect("good pictures");
            endpoint_error(&field, &pair.truth).expect("something is known")
        });
        rows.push(Row { name: name.to_owned(), errors: errors.collect(), milliseconds: Vec::new() });
    }
    for name in METHODS {
        let errors = pairs.iter().map(|OnDisk { pair, files: [from, to] }| {
            opencv.prepare(name, from, to);
            opencv.run(1);
            let field = opencv.field(&folder.path().join("field.flo"));
            endpoint_error(&field, &pair.truth).expect("something is known")
        });
        let errors = errors.collect();
        rows.push(Row { name: format!("OpenCV {name}"), errors, milliseconds: Vec::new() });
    }
    let version = opencv.version.clone();
    drop(opencv);
    for index in timed {
        for threads in [1, 2] {
            let medians = in_turns(python, &pairs[index], threads, rounds);
            rows.iter_mut().zip(medians).for_each(|(row, median)| row.milliseconds.push(median));
        }
    }

    let names: Vec<&str> = pairs.iter().map(|on_disk| on_disk.pair.name.as_str()).collect();
    let [large, small] = [LARGE, SMALL].map(|[width, height]| format!("{width}x{height}"));
    println!("Mean endpoint error in pixels (RubberWhale {large}, generated pairs {small}):\n");
    println!("| method | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for Row { name, errors, .. } in &rows {
        let errors: Vec<String> = errors.iter().map(|error| format!("{error:.3}")).collect();
        println!("| {name} | {} |", errors.join(" | "));
    }
    println!(
        "\nMedian milliseconds a pair by size and threads, and how many times as long OpenCV's Dual TV-L1"
    );
    println!("and Farneback take ({large}, two threads); OpenCV {version}, {rounds} rounds in turns:\n");
    println!(
        "| method | {large}, 1 | {large}, 2 | {small}, 1 | {small}, 2 | Dual TV-L1 / it | Farneback / it |"
    );
    println!("|---|---|---|---|---|---|---|");
    let of = |method: usize| rows[methods().len() + method].milliseconds[1];
    for Row { name, milliseconds, .. } in &rows {
        let times: Vec<String> = milliseconds.iter().map(|ms| format!("{ms:.1}")).collect();
        let here = milliseconds[1];
        println!("| {name} | {} | {:.2} | {:.2} |", times.join(" | "), of(0) / here, of(2) / here);
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
            seconds.push(peer.run(if method == "dual-tv-l1" { 1 } else { 2 }));
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
