//! A table as it will run: a spec with its profile applied and every value
//! explicit. Contradictions are found here, before any video is opened.

use std::path::PathBuf;

use data::dataset::SplitSize;
use data::extracted::Extraction;
use data::inputs::FlowStack;
use data::loader::Crops;
use models::{CnnM2048Config, ModelConfig, Stream, Window};
use nn::StepSchedule;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, did_you_mean};
use crate::spec::{self, DropoutRule, FlowPreset, Input, ProfileName, Spec, Stem, Storage};

/// What a user asks of a table beyond its name.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// The profile; `mini` unless said.
    pub profile: Option<ProfileName>,
    /// The data set, instead of the profile's.
    pub dataset: Option<String>,
    /// The splits, instead of the profile's.
    pub splits: Vec<String>,
    /// The number of training seeds, instead of the profile's.
    pub seeds: Option<usize>,
    /// The seed of a generated data set, instead of the set's own.
    pub data_seed: Option<u64>,
    /// What is known of the frames and flow in the data root, if it holds those instead of videos.
    pub extraction: Option<Extraction>,
    /// The rows to run; all when empty.
    pub rows: Vec<String>,
}

/// What a plan must know of a data set before it is opened.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetFacts {
    /// Its name.
    pub name: String,
    /// Number of classes.
    pub classes: usize,
    /// Its splits and their sizes.
    pub splits: Vec<SplitSize>,
    /// The seed of a generated set unless a flag says another; `None` for real
    /// videos.
    pub data_seed: Option<u64>,
}

/// A table, resolved.
#[derive(Debug, Clone)]
pub struct TablePlan {
    /// The spec it was made from.
    pub spec: Spec,
    /// That spec's file.
    pub file: PathBuf,
    /// The profile.
    pub profile: ProfileName,
    /// The data set.
    pub dataset: DatasetFacts,
    /// The folder under `results/` that this question's records go to.
    pub results: PathBuf,
    /// All rows of the table, in its order; `wanted` marks those asked for.
    pub rows: Vec<RowPlan>,
    /// What was changed from the paper's scale, in words.
    pub departures: Vec<String>,
}

/// A row, resolved.
#[derive(Debug, Clone)]
pub struct RowPlan {
    /// The row as written.
    pub row: spec::Row,
    /// How it is trained and tested.
    pub protocol: Protocol,
    /// The splits that it is run on.
    pub splits: Vec<String>,
    /// The training seeds that it is run with.
    pub seeds: Vec<u64>,
    /// Whether this run asks for it.
    pub wanted: bool,
}

/// All that decides a row's numbers but the split and the seed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Protocol {
    /// How videos become frames and flow.
    pub video: VideoPlan,
    /// What the network sees.
    pub input: FlowStack,
    /// The side of the square crop, in pixels.
    pub crop: usize,
    /// The network.
    pub model: ModelConfig,
    /// The training stage.
    pub train: TrainPlan,
    /// The test.
    pub test: TestPlan,
}

/// How videos become frames and flow.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct VideoPlan {
    /// The smaller side, in pixels.
    pub short_side: usize,
    /// How both are stored.
    pub storage: Storage,
    /// How flow is estimated.
    pub flow: flow::Method,
    /// Pixels per frame that stored flow reaches to either side; each component's own range if absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow_bound: Option<f32>,
    /// Frames and flow come from another program, and this is known of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub extraction: Option<Extraction>,
    /// At most so many videos a class in training and as many in testing.
    pub videos_per_class: Option<usize>,
}

/// The training stage of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TrainPlan {
    /// Where the weights start.
    pub start: Start,
    /// Videos a batch, drawn uniformly across the classes.
    pub batch: usize,
    /// Iterations.
    pub iterations: usize,
    /// The learning rate.
    pub schedule: StepSchedule,
    /// Momentum.
    pub momentum: f64,
    /// L2 penalty.
    pub weight_decay: f64,
    /// Whether samples are mirrored at random.
    pub flip: bool,
}

/// Where a training stage's weights start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", deny_unknown_fields, rename_all = "kebab-case")]
pub enum Start {
    /// He et al.'s normal initialisation, biases zero.
    HeNormal,
}

/// The test of a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct TestPlan {
    /// Temporal positions a video.
    pub frames: usize,
    /// Views of each.
    pub crops: Crops,
}

