//! Weights of a trained network as the start of another: the same one for other classes, one that sees flow where the
//! first saw frames, or a network of several streams that were trained alone. And published weights, under the names of
//! others.

use std::collections::BTreeMap;

use base::Modality;
use nn::tensors::Tensors;

use crate::architecture::{Architecture, Stream};
use crate::names::{NameMap, Rule, ours};
use crate::{Channels, Error, Result};

/// A weight whose filters see an input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FirstFilters {
    /// Its name.
    pub weight: String,
    /// The prefix of its stream, empty in a network of one.
    pub prefix: &'static str,
    /// What it sees.
    pub modality: Modality,
}

impl dyn Architecture + '_ {
    /// The weights of a trained network as this network's, or as those of its `stream`, under this network's names.
    ///
    /// Where the first network saw frames and this one sees something else, the filters of the first layer are averaged
    /// and repeated ([`nn::cross_modality`]); where this one looks along time, the first one's weights are spread over the
    /// time steps ([`nn::inflate`]). Classifiers come along, whether or not they fit.
    ///
    /// # Errors
    /// [`Error::Start`] if the networks differ in more than that.
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

    /// Checks that [`Architecture`]'s `adopt` will do for weights of such a network.
    ///
    /// # Errors
    /// As there.
    pub fn can_adopt(&self, first: &dyn Architecture, stream: Option<Modality>) -> Result<()> {
        self.adopter(first, stream).map(|_| ())
    }

    /// The stream that sees a modality.
    ///
    /// # Errors
    /// [`Error::Start`] if there is no such stream.
    pub fn stream(&self, modality: Modality) -> Result<Stream> {
        let stream = self.streams().into_iter().find(|stream| stream.modality == modality);
        let problem = || format!("it has no stream of its own for {modality}");
        stream.ok_or_else(|| Error::Start { model: self.kind(), problem: problem() })
    }

    /// This network, or its stream, if it can take over the first one's weights.
    fn adopter(&self, first: &dyn Architecture, stream: Option<Modality>) -> Result<Adopter> {
        let stream = stream.map(|modality| self.stream(modality)).transpose()?;
        // Not `map_or`, in which the two would have to live equally long.
        let own = match &stream {
            Some(stream) => &*stream.alone,
            None => self,
        };
        let crossed = own.crossed(&first.inputs());
        if own.trunk() == first.trunk() && (own.inputs() == first.inputs() || crossed.is_some()) {
            return Ok(Adopter { crossed, stream });
        }
        let problem = if own.kind() == first.kind() {
            format!("the other {} has other sizes or reads another input", first.kind())
        } else {
            format!("the other network is a {}", first.kind())
        };
        Err(Error::Start { model: self.kind(), problem })
    }

    /// The weight whose filters are for frames in a network that reads `first`, and the channels that they see in this one,
    /// if that is something else.
    fn crossed(&self, first: &[Channels]) -> Option<(&'static str, usize)> {
        let inputs = self.inputs();
        let &[own] = inputs.as_slice() else { return None };
        let weight = self.first_convolution()?;
        (first == [Channels::FRAME] && own != Channels::FRAME).then_some((weight, own.count))
    }

    /// The weights that see the inputs, of each stream one.
    pub fn first_filters(&self) -> Vec<FirstFilters> {
        let of = |prefix: &'static str, network: &dyn Architecture| {
            let weight = format!("{prefix}{}", network.first_convolution()?);
            Some(FirstFilters { weight, prefix, modality: network.inputs().first()?.modality })
        };
        let streams = self.streams();
        let of_streams = streams.iter().filter_map(|stream| of(stream.prefix, &*stream.alone));
        of("", self).into_iter().chain(of_streams).collect()
    }

    /// What the tensors of published files are called. The first rule that fits a name decides.
    ///
    /// # Errors
    /// [`Error::NoNames`] where no such weights fit the architecture.
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

    /// This network's names of stored tensors, each with the name in the store; what is to be ignored is left out.
    ///
    /// # Errors
    /// [`Error::NoNames`], or [`Error::SameName`] if two stored names mean the same.
    pub fn our_names<'a>(
        &self,
        names: NameMap,
        stored: impl IntoIterator<Item = &'a str>,
    ) -> Result<BTreeMap<String, String>> {
        ours(self.rules(names)?, stored)
    }

    /// Published weights under this network's names, and for each of these the name in the file. Where they see frames and
    /// this network sees something else, the filters of the first layer are averaged and repeated, as in `adopt`.
    ///
    /// # Errors
    /// As `our_names`, or if the first layer's weights have no form that they can be averaged in.
    pub fn published(&self, names: NameMap, stored: &Tensors) -> Result<(Tensors, BTreeMap<String, String>)> {
        let theirs = self.our_names(names, stored.keys().map(String::as_str))?;
        let tensor = |(ours, theirs): (&String, &String)| Some((ours.clone(), stored.get(theirs)?.clone()));
        let mut tensors: Tensors = theirs.iter().filter_map(tensor).collect();
        let sees = |name: &str| tensors.get(name).and_then(|weight| weight.dims().get(1).copied());
        if let Some((weight, channels)) = self.crossed(&[Channels::FRAME])
            && sees(weight) == Some(Channels::FRAME.count)
            // Our own weights for as many channels of something else are at home here.
            && !(names == NameMap::Native && channels == Channels::FRAME.count)
        {
            let crossed = nn::cross_modality(&tensors[weight], channels)?;
            tensors.insert(weight.to_owned(), crossed);
        }
        Ok((tensors, theirs))
    }
}

/// What takes over weights.
struct Adopter {
    /// The first layer's weight and its channels, where it read frames before.
    crossed: Option<(&'static str, usize)>,
    /// The stream, where it is not the whole network.
    stream: Option<Stream>,
}
