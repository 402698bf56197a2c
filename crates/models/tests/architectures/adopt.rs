//! Initial weights from other networks.

use crate::support::device;
use models::{
    Channels, CnnM2048Config, Modality, ModelConfig, NameMap, ResNet50Config, StResNetConfig, TemporalPool,
};
use nn::Params;
use testkit::{assert_close, values};

use crate::st_res_net::small;

fn stream(channels: Channels, classes: usize) -> ResNet50Config {
    ResNet50Config {
        input: [32, 32],
        width: 2,
        blocks: [2, 2, 2, 2],
        dropout: 0.0,
        ..ResNet50Config::paper(channels, classes)
    }
}

fn params(model: &ModelConfig, seed: u64) -> Params {
    let params = Params::new(device());
    model.build(&params.builder(seed)).unwrap();
    params
}

#[test]
fn filters_for_frames_become_filters_for_flow() {
    let rgb = ModelConfig::ResNet50(stream(Channels::FRAME, 7));
    let flow = ModelConfig::ResNet50(ResNet50Config { dropout: 0.8, ..stream(Channels::flow(4), 3) });
    let (first, own) = (params(&rgb, 1), params(&flow, 2));
    let stored = first.tensors();
    let adopted = flow.adopt(&*rgb, &stored, None).unwrap();
    own.transfer(&adopted, &|name| flow.is_classifier(name)).unwrap();
    let conv1 = &own.tensors()["conv1.weight"];
    let mean = stored["conv1.weight"].mean_keepdim(1).unwrap();
    assert_close("conv1.weight", conv1, &mean.repeat((1, 4, 1, 1)).unwrap(), 1e-6);
    assert_eq!(values(&own.tensors()["bn1.weight"]), values(&stored["bn1.weight"]));
    // A net cannot start from one that sees flow if it sees frames or longer stacks.
    assert!(rgb.can_adopt(&*flow, None).is_err());
    assert!(ModelConfig::ResNet50(stream(Channels::flow(6), 3)).can_adopt(&*flow, None).is_err());
}

#[test]
fn two_streams_fill_every_parameter_of_the_joined_network() {
    let model = ModelConfig::StResNet(small());
    let own = params(&model, 3);
    let mut all = nn::tensors::Tensors::new();
    for (seed, channels) in [Channels::FRAME, Channels::flow(4)].into_iter().enumerate() {
        // The motion stream was trained with dropout, which does not change the names or shapes of weights.
        let first = ModelConfig::ResNet50(ResNet50Config { dropout: 0.5, ..stream(channels, 3) });
        let stored = params(&first, seed as u64).tensors();
        all.extend(model.adopt(&*first, &stored, Some(channels.modality)).unwrap());
    }
    own.set_tensors(&all).unwrap();
    assert_eq!(own.tensors()["motion.layer2.1.conv1.weight"].dims(), [4, 16, 3, 1, 1]);
    assert_eq!(own.tensors()["motion.layer2.0.conv1.weight"].dims(), [4, 8, 1, 1]);
}

#[test]
fn the_maximum_over_time_and_longer_clips_need_no_new_weights() {
    let star = StResNetConfig {
        time_steps: 5,
        temporal_pool: Some(TemporalPool { kernel: 3, stride: 2 }),
        ..small()
    };
    let (first, second) = (ModelConfig::StResNet(small()), ModelConfig::StResNet(star));
    let stored = params(&first, 1).tensors();
    params(&second, 2).set_tensors(&second.adopt(&*first, &stored, None).unwrap()).unwrap();
}

#[test]
fn other_networks_are_refused_with_what_is_different() {
    let model = ModelConfig::StResNet(small());
    let refused = |first: ResNet50Config, stream| model.can_adopt(&first, stream).unwrap_err().to_string();
    let wide = ResNet50Config { width: 4, ..stream(Channels::FRAME, 3) };
    assert!(refused(wide, Some(Modality::RGB)).contains("different sizes"));
    assert!(refused(stream(Channels::FRAME, 3), None).contains("is a resnet-50"));
    let plain = ModelConfig::ResNet50(stream(Channels::FRAME, 3));
    let error = plain.can_adopt(&*plain, Some(Modality::FLOW)).unwrap_err().to_string();
    assert!(error.contains("no separate stream for flow"), "{error}");
}

/// A stack of differences may have three channels and is still not a frame.
#[test]
fn filters_for_frames_become_filters_for_any_other_modality() {
    let difference = |count| Channels::new(Modality::new("difference"), count);
    let rgb = ModelConfig::ResNet50(stream(Channels::FRAME, 7));
    let stored = params(&rgb, 1).tensors();
    let mean = stored["conv1.weight"].mean_keepdim(1).unwrap();
    for count in [3, 6] {
        let other = ModelConfig::ResNet50(stream(difference(count), 7));
        let adopted = other.adopt(&*rgb, &stored, None).unwrap();
        assert_close("adopted", &adopted["conv1.weight"], &mean.repeat((1, count, 1, 1)).unwrap(), 1e-6);
        let (published, _) = other.published(NameMap::Torchvision, &stored).unwrap();
        assert_close("published", &published["conv1.weight"], &adopted["conv1.weight"], 0.0);
        // Its own weights remain unchanged.
        let own = params(&other, 2).tensors();
        for kept in
            [other.adopt(&*other, &own, None), other.published(NameMap::Native, &own).map(|(own, _)| own)]
        {
            assert_close("own", &kept.unwrap()["conv1.weight"], &own["conv1.weight"], 0.0);
        }
        // No other weight is averaged.
        let flow = ModelConfig::ResNet50(stream(Channels::flow(count), 7));
        assert!(other.can_adopt(&*flow, None).is_err() && flow.can_adopt(&*other, None).is_err());
        assert!(rgb.can_adopt(&*other, None).is_err());
    }
    // Both streams of CNN-M-2048; the second normalisation has no weights.
    let cnn_m = |channels| ModelConfig::CnnM2048(CnnM2048Config::paper(channels, 5, 0.5));
    assert!(cnn_m(difference(15)).can_adopt(&*cnn_m(Channels::FRAME), None).is_ok());
}
