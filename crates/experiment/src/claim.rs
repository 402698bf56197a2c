//! Claims: inequalities between rows, judged by a paired bootstrap.
//!
//! A claim such as `stack-10-on > single-on`, `a > b + 6` or `abs(a - b) < 2`
//! is a comparison of two linear expressions over the accuracies of rows, in
//! percent. Its *margin* is how far the inequality is satisfied; the claim
//! holds where the whole 95 % interval of the margin is positive, is
//! contradicted where it is negative, and is undecided otherwise.
//!
//! A row id may contain `-`, so a minus sign stands between blanks.

use std::collections::{BTreeMap, BTreeSet};

use rand_chacha::ChaCha8Rng;
use rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};

/// A comparison between two expressions over rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    greater: Expr,
    smaller: Expr,
}

#[derive(Debug, Clone, PartialEq)]
enum Expr {
    Number(f64),
    Row(String),
    Add(Box<Expr>, Box<Expr>),
    Sub(Box<Expr>, Box<Expr>),
    Abs(Box<Expr>),
}

impl Expr {
    fn value(&self, rows: &dyn Fn(&str) -> f64) -> f64 {
        match self {
            Self::Number(x) => *x,
            Self::Row(id) => rows(id),
            Self::Add(a, b) => a.value(rows) + b.value(rows),
            Self::Sub(a, b) => a.value(rows) - b.value(rows),
            Self::Abs(a) => a.value(rows).abs(),
        }
    }

    fn collect<'a>(&'a self, rows: &mut BTreeSet<&'a str>) {
        match self {
            Self::Number(_) => {}
            Self::Row(id) => {
                rows.insert(id);
            }
            Self::Add(a, b) | Self::Sub(a, b) => {
                a.collect(rows);
                b.collect(rows);
            }
            Self::Abs(a) => a.collect(rows),
        }
    }
}

impl Comparison {
    /// Parses a claim's rule.
    ///
    /// # Errors
    /// Says what was expected where.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut parser = Parser { tokens: tokenize(text)?, next: 0, text };
        let left = parser.sum()?;
        let operator = match parser.take() {
            Some(token) if token == ">" || token == "<" => token,
            other => {
                return Err(format!(
                    "`{text}`: expected `>` or `<`, found {}",
                    other.map_or("the end".into(), |t| format!("`{t}`"))
                ));
            }
        };
        let right = parser.sum()?;
        if let Some(extra) = parser.take() {
            return Err(format!("`{text}`: `{extra}` after the end of the comparison"));
        }
        Ok(if operator == ">" {
            Self { greater: left, smaller: right }
        } else {
            Self { greater: right, smaller: left }
        })
    }

    /// The rows that the claim speaks of, in name order.
    pub fn rows(&self) -> Vec<&str> {
        let mut rows = BTreeSet::new();
        self.greater.collect(&mut rows);
        self.smaller.collect(&mut rows);
        rows.into_iter().collect()
    }

    /// How far the inequality is satisfied, in points; negative where it is
    /// violated.
    pub fn margin(&self, accuracy: &dyn Fn(&str) -> f64) -> f64 {
        self.greater.value(accuracy) - self.smaller.value(accuracy)
    }
}

/// Recursive descent over `sum (> | <) sum`, `sum = term ((+ | -) term)*`,
/// `term = number | row | abs(sum) | (sum)`.
struct Parser<'a> {
    tokens: Vec<String>,
    next: usize,
    text: &'a str,
}

impl Parser<'_> {
    fn peek(&self) -> Option<&str> {
        self.tokens.get(self.next).map(String::as_str)
    }

    fn take(&mut self) -> Option<String> {
        let token = self.tokens.get(self.next).cloned();
        self.next += 1;
        token
    }

    fn expect(&mut self, wanted: &str) -> Result<(), String> {
        match self.take() {
            Some(token) if token == wanted => Ok(()),
            other => Err(format!(
                "`{}`: expected `{wanted}`, found {}",
                self.text,
                other.map_or("the end".into(), |t| format!("`{t}`"))
            )),
        }
    }

    fn sum(&mut self) -> Result<Expr, String> {
        let mut left = self.term()?;
        while let Some(operator @ ("+" | "-")) = self.peek() {
            let minus = operator == "-";
            self.next += 1;
            let right = Box::new(self.term()?);
            left = if minus { Expr::Sub(Box::new(left), right) } else { Expr::Add(Box::new(left), right) };
        }
        Ok(left)
    }

    fn term(&mut self) -> Result<Expr, String> {
        let token = self
            .take()
            .ok_or_else(|| format!("`{}`: expected a row or a number, found the end", self.text))?;
        match token.as_str() {
            "(" => {
                let inner = self.sum()?;
                self.expect(")")?;
                Ok(inner)
            }
            "abs" => {
                self.expect("(")?;
                let inner = self.sum()?;
                self.expect(")")?;
                Ok(Expr::Abs(Box::new(inner)))
            }
            word if word.starts_with(|c: char| c.is_ascii_digit()) => word
                .parse()
                .map(Expr::Number)
                .map_err(|_| format!("`{}`: `{word}` is not a number", self.text)),
            word if word.starts_with(|c: char| c.is_ascii_lowercase()) => Ok(Expr::Row(token)),
            other => Err(format!("`{}`: expected a row or a number, found `{other}`", self.text)),
        }
    }
}

