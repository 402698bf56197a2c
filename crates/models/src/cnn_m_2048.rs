//! CNN-M-2048: either stream of "Two-Stream Convolutional Networks for Action
//! Recognition in Videos" (Simonyan & Zisserman, NIPS 2014), Figure 1 and Sect. 5.
//!
//! | layer | output (224x224) | kernel | stride | pad | followed by |
//! |---|---|---|---|---|---|
//! | conv1 | 96x109x109 | 7x7 | 2 | 0 | ReLU, LRN, pool1 3x3 stride 2: 54x54 |
//! | conv2 | 256x26x26 | 5x5 | 2 | 1 | ReLU, LRN (spatial stream only), pool2: 13x13 |
//! | conv3 | 512x13x13 | 3x3 | 1 | 1 | ReLU |
//! | conv4 | 512x13x13 | 3x3 | 1 | 1 | ReLU |
//! | conv5 | 512x13x13 | 3x3 | 1 | 1 | ReLU, pool5: 6x6 |
//! | full6 | 4096 | | | | ReLU, dropout |
//! | full7 | 2048 | | | | ReLU, dropout |
//! | full8 | classes | | | | softmax, in the loss |
//!
//! The temporal stream omits the second normalisation to save memory. Pooling rounds
//! up, as in Caffe. The figure says "pool 2x2", but the text and the released model have
//! 3x3 stride 2. The constants of the normalisation are those of the released VGG-M.
//!
//! A network for several tasks has a softmax layer for each (Sect. 4): `full8_1`, `full8_2` instead of `full8`.
//!
//! The paper also tries "slow fusion" (Karpathy et al. 2014) on 11 frames: [`Fusion::Slow`].

use base::Modality;
use nn::Activation;
use nn::ops::{Lrn, Pool2d};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Case, Listed, Name, Trunk};
use crate::graph::{Graph, Value};
use crate::layer::{Layer, Window};
use crate::names::Rule::Rename;
use crate::names::{NameMap, Rule};
use crate::wanted::Wanted;
use crate::{Channels, Result, settings};

const MODEL: &str = "CNN-M-2048";

/// Normalisation of the released VGG-M model.
const LRN: Lrn = Lrn { size: 5, alpha: 5e-4, beta: 0.75, k: 2.0 };

/// Every pooling layer.
const POOL: Pool2d = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: true };

/// The key `stream` of a configuration: the paper's word for the modality if it has one, otherwise the modality's name.
mod stream {
    use base::Modality;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    pub(super) fn word(modality: &Modality) -> &str {
        match *modality {
            Modality::RGB => "spatial",
            Modality::FLOW => "temporal",
            _ => modality.name(),
        }
    }

    pub(super) fn serialize<S: Serializer>(modality: &Modality, serializer: S) -> Result<S::Ok, S::Error> {
        word(modality).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Modality, D::Error> {
        match String::deserialize(deserializer)?.as_str() {
            "spatial" => Ok(Modality::RGB),
            "temporal" => Ok(Modality::FLOW),
            other => Modality::parse(other).map_err(D::Error::custom),
        }
    }
}

/// Fusion of the frames of an input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fusion {
    /// All channels in conv1: a single frame, or a stack of flow.
    Early,
    /// Eleven frames, step by step. conv1 reads four windows of five frames, two frames apart, with shared weights; conv2
    /// reads two pairs of these responses with shared weights; conv3 reads both results. In Karpathy et al. conv1 reads four
    /// of ten frames; five of eleven leave no frame out.
    Slow,
}

/// Frames that slow fusion reads.
const SLOW_FRAMES: usize = 11;

/// Sizes of the network; [`CnnM2048Config::paper`] has the paper's. Parameters are `conv1.weight`, `conv1.bias`, ...
/// `full8.bias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CnnM2048Config {
    /// Modality of the input. The spatial stream reads frames and normalises after conv1 and conv2; the temporal stream reads
    /// stacks of flow, or any other modality, and normalises after conv1 only.
    #[serde(rename = "stream", with = "stream")]
    pub modality: Modality,
    /// Input channels: 3 for a frame, 2L for a stack of L flow fields.
    pub channels: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Fusion of the frames of the input.
    pub fusion: Fusion,
    /// Classes of each softmax layer; one unless the network learns several tasks.
    pub classes: Vec<usize>,
    /// Output channels of conv1 to conv5.
    pub widths: [usize; 5],
    /// Window of conv1.
    pub conv1: Window,
    /// Window of conv2.
    pub conv2: Window,
    /// Outputs of full6.
    pub full6: usize,
    /// Outputs of full7.
    pub full7: usize,
    /// Probability that dropout zeroes an output of full6 or full7.
    pub dropout: f64,
    /// The probability after the second of these layers, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later_dropout: Option<f64>,
}

