//! Resolution of a row and its nets to plans.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use data::augment::{Augmentation, CropRule, MultiScale, PcaJitter, Places};
use data::inputs::Input;
use data::sample::TimeSteps;
use models::{Modality, ModelConfig};
use nn::{Factors, StepSchedule};

use crate::cast::{cast, reseeded};
use crate::cost;
use crate::error::{Error, Result};
use crate::fusion::ScoresOf;
use crate::model::Known;
use crate::net::{
    ContrastivePlan, DataPlan, NetPlan, PairsPlan, Protocol, Source, Start, TestPlan, TrainPlan, VideoPlan,
};
use crate::scale::scaled;
use crate::spec::{
    self, AlsoAs, ContrastiveSizes, Cropping, Losses, Player, Profile, ProfileName, Row, Spec, StartFrom,
    TestBy, Tested, Videos,
};
use crate::table::{DatasetFacts, FusionPlan, Request, Sources, Work};

/// Largest deviation of a net's training from its budget.
const BUDGET_TOLERANCE: f64 = 0.05;

/// Deepest chain of stages; a longer one is taken for a cycle.
const DEEPEST: usize = 8;

/// Resolves rows for one request.
pub(super) struct Resolver<'a> {
    pub(super) sources: &'a dyn Sources,
    pub(super) request: &'a Request,
    pub(super) profile: ProfileName,
    pub(super) dataset: &'a str,
}

/// Reason why a net has no plan.
enum Refusal {
    /// A data set that the net needs has no stand-in.
    Unavailable(String),
    /// The spec contradicts itself.
    Contradiction(String),
    /// Another table cannot be read.
    Other(Error),
}

impl From<String> for Refusal {
    fn from(message: String) -> Self {
        Self::Contradiction(message)
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

/// A table under resolution: its spec, its profile and its data sets.
#[derive(Clone, Copy)]
struct Table<'a> {
    spec: &'a Spec,
    profile: &'a Profile,
    cast: &'a BTreeMap<String, DatasetFacts>,
    /// Factor on all iterations, besides the profile's.
    longer: f64,
}

/// The parts of a net that its initial weights have to fit.
struct Joined<'a> {
    data: &'a [DataPlan],
    inputs: &'a [Input],
    model: &'a ModelConfig,
}

