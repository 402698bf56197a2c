//! The commands that the documentation shows, in its blocks ```` ```console ````.

use std::path::{Path, PathBuf};

/// The words that may follow `console`: what a block needs, and who runs it if no test does.
pub const NEEDS: [(&str, &str); 10] = [
    ("gpu", "an NVIDIA GPU"),
    ("slurm", "a cluster: .ci/cluster-check"),
    ("mpi", "a build with MPI: .ci/ranks"),
    ("python", "PyTorch"),
    ("network", "the hub"),
    ("ucf101", "UCF-101"),
    ("views", "a data set of the reader's own"),
    ("cargo", "a build: .ci/run"),
    ("hours", "hours; the same commands run at smoke scale"),
    ("weizmann", "the real clips, where they exist"),
];

/// A command of a page.
#[derive(Debug, Clone)]
pub struct Documented {
    /// File name of the page.
    pub page: String,
    /// Line of the command, from 1.
    pub line: usize,
    /// The word after `console`, or nothing.
    pub needs: String,
    /// The words of the command.
    pub words: Vec<String>,
}

impl Documented {
    /// Formats page, line and command for a message.
    pub fn place(&self) -> String {
        format!("{}:{}: {}", self.page, self.line, self.words.join(" "))
    }

    /// Returns the words after `cargo xtask` (or `cargo xtask-cuda`, `cargo xtask-mpi`); `None` for another command.
    pub fn arguments(&self) -> Option<Vec<String>> {
        match &self.words[..] {
            [cargo, xtask, rest @ ..] if cargo == "cargo" && xtask.starts_with("xtask") => {
                Some(rest.to_vec())
            }
            _ => None,
        }
    }
}

/// Returns the pages of the documentation below a checkout.
///
/// # Panics
/// If there is no folder `docs`.
pub fn pages(root: &Path) -> Vec<PathBuf> {
    let mut pages = vec![root.join("README.md"), root.join("CONTRIBUTING.md"), root.join("SECURITY.md")];
    let docs = std::fs::read_dir(root.join("docs")).expect("a folder of documentation");
    let docs = docs.map(|entry| entry.expect("an entry of a folder").path());
    pages.extend(docs.filter(|path| path.extension().is_some_and(|ending| ending == "md")));
    pages.sort();
    pages
}

/// Returns all commands of a page.
///
/// # Panics
/// If the page cannot be read, or a block needs something that [`NEEDS`] does not list.
pub fn commands(page: &Path) -> Vec<Documented> {
    let name = page.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let text = std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let (mut found, mut needs) = (Vec::new(), None);
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let line = line.trim_start();
        if let Some(info) = line.strip_prefix("```") {
            let mut words = info.split_whitespace();
            let opens = needs.is_none() && words.next() == Some("console");
            needs = opens.then(|| words.collect::<Vec<_>>().join(" "));
            let word = needs.as_deref().unwrap_or_default();
            let known = word.is_empty() || NEEDS.iter().any(|(known, _)| *known == word);
            assert!(known, "{name}:{}: unknown word `{word}`; known are {NEEDS:?}", at + 1);
        } else if let (Some(needs), Some(command)) = (&needs, line.strip_prefix("$ ")) {
            let mut command = command.to_owned();
            while let Some(begin) = command.strip_suffix('\\') {
                let more = lines.next().map_or("", |(_, more)| more.trim());
                command = format!("{begin}{}", more.trim_start_matches("> "));
            }
            let command = command.split(" #").next().unwrap_or_default();
            let words = command.split_whitespace().map(str::to_owned).collect();
            found.push(Documented { page: name.clone(), line: at + 1, needs: needs.clone(), words });
        }
    }
    found
}
