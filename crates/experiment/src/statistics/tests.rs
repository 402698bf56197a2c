//! Known intervals, and the coverage of intervals in simulated comparisons.

use rand_chacha::ChaCha8Rng;
use rand_core::{RngCore, SeedableRng};

use super::*;
use crate::claim::{Verdict, judge};

/// Rows of one split and seed in which every video is a block.
fn rows(correct: &[(&str, &dyn Fn(u32) -> bool)], videos: u32) -> BTreeMap<String, Outcomes> {
    let row = |(id, right): &(&str, &dyn Fn(u32) -> bool)| {
        let mut outcomes = Outcomes::default();
        (0..videos).for_each(|v| outcomes.add("1", 0, v, f64::from(u8::from(right(v))), 1.0));
        ((*id).to_owned(), outcomes)
    };
    correct.iter().map(row).collect()
}

fn margin(rows: &BTreeMap<String, Outcomes>, rule: &str, covers: Covers) -> Estimate {
    Statistics::new(rows).margin(&Comparison::parse(rule).unwrap(), LEVEL, covers).unwrap()
}

fn width(estimate: Estimate) -> f64 {
    estimate.high - estimate.low
}

#[test]
fn verdicts_follow_the_interval() {
    let rows =
        rows(&[("good", &|v| v % 10 != 0), ("bad", &|v| v % 10 < 5), ("same", &|v| (v + 1) % 10 != 0)], 400);
    let statistics = Statistics::new(&rows);
    let judge = |rule: &str| judge(&statistics, &Comparison::parse(rule).unwrap());
    assert_eq!(judge("good > bad").0, Verdict::Holds);
    assert_eq!(judge("bad > good").0, Verdict::Contradicted);
    assert_eq!(judge("good > same").0, Verdict::Undecided);
    assert_eq!(judge("abs(good - same) < 6").0, Verdict::Holds);
    assert_eq!(judge("good > missing").0, Verdict::NotRun);
    let margin = judge("good > bad").1.unwrap();
    assert!((margin.value - 40.0).abs() < 1e-9, "{margin:?}");
    assert!(margin.low < 40.0 && margin.high > 40.0, "{margin:?}");
}

/// The interval of a proportion is Wilson's, with Student's quantile; SciPy: t.ppf(0.975, 399) = 1.965927.
#[test]
fn the_interval_of_an_accuracy_is_wilsons() {
    let (n, p, t) = (400.0, 0.75_f64, 1.965_927_f64);
    let rows = rows(&[("a", &|v| v % 4 != 0), ("all", &|_| true), ("none", &|_| false)], 400);
    let accuracy = |row| Statistics::new(&rows).accuracy(row).unwrap();
    // The variance is that of a sample: with n - 1 in place of n.
    let n_minus = n - 1.0;
    let square = t * t / n_minus;
    let centre = (p + square / 2.0) / (1.0 + square);
    let half = t / (1.0 + square) * (p * (1.0 - p) / n_minus + square / (4.0 * n_minus)).sqrt();
    let found = accuracy("a");
    assert!((found.low - 100.0 * (centre - half)).abs() < 1e-4, "{found:?}");
    assert!((found.high - 100.0 * (centre + half)).abs() < 1e-4, "{found:?}");
    let (all, none) = (accuracy("all"), accuracy("none"));
    assert!(all.high == 100.0 && all.low > 98.5 && all.low < 99.5, "{all:?}");
    assert!(none.low == 0.0 && (none.high - (100.0 - all.low)).abs() < 1e-9, "{none:?}");
}

/// The margin of two rows over single videos is the paired t interval. SciPy: of 40 differences, 9 of which are 1 and the
/// others 0, `ttest_1samp(d, 0).confidence_interval(0.95)` is (0.089755, 0.360245).
#[test]
fn the_interval_of_a_margin_is_that_of_paired_differences() {
    let rows = rows(&[("a", &|v| v != 0), ("b", &|v| v % 4 != 0 || v == 0)], 40);
    let found = margin(&rows, "a > b", Covers::Videos);
    assert!((found.value - 20.0).abs() < 1e-9, "{found:?}");
    let differences: Vec<f64> =
        (0..40).map(|v| if v == 0 { -1.0 } else { f64::from(u8::from(v % 4 == 0)) }).collect();
    let mean = differences.iter().sum::<f64>() / 40.0;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / 39.0;
    // SciPy: t.ppf(0.975, 39) = 2.022691.
    let half = 100.0 * 2.022_691 * (variance / 40.0).sqrt();
    assert!((found.high - found.low - 2.0 * half).abs() < 1e-3, "{found:?}, {half}");
}

