//! Tests of loading files into networks.

use std::path::{Path, PathBuf};

use candle_core::{DType, Device, Tensor};
use models::{
    Architecture, Channels, CnnM2048Config, Modality, PyramidBase, PyramidConfig, PyramidHead,
    ResNet50Config, SnippetFusion,
};
use nn::Params;
use nn::tensors::{self, Tensors};

use crate::weights::{Head, NameMap, load, read_stream};

fn made(model: &dyn Architecture, seed: u64) -> Params {
    let params = Params::new(&Device::Cpu);
    model.build(&params.builder(seed)).unwrap();
    params
}

fn cnn_m(classes: usize) -> CnnM2048Config {
    CnnM2048Config {
        input: [64, 64],
        widths: [4, 4, 4, 4, 4],
        full6: 6,
        full7: 5,
        ..CnnM2048Config::paper(Channels::FRAME, classes, 0.5)
    }
}

/// Writes a file with the names of the released Caffe model into the folder.
fn caffe(folder: &Path, change: impl Fn(&mut Tensors)) -> PathBuf {
    let ours = made(&cnn_m(10), 1).tensors();
    let mut theirs = ours.into_iter().map(|(name, tensor)| (name.replace("full", "fc"), tensor)).collect();
    change(&mut theirs);
    let path = folder.join("caffe.safetensors");
    std::fs::write(&path, tensors::to_bytes(&theirs).unwrap()).unwrap();
    path
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    testkit::values(tensor).into_iter().map(f32::to_bits).collect()
}

#[test]
fn a_state_of_torchvision_fills_a_network_with_any_number_of_classes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../testkit/fixtures");
    let path = Path::new(folder).join("torchvision_res_net_50.safetensors");
    let stored = testkit::fixture("torchvision_res_net_50");
    for (classes, head) in [(7, Head::Keep), (7, Head::Replace), (5, Head::Replace)] {
        let model = ResNet50Config { width: 2, ..ResNet50Config::paper(Channels::FRAME, classes) };
        let (params, fresh) = (made(&model, 3), made(&model, 3).tensors());
        load(&path, NameMap::Torchvision, &model, &params, head).unwrap();
        for (name, tensor) in params.tensors() {
            let kept = head == Head::Replace && name.starts_with("fc.");
            let expected = if kept { &fresh[&name] } else { &stored[&name] };
            assert_eq!(bits(&tensor), bits(expected), "{name}");
        }
    }
    let model = ResNet50Config { width: 2, ..ResNet50Config::paper(Channels::FRAME, 5) };
    let params = made(&model, 3);
    let error = load(&path, NameMap::Torchvision, &model, &params, Head::Keep).unwrap_err().to_string();
    assert!(error.contains("`fc.bias`") && error.contains(&path.display().to_string()), "{error}");
    // Read with our own names, PyTorch's counts are surplus.
    let error = load(&path, NameMap::Native, &model, &params, Head::Replace).unwrap_err().to_string();
    assert!(error.contains("num_batches_tracked") && error.contains("native"), "{error}");
}

/// The motion stream of ST-ResNet starts from ImageNet too.
#[test]
fn a_state_for_frames_fills_a_network_for_flow() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../testkit/fixtures");
    let path = Path::new(folder).join("torchvision_res_net_50.safetensors");
    let stored = testkit::fixture("torchvision_res_net_50");
    let model = ResNet50Config { width: 2, ..ResNet50Config::paper(Channels::flow(20), 5) };
    let params = made(&model, 3);
    load(&path, NameMap::Torchvision, &model, &params, Head::Replace).unwrap();
    let own = params.tensors();
    let mean = stored["conv1.weight"].mean_keepdim(1).unwrap();
    testkit::assert_close("conv1", &own["conv1.weight"], &mean.repeat((1, 20, 1, 1)).unwrap(), 1e-6);
    for name in ["bn1.running_var", "layer1.0.conv1.weight", "layer4.2.bn3.bias"] {
        assert_eq!(bits(&own[name]), bits(&stored[name]), "{name}");
    }
}

