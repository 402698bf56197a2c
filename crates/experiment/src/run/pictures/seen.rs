//! Pictures of trained nets on test videos: attention maps, and embeddings of the classifiers' inputs.

use std::collections::BTreeSet;

use data::loader::LabelledVideo;

use super::{Album, Done, Tested, tested};
use crate::error::{Error, Result};
use crate::pictures::Shows;
use crate::run::job::Job;
use figure::{Attended, Embedded, Frame, attention_maps, embeddings};
use plan::spec::TestOn;
use plan::{Protocol, RowPlan, TablePlan, TestPlan, Work};

/// Maximum number of nets in an embedding, number of classes, and number of views per video.
const MOST_EMBEDDED: usize = 3;
const EMBEDDED_CLASSES: usize = 10;
const VIEWS_EMBEDDED: usize = 3;

/// Approximate number of videos in one panel, for a set of several views.
const MOST_VIEWS: usize = 300;

/// Draws `count` of `classes` classes at random, always the same ones, in their order.
fn drawn(classes: usize, count: usize) -> Vec<usize> {
    let mut generator = nn::random::generator("classes of an embedding", 0, "");
    let mut left: Vec<usize> = (0..classes).collect();
    while left.len() > count {
        let out = nn::random::below(&mut generator, left.len(), 1)[0] as usize;
        left.remove(out);
    }
    left
}

impl Album {
    /// Draws the attention of a net in the middle of one video of each class, if the net has attention.
    pub(super) fn attention(&mut self, job: &Job<'_>, row: &RowPlan, tested: &Tested<'_>) -> Result<()> {
        let Tested { protocol, repeat, trained } = tested;
        let net = &protocol.net;
        if !net.model.attends() {
            return Ok(());
        }
        let videos = job.library.testing(protocol, repeat)?;
        let seeing = job.seeing(net, repeat.seed, *trained)?;
        let mut looks = Vec::new();
        for (label, class) in job.library.classes(&net.target().set)?.iter().enumerate() {
            let Some(video) = videos.iter().find(|video| video.label as usize == label) else { continue };
            for look in seeing.look(video, 1)? {
                let (Some(weights), Some(colours)) = (look.outputs.attention, look.colours) else { continue };
                let reading = || Error::network("reading the attention");
                let (_, rows, columns) = weights.dims3().map_err(reading())?;
                let weights: Vec<f32> =
                    weights.flatten_all().and_then(|flat| flat.to_vec1()).map_err(reading())?;
                looks.push((class, colours, (columns, rows), weights));
            }
        }
        let attended: Vec<Attended<'_>> = looks
            .iter()
            .map(|(class, rgb, grid, weights)| {
                let frame = Frame { width: net.crop, height: net.crop, rgb };
                Attended { title: class, frame, grid: *grid, weights }
            })
            .collect();
        let title = format!("Attention: {}, {}", row.row.label, job.plan.spec.name());
        let picture = attention_maps(&attended, &title)?;
        self.keep_drawing(&format!("{}-attention.svg", row.row.id), Shows::Attention, Some(row), &picture)
    }

    /// Draws an embedding of the classifiers' inputs of some nets, for ten classes drawn at random.
    pub(super) fn embedding(&mut self, job: &Job<'_>, plan: &TablePlan, rows: &[Done<'_>]) -> Result<()> {
        let nets = embedded(rows);
        let Some(target) = nets.first().map(|(_, protocol)| protocol.net.target()) else { return Ok(()) };
        let classes = job.library.classes(&target.set)?;
        let drawn = drawn(classes.len(), EMBEDDED_CLASSES);
        let names: Vec<&str> = drawn.iter().map(|&class| classes[class].as_str()).collect();
        let mut seen = Vec::with_capacity(nets.len());
        for (row, protocol) in &nets {
            let Some(tested) = tested(job, row) else { continue };
            let seeing = job.seeing(&protocol.net, tested.repeat.seed, tested.trained)?;
            let mut marks = Marks::default();
            for (video, held_out) in shown(job, &tested)? {
                let Some(class) = drawn.iter().position(|&class| class == video.label as usize) else {
                    continue;
                };
                let Some(features) = seeing.features(&video, VIEWS_EMBEDDED)? else { return Ok(()) };
                marks.features.push(features);
                marks.classes.push(class);
                marks.held_out.push(held_out);
            }
            seen.push((row.row.label.as_str(), marks));
        }
        if seen.first().is_none_or(|(_, marks)| marks.features.len() < 4) {
            return Ok(());
        }
        let panels: Vec<Embedded<'_>> = seen
            .iter()
            .map(|(name, Marks { features, classes, held_out })| Embedded {
                name,
                features,
                classes,
                outlined: held_out,
            })
            .collect();
        let outline = seen.iter().any(|(_, marks)| marks.held_out.contains(&true));
        let outline = outline.then_some("the view that training never saw");
        let title = format!("Test videos as the classifiers see them, {}", plan.spec.name());
        let picture = embeddings(&panels, &names, outline, &title)?;
        self.keep_drawing("embedding.svg", Shows::Embedding, None, &picture)
    }
}

/// The videos of one panel.
#[derive(Default)]
struct Marks {
    features: Vec<Vec<f32>>,
    classes: Vec<usize>,
    held_out: Vec<bool>,
}

/// Selects the rows for the embedding: networks that join a frame with flow and, among networks of pairs, the first of each
/// combination of losses.
fn embedded<'a>(rows: &'a [Done<'_>]) -> Vec<(&'a RowPlan, &'a Protocol)> {
    let mut nets: Vec<(&RowPlan, &Protocol)> = Vec::new();
    let losses = |protocol: &Protocol| {
        protocol.net.train.pairs.map(|pairs| (pairs.softmax, pairs.contrastive.is_some()))
    };
    for (row, _) in rows {
        let Work::Net(protocol) = &row.work else { continue };
        let joined = protocol.net.model.classifies_streams_together();
        let of_pairs = losses(protocol);
        let new = nets.iter().all(|(_, known)| losses(known) != of_pairs);
        if joined || (of_pairs.is_some() && new) {
            nets.push((row, protocol));
        }
    }
    nets.truncate(MOST_EMBEDDED);
    nets
}

/// Returns the test videos of an embedding, each with `true` if it is of a view that training never saw. For nets of pairs,
/// takes events at equal distances in their list, each in all its views.
fn shown(job: &Job<'_>, tested: &Tested<'_>) -> Result<Vec<(LabelledVideo, bool)>> {
    let Tested { protocol, repeat, .. } = *tested;
    let tested = job.library.testing(protocol, &repeat)?;
    if protocol.net.train.pairs.is_none() {
        return Ok(tested.into_iter().map(|video| (video, false)).collect());
    }
    let test = TestPlan { on: TestOn::SeenViews, ..protocol.test.clone() };
    let seen = job.library.testing(&Protocol { test, net: protocol.net.clone() }, &repeat)?;
    let every = (tested.len() + seen.len()).div_ceil(MOST_VIEWS).max(1);
    let event = |video: &LabelledVideo| video.view.as_ref().map(|view| view.event.clone());
    let events: BTreeSet<String> = tested.iter().step_by(every).filter_map(event).collect();
    let kept = |video: &LabelledVideo| event(video).is_some_and(|event| events.contains(&event));
    let held_out = tested.into_iter().map(|video| (video, true));
    let all = held_out.chain(seen.into_iter().map(|video| (video, false)));
    Ok(all.filter(|(video, _)| kept(video)).collect())
}
