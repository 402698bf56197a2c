//! Tests of the commands on finished tables: compare, check, export, test again, predict.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::{Place, assert_ok, text};
use testkit::clip::draw;

const ROWS: [&str; 3] = ["--row", "single-on", "stack-5-on"];

/// Creates a place where two rows are finished.
fn finished() -> Place {
    let place = Place::new();
    assert_ok(&place.smoke(&ROWS));
    place
}

fn record(place: &Place, row: &str) -> PathBuf {
    place.path(&format!("results/two-stream/table1b/synth-smoke/{row}.json"))
}

/// Changes a record, so that it is the baseline of another version of the program.
fn rewrite(path: &Path, change: impl FnOnce(&mut Value)) {
    let mut record: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    change(&mut record);
    std::fs::write(path, serde_json::to_vec(&record).unwrap()).unwrap();
}

fn check(place: &Place, more: &[&str]) -> Output {
    let arguments = [&["check", "table1b", "--profile", "smoke"], &ROWS[..], more].concat();
    place.command(&arguments).output().unwrap()
}

#[test]
fn an_unchanged_program_passes_its_check() {
    let place = finished();
    let before = place.numbers();
    for _ in 0..2 {
        let output = check(&place, &[]);
        assert_ok(&output);
        let said = text(&output.stdout);
        assert!(said.contains("2 rows: 2 identical"), "{said}");
        // It trained again and left nothing behind.
        assert!(text(&output.stderr).contains("single-on: "), "{}", text(&output.stderr));
    }
    assert_eq!(place.numbers(), before, "a check writes nothing");
}

#[test]
fn a_training_that_began_otherwise_has_moved() {
    let place = finished();
    rewrite(&record(&place, "stack-5-on"), |record| {
        let loss = &mut record["runs"][0]["stages"][0]["training"]["loss"][0][1];
        *loss = Value::from(loss.as_f64().unwrap() * 1.01);
    });
    let output = check(&place, &[]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    for expected in ["MOVED", "1 identical, 1 moved", "the loss of iterations 1 to 1 was"] {
        assert!(said.contains(expected), "`{expected}` is not in\n{said}");
    }
}

#[test]
fn answers_that_turned_have_moved_unless_they_are_few() {
    let place = finished();
    let turned = |digits: &str| {
        // The numbers of a record follow from its answers.
        let right: u32 = digits.chars().map(|digit| digit.to_digit(16).unwrap().count_ones()).sum();
        let top1 = 100.0 * f64::from(right) / 28.0;
        rewrite(&record(&place, "single-on"), |record| {
            record["runs"][0]["right"] = Value::from(format!("28:{digits}"));
            record["runs"][0]["top1"] = Value::from(top1);
            record["top1"] = serde_json::json!({ "value": top1, "low": top1, "high": top1 });
            record["confusion"] = serde_json::json!({});
        });
        let output = check(&place, &["--json"]);
        let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
        let row = checked["tables"][0]["rows"][0].clone();
        (output.status.code(), row["verdict"].clone(), row["by"].clone())
    };
    assert_eq!(turned("fffffff"), (Some(1), "moved".into(), "pairs".into()), "all were right once");
    let own: Value =
        serde_json::from_slice(&std::fs::read(record(&finished(), "single-on")).unwrap()).unwrap();
    let own = own["runs"][0]["right"].as_str().unwrap()[3..].to_owned();
    let last = if own.ends_with('0') { '1' } else { '0' };
    let one_video = format!("{}{last}", &own[..6]);
    assert_eq!(turned(&one_video), (Some(0), "within".into(), "pairs".into()));
}

#[test]
fn a_baseline_that_contradicts_itself_is_no_baseline_to_pass() {
    let place = finished();
    for (change, expected) in [
        ("right", "videos are right, expected top1"),
        ("top1", "videos are right, expected top1"),
        ("split", "expected"),
    ] {
        let path = record(&place, "single-on");
        let whole = std::fs::read(&path).unwrap();
        rewrite(&path, |record| match change {
            "right" => record["runs"][0]["right"] = Value::from("28:fffffff"),
            "top1" => record["runs"][0]["top1"] = Value::from(99.0),
            _ => record["runs"][0]["split"] = Value::from(7),
        });
        let output = check(&place, &[]);
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("FAILED") && said.contains(expected), "{said}");
        std::fs::write(&path, whole).unwrap();
    }
}