fn tokenize(text: &str) -> Result<Vec<String>, String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let length = match first {
            '>' | '<' | '+' | '-' | '(' | ')' => 1,
            c if c.is_ascii_lowercase() => rest
                .find(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-'))
                .unwrap_or(rest.len()),
            c if c.is_ascii_digit() => {
                rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len())
            }
            other => return Err(format!("`{text}`: `{other}` has no meaning in a claim")),
        };
        tokens.push(rest[..length].to_owned());
        rest = rest[length..].trim_start();
    }
    Ok(tokens)
}

/// How a claim came out on our numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval of the margin is positive.
    Holds,
    /// The interval of the margin is negative.
    Contradicted,
    /// The interval contains zero.
    Undecided,
    /// A row that the claim speaks of has not been run.
    NotRun,
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Contradicted => "contradicted",
            Self::Undecided => "undecided",
            Self::NotRun => "not run",
        })
    }
}

/// A point estimate with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Estimate {
    /// The value on the videos at hand.
    pub value: f64,
    /// The interval's lower end.
    pub low: f64,
    /// The interval's upper end.
    pub high: f64,
}

/// The predictions of one row: for every test video (the block of the
/// bootstrap) its observations over splits and seeds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Outcomes {
    /// For each video: the sum of the weights of its correct observations, and
    /// of all its observations.
    pub videos: BTreeMap<String, (f64, f64)>,
}

impl Outcomes {
    /// Adds one observation of a video.
    pub fn add(&mut self, video: &str, correct: bool, weight: f64) {
        self.add_share(video, f64::from(u8::from(correct)), weight);
    }

    /// Adds one observation that is correct by a share, 0 to 1.
    pub fn add_share(&mut self, video: &str, share: f64, weight: f64) {
        let entry = self.videos.entry(video.to_owned()).or_default();
        entry.0 += share * weight;
        entry.1 += weight;
    }

    /// Top-1 accuracy in percent.
    pub fn accuracy(&self) -> f64 {
        let (correct, all) = self.videos.values().fold((0.0, 0.0), |sum, v| (sum.0 + v.0, sum.1 + v.1));
        100.0 * correct / all
    }
}

/// Resamplings of the bootstrap. The percentiles move by less than a tenth of
/// a point between 5,000 and more.
const RESAMPLES: usize = 5_000;

/// The probability of the intervals that are printed.
const LEVEL: f64 = 0.95;

/// A paired bootstrap over test videos: the same resampled videos for every
/// row, all seeds and splits of a video together.
#[derive(Debug)]
pub struct Bootstrap {
    /// Accuracies in percent: `[row][0]` on the videos at hand, then one for
    /// each resampling.
    accuracies: BTreeMap<String, Vec<f64>>,
}

impl Bootstrap {
    /// Draws the resamplings of rows that were tested on one data set. Rows that
    /// were tested on different videos of it (a partial run) are paired over the
    /// videos that all of them have.
    pub fn new(rows: &BTreeMap<String, Outcomes>) -> Self {
        Self::of_sets([rows])
    }

