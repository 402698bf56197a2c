//! Factors on the learning rate and the weight decay of some parameters, as in the papers' Caffe configurations.

use serde::{Deserialize, Serialize};

use crate::Params;

/// Factors on the optimiser's settings of biases and of first layers.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case", default)]
pub struct Factors {
    /// Factor on the learning rate of biases of convolutions and fully connected layers; not of normalisations.
    pub bias_rate: f64,
    /// Factor on the weight decay of the same biases.
    pub bias_decay: f64,
    /// Factor on the learning rate of the layers that read the input, on top of that of their biases.
    pub first_layer_rate: f64,
}

impl Default for Factors {
    /// All factors are 1.
    fn default() -> Self {
        Self { bias_rate: 1.0, bias_decay: 1.0, first_layer_rate: 1.0 }
    }
}

impl Params {
    /// Multiplies the optimiser's settings by these factors. `first` names the weights that read the network's input.
    pub fn scale(&self, factors: Factors, first: &[String]) {
        if factors == Factors::default() {
            return;
        }
        let buffers = self.tensors();
        let layer = |name: &str| name.rsplit_once('.').map_or("", |(layer, _)| layer).to_owned();
        let first: Vec<String> = first.iter().map(|weight| layer(weight)).collect();
        self.configure(|name, training| {
            let own = layer(name);
            let is_bias = name.rsplit('.').next() == Some("bias");
            if is_bias && !buffers.contains_key(&format!("{own}.running_mean")) {
                training.rate *= factors.bias_rate;
                training.weight_decay *= factors.bias_decay;
            }
            if first.contains(&own) {
                training.rate *= factors.first_layer_rate;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use candle_core::Device;

    use super::*;
    use crate::{Init, Training};

    #[test]
    fn biases_and_first_layers_have_factors_of_their_own() {
        let params = Params::new(&Device::Cpu);
        let builder = params.builder(1);
        for (layer, name) in
            [("conv1", "weight"), ("conv1", "bias"), ("bn1", "weight"), ("bn1", "bias"), ("fc", "bias")]
        {
            builder.pp(layer).param(name, 2, Init::Constant(0.0)).unwrap();
        }
        builder.pp("bn1").buffer("running_mean", 2, Init::Constant(0.0)).unwrap();
        let found = |name: &str| params.get(name).unwrap().training();
        params.scale(Factors::default(), &["conv1.weight".into()]);
        assert!(params.all().iter().all(|param| param.training() == Training::default()));

        params.configure(|name, training| training.frozen = name == "fc.bias");
        let factors = Factors { bias_rate: 2.0, bias_decay: 0.0, first_layer_rate: 5.0 };
        params.scale(factors, &["conv1.weight".into()]);
        let with = |rate, weight_decay| Training { rate, weight_decay, frozen: false };
        assert_eq!(found("conv1.weight"), with(5.0, 1.0));
        assert_eq!(found("conv1.bias"), with(10.0, 0.0));
        assert_eq!([found("bn1.weight"), found("bn1.bias")], [Training::default(); 2]);
        assert_eq!(found("fc.bias"), Training { frozen: true, ..with(2.0, 0.0) });
    }
}