impl CnnM2048Config {
    /// Returns the paper's network.
    pub fn paper(channels: Channels, classes: usize, dropout: f64) -> Self {
        Self {
            modality: channels.modality,
            channels: channels.count,
            input: [224, 224],
            fusion: Fusion::Early,
            classes: vec![classes],
            widths: [96, 256, 512, 512, 512],
            conv1: Window { kernel: 7, stride: 2, padding: 0 },
            conv2: Window { kernel: 5, stride: 2, padding: 1 },
            full6: 4096,
            full7: 2048,
            dropout,
            later_dropout: None,
        }
    }

    fn of(wanted: &Wanted<'_>, fusion: Fusion) -> Result<Self> {
        let (dropout, later_dropout) = wanted.dropped_by_layer();
        let paper = Self::paper(wanted.one_input()?, 1, dropout);
        Ok(Self {
            later_dropout,
            fusion,
            classes: wanted.classes.to_vec(),
            input: [wanted.side; 2],
            widths: paper.widths.map(|width| wanted.wide(width)),
            full6: wanted.wide(paper.full6),
            full7: wanted.wide(paper.full7),
            conv1: wanted.stem(paper.conv1, Window { kernel: 5, stride: 2, padding: 0 }),
            conv2: wanted.stem(paper.conv2, Window { kernel: 3, stride: 1, padding: 1 }),
            ..paper
        })
    }

    /// Returns the names of the softmax layers.
    fn classifiers(&self) -> Vec<String> {
        match self.classes.len() {
            1 => vec!["full8".into()],
            tasks => (1..=tasks).map(|task| format!("full8_{task}")).collect(),
        }
    }

    fn reads(&self) -> Channels {
        Channels::new(self.modality, self.channels)
    }

    /// Adds conv1 to pool2.
    fn stem(&self, graph: &mut Graph) -> Result<Value> {
        graph.chain(graph.input(), self.first_block().into_iter().chain(self.second_block()))
    }

    fn first_block(&self) -> Vec<(&'static str, Layer)> {
        vec![
            ("conv1", Layer::conv_relu(self.widths[0], self.conv1)),
            ("norm1", Layer::lrn(LRN)),
            ("pool1", Layer::max_pool(POOL)),
        ]
    }

    fn second_block(&self) -> Vec<(&'static str, Layer)> {
        let mut block = vec![("conv2", Layer::conv_relu(self.widths[1], self.conv2))];
        if self.modality == Modality::RGB {
            block.push(("norm2", Layer::lrn(LRN)));
        }
        block.push(("pool2", Layer::max_pool(POOL)));
        block
    }

    /// Adds conv1 to pool2 of slow fusion, and joins the last two responses.
    fn slow_stem(&self, graph: &mut Graph) -> Result<Value> {
        let per_frame = self.channels / SLOW_FRAMES;
        let mut windows = Vec::new();
        for window in 0..4 {
            let frames = Layer::channels(2 * window * per_frame, 5 * per_frame);
            let input = graph.input();
            windows.push(vec![graph.add(format!("frames{window}"), frames, &[input])?]);
        }
        let first = Self::side_by_side(graph, windows, self.first_block())?;
        let joined = Self::joined(graph, "join1", &first)?;
        let second = Self::side_by_side(graph, joined, self.second_block())?;
        let joined = Self::joined(graph, "join2", &second)?;
        Ok(joined[0][0])
    }

    /// Adds a block for each input, all with shared weights.
    fn side_by_side(
        graph: &mut Graph,
        inputs: Vec<Vec<Value>>,
        block: Vec<(&'static str, Layer)>,
    ) -> Result<Vec<Value>> {
        let mut firsts: Vec<Value> = Vec::new();
        let mut outputs = Vec::new();
        for (time, mut x) in inputs.into_iter().enumerate() {
            for (position, (name, layer)) in block.iter().enumerate() {
                let output = match firsts.get(position) {
                    Some(&first) => graph.add_again(format!("{name}@{time}"), first, &x)?,
                    None => {
                        let first = graph.add(*name, layer.clone(), &x)?;
                        firsts.push(first);
                        first
                    }
                };
                x = vec![output];
            }
            outputs.extend(x);
        }
        Ok(outputs)
    }

    /// Joins the channels of neighbouring values in pairs.
    fn joined(graph: &mut Graph, name: &str, values: &[Value]) -> Result<Vec<Vec<Value>>> {
        let pair = |(time, pair): (usize, &[Value])| {
            Ok(vec![graph.add(format!("{name}@{time}"), Layer::concat(), pair)?])
        };
        values.chunks(2).enumerate().map(pair).collect()
    }

    fn check(&self) -> Result<()> {
        settings::sizes(
            MODEL,
            [
                ("channels", self.channels),
                ("the number of softmax layers", self.classes.len()),
                ("full6", self.full6),
                ("full7", self.full7),
            ],
        )?;
        settings::each(MODEL, "classes", &self.classes)?;
        settings::each(MODEL, "a value of widths", &self.widths)?;
        settings::picture(MODEL, self.input)?;
        settings::window(MODEL, "conv1", self.conv1)?;
        settings::window(MODEL, "conv2", self.conv2)?;
        if self.fusion == Fusion::Slow && self.reads() != Channels::new(Modality::RGB, 3 * SLOW_FRAMES) {
            return Err(settings::refused(
                MODEL,
                "the input of slow fusion",
                format!("{} channels of the {} stream", self.channels, stream::word(&self.modality)),
                "33 channels (11 frames) of the spatial stream",
            ));
        }
        settings::dropout(MODEL, self.dropout)?;
        settings::dropout(MODEL, self.later_dropout.unwrap_or(0.0))
    }
}

/// Names of `VGG_CNN_M_2048`. The paper calls the last layers full6 to full8.
const CAFFE: &[Rule] = &[Rename("fc6.*", "full6.*"), Rename("fc7.*", "full7.*"), Rename("fc8.*", "full8.*")];

impl Architecture for CnnM2048Config {
    fn kind(&self) -> &'static str {
        "cnn-m-2048"
    }