    /// As [`Bootstrap::new`], of rows of several data sets, each set with draws
    /// of its own: equal names in two sets are not the same video.
    pub fn of_sets<'a>(sets: impl IntoIterator<Item = &'a BTreeMap<String, Outcomes>>) -> Self {
        let draws = sets.into_iter().zip(0x000b_0075..).flat_map(|(rows, seed)| Self::draw(rows, seed));
        Self { accuracies: draws.collect() }
    }

    fn draw(rows: &BTreeMap<String, Outcomes>, seed: u64) -> BTreeMap<String, Vec<f64>> {
        let mut common: Option<BTreeSet<&str>> = None;
        for outcomes in rows.values() {
            let videos: BTreeSet<&str> = outcomes.videos.keys().map(String::as_str).collect();
            common = Some(match common {
                None => videos,
                Some(known) => known.intersection(&videos).copied().collect(),
            });
        }
        let videos: Vec<&str> = common.unwrap_or_default().into_iter().collect();
        let table: Vec<Vec<(f64, f64)>> =
            rows.values().map(|outcomes| videos.iter().map(|v| outcomes.videos[*v]).collect()).collect();
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut draws: Vec<Vec<f64>> = vec![Vec::with_capacity(RESAMPLES + 1); table.len()];
        let mut sample: Vec<usize> = (0..videos.len()).collect();
        for resample in 0..=RESAMPLES {
            if resample > 0 {
                for index in &mut sample {
                    *index = uniform(&mut rng, videos.len());
                }
            }
            for (row, draws) in table.iter().zip(&mut draws) {
                let (correct, all) =
                    sample.iter().fold((0.0, 0.0), |sum, &v| (sum.0 + row[v].0, sum.1 + row[v].1));
                draws.push(100.0 * correct / all);
            }
        }
        rows.keys().cloned().zip(draws).collect()
    }

    /// Whether there is a video to resample.
    pub fn has(&self, row: &str) -> bool {
        self.accuracies.get(row).is_some_and(|draws| draws.iter().all(|x| x.is_finite()))
    }

    /// The accuracy of a row, in percent.
    pub fn accuracy(&self, row: &str) -> Option<Estimate> {
        self.has(row).then(|| estimate(&self.accuracies[row], LEVEL))
    }

    /// The margin of a claim in points where all of its rows have been run, with the interval that holds it with a
    /// probability of `level`.
    pub fn margin(&self, claim: &Comparison, level: f64) -> Option<Estimate> {
        claim.rows().iter().all(|row| self.has(row)).then(|| self.margin_at(claim, level))
    }

    fn margin_at(&self, claim: &Comparison, level: f64) -> Estimate {
        let margins: Vec<f64> =
            (0..=RESAMPLES).map(|draw| claim.margin(&|row| self.accuracies[row][draw])).collect();
        estimate(&margins, level)
    }

    /// Judges a claim: its verdict, and the margin in points where all of its
    /// rows have been run.
    pub fn judge(&self, claim: &Comparison) -> (Verdict, Option<Estimate>) {
        if !claim.rows().iter().all(|row| self.has(row)) {
            return (Verdict::NotRun, None);
        }
        let margin = self.margin_at(claim, LEVEL);
        let verdict = if margin.low > 0.0 {
            Verdict::Holds
        } else if margin.high < 0.0 {
            Verdict::Contradicted
        } else {
            Verdict::Undecided
        };
        (verdict, Some(margin))
    }
}

/// The first value, with the interval that holds the share `level` of the others, as much being below as above.
fn estimate(values: &[f64], level: f64) -> Estimate {
    let mut draws = values[1..].to_vec();
    draws.sort_by(f64::total_cmp);
    let at = |share: f64| draws[((draws.len() - 1) as f64 * share).round() as usize];
    Estimate { value: values[0], low: at((1.0 - level) / 2.0), high: at((1.0 + level) / 2.0) }
}

/// A number below `n`, by multiplication (bias below 2^-32 for any set of
/// videos).
fn uniform(rng: &mut ChaCha8Rng, n: usize) -> usize {
    ((u128::from(rng.next_u64()) * n as u128) >> 64) as usize
}

#[cfg(test)]
mod tests {
    use super::*;

    fn margin(rule: &str, a: f64, b: f64) -> f64 {
        Comparison::parse(rule).unwrap().margin(&|row| if row == "a-1" { a } else { b })
    }

    #[test]
    fn a_rule_reads_as_it_is_written() {
        assert_eq!(margin("a-1 > b", 5.0, 3.0), 2.0);
        assert_eq!(margin("a-1 < b", 5.0, 3.0), -2.0);
        assert_eq!(margin("a-1 > b + 6", 5.0, 3.0), -4.0);
        assert_eq!(margin("abs(b - a-1) < 2.5", 5.0, 3.0), 0.5);
        assert_eq!(margin("a-1 - (b - 1) > a-1 - b - 1", 5.0, 3.0), 2.0);
    }