#[test]
fn a_changed_plan_is_told_from_a_moved_number_and_can_become_the_baseline() {
    let place = finished();
    rewrite(&record(&place, "single-on"), |record| {
        record["work"]["net"]["train"]["momentum"] = Value::from(0.8);
        record["runs"][0]["stages"][0]["training"]["loss"][0][1] = Value::from(9.0);
    });
    let output = check(&place, &[]);
    assert_ok(&output);
    let said = text(&output.stdout);
    for expected in
        ["1 change ", "single-on: work.net.train.momentum was 0.8, now 0.9", "1 within their noise"]
    {
        assert!(said.contains(expected), "`{expected}` is not in\n{said}");
    }
    let updated = check(&place, &["--update"]);
    assert_ok(&updated);
    // These are not the project's own results, so their news is only printed.
    let news = text(&updated.stderr);
    assert!(
        news.contains("single-on.json") && news.contains("- two-stream/table1b (synth-smoke): single-on"),
        "{news}"
    );
    let again = check(&place, &[]);
    assert!(text(&again.stdout).contains("2 identical"), "{}", text(&again.stdout));
}

#[test]
fn a_check_without_a_baseline_says_what_to_do() {
    let place = Place::new();
    let output = place.command(&["check", "table1b", "--profile", "smoke"]).output().unwrap();
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(
        said.contains("no results of two-stream/table1b at the profile") && said.contains("cargo xtask run"),
        "{said}"
    );
    let unknown = place.command(&["check", "--run", "synth-smoky"]).output().unwrap();
    assert!(
        text(&unknown.stderr).contains("no results are committed as `synth-smoky`"),
        "{}",
        text(&unknown.stderr)
    );
}

/// An exported row that is tested again gives the same answers without training.
#[test]
fn an_exported_row_is_tested_to_the_same_answers() {
    let place = finished();
    let folder = place.path("row");
    let folder = folder.to_str().unwrap();
    let export = ["export", "--run", "table1b/stack-5-on", folder];
    assert_ok(&place.command(&export).output().unwrap());
    for file in ["model.safetensors", "config.json", "labels.txt"] {
        assert!(place.path("row").join(file).is_file(), "{file}");
    }
    let card = std::fs::read_to_string(place.path("row/README.md")).unwrap();
    assert!(
        card.starts_with("---\n") && card.contains("| Optical flow stacking (L = 5) |  80.4 |"),
        "{card}"
    );

    let output = place.command(&["run", "--from", folder]).output().unwrap();
    assert_ok(&output);
    assert!(text(&output.stderr).contains("1 network: 0 trained, 1 reused"), "{}", text(&output.stderr));
    let runs = std::fs::read_dir(place.path("results/two-stream/table1b")).unwrap();
    let run =
        runs.map(|run| run.unwrap().path()).find(|run| run.to_string_lossy().contains("synth-smoke.from-"));
    let right = |path: &Path| {
        let record: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        record["runs"][0]["right"].clone()
    };
    assert_eq!(right(&run.unwrap().join("stack-5-on.json")), right(&record(&place, "stack-5-on")));

    let other = place.command(&["run", "table1b", "--from", folder, "--row", "single-on"]).output().unwrap();
    let said = text(&other.stderr);
    assert_eq!(other.status.code(), Some(2), "{said}");
    assert!(said.contains("no requested row has a net with the plan of these weights"), "{said}");

    let weights = place.path("row/model.safetensors");
    let mut bytes = std::fs::read(&weights).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    std::fs::write(&weights, bytes).unwrap();
    let damaged = place.command(&["run", "--from", folder]).output().unwrap();
    assert!(text(&damaged.stderr).contains("expected the SHA-256"), "{}", text(&damaged.stderr));
}

/// Serves the files of a folder as the hub serves a repository `someone/row`, and returns the address.
fn hub(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut line = String::new();
            let mut request = BufReader::new(stream.try_clone().unwrap());
            request.read_line(&mut line).unwrap();
            let mut header = String::new();
            while request.read_line(&mut header).unwrap() > 2 {
                header.clear();
            }
            let asked = line.split(' ').nth(1).unwrap_or_default();
            let body = asked
                .strip_prefix("/someone/row/resolve/main/")
                .and_then(|file| std::fs::read(folder.join(file)).ok());
            let (status, body) = body.map_or(("404 Not Found", Vec::new()), |body| ("200 OK", body));
            let head =
                format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).unwrap();
            stream.write_all(&body).unwrap();
        }
    });
    address
}

