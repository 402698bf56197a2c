//! Inputs as a spec may spell them.

use data::inputs::{FlowStack, FrameDifferences, FrameStack, Kind, Sampling};
use data::sample::{Align, At, SampleInput, SampleSpec, SpelledSample, TimeSteps};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
struct Net {
    input: SpelledSample,
}

fn read(input: &str) -> Result<SpelledSample, String> {
    toml::from_str::<Net>(&format!("input = {input}"))
        .map(|net| net.input)
        .map_err(|e| e.message().to_owned())
}

#[expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what its helper wants too")]
fn scaled(input: &str) -> SampleSpec {
    let spelled = read(input).unwrap();
    spelled.check().unwrap();
    spelled.scaled(0.25)
}

#[test]
fn every_kind_is_read_and_scaled_with_the_picture() {
    let flow = FlowStack { sampling: Sampling::Trajectory, length: 10, mean_subtraction: true, scale: 4.0 };
    assert_eq!(
        scaled(r#"{ kind = "flow", sampling = "trajectory", length = 10, mean-subtraction = true }"#),
        SampleSpec::single(flow)
    );
    let frames = FrameStack::consecutive(1);
    assert_eq!(scaled(r#"{ kind = "rgb", frames = 1 }"#), SampleSpec::single(frames));
    assert_eq!(frames.mean.map(|mean| mean[2]), Some(103.53));
    let time_steps = TimeSteps::Grid { every: 10 };
    assert_eq!(
        scaled(r#"{ kind = "rgb", frames = 1, every = 10 }"#),
        SampleSpec { time_steps, ..SampleSpec::single(frames) }
    );
    let differences = FrameDifferences { length: 5, scale: frames.scale };
    assert_eq!(scaled(r#"{ kind = "difference", length = 5 }"#), SampleSpec::single(differences));

    let time_steps = TimeSteps::Segments { count: 3 };
    assert_eq!(
        scaled(r#"{ kind = "difference", length = 5, segments = 3 }"#),
        SampleSpec { time_steps, ..SampleSpec::single(differences) }
    );
    assert_eq!(
        scaled(
            r#"{ kind = "flow", sampling = "trajectory", length = 10, mean-subtraction = true, segments = 3 }"#
        ),
        SampleSpec { time_steps, ..SampleSpec::single(flow) }
    );

    let flow = SampleInput { input: FlowStack { sampling: Sampling::Stack, ..flow }.into(), at: At::Every };
    let frame = |at| SampleInput { input: frames.into(), at };
    let time_steps = TimeSteps::Strided { count: 5, from: 5, to: 15 };
    assert_eq!(
        scaled(r#"{ kind = "clip", frames = 5, stride = [5, 15], length = 10, mean-subtraction = true }"#),
        SampleSpec { inputs: vec![frame(At::Every), flow], align: Align::Center, time_steps }
    );
    let snippets = |count, frame| {
        scaled(&format!(
            r#"{{ kind = "snippets", count = {count}, interval = [1, 10], length = 10, mean-subtraction = true, frame = {frame} }}"#
        ))
    };
    let time_steps = TimeSteps::Strided { count: 3, from: 1, to: 10 };
    assert_eq!(
        snippets(3, true),
        SampleSpec { inputs: vec![frame(At::Middle), flow], align: Align::Center, time_steps }
    );
    let time_steps = TimeSteps::Single;
    assert_eq!(snippets(1, false), SampleSpec { inputs: vec![flow], align: Align::Center, time_steps });
}

#[test]
fn a_dynamic_image_has_the_authors_range() {
    let image = |more: &str| scaled(&format!(r#"{{ kind = "dynamic", by = "approximate-rank"{more} }}"#));
    let SampleSpec { inputs, time_steps, .. } = image(", length = 10, windows = { count = 10, stride = 6 }");
    assert_eq!(time_steps, TimeSteps::Windows { count: 10, stride: 6 });
    assert_eq!(inputs[0].input.label(), "dynamic image of 10 frames");
    let whole = image("");
    assert_eq!(whole.time_steps, TimeSteps::Single);
    assert_eq!(whole.inputs[0].input.label(), "dynamic image of all frames");
    let text = serde_json::to_value(whole.inputs[0].input).unwrap();
    let rms = text["dynamic"]["rms"].as_f64().unwrap();
    // An L2 norm of 6000 over 227x227x3 values.
    assert!((rms - 15.2602).abs() < 1e-3, "{rms}");
    assert_eq!(image(r#", of = "flow", length = 10"#).inputs[0].input.channels(), 2);
}

#[test]
fn what_cannot_be_read_says_what_can() {
    let refused = |input: &str| read(input).unwrap_err();
    insta::assert_snapshot!(refused(r#"{ kind = "flwo", length = 3 }"#),
        @r#"unknown kind of input "flwo" (did you mean `flow`?); expected one of rgb, flow, difference, dynamic, clip, snippets"#);
    insta::assert_snapshot!(refused("{ kind = 3 }"),
        @"unknown kind of input 3; expected one of rgb, flow, difference, dynamic, clip, snippets");
    insta::assert_snapshot!(refused("{ frames = 3 }"), @"missing field `kind`");
    insta::assert_snapshot!(refused(r#"{ kind = "difference" }"#), @"missing field `length`");
    insta::assert_snapshot!(refused(r#"{ kind = "rgb", frame = 1 }"#), @"unknown field `frame`, expected `frames` or `every`");
    insta::assert_snapshot!(refused(r#"{ kind = "rgb", frames = 1, segments = "three" }"#),
        @r#"segments = "three": expected the number of equal parts of the video, 1 to 1000"#);
    for wrong in [
        r#"{ kind = "clip", frames = 5, stride = [5, 15], length = 10, mean-subtraction = true, segments = 3 }"#,
        r#"{ kind = "flow", sampling = "stack", lenght = 10, mean-subtraction = true }"#,
        r#"{ kind = "difference", length = 5, mean-subtraction = true }"#,
        r#"{ kind = "clip", frames = 5, stride = [5], length = 10, mean-subtraction = true }"#,
        r#"{ kind = "snippets", count = 3 }"#,
        r#""rgb""#,
    ] {
        assert!(read(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn numbers_of_frames_have_bounds() {
    let refused = |input: &str| read(input).unwrap().check().unwrap_err().to_string();
    insta::assert_snapshot!(refused(r#"{ kind = "rgb", frames = 1, every = 0 }"#), @"input.every: expected 1 or more frames; found 0");
    insta::assert_snapshot!(
        refused(r#"{ kind = "clip", frames = 1, stride = [5, 15], length = 10, mean-subtraction = true }"#),
        @r#"frames of a clip: expected 2 to 1000 (a single time step is kind = "rgb" or "flow"); found 1"#
    );
    insta::assert_snapshot!(
        refused(r#"{ kind = "snippets", count = 1001, interval = [1, 10], length = 10, mean-subtraction = true, frame = true }"#),
        @"count of snippets: expected 1 to 1000; found 1001"
    );
}

#[test]
fn segments_have_bounds_and_exclude_a_grid() {
    let refused = |input: &str| read(input).unwrap().check().unwrap_err().to_string();
    assert_eq!(
        ["0", "-1"].map(|count| refused(&format!(r#"{{ kind = "rgb", frames = 1, segments = {count} }}"#))),
        ["input.segments: expected 1 to 1000; found 0"; 2]
    );
    insta::assert_snapshot!(
        refused(r#"{ kind = "rgb", frames = 1, segments = 1001 }"#),
        @"input.segments: expected 1 to 1000; found 1001"
    );
    insta::assert_snapshot!(
        refused(r#"{ kind = "rgb", frames = 1, every = 10, segments = 3 }"#),
        @"the time steps of an input: expected `every`, `segments` or `windows`; found both"
    );
    insta::assert_snapshot!(
        refused(r#"{ kind = "rgb", frames = 1, segments = 3, windows = { count = 3, stride = 2 } }"#),
        @"the time steps of an input: expected `every`, `segments` or `windows`; found both"
    );
    assert_eq!(read(r#"{ kind = "rgb", frames = 1, segments = 3 }"#).unwrap().segments(), Some(3));
}

#[test]
fn labels_are_words() {
    let labels = [
        r#"{ kind = "rgb", frames = 1 }"#,
        r#"{ kind = "rgb", frames = 11 }"#,
        r#"{ kind = "flow", sampling = "bi-directional", length = 10, mean-subtraction = false }"#,
        r#"{ kind = "difference", length = 1 }"#,
        r#"{ kind = "difference", length = 5 }"#,
    ]
    .map(|input| scaled(input).inputs[0].input.label());
    assert_eq!(
        labels,
        [
            "a frame",
            "11 frames",
            "bi-directional, L = 10, mean subtraction off",
            "a difference of frames",
            "5 differences of frames"
        ]
    );
    assert_eq!(FrameStack::consecutive(2).stream(), "spatial");
}
