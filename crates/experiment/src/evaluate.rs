//! Tests a trained net: by the mean scores, after the softmax or before it, over frames, crops and, in a network of two streams, both streams; or by its
//! features, without a softmax layer.

mod neighbours;
mod pairs;
mod views;

use candle_core::Tensor;
use models::{Inputs, Network};
use nn::Pass;

use crate::answers::Answers;
use crate::console::Console;
use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::pool::in_pool;
use crate::scores::Scores;
use plan::fusion::{ScoresOf, softmax};
use plan::spec::TestBy;

pub use views::Test;
use views::for_each;

/// Tests a net as its plan says: by softmax scores, nearest neighbours, or pairs.
///
/// # Errors
/// Those of data and tensors, [`Error::Interrupted`].
pub fn evaluate(test: &Test<'_>, console: &Console, interrupt: &Interrupt) -> Result<Answers> {
    in_pool(test.device, || answers(test, console, interrupt))
}

fn answers(test: &Test<'_>, console: &Console, interrupt: &Interrupt) -> Result<Answers> {
    let classes = test.classes.len();
    let mut logits = Vec::new();
    let scores = match test.protocol.test.by {
        TestBy::Pairs => return pairs::verify(test, console, interrupt).map(Answers::Pairs),
        TestBy::NearestNeighbour => neighbours::classify(test, console, interrupt)?,
        TestBy::Softmax => {
            let mut scores = Vec::with_capacity(test.videos.len() * classes);
            for_each(test, test.videos, console, interrupt, |views| {
                let means = means_of_views(test, views, classes)?;
                scores.extend(match test.protocol.test.scores {
                    ScoresOf::Softmax => means.softmax,
                    ScoresOf::Logits => {
                        softmax(&means.logits.iter().copied().map(f64::from).collect::<Vec<_>>())
                    }
                });
                logits.extend(means.logits);
                Ok(())
            })?;
            scores
        }
    };
    Ok(Answers::Classes(Scores {
        split: test.split.to_owned(),
        seed: test.seed,
        classes: test.classes.to_vec(),
        videos: test.videos.iter().map(|video| video.id.clone()).collect(),
        labels: test.videos.iter().map(|video| video.label).collect(),
        scores,
        logits,
    }))
}

/// The mean scores of a video.
struct Means {
    /// After the softmax.
    softmax: Vec<f32>,
    /// Before the softmax.
    logits: Vec<f32>,
}

/// Computes the mean over all views of a video and over the softmax layers of the data set's task, summed in f64 in the
/// views' order. If a softmax layer has more classes than the data set, those of the data set come first, and the others
/// are left out.
fn means_of_views(test: &Test<'_>, views: &[Inputs], classes: usize) -> Result<Means> {
    let mut sums = [vec![0.0_f64; classes], vec![0.0_f64; classes]];
    let mut count = 0;
    let mut add = |inputs: &Inputs| -> models::Result<()> {
        for logits in logits_of_views(test.network, inputs)? {
            for (sums, values) in sums.iter_mut().zip([&nn::softmax(&logits)?, &logits]) {
                for row in values.to_vec2::<f32>()? {
                    for (sum, value) in sums.iter_mut().zip(row) {
                        *sum += f64::from(value);
                    }
                }
            }
            count += logits.dim(0)?;
        }
        Ok(())
    };
    for inputs in views {
        add(inputs).map_err(Error::network("testing"))?;
    }
    let [softmax, logits]: [Vec<f32>; 2] =
        sums.map(|sums| sums.into_iter().map(|sum| (sum / count as f64) as f32).collect());
    if let Some(odd) = logits.iter().chain(&softmax).find(|score| !score.is_finite()) {
        return Err(Error::network("testing")(format!(
            "the network's score is {odd}, expected a finite number; its weights are too large"
        )));
    }
    Ok(Means { softmax, logits })
}

/// Computes the logits of every view for each softmax layer of the first task, that of the tested data set: (views, classes).
fn logits_of_views(network: &dyn Network, inputs: &Inputs) -> models::Result<Vec<Tensor>> {
    let outputs = network.forward(inputs, &Pass::eval())?;
    Ok(outputs.heads.into_iter().filter(|head| head.task == 0).map(|head| head.logits).collect())
}

