//! Initial weights from another network.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

use std::collections::BTreeMap;

use candle_core::{Device, Tensor};
use nn::tensors::{self, Tensors};
use nn::{Activation, Init, Linear, Params, cross_modality};
use testkit::values;

/// Two layers, `fc6` and `fc`, and a buffer.
fn network(seed: u64, classes: usize) -> Params {
    let params = Params::new(&Device::Cpu);
    let builder = params.builder(seed);
    Linear::new(&builder.pp("fc6"), 4, 3, Activation::Relu).unwrap();
    builder.pp("bn1").buffer("running_mean", 3, Init::HeNormal { fan_in: 3 }).unwrap();
    Linear::new(&builder.pp("fc"), 3, classes, Activation::None).unwrap();
    params
}

fn classifier(name: &str) -> bool {
    name.starts_with("fc.")
}

fn all_values(params: &Params) -> BTreeMap<String, Vec<f32>> {
    params.tensors().iter().map(|(name, tensor)| (name.clone(), values(tensor))).collect()
}

#[test]
fn a_new_classifier_keeps_its_own_values_and_all_else_is_copied() {
    let (old, new) = (network(1, 10), network(2, 5));
    let before = all_values(&new);
    new.transfer(&old.tensors(), &classifier).unwrap();
    let (after, old) = (all_values(&new), all_values(&old));
    for name in ["fc.weight", "fc.bias"] {
        assert_eq!(after[name], before[name], "{name}");
    }
    for name in ["fc6.weight", "fc6.bias", "bn1.running_mean"] {
        assert_eq!(after[name], old[name], "{name}");
    }
    assert_ne!(after["fc6.weight"], before["fc6.weight"]);
}

#[test]
fn the_classifier_may_be_missing_when_it_is_made_anew() {
    let mut stored = network(1, 5).tensors();
    stored.remove("fc.weight");
    stored.remove("fc.bias");
    network(2, 5).transfer(&stored, &classifier).unwrap();
    let error = network(2, 5).transfer(&stored, &|_| false).unwrap_err().to_string();
    assert!(error.contains("fc.bias") && error.contains("fc.weight"), "{error}");
}

#[test]
fn values_that_were_transferred_are_copies() {
    let (old, new) = (network(1, 5), network(2, 5));
    new.transfer(&old.tensors(), &|_| false).unwrap();
    let before = all_values(&new);
    old.transfer(&network(3, 5).tensors(), &|_| false).unwrap();
    assert_eq!(all_values(&new), before);
}

/// Checks that a transfer is refused with these words, and changes nothing.
fn refused(stored: &Tensors, words: &[&str]) {
    let params = network(2, 5);
    let before = all_values(&params);
    let error = params.transfer(stored, &classifier).unwrap_err().to_string();
    for word in words {
        assert!(error.contains(word), "`{word}` is not in: {error}");
    }
    assert_eq!(all_values(&params), before);
}

#[test]
fn what_does_not_fit_is_named_and_changes_nothing() {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, candle_core::DType::F32, &Device::Cpu).unwrap();
    let whole = network(1, 5).tensors();
    let with = |name: &str, tensor: Tensor| {
        let mut stored = whole.clone();
        stored.insert(name.into(), tensor);
        stored
    };
    refused(&with("fc6.weight", zeros(&[3, 5])), &["`fc6.weight`", "[3, 5]", "[3, 4]"]);
    refused(&with("fc7.weight", zeros(&[3, 3])), &["`fc7.weight`"]);
    let whole_numbers = Tensor::zeros((3, 4), candle_core::DType::I64, &Device::Cpu).unwrap();
    refused(&with("fc6.weight", whole_numbers), &["`fc6.weight`", "I64", "F32"]);
    let mut stored = whole.clone();
    stored.remove("bn1.running_mean");
    refused(&stored, &["`bn1.running_mean`"]);
}

#[test]
fn another_kind_of_input_gets_the_mean_of_the_channels() {
    // A filter of 1x2: the means over the channels are 3 and 30.
    let weight = Tensor::new(&[1f32, 10., 2., 20., 6., 60.], &Device::Cpu).unwrap();
    let weight = weight.reshape((1, 3, 1, 2)).unwrap();
    let made = cross_modality(&weight, 4).unwrap();
    assert_eq!(made.dims(), [1, 4, 1, 2]);
    assert_eq!(values(&made), [3., 30., 3., 30., 3., 30., 3., 30.]);

    let noise = testkit::noise(1, 6 * 3 * 7 * 7);
    let weight = Tensor::from_vec(noise, (6, 3, 7, 7), &Device::Cpu).unwrap();
    let expected = weight.mean_keepdim(1).unwrap().broadcast_as((6, 20, 7, 7)).unwrap();
    testkit::assert_close("means", &cross_modality(&weight, 20).unwrap(), &expected, 1e-6);
}

#[test]
fn weights_of_no_convolution_and_no_channels_are_refused() {
    let matrix = Tensor::new(&[[1f32]], &Device::Cpu).unwrap();
    assert!(cross_modality(&matrix, 20).unwrap_err().to_string().contains("[1, 1]"));
    let weight = matrix.reshape((1, 1, 1, 1)).unwrap();
    assert!(cross_modality(&weight, 0).is_err());
}

/// Makes a safetensors file with this header and `bytes` bytes of data.
fn file(header: &str, bytes: usize) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend(header.as_bytes());
    file.resize(file.len() + bytes, 0);
    file
}

#[test]
fn files_that_declare_what_they_do_not_hold_are_refused() {
    let huge = usize::MAX;
    let one = |shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let cases = [
        ("a header longer than the file", u64::MAX.to_le_bytes().to_vec()),
        ("a header of 90 MB in 8 bytes", 90_000_000u64.to_le_bytes().to_vec()),
        ("a size beyond all numbers", file(&one(&format!("[{huge},{huge}]"), "[0,4]"), 4)),
        ("a tensor of 4 TB", file(&one("[1000000000000]", "[0,4000000000000]"), 4)),
        ("an end before the beginning", file(&one("[1]", "[4,0]"), 4)),
        ("a tensor that begins in the next", file(&one("[1]", "[4,8]"), 8)),
        ("bytes that nothing accounts for", file(&one("[1]", "[0,4]"), 8)),
        ("nothing of a huge shape", file(&one(&format!("[{huge},0,{huge}]"), "[0,0]"), 0)),
        ("nothing of a huge shape", file(&one(&format!("[0,{huge},{huge}]"), "[0,0]"), 0)),
        ("no JSON", file("{", 4)),
        ("nothing", Vec::new()),
    ];
    for (what, bytes) in cases {
        let read = tensors::from_bytes(&bytes, &Device::Cpu);
        assert!(read.is_err(), "{what}: {read:?}");
    }
}