impl Resolver<'_> {
    /// Resolves the work of a row.
    pub(super) fn work(
        &self,
        spec: &Spec,
        file: &Path,
        cast: &BTreeMap<String, DatasetFacts>,
        row: &Row,
    ) -> Result<Work> {
        let longer = self.request.budget.unwrap_or(1.0);
        let table = Table { spec, profile: spec.profile.get(self.profile), cast, longer };
        match self.row(&table, row) {
            Ok(work) => Ok(work),
            Err(Refusal::Unavailable(reason)) => Ok(Work::Unavailable { reason }),
            Err(Refusal::Other(error)) => Err(error),
            Err(Refusal::Contradiction(message)) => {
                Err(Error::Contradiction { file: file.display().to_string(), row: row.id.clone(), message })
            }
        }
    }

    fn row(&self, table: &Table<'_>, row: &Row) -> Result<Work, Refusal> {
        let Some(fuse) = &row.fuse else {
            return Ok(Work::Net(Box::new(self.row_net(table, row)?)));
        };
        let mut streams = Vec::with_capacity(fuse.streams.len());
        for id in &fuse.streams {
            // The check of the spec makes sure that the row exists.
            let stream = table.spec.row.iter().find(|row| row.id == *id);
            let stream = stream.ok_or_else(|| format!("unknown row `{id}`"))?;
            streams.push(self.row_net(table, stream)?);
        }
        if let Some(other) = streams.iter().find(|p| p.net.target() != streams[0].net.target()) {
            let (a, b) = (&streams[0].net.target().set, &other.net.target().set);
            return Err(format!("fuse.streams: the rows are tested on different videos, {a} and {b}").into());
        }
        let fusion = fuse.by.fusion(table.spec.shared.svm.as_ref(), streams.len())?;
        Ok(Work::Fusion(FusionPlan { streams, fusion }))
    }

    /// Resolves the net of a row, which may belong to another table.
    fn row_net(&self, table: &Table<'_>, row: &Row) -> Result<Protocol, Refusal> {
        let protocol = self.net_of_row(table, row)?;
        // The test videos are those of a split. No stage may learn from videos of that data set outside the split's training
        // part.
        let target = &protocol.net.target().set;
        let data = || protocol.net.stages().into_iter().flat_map(|net| &net.data);
        if data().any(|data| data.set == *target && data.videos != Videos::Split) {
            return Err(format!("a stage of row `{}` learns from test videos of {target}", row.id).into());
        }
        // The splits of a run belong to the target; they mean nothing for other data sets.
        if let Some(other) = data().find(|data| data.set != *target && data.videos == Videos::Split) {
            return Err(format!(
                "a stage of row `{}` on {} has no `videos`; add videos = \"all\" or {{ of = \"1\" }}",
                row.id, other.set
            )
            .into());
        }
        Ok(protocol)
    }

    fn net_of_row(&self, table: &Table<'_>, row: &Row) -> Result<Protocol, Refusal> {
        // The check of the spec makes sure that the profile has a budget.
        let whole = table.profile.budget.map(|budget| budget.multiply_adds * table.longer);
        let budget = row.budget.zip(whole).map(|(share, whole)| share * whole);
        match (&row.net, &row.same_as) {
            (Some(net), _) => self.tested(table, net, row, budget),
            (None, Some(name)) if name.contains('/') => {
                self.elsewhere(table, name, |other, stage| self.tested(other, stage, row, budget))
            }
            (None, Some(name)) => {
                let net = table.spec.stage(name).ok_or_else(|| format!("unknown net `{name}` in same-as"))?;
                self.tested(table, net, row, budget)
            }
            (None, None) => Err(format!("row `{}` has no net", row.id).into()),
        }
    }

    /// Resolves a net of `table` with the row's test. A `budget`, in multiply-adds, decides its iterations and those of the stages
    /// before it.
    fn tested(
        &self,
        table: &Table<'_>,
        net: &spec::Net,
        row: &Row,
        budget: Option<f64>,
    ) -> Result<Protocol, Refusal> {
        let mut plan = self.net(table, net, 0)?;
        if let Some(budget) = budget {
            let usual = cost::chain(&plan)?.multiply_adds();
            let scaled = Table { longer: table.longer * budget / usual, ..*table };
            plan = self.net(&scaled, net, 0).map_err(|refusal| match refusal {
                Refusal::Contradiction(message) => Refusal::Contradiction(format!(
                    "budget of {budget:.2e} multiply-adds, where its protocols take {usual:.2e}: {message}"
                )),
                other => other,
            })?;
            let found = cost::chain(&plan)?.multiply_adds();
            if (found / budget - 1.0).abs() > BUDGET_TOLERANCE {
                return Err(format!(
                    "budget: whole iterations give {found:.2e} multiply-adds instead of {budget:.2e}; its protocols take \
                     {usual:.2e}, so use a larger budget"
                )
                .into());
            }
        }
        Ok(Protocol { test: test(table, &plan, row.tested.unwrap_or_default())?, net: plan })
    }

    /// Calls `then` with a net of another table: `TABLE/NET` of the same paper, or `PAPER/TABLE/NET`.
    fn elsewhere<T>(
        &self,
        table: &Table<'_>,
        name: &str,
        then: impl FnOnce(&Table<'_>, &spec::Net) -> Result<T, Refusal>,
    ) -> Result<T, Refusal> {
        let (place, net) = name
            .rsplit_once('/')
            .ok_or_else(|| format!("`{name}`: expected a table and its row, such as table1b/stack-10-on"))?;
        let place =
            if place.contains('/') { place.to_owned() } else { format!("{}/{place}", table.spec.paper) };
        let (other, file): (Spec, PathBuf) = self.sources.spec(&place)?;
        let stage = other.stage(net).ok_or_else(|| {
            let known: Vec<&str> = other
                .net
                .keys()
                .map(String::as_str)
                .chain(other.row.iter().filter(|row| row.net.is_some()).map(|row| row.id.as_str()))
                .collect();
            format!(
                "`{name}`: {} has no net of that name{}; its nets are: {}",
                file.display(),
                base::did_you_mean(net, known.iter().copied()),
                known.join(", ")
            )
        })?;
        let cast = reseeded(&other, cast(&other, self.dataset, self.sources)?, self.request)?;
        let profile = other.profile.get(self.profile);
        then(&Table { spec: &other, profile, cast: &cast, longer: table.longer }, stage)
    }

    fn net(&self, table: &Table<'_>, net: &spec::Net, depth: usize) -> Result<NetPlan, Refusal> {
        if depth > DEEPEST {
            return Err(format!(
                "more than {DEEPEST} stages start from one another; check `start` for a cycle"
            )
            .into());
        }
        let profile = table.profile;
        let shared = &table.spec.shared;
        let data = self.data(table, net)?;
        let sample = net.input.scaled(profile.size);
        sample.validate().map_err(|e| e.to_string())?;
        let inputs: Vec<Input> = sample.inputs.iter().map(|input| input.input).collect();
        let crop = scaled(shared.frames.crop, profile.size, "frames.crop")?;
        let time_steps = sample.time_steps.count();
        let known = Known { spec: table.spec, profile, net, inputs: &inputs, time_steps, data: &data, crop };
        let model = known.model()?;
        let protocol = shared.train.get(&net.train).ok_or_else(|| format!("no protocol `{}`", net.train))?;
        let factor = profile.iterations_of(&net.train) * table.longer;
        let mut steps = Vec::with_capacity(protocol.steps.len());
        for step in &protocol.steps {
            steps.push((scaled(step.at, factor, "train.steps")?, step.rate / protocol.rate));
        }
        let rate = profile.rate_of(&net.train);
        if !(rate.is_finite() && rate > 0.0) {
            return Err(
                format!("the profile's factor on the learning rate is {rate}; it must be above 0").into()
            );
        }
        let schedule = StepSchedule { base_lr: protocol.rate * rate, steps };
        schedule.validate().map_err(|e| e.to_string())?;
        let start = match &net.start {
            None => Start::HeNormal,
            Some(from) => {
                self.start(table, from, depth, &Joined { data: &data, inputs: &inputs, model: &model })?
            }
        };
        for (stream, first) in start.nets() {
            model.can_adopt(&*first.model, stream).map_err(|e| e.to_string())?;
        }
        let factors = Factors {
            bias_rate: protocol.bias_rate.unwrap_or(1.0),
            bias_decay: protocol.bias_decay.unwrap_or(1.0),
            first_layer_rate: protocol.first_layer_rate.unwrap_or(1.0),
        };
        if factors.first_layer_rate != 1.0 && model.first_filters().is_empty() {
            return Err("first-layer-rate: no single layer of its network reads the input; remove the key"
                .to_owned()
                .into());
        }
        let flow = inputs.iter().any(|input| input.flow().is_some());
        let coloured = inputs.iter().any(|input| input.takes_colour());
        let is_real = |set: &str| table.cast.values().any(|facts| facts.name == set && !facts.is_generated());
        let real = data.iter().any(|data| is_real(&data.set));
        let colour = (protocol.rgb_jittering && coloured).then(PcaJitter::imagenet);
        let crops = match protocol.crops {
            Cropping::Random => CropRule::Random,
            // As in the public code of Temporal Segment Networks.
            Cropping::MultiScale => CropRule::MultiScale(MultiScale::published(Places::Five)),
        };
        let plan = NetPlan {
            data,
            video: VideoPlan {
                short_side: scaled(shared.frames.short_side, profile.size, "frames.short-side")?,
                storage: profile.storage,
                flow: flow.then(|| profile.flow.method()),
                flow_bound: profile.flow_bound.filter(|_| flow),
                extraction: self.request.extraction.filter(|_| real),
                // Extracted frames are decoded already.
                accept_messages: self.request.accept_messages && real && self.request.extraction.is_none(),
                videos_per_class: profile.videos_per_class,
            },
            sample,
            crop,
            model,
            precision: self.request.precision,
            train: TrainPlan {
                start,
                learns: net.learns,
                batch: scaled(protocol.batch, profile.batch, "train.batch")?,
                iterations: scaled(protocol.iterations, factor, "train.iterations")?,
                schedule,
                momentum: protocol.momentum,
                weight_decay: protocol.weight_decay,
                clip_gradient_norm: protocol.clip_gradient_norm,
                factors,
                augmentation: Augmentation { crop: crops, flip: protocol.flip, colour },
                pairs: protocol.pairs.map(|dissimilar| pairs(dissimilar, net.losses, shared.contrastive)),
            },
        };
        plan.check()?;
        Ok(plan)
    }

    fn start(
        &self,
        table: &Table<'_>,
        from: &StartFrom,
        depth: usize,
        joined: &Joined<'_>,
    ) -> Result<Start, Refusal> {
        match from {
            StartFrom::Net(name) => {
                let start = self.stage_of(table, name, depth)?;
                // The classes are the same only if the data sets are.
                Ok(match start {
                    Start::Net { net, .. } => {
                        Start::Net { classifiers: same_classes(&net.data, joined.data), net }
                    }
                    other => other,
                })
            }
            StartFrom::Streams(streams) => Ok(Start::Streams {
                appearance: self.stream(
                    table,
                    streams.appearance.as_deref(),
                    Modality::RGB,
                    depth,
                    joined,
                )?,
                motion: self.stream(table, streams.motion.as_deref(), Modality::FLOW, depth, joined)?,
            }),
        }
    }

    /// Resolves the initial weights of a stream, if the network has that stream.
    fn stream(
        &self,
        table: &Table<'_>,
        name: Option<&str>,
        stream: Modality,
        depth: usize,
        joined: &Joined<'_>,
    ) -> Result<Option<Source>, Refusal> {
        let key = if stream == Modality::RGB { "appearance" } else { "motion" };
        let name = match (name, joined.model.stream(stream)) {
            (None, Err(_)) => return Ok(None),
            (Some(name), Ok(_)) => name,
            (None, Ok(_)) => {
                return Err(format!("start has no net for the {key} stream; add {key} = \"...\"").into());
            }
            (Some(_), Err(_)) => return Err(format!("start: the network has no {key} stream").into()),
        };
        let source = match self.stage_of(table, name, depth)? {
            Start::Net { net, .. } => Source::Net(net),
            Start::Weights { source } => Source::Weights(source),
            Start::HeNormal | Start::Streams { .. } => {
                return Err(format!("start: `{name}` is not a network of one stream").into());
            }
        };
        if !joined.model.keeps_classifiers_of_streams() {
            return Ok(Some(source));
        }
        // The softmax layer of the stream is kept.
        let is_own = |input: &&Input| input.modality() == stream;
        match &source {
            Source::Net(net) if !same_classes(&net.data, joined.data) => Err(format!(
                "start: the stream `{name}` must be trained on the same classes, since its softmax layer is kept; it is \
                 trained on {}",
                net.target().set
            )
            .into()),
            Source::Net(net) if net.inputs().eq(joined.inputs.iter().filter(is_own)) => Ok(Some(source)),
            Source::Net(_) => Err(format!(
                "start: the input of `{name}` differs from its part of the clip; appearance needs a frame, \
                 and motion needs flow of the same length and mean subtraction as the clip"
            )
            .into()),
            Source::Weights(_) => Err(format!(
                "start: `{name}` is published weights; train this stream here, on the same classes, since \
                 its softmax layer is kept"
            )
            .into()),
        }
    }

    fn stage_of(&self, table: &Table<'_>, name: &str, depth: usize) -> Result<Start, Refusal> {
        if name.contains('/') {
            return self.elsewhere(table, name, |other, stage| self.stage(other, stage, depth));
        }
        let stage = table.spec.stage(name).ok_or_else(|| format!("start: unknown net `{name}`"))?;
        self.stage(table, stage, depth)
    }

    /// Resolves a stage that is trained here, or the published weights in its place.
    fn stage(&self, table: &Table<'_>, stage: &spec::Net, depth: usize) -> Result<Start, Refusal> {
        let player = table.spec.data.get(self.dataset).and_then(|cast| cast.get(&stage.on));
        if let Some(Player::Weights(source)) = player {
            return Ok(Start::Weights { source: source.clone() });
        }
        if player.is_none() {
            return Err(Refusal::Unavailable(format!(
                "needs {0} weights; {1}, or pin a file for {0} there (docs/weights.md)",
                stage.on,
                self.add_to_data(table, &stage.on),
            )));
        }
        Ok(Start::Net { net: Box::new(self.net(table, stage, depth + 1)?), classifiers: false })
    }

    /// Says which line of the spec's `[data]` gives a role a data set.
    fn add_to_data(&self, table: &Table<'_>, role: &str) -> String {
        let given = table.cast.iter().map(|(role, facts)| format!("{role} = \"{}\", ", facts.name));
        let line = format!("{} = {{ {}{role} = \"DATA-SET\" }}", self.dataset, given.collect::<String>());
        format!("write `{line}` in [data] of {}", table.spec.name())
    }

    fn data(&self, table: &Table<'_>, net: &spec::Net) -> Result<Vec<DataPlan>, Refusal> {
        let facts = |role: &str| {
            table.cast.get(role).ok_or_else(|| {
                Refusal::Unavailable(format!(
                    "--dataset {} has no substitute for {role}; {}",
                    self.dataset,
                    self.add_to_data(table, role)
                ))
            })
        };
        let target = facts(&net.on)?;
        if let Videos::Of(split) = &net.videos
            && target.splits_named(split).next().is_none()
        {
            return Err(format!("videos = {{ of = \"{split}\" }}: {} has no such split", target.name).into());
        }
        let mut data = vec![DataPlan {
            set: target.name.clone(),
            videos: net.videos.clone(),
            without: Vec::new(),
            classes: target.classes.len(),
            task: 0,
        }];
        if let Some(also) = &net.also {
            let more = facts(&also.on)?;
            let without = match also.role {
                AlsoAs::Task => Vec::new(),
                AlsoAs::Classes => table.spec.overlap.get(&more.name).cloned().ok_or_else(|| {
                    format!("[overlap] has no `{}`; list its classes that {} has too", more.name, target.name)
                })?,
            };
            if let Some(class) = without.iter().find(|class| !more.classes.contains(class)) {
                let hint = base::did_you_mean(class, more.classes.iter().map(String::as_str));
                return Err(format!("[overlap]: {} has no class `{class}`{hint}", more.name).into());
            }
            data.push(DataPlan {
                set: more.name.clone(),
                videos: Videos::All,
                classes: more.classes.len() - without.len(),
                without,
                task: usize::from(also.role == AlsoAs::Task),
            });
        }
        Ok(data)
    }
}

