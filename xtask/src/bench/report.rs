//! The report of the measurements: a table for a terminal or in Markdown, and JSON.

use std::collections::BTreeMap;

use base::text::counted;
use experiment::grid::{Form, Grid};
use serde::Serialize;

use super::case::{Case, Unit};
use super::timing::Timing;

/// The measurements of a suite.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Report {
    pub(crate) suite: &'static str,
    pub(crate) processor: String,
    /// Number and name of the GPU, if one is used.
    pub(crate) gpu: Option<String>,
    /// Precision of the products: `fp32` or `tf32`.
    pub(crate) precision: &'static str,
    /// Number of threads of each side.
    pub(crate) threads: usize,
    /// Versions by name: the SIMD level, PyTorch and so on.
    pub(crate) versions: BTreeMap<String, String>,
    /// The other side, if one was measured.
    pub(crate) against: Option<Against>,
    pub(crate) cases: Vec<Measured>,
    /// Mean ratios of each group of cases, and of all.
    pub(crate) means: Vec<Mean>,
}

/// The settings of the other side.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Against {
    /// Its name.
    pub(crate) rival: &'static str,
    pub(crate) layout: &'static str,
    /// True if its networks were compiled.
    pub(crate) compiled: bool,
    pub(crate) rounds: usize,
}

/// The times of a case.
#[derive(Debug, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Measured {
    pub(crate) case: Case,
    pub(crate) ours: Timing,
    pub(crate) theirs: Option<Timing>,
    /// Their time / ours, over all phases.
    pub(crate) ratio: Option<f64>,
}

impl Measured {
    pub(crate) fn new(case: Case, ours: Timing, theirs: Option<Timing>) -> Self {
        let ratio = theirs.as_ref().map(|theirs| theirs.seconds / ours.seconds);
        Self { case, ours, theirs, ratio }
    }
}

/// The mean ratio of a group of cases.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) struct Mean {
    pub(crate) group: String,
    pub(crate) cases: usize,
    pub(crate) arithmetic: f64,
    pub(crate) geometric: f64,
}

/// Computes the mean ratios of each group in the order of the cases, and of all if there are several groups.
pub(crate) fn means(cases: &[Measured]) -> Vec<Mean> {
    let mut groups: Vec<(&str, Vec<f64>)> = Vec::new();
    for (case, ratio) in cases.iter().filter_map(|measured| Some((&measured.case, measured.ratio?))) {
        match groups.iter_mut().find(|(group, _)| *group == case.group) {
            Some((_, ratios)) => ratios.push(ratio),
            None => groups.push((&case.group, vec![ratio])),
        }
    }
    if groups.len() > 1 {
        let all = groups.iter().flat_map(|(_, ratios)| ratios).copied().collect();
        groups.push(("all", all));
    }
    let mean = |(group, ratios): (&str, Vec<f64>)| {
        let n = ratios.len() as f64;
        Mean {
            group: group.to_owned(),
            cases: ratios.len(),
            arithmetic: ratios.iter().sum::<f64>() / n,
            geometric: (ratios.iter().map(|ratio| ratio.ln()).sum::<f64>() / n).exp(),
        }
    };
    groups.into_iter().map(mean).collect()
}

impl Against {
    /// Formats the settings: `PyTorch (eager, feature maps nchw)`.
    fn describe(&self) -> String {
        let mode = if self.compiled { "compiled" } else { "eager" };
        format!("{} ({mode}, feature maps {})", self.rival, self.layout)
    }
}

impl Report {
    /// Formats a table with notes on the measurement.
    pub(crate) fn text(&self, form: Form) -> String {
        let text = self.table_and_foot(form);
        match (self.title(), form) {
            (None, _) => text,
            (Some(title), Form::Terminal(_)) => format!("{title}\n{text}"),
            (Some(title), Form::Markdown) => format!("{title}\n\n{text}"),
        }
    }

    /// Formats the GPU, its precision and the other side; `None` on the CPU.
    fn title(&self) -> Option<String> {
        let gpu = self.gpu.as_ref()?;
        let against = self.against.as_ref().map(|against| format!(", beside {}", against.describe()));
        Some(format!("{gpu}, products in {}{}", self.precision, against.unwrap_or_default()))
    }

