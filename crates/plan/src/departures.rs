//! Departures of a profile from the paper, in words.

use std::collections::{BTreeMap, BTreeSet};

use crate::spec::{FlowPreset, Profile, Spec};
use crate::table::{DatasetFacts, RowPlan};

/// Lists the departures for `show` and for the foot of a table.
pub(crate) fn of(
    spec: &Spec,
    profile: &Profile,
    cast: &BTreeMap<String, DatasetFacts>,
    rows: &[RowPlan],
) -> Vec<String> {
    let mut list = Vec::new();
    let paper = &spec.profile.paper;
    for (role, facts) in cast.iter().filter(|(role, facts)| **role != facts.name) {
        list.push(format!("data set {} instead of {role}", facts.name));
    }
    let mut factor = |what: &str, value: f64, reference: f64| {
        if value != reference {
            list.push(format!("{what} x {}", value / reference));
        }
    };
    factor("picture side", profile.size, paper.size);
    factor("layer width", profile.width, paper.width);
    factor("residual units of a stage", profile.depth.unwrap_or(1.0), paper.depth.unwrap_or(1.0));
    factor("batch", profile.batch, paper.batch);
    factor("iterations and rate steps", profile.iterations, paper.iterations);
    for (protocol, &own) in &profile.iterations_of {
        factor(&format!("those of `{protocol}`"), own, paper.iterations_of(protocol));
    }
    for (protocol, &own) in &profile.rate_of {
        factor(&format!("learning rate of `{protocol}`"), own, paper.rate_of(protocol));
    }
    let nets: Vec<_> = rows.iter().flat_map(|row| row.work.stages()).collect();
    let clips = nets.iter().any(|net| net.model.sees_whole_videos() && !net.sees_segments());
    let frames = if clips { "test frames (of a clip at least those of its training)" } else { "test frames" };
    factor(frames, profile.test_frames, paper.test_frames);
    if let Some(budget) = profile.budget.filter(|_| rows.iter().any(|row| row.row.budget.is_some())) {
        list.push(format!(
            "iterations of rows with a budget: those of {:.3e} multiply-adds of training, or a share of them",
            budget.multiply_adds
        ));
    }
    if profile.stem != paper.stem {
        let stems: BTreeSet<&str> = nets.iter().map(|net| net.model.small_stem()).collect();
        list.extend(stems.into_iter().map(str::to_owned));
    }
    if profile.dropout != paper.dropout {
        list.push("dropout keeps as many units as the paper's".into());
    }
    if let Some(n) = profile.videos_per_class {
        list.push(format!("at most {n} videos a class in training and in testing"));
    }
    let mut files: Vec<String> = Vec::new();
    for net in &nets {
        for source in net.train.start.files() {
            let file = format!("starts from {} of {}", source.file, source.repository);
            if !files.contains(&file) {
                files.push(file);
            }
        }
    }
    list.extend(files);
    let extracted = nets.iter().any(|net| net.video.extraction.is_some());
    if nets.iter().any(|net| net.video.flow.is_some()) {
        if extracted {
            list.push("frames and flow that another program has extracted".into());
        } else {
            match profile.flow {
                FlowPreset::Brox => (),
                FlowPreset::Fast => list.push("TV-L1 flow instead of that of Brox et al. 2004".into()),
                FlowPreset::Accurate | FlowPreset::Dis | FlowPreset::DisFast => {
                    list.push("flow of dense inverse search instead of that of Brox et al. 2004".into());
                }
            }
        }
    }
    if nets.iter().any(|net| net.video.accept_messages) {
        list.push("videos in which ffmpeg reports errors are taken as they are".into());
    }
    if profile.storage != paper.storage && !extracted {
        list.push("frames and flow stored without JPEG".into());
    }
    list
}