    #[test]
    fn a_bad_rule_says_what_was_expected() {
        for (rule, expected) in [
            ("a", "expected `>` or `<`, found the end"),
            ("a > ", "expected a row or a number, found the end"),
            ("a > b c", "`c` after the end"),
            ("a = b", "`=` has no meaning"),
            ("abs a > 1", "expected `(`"),
            ("(a > 1", "expected `)`"),
            ("a > 1.2.3", "not a number"),
        ] {
            let message = Comparison::parse(rule).unwrap_err();
            assert!(message.contains(expected), "{rule}: {message}");
        }
    }

    fn rows(correct: &[(&str, &dyn Fn(usize) -> bool)], videos: usize) -> BTreeMap<String, Outcomes> {
        correct
            .iter()
            .map(|(id, right)| {
                let mut outcomes = Outcomes::default();
                for v in 0..videos {
                    outcomes.add(&format!("v{v:04}"), right(v), 1.0);
                }
                ((*id).to_owned(), outcomes)
            })
            .collect()
    }

    #[test]
    fn verdicts_follow_the_interval() {
        let rows = rows(
            &[("good", &|v| v % 10 != 0), ("bad", &|v| v % 10 < 5), ("same", &|v| (v + 1) % 10 != 0)],
            400,
        );
        let bootstrap = Bootstrap::new(&rows);
        let judge = |rule: &str| bootstrap.judge(&Comparison::parse(rule).unwrap());
        assert_eq!(judge("good > bad").0, Verdict::Holds);
        assert_eq!(judge("bad > good").0, Verdict::Contradicted);
        assert_eq!(judge("good > same").0, Verdict::Undecided);
        assert_eq!(judge("abs(good - same) < 6").0, Verdict::Holds);
        assert_eq!(judge("good > missing").0, Verdict::NotRun);
        let margin = judge("good > bad").1.unwrap();
        assert!((margin.value - 40.0).abs() < 1e-9, "{margin:?}");
        assert!(margin.low < 40.0 && margin.high > 40.0, "{margin:?}");
    }

    /// The interval of a proportion must agree with the textbook's.
    #[test]
    fn the_interval_has_the_binomial_width() {
        let bootstrap = Bootstrap::new(&rows(&[("a", &|v| v % 4 != 0)], 400));
        let accuracy = bootstrap.accuracy("a").unwrap();
        let half = 1.96 * (0.75_f64 * 0.25 / 400.0).sqrt() * 100.0;
        assert!((accuracy.high - accuracy.low - 2.0 * half).abs() < 0.8, "{accuracy:?} against {half}");
    }

    /// Two data sets may call their videos alike; a row of one is not paired with a row of the other.
    #[test]
    fn rows_of_two_data_sets_are_not_paired() {
        let first = rows(&[("a", &|v| v % 10 != 0), ("b", &|v| v % 10 < 5)], 400);
        let second = rows(&[("c", &|v| v % 4 == 0)], 60);
        let both = Bootstrap::of_sets([&first, &second]);
        let alone = Bootstrap::new(&first);
        for row in ["a", "b"] {
            assert_eq!(both.accuracy(row), alone.accuracy(row));
        }
        assert_eq!(both.accuracy("c").unwrap().value, 25.0);
        let judge = |rule: &str| both.judge(&Comparison::parse(rule).unwrap());
        assert_eq!(judge("a > b"), alone.judge(&Comparison::parse("a > b").unwrap()));
        // Independent draws: the widths add as those of independent numbers do.
        let width = |row: &str| both.accuracy(row).map(|a| a.high - a.low).unwrap();
        let margin = judge("a > c").1.unwrap();
        let expected = width("a").hypot(width("c"));
        assert!(
            (margin.high - margin.low - expected).abs() < 0.15 * expected,
            "{margin:?} against {expected}"
        );
    }

    /// Three seeds of the same video are one video, not three.
    #[test]
    fn seeds_do_not_narrow_the_interval() {
        let one = rows(&[("a", &|v| v % 3 != 0)], 300);
        let mut three = one.clone();
        for outcomes in three.values_mut() {
            for value in outcomes.videos.values_mut() {
                *value = (value.0 * 3.0, value.1 * 3.0);
            }
        }
        assert_eq!(Bootstrap::new(&one).accuracy("a"), Bootstrap::new(&three).accuracy("a"));
    }
}