    fn table_and_foot(&self, form: Form) -> String {
        let (head, lines) = if self.is_apart() { self.phases_apart() } else { self.together() };
        let foot = self.foot();
        match form {
            Form::Terminal(_) => format!("{}\n{}", table(&head, lines, form), foot.join("\n")),
            Form::Markdown => {
                let head: Vec<String> = head.iter().map(|label| label.replace('\n', " ")).collect();
                format!("{}\n\n* {}", table(&head, lines, form), foot.join("\n* "))
            }
        }
    }

    /// Returns `true` if runs without stops between phases were measured.
    fn is_whole(&self) -> bool {
        self.cases.iter().any(|measured| measured.case.whole)
    }

    /// Returns `true` if phases were measured one by one, not only whole runs.
    fn is_apart(&self) -> bool {
        self.cases.iter().any(|measured| measured.case.apart)
    }

    /// Returns the head and lines of a table with the speed of each phase, for operations.
    fn phases_apart(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let mut head = vec!["case", "size", "speed in"];
        let phases = ["forward", "backward"];
        if self.against.is_some() {
            head.extend(["ours\nforward", "ours\nbackward", "RIVAL\nforward", "RIVAL\nbackward"]);
            head.extend(["ours\nms", "RIVAL\nms", "ratio\nforward", "ratio\nbackward", "ratio\ntogether"]);
        } else {
            head.extend(["forward", "backward", "together", "ms"]);
        }
        let lines = self.cases.iter().map(|Measured { case, ours, theirs, ratio }| {
            let (unit, scale) = unit(case.unit);
            let speed = |side: &Timing, phase| side.phase(phase).map(|phase| digits(phase.speed / scale));
            let mut line = vec![Some(case.name.clone()), Some(case.size.clone()), Some(unit.to_owned())];
            line.extend(phases.map(|phase| speed(ours, phase)));
            if let Some(theirs) = theirs {
                line.extend(phases.map(|phase| speed(theirs, phase)));
                line.extend([milliseconds(ours.seconds), milliseconds(theirs.seconds)].map(Some));
                line.extend(
                    phases.map(|phase| Some(two(theirs.phase(phase)?.seconds / ours.phase(phase)?.seconds))),
                );
                line.push(ratio.map(two));
            } else {
                line.extend([digits(ours.speed / scale), milliseconds(ours.seconds)].map(Some));
            }
            line.into_iter().map(Option::unwrap_or_default).collect()
        });
        (self.named(&head), lines.collect())
    }

    /// Inserts the other side's name in the heads of columns.
    fn named(&self, head: &[&str]) -> Vec<String> {
        let rival = self.against.as_ref().map_or("", |against| against.rival);
        head.iter().map(|label| label.replace("RIVAL", rival)).collect()
    }

    /// Returns the head and lines of a table with total times and peak memory, for whole steps.
    fn together(&self) -> (Vec<String>, Vec<Vec<String>>) {
        let mut head = vec!["case", "size", "speed in"];
        if self.against.is_some() {
            head.extend(["ours", "RIVAL", "ratio", "ours, ms", "RIVAL, ms"]);
            head.extend(["ours,\npeak MiB", "RIVAL,\npeak MiB"]);
        } else {
            head.extend(["speed", "ms"]);
        }
        let lines = self.cases.iter().map(|Measured { case, ours, theirs, ratio }| {
            let (unit, scale) = unit(case.unit);
            let mut line = vec![case.name.clone(), case.size.clone(), unit.to_owned()];
            line.push(digits(ours.speed / scale));
            if let Some(theirs) = theirs {
                line.extend([digits(theirs.speed / scale), ratio.map(two).unwrap_or_default()]);
                line.extend([with_phases(case, ours), with_phases(case, theirs)]);
                line.extend([ours, theirs].map(|side| {
                    side.memory.map_or("unknown".into(), |memory| (memory.peak_kib / 1024).to_string())
                }));
            } else {
                line.push(with_phases(case, ours));
            }
            line
        });
        (self.named(&head), lines.collect())
    }

