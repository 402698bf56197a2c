//! One picture of a window, by hand.

use data::augment::Crop;
use data::inputs::{DynamicImage, Input, Kind, Summarises, Summary};
use data::sample::{Clips, SampleSpec, TimeSteps, draw_rng};
use data::source::Frame;
use data::{DataError, Direction, Field, VideoReader};

use crate::support::{Planted, painted, try_painted};

const SIZE: (usize, usize) = (4, 3);
const WHOLE: Crop = Crop { x: 0, y: 0, width: 4, height: 3, flip: false };

/// A video of the given colours.
struct Drawn<F: Fn(usize, usize, usize) -> [u8; 3]>(Planted, F);

impl<F: Fn(usize, usize, usize) -> [u8; 3]> VideoReader for Drawn<F> {
    fn size(&self) -> (usize, usize) {
        self.0.size()
    }

    fn frames(&self) -> usize {
        self.0.frames()
    }

    fn segments(&self) -> &[std::ops::Range<usize>] {
        self.0.segments()
    }

    fn frame(&self, t: usize) -> Result<Frame, DataError> {
        let (width, height) = SIZE;
        let pixels = (0..height).flat_map(|y| (0..width).flat_map(move |x| [(x, y)]));
        Ok(Frame { width, height, rgb: pixels.flat_map(|(x, y)| (self.1)(t, x, y)).collect() })
    }

    fn field(&self, direction: Direction, t: usize) -> Result<Field, DataError> {
        self.0.field(direction, t)
    }
}

fn drawn(frames: usize, colour: impl Fn(usize, usize, usize) -> [u8; 3]) -> impl VideoReader {
    Drawn(Planted::new(SIZE, frames, |_, t, x, _| (t as f32, x as f32)), colour)
}

fn image(by: Summary, length: Option<usize>) -> DynamicImage {
    DynamicImage {
        of: Summarises::Frames,
        by,
        length,
        rms: 10.0,
        bound: 15.0,
        mean: [0.0; 3],
        scale: [1.0, 0.5, 2.0],
    }
}

fn close(found: &[f32], expected: &[f32]) {
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert!((found - expected).abs() < 1e-3, "{found} instead of {expected}");
    }
}

/// Weights times a ramp c t give c times the sum of a_t t everywhere: after the scaling only the ratios of c are left.
#[test]
fn a_ramp_gives_its_slope() {
    for by in [Summary::ApproximateRank, Summary::LinearRank] {
        let forward = drawn(5, |t, _, _| [10 * t as u8, 20 * t as u8, 0]);
        let backward = drawn(5, |t, _, _| [10 * (4 - t as u8), 20 * (4 - t as u8), 0]);
        let stack = image(by, Some(5));
        assert_eq!((stack.channels(), stack.span()), (3, 5));
        // The mean square of c, 2c and 0 is 5/3 c^2: c becomes 10 sqrt(3/5), and 2c is cut off.
        let c = 10.0 * (0.6f32).sqrt();
        let expected = [[c; 12], [7.5; 12], [0.0; 12]].concat();
        close(&painted(&stack, &forward, 0, WHOLE, SIZE), &expected);
        // Backwards, the sign changes.
        let negative: Vec<f32> = expected.iter().map(|value| -value).collect();
        close(&painted(&stack, &backward, 0, WHOLE, SIZE), &negative);
    }
}

#[test]
fn a_still_video_is_zero_however_it_is_resized() {
    let still = drawn(25, |_, x, y| [200 - 13 * x as u8, 31 * y as u8, 255]);
    let crop = Crop { x: 1, y: 0, width: 3, height: 3, flip: true };
    for by in [Summary::ApproximateRank, Summary::LinearRank] {
        assert_eq!(painted(&image(by, None), &still, 7, crop, (7, 5)), [0.0; 105]);
    }
    // Black: nothing ever moved.
    assert_eq!(painted(&image(Summary::MotionHistory, None), &still, 0, WHOLE, SIZE), [0.0; 36]);
}

#[test]
fn means_maxima_and_histories_are_those_of_the_frames() {
    // Red is 40 at the first frame and 10 more later; green changes at frame 2 alone, by 100.
    let video = drawn(5, |t, _, _| [40 + 10 * t as u8, if t >= 2 { 100 } else { 0 }, 7]);
    let of = |by| painted(&image(by, Some(4)), &video, 1, WHOLE, SIZE);
    close(&of(Summary::Mean), &[[65.0; 12], [37.5; 12], [14.0; 12]].concat());
    close(&of(Summary::Maximum), &[[80.0; 12], [50.0; 12], [14.0; 12]].concat());
    // The change is between the first frame and the second of four: 255 / 3.
    close(&of(Summary::MotionHistory), &[[85.0; 12], [42.5; 12], [170.0; 12]].concat());
}

