//! Draws the pictures of a table's finished rows.

mod seen;

use std::path::PathBuf;

use candle_core::Device;
use data::augment::Crop;
use data::inputs::{Scratch, View};
use data::source::Direction;
use flow::FlowField;
use models::{FirstFilters, Modality};
use nn::tensors;

use super::graph::{Does, StepId};
use super::job::Job;
use super::repeat::Repeat;
use super::runner::Runner;
use crate::error::{Error, Result};
use crate::pictures::{self, INDEX, Picture, Shows};
use crate::record::Record;
use crate::store::{write_atomic, write_json};
use crate::train::WEIGHTS;
use figure::{
    Curve, CurveOptions, Drawing, Frame, LossScale, MOST_CURVES, Sample, Stack, confusion, filters_flow,
    filters_rgb, loss_curves, recall_chart, recall_of_nets, sample_input,
};
use plan::spec::TestBy;
use plan::{NetPlan, Protocol, RowPlan, Start, TablePlan, Work};

impl Runner<'_> {
    /// Draws the inputs and results of the finished rows of a table, into the folder `figures` beside their records, and
    /// returns the files:
    ///
    /// | file | shows |
    /// |---|---|
    /// | `loss.svg` | the loss curves of all nets |
    /// | `streams.svg` | recall of each class by the streams of the last fusion and by the fusion |
    /// | `ROW-streams.svg` | recall of each class by a network that joins two streams, by both, and by their fusion |
    /// | `ROW-recall.svg`, `ROW-confusion.svg` | recall of each class, and the confusion matrix |
    /// | `ROW-filters.svg`, `.png` | first-layer filters: of flow over time, x and y; of frames in colour |
    /// | `ROW-input.svg` | a frame, its flow, and the stack that the network sees |
    /// | `ROW-attention.svg` | attention maps of a network with attention, for one test video of each class |
    /// | `embedding.svg` | t-SNE of the classifiers' inputs for ten classes, of networks of several levels or of pairs |
    /// | `index.json` | a description of each file, see [`crate::pictures`] |
    ///
    /// If a row has several splits and seeds, curves and filters are of the first, and recall is over all.
    ///
    /// # Errors
    /// [`Error::Usage`] if no row is finished; errors of the disk, the data and the pictures.
    pub fn figures(&self, name: &str) -> Result<Vec<PathBuf>> {
        let plan = self.plan(name, self.request)?;
        let job = Job::open(self, &plan)?;
        let mut rows = Vec::new();
        for row in plan.wanted() {
            if let Some(record) = job.known(row)? {
                rows.push((row, record));
            }
        }
        if rows.is_empty() {
            return Err(Error::Usage(format!(
                "no row of {} is finished on {}, so there is nothing to draw; run `cargo xtask run {name}` with the \
                 same flags first",
                plan.spec.name(),
                plan.data_words()
            )));
        }
        let mut album = Album::open(job.results.join("figures"));
        album.losses(&plan, &rows)?;
        album.streams(&plan, &rows)?;
        album.joined(&plan, &rows)?;
        album.embedding(&job, &plan, &rows)?;
        for (row, record) in &rows {
            album.row(&job, row, record)?;
        }
        Ok(album.files)
    }
}

type Done<'a> = (&'a RowPlan, Record);

/// Maximum number of nets in one picture of recall.
const MOST_BESIDE: usize = 4;

/// Returns the records of a fusion's streams, if the row is a fusion and all of them exist.
fn fused<'a>(rows: &'a [Done<'_>], row: &RowPlan) -> Option<Vec<&'a Record>> {
    let of = |id: &String| rows.iter().find(|(row, _)| row.row.id == *id).map(|(_, record)| record);
    row.row.fuse.as_ref()?.streams.iter().map(of).collect()
}

/// The first test of a row's net.
struct Tested<'a> {
    protocol: &'a Protocol,
    repeat: Repeat<'a>,
    trained: StepId,
}

/// Returns the first test of a row's net; `None` for a fusion.
fn tested<'a>(job: &'a Job<'_>, row: &RowPlan) -> Option<Tested<'a>> {
    let (_, step) = job.graph.scores(row).first()?;
    match &job.graph.step(*step).does {
        Does::Test { protocol, repeat, trained, .. } => {
            Some(Tested { protocol, repeat: *repeat, trained: *trained })
        }
        _ => None,
    }
}

/// The folder of pictures and its index.
struct Album {
    folder: PathBuf,
    files: Vec<PathBuf>,
    index: Vec<Picture>,
}

