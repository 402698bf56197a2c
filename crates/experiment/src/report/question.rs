//! The question that a folder of results answers, from its name.

use data::extracted::Extraction;

use crate::plan::{Request, TablePlan};
use crate::spec::ProfileName;

/// What was asked for, of a folder such as `synth-mini.data-seed-103.seeds-3`; `None` where it is no such name. The
/// folder's name is made by [`TablePlan::resolve`], which says whether it was understood.
pub(super) fn of_folder(name: &str) -> Option<Request> {
    let (head, mut rest) = name.split_at(name.find('.').unwrap_or(name.len()));
    let profiles = [ProfileName::Paper, ProfileName::Mini, ProfileName::Smoke];
    let of = |profile: ProfileName| Some((head.strip_suffix(&format!("-{profile}"))?, profile));
    let (dataset, profile) = profiles.into_iter().find_map(of)?;
    let mut request =
        Request { dataset: Some(dataset.to_owned()), profile: Some(profile), ..Request::default() };
    if let Some(after) = rest.strip_prefix(".data-seed-") {
        let (value, next) = until_dot(after);
        request.data_seed = Some(value.parse().ok()?);
        rest = next;
    }
    if let Some(after) = rest.strip_prefix(".splits-") {
        let (value, next) = until_dot(after);
        request.splits = value.split('+').map(str::to_owned).collect();
        rest = next;
    }
    if let Some(after) = rest.strip_prefix(".seeds-") {
        let (value, next) = until_dot(after);
        request.seeds = Some(value.parse().ok()?);
        rest = next;
    }
    if let Some(after) = rest.strip_prefix(".extracted-") {
        let bound = after.strip_suffix("-unchecked");
        let extraction = Extraction::new(bound.unwrap_or(after).parse().ok()?).ok()?;
        request.extraction = Some(Extraction { check: bound.is_none(), ..extraction });
        rest = "";
    }
    rest.is_empty().then_some(request)
}

fn until_dot(text: &str) -> (&str, &str) {
    text.split_at(text.find('.').unwrap_or(text.len()))
}

/// The flags that ask it again, after the table's name.
pub(super) fn flags(plan: &TablePlan, request: &Request) -> String {
    let mut flags = String::new();
    let profile = plan.spec.profile.get(plan.profile);
    if profile.dataset != plan.dataset {
        flags.push_str(&format!(" --dataset {}", plan.dataset));
    }
    if plan.profile != ProfileName::Mini {
        flags.push_str(&format!(" --profile {}", plan.profile));
    }
    if plan.cast.get(plan.spec.main_role()).is_some_and(|facts| facts.data_seed.is_none()) {
        flags.push_str(" --data-root DIR");
    }
    if let Some(seed) = request.data_seed {
        flags.push_str(&format!(" --data-seed {seed}"));
    }
    if !request.splits.is_empty() {
        flags.push_str(&format!(" --split {}", request.splits.join(" ")));
    }
    if let Some(seeds) = request.seeds {
        flags.push_str(&format!(" --seeds {seeds}"));
    }
    if let Some(Extraction { bound, check }) = request.extraction {
        flags
            .push_str(&format!(" --extracted-bound {bound}{}", if check { "" } else { " --unchecked-flow" }));
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_says_what_was_asked() {
        let request = of_folder("synth-views-mini.data-seed-107").unwrap();
        assert_eq!(request.dataset.as_deref(), Some("synth-views"));
        assert_eq!((request.profile, request.data_seed), (Some(ProfileName::Mini), Some(107)));
        let request = of_folder("ucf101-paper.splits-2+3.seeds-3.extracted-20.5-unchecked").unwrap();
        assert_eq!(request.splits, ["2", "3"]);
        assert_eq!((request.profile, request.seeds), (Some(ProfileName::Paper), Some(3)));
        assert_eq!(request.extraction.map(|e| (e.bound, e.check)), Some((20.5, false)));
    }

    #[test]
    fn other_folders_say_nothing() {
        for name in
            ["figures", "synth", "synth-mini.old", "synth-mini.seeds-x", "synth-mini.data-seed-1.more", ""]
        {
            assert!(of_folder(name).is_none(), "{name}");
        }
    }
}