#[test]
fn a_whole_video_is_what_lies_between_two_cuts() {
    let mut planted = Planted::new(SIZE, 8, |_, _, _, _| (0.0, 0.0));
    planted.segments = vec![0..3, 3..8];
    let video = Drawn(planted, |t, _, _| [if t < 3 { 90 } else { 10 * t as u8 }, 0, 0]);
    let whole = image(Summary::Mean, None);
    assert!(whole.is_whole() && whole.span() == 1);
    for start in [3, 7] {
        close(&painted(&whole, &video, start, WHOLE, SIZE)[..12], &[50.0; 12]);
    }
    close(&painted(&whole, &video, 2, WHOLE, SIZE)[..12], &[90.0; 12]);
}

#[test]
fn flow_has_two_channels_and_a_flip_changes_the_sign_of_x() {
    let video = drawn(7, |_, _, _| [0; 3]);
    let flow = DynamicImage { of: Summarises::Flow, ..image(Summary::LinearRank, Some(6)) };
    assert_eq!((flow.channels(), flow.span(), flow.flow().is_some()), (2, 7, true));
    // x is t, a ramp; y does not change.
    let found = painted(&flow, &video, 0, WHOLE, SIZE);
    close(&found, &[[10.0 * 2f32.sqrt(); 12], [0.0; 12]].concat());
    let flipped = painted(&flow, &video, 0, Crop { flip: true, ..WHOLE }, SIZE);
    close(&flipped[..12], &[-10.0 * 2f32.sqrt(); 12]);
    assert!(try_painted(&flow, &video, 1, &[WHOLE], SIZE).is_err());
}

#[test]
fn settings_outside_their_range_are_refused() {
    let message = |image: DynamicImage| image.validate().unwrap_err().to_string();
    for length in [0, 1, 1001] {
        let found = message(image(Summary::Mean, Some(length)));
        assert!(found.contains("2 to 1000") && found.ends_with(&format!("found {length}")), "{found}");
    }
    let found = message(DynamicImage { of: Summarises::Flow, ..image(Summary::Maximum, Some(5)) });
    assert!(found.contains("found a max image"), "{found}");
    assert!(DynamicImage { rms: 0.0, ..image(Summary::Mean, None) }.validate().is_err());
    let input = Input::from(image(Summary::ApproximateRank, None));
    let text = serde_json::to_string(&input).unwrap();
    assert_eq!(serde_json::from_str::<Input>(&text).unwrap(), input);
}

#[test]
fn windows_begin_at_fixed_distances_between_cuts() {
    let of = |count, stride, cuts: &[std::ops::Range<usize>]| {
        let time_steps = TimeSteps::Windows { count, stride };
        let spec = SampleSpec { time_steps, ..SampleSpec::single(image(Summary::Mean, Some(10))) };
        Clips::new("v", cuts, &spec).unwrap()
    };
    let uncut = |frames: usize| std::iter::once(0..frames).collect::<Vec<_>>();
    // 0, 6, 12, 18 fit into 30 frames; after a cut they begin anew.
    assert_eq!(of(4, 6, &uncut(30)).spaced(25), [[0, 6, 12, 18]]);
    assert_eq!(of(4, 6, &[0..17, 17..34]).spaced(1), [[0, 6, 17, 23]]);
    // Fewer are repeated, of more the first and the last are among those of a test.
    assert_eq!(of(6, 6, &uncut(22)).spaced(1), [[0, 0, 6, 6, 12, 12]]);
    assert_eq!(of(3, 6, &uncut(64)).spaced(1), [[0, 30, 54]]);

    let (clips, mut out, mut neighbours, mut firsts) = (of(4, 3, &uncut(100)), Vec::new(), 0, [false; 2]);
    for iteration in 0..400 {
        clips.draw(&mut draw_rng(1, iteration, 0), &mut out);
        assert_eq!(out.len(), 4);
        assert!(out.iter().all(|start| start % 3 == 0 && *start <= 90) && out.is_sorted());
        assert!(out.windows(2).all(|pair| pair[0] < pair[1]));
        neighbours += usize::from(out[3] - out[0] == 9);
        firsts = [firsts[0] || out[0] == 0, firsts[1] || out[3] == 90];
    }
    assert!((160..240).contains(&neighbours) && firsts == [true; 2], "{neighbours}, {firsts:?}");
}
