//! Any network of one stream over several time steps of a video, which one of its layers pools.
//!
//! | paper | pooling |
//! |---|---|
//! | Multiple dynamic images (Bilen et al., CVPR 2016, Sect. 3; PAMI 2018) | maximum of the images of windows, at pool5 |
//! | Dynamic maps (the same) | approximate rank pooling of the frames of each window at a convolution, then the maximum of the windows |
//! | PP1, PP2 (PAMI 2018) | the same with learned sums |
//! | Conv pooling (Ng et al., CVPR 2015, Sect. 3.1) | maximum of all frames at pool5 |
//! | Late pooling | at fc7 |
//! | Slow pooling | windows of 10 frames, 5 apart, at pool5; then all at fc6 |
//! | Local pooling | the same windows at pool5; all side by side at fc7 |
//!
//! A batch is (B, T, C, H, W). Layers before a pooling see each time step alone, layers after it what is left of them. Where frames
//! are pooled, C holds several frames, and the network sees each alone up to that layer.
//!
//! Parameters have the names of the network, so that either can start from the weights of the other; a learned pooling adds
//! `pooling1.weight` and so on, the number being its place in the list. A classifier behind a concatenation reads more
//! features than that of the network.

use base::Modality;
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Case, Listed, Name, Role, Trunk};
use crate::graph::{Graph, INPUT};
use crate::layer::Layer;
use crate::names::{NameMap, Rule};
use crate::pooling::{PoolBy, Pooled, Pooling};
use crate::segments::SnippetNetwork;
use crate::wanted::Wanted;
use crate::{Channels, Error, Result, settings};

const MODEL: &str = "temporal pooling";

/// Prefix of the names of the poolings and of their parameters.
const POOLING: &str = "pooling";

/// Sizes of the network.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct PooledConfig {
    /// The network of a time step, or of each of its frames.
    pub network: SnippetNetwork,
    /// T, the number of time steps in training: 1 to 65536.
    pub time_steps: usize,
    /// Number of frames that the input stacks at each time step and the network sees one by one.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub frames: usize,
    /// The poolings, in the order of the layers; one or more.
    pub poolings: Vec<Pooling>,
}

fn one() -> usize {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
fn is_one(count: &usize) -> bool {
    *count == 1
}

/// Returns the channels of one frame, or of one field.
fn of_a_frame(modality: Modality) -> usize {
    if modality == Modality::FLOW { 2 } else { Channels::FRAME.count }
}

impl PooledConfig {
    /// Returns the channels of a frame and the number of frames of an input.
    fn apart(input: Channels, poolings: &[Pooling]) -> Result<(Channels, usize)> {
        if poolings.iter().all(|pooling| pooling.of == Pooled::TimeSteps) {
            return Ok((input, 1));
        }
        let each = of_a_frame(input.modality);
        let count = input.count / each;
        if count < 2 || !input.count.is_multiple_of(each) {
            return Err(Wanted::refused(format!(
                "pooling.of = \"frames\" joins the frames that an input stacks; its input has {} channels, a frame {each}; set \
                 input = {{ kind = \"rgb\", frames = 10, ... }}",
                input.count
            )));
        }
        Ok((Channels::new(input.modality, each), count))
    }

    fn check(&self) -> Result<()> {
        settings::time_steps(MODEL, [("time-steps", self.time_steps), ("frames", self.frames)])?;
        let refused = |at: usize, problem: &str| Error::Shape {
            model: MODEL,
            layer: format!("{POOLING}{}", at + 1),
            problem: problem.to_owned(),
        };
        if self.poolings.is_empty() {
            return Err(refused(0, "there is no pooling; expected at least one"));
        }
        for (at, Pooling { of, window, stride, .. }) in self.poolings.iter().enumerate() {
            if *of == Pooled::Frames && (at > 0 || self.frames == 1) {
                return Err(refused(
                    at,
                    "only the first pooling can join frames, and only if there are several",
                ));
            }
            if *of == Pooled::Frames && (window.is_some() || stride.is_some()) {
                return Err(refused(at, "frames are pooled all at once; remove window and stride"));
            }
            if window.is_some() != stride.is_some() {
                return Err(refused(at, "window and stride go together; give both or neither"));
            }
        }
        if self.frames > 1 && self.poolings[0].of != Pooled::Frames {
            return Err(refused(0, "the first pooling has to join the frames: of = \"frames\""));
        }
        Ok(())
    }

    /// Returns the layer of a pooling.
    fn layer(&self, pooling: &Pooling) -> Layer {
        let window = match pooling.of {
            Pooled::Frames => Some([self.frames; 2]),
            Pooled::TimeSteps => pooling.window.zip(pooling.stride).map(|(window, stride)| [window, stride]),
        };
        Layer::pool_over_time(pooling.by, window)
    }
}

impl Architecture for PooledConfig {
    fn kind(&self) -> &'static str {
        "temporal-pooling"
    }

    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let graph = self.network.graph()?;
        let model = graph.model;
        let layers: Vec<String> = std::iter::once(INPUT).chain(graph.names()).map(str::to_owned).collect();
        let title = format!("{}, pooled over {} time steps", graph.title(), self.time_steps);
        let any_length = self.accepts_any_length();
        let channels = self.inputs();
        let mut next = 0;
        let graph = graph.rebuilt(
            title,
            |mut port| {
                for own in channels.iter().filter(|own| own.modality == port.modality) {
                    port.shape.each[0] = own.count;
                }
                port.any_length = any_length;
                port.over(self.time_steps)
            },
            |graph, name, mut value| {
                if name == INPUT && self.frames > 1 {
                    value = graph.add("frames", Layer::frames_apart(self.frames), &[value])?;
                }
                while let Some(pooling) = self.poolings.get(next).filter(|pooling| pooling.at == name) {
                    next += 1;
                    value = graph.add(format!("{POOLING}{next}"), self.layer(pooling), &[value])?;
                }
                Ok(value)
            },
        )?;
        let refused = |at: usize, problem| Error::Shape { model, layer: format!("{POOLING}{at}"), problem };
        if let Some(left) = self.poolings.get(next) {
            let known = layers.iter().map(String::as_str);
            let problem = if layers.contains(&left.at) {
                format!(
                    "at = \"{}\" comes before the layer of the pooling before it; list poolings in order",
                    left.at
                )
            } else {
                format!("at = \"{}\" is no layer{}", left.at, base::there_are(&left.at, known))
            };
            return Err(refused(next + 1, problem));
        }
        for head in &graph.heads {
            if let Some(time_steps) = graph.shape(head.logits).time_steps {
                let problem = format!(
                    "{time_steps} time steps are left at the classifier; add a pooling without `window` before it"
                );
                return Err(refused(next, problem));
            }
        }
        if let (true, Some(time_steps)) = (graph.heads.is_empty(), graph.last_shape().time_steps) {
            let problem = format!(
                "{time_steps} time steps are left at the classifier; add a pooling without `window` before it"
            );
            return Err(refused(next, problem));
        }
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        let stacked = |each: Channels| Channels { count: each.count.saturating_mul(self.frames), ..each };
        self.network.inputs().into_iter().map(stacked).collect()
    }

    fn filtered(&self) -> Vec<Channels> {
        self.network.inputs()
    }

    fn heads(&self) -> Vec<usize> {
        self.network.heads()
    }

    /// A learned pooling is new wherever the classifier is.
    fn is_classifier(&self, parameter: &str) -> bool {
        parameter.starts_with(POOLING) || self.network.is_classifier(parameter)
    }

    /// That of the network: weights do not depend on the number of time steps.
    fn trunk(&self) -> Trunk {
        self.network.trunk()
    }

    fn first_convolution(&self) -> Option<&'static str> {
        self.network.first_convolution()
    }

    fn small_stem(&self) -> &'static str {
        self.network.small_stem()
    }

    fn published_names(&self, names: NameMap) -> Option<&'static [Rule]> {
        self.network.published_names(names)
    }

    /// False: a test shows as many segments as training. Windows are the exception, see [`Architecture::accepts_any_length`].
    fn sees_whole_videos(&self) -> bool {
        false
    }

    fn accepts_any_length(&self) -> bool {
        self.poolings.iter().all(|pooling| pooling.by != PoolBy::Concatenation)
    }
}

