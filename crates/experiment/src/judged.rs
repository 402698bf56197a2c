//! What follows from records: a row's outcomes, its accuracy with an interval, the verdicts of claims.

use std::collections::BTreeMap;

use plan::rule::Comparison;
use plan::spec::{self, Spec};

use crate::claim::judge;
use crate::error::Result;
use crate::outcomes::Outcomes;
use crate::record::Record;
use crate::statistics::Statistics;
use crate::table::Claim;

/// Reads the outcomes of a row from its record; `None` for a record of a version before 0.17, which has no blocks.
pub fn outcomes(record: &Record) -> Option<Outcomes> {
    let mut outcomes = Outcomes::default();
    for run in &record.runs {
        if let Some(pairs) = &run.pairs {
            for (&block, pairs) in pairs {
                outcomes.add(&run.split, run.seed, block, pairs.right, pairs.all as f64);
            }
            continue;
        }
        let (right, blocks) = (run.right.as_ref()?.bits(), record.blocks.get(&run.split)?.numbers());
        if right.len() != blocks.len() {
            return None;
        }
        for (&right, &block) in right.iter().zip(blocks) {
            outcomes.add(&run.split, run.seed, block, f64::from(u8::from(right)), 1.0);
        }
    }
    Some(outcomes)
}

/// Computes the accuracy of a record and its interval from the answers. A record of a version before 0.17 keeps its own.
pub fn estimate(record: &mut Record) {
    let Some(outcomes) = outcomes(record) else { return };
    let rows = BTreeMap::from([(record.row.clone(), outcomes)]);
    if let Some(top1) = Statistics::new(&rows).accuracy(&record.row) {
        record.top1 = top1;
    }
}

/// Judges the claims of a spec on the records of its rows. A record of a version before 0.17 counts as not run.
///
/// # Errors
/// A rule that cannot be read; `file` is the spec's.
pub fn claims<'a>(
    spec: &Spec,
    file: &str,
    records: impl IntoIterator<Item = (&'a str, &'a Record)>,
) -> Result<Vec<Claim>> {
    // Blocks of different data sets have nothing in common.
    let mut sets: BTreeMap<&str, BTreeMap<String, Outcomes>> = BTreeMap::new();
    for (row, record) in records {
        if let (Some(data), Some(outcomes)) = (record.data.first(), outcomes(record)) {
            sets.entry(&data.name).or_default().insert(row.to_owned(), outcomes);
        }
    }
    let statistics = Statistics::of_sets(sets.values());
    let one = |claim: &spec::Claim| {
        let rule = Comparison::parse(&claim.holds)
            .map_err(|message| plan::Error::Spec { file: file.to_owned(), message })?;
        let (verdict, margin) = judge(&statistics, &rule);
        Ok(Claim::of(claim, verdict, margin))
    };
    spec.claim.iter().map(one).collect()
}
