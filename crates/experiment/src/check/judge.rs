//! Judges whether a row has changed.
//!
//! On the baseline's machine, with the same vector instructions, the same plan gives the same numbers to the last bit. On
//! others, sums are rounded differently, and a training that starts with the same losses ends with different weights.
//! Therefore numbers may differ by the noise of test videos and training, but the first losses may not.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::changes::{Change, changes};
use crate::judged;
use crate::outcomes::Outcomes;
use crate::record::{Measure, Record};
use crate::statistics::{Covers, Estimate, Statistics};
use base::text::{points, signed};
use plan::rule::Comparison;

/// Number of points of a loss curve that must not change: the first 2 % of the training. Later, rounding differences have
/// grown: with AVX2 in place of AVX-512, the losses of Table 1b's nets (`mini`) differ by 0.005 % here, and by 1 % twenty
/// points later.
const BEGINNING: usize = 2;

/// Maximum relative difference of a loss at these points.
const LOSS_TOLERANCE: f64 = 0.001;

/// Additional difference in points that a net trained with different rounding may have: it is another net of the same plan.
/// This covers all of 156 pairs of nets that differ only in their training seeds; 2 points would miss three.
const TRAINING_NOISE: f64 = 3.0;

/// Maximum difference of the same net, in points: half the last printed digit.
const ROUNDING: f64 = 0.05;

/// The verdict of a row against its baseline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Every answer and every loss is unchanged.
    Same,
    /// The numbers differ by no more than their noise.
    Within,
    /// A number moved beyond its noise.
    Moved,
    /// There is nothing to compare with.
    NoBaseline,
    /// The row could not be run.
    Failed,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Same => "same",
            Self::Within => "within",
            Self::Moved => "MOVED",
            Self::NoBaseline => "no baseline",
            Self::Failed => "FAILED",
        })
    }
}

/// The method by which a difference was judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum By {
    /// Paired differences of the test videos.
    Pairs,
    /// The baseline's own interval, since its answers for single videos are unknown.
    Interval,
}

/// A row compared with its baseline.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct RowCheck {
    /// The row's id.
    pub row: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The baseline's number, in percent.
    pub before: Option<Estimate>,
    /// The number now.
    pub now: Option<Estimate>,
    /// The number now minus the baseline's in points, with the interval that it is judged by.
    pub difference: Option<Estimate>,
    /// The method behind that interval.
    pub by: Option<By>,
    /// Number of answers that became right, and number that became wrong.
    pub turned: Option<[usize; 2]>,
    /// Changes of the plan and data that the numbers depend on.
    pub changes: Vec<Change>,
    /// Reasons for the verdict, in words.
    pub reasons: Vec<String>,
}

impl RowCheck {
    /// Makes the check of a row that cannot be compared.
    pub(super) fn alone(row: &str, verdict: Verdict, reason: String) -> Self {
        Self {
            row: row.to_owned(),
            verdict,
            before: None,
            now: None,
            difference: None,
            by: None,
            turned: None,
            changes: Vec::new(),
            reasons: vec![reason],
        }
    }
}

/// Judges a row. `rows` is the number of rows judged in all: the intervals are so wide that the chance of any value outside
/// its interval is one in twenty for all rows together.
pub(super) fn judge(before: &Record, now: &Record, rows: usize) -> RowCheck {
    let changes = changes(before, now);
    let mut check = RowCheck {
        before: Some(before.top1),
        now: Some(now.top1),
        changes,
        ..RowCheck::alone(&now.row, Verdict::Same, String::new())
    };
    check.reasons.clear();

    let trained = trainings(before, now, check.changes.is_empty());
    let noise = if trained == Trained::Same { 0.0 } else { TRAINING_NOISE };
    let same_videos = before.data == now.data && before.runs.len() == now.runs.len();
    let paired = if same_videos { paired(before, now, rows) } else { None };
    let mut moved = false;
    match paired {
        Some(Paired { difference, turned }) => {
            (check.difference, check.by, check.turned) = (Some(difference), Some(By::Pairs), Some(turned));
            if difference.low > noise || difference.high < -noise {
                moved = true;
                let beyond = match trained {
                    Trained::Same => "excludes 0".to_owned(),
                    _ => format!("is beyond the {noise} points by which trainings differ"),
                };
                check.reasons.push(format!(
                    "{} moved by {} points; its interval over the test videos, [{}, {}], {beyond}",
                    measure(now),
                    signed(difference.value),
                    signed(difference.low),
                    signed(difference.high)
                ));
            }
            if turned != [0, 0] {
                check.verdict = Verdict::Within;
            }
        }
        None => {
            let difference = Estimate {
                value: now.top1.value - before.top1.value,
                low: before.top1.low - before.top1.value,
                high: before.top1.high - before.top1.value,
            };
            (check.difference, check.by) = (Some(difference), Some(By::Interval));
            let slack = noise.max(ROUNDING);
            if now.top1.value < before.top1.low - slack || now.top1.value > before.top1.high + slack {
                moved = true;
                check.reasons.push(format!(
                    "{} was {} with the interval [{}, {}], now {}",
                    measure(now),
                    points(before.top1.value),
                    points(before.top1.low),
                    points(before.top1.high),
                    points(now.top1.value)
                ));
            }
            if now.top1.value != before.top1.value {
                check.verdict = Verdict::Within;
            }
        }
    }
    match trained {
        Trained::Same | Trained::Elsewhere => {}
        Trained::Otherwise => check.verdict = Verdict::Within,
        Trained::FromTheStart(how) => {
            moved = true;
            check.reasons.push(how);
        }
    }
    if !check.changes.is_empty() {
        check.verdict = Verdict::Within;
    }
    if moved {
        check.verdict = Verdict::Moved;
    }
    check
}

