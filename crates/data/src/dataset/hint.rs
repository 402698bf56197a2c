//! The likely reason for which listed videos were not found.

use super::DatasetSpec;
use super::names::{folded, split_ending};
use super::parts::shorten;
use super::scan::{DEEPEST, Scan};
use crate::split::ListedClip;
use base::text::{counted, one_line};
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

/// A video that was found, compared with the lists.
struct Seen {
    /// Its name without ending, as names are compared.
    name: String,
    /// Path below the root.
    path: String,
    ending: String,
    /// The folder below which the video lies as listed.
    root: Option<PathBuf>,
}

/// Looks for the missing clips by their names alone, in the root and deeper, and says where they are: in another folder, with
/// other endings, or in another layout. If none is there, says what the folder holds instead.
pub(super) fn of(spec: &DatasetSpec, root: &Path, missing: &[&ListedClip]) -> String {
    let Ok(scan) = Scan::of(root, DEEPEST + 2, |name| split_ending(name, spec.endings()).1.is_some()) else {
        return String::new();
    };
    // The listed path of each name, both without ending.
    let listed: BTreeMap<String, Vec<String>> = missing
        .iter()
        .map(|clip| {
            let parts: Vec<String> = clip.file.iter().map(|part| folded(&part.to_string_lossy())).collect();
            let name = parts.last().map_or("", String::as_str);
            (split_ending(name, spec.endings()).0.to_owned(), parts)
        })
        .collect();
    let mut seen = Vec::new();
    for (path, file) in &scan.videos {
        let (stem, ending) = split_ending(path, spec.endings());
        let name = folded(stem.rsplit_once('/').map_or(stem, |(_, name)| name));
        if let Some(parts) = listed.get(&name) {
            let ending = ending.unwrap_or_default().to_lowercase();
            let root = above(file, parts);
            seen.push(Seen { name, path: path.clone(), ending, root });
        }
    }
    let of_missing = |count: usize| format!("found {count} of {}", counted(missing.len(), "missing video"));
    // Distinct names: a video can be there twice.
    let mut roots: BTreeMap<&Path, BTreeSet<&str>> = BTreeMap::new();
    for (name, found) in seen.iter().filter_map(|seen| Some((&*seen.name, seen.root.as_deref()?))) {
        roots.entry(found).or_default().insert(name);
    }
    let most = |(path, names): &(&&Path, &BTreeSet<&str>)| (names.len(), Reverse(path.as_os_str().len()));
    if let Some((best, names)) = roots.iter().max_by_key(most) {
        let count = names.len();
        if *best != root {
            return format!("; {} below {}: name that folder", of_missing(count), best.display());
        }
        let endings: Vec<&str> = seen.iter().map(|seen| &*seen.ending).collect();
        let known = |ending: &str| spec.endings().iter().any(|known| known.eq_ignore_ascii_case(ending));
        if !spec.endings().is_empty() && !endings.iter().any(|ending| known(ending)) {
            return format!(
                "; {} with other endings ({}): add them to `extensions` in {}",
                of_missing(count),
                tally(endings.into_iter()),
                spec.path.display()
            );
        }
    }
    if let Some(first) = seen.first() {
        return format!(
            "; {} in another layout, such as {}: expected {}",
            of_missing(seen.iter().map(|seen| &*seen.name).collect::<BTreeSet<_>>().len()),
            one_line(&first.path),
            spec.layout()
        );
    }
    let Some((first, _)) = scan.videos.first_key_value() else {
        let mut names: Vec<String> = base::files::list(root)
            .unwrap_or_default()
            .iter()
            .map(|path| one_line(&path.file_name().unwrap_or_default().to_string_lossy()))
            .collect();
        if names.is_empty() {
            return "; the folder is empty".to_owned();
        }
        names.truncate(50);
        return format!("; the folder holds no video files, only {}", shorten(&names));
    };
    let endings = scan.videos.keys().map(|name| split_ending(name, spec.endings()).1.unwrap_or_default());
    format!(
        "; the folder holds {} ({}), such as {}, none with the name of a missing one",
        counted(scan.videos.len(), "video file"),
        tally(endings),
        one_line(first)
    )
}

/// The folder below which `file` lies as listed: its path less the listed parts, if these are its last ones.
fn above(file: &Path, listed: &[String]) -> Option<PathBuf> {
    let parts: Vec<Component<'_>> = file.components().collect();
    let (root, below) = parts.split_at_checked(parts.len().checked_sub(listed.len())?)?;
    let folders = listed.len().saturating_sub(1);
    let same =
        |(part, listed): (&Component<'_>, &String)| folded(&part.as_os_str().to_string_lossy()) == *listed;
    below[..folders].iter().zip(listed).all(same).then(|| root.iter().collect())
}

/// Counts endings: ".avi 10, .mp4 2".
fn tally<'a>(endings: impl Iterator<Item = &'a str>) -> String {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for ending in endings {
        *counts.entry(ending.to_lowercase()).or_default() += 1;
    }
    let one = |(ending, count): (String, usize)| format!(".{ending} {count}");
    counts.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_above_a_listed_path_is_found() {
        let listed = ["walk".to_owned(), "a.avi".to_owned()];
        assert_eq!(above(Path::new("/d/x/Walk/a.mkv"), &listed), Some(PathBuf::from("/d/x")));
        assert_eq!(above(Path::new("/d/x/run/a.avi"), &listed), None);
        assert_eq!(above(Path::new("a.avi"), &listed), None);
        assert_eq!(tally(["AVI", "mp4", "avi"].into_iter()), ".avi 2, .mp4 1");
    }
}
