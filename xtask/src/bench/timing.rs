//! The times of a case, from criterion's medians or from rounds.

use serde::Serialize;

use super::case::Case;

/// The times of one side of a case.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Timing {
    /// Median seconds of all phases together, or of the last one if it repeats all the others.
    pub(crate) seconds: f64,
    /// Work of all phases per second.
    pub(crate) speed: f64,
    /// Times of single phases, if they were measured.
    pub(crate) phases: Vec<PhaseTiming>,
    /// Seconds of each phase in each round; empty without rounds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) rounds: Vec<Vec<f64>>,
    /// Peak memory of the process, before it created the case's inputs and at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) memory: Option<Memory>,
}

/// The times of one phase.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct PhaseTiming {
    pub(crate) name: String,
    /// Median seconds.
    pub(crate) seconds: f64,
    /// Work per second.
    pub(crate) speed: f64,
}

/// Peak memory of a process in KiB.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Memory {
    pub(crate) idle_kib: u64,
    pub(crate) peak_kib: u64,
}

impl Timing {
    /// Creates times from medians. `phases` has one median for each phase of the case, or is empty.
    pub(crate) fn of_medians(case: &Case, seconds: f64, phases: &[f64]) -> Self {
        let phases = case.phases.iter().zip(phases).map(|(phase, &seconds)| PhaseTiming {
            name: phase.name.clone(),
            seconds,
            speed: phase.work / seconds,
        });
        let phases = phases.collect();
        Self { seconds, speed: case.work / seconds, phases, rounds: Vec::new(), memory: None }
    }

    /// Creates times from the seconds of each phase in each round.
    pub(crate) fn of_rounds(case: &Case, rounds: Vec<Vec<f64>>) -> Self {
        let phase = |index: usize| median(rounds.iter().map(|round| round[index]));
        let phases: Vec<f64> = (0..case.phases.len()).map(phase).collect();
        let together = match phases.last() {
            Some(&whole) if case.whole => whole,
            _ => median(rounds.iter().map(|round| round.iter().sum())),
        };
        Self { rounds, ..Self::of_medians(case, together, &phases) }
    }

    /// Returns the times of a phase by its name.
    pub(crate) fn phase(&self, name: &str) -> Option<&PhaseTiming> {
        self.phases.iter().find(|phase| phase.name == name)
    }
}

/// Computes the middle value, or the mean of the two in the middle. NaN if there are no values.
pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.into_iter().collect();
    values.sort_by(f64::total_cmp);
    match (values.len(), values.len() / 2) {
        (0, _) => f64::NAN,
        (n, half) if n % 2 == 1 => values[half],
        (_, half) => (values[half - 1] + values[half]) / 2.0,
    }
}

/// Creates a case for the tests of this module and its siblings.
#[cfg(test)]
pub(crate) fn convolution(name: &str) -> Case {
    use super::case::{Phase, Unit};
    let phase = |name: &str, work| Phase { name: name.into(), work };
    Case {
        name: name.into(),
        group: "convolutions".into(),
        size: "8x20x224x224, stride 2, pad 0".into(),
        unit: Unit::Flop,
        work: 3e9,
        phases: vec![phase("forward", 1e9), phase("backward", 2e9)],
        apart: true,
        whole: false,
        facts: serde_json::json!({"op": "conv"}),
    }
}

#[cfg(test)]
mod tests {
    use super::super::case::Phase;
    use super::*;

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(median([3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median([4.0, 1.0, 2.0, 3.0]), 2.5);
        assert!(median([]).is_nan());
    }

    #[test]
    fn rounds_become_medians_of_each_phase_and_of_their_sums() {
        let rounds = vec![vec![0.01, 0.05], vec![0.02, 0.01], vec![0.03, 0.03]];
        let timing = Timing::of_rounds(&convolution("conv"), rounds);
        let phases: Vec<f64> = timing.phases.iter().map(|phase| phase.seconds).collect();
        assert_eq!((phases, timing.seconds), (vec![0.02, 0.03], 0.06));
        assert_eq!(timing.speed, 3e9 / 0.06);
        assert_eq!(timing.phase("backward").unwrap().speed, 2e9 / 0.03);
    }

    #[test]
    fn the_time_of_a_run_without_stops_is_that_of_its_own_phase() {
        let mut case = Case { whole: true, ..convolution("conv") };
        case.phases.push(Phase { name: "step".into(), work: 3e9 });
        let timing = Timing::of_rounds(&case, vec![vec![0.01, 0.05, 0.04]; 3]);
        assert_eq!((timing.phases.len(), timing.seconds), (3, 0.04));
    }
}
