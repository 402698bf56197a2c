//! The network of a row at a profile's scale.

use base::Modality;
use data::inputs::Input;
use models::{
    AlexNetConfig, BatchStatistics, BnInceptionConfig, CnnM2048Config, Fusion, InceptionStem, ModelConfig,
    PyramidBase, PyramidConfig, ResNet50Config, SnippetFusion, StResNetConfig, Stream, Vgg16Config, Window,
};

use super::net::DataPlan;
use super::resolve::scaled;
use crate::spec::{self, Architecture, DropoutRule, Profile, Spec, Stem};

/// conv1 of a ResNet for small pictures; the paper's grid needs its padding.
const SMALL_CONV1: Window = Window { kernel: 5, stride: 2, padding: 2 };

/// What is known of a net before its network.
pub(super) struct Known<'a> {
    pub(super) spec: &'a Spec,
    pub(super) profile: &'a Profile,
    pub(super) net: &'a spec::Net,
    /// What is read at each moment.
    pub(super) inputs: &'a [Input],
    /// T, of a network of clips.
    pub(super) moments: usize,
    pub(super) data: &'a [DataPlan],
    /// The side of the square crop, in pixels.
    pub(super) crop: usize,
}

type Scaled<T> = Result<T, String>;

impl Known<'_> {
    /// The network. One that cannot be built for this picture is a contradiction of the profile, not a surprise of
    /// the run.
    pub(super) fn model(&self) -> Scaled<ModelConfig> {
        let dropout = self.net.dropout;
        if !(0.0..1.0).contains(&dropout) {
            return Err(format!("dropout = {dropout}; it must be at least 0 and below 1"));
        }
        let architecture = self.net.model.unwrap_or(self.spec.shared.model);
        let model = match architecture {
            base if self.net.pyramid.is_some() => ModelConfig::Pyramid(self.pyramid(base)?),
            Architecture::CnnM2048 => ModelConfig::CnnM2048(self.cnn_m(Fusion::Early)?),
            Architecture::SlowFusion => ModelConfig::CnnM2048(self.cnn_m(Fusion::Slow)?),
            Architecture::ResNet50 => ModelConfig::ResNet50(self.res_net(self.one_input()?.channels())?),
            Architecture::StResNet => ModelConfig::StResNet(self.st_res_net(StResNetConfig::paper(0))?),
            Architecture::StResNetStar => {
                ModelConfig::StResNet(self.st_res_net(StResNetConfig::paper_star(0))?)
            }
            Architecture::BnInception => {
                ModelConfig::BnInception(self.bn_inception(self.one_input()?.channels())?)
            }
            Architecture::AlexNet => ModelConfig::AlexNet(self.alex_net(self.one_input()?.channels())?),
            Architecture::Vgg16 => ModelConfig::Vgg16(self.vgg_16(self.one_input()?.channels())?),
        };
        model.summary().map_err(|e| e.to_string())?;
        Ok(model)
    }

    fn cnn_m(&self, fusion: Fusion) -> Scaled<CnnM2048Config> {
        let profile = self.profile;
        let input = self.one_input()?;
        let stream = if input.modality() == Modality::RGB { Stream::Spatial } else { Stream::Temporal };
        let mut model = CnnM2048Config::paper(stream, input.channels(), 0, self.dropout());
        model.fusion = fusion;
        let tasks = self.data.iter().map(|data| data.task + 1).max().unwrap_or(0);
        let of = |task| self.data.iter().filter(|data| data.task == task).map(|data| data.classes).sum();
        model.classes = (0..tasks).map(of).collect();
        model.input = [self.crop; 2];
        for width in &mut model.widths {
            *width = scaled(*width, profile.width, "a layer's width")?;
        }
        model.full6 = scaled(model.full6, profile.width, "full6's width")?;
        model.full7 = scaled(model.full7, profile.width, "full7's width")?;
        if profile.stem == Stem::Small {
            model.conv1 = Window { kernel: 5, stride: 2, padding: 0 };
            model.conv2 = Window { kernel: 3, stride: 1, padding: 1 };
        }
        Ok(model)
    }

    fn res_net(&self, channels: usize) -> Scaled<ResNet50Config> {
        let paper = ResNet50Config::paper(channels, self.classes()?);
        Ok(ResNet50Config {
            input: [self.crop; 2],
            width: scaled(paper.width, self.profile.width, "conv1's width")?,
            conv1: self.conv1(paper.conv1),
            blocks: self.blocks(paper.blocks)?,
            dropout: self.dropout(),
            batch_statistics: self.batch_statistics(paper.batch_statistics),
            ..paper
        })
    }

    fn st_res_net(&self, paper: StResNetConfig) -> Scaled<StResNetConfig> {
        let (Some(_), Some(flow)) = (self.reads(Modality::RGB), self.reads(Modality::FLOW)) else {
            return Err("it joins two streams; give input = { kind = \"clip\", ... }".into());
        };
        if self.net.dropout > 0.0 {
            return Err(format!("dropout = {}; ST-ResNet has none, give 0.0", self.net.dropout));
        }
        Ok(StResNetConfig {
            flow_channels: flow.channels(),
            moments: self.moments,
            input: [self.crop; 2],
            classes: self.classes()?,
            width: scaled(paper.width, self.profile.width, "conv1's width")?,
            conv1: self.conv1(paper.conv1),
            blocks: self.blocks(paper.blocks)?,
            batch_statistics: self.batch_statistics(paper.batch_statistics),
            ..paper
        })
    }

    fn bn_inception(&self, channels: usize) -> Scaled<BnInceptionConfig> {
        let paper = BnInceptionConfig::paper(channels, self.classes()?);
        let width_divisor = (1.0 / self.profile.width).round();
        if width_divisor * self.profile.width != 1.0 {
            return Err(format!(
                "the profile's factor on a layer's width is {}; BN-Inception takes 1, 1/2, 1/4, 1/8, 1/16 and 1/32",
                self.profile.width
            ));
        }
        Ok(BnInceptionConfig {
            input: [self.crop; 2],
            width_divisor: width_divisor as usize,
            dropout: self.dropout(),
            batch_statistics: self.batch_statistics(paper.batch_statistics),
            stem: match self.profile.stem {
                Stem::Paper => InceptionStem::Paper,
                Stem::Small => InceptionStem::Small,
            },
            ..paper
        })
    }

    fn vgg_16(&self, channels: usize) -> Scaled<Vgg16Config> {
        let paper = Vgg16Config::paper(channels, self.classes()?);
        Ok(Vgg16Config {
            input: [self.crop; 2],
            width: scaled(paper.width, self.profile.width, "a layer's width")?,
            full: scaled(paper.full, self.profile.width, "a fully connected layer's width")?,
            dropout: self.dropout(),
            pooled: match self.profile.stem {
                Stem::Paper => paper.pooled,
                // A quarter of the picture keeps the paper's grid at the end.
                Stem::Small => [true, true, true, false, false],
            },
            ..paper
        })
    }

    fn alex_net(&self, channels: usize) -> Scaled<AlexNetConfig> {
        let paper = AlexNetConfig::paper(self.classes()?);
        let mut widths = paper.widths;
        for width in &mut widths {
            *width = scaled(*width, self.profile.width, "a layer's width")?;
        }
        Ok(AlexNetConfig {
            channels,
            input: [self.crop; 2],
            widths,
            fc6: scaled(paper.fc6, self.profile.width, "fc6's width")?,
            fc7: scaled(paper.fc7, self.profile.width, "fc7's width")?,
            dropout: self.dropout(),
            conv1: match self.profile.stem {
                Stem::Paper => paper.conv1,
                Stem::Small => Window { kernel: 5, stride: 2, padding: 0 },
            },
            ..paper
        })
    }

    fn pyramid(&self, base: Architecture) -> Scaled<PyramidConfig> {
        let (Some(pyramid), Some(sizes)) = (self.net.pyramid, self.spec.shared.pyramid) else {
            return Err("it needs pyramid = { ... } and [shared.pyramid]".into());
        };
        let flow = self.reads(Modality::FLOW);
        let base = match base {
            Architecture::BnInception => PyramidBase::BnInception(self.bn_inception(3)?),
            Architecture::ResNet50 => PyramidBase::ResNet50(self.res_net(3)?),
            Architecture::Vgg16 => PyramidBase::Vgg16(self.vgg_16(3)?),
            other => return Err(format!("the pyramid does not stand on {other:?}")),
        };
        Ok(PyramidConfig {
            base,
            flow_channels: flow.map_or(0, |flow| flow.channels()),
            snippets: self.moments,
            fusion: pyramid.snippets.unwrap_or(SnippetFusion::Concatenation),
            head: pyramid.classifies,
            sketch: scaled(sizes.sketch, self.profile.width, "a sketch's size")?,
            attention: scaled(sizes.attention, self.profile.width, "the attention's width")?,
        })
    }

    fn batch_statistics(&self, paper: BatchStatistics) -> BatchStatistics {
        self.net.batch_statistics.or(self.spec.shared.batch_statistics).unwrap_or(paper)
    }

    /// The input of that modality, if it reads one.
    fn reads(&self, modality: Modality) -> Option<&Input> {
        self.inputs.iter().find(|input| input.modality() == modality)
    }

    fn one_input(&self) -> Scaled<&Input> {
        match (self.inputs, self.moments) {
            ([input], 1) => Ok(input),
            _ => Err("its network sees one input at one moment, not a clip".into()),
        }
    }

    /// Classes of the only softmax layer.
    fn classes(&self) -> Scaled<usize> {
        if self.data.iter().any(|data| data.task > 0) {
            return Err("its network has one task; also = { ..., as = \"task\" } is for CNN-M-2048".into());
        }
        Ok(self.data.iter().map(|data| data.classes).sum())
    }

    fn conv1(&self, paper: Window) -> Window {
        match self.profile.stem {
            Stem::Paper => paper,
            Stem::Small => SMALL_CONV1,
        }
    }

    /// Residual units of each stage; the second of each is the spatiotemporal one, so two stay.
    fn blocks(&self, paper: [usize; 4]) -> Scaled<[usize; 4]> {
        let mut blocks = paper;
        for blocks in &mut blocks {
            *blocks = scaled(*blocks, self.profile.depth.unwrap_or(1.0), "the units of a stage")?.max(2);
        }
        Ok(blocks)
    }

    fn dropout(&self) -> f64 {
        let dropout = self.net.dropout;
        match self.profile.dropout {
            DropoutRule::AsPaper => dropout,
            DropoutRule::KeepUnits => {
                let keep = ((1.0 - dropout) / self.profile.width).min(1.0);
                // Away from the last bits of a division.
                ((1.0 - keep) * 1e6).round() / 1e6
            }
        }
    }
}