/// Both streams of a pyramid start from the same file, without its softmax layer.
#[test]
fn a_published_state_fills_the_streams_of_a_pyramid() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../testkit/fixtures");
    let path = Path::new(folder).join("torchvision_res_net_50.safetensors");
    let stored = testkit::fixture("torchvision_res_net_50");
    let model = PyramidConfig {
        base: PyramidBase::ResNet50(ResNet50Config { width: 2, ..ResNet50Config::paper(Channels::FRAME, 5) }),
        flow_channels: 20,
        snippets: 2,
        fusion: SnippetFusion::Sum,
        head: PyramidHead::Pyramid,
        sketch: 16,
        attention: 4,
    };
    let (params, fresh) = (made(&model, 3), made(&model, 3).tensors());
    let mut all = Tensors::new();
    for stream in [Modality::RGB, Modality::FLOW] {
        all.extend(read_stream(&path, NameMap::Torchvision, &model, stream).unwrap());
    }
    params.transfer(&all, &|name| model.joins_streams(name)).unwrap();
    let own = params.tensors();
    assert_eq!(bits(&own["spatial.conv1.weight"]), bits(&stored["conv1.weight"]));
    assert_eq!(own["temporal.conv1.weight"].dims()[1], 20);
    assert_eq!(bits(&own["temporal.layer4.2.bn3.bias"]), bits(&stored["layer4.2.bn3.bias"]));
    assert_eq!(bits(&own["fc.weight"]), bits(&fresh["fc.weight"]));
    // A file without a layer that a stream needs.
    all.remove("temporal.bn1.bias");
    let error = params.transfer(&all, &|name| model.joins_streams(name)).unwrap_err().to_string();
    assert!(error.contains("temporal.bn1.bias"), "{error}");
    let error = read_stream(&path, NameMap::Caffe, &model, Modality::RGB).unwrap_err().to_string();
    assert!(error.contains("resnet-50") && error.contains("torchvision"), "{error}");
}

#[test]
fn what_does_not_fit_is_named_with_its_file_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
    let wide = |t: &mut Tensors| drop(t.insert("fc6.weight".into(), zeros(&[6, 9])));
    let lacking = |t: &mut Tensors| drop(t.remove("fc7.bias"));
    let surplus = |t: &mut Tensors| drop(t.insert("conv6.weight".into(), zeros(&[1])));
    let twice = |t: &mut Tensors| drop(t.insert("full6.bias".into(), zeros(&[6])));
    type Change<'a> = &'a dyn Fn(&mut Tensors);
    let cases: [(Change<'_>, &[&str]); 4] = [
        (&wide, &["`full6.weight`", "`fc6.weight`", "[6, 9]"]),
        (&lacking, &["`full7.bias`", "lack"]),
        (&surplus, &["`conv6.weight`"]),
        (&twice, &["`full6.bias`", "`fc6.bias`"]),
    ];
    for (change, words) in cases {
        let path = caffe(folder.path(), change);
        let params = made(&cnn_m(5), 2);
        let error = load(&path, NameMap::Caffe, &cnn_m(5), &params, Head::Replace).unwrap_err();
        assert_eq!(error.exit_code(), 3);
        let error = error.to_string();
        for word in words.iter().chain(&["caffe.safetensors"]) {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
        for (name, fresh) in made(&cnn_m(5), 2).tensors() {
            assert_eq!(bits(&params.tensors()[&name]), bits(&fresh), "{name}");
        }
    }
    load(&caffe(folder.path(), |_| ()), NameMap::Caffe, &cnn_m(5), &made(&cnn_m(5), 2), Head::Replace)
        .unwrap();
}

#[test]
fn a_file_that_holds_no_tensors_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = caffe(folder.path(), |_| ());
    let whole = std::fs::read(&path).unwrap();
    let huge = u64::MAX.to_le_bytes().to_vec();
    for bytes in [whole[..whole.len() - 1].to_vec(), huge, b"<html>not a file of weights".to_vec()] {
        std::fs::write(&path, bytes).unwrap();
        let error = load(&path, NameMap::Caffe, &cnn_m(5), &made(&cnn_m(5), 2), Head::Keep).unwrap_err();
        assert!(error.to_string().contains("caffe.safetensors"), "{error}");
    }
    let missing = folder.path().join("missing.safetensors");
    let error = load(&missing, NameMap::Caffe, &cnn_m(5), &made(&cnn_m(5), 2), Head::Keep).unwrap_err();
    assert!(error.to_string().contains("missing.safetensors"), "{error}");
}