impl Listed for PooledConfig {
    /// Returns the names of the networks.
    fn names() -> Vec<Name<Self>> {
        let over = |network: Name<SnippetNetwork>| Name {
            name: network.name,
            batch_norm: network.batch_norm,
            role: Role::Pooled,
            make: Box::new(move |wanted: &Wanted<'_>| {
                let &[input] = wanted.inputs else {
                    return Err(Wanted::refused("pooling over time needs one input"));
                };
                let (each, frames) = Self::apart(input, wanted.poolings)?;
                let inputs = [each];
                let snippet = Wanted { inputs: &inputs, time_steps: 1, poolings: &[], ..wanted.clone() };
                let (network, poolings) = ((network.make)(&snippet)?, wanted.poolings.to_vec());
                Ok(Self { network, time_steps: wanted.time_steps, frames, poolings })
            }),
        };
        SnippetNetwork::names().into_iter().map(over).collect()
    }

    fn cases() -> Vec<Case<Self>> {
        let alex = crate::alex_net::AlexNetConfig {
            input: [67, 67],
            widths: [8, 12, 16, 16, 12],
            fc6: 48,
            fc7: 32,
            ..crate::alex_net::AlexNetConfig::paper(4)
        };
        let network = SnippetNetwork::AlexNet(alex);
        let pooling = |of, at: &str, by| Pooling { of, at: at.into(), by, window: None, stride: None };
        let frames = |by| Self {
            network: network.clone(),
            time_steps: 2,
            frames: 3,
            poolings: vec![
                pooling(Pooled::Frames, "norm1", by),
                pooling(Pooled::TimeSteps, "pool5", PoolBy::Mean),
            ],
        };
        let windows = Pooling {
            window: Some(2),
            stride: Some(1),
            ..pooling(Pooled::TimeSteps, "pool5", PoolBy::Maximum)
        };
        let local = Self {
            network: network.clone(),
            time_steps: 3,
            frames: 1,
            poolings: vec![windows, pooling(Pooled::TimeSteps, "fc7", PoolBy::Concatenation)],
        };
        vec![
            Case { is_smooth: false, ..Case::new("Temporal pooling, local", local) },
            Case::new("Temporal pooling, approximate rank", frames(PoolBy::ApproximateRank)),
            Case::new("Temporal pooling, learned twice", frames(PoolBy::LearnedTwice)),
        ]
    }
}
