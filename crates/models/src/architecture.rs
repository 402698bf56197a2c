//! The interface of an architecture. Each architecture implements it in its own file; all other code uses only this.

use std::fmt;

use base::Modality;
use nn::Builder;

use crate::graph::Graph;
use crate::names::{NameMap, Rule};
use crate::wanted::Wanted;
use crate::{Backbone, Channels, Result, Summary};

/// A network's configuration. The default methods describe a plain network of one stream.
pub trait Architecture: fmt::Debug + Send + Sync {
    /// Returns the architecture's name, as in the `kind` of a configuration.
    fn kind(&self) -> &'static str;

    /// Makes the layers, from the inputs to the logits.
    ///
    /// # Errors
    /// If a layer does not fit its input size, or a setting is out of range.
    fn graph(&self) -> Result<Graph>;

    /// Returns the inputs at each time step, in the order of a sample's inputs.
    fn inputs(&self) -> Vec<Channels>;

    /// Returns the number of classes of each classifier, in the order of [`crate::Outputs::heads`].
    fn heads(&self) -> Vec<usize>;

    /// Returns `true` if a parameter belongs to a layer that outputs class scores, in this network or in one of the same
    /// architecture for other classes or another number of tasks. Such layers are new when weights are adopted.
    fn is_classifier(&self, parameter: &str) -> bool;

    /// Returns the settings that decide if another network of the architecture can start from its weights.
    fn trunk(&self) -> Trunk;

    /// Returns the weight that reads the input; `None` if several streams have one each, or if it reads parts of the input.
    fn first_convolution(&self) -> Option<&'static str> {
        None
    }

    /// Describes the changes for small frames, in words.
    fn small_stem(&self) -> &'static str;

    /// Returns the rules for tensor names in published files; `None` if no file with such names fits. Never called with
    /// [`NameMap::Native`].
    fn published_names(&self, names: NameMap) -> Option<&'static [Rule]> {
        let _ = names;
        None
    }

    /// Returns the streams that can be trained as separate networks and whose weights it may start from.
    fn streams(&self) -> Vec<Stream> {
        Vec::new()
    }

    /// Returns `true` if a parameter is new when the network starts from separate streams, because it belongs to the layers
    /// that join the streams. The parameter is of this network or of a network that it starts from.
    fn joins_streams(&self, parameter: &str) -> bool {
        let _ = parameter;
        false
    }

    /// Returns the time steps that a layer of a stream convolves over, if it reads a single one in the separate stream.
    fn temporal_kernel(&self, parameter: &str) -> Option<usize> {
        let _ = parameter;
        None
    }

    /// Returns `true` if it keeps the softmax layers of the streams that it starts from, which then need the same classes.
    fn keeps_classifiers_of_streams(&self) -> bool {
        false
    }

    /// Returns `true` if one classifier reads the features of several streams.
    fn classifies_streams_together(&self) -> bool {
        false
    }

    /// Returns `true` if it computes an attention over its frames, see [`crate::Outputs::attention`].
    fn attends(&self) -> bool {
        false
    }

    /// Returns `true` if a test shows it a video as one sample: it accepts clips of any length.
    fn sees_whole_videos(&self) -> bool {
        false
    }

    /// Returns the channels that the first convolution reads, where they are not those of the inputs, because several frames of
    /// an input pass through it one by one.
    fn filtered(&self) -> Vec<Channels> {
        self.inputs()
    }

    /// Returns `true` if its clips may have any number of time steps.
    fn accepts_any_length(&self) -> bool {
        self.sees_whole_videos()
    }

    /// Builds the network. Parameters are named after their layers and drawn with the builder's seed.
    ///
    /// # Errors
    /// See [`Architecture::graph`].
    fn build(&self, builder: &Builder) -> Result<Backbone> {
        Backbone::new(&self.graph()?, builder)
    }

    /// Describes the network layer by layer, without allocating weights.
    ///
    /// # Errors
    /// See [`Architecture::graph`].
    fn summary(&self) -> Result<Summary> {
        Ok(self.graph()?.summary())
    }
}

/// A stream of a network that joins several.
#[derive(Debug)]
pub struct Stream {
    /// Modality of its input.
    pub modality: Modality,
    /// Prefix of its parameters' names.
    pub prefix: &'static str,
    /// The stream as a separate network.
    pub alone: Box<dyn Architecture>,
}

/// The settings that decide if weights fit. Two networks with equal trunks differ at most in their classes, in their input
/// channels, and in settings without weights such as dropout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk(String);

impl Trunk {
    /// Makes the trunk of a configuration in which all other settings have a fixed value.
    pub fn of(config: &impl fmt::Debug) -> Self {
        Self(format!("{config:?}"))
    }
}

/// An entry in a list of architectures: its names in specs, and the networks that verify it.
pub trait Listed: Sized {
    /// Returns the names of the architecture in specs.
    fn names() -> Vec<Name<Self>>;

    /// Returns small networks of four classes with every kind of layer of the architecture, to compare a device with the
    /// CPU.
    fn cases() -> Vec<Case<Self>>;
}

/// A function that turns requirements into a configuration.
type Make<C> = Box<dyn Fn(&Wanted<'_>) -> Result<C>>;

/// What a name of an architecture stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The network with this name.
    Alone,
    /// A pyramid over the network with this name ([`Wanted::levels`]).
    Pyramid,
    /// The network with this name over the segments of a video ([`Wanted::consensus`]).
    Segments,
    /// The network with this name, pooled over time at a layer ([`Wanted::poolings`]).
    Pooled,
}

/// A name of an architecture in specs.
pub struct Name<C> {
    /// The name, as in `model = "..."`.
    pub name: &'static str,
    /// True if it has batch normalisation, so that a spec needs `batch-statistics`.
    pub batch_norm: bool,
    /// What it stands for.
    pub role: Role,
    /// Makes the configuration for some requirements.
    pub make: Make<C>,
}

impl<C: 'static> Name<C> {
    /// Makes the name of a network without batch normalisation.
    pub fn new(name: &'static str, make: impl Fn(&Wanted<'_>) -> Result<C> + 'static) -> Self {
        Self { name, batch_norm: false, role: Role::Alone, make: Box::new(make) }
    }

    /// Makes the name of a network with batch normalisation.
    pub fn normalised(name: &'static str, make: impl Fn(&Wanted<'_>) -> Result<C> + 'static) -> Self {
        Self { batch_norm: true, ..Self::new(name, make) }
    }

    /// Converts the configuration that the name stands for.
    pub(crate) fn map<D: 'static>(self, into: impl Fn(C) -> D + 'static) -> Name<D> {
        let Self { name, batch_norm, role, make } = self;
        Name { name, batch_norm, role, make: Box::new(move |wanted| make(wanted).map(&into)) }
    }
}

/// A network for comparing a device with the CPU.
#[derive(Debug, Clone, PartialEq)]
pub struct Case<C> {
    /// Name for messages.
    pub name: &'static str,
    /// The network.
    pub model: C,
    /// True if it also learns from pairs of samples, with a contrastive loss.
    pub pairs: bool,
    /// True if rounding errors of products stay small in the gradients.
    pub is_smooth: bool,
}

impl<C> Case<C> {
    /// Makes a case that learns from single samples and has smooth gradients.
    pub fn new(name: &'static str, model: C) -> Self {
        Self { name, model, pairs: false, is_smooth: true }
    }

    /// Converts the configuration of the case.
    pub(crate) fn map<D>(self, into: impl FnOnce(C) -> D) -> Case<D> {
        let Self { name, model, pairs, is_smooth } = self;
        Case { name, model: into(model), pairs, is_smooth }
    }
}