/// Blocks of equal number in two data sets are different blocks; a row of one is not paired with a row of the other.
#[test]
fn rows_of_two_data_sets_are_not_paired() {
    let first = rows(&[("a", &|v| v % 10 != 0), ("b", &|v| v % 10 < 5)], 400);
    let second = rows(&[("c", &|v| v % 4 == 0)], 60);
    let both = Statistics::of_sets([&first, &second]);
    let alone = Statistics::new(&first);
    for row in ["a", "b"] {
        assert_eq!(both.accuracy(row), alone.accuracy(row));
    }
    let rule = |rule: &str| Comparison::parse(rule).unwrap();
    assert_eq!(judge(&both, &rule("a > b")), judge(&alone, &rule("a > b")));
    // The variances of independent rows add.
    let variance = |row: &str, rows| width(margin(rows, &format!("{row} > 0"), Covers::Videos)).powi(2);
    let found = both.margin(&rule("a > c"), LEVEL, Covers::Videos).unwrap();
    let expected = (variance("a", &first) + variance("c", &second)).sqrt();
    assert!((width(found) / expected - 1.0).abs() < 0.02, "{found:?} against {expected}");
}

/// Three tests of the same nets are no more videos.
#[test]
fn repeated_answers_do_not_narrow_an_interval() {
    let one = rows(&[("a", &|v| v % 3 != 0)], 300);
    let mut three = one.clone();
    for seed in 1..3 {
        (0..300).for_each(|v| {
            three.get_mut("a").unwrap().add("1", seed, v, f64::from(u8::from(v % 3 != 0)), 1.0)
        });
    }
    let accuracy = |rows| Statistics::new(rows).accuracy("a").unwrap();
    let (one, three) = (accuracy(&one), accuracy(&three));
    assert!((one.low - three.low).abs() < 1e-9 && (one.high - three.high).abs() < 1e-9, "{one:?}, {three:?}");
}

#[test]
fn rows_that_answer_alike_may_still_differ_by_a_video() {
    let rows = rows(&[("a", &|v| v % 3 != 0), ("b", &|v| v % 3 != 0)], 50);
    let found = margin(&rows, "a > b", Covers::Videos);
    assert!(found.value == 0.0 && (found.high - 2.0 * 2.009_575).abs() < 1e-3, "{found:?}");
    assert_eq!(
        judge(&Statistics::new(&rows), &Comparison::parse("a < b + 2").unwrap()).0,
        Verdict::Undecided
    );
}

#[test]
fn one_block_decides_nothing() {
    let mut outcomes = Outcomes::default();
    (0..30).for_each(|_| outcomes.add("1", 0, 0, 1.0, 1.0));
    let rows = BTreeMap::from([("a".to_owned(), outcomes)]);
    let found = Statistics::new(&rows).accuracy("a").unwrap();
    assert_eq!((found.low, found.high), (0.0, 100.0));
    assert_eq!(judge(&Statistics::new(&rows), &Comparison::parse("a > 50").unwrap()).0, Verdict::Undecided);
}

#[test]
fn rows_of_different_seeds_are_compared_over_videos_alone() {
    let mut rows = rows(&[("a", &|v| v % 3 != 0), ("b", &|v| v % 4 != 0)], 300);
    let before = margin(&rows, "b > a", Covers::VideosAndTrainings);
    (0..300).for_each(|v| rows.get_mut("a").unwrap().add("1", 1, v, f64::from(u8::from(v % 3 != 0)), 1.0));
    let after = margin(&rows, "b > a", Covers::VideosAndTrainings);
    assert!((width(before) - width(after)).abs() < 1e-9);
}

/// A simulated comparison: of each of two rows, the answers of `seeds` trainings to videos in blocks.
struct Simulation {
    name: &'static str,
    blocks: u32,
    /// Videos of a block.
    videos: u32,
    seeds: u64,
    /// Standard deviation of what a block has in common, of a video, and of a training, beside 1 for a single answer.
    spreads: [f64; 3],
}

/// The mean of the first row's hidden quality and how much the second one's is above it; an answer is right if it is positive.
const QUALITY: [f64; 2] = [0.5, 0.3];

