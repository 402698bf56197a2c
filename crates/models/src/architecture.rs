//! What everything else needs to know of an architecture. Each says it in its own file, and nobody else knows more.

use std::fmt;

use base::Modality;
use nn::Builder;

use crate::graph::Graph;
use crate::names::{NameMap, Rule};
use crate::wanted::Wanted;
use crate::{Backbone, Channels, Result, Summary};

/// A network's configuration. What is not said has the answer of a plain network of one stream.
pub trait Architecture: fmt::Debug + Send + Sync {
    /// The architecture's name, as in a configuration's `kind`.
    fn kind(&self) -> &'static str;

    /// Its layers, from the inputs to the logits.
    ///
    /// # Errors
    /// If a layer does not fit the size that reaches it, or a setting is out of range.
    fn graph(&self) -> Result<Graph>;

    /// What it reads at each moment, in the order of a sample's inputs.
    fn inputs(&self) -> Vec<Channels>;

    /// Classes of each classifier, in the order of [`crate::Outputs::heads`].
    fn heads(&self) -> Vec<usize>;

    /// Whether a parameter is of a layer that gives class scores, in this network or in one of the same architecture for
    /// other classes or another number of tasks: such layers are made anew.
    fn is_classifier(&self, parameter: &str) -> bool;

    /// What decides the layers that another network of the architecture can take over.
    fn trunk(&self) -> Trunk;

    /// The weight that sees the input; none where several streams each have their own, or where it sees parts of it.
    fn first_convolution(&self) -> Option<&'static str> {
        None
    }

    /// What is different for small pictures, in words.
    fn small_stem(&self) -> &'static str;

    /// What published files call its tensors; none where no file of that way of naming fits. Not asked for
    /// [`NameMap::Native`].
    fn published_names(&self, names: NameMap) -> Option<&'static [Rule]> {
        let _ = names;
        None
    }

    /// The streams that are networks of their own, whose weights it may start from.
    fn streams(&self) -> Vec<Stream> {
        Vec::new()
    }

    /// Whether a parameter, of this network or of a network that it starts from stream by stream, is made anew then:
    /// it belongs to what joins the streams.
    fn joins_streams(&self, parameter: &str) -> bool {
        let _ = parameter;
        false
    }

    /// Moments that a stream's layer looks at here, where alone it looks at one.
    fn temporal_kernel(&self, parameter: &str) -> Option<usize> {
        let _ = parameter;
        None
    }

    /// Whether streams that it starts from bring their softmax layers along, which then have to be for the same classes.
    fn keeps_classifiers_of_streams(&self) -> bool {
        false
    }

    /// Whether one classifier reads what several streams have seen.
    fn classifies_streams_together(&self) -> bool {
        false
    }

    /// Whether it says where in its frames it looks, see [`crate::Outputs::attention`].
    fn attends(&self) -> bool {
        false
    }

    /// Whether a video is one sample in a test: the network takes clips of any length, and sees all of it at once.
    fn sees_whole_videos(&self) -> bool {
        false
    }

    /// Makes the network, its parameters named after their layers and drawn by the builder's seed.
    ///
    /// # Errors
    /// As [`Architecture::graph`].
    fn build(&self, builder: &Builder) -> Result<Backbone> {
        Backbone::new(&self.graph()?, builder)
    }

    /// Describes the network layer by layer; allocates no weights.
    ///
    /// # Errors
    /// As [`Architecture::graph`].
    fn summary(&self) -> Result<Summary> {
        Ok(self.graph()?.summary())
    }
}

/// A stream of a network that joins several.
#[derive(Debug)]
pub struct Stream {
    /// What it sees.
    pub modality: Modality,
    /// What the names of its parameters begin with.
    pub prefix: &'static str,
    /// The same as a network of its own.
    pub alone: Box<dyn Architecture>,
}

/// What decides the layers that are taken over. Two networks of equal trunks differ in their classes, in the channels
/// that they read, and in things without weights such as dropout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk(String);

impl Trunk {
    /// That of a configuration in which everything else has been set to one value.
    pub fn of(config: &impl fmt::Debug) -> Self {
        Self(format!("{config:?}"))
    }
}

/// What a list of architectures asks of each: how specs call it, and what it is verified by.
pub trait Listed: Sized {
    /// The names by which a spec asks for it.
    fn names() -> Vec<Name<Self>>;

    /// Small networks with all kinds of layers that the architecture has, of four classes, by which a device is compared
    /// with the CPU.
    fn cases() -> Vec<Case<Self>>;
}

/// How a wish becomes a configuration.
type Make<C> = Box<dyn Fn(&Wanted<'_>) -> Result<C>>;

/// A name by which a spec asks for an architecture.
pub struct Name<C> {
    /// As in `model = "..."`.
    pub name: &'static str,
    /// Whether layers are normalised by batches, so that a spec has to say how.
    pub batch_norm: bool,
    /// Whether it stands for a pyramid over the network of that name ([`Wanted::levels`]).
    pub pyramid: bool,
    /// The configuration for what is wanted.
    pub make: Make<C>,
}

impl<C: 'static> Name<C> {
    /// Of a network without batch normalisation.
    pub fn new(name: &'static str, make: impl Fn(&Wanted<'_>) -> Result<C> + 'static) -> Self {
        Self { name, batch_norm: false, pyramid: false, make: Box::new(make) }
    }

    /// Of a network with batch normalisation.
    pub fn normalised(name: &'static str, make: impl Fn(&Wanted<'_>) -> Result<C> + 'static) -> Self {
        Self { batch_norm: true, ..Self::new(name, make) }
    }

    /// The same name, of what `into` makes of the configuration.
    pub(crate) fn map<D: 'static>(self, into: impl Fn(C) -> D + 'static) -> Name<D> {
        let Self { name, batch_norm, pyramid, make } = self;
        Name { name, batch_norm, pyramid, make: Box::new(move |wanted| make(wanted).map(&into)) }
    }
}

/// A network by which a device is compared with the CPU, and how it learns.
#[derive(Debug, Clone, PartialEq)]
pub struct Case<C> {
    /// For messages.
    pub name: &'static str,
    /// The network.
    pub model: C,
    /// Whether pairs of samples are pulled together and pushed apart besides.
    pub pairs: bool,
    /// Whether a rounding of its products is still small in its gradients.
    pub is_smooth: bool,
}

impl<C> Case<C> {
    /// A network that learns from single samples, and whose gradients are smooth.
    pub fn new(name: &'static str, model: C) -> Self {
        Self { name, model, pairs: false, is_smooth: true }
    }

    /// The same case, of what `into` makes of the configuration.
    pub(crate) fn map<D>(self, into: impl FnOnce(C) -> D) -> Case<D> {
        let Self { name, model, pairs, is_smooth } = self;
        Case { name, model: into(model), pairs, is_smooth }
    }
}
