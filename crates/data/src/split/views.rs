//! The list of events that several cameras saw, in a user's set.

use super::{ListFile, ListedClip, SplitLists, hold_out_views, safe_relative};
use crate::dataset::{View, ViewFoldersSpec};
use crate::error::DataError;
use std::collections::BTreeSet;

/// Reads a list of events, one line `CLASS/EVENT GROUP` for each. Every event is a video in the folder of every view.
///
/// # Errors
/// [`DataError::Split`] with file and line for a line that is wrong; [`DataError::Spec`] for a tested group without
/// events, or if nothing is left to train on.
pub fn parse(spec: &ViewFoldersSpec, list: &ListFile) -> Result<SplitLists, DataError> {
    let ending = spec.extensions.first().map_or("avi", String::as_str);
    let mut clips: Vec<ListedClip> = Vec::new();
    let mut known = BTreeSet::new();
    list.each_line(|line| {
        let (event, group) = line.text.rsplit_once(char::is_whitespace).ok_or_else(|| {
            line.error(format!(
                "expected `CLASS/EVENT GROUP`, the group being the actor, found `{}`",
                line.text
            ))
        })?;
        let event = event.trim_end();
        let class = event.split_once('/').map_or(event, |(class, _)| class);
        let label = spec.classes.iter().position(|known| known == class).ok_or_else(|| {
            line.error(format!(
                "expected CLASS/EVENT with one of the classes {}; found `{event}`",
                spec.classes.join(", ")
            ))
        })?;
        if event.matches('/').count() != 1 {
            return Err(line.error(format!("expected one folder and a name, CLASS/EVENT, found `{event}`")));
        }
        if !known.insert(event.to_owned()) {
            return Err(
                line.error(format!("`{event}` is listed twice; list an event only once for all views"))
            );
        }
        for (number, view) in spec.views.iter().enumerate() {
            let file =
                safe_relative(&format!("{view}/{event}.{ending}")).map_err(|message| line.error(message))?;
            clips.push(ListedClip {
                id: format!("{view}/{event}"),
                label,
                view: Some(View { event: event.to_owned(), number, group: group.to_owned() }),
                group: group.to_owned(),
                file,
                list: line.file.to_path_buf(),
                line: line.number,
            });
        }
        Ok(())
    })?;
    clips.sort_by(|a, b| a.id.cmp(&b.id));
    let error = |message: String| DataError::Spec { path: list.path.clone(), message };
    let groups: BTreeSet<&String> = clips.iter().map(|clip| &clip.group).collect();
    if let Some(group) = spec.test.iter().find(|group| !groups.contains(group)) {
        return Err(error(format!("test names the group `{group}`, but no event of it is listed")));
    }
    let tested = |clip: &ListedClip| spec.test.contains(&clip.group);
    if clips.iter().all(tested) {
        return Err(error("every event is tested; leave some groups out of test to train on".to_owned()));
    }
    let place = |clip: &ListedClip| (clip.view.as_ref().map_or(0, |view| view.number), tested(clip));
    let splits = hold_out_views(spec.views.len(), clips.iter().map(place));
    Ok(SplitLists { classes: spec.classes.clone(), clips, splits })
}