impl TablePlan {
    /// Applies a profile and a request to a spec.
    ///
    /// `facts` answers what data set a name stands for.
    ///
    /// # Errors
    /// [`Error::UnknownRow`], [`Error::Usage`] for splits or seeds that cannot
    /// be, [`Error::Contradiction`] for rows that cannot be run as written.
    pub fn resolve(
        spec: Spec,
        file: PathBuf,
        request: &Request,
        facts: impl FnOnce(&str) -> Result<DatasetFacts>,
    ) -> Result<Self> {
        let name = request.profile.unwrap_or(ProfileName::Mini);
        let profile = spec.profile.get(name);
        let mut dataset = facts(request.dataset.as_deref().unwrap_or(&profile.dataset))?;
        let own_seed = dataset.data_seed;
        match (request.data_seed, own_seed) {
            (Some(_), None) => {
                return Err(Error::Usage(format!(
                    "--data-seed renders a fresh draw of a generated data set, and `{}` holds real videos; \
                     leave the flag out",
                    dataset.name
                )));
            }
            (Some(seed), Some(_)) => dataset.data_seed = Some(seed),
            (None, _) => {}
        }

        let usual_splits = profile
            .splits
            .get(&dataset.name)
            .cloned()
            .unwrap_or_else(|| dataset.splits.iter().map(|s| s.name.clone()).collect());
        let splits = if request.splits.is_empty() { usual_splits.clone() } else { request.splits.clone() };
        for split in &splits {
            if !dataset.splits.iter().any(|known| known.name == *split) {
                let known: Vec<&str> = dataset.splits.iter().map(|s| s.name.as_str()).collect();
                return Err(Error::Usage(format!(
                    "data set `{}` has no split `{split}`; it has {}",
                    dataset.name,
                    known.join(", ")
                )));
            }
        }
        let seeds = request.seeds.unwrap_or(profile.seeds);
        if seeds == 0 {
            return Err(Error::Usage("--seeds must be at least 1".into()));
        }
        for wanted in &request.rows {
            if !spec.row.iter().any(|row| row.id == *wanted) {
                let known = || spec.row.iter().map(|row| row.id.as_str());
                return Err(Error::UnknownRow {
                    table: spec.name(),
                    row: wanted.clone(),
                    hint: did_you_mean(wanted, known()),
                    known: known().collect::<Vec<_>>().join(", "),
                });
            }
        }

        let rows = spec
            .row
            .iter()
            .map(|row| {
                let protocol =
                    Protocol::resolve(&spec, profile, row, &dataset, request).map_err(|message| {
                        Error::Contradiction {
                            file: file.display().to_string(),
                            row: row.id.clone(),
                            message,
                        }
                    })?;
                Ok(RowPlan {
                    row: row.clone(),
                    protocol,
                    splits: splits.clone(),
                    seeds: (0..seeds as u64).collect(),
                    wanted: request.rows.is_empty() || request.rows.contains(&row.id),
                })
            })
            .collect::<Result<Vec<_>>>()?;

        // A question other than the profile's own gets a folder of its own, so
        // that no record is overwritten by the answer to another question.
        let mut tag = format!("{}-{name}", dataset.name);
        if dataset.data_seed != own_seed {
            tag.push_str(&format!(".data-seed-{}", dataset.data_seed.unwrap_or(0)));
        }
        if splits != usual_splits {
            tag.push_str(&format!(".splits-{}", splits.join("+")));
        }
        if seeds != profile.seeds {
            tag.push_str(&format!(".seeds-{seeds}"));
        }
        if let Some(Extraction { bound, check }) = request.extraction {
            tag.push_str(&format!(".extracted-{bound}"));
            tag.push_str(if check { "" } else { "-unchecked" });
        }
        let results = PathBuf::from(&spec.paper).join(format!("table{}", spec.table)).join(tag);
        let departures = departures(&spec, profile, &dataset);
        Ok(Self { results, departures, file, profile: name, dataset, rows, spec })
    }

    /// The rows that this run asks for.
    pub fn wanted(&self) -> impl Iterator<Item = &RowPlan> {
        self.rows.iter().filter(|row| row.wanted)
    }
}