/// Resolves the test of a net. A network of clips sees at least as many positions as in training.
fn test(table: &Table<'_>, net: &NetPlan, tested: Tested) -> std::result::Result<TestPlan, String> {
    let test = &table.spec.shared.test;
    let windows = matches!(net.sample.time_steps, TimeSteps::Windows { .. });
    let as_clip = net.model.sees_whole_videos() || windows && net.model.accepts_any_length();
    // A consensus of segments is tested with the same number of snippets, however many it was trained with.
    let least = if as_clip && !net.sees_segments() { net.sample.time_steps.count() } else { 1 };
    let frames = match (test.frames, net.sample.time_steps) {
        (None, TimeSteps::Grid { .. }) => None,
        (None, _) => return Err("[shared] test.frames is missing: the positions tested in each video".into()),
        // All places of a whole video show the same.
        (Some(_), TimeSteps::Single) if net.inputs().any(|input| input.is_whole()) => Some(1),
        (Some(frames), _) => Some(scaled(frames, table.profile.test_frames, "test.frames")?.max(least)),
    };
    let Tested { on, by } = tested;
    if by == TestBy::Softmax && net.train.pairs.is_some_and(|pairs| !pairs.softmax) {
        return Err(
            "its softmax layer is not trained; set tested.by = \"nearest-neighbour\" or \"pairs\"".into()
        );
    }
    if by == TestBy::Pairs && !matches!(net.sample.time_steps, TimeSteps::Grid { .. }) {
        return Err("a test by pairs needs the same time steps in all views; set input.every = 10".into());
    }
    let scores = if by == TestBy::Softmax { test.scores } else { ScoresOf::default() };
    Ok(TestPlan { frames, crops: test.crops, as_clip, on, by, scores })
}

/// Returns the settings of a training on pairs.
fn pairs(dissimilar: usize, losses: Losses, sizes: Option<ContrastiveSizes>) -> PairsPlan {
    let contrastive = losses.contrastive.zip(sizes).map(|(distance, sizes)| {
        let ContrastiveSizes { margin, weight } = sizes;
        ContrastivePlan { distance, margin, weight }
    });
    PairsPlan { dissimilar, softmax: losses.softmax, contrastive }
}

/// Returns `true` if the softmax layers of nets trained on `a` and `b` have the same classes.
fn same_classes(a: &[DataPlan], b: &[DataPlan]) -> bool {
    let classes = |data: &[DataPlan]| -> Vec<_> {
        data.iter().map(|data| (data.set.clone(), data.without.clone(), data.task)).collect()
    };
    classes(a) == classes(b)
}