    fn foot(&self) -> Vec<String> {
        let versions = self.versions.iter().map(|(what, version)| format!("{what} {version}"));
        let versions = versions.collect::<Vec<_>>().join(", ");
        let threads = counted(self.threads, "thread");
        let Some(against) = &self.against else {
            return vec![format!("medians of criterion; {threads}; {}; {versions}", self.processor)];
        };
        let mut lines = Vec::new();
        for Mean { group, cases, arithmetic, geometric } in &self.means {
            lines.push(format!(
                "mean ratio of {group} ({cases}): {}, geometric {}",
                two(*arithmetic),
                two(*geometric)
            ));
        }
        lines.push(format!(
            "ratio: {}'s time / ours, above 1 if ours is faster; medians of {} rounds, taken in turns",
            against.rival, against.rounds
        ));
        if self.is_whole() {
            lines.push(
                "ms: a step that waits for the GPU once, at its end (forward + backward + update, each with its own wait)"
                    .to_owned(),
            );
        }
        let idle = self.cases.iter().filter_map(|m| Some([m.ours.memory?, m.theirs.as_ref()?.memory?]));
        let idle = idle.max_by_key(|[_, theirs]| theirs.idle_kib);
        if self.gpu.is_some() && idle.is_some() {
            lines.push(
                "peak: largest GPU memory of arrays and workspaces at one time, without the memory of driver and libraries"
                    .to_owned(),
            );
        } else if let (Some([ours, theirs]), false) = (idle, self.is_apart()) {
            lines.push(format!(
                "peak: largest resident memory of the process; before the network is created it is {} MiB here, \
                 {} MiB in {}",
                ours.idle_kib / 1024,
                theirs.idle_kib / 1024,
                against.rival
            ));
        }
        let compiled = if against.compiled { ", compiled" } else { "" };
        lines.push(format!(
            "{threads} each; {}; {versions}, feature maps {}{compiled}",
            self.processor, against.layout
        ));
        lines
    }
}

/// Returns the unit of speeds and its divisor.
fn unit(unit: Unit) -> (&'static str, f64) {
    match unit {
        Unit::Flop => ("GFLOP/s", 1e9),
        Unit::Values => ("Gvalues/s", 1e9),
        Unit::Samples => ("samples/s", 1.0),
    }
}

/// Formats a number with three digits, or with all digits before the decimal point.
fn digits(value: f64) -> String {
    let after = if value >= 100.0 {
        0
    } else if value >= 10.0 {
        1
    } else {
        2
    };
    format!("{value:.after$}")
}

fn two(value: f64) -> String {
    format!("{value:.2}")
}

fn milliseconds(seconds: f64) -> String {
    digits(seconds * 1e3)
}

/// Formats total milliseconds and those of the phases: `2105 (630 + 1400 + 75)`.
fn with_phases(case: &Case, side: &Timing) -> String {
    // A last phase that repeats all the others is the total, not a part.
    let parts = side.phases.len().saturating_sub(usize::from(case.whole));
    let phases: Vec<String> = side.phases[..parts].iter().map(|phase| milliseconds(phase.seconds)).collect();
    let together = milliseconds(side.seconds);
    if phases.len() > 1 { format!("{together} ({})", phases.join(" + ")) } else { together }
}

/// Lays out a table whose first three columns are text.
fn table(head: &[String], lines: Vec<Vec<String>>, form: Form) -> String {
    Grid::new([vec![head.to_vec()], lines].concat(), 3).render(form)
}

#[cfg(test)]
mod tests {
    use experiment::grid::Screen;

    use super::super::case::Phase;
    use super::super::timing::{Memory, convolution};
    use super::*;

    fn report(cases: Vec<Measured>, against: Option<Against>) -> Report {
        let version = |what: &str, version: &str| (what.to_owned(), version.to_owned());
        Report {
            suite: "kernels",
            processor: "EPYC".into(),
            gpu: None,
            precision: "fp32",
            threads: 2,
            versions: [version("SIMD", "avx512"), version("PyTorch", "2.15.0")].into(),
            against,
            means: means(&cases),
            cases,
        }
    }

    fn both(case: Case, [ours, torch]: [[f64; 2]; 2]) -> Measured {
        let memory = |mib: u64| Some(Memory { idle_kib: 20 << 10, peak_kib: mib << 10 });
        let mut ours = Timing::of_rounds(&case, vec![ours.to_vec()]);
        let mut torch = Timing::of_rounds(&case, vec![torch.to_vec()]);
        (ours.memory, torch.memory) = (memory(900), memory(1200));
        Measured::new(case, ours, Some(torch))
    }

    fn step() -> Case {
        let mut case = convolution("cnn-m-temporal");
        case.phases.iter_mut().for_each(|phase| phase.work = 16.0);
        Case { group: "training steps".into(), unit: Unit::Samples, work: 16.0, apart: false, ..case }
    }

    const SEVEN: Option<Against> =
        Some(Against { rival: "PyTorch", layout: "nchw", compiled: false, rounds: 7 });

