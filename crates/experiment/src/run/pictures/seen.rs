//! Pictures of what trained nets make of test videos: where they look, and what their classifiers read.

use data::inputs::Input;
use models::ModelConfig;

use super::{Album, Done};
use crate::error::{Error, Result};
use crate::figure::{Attended, Embedded, Frame, attention_maps, embeddings};
use crate::plan::{Protocol, RowPlan, TablePlan, Work};
use crate::run::{Job, Run};

/// Nets whose features one picture shows, classes of each, and views of a video.
const MOST_EMBEDDED: usize = 3;
const EMBEDDED_CLASSES: usize = 10;
const VIEWS_EMBEDDED: usize = 3;

/// Some of so many classes, drawn at random and always the same, in their order.
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
    /// Where a net that attends looks, in the middle of one video of each class.
    pub(super) fn attention(
        &mut self,
        job: &Job<'_>,
        row: &RowPlan,
        protocol: &Protocol,
        run: &Run<'_>,
    ) -> Result<()> {
        let net = &protocol.net;
        let stack = net.inputs().find_map(|input| match input {
            Input::Rgb(stack) => Some(stack),
            Input::Flow(_) => None,
        });
        let Some(stack) = stack.filter(|_| net.model.attends()) else { return Ok(()) };
        let videos = job.library.testing(protocol, run)?;
        let seeing = job.seeing(net, run)?;
        let mut looks = Vec::new();
        for (label, class) in job.library.classes(&net.target().set)?.iter().enumerate() {
            let Some(video) = videos.iter().find(|video| video.label as usize == label) else { continue };
            for look in seeing.look(video, 1)? {
                let Some(weights) = look.outputs.attention else { continue };
                let reading = || Error::tensor("reading the attention");
                let (_, rows, columns) = weights.dims3().map_err(reading())?;
                let weights: Vec<f32> =
                    weights.flatten_all().and_then(|flat| flat.to_vec1()).map_err(reading())?;
                looks.push((class, stack.colours(&look.frame), (columns, rows), weights));
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
        self.keep(&format!("{}-attention.svg", row.row.id), attention_maps(&attended, &title)?.as_bytes())
    }

    /// What the classifiers of networks that join a frame with flow read, of ten classes drawn at random.
    pub(super) fn embedding(&mut self, job: &Job<'_>, plan: &TablePlan, rows: &[Done<'_>]) -> Result<()> {
        let nets: Vec<(&RowPlan, &Protocol)> = rows
            .iter()
            .filter_map(|(row, _)| match &row.work {
                Work::Net(protocol) if matches!(protocol.net.model, ModelConfig::Pyramid(_)) => {
                    Some((*row, &**protocol))
                }
                _ => None,
            })
            .filter(|(_, protocol)| protocol.net.inputs().count() > 1)
            .take(MOST_EMBEDDED)
            .collect();
        let Some(target) = nets.first().map(|(_, protocol)| protocol.net.target()) else { return Ok(()) };
        let classes = job.library.classes(&target.set)?;
        let drawn = drawn(classes.len(), EMBEDDED_CLASSES);
        let names: Vec<&str> = drawn.iter().map(|&class| classes[class].as_str()).collect();
        let mut seen = Vec::with_capacity(nets.len());
        for (row, protocol) in &nets {
            let Some(run) = Job::runs(row).next() else { continue };
            let seeing = job.seeing(&protocol.net, &run)?;
            let (mut features, mut labels) = (Vec::new(), Vec::new());
            for video in job.library.testing(protocol, &run)? {
                let Some(class) = drawn.iter().position(|&class| class == video.label as usize) else {
                    continue;
                };
                let mut sum: Vec<f32> = Vec::new();
                for look in seeing.look(&video, VIEWS_EMBEDDED)? {
                    let Some(read) = look.outputs.features else { return Ok(()) };
                    let read = read.flatten_all().and_then(|flat| flat.to_vec1::<f32>());
                    let read = read.map_err(Error::tensor("reading the features"))?;
                    sum.resize(read.len(), 0.0);
                    sum.iter_mut().zip(read).for_each(|(sum, value)| *sum += value);
                }
                features.push(sum);
                labels.push(class);
            }
            seen.push((row.row.label.as_str(), features, labels));
        }
        if seen.first().is_none_or(|(_, features, _)| features.len() < 4) {
            return Ok(());
        }
        let panels: Vec<Embedded<'_>> =
            seen.iter().map(|(name, features, classes)| Embedded { name, features, classes }).collect();
        let title = format!("Test videos as the classifiers see them, {}", plan.spec.name());
        self.keep("embedding.svg", embeddings(&panels, &names, &title)?.as_bytes())
    }
}
