//! Tests of the main job at smoke scale, as a user runs it: the binary, its exit codes
//! and its files.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

mod support;

use std::path::Path;
use std::process::Output;
use std::time::Duration;

use support::{Place, assert_ok, text};

/// A finished table has all its rows, the verdicts, and a `table.md`; the
/// same command again answers from the records; another place gives exactly the
/// same numbers.
#[test]
fn the_same_command_gives_the_same_table() {
    let (one, two) = (Place::new(), Place::new());
    let first = one.smoke(&[]);
    assert_ok(&first);
    let table = text(&first.stdout);
    for expected in ["73.9", "80.4", "79.9", "81.0", "79.6", "80.2", "81.2", "95 % interval", "28 of 28"] {
        assert!(table.contains(expected), "{expected} is not in\n{table}");
    }
    assert!(!table.contains("not run"), "{table}");
    assert_eq!(one.numbers().len(), 9 + 1, "nine rows, and the verdicts");
    let markdown =
        std::fs::read_to_string(one.path("results/two-stream/table1b/synth-smoke/table.md")).unwrap();
    assert!(markdown.contains("| stack-10-on"), "{markdown}");

    let again = one.smoke(&[]);
    assert_ok(&again);
    assert_eq!(text(&again.stdout), table);
    let said = text(&again.stderr);
    assert!(said.lines().count() == 1 && said == "9 networks: 0 trained, 9 reused\n", "{said}");

    assert_ok(&two.smoke(&[]));
    assert_eq!(one.numbers(), two.numbers());
}

/// ST-ResNet: its claims are listed by the table's name, and its pictures show it beside its streams.
#[test]
fn a_table_with_a_name_runs() {
    let place = Place::new();
    let output = place.command(&["run", "results", "--profile", "smoke"]).output().unwrap();
    assert_ok(&output);
    assert!(text(&output.stdout).contains("82.29"), "the paper's decimals");
    let listed = place.command(&["list", "--claims", "--run", "synth-smoke"]).output().unwrap();
    assert_ok(&listed);
    let listed = text(&listed.stdout);
    let judged = listed.lines().filter(|line| line.contains("st-resnet/results") && !line.contains("| - "));
    assert_eq!(judged.count(), 12, "{listed}");
    let drawn = place.command(&["figures", "results", "--profile", "smoke"]).output().unwrap();
    assert_ok(&drawn);
    let drawn = text(&drawn.stdout);
    for file in
        ["st-resnet-ucf101-streams.svg", "st-resnet-ucf101-motion-filters.svg", "motion-hmdb51-input.svg"]
    {
        assert!(drawn.contains(file), "{file} is not in\n{drawn}");
    }
}

/// The pyramid network: levels over several snippets, streams that start from other tables' rows, and its pictures.
#[test]
fn the_pyramid_runs() {
    let place = Place::new();
    let tables = ["snippets", "attention", "stacking", "comparison"];
    let output = place.command(&[&["run"], &tables[..], &["--profile", "smoke"]].concat()).output().unwrap();
    assert_ok(&output);
    let table = text(&output.stdout);
    assert!(!table.contains("not run │") && !table.contains("n/a"), "{table}");
    for reported in ["89.3", "86.6", "94.6", "94.0"] {
        assert!(table.contains(reported), "{reported} is not in\n{table}");
    }
    assert!(text(&output.stderr).contains("15 networks: "), "{}", text(&output.stderr));
    let drawn = place.command(&["figures", "stacking", "--profile", "smoke"]).output().unwrap();
    assert_ok(&drawn);
    let drawn = text(&drawn.stdout);
    for file in [
        "embedding.svg",
        "pyramid-attention.svg",
        "pyramid-spatial-filters.png",
        "pyramid-temporal-filters.svg",
    ] {
        assert!(drawn.contains(file), "{file} is not in\n{drawn}");
    }
}