fn measure(record: &Record) -> &'static str {
    match record.measure {
        Measure::Top1 => "top-1 accuracy",
        Measure::PairArea => "the area under the ROC curve",
    }
}

struct Paired {
    difference: Estimate,
    turned: [usize; 2],
}

/// Computes the difference of the answers on the same videos, if both are known.
fn paired(before: &Record, now: &Record, rows: usize) -> Option<Paired> {
    // The videos are the same, so records of any version have these blocks.
    let before = Record { blocks: now.blocks.clone(), ..before.clone() };
    let mut turned = [0, 0];
    for (was, is) in before.runs.iter().zip(&now.runs) {
        let (was, is) = (was.right.as_ref()?.bits(), is.right.as_ref()?.bits());
        for (&was, &is) in was.iter().zip(is) {
            turned[0] += usize::from(is && !was);
            turned[1] += usize::from(was && !is);
        }
    }
    let both = [("before", &before), ("now", now)];
    let outcomes = both.map(|(name, record)| Some((name.to_owned(), judged::outcomes(record)?)));
    let outcomes: BTreeMap<String, Outcomes> = outcomes.into_iter().collect::<Option<_>>()?;
    let claim = Comparison::parse("now > before").ok()?;
    let level = 1.0 - 0.05 / rows.max(1) as f64;
    let difference = Statistics::new(&outcomes).margin(&claim, level, Covers::Videos)?;
    Some(Paired { difference, turned })
}

/// The trainings of a row compared with those of its baseline.
#[derive(PartialEq)]
enum Trained {
    /// Every loss is unchanged.
    Same,
    /// The row fuses nets of other rows and has no trainings itself.
    Elsewhere,
    /// The plan or the rounding differs.
    Otherwise,
    /// The plan is the same, but the training differs from the beginning; the text says how.
    FromTheStart(String),
}