impl Protocol {
    fn resolve(
        spec: &Spec,
        profile: &spec::Profile,
        row: &spec::Row,
        dataset: &DatasetFacts,
        request: &Request,
    ) -> std::result::Result<Self, String> {
        let shared = &spec.shared;
        let Input::Flow { sampling, length, mean_subtraction } = row.input;
        // A motion covers as many pixels fewer as the picture is smaller; the
        // network sees the displacement of the paper's picture.
        let scale = (1.0 / profile.size) as f32;
        let input = FlowStack { sampling, length, mean_subtraction, scale };
        input.validate().map_err(|e| e.to_string())?;

        let crop = scaled(shared.frames.crop, profile.size, "frames.crop")?;
        let spec::Model::CnnM2048 { dropout } = shared.model;
        if !(0.0..1.0).contains(&dropout) {
            return Err(format!("dropout = {dropout}; it must be at least 0 and below 1"));
        }
        let model = CnnM2048Config::paper(Stream::Temporal, input.channels(), dataset.classes, dropout);
        let model = shrink(model, profile, crop)?;
        // A network that cannot be built for this picture is a contradiction
        // of the profile, not a surprise of the run.
        let model = ModelConfig::CnnM2048(model);
        model.summary().map_err(|e| e.to_string())?;

        let steps = &shared.train.steps;
        let mut multipliers = Vec::with_capacity(steps.len());
        for step in steps {
            multipliers
                .push((scaled(step.at, profile.iterations, "train.steps")?, step.rate / shared.train.rate));
        }
        let schedule = StepSchedule { base_lr: shared.train.rate, steps: multipliers };
        schedule.validate().map_err(|e| e.to_string())?;
        Ok(Self {
            video: VideoPlan {
                short_side: scaled(shared.frames.short_side, profile.size, "frames.short-side")?,
                storage: profile.storage,
                flow: profile.flow.method(),
                flow_bound: profile.flow_bound,
                extraction: request.extraction,
                videos_per_class: profile.videos_per_class,
            },
            input,
            crop,
            model,
            train: TrainPlan {
                start: Start::HeNormal,
                batch: scaled(shared.train.batch, profile.batch, "train.batch")?,
                iterations: scaled(shared.train.iterations, profile.iterations, "train.iterations")?,
                schedule,
                momentum: shared.train.momentum,
                weight_decay: shared.train.weight_decay,
                flip: shared.train.flip,
            },
            test: TestPlan {
                frames: scaled(shared.test.frames, profile.test_frames, "test.frames")?,
                crops: shared.test.crops,
            },
        })
    }
}

/// A network at the profile's scale.
fn shrink(
    mut model: CnnM2048Config,
    profile: &spec::Profile,
    crop: usize,
) -> std::result::Result<CnnM2048Config, String> {
    model.input = [crop; 2];
    for width in &mut model.widths {
        *width = scaled(*width, profile.width, "a layer's width")?;
    }
    model.full6 = scaled(model.full6, profile.width, "full6's width")?;
    model.full7 = scaled(model.full7, profile.width, "full7's width")?;
    if profile.stem == Stem::Small {
        model.conv1 = Window { kernel: 5, stride: 2, padding: 0 };
        model.conv2 = Window { kernel: 3, stride: 1, padding: 1 };
    }
    if profile.dropout == DropoutRule::KeepUnits {
        let keep = ((1.0 - model.dropout) / profile.width).min(1.0);
        // Away from the last bits of a division.
        model.dropout = ((1.0 - keep) * 1e6).round() / 1e6;
    }
    Ok(model)
}

/// `value * factor`, rounded, at least 1.
fn scaled(value: usize, factor: f64, what: &str) -> std::result::Result<usize, String> {
    if !(factor.is_finite() && factor > 0.0) {
        return Err(format!("the profile's factor on {what} is {factor}; it must be above 0"));
    }
    Ok(((value as f64 * factor).round() as usize).max(1))
}

/// Where a profile departs from the paper, in words, for `show` and for the
/// table's foot.
fn departures(spec: &Spec, profile: &spec::Profile, dataset: &DatasetFacts) -> Vec<String> {
    let mut list = Vec::new();
    let paper = &spec.profile.paper;
    if dataset.name != paper.dataset {
        list.push(format!("data set {} instead of {}", dataset.name, paper.dataset));
    }
    let mut factor = |what: &str, value: f64, reference: f64| {
        if value != reference {
            list.push(format!("{what} x {}", value / reference));
        }
    };
    factor("picture side", profile.size, paper.size);
    factor("layer width", profile.width, paper.width);
    factor("batch", profile.batch, paper.batch);
    factor("iterations and rate steps", profile.iterations, paper.iterations);
    factor("test frames", profile.test_frames, paper.test_frames);
    if profile.stem != paper.stem {
        list.push("conv1 5x5 stride 2, conv2 3x3 stride 1".into());
    }
    if profile.dropout != paper.dropout {
        list.push("dropout keeps as many units as the paper's".into());
    }
    if let Some(n) = profile.videos_per_class {
        list.push(format!("at most {n} videos a class in training and in testing"));
    }
    if profile.flow != FlowPreset::Brox {
        list.push("TV-L1 flow instead of that of Brox et al. 2004".into());
    }
    if profile.storage != paper.storage {
        list.push("flow stored without JPEG".into());
    }
    list
}