#[test]
fn a_row_comes_from_the_hub() {
    let place = finished();
    let folder = place.path("row");
    let export = ["export", "--run", "table1b/single-on", folder.to_str().unwrap()];
    assert_ok(&place.command(&export).output().unwrap());
    let address = hub(folder);
    let run = |name: &str| {
        let mut command = place.command(&["run", "--from", name]);
        command.env("HF_ENDPOINT", &address).output().unwrap()
    };
    let output = run("someone/row");
    assert_ok(&output);
    assert!(text(&output.stdout).contains("single-on"), "{}", text(&output.stdout));
    let missing = run("someone/else");
    let said = text(&missing.stderr);
    assert!(!missing.status.success() && said.contains("someone/else") && said.contains("404"), "{said}");
    let nothing = run("no-folder");
    assert_eq!(nothing.status.code(), Some(2));
    assert!(text(&nothing.stderr).contains("`no-folder` is not a folder"), "{}", text(&nothing.stderr));
}

/// Exported folders may come from anyone.
#[test]
fn a_hostile_export_is_refused() {
    let place = finished();
    let folder = place.path("row");
    let name = folder.to_str().unwrap().to_owned();
    assert_ok(&place.command(&["export", "--run", "table1b/single-on", &name]).output().unwrap());
    let config = folder.join("config.json");
    let whole = std::fs::read(&config).unwrap();
    let refused = |change: &dyn Fn(&mut Value), expected: &str| {
        std::fs::write(&config, &whole).unwrap();
        rewrite(&config, change);
        let output = place.command(&["run", "--from", &name]).output().unwrap();
        let said = text(&output.stderr);
        assert!(!output.status.success() && said.contains(expected) && !said.contains("panicked"), "{said}");
    };
    refused(&|c| c["streams"][0]["weights"] = "../../secret".into(), "expected a file name without a path");
    refused(&|c| c["streams"][0]["weights"] = "/etc/passwd".into(), "expected a file name without a path");
    refused(&|c| c["streams"] = Value::Array(Vec::new()), "expected the 1 nets of its record, found 0");
    refused(
        &|c| c["streams"][0]["protocol"]["net"]["data"] = Value::Array(Vec::new()),
        "to be the net of its record, found another",
    );
    refused(&|c| c["id2label"]["3"] = "walk\u{1b}[2J".into(), "without control characters");
    refused(&|c| _ = c["id2label"].as_object_mut().unwrap().remove("3"), "expected names of classes 0 to");
    // The same change in protocol and record.
    let twice = |change: &'static dyn Fn(&mut Value)| {
        move |config: &mut Value| {
            change(&mut config["streams"][0]["protocol"]["net"]);
            change(&mut config["record"]["work"]["net"]);
        }
    };
    refused(&twice(&|net| net["data"] = Value::Array(Vec::new())), "the net learns from no data set");
    refused(
        &twice(&|net| net["model"]["conv1"]["padding"] = 4_611_686_018_427_387_904_u64.into()),
        "a padding below the kernel",
    );
    refused(&twice(&|net| net["train"]["momentum"] = 2.0.into()), "momentum is 2, expected");
    refused(&twice(&|net| net["crop"] = u64::MAX.into()), "crop is");
    refused(&|c| c["format"] = 7.into(), "found format 7");
    refused(&|c| c["run"] = "../..".into(), "is not the name of a run");
    refused(&|c| c["surprise"] = 1.into(), "unknown field `surprise`");
    refused(
        &|c| c["record"]["runs"] = Value::Array(Vec::new()),
        "it has no runs; expected one for each split and seed",
    );
    refused(&twice(&|net| net["model"]["full6"] = 10_000_000.into()), "parameters, found");
}

