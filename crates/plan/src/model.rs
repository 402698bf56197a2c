//! The network of a row at a profile's scale. Collects the requirements; each architecture turns them into a configuration.

use data::inputs::Input;
use models::{Channels, Levels, ModelConfig, Wanted};

use crate::net::DataPlan;
use crate::scale::scaled;
use crate::spec::{self, DropoutRule, Profile, Spec, Stem};

/// Everything known about a net before its network is made.
pub(crate) struct Known<'a> {
    pub(crate) spec: &'a Spec,
    pub(crate) profile: &'a Profile,
    pub(crate) net: &'a spec::Net,
    /// Inputs at each time step.
    pub(crate) inputs: &'a [Input],
    /// T, the number of time steps of a clip.
    pub(crate) time_steps: usize,
    pub(crate) data: &'a [DataPlan],
    /// The side of the square crop, in pixels.
    pub(crate) crop: usize,
}

impl Known<'_> {
    /// Returns the network. A network that cannot be built for this input size is reported here, not during the run.
    pub(crate) fn model(&self) -> Result<ModelConfig, String> {
        let Self { spec: Spec { shared, .. }, profile, net, data, .. } = *self;
        let depth = profile.depth.unwrap_or(1.0);
        scaled(1, profile.width, "a layer's width")?;
        scaled(1, depth, "the residual units of a stage")?;
        let channels = |input: &Input| Channels::new(input.modality(), input.channels());
        let inputs: Vec<Channels> = self.inputs.iter().map(channels).collect();
        let tasks = data.iter().map(|data| data.task + 1).max().unwrap_or(0);
        let of = |task| data.iter().filter(|data| data.task == task).map(|data| data.classes).sum();
        let classes: Vec<usize> = (0..tasks).map(of).collect();
        let levels = match (net.pyramid, shared.pyramid) {
            (None, _) => None,
            (Some(_), None) => return Err("pyramid = { ... } needs [shared.pyramid]".into()),
            (Some(levels), Some(sizes)) => Some(Levels {
                fusion: levels.snippets,
                head: levels.classifies,
                sketch: sizes.sketch,
                attention: sizes.attention,
            }),
        };
        let wanted = Wanted {
            inputs: &inputs,
            time_steps: self.time_steps,
            side: self.crop,
            classes: &classes,
            dropout: net.dropout.first,
            later_dropout: net.dropout.later,
            keeps_units: profile.dropout == DropoutRule::KeepUnits,
            width: profile.width,
            depth,
            small_stem: profile.stem == Stem::Small,
            batch_statistics: net.batch_statistics.or(shared.batch_statistics),
            levels,
            consensus: net.consensus,
            poolings: &net.pooling,
        };
        let model = net.model.unwrap_or(shared.model).make(&wanted).map_err(|e| e.to_string())?;
        model.summary().map_err(|e| e.to_string())?;
        Ok(model)
    }
}