/// Compares all losses. The first losses of the first stage, whose weights are drawn from the seed, must not change.
fn trainings(before: &Record, now: &Record, same_plan: bool) -> Trained {
    let curves = |record: &Record| -> Vec<Vec<(usize, f64)>> {
        let stages = record.runs.iter().flat_map(|run| &run.stages);
        stages.map(|stage| stage.training.loss.clone()).collect()
    };
    let (then, today) = (curves(before), curves(now));
    if then.is_empty() && today.is_empty() {
        return Trained::Elsewhere;
    }
    if then == today {
        return Trained::Same;
    }
    for (was, is) in before.runs.iter().zip(&now.runs).filter(|_| same_plan) {
        let (Some(was), Some(is)) = (was.stages.first(), is.stages.first()) else { continue };
        let mut from = 1;
        for (&(iteration, old), &(_, new)) in was.training.loss.iter().zip(&is.training.loss).take(BEGINNING)
        {
            // Losses are recorded to four decimals.
            if (new - old).abs() > (LOSS_TOLERANCE * old.abs()).max(2e-4) {
                return Trained::FromTheStart(format!(
                    "the plan is the same, but the training differs: the loss of iterations {from} to {iteration} was \
                     {old:.4}, now {new:.4}"
                ));
            }
            from = iteration + 1;
        }
    }
    Trained::Otherwise
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn committed(row: &str) -> Record {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../results");
        Record::read(&root.join(format!("{row}.json"))).unwrap()
    }

    /// A record and another of the same videos, with answers that two functions of the video give.
    fn answered(record: &Record, was: impl Fn(usize) -> bool, is: impl Fn(usize) -> bool) -> [Record; 2] {
        let with = |right: &dyn Fn(usize) -> bool| {
            let mut record = record.clone();
            record.blocks = [("1".to_owned(), (0..200).collect())].into();
            record.runs[0].right = Some((0..200).map(right).collect());
            record
        };
        [with(&was), with(&is)]
    }

    fn judged([before, now]: &[Record; 2]) -> RowCheck {
        judge(before, now, 1)
    }

    #[test]
    fn a_net_that_is_the_same_may_not_answer_otherwise() {
        let record = committed("two-stream/table1b/synth-mini/stack-10-on");
        let same = judged(&answered(&record, |v| v % 4 != 0, |v| v % 4 != 0));
        assert_eq!((same.verdict, same.turned), (Verdict::Same, Some([0, 0])));
        // Rounding may change two videos of two hundred. If several change the same way, the test has changed.
        let few = judged(&answered(&record, |v| v % 4 != 0, |v| v % 4 != 0 && v != 1 || v == 0));
        assert_eq!((few.verdict, few.turned), (Verdict::Within, Some([1, 1])));
        let many = judged(&answered(&record, |v| v % 4 != 0, |v| v % 4 != 0 && v > 10));
        assert_eq!(many.verdict, Verdict::Moved, "{many:?}");
        assert!(many.reasons[0].contains("excludes 0"), "{:?}", many.reasons);
    }

    #[test]
    fn another_net_of_the_same_plan_has_its_noise() {
        let record = committed("two-stream/table1b/synth-mini/stack-10-on");
        let fell = |lost: usize| {
            let [before, mut now] = answered(&record, |_| true, move |v| v >= lost);
            now.runs[0].stages[0].training.loss[40].1 += 0.05;
            judge(&before, &now, 1)
        };
        assert_eq!(fell(7).verdict, Verdict::Within);
        let moved = fell(20);
        assert_eq!(moved.verdict, Verdict::Moved);
        assert!(moved.reasons[0].contains("3 points by which trainings differ"), "{:?}", moved.reasons);
        // The nets of fused scores belong to other rows.
        let fused = committed("two-stream/table3/synth-mini/average");
        assert_eq!(judged(&answered(&fused, |_| true, |v| v >= 7)).verdict, Verdict::Within);
    }

    #[test]
    fn more_rows_make_each_interval_wider() {
        let record = committed("two-stream/table1b/synth-mini/stack-10-on");
        let [before, now] = answered(&record, |v| v % 4 != 0, |v| v % 5 != 0);
        let width = |rows: usize| {
            let interval = judge(&before, &now, rows).difference.unwrap();
            interval.high - interval.low
        };
        assert!(width(50) > 1.2 * width(1), "{} against {}", width(50), width(1));
    }

    #[test]
    fn a_training_must_begin_as_it_did_and_may_end_otherwise() {
        let record = committed("two-stream/table1b/synth-mini/stack-10-on");
        let with = |point: usize, factor: f64| {
            let [before, mut now] = answered(&record, |_| true, |_| true);
            now.runs[0].stages[0].training.loss[point].1 *= factor;
            judge(&before, &now, 1)
        };
        assert_eq!(with(0, 1.0005).verdict, Verdict::Within);
        assert_eq!(with(50, 1.5).verdict, Verdict::Within);
        let begun = with(1, 1.002);
        assert_eq!(begun.verdict, Verdict::Moved);
        assert!(begun.reasons[0].contains("the loss of iterations 8 to 14 was"), "{:?}", begun.reasons);
    }

    #[test]
    fn without_answers_the_record_s_own_interval_counts() {
        let before = committed("siamese/cross-view/synth-views-mini.data-seed-107/both-l1-pairs");
        let without = |mut record: Record| {
            record.runs.iter_mut().for_each(|run| (run.right, run.pairs) = (None, None));
            record
        };
        let (before, mut now) = (without(before.clone()), without(before));
        now.top1.value = before.top1.high - 0.01;
        let within = judge(&before, &now, 1);
        assert_eq!((within.verdict, within.by), (Verdict::Within, Some(By::Interval)));
        now.top1.value = before.top1.high + 0.06;
        let moved = judge(&before, &now, 1);
        assert_eq!(moved.verdict, Verdict::Moved);
        assert!(moved.reasons[0].starts_with("the area under the ROC curve was"), "{:?}", moved.reasons);
    }
}
