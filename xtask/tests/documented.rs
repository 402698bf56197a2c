//! Every command of the documentation runs.
//!
//! Each block ```` ```console ```` is run line by line, at smoke scale and in folders of its own. A second word says what a block
//! needs beyond that; such commands are only parsed (`flags.rs`), but for those on real clips.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;
use testkit::documented::{Documented, commands, pages};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A page's commands, run one after the other in a checkout of its own.
struct Reader {
    checkout: TempDir,
    clips: Option<PathBuf>,
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

impl Reader {
    fn new(clips: Option<PathBuf>) -> Self {
        let reader = Self { checkout: tempfile::tempdir().unwrap(), clips };
        for folder in ["experiments", "datasets", "results", ".ci/smoke"] {
            copy(&root().join(folder), &reader.path(folder));
        }
        std::fs::copy(root().join("CHANGELOG.md"), reader.path("CHANGELOG.md")).unwrap();
        std::fs::create_dir(reader.path("docs")).unwrap();
        // A reader's own clips: what moves differs by class.
        for (class, source) in [("still", "smptebars"), ("moving", "testsrc2")] {
            for number in 0..6 {
                let clip = reader.path(&format!("clips/{class}/p{number}_take.avi"));
                std::fs::create_dir_all(clip.parent().unwrap()).unwrap();
                testkit::clip::draw(&clip, &[(source, 20 + number)], (96, 72), &["-c:v", "mpeg4"]);
            }
        }
        testkit::clip::draw(&reader.path("video.avi"), &[("testsrc2", 40)], (96, 72), &["-c:v", "mpeg4"]);
        testkit::clip::draw(&reader.path("picture.png"), &[("testsrc2", 1)], (96, 72), &["-frames:v", "1"]);
        reader
    }

    fn path(&self, name: &str) -> PathBuf {
        self.checkout.path().join(name)
    }

    fn program(&self, words: &[String]) -> Output {
        let mut program = Command::new(env!("CARGO_BIN_EXE_xtask"));
        // The program finds the checkout around it.
        program.args(words).current_dir(self.checkout.path()).env_remove("XTASK_CHECKOUT");
        program.output().unwrap()
    }

    /// Runs a command as it is documented, but smaller.
    fn run(&self, documented: &Documented) {
        let Some(mut words) = documented.arguments() else {
            panic!("{}: not a command of the program; say what the block needs", documented.place())
        };
        let real = words.iter().any(|word| word.starts_with("weizmann"));
        let own = words.iter().any(|word| word == "mine" || word == "--dataset");
        for word in &mut words {
            *word =
                word.replace("/mine-mini/", "/mine-smoke/").replace("/weizmann-mini/", "/weizmann-smoke/");
            let path = match word.as_str() {
                "DIR" if real => self.clips.clone().unwrap(),
                "DIR" if own => self.path("clips"),
                "DIR" | "OUT" => self.path("folder"),
                "VIDEO" => self.path("video.avi"),
                "FILE" => self.path("file"),
                _ => continue,
            };
            *word = path.to_string_lossy().into_owned();
        }
        let has = |words: &[String], flag: &str| words.iter().any(|word| word == flag);
        let command = words[0].clone();
        if ["run", "figures", "prepare", "show", "check"].contains(&&*command)
            && !["--profile", "--from", "--run"].iter().any(|flag| has(&words, flag))
        {
            words.extend(["--profile", "smoke"].map(str::to_owned));
        }
        if command == "check" && !words.iter().any(|word| word.starts_with("table")) {
            // All tables: .ci/run checks them.
            words.insert(1, "table1b".to_owned());
        }
        self.row(&words);
        let output = self.program(&words);
        assert!(
            output.status.success(),
            "{}\nran as: {}\n{}\n{}",
            documented.place(),
            words.join(" "),
            text(&output.stdout),
            text(&output.stderr)
        );
    }

    /// Runs the table of `--run TABLE/ROW` first, or that whose figures are drawn: the reader of a page has run it.
    fn row(&self, words: &[String]) {
        let mut run = vec!["run".to_owned()];
        match &*words[0] {
            "predict" | "export" => {
                let name = words.iter().skip_while(|word| *word != "--run").nth(1);
                let (table, _) = name.and_then(|name| name.rsplit_once('/')).unwrap();
                if table.contains("/mine-") || table.contains("/weizmann-") {
                    // The commands before it have run that one.
                    return;
                }
                run.extend([table, "--profile", "smoke"].map(str::to_owned));
            }
            "figures" => run.extend(words[1..].iter().cloned()),
            _ => return,
        }
        let output = self.program(&run);
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
        let mut reader = None;
        // What a page says twice is run once.
        let mut known = BTreeSet::new();
        for documented in commands(&page) {
            let needs = &*documented.needs;
            if !(needs.is_empty() || needs == "weizmann" && clips.is_some()) {
                left.insert(needs.to_owned());
            } else if known.insert(documented.words.clone()) {
                reader.get_or_insert_with(|| Reader::new(clips.clone())).run(&documented);
                ran += 1;
            }
        }
    }
    eprintln!("{ran} documented commands ran; not here: {left:?}");
    assert!(ran >= 40, "only {ran} documented commands were found");
}