/// The other tables of the paper: every row is run, and its pictures can be drawn.
#[test]
fn every_table_runs() {
    let place = Place::new();
    let tables = ["table1a", "table2", "table3", "table4"];
    let output = place.command(&[&["run"], &tables[..], &["--profile", "smoke"]].concat()).output().unwrap();
    assert_ok(&output);
    let table = text(&output.stdout);
    for unwanted in ["not run │", "failed", "n/a"] {
        assert!(!table.contains(unwanted), "{unwanted} is in\n{table}");
    }
    assert!(table.contains("claims undecided: "), "{table}");
    for quoted in ["85.9", "57.2", "66.8", "22.8", "65.4"] {
        assert!(table.contains(quoted), "{quoted} is not in\n{table}");
    }

    let listed = place.command(&["list", "--claims", "--run", "synth-smoke"]).output().unwrap();
    assert_ok(&listed);
    let listed = text(&listed.stdout);
    assert!(listed.contains("| two-stream/table3") && listed.contains("synth-smoke: "), "{listed}");
    let unknown = place.command(&["list", "--claims", "--run", "synth-smok"]).output().unwrap();
    assert!(text(&unknown.stderr).contains("there are: synth-smoke"), "{}", text(&unknown.stderr));

    let drawn = place.command(&["figures", "table3", "--profile", "smoke"]).output().unwrap();
    assert_ok(&drawn);
    let files: Vec<_> = text(&drawn.stdout).lines().map(std::path::PathBuf::from).collect();
    let drawn = |name: &str| files.iter().any(|file| file.ends_with(name) && file.is_file());
    for name in [
        "loss.svg",
        "streams.svg",
        "spatial-filters.png",
        "temporal-filters.svg",
        "temporal-input.svg",
        "multi-task-svm-recall.svg",
        "multi-task-svm-confusion.svg",
    ] {
        assert!(drawn(name), "{name} is not among {files:?}");
    }
}

#[test]
fn pictures_need_finished_rows() {
    refused(
        &["figures", "table3", "--profile", "smoke"],
        2,
        &["nothing to draw", "cargo xtask run two-stream/table3"],
    );
}

/// A run that is killed with SIGKILL in the middle of training and started again
/// gives the numbers of an undisturbed run.
#[test]
fn a_killed_run_goes_on_to_the_same_numbers() {
    let calm = Place::new();
    let row = ["--row", "stack-5-on", "--checkpoint-every", "0"];
    assert_ok(&calm.smoke(&row));
    // On a busy machine a run may end before it is seen to have a checkpoint.
    let killed = (0..20).find_map(|_| killed_midway(&row)).unwrap();
    assert_ok(&killed.smoke(&row));
    assert_eq!(calm.numbers(), killed.numbers());
}

/// A place in which a run was killed while it had a checkpoint and no record; `None` if it ended before.
fn killed_midway(row: &[&str]) -> Option<Place> {
    let place = Place::new();
    let arguments = [&["run", "table1b", "--profile", "smoke"], row].concat();
    let mut child = place.command(&arguments).stderr(std::process::Stdio::null()).spawn().unwrap();
    while !has_checkpoint(&place.path("cache/units")) {
        if child.try_wait().unwrap().is_some() {
            return None;
        }
        pause();
    }
    child.kill().unwrap();
    child.wait().unwrap();
    (!place.path("results/two-stream/table1b/synth-smoke/stack-5-on.json").exists()).then_some(place)
}

fn has_checkpoint(units: &Path) -> bool {
    std::fs::read_dir(units).is_ok_and(|mut entries| {
        entries.any(|entry| entry.is_ok_and(|e| e.path().join("checkpoint.safetensors").exists()))
    })
}

#[expect(clippy::disallowed_methods, reason = "the file comes from another process, so it must be polled")]
fn pause() {
    std::thread::sleep(Duration::from_millis(1));
}

/// Two processes at the same time share the work; nothing is done twice.
#[test]
fn two_processes_share_the_units() {
    let place = Place::new();
    let arguments = ["run", "table1b", "--profile", "smoke", "--row", "single-on", "stack-5-on"];
    let children: Vec<_> = (0..2)
        .map(|_| {
            place
                .command(&arguments)
                .stdout(std::process::Stdio::piped())
                .stderr(std::process::Stdio::piped())
                .spawn()
                .unwrap()
        })
        .collect();
    let outputs: Vec<Output> = children.into_iter().map(|c| c.wait_with_output().unwrap()).collect();
    outputs.iter().for_each(assert_ok);
    assert_eq!(text(&outputs[0].stdout), text(&outputs[1].stdout));
    let units = std::fs::read_dir(place.path("cache/units")).unwrap().count();
    assert_eq!(units, 4, "two rows have two training and two test units");
}

/// Checks the exit code and message of a request that cannot be met.
#[track_caller]
fn refused(arguments: &[&str], code: i32, expected: &[&str]) {
    let place = Place::new();
    let output = place.command(arguments).output().unwrap();
    let message = text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{message}");
    for part in expected {
        assert!(message.contains(part), "`{part}` is not in: {message}");
    }
    assert!(!message.contains("panicked"), "{message}");
}

