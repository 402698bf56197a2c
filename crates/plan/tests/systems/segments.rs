//! Networks of segments, tests before the softmax and factors on rates, from the spec to the plan.

use data::sample::TimeSteps;
use models::{Consensus, ModelConfig};
use nn::Factors;
use plan::cost::{self, Views};
use plan::fusion::{Fusion, Mean, ScoresOf};
use plan::spec::ProfileName;
use plan::{Protocol, Work};

use crate::tables::{plan, protocol, refused};

#[test]
fn a_row_of_segments_is_a_network_with_a_consensus() {
    let protocol = protocol("tsn/consensus-7", "top-3-temporal");
    let ModelConfig::Segments(model) = &protocol.net.model else { panic!("{:?}", protocol.net.model) };
    assert_eq!((model.segments, model.consensus), (7, Consensus::Top(3)));
    assert_eq!(protocol.net.sample.time_steps, TimeSteps::Segments { count: 7 });
    // A test has its own number of snippets, in one clip of each crop.
    assert!(protocol.test.as_clip);
    assert_eq!(protocol.tested().0.time_steps, TimeSteps::Spread { count: 6 });
    assert_eq!(protocol.net.at_one_place().time_steps, TimeSteps::Single);
    let views = Views::of(&protocol);
    assert_eq!((views.clips, views.crops, views.at_once), (1, 10, 10));
    // It costs as much as six snippets in ten crops.
    let snippet = model.network.summary().unwrap().multiply_adds() as f64;
    let tested = cost::multiply_adds_of_a_video(&Work::Net(Box::new(protocol))).unwrap();
    assert!((tested / (60.0 * snippet) - 1.0).abs() < 1e-9, "{tested} of {snippet}");
}

/// A net with segments starts from the same stage as one without.
#[test]
fn segments_share_the_stage_before_them() {
    let first = |table: &str, row: &str| protocol(table, row).net.train.start.nets()[0].1.clone();
    assert_eq!(first("tsn/consensus-3", "weighted-spatial"), first("tsn/modalities", "rgb"));
    assert_eq!(first("tsn/segments", "k9-temporal"), first("tsn/strategies", "cross-modality-temporal"));
}

#[test]
fn tables_share_nets() {
    let net = |table: &str, row: &str| protocol(table, row).net;
    assert_eq!(net("tsn/components", "segments-spatial"), net("tsn/consensus-3", "average-spatial"));
    assert_eq!(net("tsn/two-sets", "temporal-ucf101"), net("tsn/consensus-3", "average-temporal"));
    assert_eq!(net("tsn/architectures", "inception-temporal"), net("tsn/strategies", "partial-bn-temporal"));
    assert_eq!(net("tsn/consensus-7", "average-spatial"), net("tsn/segments", "k7-spatial"));
    assert_eq!(net("tsn/architectures", "vgg-temporal"), net("vgg/practices", "temporal"));
    assert_ne!(net("tsn/strategies", "partial-bn-spatial"), net("tsn/modalities", "rgb"));
}

#[test]
fn scores_before_the_softmax_and_factors_are_written_only_if_they_are_used() {
    let json = |protocol: &Protocol| serde_json::to_string(protocol).unwrap();
    let plain = json(&protocol("tsn/modalities", "flow"));
    assert!(!plain.contains("factors") && !plain.contains("scores"), "{plain}");
    let protocol = protocol("tsn/strategies", "partial-bn-temporal");
    let text = json(&protocol);
    assert!(
        text.contains(r#""factors":{"bias-rate":2.0,"bias-decay":0.0,"first-layer-rate":5.0}"#),
        "{text}"
    );
    assert!(text.contains(r#""scores":"logits""#), "{text}");
    assert_eq!(serde_json::from_str::<Protocol>(&text).unwrap(), protocol);
    assert_eq!(protocol.test.scores, ScoresOf::Logits);
    // One unit, however the default is written.
    let json = serde_json::to_string(&Factors::default()).unwrap();
    assert_eq!(serde_json::from_str::<Factors>("{}").unwrap(), serde_json::from_str(&json).unwrap());
}

#[test]
fn streams_are_weighted_before_the_softmax() {
    for (table, row, weights) in [
        ("tsn/strategies", "scratch", [1.0, 1.5]),
        ("tsn/segments", "k3", [1.0, 1.0]),
        ("vgg/practices", "two-stream", [1.0, 2.0]),
    ] {
        let plan = plan(table, ProfileName::Smoke);
        let row = plan.rows.iter().find(|known| known.row.id == row).unwrap();
        let Work::Fusion(fusion) = &row.work else { panic!("{:?}", row.work) };
        assert_eq!(fusion.fusion, Fusion::Mean(Mean { weights: weights.to_vec(), of: ScoresOf::Logits }));
    }
}

#[test]
fn dropout_may_differ_between_two_layers() {
    let ModelConfig::Vgg16(model) = protocol("vgg/practices", "temporal").net.model else { panic!() };
    // Ten and twenty units of a hundred, in layers an eighth as wide.
    assert_eq!((model.dropout, model.later_dropout), (0.2, Some(0.0)));
    let ModelConfig::Vgg16(model) = protocol("vgg/practices", "spatial").net.model else { panic!() };
    assert_eq!((model.dropout, model.later_dropout), (0.2, None));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let maximum = "net.consensus = \"maximum\"";
    let three = "frames = 1, segments = 3 }\nnet.consensus = \"maximum\"";
    let all = [
        (refused("tsn/consensus-3", three, "frames = 1, segments = 3 }"), "input.segments needs consensus"),
        (
            refused("tsn/consensus-3", three, "frames = 1 }\nnet.consensus = \"maximum\""),
            "add segments = 3 to the input",
        ),
        (
            refused("tsn/consensus-3", three, "frames = 1, segments = 0 }\nnet.consensus = \"maximum\""),
            "1 to 1000; found 0",
        ),
        (
            refused("tsn/consensus-3", maximum, "net.consensus = { top = 4 }"),
            "the input has 3 segments; expected at most 3",
        ),
        (refused("tsn/consensus-3", maximum, "net.consensus = { top = 0 }"), "found 0, expected 1 to 1000"),
        (refused("tsn/consensus-3", maximum, "net.consensus = \"median\""), "unknown variant `median`"),
        (
            refused("tsn/consensus-3", maximum, "net.consensus = \"maximum\"\nnet.model = \"st-resnet\""),
            "consensus needs model = \"cnn-m-2048\" or",
        ),
        (
            refused("tsn/strategies", "bias-rate = 2.0", "bias-rate = 0.0"),
            "found 0, expected a number above 0",
        ),
        (
            refused("tsn/strategies", "bias-decay = 0.0", "bias-decay = 1.5"),
            "found 1.5, expected a number from 0 to 1",
        ),
        (refused("tsn/strategies", "scores = \"logits\"", "scores = \"log\""), "unknown variant `log`"),
        (
            refused("tsn/strategies", "net.dropout = 0.8", "net.dropout = [0.8, 0.7]"),
            "give dropout as one number",
        ),
        (refused("vgg/practices", "[0.9, 0.8]", "[0.9, 1.0]"), "found 1, expected at least 0 and below 1"),
    ];
    for (message, expected) in all {
        assert!(message.contains(expected), "expected {expected} in:\n{message}");
    }
    // The place in the file.
    let message = refused("tsn/strategies", "bias-decay = 0.0", "bias-decay = 1.5");
    assert!(message.contains("strategies.toml:28:14"), "{message}");
}
