//! Initial weights from other networks. The source may be the same network for other classes, a network that sees frames
//! instead of flow, or one of several streams that were trained separately. Also published weights under other names.

use std::collections::BTreeMap;

use base::Modality;
use nn::tensors::Tensors;

use crate::architecture::{Architecture, Stream};
use crate::names::{NameMap, Rule, ours};
use crate::{Channels, Error, Result};

/// A weight whose filters read an input of the network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstFilters {
    /// Name of the weight.
    pub weight: String,
    /// Prefix of its stream; empty in a network of one stream.
    pub prefix: &'static str,
    /// Modality of the input.
    pub modality: Modality,
}

impl dyn Architecture + '_ {
    /// Converts the weights of a trained network to weights of this network, or of its `stream`, under this network's names.
    ///
    /// If the first network sees frames and this one another modality, the filters of the first layer are averaged and
    /// repeated ([`nn::cross_modality`]). If this network convolves over time, the weights are spread over the time steps
    /// ([`nn::inflate`]). Classifiers are included, whether they fit or not.
    ///
    /// # Errors
    /// [`Error::Start`] if the networks differ in any other way.
    pub fn adopt(
        &self,
        first: &dyn Architecture,
        stored: &Tensors,
        stream: Option<Modality>,
    ) -> Result<Tensors> {
        let Adopter { crossed, stream } = self.adopter(first, stream)?;
        let mut adopted = Tensors::new();
        for (name, tensor) in stored {
            let time_steps = stream.as_ref().and_then(|_| self.temporal_kernel(name));
            let tensor = match (&crossed, time_steps) {
                (Some((weight, channels)), _) if weight == name => nn::cross_modality(tensor, *channels)?,
                (_, Some(time_steps)) => nn::inflate(tensor, time_steps)?,
                (_, None) => tensor.clone(),
            };
            let prefix = stream.as_ref().map_or("", |stream| stream.prefix);
            adopted.insert(format!("{prefix}{name}"), tensor);
        }
        Ok(adopted)
    }

    /// Checks that [`Architecture`]'s `adopt` accepts the weights of such a network.
    ///
    /// # Errors
    /// [`Error::Start`] if it does not.
    pub fn can_adopt(&self, first: &dyn Architecture, stream: Option<Modality>) -> Result<()> {
        self.adopter(first, stream).map(|_| ())
    }

    /// Returns the stream that sees a modality.
    ///
    /// # Errors
    /// [`Error::Start`] if there is no such stream.
    pub fn stream(&self, modality: Modality) -> Result<Stream> {
        let stream = self.streams().into_iter().find(|stream| stream.modality == modality);
        let problem = || format!("it has no separate stream for {modality}");
        stream.ok_or_else(|| Error::Start { model: self.kind(), problem: problem() })
    }

    /// Returns the conversion for this network, or for its stream, if it can start from the weights of `first`.
    fn adopter(&self, first: &dyn Architecture, stream: Option<Modality>) -> Result<Adopter> {
        let stream = stream.map(|modality| self.stream(modality)).transpose()?;
        // Not `map_or`, which would require equal lifetimes.
        let own = match &stream {
            Some(stream) => &*stream.alone,
            None => self,
        };
        let crossed = own.crossed(&first.filtered());
        if own.trunk() == first.trunk() && (own.filtered() == first.filtered() || crossed.is_some()) {
            return Ok(Adopter { crossed, stream });
        }
        let problem = if own.kind() == first.kind() {
            format!("the other {} has different sizes or a different input", first.kind())
        } else {
            format!("the other network is a {}", first.kind())
        };
        Err(Error::Start { model: self.kind(), problem })
    }

    /// Returns the weight of the first layer and its number of channels, if `first` is a frame and this network reads another
    /// input.
    fn crossed(&self, first: &[Channels]) -> Option<(&'static str, usize)> {
        let inputs = self.filtered();
        let &[own] = inputs.as_slice() else { return None };
        let weight = self.first_convolution()?;
        (first == [Channels::FRAME] && own != Channels::FRAME).then_some((weight, own.count))
    }

    /// Returns the weights that read the inputs, one for each stream.
    pub fn first_filters(&self) -> Vec<FirstFilters> {
        let of = |prefix: &'static str, network: &dyn Architecture| {
            let weight = format!("{prefix}{}", network.first_convolution()?);
            Some(FirstFilters { weight, prefix, modality: network.filtered().first()?.modality })
        };
        let streams = self.streams();
        let of_streams = streams.iter().filter_map(|stream| of(stream.prefix, &*stream.alone));
        of("", self).into_iter().chain(of_streams).collect()
    }

    /// Returns the rules for the tensor names of published files. The first matching rule decides.
    ///
    /// # Errors
    /// [`Error::NoNames`] if the architecture has no such weights.
    pub fn rules(&self, names: NameMap) -> Result<&'static [Rule]> {
        let rules = |names| match names {
            NameMap::Native => Some(&[][..]),
            names => self.published_names(names),
        };
        rules(names).ok_or_else(|| {
            let known = NameMap::ALL.into_iter().filter(|&names| rules(names).is_some());
            let known: Vec<_> = known.map(NameMap::name).collect();
            Error::NoNames { model: self.kind(), names: names.name(), known: known.join(", ") }
        })
    }

    /// Returns this network's names of stored tensors, each with its name in the store. Ignored tensors are left out.
    ///
    /// # Errors
    /// [`Error::NoNames`], or [`Error::SameName`] if two stored names map to the same parameter.
    pub fn our_names<'a>(
        &self,
        names: NameMap,
        stored: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, String>> {
        ours(self.rules(names)?, stored)
    }

    /// Returns published weights under this network's names, and for each of these the name in the file. If they are for
    /// frames and this network sees another input, the filters of the first layer are averaged and repeated, as in `adopt`.
    ///
    /// # Errors
    /// See `our_names`; also if the weights of the first layer have a shape that cannot be averaged.
    pub fn published(&self, names: NameMap, stored: &Tensors) -> Result<(Tensors, BTreeMap<String, String>)> {
        let theirs = self.our_names(names, stored.keys().map(String::as_str))?;
        let tensor = |(ours, theirs): (&String, &String)| Some((ours.clone(), stored.get(theirs)?.clone()));
        let mut tensors: Tensors = theirs.iter().filter_map(tensor).collect();
        let sees = |name: &str| tensors.get(name).and_then(|weight| weight.dims().get(1).copied());
        if let Some((weight, channels)) = self.crossed(&[Channels::FRAME])
            && sees(weight) == Some(Channels::FRAME.count)
            // Native weights for three channels of another modality already fit.
            && !(names == NameMap::Native && channels == Channels::FRAME.count)
        {
            let crossed = nn::cross_modality(&tensors[weight], channels)?;
            tensors.insert(weight.to_owned(), crossed);
        }
        Ok((tensors, theirs))
    }
}

/// A conversion of weights.
struct Adopter {
    /// Name and channels of the first layer's weight, if it has to be converted from frames.
    crossed: Option<(&'static str, usize)>,
    /// The stream, if the weights are not for the whole network.
    stream: Option<Stream>,
}
