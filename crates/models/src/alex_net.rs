//! AlexNet in the form of Caffe's ImageNet reference model ("CaffeNet", after
//! Krizhevsky, Sutskever & Hinton, NIPS 2012): the backbone of the Siamese cross-view
//! network.
//!
//! | layer | output (227x227) | kernel | stride | pad | groups | followed by |
//! |---|---|---|---|---|---|---|
//! | conv1 | 96x55x55 | 11x11 | 4 | 0 | 1 | ReLU, pool1 3x3 stride 2: 27x27, LRN |
//! | conv2 | 256x27x27 | 5x5 | 1 | 2 | 2 | ReLU, pool2: 13x13, LRN |
//! | conv3 | 384x13x13 | 3x3 | 1 | 1 | 1 | ReLU |
//! | conv4 | 384x13x13 | 3x3 | 1 | 1 | 2 | ReLU |
//! | conv5 | 256x13x13 | 3x3 | 1 | 1 | 2 | ReLU, pool5: 6x6 |
//! | fc6 | 4096 | | | | | ReLU, dropout |
//! | fc7 | 4096 | | | | | ReLU, dropout |
//! | fc8 | classes | | | | | softmax, in the loss |
//!
//! The reference model pools before normalisation, the 2012 paper after it. Pooling rounds up.

use nn::Activation;
use nn::ops::{Lrn, Pool2d};
use serde::{Deserialize, Serialize};

use crate::architecture::{Architecture, Case, Listed, Name, Trunk};
use crate::graph::Graph;
use crate::layer::{Conv, Layer};
use crate::names::{NameMap, Rule};
use crate::wanted::Wanted;
use crate::{Channels, Result, Window, settings};

const MODEL: &str = "AlexNet";

/// Normalisation of the reference model.
const LRN: Lrn = Lrn { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };

/// Every pooling layer.
const POOL: Pool2d = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: true };

/// Groups of conv2, conv4 and conv5; originally one for each GPU.
const GROUPS: usize = 2;

/// Sizes of the network; [`AlexNetConfig::paper`] is the reference model. Parameters are `conv1.weight`, `conv1.bias`, ...
/// `fc8.bias`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct AlexNetConfig {
    /// Input channels: 3 for a frame, 2L for a stack of L flow fields.
    pub channels: Channels,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Classes of the softmax.
    pub classes: usize,
    /// Output channels of conv1 to conv5; all except the third must be even.
    pub widths: [usize; 5],
    /// Window of conv1.
    pub conv1: Window,
    /// Outputs of fc6.
    pub fc6: usize,
    /// Outputs of fc7.
    pub fc7: usize,
    /// Probability that dropout zeroes an output of fc6 or fc7.
    pub dropout: f64,
    /// The probability after the second of these layers, if it is another.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub later_dropout: Option<f64>,
}

impl AlexNetConfig {
    /// Returns the reference model, for frames.
    pub fn paper(classes: usize) -> Self {
        Self {
            channels: Channels::FRAME,
            input: [227, 227],
            classes,
            widths: [96, 256, 384, 384, 256],
            conv1: Window { kernel: 11, stride: 4, padding: 0 },
            fc6: 4096,
            fc7: 4096,
            dropout: 0.5,
            later_dropout: None,
        }
    }

    fn of(wanted: &Wanted<'_>) -> Result<Self> {
        let paper = Self::paper(wanted.one_task()?);
        let (dropout, later_dropout) = wanted.dropped_by_layer();
        Ok(Self {
            channels: wanted.one_input()?,
            input: [wanted.side; 2],
            widths: paper.widths.map(|width| wanted.wide(width)),
            fc6: wanted.wide(paper.fc6),
            fc7: wanted.wide(paper.fc7),
            dropout,
            later_dropout,
            conv1: wanted.stem(paper.conv1, Window { kernel: 5, stride: 2, padding: 0 }),
            ..paper
        })
    }

    fn check(&self) -> Result<()> {
        settings::sizes(
            MODEL,
            [
                ("channels", self.channels.count),
                ("classes", self.classes),
                ("fc6", self.fc6),
                ("fc7", self.fc7),
            ],
        )?;
        settings::each(MODEL, "a value of widths", &self.widths)?;
        settings::picture(MODEL, self.input)?;
        settings::window(MODEL, "conv1", self.conv1)?;
        settings::dropout(MODEL, self.dropout)?;
        settings::dropout(MODEL, self.later_dropout.unwrap_or(0.0))
    }
}

impl Architecture for AlexNetConfig {
    fn kind(&self) -> &'static str {
        "alexnet"
    }

    /// Makes the layers of the table above.
    fn graph(&self) -> Result<Graph> {
        self.check()?;
        let [width1, width2, width3, width4, width5] = self.widths;
        let conv = |outputs, [kernel, padding]: [usize; 2], groups| {
            let window = Window { kernel, stride: 1, padding };
            Layer::conv(Conv { outputs, window, groups, bias: true, activation: Activation::Relu })
        };
        let full = |outputs| Layer::linear(outputs, Activation::Relu);

        let title = format!("{} classes", self.classes);
        let mut graph = Graph::new(MODEL, title, self.channels, self.input);
        let fc7 = graph.chain(
            graph.input(),
            [
                ("conv1", Layer::conv_relu(width1, self.conv1)),
                ("pool1", Layer::max_pool(POOL)),
                ("norm1", Layer::lrn(LRN)),
                ("conv2", conv(width2, [5, 2], GROUPS)),
                ("pool2", Layer::max_pool(POOL)),
                ("norm2", Layer::lrn(LRN)),
                ("conv3", conv(width3, [3, 1], 1)),
                ("conv4", conv(width4, [3, 1], GROUPS)),
                ("conv5", conv(width5, [3, 1], GROUPS)),
                ("pool5", Layer::max_pool(POOL)),
                ("fc6", full(self.fc6)),
                ("drop6", Layer::dropout(self.dropout)),
                ("fc7", full(self.fc7)),
            ],
        )?;
        graph.set_features(fc7);
        graph.classify(fc7, ("drop7", self.later_dropout.unwrap_or(self.dropout)), ("fc8", self.classes))?;
        Ok(graph)
    }

    fn inputs(&self) -> Vec<Channels> {
        vec![self.channels]
    }

    fn heads(&self) -> Vec<usize> {
        vec![self.classes]
    }

    fn is_classifier(&self, parameter: &str) -> bool {
        parameter.starts_with("fc8.")
    }

    fn trunk(&self) -> Trunk {
        Trunk::of(&Self {
            channels: Channels::FRAME,
            classes: 1,
            dropout: 0.0,
            later_dropout: None,
            ..self.clone()
        })
    }

    fn first_convolution(&self) -> Option<&'static str> {
        Some("conv1.weight")
    }

    fn small_stem(&self) -> &'static str {
        "conv1 5x5 stride 2"
    }

    fn published_names(&self, names: NameMap) -> Option<&'static [Rule]> {
        // torchvision's AlexNet has different layers.
        (names == NameMap::Caffe).then_some(&[])
    }
}

impl Listed for AlexNetConfig {
    fn names() -> Vec<Name<Self>> {
        vec![Name::new("alexnet", Self::of)]
    }

    fn cases() -> Vec<Case<Self>> {
        let model = Self { input: [67, 67], widths: [8, 12, 16, 16, 12], fc6: 48, fc7: 32, ..Self::paper(4) };
        vec![Case { pairs: true, ..Case::new("Siamese AlexNet", model) }]
    }
}