    /// Makes the layers of the table above.
    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let [_, _, width3, width4, width5] = self.widths;
        let same = Window { kernel: 3, stride: 1, padding: 1 };
        let full = |outputs| Layer::linear(outputs, Activation::Relu);
        let stream = stream::word(&self.modality);
        let classes: Vec<String> = self.classes.iter().map(usize::to_string).collect();
        let slow = if self.fusion == Fusion::Slow { ", slow fusion" } else { "" };
        let title = format!("{stream} stream{slow}, {} classes", classes.join(" and "));
        let mut graph = Graph::new(MODEL, title, self.reads(), self.input);
        let x = match self.fusion {
            Fusion::Early => self.stem(&mut graph)?,
            Fusion::Slow => self.slow_stem(&mut graph)?,
        };
        let full7 = graph.chain(
            x,
            [
                ("conv3", Layer::conv_relu(width3, same)),
                ("conv4", Layer::conv_relu(width4, same)),
                ("conv5", Layer::conv_relu(width5, same)),
                ("pool5", Layer::max_pool(POOL)),
                ("full6", full(self.full6)),
                ("dropout6", Layer::dropout(self.dropout)),
                ("full7", full(self.full7)),
            ],
        )?;
        graph.set_features(full7);
        let x =
            graph.add("dropout7", Layer::dropout(self.later_dropout.unwrap_or(self.dropout)), &[full7])?;
        for (task, (name, &outputs)) in self.classifiers().into_iter().zip(&self.classes).enumerate() {
            let logits = graph.add(name, Layer::linear(outputs, Activation::None), &[x])?;
            graph.add_head(logits, task);
        }
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        vec![self.reads()]
    }

    fn heads(&self) -> Vec<usize> {
        self.classes.clone()
    }

    /// Classifiers are `full8`, or `full8_1` and so on.
    fn is_classifier(&self, parameter: &str) -> bool {
        parameter.starts_with("full8.") || parameter.starts_with("full8_")
    }

    /// The modality plays no part: the normalisation after conv2, which only the spatial stream has, has no weights.
    fn trunk(&self) -> Trunk {
        let Channels { modality, count: channels } = Channels::FRAME;
        Trunk::of(&Self {
            modality,
            channels,
            classes: vec![1],
            dropout: 0.0,
            later_dropout: None,
            ..self.clone()
        })
    }

    /// `None` for slow fusion, which reads five of eleven frames at a time.
    fn first_convolution(&self) -> Option<&'static str> {
        (self.fusion == Fusion::Early).then_some("conv1.weight")
    }

    fn small_stem(&self) -> &'static str {
        "conv1 5x5 stride 2, conv2 3x3 stride 1"
    }

    fn published_names(&self, names: NameMap) -> Option<&'static [Rule]> {
        (names == NameMap::Caffe).then_some(CAFFE)
    }
}

impl Listed for CnnM2048Config {
    fn names() -> Vec<Name<Self>> {
        vec![
            Name::new("cnn-m-2048", |wanted| Self::of(wanted, Fusion::Early)),
            Name::new("slow-fusion", |wanted| Self::of(wanted, Fusion::Slow)),
        ]
    }

    fn cases() -> Vec<Case<Self>> {
        let small = |channels| Self {
            input: [75, 75],
            widths: [8, 8, 16, 16, 16],
            full6: 32,
            full7: 24,
            ..Self::paper(channels, 4, 0.5)
        };
        vec![
            Case::new("CNN-M-2048, spatial", small(Channels::FRAME)),
            Case::new("CNN-M-2048, temporal", small(Channels::flow(20))),
        ]
    }
}
