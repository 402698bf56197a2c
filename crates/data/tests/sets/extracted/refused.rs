//! Extracted folders that are not what they seem.

use super::*;
use image::ExtendedColorType;
use made::{HEIGHT, WIDTH, encode, jpeg, panned};
use testkit::real_data;

/// Name of a folder, a change that spoils it, and a fragment of the expected error.
type Case<'a> = (&'a str, &'a dyn Fn(&Path), &'a str);

/// Checks folders that are each spoilt in one way.
fn refused(made: &Made, cases: &[Case<'_>], stated: f32) {
    let names: Vec<&str> = cases.iter().map(|case| case.0).chain(["good"]).collect();
    let place = Place::new(&names);
    made.write(&place.root().join("Run/good_Run"), &Style::default());
    for (name, spoil, _) in cases {
        let folder = place.root().join(format!("Run/{name}_Run"));
        made.write(&folder, &Style::default());
        spoil(&folder);
    }
    let set = place.open(Some(bound(stated)), false).unwrap();
    let all: Vec<usize> = (0..set.videos.len()).collect();
    let Err(PrepareError::Videos(report)) = run(&set, &as_is(Codec::Raw8), &all, &place.cache()) else {
        panic!("nothing was refused")
    };
    for (name, _, says) in cases {
        let id = format!("Run/{name}_Run");
        let failure = report.failures.iter().find(|failure| failure.id == id);
        let text = failure.unwrap_or_else(|| panic!("{name} was accepted")).to_string();
        assert!(text.contains(says) && text.contains(&format!("{name}_Run")), "{name}: {text}");
    }
    let ready: Vec<&str> = report.prepared.videos.iter().map(|video| video.id.as_str()).collect();
    assert_eq!(ready, ["Run/good_Run"], "one bad folder never stops the rest");
}

fn again(folder: &Path, made: &Made, style: Style) {
    fs::remove_dir_all(folder).unwrap();
    made.write(folder, &style);
}

#[test]
fn folders_that_do_not_add_up_are_named_with_the_file() {
    let made = made();
    let remove = |name: &'static str| move |folder: &Path| fs::remove_file(folder.join(name)).unwrap();
    let grey = jpeg(WIDTH, HEIGHT, &[128; WIDTH * HEIGHT], ExtendedColorType::L8);
    let small = jpeg(WIDTH, HEIGHT - 8, &[128; WIDTH * (HEIGHT - 8)], ExtendedColorType::L8);
    let colour = jpeg(WIDTH, HEIGHT, &[128; WIDTH * HEIGHT * 3], ExtendedColorType::Rgb8);
    let place = |name: &'static str, bytes: Vec<u8>| move |folder: &Path| put(&folder.join(name), &bytes);
    let cut = made.jpegs[5][..made.jpegs[5].len() / 2].to_vec();
    let cases: [Case<'_>; 10] = [
        ("gap", &remove("img_00005.jpg"), "img_00005.jpg is missing"),
        ("unpaired", &remove("flow_y_00005.jpg"), "flow_y_00005.jpg is missing: flow_x_00005.jpg has no"),
        ("counts", &remove("img_00023.jpg"), "found 22 frames and 23 flow pairs"),
        (
            "colour",
            &place("flow_x_00007.jpg", colour.clone()),
            "flow_x_00007.jpg: expected a grey JPEG, found colour",
        ),
        ("grey", &place("img_00007.jpg", grey), "img_00007.jpg: expected a colour JPEG, found grey"),
        ("size", &place("flow_y_00007.jpg", small), "flow_y_00007.jpg has 160x112 pixels, expected 160x120"),
        ("cut", &place("img_00009.jpg", cut), "img_00009.jpg: expected a whole JPEG file"),
        (
            "rubbish",
            &place("flow_x_00003.jpg", b"rubbish".to_vec()),
            "flow_x_00003.jpg: expected a whole JPEG",
        ),
        ("digits", &place("img_0024.jpg", colour.clone()), "img_0024.jpg: expected as many digits (5)"),
        ("both", &place("x_00001.jpg", colour), "found both flow_x_00001.jpg and x_00001.jpg"),
    ];
    refused(made, &cases, BOUND);
}

#[test]
fn flow_that_is_not_of_the_frames_is_refused_with_what_is_wrong() {
    wrong_flow(made(), panned());
}

/// The same with people who move, and with a camera that follows a horse.
#[test]
fn flow_that_is_not_of_real_frames_is_refused_alike() {
    let Some(clips) = real_data("clips", "extracted flow of real clips against their frames") else { return };
    let [made, other] = ["ucf101/v_SoccerJuggling_g23_c01.avi", "ucf50/v_HorseRace_g01_c04.avi"]
        .map(|clip| Made::of_file(&clips.join(clip)));
    wrong_flow(&made, &other);
}

/// Checks that wrong flow of `made` is refused, and flow of `other`, whose camera pans.
fn wrong_flow(made: &Made, other: &Made) {
    let with_flow = |folder: &Path, of: &dyn Fn(usize) -> [Vec<u8>; 2]| {
        for t in 0..made.flow.len() {
            for (component, bytes) in ["x", "y"].iter().zip(of(t)) {
                put(&folder.join(format!("flow_{component}_{:05}.jpg", t + 1)), bytes);
            }
        }
    };
    let at = |scale: f32| {
        move |folder: &Path| {
            with_flow(folder, &|t| {
                let [x, y] = made.flow_bytes(t).map(|bytes| {
                    let value = |byte: &u8| (f32::from(*byte) / 255.0 * 2.0 - 1.0) * BOUND * scale;
                    bytes.iter().map(value).collect::<Vec<_>>()
                });
                encode(&x, &y, BOUND)
            });
        }
    };
    let swapped = |folder: &Path| {
        with_flow(folder, &|t| {
            let [x, y] = made.flow[t].clone();
            [y, x]
        });
    };
    let cases: [Case<'_>; 8] = [
        ("later", &|f| again(f, made, Style { shift: 1, ..Style::default() }), "flow fits one frame later"),
        (
            "earlier",
            &|f| again(f, made, Style { shift: -1, ..Style::default() }),
            "flow fits one frame earlier",
        ),
        ("half", &at(0.5), "times what the frames show"),
        ("double", &at(2.0), "times what the frames show"),
        ("backward", &at(-1.0), "points against the motion"),
        ("nothing", &at(0.0), "does not fit the frames"),
        ("another", &|f| with_flow(f, &|t| other.flow[t].clone()), "belongs to another video"),
        ("swapped", &swapped, "fits with its components swapped"),
    ];
    refused(made, &cases, BOUND);
    // The convention of one pair fewer is checked as well.
    let pairs = Style { first_pair: true, ..Style::default() };
    let cases: [Case<'_>; 2] = [
        ("later", &|f| again(f, made, Style { shift: 1, ..pairs }), "flow fits one frame later"),
        ("earlier", &|f| again(f, made, Style { shift: -1, ..pairs }), "flow fits one frame earlier"),
    ];
    refused(made, &cases, BOUND);
    // A steady pan, whose neighbouring fields are almost equal.
    let cases: [Case<'_>; 3] = [
        ("later", &|f| again(f, other, Style { shift: 1, ..pairs }), "flow fits one frame later"),
        ("earlier", &|f| again(f, other, Style { shift: -1, ..pairs }), "flow fits one frame earlier"),
        ("double", &|f| double(f, other), "times what the frames show"),
    ];
    refused(other, &cases, BOUND);
}

fn double(folder: &Path, made: &Made) {
    for t in 0..made.flow.len() {
        let [x, y] = made.flow_bytes(t).map(|bytes| {
            bytes.iter().map(|byte| (f32::from(*byte) / 255.0 * 4.0 - 2.0) * BOUND).collect::<Vec<_>>()
        });
        for (component, bytes) in ["x", "y"].iter().zip(encode(&x, &y, BOUND)) {
            put(&folder.join(format!("flow_{component}_{:05}.jpg", t + 1)), bytes);
        }
    }
}

#[test]
fn a_wrong_bound_is_noticed_and_a_check_switched_off_is_not_a_check_passed() {
    let made = made();
    let place = Place::new(&["a", "b"]);
    made.write(&place.root().join("Run/a_Run"), &Style::default());
    made.write(&place.root().join("Run/b_Run"), &Style { start: 0, ..Style::default() });
    let unchecked = Extraction { check: false, ..bound(10.0) };
    let videos = place.prepare(unchecked, &as_is(Codec::Raw8)).unwrap();
    assert_eq!(videos[0].judged, None);
    let report = place.report(bound(10.0));
    assert_eq!(report.failures.len(), 2);
    let text = report.failures[0].to_string();
    assert!(text.contains("the bound is probably 20, not 10"), "{text}");
    assert!(place.prepare(bound(20.0), &as_is(Codec::Raw8)).is_ok());
}

#[test]
fn too_little_motion_is_accepted_and_counted() {
    let made = made();
    let still = Made {
        frames: vec![made.frames[0].clone(); 12],
        jpegs: vec![made.jpegs[0].clone(); 12],
        flow: vec![encode(&[0.0; WIDTH * HEIGHT], &[0.0; WIDTH * HEIGHT], BOUND); 11],
    };
    let place = Place::new(&["a", "b"]);
    still.write(&place.root().join("Run/a_Run"), &Style::default());
    made.write(&place.root().join("Run/b_Run"), &Style::default());
    let set = place.open(Some(bound(BOUND)), false).unwrap();
    for _ in 0..2 {
        let prepared = run(&set, &as_is(Codec::Raw8), &[0, 1], &place.cache()).unwrap();
        assert_eq!(prepared.not_judged, 1, "also when the files are there already");
        assert_eq!(prepared.videos[0].repeated, 10);
        assert_eq!((prepared.repeated, prepared.pairs), (10, 10 + 22));
        let text = prepared.to_string();
        assert!(
            text.contains("10 of 32 frame pairs (31.2 %) repeat") && text.contains("in 1 of the videos"),
            "{text}"
        );
    }
}

#[test]
fn flow_files_of_another_clip_are_refused_unless_the_check_is_off() {
    let Some(from) = real_data("tsn_frames", "frames and flow that another program extracted") else {
        return;
    };
    let place = Place::new(&["all", "into", "out"]);
    let copy = |name: &str, images: usize| {
        let kinds = [("img", images), ("x", 5), ("y", 5)];
        for (kind, count) in kinds {
            for number in 1..=count {
                let file = format!("{kind}_{number:05}.jpg");
                put(
                    &place.root().join(format!("Run/{name}_Run")).join(&file),
                    fs::read(from.join(&file)).unwrap(),
                );
            }
        }
    };
    // The folder itself has ten frames and five pairs; as many pairs as frames, or one fewer, can be judged.
    copy("all", 10);
    copy("into", 5);
    copy("out", 6);
    let config = PrepareConfig { short_side: 240, ..as_is(Codec::Raw8) };
    let failures = |extraction| match place.prepare(extraction, &config) {
        Err(PrepareError::Videos(report)) => report.failures,
        other => panic!("{other:?}"),
    };
    let checked: Vec<String> = failures(bound(20.0)).iter().map(|failure| failure.to_string()).collect();
    assert_eq!(checked.len(), 3);
    assert!(checked[0].contains("found 10 frames and 5 flow pairs"), "{}", checked[0]);
    for text in &checked[1..] {
        assert!(text.contains("flow does not fit the frames"), "{text}");
    }
    let unchecked = failures(Extraction { check: false, ..bound(20.0) });
    assert_eq!(unchecked.len(), 1, "only the one whose numbers do not add up");
}
