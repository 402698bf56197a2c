//! CNN-M-2048: either stream of "Two-Stream Convolutional Networks for Action
//! Recognition in Videos" (Simonyan & Zisserman, NIPS 2014), Figure 1 and Sect. 5.
//!
//! | layer | output (224x224) | kernel | stride | pad | then |
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
//! The temporal stream drops the second normalisation to save memory. Pooling rounds
//! up, as in Caffe. The figure writes "pool 2x2" where text and released model have
//! 3x3 stride 2; the constants of the normalisation are those of the released VGG-M.

use candle_core::Tensor;
use nn::{Builder, Lrn, Pass, Pool2d};
use serde::{Deserialize, Serialize};

use crate::sequential::{Layer, Sequential, rows};
use crate::{Error, Head, Inputs, Network, Outputs, Result, Summary};

const MODEL: &str = "CNN-M-2048";

/// Normalisation of the released VGG-M model.
const LRN: Lrn = Lrn { size: 5, alpha: 5e-4, beta: 0.75, k: 2.0 };

/// Every pooling layer.
const POOL: Pool2d = Pool2d { kernel: [3, 3], stride: [2, 2], padding: [0, 0], ceil_mode: true };

/// Which of the two streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stream {
    /// Reads frames; normalises after conv1 and conv2.
    Spatial,
    /// Reads stacks of flow; normalises after conv1 only.
    Temporal,
}

/// Square window of a convolution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Window {
    /// Height and width.
    pub kernel: usize,
    /// Steps between windows.
    pub stride: usize,
    /// Zeros added on each side.
    pub padding: usize,
}

/// Every size of the network; [`CnnM2048Config::paper`] has the paper's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct CnnM2048Config {
    /// Spatial or temporal.
    pub stream: Stream,
    /// Input channels: 3 for a frame, 2L for a stack of L flow fields.
    pub channels: usize,
    /// Height and width of the input.
    pub input: [usize; 2],
    /// Classes of the softmax.
    pub classes: usize,
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
}

impl CnnM2048Config {
    /// The paper's network.
    pub fn paper(stream: Stream, channels: usize, classes: usize, dropout: f64) -> Self {
        Self {
            stream,
            channels,
            input: [224, 224],
            classes,
            widths: [96, 256, 512, 512, 512],
            conv1: Window { kernel: 7, stride: 2, padding: 0 },
            conv2: Window { kernel: 5, stride: 2, padding: 1 },
            full6: 4096,
            full7: 2048,
            dropout,
        }
    }

    /// The layers from the input to the logits, as in the table above.
    fn layers(&self) -> Vec<Layer> {
        let [width1, width2, width3, width4, width5] = self.widths;
        let conv = |name, outputs, window: Window| Layer::ConvRelu {
            name,
            outputs,
            kernel: [window.kernel; 2],
            stride: [window.stride; 2],
            padding: [window.padding; 2],
        };
        let same = Window { kernel: 3, stride: 1, padding: 1 };
        let lrn = |name| Layer::Lrn { name, lrn: LRN };
        let pool = |name| Layer::MaxPool { name, pool: POOL };
        let full = |name, outputs| Layer::LinearRelu { name, outputs };
        let dropout = |name| Layer::Dropout { name, probability: self.dropout };

        let mut layers = vec![conv("conv1", width1, self.conv1), lrn("norm1"), pool("pool1")];
        layers.push(conv("conv2", width2, self.conv2));
        if self.stream == Stream::Spatial {
            layers.push(lrn("norm2"));
        }
        layers.push(pool("pool2"));
        layers.push(conv("conv3", width3, same));
        layers.push(conv("conv4", width4, same));
        layers.extend([conv("conv5", width5, same), pool("pool5")]);
        layers.extend([full("full6", self.full6), dropout("dropout6")]);
        layers.extend([full("full7", self.full7), dropout("dropout7")]);
        layers.push(Layer::Classifier { name: "full8", outputs: self.classes });
        layers
    }

    /// Describes the network; allocates no weights.
    ///
    /// # Errors
    /// If a layer does not fit the size that reaches it, or a setting is out of range.
    pub fn summary(&self) -> Result<Summary> {
        self.check()?;
        let [height, width] = self.input;
        let input = vec![self.channels, height, width];
        let stream = match self.stream {
            Stream::Spatial => "spatial",
            Stream::Temporal => "temporal",
        };
        Ok(Summary {
            title: format!("{MODEL}, {stream} stream, {} classes", self.classes),
            rows: rows(MODEL, &input, &self.layers())?,
            input,
        })
    }

    fn check(&self) -> Result<()> {
        let sizes = [
            ("channels", self.channels),
            ("classes", self.classes),
            ("full6", self.full6),
            ("full7", self.full7),
            ("the smallest of widths", self.widths.into_iter().min().unwrap_or(0)),
        ];
        if let Some((what, found)) = sizes.into_iter().find(|(_, size)| *size == 0) {
            return Err(Error::Setting {
                model: MODEL,
                what,
                found: found.to_string(),
                expected: "at least 1",
            });
        }
        if !(0.0..1.0).contains(&self.dropout) {
            return Err(Error::Setting {
                model: MODEL,
                what: "dropout",
                found: self.dropout.to_string(),
                expected: "at least 0 and below 1",
            });
        }
        Ok(())
    }
}

/// The network.
#[derive(Debug)]
pub struct CnnM2048 {
    config: CnnM2048Config,
    layers: Sequential,
}

impl CnnM2048 {
    /// Makes the parameters `conv1.weight`, `conv1.bias`, ... `full8.bias`.
    ///
    /// # Errors
    /// As [`CnnM2048Config::summary`].
    pub fn new(config: &CnnM2048Config, builder: &Builder) -> Result<Self> {
        config.check()?;
        let [height, width] = config.input;
        let input = [config.channels, height, width];
        Ok(Self {
            layers: Sequential::new(MODEL, &input, &config.layers(), builder)?,
            config: config.clone(),
        })
    }

    /// Runs a batch (B, 1, C, H, W) through; `visit` sees every layer's name and output,
    /// the last of which are the logits.
    ///
    /// # Errors
    /// If the input has another shape than the configuration says.
    pub fn trace(
        &self,
        inputs: &Inputs,
        pass: &Pass,
        visit: impl FnMut(&'static str, &Tensor),
    ) -> Result<Tensor> {
        let (name, input) = match self.config.stream {
            Stream::Spatial => ("rgb", &inputs.rgb),
            Stream::Temporal => ("flow", &inputs.flow),
        };
        let [height, width] = self.config.input;
        let expected = [self.config.channels, height, width];
        let refused = |found: String| Error::Input {
            model: MODEL,
            expected: format!("`{name}` of shape (B, 1, {}, {height}, {width})", self.config.channels),
            found,
        };
        let input = input.as_ref().ok_or_else(|| refused("none".into()))?;
        match *input.dims() {
            [batch, 1, c, h, w] if [c, h, w] == expected => {
                self.layers.forward(&input.reshape((batch, c, h, w))?, pass, visit)
            }
            ref other => Err(refused(format!("{other:?}"))),
        }
    }
}

impl Network for CnnM2048 {
    fn forward(&self, inputs: &Inputs, pass: &Pass) -> Result<Outputs> {
        let mut features = None;
        let logits = self.trace(inputs, pass, |name, output| {
            if name == "full7" {
                features = Some(output.clone());
            }
        })?;
        Ok(Outputs { heads: vec![Head { name: "main".into(), logits }], features })
    }
}