impl Album {
    /// Opens the folder with the pictures of earlier commands. An index that cannot be read is replaced.
    fn open(folder: PathBuf) -> Self {
        let mut index = pictures::read(&folder).ok().flatten().unwrap_or_default();
        index.retain(|known| folder.join(&known.file).exists());
        Self { folder, files: Vec::new(), index }
    }

    /// Writes a picture and its entry in the index.
    fn keep(&mut self, picture: Picture, bytes: &[u8]) -> Result<()> {
        let path = self.folder.join(&picture.file);
        write_atomic(&path, bytes)?;
        self.files.push(path);
        self.index.retain(|known| known.file != picture.file);
        self.index.push(picture);
        self.index.sort_by(|a, b| a.file.cmp(&b.file));
        write_json(&self.folder.join(INDEX), &self.index)
    }

    fn keep_drawing(
        &mut self,
        file: &str,
        shows: Shows,
        row: Option<&RowPlan>,
        drawing: &Drawing,
    ) -> Result<()> {
        let picture = Picture {
            file: file.to_owned(),
            shows,
            row: row.map(|row| row.row.id.clone()),
            stream: None,
            title: drawing.title.clone(),
            description: drawing.description.clone(),
        };
        self.keep(picture, drawing.file().as_bytes())
    }

    fn losses(&mut self, plan: &TablePlan, rows: &[Done<'_>]) -> Result<()> {
        let curves: Vec<Curve<'_>> = rows
            .iter()
            .filter_map(|(row, record)| {
                let points = &record.runs.first()?.stages.last()?.training.loss;
                Some(Curve { name: &row.row.id, points, place: None })
            })
            .take(MOST_CURVES)
            .collect();
        if curves.is_empty() {
            return Ok(());
        }
        let title = format!("Training loss, {}", plan.spec.name());
        let options = CurveOptions { title: &title, scale: LossScale::Logarithmic, rate_steps: &[] };
        self.keep_drawing("loss.svg", Shows::Loss, None, &loss_curves(&curves, &options)?)
    }

    /// Draws the recall of the last fusion and its streams.
    fn streams(&mut self, plan: &TablePlan, rows: &[Done<'_>]) -> Result<()> {
        let fused = rows.iter().rev().find_map(|(row, record)| Some((row, fused(rows, row)?, record)));
        let Some((row, streams, record)) = fused else { return Ok(()) };
        let records: Vec<&Record> = streams.into_iter().chain([record]).collect();
        let title = format!("Recall of each class, {}, {}", row.row.label, plan.spec.name());
        self.side_by_side("streams.svg", None, &records, &title)
    }

    /// Draws the recall of each network that joins two streams, beside both streams and their fusion.
    fn joined(&mut self, plan: &TablePlan, rows: &[Done<'_>]) -> Result<()> {
        for (row, record) in rows {
            let Work::Net(protocol) = &row.work else { continue };
            let streams: Vec<&NetPlan> = match &protocol.net.train.start {
                Start::Streams { .. } => {
                    protocol.net.train.start.nets().into_iter().map(|(_, net)| net).collect()
                }
                _ => continue,
            };
            let of_both = |other: &RowPlan| match &other.work {
                Work::Fusion(fusion) => {
                    fusion.streams.iter().map(|stream| &stream.net).eq(streams.iter().copied())
                }
                _ => false,
            };
            let Some((fusion, late)) = rows.iter().find(|(other, _)| of_both(other)) else { continue };
            let Some(streams) = fused(rows, fusion) else { continue };
            let records: Vec<&Record> = streams.into_iter().chain([late, record]).collect();
            let column = row.row.column.iter().map(|column| format!(" {column}")).collect::<String>();
            let title = format!("Recall of each class, {}{column}, {}", row.row.label, plan.spec.name());
            self.side_by_side(&format!("{}-streams.svg", row.row.id), Some(row), &records, &title)?;
        }
        Ok(())
    }

    fn side_by_side(
        &mut self,
        file: &str,
        row: Option<&RowPlan>,
        records: &[&Record],
        title: &str,
    ) -> Result<()> {
        if records.len() > MOST_BESIDE {
            return Ok(());
        }
        let names: Vec<&str> = records.iter().map(|record| record.row.as_str()).collect();
        let recall = |class: &String| {
            records.iter().map(|record| record.recall.get(class).copied().unwrap_or(f64::NAN)).collect()
        };
        let classes: Vec<(&str, Vec<f64>)> =
            records[0].recall.keys().map(|class| (class.as_str(), recall(class))).collect();
        self.keep_drawing(file, Shows::Streams, row, &recall_of_nets(&names, &classes, title)?)
    }

    fn row(&mut self, job: &Job<'_>, row: &RowPlan, record: &Record) -> Result<()> {
        if row.work.tested_by() == TestBy::Pairs {
            // A test of pairs has no classes.
            return Ok(());
        }
        let id = &row.row.id;
        let recall: Vec<(&str, f64)> = record.recall.iter().map(|(class, r)| (class.as_str(), *r)).collect();
        let title = format!("Recall of each class: {}", row.row.label);
        let picture = recall_chart(&recall, &title)?;
        self.keep_drawing(&format!("{id}-recall.svg"), Shows::Recall, Some(row), &picture)?;
        let title = format!("Confusion: {}", row.row.label);
        let picture = confusion(&record.confusion, &title)?;
        self.keep_drawing(&format!("{id}-confusion.svg"), Shows::Confusion, Some(row), &picture)?;

        let Some(tested) = tested(job, row) else { return Ok(()) };
        let protocol = tested.protocol;
        self.filters(job, row, &tested)?;
        self.attention(job, row, &tested)?;
        if protocol.net.flow().is_some() {
            let picture = job.sample_picture(&tested, &row.row.label)?;
            self.keep_drawing(&format!("{id}-input.svg"), Shows::Input, Some(row), &picture)?;
        }
        Ok(())
    }

    /// Draws the filters of the first layer.
    fn filters(&mut self, job: &Job<'_>, row: &RowPlan, tested: &Tested<'_>) -> Result<()> {
        let net = &tested.protocol.net;
        let weights = tensors::read(&job.graph.unit(tested.trained).verified(WEIGHTS)?, &Device::Cpu)
            .map_err(Error::network("reading the trained weights"))?;
        let id = &row.row.id;
        for FirstFilters { weight, prefix, modality } in net.model.first_filters() {
            // A network of several streams has one picture per stream.
            let Some(first) = weights.get(&weight) else { continue };
            let stream = match prefix.trim_end_matches('.') {
                "" => String::new(),
                stream => format!("-{stream}"),
            };
            let shape = <[usize; 4]>::from(first.dims4().map_err(Error::network("reading the filters"))?);
            let values = first
                .flatten_all()
                .and_then(|flat| flat.to_vec1::<f32>())
                .map_err(Error::network("reading the filters"))?;
            let picture = |ending: &str, description: String| Picture {
                file: format!("{id}{stream}-filters.{ending}"),
                shows: Shows::Filters,
                row: Some(id.clone()),
                stream: stream.strip_prefix('-').map(str::to_owned),
                title: format!("First-layer filters: {}", row.row.label),
                description,
            };
            if modality == Modality::FLOW {
                let title = format!("First-layer filters: {}", row.row.label);
                let drawing = filters_flow(&values, shape, &title)?;
                self.keep(picture("svg", drawing.description.clone()), drawing.file().as_bytes())?;
            } else if modality == Modality::RGB && shape[1] == 3 {
                // Filters of other inputs, such as several frames, cannot be shown in colour.
                let description = format!("{} filters in colour, side by side.", shape[0]);
                self.keep(picture("png", description), &filters_rgb(&values, shape)?)?;
            }
        }
        Ok(())
    }
}

impl Job<'_> {
    /// Draws the middle of the first test video: the frame, its flow, and the stack as the network sees it.
    fn sample_picture(&self, tested: &Tested<'_>, label: &str) -> Result<Drawing> {
        let Tested { protocol, repeat, .. } = tested;
        let (net, videos) = (&protocol.net, self.library.testing(protocol, repeat)?);
        let video = videos.first().ok_or_else(|| Error::Usage("there is no test video to show".into()))?;
        let source = &*video.source;
        let input = net.flow().ok_or_else(|| Error::Usage("the net has no flow input".into()))?;
        let start = (source.frames().saturating_sub(input.span())) / 2;
        let frame = source.frame(start)?;
        let field = source.field(Direction::Forward, start)?;
        let size = (net.crop, net.crop);
        let crop = Crop::center(source.size(), size).map_err(data::DataError::from)?;
        let mut values = vec![0.0; input.channels() * net.crop * net.crop];
        let mut views = [View { crop, size, colour: [0.0; 3], out: &mut values }];
        input.paint(source, start, &mut views, &mut Scratch::default())?;
        let shown = FlowField { width: field.width, height: field.height, u: field.u, v: field.v };
        let stack =
            Stack { fields: input.channels() / 2, width: net.crop, height: net.crop, values: &values };
        Ok(sample_input(&Sample {
            title: &format!("{}: {label}", video.id),
            frame: Frame { width: frame.width, height: frame.height, rgb: &frame.rgb },
            flow: &shown,
            full_scale: None,
            stack,
        })?)
    }
}
