//! Judges claims: a claim holds if the whole 95 % interval of its margin ([`Comparison::margin`]) is positive, is contradicted
//! if it is negative, and is undecided otherwise.

use plan::rule::Comparison;
use serde::{Deserialize, Serialize};

use crate::statistics::{Covers, Estimate, LEVEL, Statistics};

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
