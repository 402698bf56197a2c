//! Judges claims: a claim holds if the whole 95 % interval of its margin ([`Comparison::margin`]) is positive, is contradicted
//! if it is negative, and is undecided otherwise.

use std::collections::BTreeMap;

use plan::rule::Comparison;
use plan::spec::Spec;
use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::outcomes::Outcomes;
use crate::record::Record;
use crate::statistics::{Covers, Estimate, LEVEL, Statistics};
use crate::table::Claim;

/// The verdict of a claim on our numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// The interval of the margin is positive.
    Holds,
    /// The interval of the margin is negative.
    Contradicted,
    /// The interval contains zero.
    Undecided,
    /// A row of the claim has not been run.
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

/// Judges a claim. Returns its verdict, and the margin in points if all of its rows have been run.
pub fn judge(statistics: &Statistics<'_>, claim: &Comparison) -> (Verdict, Option<Estimate>) {
    let Some(margin) = statistics.margin(claim, LEVEL, Covers::VideosAndTrainings) else {
        return (Verdict::NotRun, None);
    };
    let verdict = if margin.low > 0.0 {
        Verdict::Holds
    } else if margin.high < 0.0 {
        Verdict::Contradicted
    } else {
        Verdict::Undecided
    };
    (verdict, Some(margin))
}

/// Judges the claims of a spec on the records of its rows. A record of a version before 0.17, which lacks the blocks of its
/// videos, counts as not run.
///
/// # Errors
/// A rule that cannot be read; `file` is the spec's.
pub fn judged<'a>(
    spec: &Spec,
    file: &str,
    records: impl IntoIterator<Item = (&'a str, &'a Record)>,
) -> Result<Vec<Claim>> {
    // Blocks of different data sets have nothing in common.
    let mut sets: BTreeMap<&str, BTreeMap<String, Outcomes>> = BTreeMap::new();
    for (row, record) in records {
        if let (Some(data), Some(outcomes)) = (record.data.first(), Outcomes::of(record)) {
            sets.entry(&data.name).or_default().insert(row.to_owned(), outcomes);
        }
    }
    let statistics = Statistics::of_sets(sets.values());
    let one = |claim: &plan::spec::Claim| {
        let rule = Comparison::parse(&claim.holds)
            .map_err(|message| plan::Error::Spec { file: file.to_owned(), message })?;
        let (verdict, margin) = judge(&statistics, &rule);
        Ok(Claim::of(claim, verdict, margin))
    };
    spec.claim.iter().map(one).collect()
}
