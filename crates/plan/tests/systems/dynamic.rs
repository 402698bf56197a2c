//! Dynamic images and poolings over time, from the spec to the plan.

use data::sample::TimeSteps;
use models::{ModelConfig, PoolBy, Pooled};
use plan::Protocol;
use plan::cost::Views;
use plan::spec::ProfileName;

use crate::tables::{plan, protocol, refused};

const TABLES: [&str; 11] = [
    "dynamic/images",
    "dynamic/windows",
    "dynamic/over-images",
    "dynamic/maps-ucf101",
    "dynamic/maps-hmdb51",
    "dynamic/static-and-dynamic",
    "dynamic/complement",
    "dynamic/four-streams",
    "beyond-snippets/poolings",
    "beyond-snippets/longer",
    "beyond-snippets/inception",
];

#[test]
fn every_table_has_a_plan_that_survives_being_written() {
    for table in TABLES {
        for profile in [ProfileName::Paper, ProfileName::Mini, ProfileName::Smoke] {
            for row in plan(table, profile).rows {
                for protocol in row.work.protocols() {
                    let text = serde_json::to_string(&protocol).unwrap();
                    assert_eq!(serde_json::from_str::<Protocol>(&text).unwrap(), *protocol, "{table}");
                    protocol.check().unwrap();
                }
            }
        }
    }
}

#[test]
fn a_whole_video_is_one_image_and_windows_are_one_clip() {
    let whole = protocol("dynamic/images", "dynamic");
    assert_eq!((whole.test.frames, whole.test.as_clip), (Some(1), false));
    assert_eq!(whole.net.sample.time_steps, TimeSteps::Single);

    let windows = protocol("dynamic/windows", "window-10-6");
    assert_eq!(windows.net.sample.time_steps, TimeSteps::Windows { count: 10, stride: 6 });
    assert!(windows.test.as_clip);
    // Half of the paper's twenty.
    assert_eq!(windows.tested().0.time_steps, TimeSteps::Windows { count: 10, stride: 6 });
    assert_eq!(windows.net.at_one_place().time_steps, TimeSteps::Single);
    assert_eq!(windows.net.times_at_one_place(), 1);
    // The classifier of local pooling reads a fixed number of windows.
    assert_eq!(protocol("beyond-snippets/poolings", "local").net.times_at_one_place(), 30);
    assert_eq!(protocol("beyond-snippets/poolings", "conv").net.times_at_one_place(), 1);
    assert_eq!(Views::of(&windows).clips, 1);
}

#[test]
fn a_clip_of_segments_is_tested_as_it_is_trained() {
    let pooled = protocol("beyond-snippets/longer", "k120-flow");
    let segments = TimeSteps::Segments { count: 120 };
    assert_eq!(pooled.net.sample.time_steps, segments);
    assert!(!pooled.test.as_clip);
    assert_eq!(pooled.tested(), (pooled.net.sample.clone(), 2));
}

#[test]
fn poolings_stand_where_the_table_says() {
    let ModelConfig::Pooled(model) = protocol("dynamic/maps-ucf101", "twice-conv3").net.model else {
        panic!()
    };
    assert_eq!((model.frames, model.time_steps), (10, 10));
    let [first, second] = &model.poolings[..] else { panic!("{:?}", model.poolings) };
    assert_eq!((first.of, first.at.as_str(), first.by), (Pooled::Frames, "norm2", PoolBy::LearnedTwice));
    assert_eq!((second.of, second.at.as_str(), second.by), (Pooled::TimeSteps, "pool5", PoolBy::Maximum));
}

#[test]
fn tables_share_nets() {
    let net = |table: &str, row: &str| protocol(table, row).net;
    assert_eq!(net("dynamic/maps-ucf101", "rank-conv1"), net("dynamic/windows", "window-10-6"));
    assert_eq!(net("dynamic/over-images", "maximum"), net("dynamic/windows", "window-10-6"));
    assert_eq!(net("dynamic/complement", "dynamic-hmdb"), net("dynamic/maps-hmdb51", "rank-conv1"));
    assert_eq!(net("dynamic/four-streams", "static"), net("dynamic/complement", "static"));
    assert_eq!(net("beyond-snippets/longer", "k30-rgb"), net("beyond-snippets/poolings", "conv"));
}

#[test]
fn what_contradicts_itself_is_refused() {
    let windows = "dynamic/windows";
    let conv = "beyond-snippets/poolings";
    let one = "net.pooling = [{ at = \"pool5\", by = \"maximum\" }]\nnet.dropout";
    let all = [
        (refused(windows, one, "net.dropout"), "input.windows needs consensus"),
        (
            refused(
                windows,
                one,
                "net.consensus = \"average\"\nnet.pooling = [{ at = \"pool5\", by = \"maximum\" }]\nnet.dropout",
            ),
            "remove one of them",
        ),
        (
            refused(windows, "stride = 12 }", "stride = 0 }"),
            "input.windows.stride: expected 1 to 65536 frames; found 0",
        ),
        (refused(windows, "count = 10, stride = 12", "count = 0, stride = 12"), "input.windows.count"),
        (refused(windows, "count = 10, stride = 12", "number = 10, stride = 12"), "unknown field `number`"),
        (
            refused(windows, "length = 5,", "length = 1,"),
            "2 to 1000; leave it out for the whole video; found 1",
        ),
        (refused(windows, "length = 5,", ""), "give the input a `length`"),
        (
            refused(
                windows,
                "by = \"approximate-rank\", length = 5",
                "of = \"flow\", by = \"mean\", length = 5",
            ),
            "by = \"approximate-rank\" or \"linear-rank\"",
        ),
        (
            refused(windows, "at = \"pool5\"", "at = \"pool6\""),
            "at = \"pool6\" is no layer (did you mean `pool",
        ),
        (
            refused(conv, "window = 10, stride = 5 }, { at = \"fc6\"", "window = 10 }, { at = \"fc6\""),
            "give both or neither",
        ),
        (
            refused(
                conv,
                "window = 10, stride = 5 }, { at = \"fc6\"",
                "window = 0, stride = 5 }, { at = \"fc6\"",
            ),
            "found 0, expected 1 to 1000",
        ),
        (
            refused(
                conv,
                "window = 10, stride = 5 }, { at = \"fc6\"",
                "window = 31, stride = 5 }, { at = \"fc6\"",
            ),
            "does not fit 30 time steps",
        ),
        (refused(conv, ", { at = \"fc6\", by = \"maximum\" }", ""), "time steps are left at the classifier"),
        (refused(conv, "{ at = \"fc6\"", "{ at = \"conv1\""), "list poolings in order"),
        (refused(conv, "by = \"concatenation\"", "by = \"learned\""), "needs window = 10"),
        (
            refused(
                conv,
                "segments = 30 }\nnet.pooling = [{ at = \"fc7\", by = \"maximum\" }]",
                "}\nnet.pooling = [{ at = \"fc7\", by = \"maximum\" }]",
            ),
            "pooling joins the segments of a video",
        ),
        (
            refused("dynamic/maps-ucf101", "kind = \"rgb\", frames = 10", "kind = \"rgb\", frames = 1"),
            "set input = { kind = \"rgb\", frames = 10",
        ),
    ];
    for (message, expected) in all {
        assert!(message.contains(expected), "expected {expected} in:\n{message}");
    }
}