/// Computes the softmax scores of every view for each softmax layer of the first task, that of the tested data set.
pub(crate) fn softmax_of_views(network: &dyn Network, inputs: &Inputs) -> models::Result<Vec<Vec<Vec<f32>>>> {
    let logits = logits_of_views(network, inputs)?;
    logits.iter().map(|logits| Ok(nn::softmax(logits)?.to_vec2::<f32>()?)).collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::{Arc, Mutex};

    use candle_core::Device;

    use data::DataError;
    use data::dataset::View;
    use data::loader::LabelledVideo;
    use data::source::{Direction, Field, Frame, VideoReader};
    use models::{Head, Modality, Outputs};

    use super::*;
    use plan::Workspace;
    use plan::spec::ProfileName;
    use plan::{Request, TablePlan};

    /// A video whose frame t is uniformly grey of value t, and whose flow at t is uniformly t pixels to the right.
    struct Counting {
        frames: usize,
        segment: std::ops::Range<usize>,
    }

    const SIDE: usize = 64;

    impl VideoReader for Counting {
        fn segments(&self) -> &[std::ops::Range<usize>] {
            std::slice::from_ref(&self.segment)
        }

        fn size(&self) -> (usize, usize) {
            (SIDE, SIDE)
        }

        fn frames(&self) -> usize {
            self.frames
        }

        fn field(&self, _direction: Direction, t: usize) -> std::result::Result<Field, DataError> {
            let u = vec![t as f32; SIDE * SIDE];
            Ok(Field { width: SIDE, height: SIDE, u, v: vec![0.0; SIDE * SIDE], mean: [0.0; 2] })
        }

        fn frame(&self, t: usize) -> std::result::Result<Frame, DataError> {
            Ok(Frame { width: SIDE, height: SIDE, rgb: vec![t as u8; SIDE * SIDE * 3] })
        }
    }

    /// Two softmax layers of one task with their own logits, and a record of the inputs.
    struct TwoHeads {
        logits: [[f32; 2]; 2],
        seen: Mutex<Vec<Seen>>,
    }

    /// The shape of the frames, and the first pixel of each frame and of each field.
    type Seen = (Vec<usize>, Vec<f32>, Vec<f32>);

    impl Network for TwoHeads {
        fn reads(&self) -> &[Modality] {
            &[Modality::RGB, Modality::FLOW]
        }

        fn forward(&self, inputs: &Inputs, _pass: &Pass) -> models::Result<Outputs> {
            let [rgb, flow] = [Modality::RGB, Modality::FLOW].map(|modality| inputs.get(modality).unwrap());
            // The first view's time steps: a pixel's red, and the first field's x.
            self.seen.lock().unwrap().push((rgb.dims().to_vec(), first_pixels(rgb), first_pixels(flow)));
            let views = rgb.dim(0)?;
            let head = |(name, logits): (&str, [f32; 2])| -> models::Result<Head> {
                let logits = Tensor::from_vec(logits.repeat(views), (views, 2), &Device::Cpu)?;
                Ok(Head { name: name.into(), logits, task: 0 })
            };
            let heads = [("a", self.logits[0]), ("b", self.logits[1])].map(head);
            let heads = heads.into_iter().collect::<models::Result<_>>()?;
            Ok(Outputs { heads, features: None, attention: None })
        }
    }

    /// Returns the first value of the first channel for each time step of the first sample of (B, T, C, H, W).
    fn first_pixels(x: &Tensor) -> Vec<f32> {
        let (_, time_steps, c, h, w) = x.dims5().unwrap();
        let all = testkit::values(x);
        (0..time_steps).map(|t| all[t * c * h * w]).collect()
    }

    /// A network of clips sees the test frames as one clip, in order, each with its own flow, and the score is the mean
    /// of both softmax layers.
    #[test]
    fn a_network_of_clips_is_tested_on_a_whole_video_at_once() {
        let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
        let (spec, file) = workspace.spec("st-resnet/results").unwrap();
        let request = Request { profile: Some(ProfileName::Mini), ..Request::default() };
        let plan = TablePlan::resolve(spec, file, &request, &workspace).unwrap();
        let row = plan.rows.iter().find(|row| row.row.id == "st-resnet-ucf101").unwrap();
        let mut protocol = row.work.protocols()[0].clone();
        for input in &mut protocol.net.sample.inputs {
            match &mut input.input {
                data::inputs::Input::Rgb(stack) => (stack.mean, stack.scale) = (None, [1.0; 3]),
                data::inputs::Input::Flow(stack) => (stack.mean_subtraction, stack.scale) = (false, 1.0),
                other => panic!("a clip has no {other:?}"),
            }
        }
        let network = TwoHeads { logits: [[2.0, 0.0], [0.0, 1.0]], seen: Mutex::default() };
        let source = Arc::new(Counting { frames: 61, segment: 0..61 });
        let video = LabelledVideo { view: None, id: "counting".into(), label: 0, source };
        let test = Test {
            name: "test",
            protocol: &protocol,
            network: &network,
            device: &Device::Cpu,
            videos: &[video],
            others: &[],
            classes: &["first".into(), "second".into()],
            split: "1",
            seed: 0,
        };
        let answers = evaluate(&test, &Console::silent(), &Interrupt::never()).unwrap();
        let scores = answers.classes().unwrap();
        let seen = network.seen.into_inner().unwrap();
        let (views, crop) = (seen.iter().map(|(dims, ..)| dims[0]).sum::<usize>(), protocol.net.crop);
        assert_eq!(views, 10, "ten crops of one clip");
        for (dims, frames, fields) in &seen {
            assert_eq!(dims[1..], [6, 3, crop, crop]);
            // Six of 51 starts, at equal distances; the frame is in the middle of its eleven.
            assert_eq!(*frames, [5.0, 15.0, 25.0, 35.0, 45.0, 55.0]);
            // Mirrored views, which come second, have the other sign.
            assert_eq!(
                fields.iter().map(|x| x.abs()).collect::<Vec<_>>(),
                [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]
            );
        }
        let softmax = |[a, b]: [f32; 2]| 1.0 / (1.0 + (b - a).exp());
        let first = (softmax([2.0, 0.0]) + softmax([0.0, 1.0])) / 2.0;
        assert!((scores.scores[0] - first).abs() < 1e-6 && (scores.scores[1] - 1.0 + first).abs() < 1e-6);
        assert_eq!(scores.logits, [1.0, 0.5], "the mean of both before the softmax");
    }

    /// A network that reads the number t of each frame: its logits are (t / 10, 1), its features (t, 0).
    struct Numbers(Mutex<Vec<f32>>);

    impl Network for Numbers {
        fn reads(&self) -> &[Modality] {
            &[Modality::RGB]
        }

        fn forward(&self, inputs: &Inputs, _pass: &Pass) -> models::Result<Outputs> {
            let rgb = inputs.get(Modality::RGB).unwrap();
            let samples = rgb.dim(0)?;
            let numbers: Vec<f32> =
                (0..samples).map(|i| first_pixels(&rgb.get(i).unwrap().unsqueeze(0).unwrap())[0]).collect();
            self.0.lock().unwrap().extend(&numbers);
            let pairs = |f: fn(f32) -> [f32; 2]| {
                Tensor::from_vec(numbers.iter().flat_map(|&t| f(t)).collect(), (samples, 2), &Device::Cpu)
            };
            let head = Head { name: "main".into(), logits: pairs(|t| [t / 10.0, 1.0])?, task: 0 };
            Ok(Outputs { heads: vec![head], features: Some(pairs(|t| [t, 0.0])?), attention: None })
        }
    }

    fn counting(id: &str, label: u32, number: usize, frames: usize) -> LabelledVideo {
        let view = Some(View { event: id.into(), number, group: format!("{id} group") });
        let source = Arc::new(Counting { frames, segment: 0..frames });
        LabelledVideo { id: format!("{id}-{number}"), label, view, source }
    }

    fn answers(row: &str, videos: &[LabelledVideo], others: &[LabelledVideo]) -> (Answers, Vec<f32>) {
        answers_by(ScoresOf::Softmax, row, videos, others)
    }

    fn answers_by(
        scores: ScoresOf,
        row: &str,
        videos: &[LabelledVideo],
        others: &[LabelledVideo],
    ) -> (Answers, Vec<f32>) {
        let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
        let (spec, file) = workspace.spec("siamese/cross-view").unwrap();
        let request = Request { profile: Some(ProfileName::Mini), ..Request::default() };
        let plan = TablePlan::resolve(spec, file, &request, &workspace).unwrap();
        let row = plan.rows.iter().find(|found| found.row.id == row).unwrap();
        let mut protocol = row.work.protocols()[0].clone();
        for input in &mut protocol.net.sample.inputs {
            let data::inputs::Input::Rgb(stack) = &mut input.input else { panic!("it sees frames") };
            (stack.mean, stack.scale) = (None, [1.0; 3]);
        }
        protocol.test.scores = scores;
        let network = Numbers(Mutex::default());
        let test = Test {
            name: "test",
            protocol: &protocol,
            network: &network,
            device: &Device::Cpu,
            videos,
            others,
            classes: &["first".into(), "second".into()],
            split: "1",
            seed: 0,
        };
        let answers = evaluate(&test, &Console::silent(), &Interrupt::never()).unwrap();
        (answers, network.0.into_inner().unwrap())
    }

    /// One branch: every tenth frame passes through the network once, alone, and a video's score is the mean over its frames.
    #[test]
    fn a_network_of_pairs_is_tested_frame_by_frame() {
        let (found, seen) = answers("softmax", &[counting("a", 0, 1, 38)], &[]);
        assert_eq!(seen, [0.0, 10.0, 20.0, 30.0]);
        let mean = (0..4).map(|t| 1.0 / (1.0 + (1.0 - t as f32).exp())).sum::<f32>() / 4.0;
        let scores = found.classes().unwrap();
        assert!((scores.scores[0] - mean).abs() < 1e-6 && (scores.scores[1] - 1.0 + mean).abs() < 1e-6);
    }

    /// The mean is taken before the softmax, and the logits of a fusion stay what they were.
    #[test]
    fn scores_can_be_averaged_before_the_softmax() {
        let (after, _) = answers("softmax", &[counting("a", 0, 1, 38)], &[]);
        let (before, _) = answers_by(ScoresOf::Logits, "softmax", &[counting("a", 0, 1, 38)], &[]);
        let (after, before) = (after.classes().unwrap(), before.classes().unwrap());
        // Logits (0, 1), (1, 1), (2, 1) and (3, 1): their mean is (1.5, 1).
        let expected = 1.0 / (1.0 + (-0.5_f32).exp());
        assert!((before.scores[0] - expected).abs() < 1e-6, "{:?}", before.scores);
        assert!((before.scores[0] + before.scores[1] - 1.0).abs() < 1e-6);
        assert_eq!(before.logits, after.logits);
        assert!((before.scores[0] - after.scores[0]).abs() > 1e-3);
    }

    #[test]
    fn neighbours_are_those_of_the_training_frames() {
        // Known frames 0 and 10 of class 1, and 0, 10, 20, 30, 40 of class 0: the later frames are nearer to the latter.
        let known = [counting("x", 1, 0, 12), counting("y", 0, 0, 42)];
        let (found, seen) = answers("contrastive-l1", &[counting("a", 0, 1, 45)], &known);
        assert_eq!(seen.len(), 2 + 5 + 5);
        let scores = &found.classes().unwrap().scores;
        // Frames 0 and 10 are known for both classes, half each; 20, 30 and 40 only for class 0.
        assert!((scores[0] - (0.5 + 0.5 + 3.0) / 5.0).abs() < 1e-6, "{scores:?}");
    }

    #[test]
    fn pairs_are_verified_by_their_distance() {
        let tested = [counting("a", 0, 0, 25), counting("b", 1, 0, 25)];
        let others = [counting("a", 0, 1, 25), counting("b", 1, 1, 25)];
        let (found, _) = answers("softmax-pairs", &tested, &others);
        let Answers::Pairs(pairs) = &found else { panic!("{found:?}") };
        // Three time steps of each video beside its other view, with twenty others for each.
        assert_eq!((pairs.similar.iter().filter(|similar| **similar).count(), pairs.similar.len()), (6, 126));
        // The same time step is at distance 0, and so is that of another event: one of three dissimilar pairs ties.
        assert!(
            pairs
                .similar
                .iter()
                .zip(&pairs.distances)
                .all(|(similar, distance)| !similar || *distance == 0.0)
        );
        assert!((60.0..95.0).contains(&found.value()), "{}", found.value());
        assert_eq!(found.videos(), 2);
    }
}