/// Draws a video with ffmpeg and returns its path.
fn video(place: &Place) -> String {
    let file = place.path("drawn.avi");
    draw(&file, &[("testsrc", 40)], (160, 120), &["-c:v", "mpeg4"]);
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_video_is_classified_from_a_file_and_from_a_pipe() {
    let place = finished();
    let file = video(&place);
    let chart = place.path("chart.svg");
    let predict = |arguments: &[&str]| {
        place.command(&[&["predict", "--run", "table1b/stack-5-on"], arguments].concat())
    };
    let output = predict(&[&file, "--chart", chart.to_str().unwrap()]).output().unwrap();
    assert_ok(&output);
    let said = text(&output.stdout);
    for expected in ["40 frames", "knows the 14 classes of synth", "temporal", "over time", "frames/s"] {
        assert!(said.contains(expected), "`{expected}` is not in\n{said}");
    }
    assert!(std::fs::read_to_string(&chart).unwrap().starts_with("<svg"));

    let json = |output: Output| -> Value {
        assert_ok(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    };
    let from_file = json(predict(&[&file, "--json"]).output().unwrap());
    let pipe = Stdio::from(std::fs::File::open(&file).unwrap());
    let from_pipe = json(predict(&["-", "--json"]).stdin(pipe).output().unwrap());
    assert_eq!(from_file["fused"], from_pipe["fused"]);
    let sum: f64 = from_file["fused"].as_array().unwrap().iter().map(|p| p.as_f64().unwrap()).sum();
    assert!((sum - 1.0).abs() < 1e-4, "probabilities add up to {sum}");
    assert!(!place.path("cache/predict").read_dir().unwrap().any(|_| true), "nothing is left over");

    std::fs::write(&file, "no video").unwrap();
    let refused = predict(&[&file]).output().unwrap();
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));
    assert!(text(&refused.stderr).contains("expected a video"), "{}", text(&refused.stderr));
}

/// Networks that see several snippets at once: any number of them, or a fixed one.
#[test]
fn networks_of_several_snippets_classify_a_video() {
    let place = Place::new();
    let file = video(&place);
    for (table, row) in [
        ("beyond-snippets/poolings", "local"),
        ("beyond-snippets/poolings", "conv"),
        ("tsn/consensus-7", "attention-spatial"),
        ("dynamic/windows", "window-10-6"),
    ] {
        assert_ok(&place.command(&["run", table, "--row", row, "--profile", "smoke"]).output().unwrap());
        let run = format!("{table}/synth-smoke/{row}");
        let output = place.command(&["predict", "--run", &run, &file, "--json"]).output().unwrap();
        assert_ok(&output);
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap();
        let places = answer["streams"][0]["over-time"].as_array().unwrap();
        assert!(places.len() > 1, "{run}: {answer}");
    }
}

#[test]
fn a_row_that_cannot_predict_says_why() {
    let place = Place::new();
    for (run, expected) in [
        ("table1b/stack-10-onn", "did you mean `stack-10-on`?"),
        ("table1b/stack-10-on", "has not been run"),
        ("table1b/synth-paper/stack-10-on", "has not been run as synth-paper"),
        ("average", "is not the name of a row"),
    ] {
        let output = place.command(&["predict", "--run", run, "video.avi"]).output().unwrap();
        let said = text(&output.stderr);
        assert!(output.status.code() == Some(2) && said.contains(expected), "{said}");
    }
    // Committed records without their weights: a fresh clone.
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut command = Command::new(env!("CARGO_BIN_EXE_xtask"));
    command
        .args(["predict", "--run", "table3/synth-mini/average", "video.avi", "--cache"])
        .arg(place.path("cache"));
    let output = command.current_dir(&root).env_remove("XTASK_CHECKOUT").output().unwrap();
    let said = text(&output.stderr);
    assert!(said.contains("the weights of") && said.contains("cargo xtask run two-stream/table3"), "{said}");
}

#[test]
fn what_is_printed_for_people_is_there_for_programs() {
    let place = finished();
    let json = |arguments: &[&str]| -> Value {
        let output = place.command(arguments).output().unwrap();
        serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{e}: {}", text(&output.stderr)))
    };
    let listed = json(&["list", "--json"]);
    let table =
        listed.as_array().unwrap().iter().find(|table| table["table"] == "two-stream/table1b").unwrap();
    assert_eq!(table["runs"][0]["rows"], 2);
    let compared = json(&["compare", "--run", "synth-smoke", "--json"]);
    assert_eq!(compared.as_array().unwrap().len(), 2);
    assert!(compared[0]["next"]["p"].is_number(), "scores are in the cache: {}", compared[0]["next"]);
    assert!(json(&["doctor", "--json"])["checks"].as_array().is_some_and(|checks| checks.len() > 4));
    let csv = place.command(&["compare", "--run", "synth-smoke", "--format", "csv"]).output().unwrap();
    let csv = text(&csv.stdout);
    assert!(csv.starts_with("tables,row,label"), "{csv}");
    let accuracy = |row: &Value| format!(",{:.1},", row["record"]["top1"]["value"].as_f64().unwrap());
    for row in compared.as_array().unwrap() {
        assert!(csv.contains(&accuracy(row)), "{csv}");
    }
}
