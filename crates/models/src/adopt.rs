//! Weights of a trained network as the start of another: the same one for other classes, one that sees flow where the
//! first saw frames, or a network of several streams that were trained alone.

use nn::tensors::Tensors;

use crate::{
    AlexNetConfig, BatchStatistics, BnInceptionConfig, CnnM2048Config, Error, Modality, ModelConfig,
    PyramidConfig, ResNet50Config, Result, StResNetConfig, Vgg16Config,
};

impl ModelConfig {
    /// The weights of a trained network as this network's, or as those of its `stream`, under this network's names.
    ///
    /// Where the first network saw frames and this one sees flow, the filters of the first layer are averaged and
    /// repeated ([`nn::cross_modality`]); where this one looks along time, the first one's weights are spread over the
    /// moments ([`nn::inflate`]). Classifiers come along, whether or not they fit.
    ///
    /// # Errors
    /// [`Error::Start`] if the networks differ in more than that.
    pub fn adopt(&self, first: &Self, stored: &Tensors, stream: Option<Modality>) -> Result<Tensors> {
        let own = self.adopter(first, stream)?;
        let mut adopted = Tensors::new();
        for (name, tensor) in stored {
            let cross = own.first_convolution() == Some(name) && own.channels() != first.channels();
            let tensor = match (cross, self.temporal_kernel(name, stream)) {
                (true, _) => nn::cross_modality(tensor, own.channels())?,
                (false, Some(moments)) => nn::inflate(tensor, moments)?,
                (false, None) => tensor.clone(),
            };
            adopted.insert(format!("{}{name}", stream.map_or("", |stream| self.prefix(stream))), tensor);
        }
        Ok(adopted)
    }

    /// Published weights, under this network's names, as its own. Where they see frames and it sees flow, the filters of
    /// the first layer are averaged and repeated, as in [`ModelConfig::adopt`].
    ///
    /// # Errors
    /// If that layer's weights have no form that it can be done with.
    pub fn adopt_published(&self, mut stored: Tensors) -> Result<Tensors> {
        let frames = |name: &&str| stored.get(*name).is_some_and(|weight| weight.dims().get(1) == Some(&3));
        if let Some(name) = self.first_convolution().filter(frames).filter(|_| self.channels() != 3) {
            let flow = nn::cross_modality(&stored[name], self.channels())?;
            stored.insert(name.to_owned(), flow);
        }
        Ok(stored)
    }

    /// The network of a stream, alone.
    ///
    /// # Errors
    /// [`Error::Start`] if there is no such stream.
    pub fn stream(&self, modality: Modality) -> Result<Self> {
        let stream = match self {
            Self::StResNet(config) => Some(Self::ResNet50(config.stream(modality))),
            Self::Pyramid(config) => config.stream(modality),
            _ => None,
        };
        let problem = || format!("it has no stream of its own for {}", modality.name());
        stream.ok_or_else(|| Error::Start { model: self.kind(), problem: problem() })
    }

    /// What the names of a stream's parameters begin with.
    pub fn prefix(&self, stream: Modality) -> &'static str {
        match self {
            Self::Pyramid(_) => PyramidConfig::prefix(stream),
            _ => StResNetConfig::prefix(stream),
        }
    }

    /// Checks that [`ModelConfig::adopt`] will do for weights of such a network.
    ///
    /// # Errors
    /// As there.
    pub fn can_adopt(&self, first: &Self, stream: Option<Modality>) -> Result<()> {
        self.adopter(first, stream).map(|_| ())
    }

    /// This network, or its stream, if it can take over the first one's weights.
    fn adopter(&self, first: &Self, stream: Option<Modality>) -> Result<Self> {
        let own = match stream {
            None => self.clone(),
            Some(modality) => self.stream(modality)?,
        };
        let frames_to_flow = own.first_convolution().is_some() && first.channels() == 3;
        let seen = if frames_to_flow { own.channels() } else { first.channels() };
        if own.trunk(own.channels()) == first.trunk(seen) {
            return Ok(own);
        }
        let problem = if std::mem::discriminant(&own) == std::mem::discriminant(first) {
            format!("the other {} has other sizes or reads another input", first.kind())
        } else {
            format!("the other network is a {}", first.kind())
        };
        Err(Error::Start { model: self.kind(), problem })
    }

    /// What decides the layers that are taken over: all but classes, dropout and other things without weights, for
    /// that many input channels.
    pub(crate) fn trunk(&self, channels: usize) -> Self {
        let batch_statistics = BatchStatistics::All;
        match self.clone() {
            Self::CnnM2048(config) => {
                Self::CnnM2048(CnnM2048Config { channels, classes: vec![1], dropout: 0.0, ..config })
            }
            Self::AlexNet(config) => {
                Self::AlexNet(AlexNetConfig { channels, classes: 1, dropout: 0.0, ..config })
            }
            Self::ResNet50(config) => Self::ResNet50(ResNet50Config {
                channels,
                classes: 1,
                dropout: 0.0,
                batch_statistics,
                ..config
            }),
            Self::StResNet(config) => Self::StResNet(StResNetConfig {
                moments: 1,
                classes: 1,
                temporal_pool: None,
                batch_statistics,
                ..config
            }),
            Self::BnInception(config) => Self::BnInception(BnInceptionConfig {
                channels,
                classes: 1,
                dropout: 0.0,
                batch_statistics,
                ..config
            }),
            Self::Vgg16(config) => Self::Vgg16(Vgg16Config { channels, classes: 1, dropout: 0.0, ..config }),
            Self::Pyramid(config) => Self::Pyramid(config.trunk()),
        }
    }

    /// Channels of the input; of several streams, of the motion stream's.
    fn channels(&self) -> usize {
        match self {
            Self::CnnM2048(config) => config.channels,
            Self::AlexNet(config) => config.channels,
            Self::ResNet50(config) => config.channels,
            Self::StResNet(config) => config.flow_channels,
            Self::BnInception(config) => config.channels,
            Self::Vgg16(config) => config.channels,
            Self::Pyramid(config) => config.flow_channels,
        }
    }

    /// The weight that reads the input, in a network whose papers start flow from filters for frames.
    fn first_convolution(&self) -> Option<&'static str> {
        match self {
            Self::ResNet50(_) => Some("conv1.weight"),
            Self::BnInception(_) => Some("conv1/7x7_s2.weight"),
            Self::Vgg16(_) => Some("features.0.weight"),
            Self::CnnM2048(_) | Self::AlexNet(_) | Self::StResNet(_) | Self::Pyramid(_) => None,
        }
    }

    /// Moments that a stream's layer looks at, where it looks along time.
    fn temporal_kernel(&self, parameter: &str, stream: Option<Modality>) -> Option<usize> {
        match (self, stream) {
            (Self::StResNet(config), Some(_)) => config.temporal_kernel(parameter),
            _ => None,
        }
    }
}
