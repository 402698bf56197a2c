//! Every command of the documentation runs.
//!
//! Each block ```` ```console ```` is run line by line, at smoke scale and in folders of its own. A second word says what a block
//! needs beyond that; such commands are only parsed (`flags.rs`), but for those on real clips.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;
use testkit::documented::{Documented, commands, pages};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A page's commands, run one after the other in one place.
struct Reader {
    place: TempDir,
    clips: Option<PathBuf>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Reader {
    fn path(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    /// Runs a command as it is documented, but smaller.
    fn run(&self, documented: &Documented) {
        let Some(mut words) = documented.arguments() else {
            panic!("{}: not a command of the program; say what the block needs", documented.place())
        };
        let has = |words: &[String], flag: &str| words.iter().any(|word| word == flag);
        let command = words[0].clone();
        let picture = self.path("picture.png");
        let video = self.path("video.avi");
        let real = words.iter().any(|word| word.starts_with("weizmann"));
        for word in &mut words {
            let path = match word.as_str() {
                "DIR" if real => self.clips.clone().unwrap(),
                "DIR" | "OUT" => self.path("folder"),
                "VIDEO" => video.clone(),
                "FILE" => self.path("file"),
                word if word.ends_with(".png") && command == "flow" => picture.clone(),
                word if [".svg", ".html", ".parquet", ".csv"].iter().any(|ending| word.ends_with(ending)) => {
                    self.path(word)
                }
                _ => continue,
            };
            *word = path.to_string_lossy().into_owned();
        }
        let scaled = ["run", "figures", "prepare", "show", "check"];
        if scaled.contains(&&*command) && !has(&words, "--profile") && !has(&words, "--from") {
            words.extend(["--profile".to_owned(), "smoke".to_owned()]);
        }
        if command == "check" {
            // All tables: .ci/run checks them.
            if !words.iter().any(|word| word.starts_with("table")) {
                words.insert(1, "table1b".to_owned());
            }
        }
        if ["predict", "export", "figures"].contains(&&*command) {
            self.row(&words);
        }
        let folders: Vec<&str> = match &*command {
            "flow" | "bench" | "schema" | "completions" | "verify" | "torture" | "new" => Vec::new(),
            // A copy that `--update` may change.
            "check" => vec!["--results", "baseline", "--cache", "cache"],
            "prepare" => vec!["--cache", "cache"],
            _ => vec!["--results", "results", "--cache", "cache"],
        };
        if command == "check" && !self.path("baseline").exists() {
            copy(&root().join(".ci/smoke"), &self.path("baseline"));
        }
        let mut program = Command::new(env!("CARGO_BIN_EXE_xtask"));
        program.args(&words);
        if !has(&words, "--update") || command == "check" {
            for pair in folders.chunks(2) {
                program.arg(pair[0]).arg(self.path(pair[1]));
            }
        }
        let output = program.output().unwrap();
        assert!(
            output.status.success(),
            "{}\nran as: {}\n{}\n{}",
            documented.place(),
            words.join(" "),
            text(&output.stdout),
            text(&output.stderr)
        );
    }

    /// Runs the row of `--run TABLE/ROW` first, or the table whose figures are drawn: on the page a reader has run it.
    fn row(&self, words: &[String]) {
        let named = words.iter().skip_while(|word| *word != "--run").nth(1);
        let mut run = vec!["run".to_owned()];
        match named.and_then(|name| name.rsplit_once('/')) {
            Some((table, row)) => run.extend([table.into(), "--row".into(), row.into()]),
            None if words[0] == "figures" => run.push(words[1].clone()),
            None => return,
        }
        let mut program = Command::new(env!("CARGO_BIN_EXE_xtask"));
        program.args(&run).args(["--profile", "smoke", "-q"]);
        program.arg("--results").arg(self.path("results")).arg("--cache").arg(self.path("cache"));
        let output = program.output().unwrap();
        assert!(output.status.success(), "{run:?}\n{}", text(&output.stderr));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for path in base::files::list(from).unwrap() {
        let there = to.join(path.file_name().unwrap());
        if path.is_dir() { copy(&path, &there) } else { _ = std::fs::copy(&path, &there).unwrap() }
    }
}

#[test]
fn every_documented_command_runs() {
    let clips = testkit::real_data("weizmann", "documented commands on real clips");
    let (mut ran, mut left) = (0, BTreeSet::new());
    for page in pages(&root()) {
        let reader = Reader { place: tempfile::tempdir().unwrap(), clips: clips.clone() };
        testkit::clip::draw(&reader.path("video.avi"), &[("testsrc2", 40)], (96, 72), &["-c:v", "mpeg4"]);
        testkit::clip::draw(&reader.path("picture.png"), &[("testsrc2", 1)], (96, 72), &["-frames:v", "1"]);
        // What a page says twice is run once.
        let mut known = BTreeSet::new();
        for documented in commands(&page) {
            let needs = &*documented.needs;
            if !(needs.is_empty() || needs == "weizmann" && clips.is_some()) {
                left.insert(needs.to_owned());
            } else if known.insert(documented.words.clone()) {
                reader.run(&documented);
                ran += 1;
            }
        }
    }
    eprintln!("{ran} documented commands ran; not here: {left:?}");
    assert!(ran >= 40, "only {ran} documented commands were found");
}