#[test]
fn a_misspelt_table_is_suggested() {
    refused(&["run", "tabel1b"], 2, &["unknown table `tabel1b`", "did you mean `table1b`?"]);
}

#[test]
fn a_misspelt_row_is_suggested() {
    refused(
        &["run", "table1b", "--row", "stack-10-onn"],
        2,
        &["no row `stack-10-onn`", "did you mean `stack-10-on`?", "bi-directional-10-on"],
    );
}

#[test]
fn an_unknown_data_set_is_named() {
    refused(&["run", "table1b", "--dataset", "weissmann"], 2, &["did you mean `weizmann`?"]);
}

#[test]
fn a_missing_data_root_says_what_is_expected() {
    refused(&["run", "table1b", "--dataset", "weizmann"], 3, &["weizmann", "--data-root"]);
    refused(
        &["run", "table1b", "--dataset", "weizmann", "--data-root", "/no/such/folder"],
        3,
        &["weizmann", "/no/such/folder"],
    );
}

#[test]
fn a_data_root_that_nothing_reads_is_refused() {
    refused(&["run", "table1b", "--data-root", "/tmp"], 2, &["synth", "generated", "leave --data-root out"]);
    refused(&["run", "table1b", "--data-root", "hmdb=/tmp"], 2, &["unknown data set `hmdb`", "hmdb51"]);
    refused(&["run", "table1b", "--extracted-bound", "20"], 2, &["--extracted-bound", "synth", "generated"]);
}

#[test]
fn an_unknown_split_is_named() {
    refused(&["run", "table1b", "--split", "9"], 2, &["no split `9`", "1, 2, 3"]);
}

#[test]
fn a_data_seed_makes_no_sense_for_real_videos() {
    refused(&["run", "table1b", "--dataset", "ucf101", "--data-seed", "3"], 2, &["real videos"]);
}

#[test]
fn a_results_folder_that_cannot_be_written_stops_before_any_work() {
    let place = Place::new();
    // A file in place of the folder also stops the superuser.
    std::fs::write(place.path("results"), "in the way").unwrap();
    let output = place.smoke(&[]);
    assert_eq!(output.status.code(), Some(1));
    let message = text(&output.stderr);
    assert!(message.contains("cannot write") && message.contains("results"), "{message}");
    assert!(!place.path("cache/units").exists(), "no unit was begun");
}

/// A dry run at the paper's scale prints the plan; no video is needed.
#[test]
fn the_paper_profile_is_the_papers() {
    let place = Place::new();
    let output = place
        .command(&["run", "table1b", "--profile", "paper", "--dry-run", "--row", "stack-10-on"])
        .output()
        .unwrap();
    assert_ok(&output);
    let plan = text(&output.stdout);
    for expected in [
        "20 x 224x224",
        "80,000 iterations of 256 videos",
        "1e-2, 1e-3 from iteration 50,000, 1e-4 from iteration 70,000",
        "90,707,781",
        "2.61",
        "25 frames x 10 crops",
        "9537 training and 3783 test videos",
        "101 classes",
    ] {
        assert!(plan.contains(expected), "`{expected}` is not in\n{plan}");
    }
}

/// The README counts the committed verdicts; no number in it is typed by hand.
#[test]
fn the_readme_counts_the_committed_verdicts() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let readme = std::fs::read_to_string(root.join("README.md")).unwrap();
    let listed = experiment::list::listed(&experiment::Workspace::new(&root)).unwrap();
    for (paper, run) in [
        ("two-stream", "synth-mini.data-seed-103.seeds-3"),
        ("st-resnet", "synth-mini.data-seed-104"),
        ("pyramid", "synth-mini.data-seed-105"),
        ("siamese", "synth-views-mini.data-seed-107"),
    ] {
        let runs = listed.iter().filter(|table| table.table.starts_with(paper)).flat_map(|table| &table.runs);
        let verdicts: Vec<_> =
            runs.filter(|listed| listed.name == run).map(|listed| &listed.verdicts).collect();
        let count = |verdict: &str| verdicts.iter().filter_map(|of| of.get(verdict)).sum::<usize>();
        let all: usize = verdicts.iter().flat_map(|of| of.values()).sum();
        let cell = match count("contradicted") {
            0 => format!("| {} of {all} |", count("holds")),
            contradicted => format!("| {} of {all}; {contradicted} contradicted |", count("holds")),
        };
        let line = readme.lines().find(|line| line.contains(&format!("(docs/{paper}.md)"))).unwrap();
        assert!(line.contains(&cell), "README.md says of {paper} other than `{cell}`: {line}");
    }
}
