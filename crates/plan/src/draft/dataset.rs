//! The file of a new data set, from a look at a folder of videos.

use std::fmt::Write as _;
use std::path::Path;

use base::text::counted;
use data::dataset::{Dataset, DatasetSpec, FolderFacts, plain_name};

use super::file::Draft;
use crate::Workspace;
use crate::error::{Error, Result};

/// Number of names that a message or comment shows.
const SHOWN: usize = 5;

/// Drafts the data set `name` for a folder of videos, and says what was found there. The file is `datasets/NAME.toml` in the
/// checkout, unless another one is named.
///
/// # Errors
/// [`Error::Usage`] for a name that cannot be that of a data set or that exists, and for a folder without videos in folders of
/// classes.
pub fn draft(workspace: &Workspace, name: &str, root: &Path, output: Option<&Path>) -> Result<Draft> {
    if name != plain_name(name) {
        return Err(Error::Usage(format!(
            "`{name}` cannot be the name of a data set; expected small letters, digits and dashes, such as `{}`",
            plain_name(name)
        )));
    }
    let path = output
        .map_or_else(|| workspace.root.join("datasets").join(format!("{name}.toml")), Path::to_path_buf);
    if path.exists() {
        return Err(Error::Usage(format!("{} exists; choose another name or edit it", path.display())));
    }
    if workspace.datasets()?.iter().any(|known| known == name) {
        return Err(Error::Usage(format!(
            "there is a data set `{name}` in the checkout; choose another name"
        )));
    }
    let found = root.canonicalize().ok().filter(|root| root.is_dir());
    let root = found.ok_or_else(|| {
        Error::Usage(format!(
            "--root: expected a folder of videos, found none at {}; correct the path",
            root.display()
        ))
    })?;
    let facts = FolderFacts::of(&root)?;
    if facts.classes.is_empty() {
        let seen = match facts.strays.first() {
            None => "no videos".to_owned(),
            Some(first) => format!("{} elsewhere, such as {first}", counted(facts.strays.len(), "video")),
        };
        return Err(Error::Usage(format!(
            "expected videos in {} as CLASS/FILE; found {seen}. Make a folder for each class, or write a list of the videos \
             (docs/data.md, kind = \"list\")",
            root.display()
        )));
    }
    let text = text(name, &root, &facts);
    let spec = DatasetSpec::parse(&path, &text)?;
    let about = Dataset::describe(&spec)?;
    let mut found = words(&facts);
    for split in &about.splits {
        let _ =
            write!(found, "\nsplit {}: {} training and {} test videos", split.name, split.train, split.test);
    }
    for caution in &about.cautions {
        let _ = write!(found, "\ncaution: {caution}");
    }
    Ok(Draft { path, text, found })
}

/// The facts of the folder, a line each.
fn words(facts: &FolderFacts) -> String {
    let what = if facts.frames { "folder of extracted frames" } else { "video" };
    let mut text =
        format!("found {} of {}", counted(facts.videos(), what), counted(facts.classes.len(), "class"));
    if !facts.endings.is_empty() {
        let endings: Vec<String> = facts.endings.iter().map(|(ending, n)| format!(".{ending} {n}")).collect();
        let _ = write!(text, " ({})", endings.join(", "));
    }
    let shown = facts.classes.iter().take(SHOWN).map(|(class, n)| format!("{class} {n}")).collect::<Vec<_>>();
    let others = facts.classes.len().saturating_sub(SHOWN);
    let more = if others > 0 { format!(" and {others} more") } else { String::new() };
    let _ = write!(text, "\nclasses: {}{more}", shown.join(", "));
    if let Some(first) = facts.strays.first() {
        let _ = write!(
            text,
            "\nleft out, since in no folder of a class: {} such as {first}",
            counted(facts.strays.len(), "video")
        );
    }
    if !facts.empty.is_empty() {
        let _ = write!(text, "\nleft out, since without videos: {}", facts.empty.join(", "));
    }
    if let Some(first) = facts.unreadable.first() {
        let _ = write!(
            text,
            "\nleft out, since not readable: {}, the first: {first}",
            counted(facts.unreadable.len(), "folder")
        );
    }
    if let (None, Some((count, [one, other]))) = (facts.group, &facts.numbered) {
        let _ = write!(
            text,
            "\ncaution: {count} of {} names differ from another in the last number alone, such as {one} and {other}. If these are clips \
             of one film or person, set `group` in the file; otherwise the accuracy is too high",
            facts.videos()
        );
    }
    if let Some(pattern) = facts.group {
        let _ = write!(text, "\ngroups: `{pattern}` finds {} in the names of the videos", facts.groups);
    }
    text
}

fn text(name: &str, root: &Path, facts: &FolderFacts) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let classes: Vec<String> = facts.classes.keys().map(|class| quoted(class)).collect();
    let group = match facts.group {
        Some(pattern) => format!(
            "# Videos of one group (actor, film, place) are never divided between training and test. The first pair of brackets\n\
             # finds the group in the name of a video.\ngroup = {}\n",
            quoted(pattern)
        ),
        None => "# Videos that belong together (one actor, one film) must not be in training and in test. If their names tell, find\n\
                 # the group by a regular expression; the first pair of brackets is the group:\n# group = \"_(g[0-9]+)_\"\n"
            .to_owned(),
    };
    let split = match &facts.parts {
        Some((train, test)) => format!(
            "# The folders of training and test videos, with the folders of the classes in them.\n[split]\n\
             train-folders = [{}]\ntest-folders = [{}]\n",
            quoted(train),
            quoted(test)
        ),
        None => "# Three tenths of each class are tested. Instead of test-share, give one of:\n\
                 #   folds = 5                 five splits; each video is tested once\n\
                 #   test-groups = [\"g01\"]     the videos of these groups are tested\n\
                 [split]\ntest-share = 0.3\nseed = 0\n"
            .to_owned(),
    };
    format!(
        "# {name}: {videos} of {count}. docs/data.md describes every key.\n\
         kind = \"folder\"\ntitle = {title}\nroot = {root}\n\
         # Folders of the classes, in order of class index. Without this line: all folders with videos.\n\
         classes = [{classes}]\n\n{group}\n{split}",
        videos = counted(facts.videos(), "video"),
        count = counted(facts.classes.len(), "class"),
        title = quoted(&format!("Videos in {}", root.display())),
        root = quoted(&root.display().to_string()),
        classes = classes.join(", "),
    )
}