/// What PyTorch's wrappers and half precision leave behind is named with what to do, for a whole network and for a stream.
#[test]
fn prefixes_half_precision_and_nan_are_named_with_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let prefixed = |prefix: &'static str| {
        move |all: &mut Tensors| {
            let named = std::mem::take(all).into_iter();
            all.extend(named.map(|(name, tensor)| (format!("{prefix}{name}"), tensor)));
        }
    };
    let (parallel, compiled) = (prefixed("module."), prefixed("_orig_mod."));
    let cast = |dtype| {
        move |all: &mut Tensors| all.values_mut().for_each(|tensor| *tensor = tensor.to_dtype(dtype).unwrap())
    };
    let (half, brain, double) = (cast(DType::F16), cast(DType::BF16), cast(DType::F64));
    let nan = |all: &mut Tensors| {
        let values = Tensor::new(&[1.0, f32::NAN, 2.0, 3.0, 4.0], &Device::Cpu).unwrap();
        drop(all.insert("fc7.bias".into(), values));
    };
    type Change<'a> = &'a dyn Fn(&mut Tensors);
    let cases: [(Change<'_>, &[&str]); 6] = [
        (&parallel, &["`module.conv1.bias`", "DataParallel", "k.removeprefix('module.')", "SHA-256"]),
        (&compiled, &["torch.compile", "k.removeprefix('_orig_mod.')"]),
        (&half, &["found F16 in `conv1.bias` and", "k: v.float()", "SHA-256"]),
        (&brain, &["found BF16 in `conv1.bias` and", "k: v.float()"]),
        (&double, &["found F64", "k: v.float()"]),
        (&nan, &["`fc7.bias` holds NaN (1 of 5 values)", "expected finite numbers"]),
    ];
    for (change, words) in cases {
        let path = caffe(folder.path(), change);
        let model = cnn_m(10);
        let flow = CnnM2048Config::paper(Channels::flow(20), 10, 0.5);
        let params = made(&model, 2);
        let errors = [
            load(&path, NameMap::Caffe, &model, &params, Head::Replace).unwrap_err(),
            // Flow: the first filters are averaged, which needs 32-bit floats as well.
            load(&path, NameMap::Caffe, &flow, &params, Head::Replace).unwrap_err(),
        ];
        for error in errors {
            assert_eq!(error.exit_code(), 3);
            let error = error.to_string();
            for word in words.iter().chain(&["caffe.safetensors"]) {
                assert!(error.contains(word), "`{word}` is not in: {error}");
            }
        }
    }
    // A single odd tensor is enough.
    let one = |all: &mut Tensors| {
        let bias = all["fc6.bias"].to_dtype(DType::BF16).unwrap();
        drop(all.insert("fc6.bias".into(), bias));
    };
    let path = caffe(folder.path(), one);
    let error =
        load(&path, NameMap::Caffe, &cnn_m(10), &made(&cnn_m(10), 2), Head::Keep).unwrap_err().to_string();
    assert!(error.contains("found BF16 in `fc6.bias`;"), "{error}");
}
