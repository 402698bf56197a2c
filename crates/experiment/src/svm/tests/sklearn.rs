//! Scores of two streams, against scikit-learn's `LinearSVC(multi_class="crammer_singer")`.
//! `tests/fixtures/svm.py` made the fixture and describes its contents.

use serde::Deserialize;

use super::{Set, objective, worst};
use crate::svm::{Svm, SvmConfig, features};

const SCORES: &[u8] = include_bytes!("../../../tests/fixtures/svm.scores");
const REST: &str = include_str!("../../../tests/fixtures/svm.json");

#[derive(Deserialize)]
pub(super) struct Fixture {
    pub(super) classes: usize,
    streams: usize,
    training: Vec<u32>,
    test: Vec<u32>,
    runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    c: f64,
    bias: Option<f64>,
    objective: f64,
    weights: Vec<f64>,
    intercepts: Vec<f64>,
    predicted: Vec<u32>,
}

impl Fixture {
    pub(super) fn read() -> Self {
        serde_json::from_str(REST).unwrap()
    }

    /// The training videos and the test videos.
    pub(super) fn sets(&self) -> (Set, Set) {
        let scores: Vec<f32> = SCORES
            .chunks_exact(2)
            .map(|bytes| f32::from(u16::from_le_bytes([bytes[0], bytes[1]])) / 65535.0)
            .collect();
        let width = self.classes * self.streams;
        let mut x: Vec<f32> = scores
            .chunks_exact(width)
            .flat_map(|video| features(&video.chunks_exact(self.classes).collect::<Vec<_>>()))
            .collect();
        assert_eq!(x.len(), (self.training.len() + self.test.len()) * width);
        let test = x.split_off(self.training.len() * width);
        let set =
            |x, labels: &[u32]| Set { x, labels: labels.to_vec(), classes: self.classes, features: width };
        (set(x, &self.training), set(test, &self.test))
    }
}

#[test]
fn solutions_and_predictions_are_those_of_scikit_learn() {
    let fixture = Fixture::read();
    let (training, test) = fixture.sets();
    assert_eq!(fixture.runs.len(), 10);
    for run in &fixture.runs {
        let case = format!("C {}, bias {:?}", run.c, run.bias);
        let config = SvmConfig { c: run.c, bias: run.bias, tolerance: 1e-7, max_sweeps: 100_000 };
        let svm: Svm = training.train(&config);
        assert!(svm.fit().converged, "{case}: {:?}", svm.fit());

        let ours = objective(&training, svm.weights(), svm.intercepts(), run.bias.unwrap_or(0.0), run.c);
        let off = (ours - run.objective).abs() / run.objective;
        assert!(off < 1e-7, "{case}: objective {ours}, scikit-learn {}, {off:e}", run.objective);
        let stated = (svm.fit().objective - ours).abs() / ours;
        assert!(stated < 1e-12, "{case}: the objective is {ours}, the fit says {}", svm.fit().objective);
        assert!(svm.fit().gap.abs() < 1e-6 * ours, "{case}: {:?}", svm.fit());

        let weights = worst(svm.weights(), &run.weights);
        let intercepts = worst(svm.intercepts(), &run.intercepts);
        assert!(
            weights < 1e-4 && intercepts < 1e-4,
            "{case}: weights {weights:e}, intercepts {intercepts:e}"
        );

        let predicted = svm.predict(&test.x).unwrap();
        let other = predicted.iter().zip(&run.predicted).filter(|(a, b)| a != b).count();
        assert!(other <= 1, "{case}: {other} videos in another class");
        let right = |classes: &[u32]| classes.iter().zip(&test.labels).filter(|(a, b)| a == b).count();
        let (ours, theirs) = (right(&predicted), right(&run.predicted));
        assert!(ours.abs_diff(theirs) <= 1, "{case}: {ours} right, scikit-learn {theirs}");
    }
}

#[test]
fn the_usual_tolerance_is_enough_for_the_predictions() {
    let fixture = Fixture::read();
    let (training, test) = fixture.sets();
    for run in &fixture.runs {
        let svm = training.train(&SvmConfig { c: run.c, bias: run.bias, ..SvmConfig::default() });
        assert!(svm.fit().converged, "C {}: {:?}", run.c, svm.fit());
        let predicted = svm.predict(&test.x).unwrap();
        let other = predicted.iter().zip(&run.predicted).filter(|(a, b)| a != b).count();
        assert!(other <= 1, "C {}, bias {:?}: {other} videos in another class", run.c, run.bias);
    }
}
