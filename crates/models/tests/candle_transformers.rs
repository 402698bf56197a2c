//! A claim of the model card of exported rows: the ResNet in `candle_transformers` reads the weights of a ResNet-50 for frames.

use candle_core::{DType, Device, Module, Tensor};
use candle_nn::{ModuleT, VarBuilder};
use candle_transformers::models::resnet;
use models::{Channels, Classifier, ResNet50Config};
use testkit::{noise, values};

const CLASSES: usize = 10;

#[test]
fn a_resnet_50_opens_in_candle_transformers() {
    let device = Device::Cpu;
    let config = ResNet50Config { input: [96, 96], ..ResNet50Config::paper(Channels::FRAME, CLASSES) };
    let ours = Classifier::seeded(&config, &device, 3).unwrap();
    // Realistic statistics, as after training.
    let mut tensors = ours.params().tensors();
    for (name, tensor) in &mut tensors {
        let moved =
            Tensor::from_vec(noise(tensor.elem_count() as u64, tensor.elem_count()), tensor.dims(), &device);
        if name.ends_with("running_mean") {
            *tensor = (moved.unwrap() * 0.2).unwrap();
        } else if name.ends_with("running_var") {
            *tensor = ((moved.unwrap() * 0.5).unwrap() + 1.0).unwrap();
        }
    }
    ours.params().set_tensors(&tensors).unwrap();

    // The content of `model.safetensors`.
    let bytes = nn::tensors::to_bytes(&ours.params().tensors()).unwrap();
    let store = VarBuilder::from_buffered_safetensors(bytes, DType::F32, &device).unwrap();
    let theirs = resnet::resnet50(CLASSES, store).unwrap();

    let x = Tensor::from_vec(noise(1, 2 * 3 * 96 * 96), (2, 3, 96, 96), &device).unwrap();
    let (found, expected) =
        (values(&theirs.forward(&x).unwrap()), values(&ours.forward_t(&x, false).unwrap()));
    let largest = expected.iter().fold(0f32, |largest, value| largest.max(value.abs()));
    assert!(largest > 0.1, "{expected:?}");
    for (found, expected) in found.iter().zip(&expected) {
        assert!((found - expected).abs() <= 1e-4 * largest.max(1.0), "{found}, expected {expected}");
    }
}
