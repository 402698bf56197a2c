//! Serialisation of a network's inputs in plans: a single input at one time step is written without the list around it.

use data::inputs::Input;
use data::sample::SampleSpec;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Written {
    One(Input),
    Several(SampleSpec),
}

pub(crate) fn serialize<S: Serializer>(sample: &SampleSpec, serializer: S) -> Result<S::Ok, S::Error> {
    let written = match sample.inputs[..] {
        [one] if *sample == SampleSpec::single(one.input) => Written::One(one.input),
        _ => Written::Several(sample.clone()),
    };
    written.serialize(serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SampleSpec, D::Error> {
    Ok(match Written::deserialize(deserializer)? {
        Written::One(input) => SampleSpec::single(input),
        Written::Several(sample) => sample,
    })
}