impl Simulation {
    fn draw(&self, random: &mut ChaCha8Rng) -> BTreeMap<String, Outcomes> {
        let [of_block, of_video, of_training] = self.spreads;
        let mut rows: [Outcomes; 2] = Default::default();
        let trainings: Vec<[f64; 2]> = (0..self.seeds).map(|_| [normal(random), normal(random)]).collect();
        for block in 0..self.blocks {
            // A block's effect is partly common to both rows.
            let common = 0.8 * normal(random);
            let effects = [0; 2].map(|_| common + 0.6 * normal(random));
            for _ in 0..self.videos {
                let video = of_video * normal(random);
                for (seed, training) in (0..).zip(&trainings) {
                    for row in 0..2 {
                        let quality = QUALITY[0]
                            + row as f64 * QUALITY[1]
                            + of_block * effects[row]
                            + video
                            + of_training * training[row]
                            + normal(random);
                        rows[row].add("1", seed, block, f64::from(u8::from(quality > 0.0)), 1.0);
                    }
                }
            }
        }
        let [a, b] = rows;
        BTreeMap::from([("a".to_owned(), a), ("b".to_owned(), b)])
    }

    /// The margin over all videos and trainings that there could be, in points.
    fn truth(&self) -> f64 {
        let spread = (1.0 + self.spreads.iter().map(|spread| spread * spread).sum::<f64>()).sqrt();
        let share = |quality: f64| statrs::function::erf::erf(quality / spread / 2_f64.sqrt()) / 2.0;
        100.0 * (share(QUALITY[0] + QUALITY[1]) - share(QUALITY[0]))
    }

    /// Returns the percentage of `times` intervals that contain the truth.
    fn coverage(&self, times: u32, covers: Covers) -> f64 {
        let mut random = ChaCha8Rng::seed_from_u64(28);
        let truth = self.truth();
        let hits = (0..times).filter(|_| {
            let found = margin(&self.draw(&mut random), "b > a", covers);
            found.low <= truth && truth <= found.high
        });
        100.0 * hits.count() as f64 / f64::from(times)
    }
}

/// Draws from the standard normal distribution (Box and Muller).
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let mut unit = || (random.next_u64() >> 11) as f64 / (1_u64 << 53) as f64;
    (-2.0 * (1.0 - unit()).ln()).sqrt() * (std::f64::consts::TAU * unit()).cos()
}

#[test]
fn intervals_keep_their_promise() {
    let simulations = [
        Simulation { name: "single videos", blocks: 300, videos: 1, seeds: 1, spreads: [0.0, 1.5, 0.0] },
        Simulation { name: "groups", blocks: 80, videos: 4, seeds: 1, spreads: [1.0, 1.0, 0.0] },
        Simulation { name: "nine actors", blocks: 9, videos: 10, seeds: 1, spreads: [0.7, 1.0, 0.0] },
        Simulation { name: "three seeds", blocks: 300, videos: 1, seeds: 3, spreads: [0.0, 1.5, 0.15] },
        Simulation {
            name: "groups, three seeds",
            blocks: 80,
            videos: 4,
            seeds: 3,
            spreads: [0.7, 1.0, 0.15],
        },
        Simulation {
            name: "nine actors, three seeds",
            blocks: 9,
            videos: 10,
            seeds: 3,
            spreads: [0.7, 1.0, 0.15],
        },
    ];
    for simulation in &simulations {
        let coverage = simulation.coverage(2000, Covers::VideosAndTrainings);
        eprintln!("{}: {coverage:.1} %", simulation.name);
        assert!((93.0..=97.0).contains(&coverage), "{}: {coverage} %", simulation.name);
    }
    // An interval over videos alone says nothing of another training.
    assert!(simulations[3].coverage(500, Covers::Videos) < 85.0);
}

/// Of comparisons between rows that are equally good, one in twenty is called significant.
#[test]
fn the_test_rejects_as_often_as_it_says() {
    let mut random = ChaCha8Rng::seed_from_u64(29);
    let mut rejected = 0;
    for _ in 0..1000 {
        // Three seeds of nets that agree on many videos, and videos in pairs of one film.
        let mut rows: [Outcomes; 2] = Default::default();
        for block in 0..100 {
            let effects = [normal(&mut random), normal(&mut random)];
            for seed in 0..3 {
                for _ in 0..2 {
                    for (row, effect) in rows.iter_mut().zip(effects) {
                        row.add(
                            "1",
                            seed,
                            block,
                            f64::from(u8::from(effect + normal(&mut random) > 0.0)),
                            1.0,
                        );
                    }
                }
            }
        }
        rejected += u32::from(p_value(&rows[0], &rows[1]).unwrap() < 0.05);
    }
    assert!((30..=65).contains(&rejected), "{rejected} of 1000");
}