    /// Returns a report of a step on a GPU.
    fn gpu_step() -> Report {
        let mut case = Case { whole: true, ..step() };
        case.phases = ["forward", "backward", "update", "step"]
            .map(|name| Phase { name: name.into(), work: 16.0 })
            .into();
        let side = |seconds: [f64; 4]| {
            let memory = Some(Memory { idle_kib: 0, peak_kib: 2 << 20 });
            Timing { memory, ..Timing::of_rounds(&case, vec![seconds.to_vec()]) }
        };
        let (ours, torch) = (side([0.01, 0.02, 0.005, 0.03]), side([0.02, 0.02, 0.006, 0.045]));
        let against = Some(Against { rival: "PyTorch", layout: "channels-last", compiled: true, rounds: 7 });
        let gpu = Some("cuda:0 NVIDIA".into());
        Report { gpu, precision: "tf32", ..report(vec![Measured::new(case, ours, Some(torch))], against) }
    }

    #[test]
    fn kernels_beside_pytorch() {
        let cases = vec![
            both(convolution("conv-7x7"), [[0.005, 0.005], [0.010, 0.020]]),
            both(Case { group: "others".into(), ..convolution("lrn") }, [[0.01, 0.01], [0.01, 0.01]]),
        ];
        insta::assert_snapshot!(report(cases, SEVEN).text(Form::Terminal(Screen::default())));
    }

    #[test]
    fn kernels_alone() {
        let case = convolution("conv-7x7");
        let ours = Timing::of_medians(&case, 0.0121, &[0.005, 0.007]);
        insta::assert_snapshot!(
            report(vec![Measured::new(case, ours, None)], None).text(Form::Terminal(Screen::default()))
        );
    }

    #[test]
    fn steps_beside_pytorch() {
        let cases = vec![both(step(), [[0.5, 1.0], [1.0, 1.7]])];
        insta::assert_snapshot!(report(cases, SEVEN).text(Form::Terminal(Screen::default())));
    }

    #[test]
    fn markdown_for_a_page() {
        let cases = vec![both(step(), [[0.5, 1.0], [1.0, 1.7]])];
        insta::assert_snapshot!(report(cases, SEVEN).text(Form::Markdown));
    }

    #[test]
    fn steps_alone() {
        let ours = Timing::of_medians(&step(), 1.5, &[]);
        insta::assert_snapshot!(
            report(vec![Measured::new(step(), ours, None)], None).text(Form::Terminal(Screen::default()))
        );
    }

    #[test]
    fn steps_on_a_gpu() {
        insta::assert_snapshot!(gpu_step().text(Form::Terminal(Screen::default())));
    }

    #[test]
    fn markdown_of_a_gpu() {
        insta::assert_snapshot!(gpu_step().text(Form::Markdown));
    }

    #[test]
    fn json_tells_the_device() {
        let json: serde_json::Value = serde_json::from_str(&experiment::json(&gpu_step())).unwrap();
        assert_eq!((&json["gpu"], &json["precision"]), (&"cuda:0 NVIDIA".into(), &"tf32".into()));
        assert_eq!(json["against"]["compiled"], true);
        assert_eq!(json["cases"][0]["ratio"], 1.5);
        assert_eq!(json["cases"][0]["ours"]["phases"][3]["name"], "step");
    }

    #[test]
    fn json_holds_every_round() {
        let cases = vec![both(convolution("conv-7x7"), [[0.005, 0.005], [0.010, 0.020]])];
        let json: serde_json::Value = serde_json::from_str(&experiment::json(&report(cases, SEVEN))).unwrap();
        assert_eq!(json["cases"][0]["ratio"], 3.0);
        assert_eq!(json["cases"][0]["theirs"]["rounds"], serde_json::json!([[0.010, 0.020]]));
        assert_eq!(json["means"][0]["arithmetic"], 3.0);
        assert_eq!(json["threads"], 2);
    }

    #[test]
    fn means_are_of_groups_and_of_all() {
        let case = |group: &str, torch: f64| {
            let case = Case { group: group.into(), ..convolution("a") };
            both(case, [[1.0, 1.0], [torch, torch]])
        };
        let means = means(&[case("a", 1.0), case("a", 4.0), case("b", 2.0)]);
        let found: Vec<_> = means.iter().map(|m| (m.group.as_str(), m.cases, two(m.geometric))).collect();
        assert_eq!(found, [("a", 2, "2.00".into()), ("b", 1, "2.00".into()), ("all", 3, "2.00".into())]);
        assert_eq!(means[0].arithmetic, 2.5);
    }
}
