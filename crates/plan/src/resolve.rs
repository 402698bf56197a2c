//! Resolution of a spec and a request to a plan.

mod row;

use std::path::PathBuf;

use base::did_you_mean;

use self::row::Resolver;
use crate::cast::{cast, drawn, reseeded};
use crate::departures;
use crate::error::{Error, Result};
use crate::remembered::Remembered;
use crate::run_name::RunName;
use crate::spec::range::{MOST, counted};
use crate::spec::{ProfileName, Row, Spec};
use crate::table::{DatasetFacts, Request, RowPlan, Sources, TablePlan};

/// Allowed multiples of a profile's iterations.
const BUDGETS: std::ops::RangeInclusive<f64> = 1e-3..=1e3;

impl TablePlan {
    /// Applies a profile and a request to a spec.
    ///
    /// # Errors
    /// [`Error::UnknownRow`], [`Error::Usage`] for invalid splits or seeds,
    /// [`Error::Contradiction`] for rows that cannot be run as written.
    pub fn resolve(spec: Spec, file: PathBuf, request: &Request, sources: &dyn Sources) -> Result<Self> {
        // Rows ask for the same data sets.
        let sources: &dyn Sources = &Remembered::new(sources);
        let name = request.profile.unwrap_or(ProfileName::Mini);
        let profile = spec.profile.get(name);
        let dataset = request.dataset.clone().unwrap_or_else(|| profile.dataset.clone());
        let own = cast(&spec, &dataset, sources)?;
        let cast = reseeded(&spec, own.clone(), request)?;
        let generated = |facts: &&DatasetFacts| facts.is_generated();
        if let Some(main) = cast.get(spec.main_role()).filter(generated) {
            let flags = [
                ("--extracted-bound", request.extraction.is_some()),
                ("--accept-messages", request.accept_messages),
            ];
            if let Some((flag, _)) = flags.into_iter().find(|(_, given)| *given) {
                return Err(Error::Usage(format!(
                    "{flag} applies to real videos only, and `{}` is generated; leave the flag out",
                    main.name
                )));
            }
        }
        if let Some(twice) = twice(&request.data_seeds) {
            return Err(Error::Usage(format!(
                "--data-seed has {twice} twice; name each draw once, as in --data-seed 201,202,203"
            )));
        }
        if let Some(budget) = request.budget
            && !(BUDGETS.contains(&budget))
        {
            return Err(Error::Usage(format!(
                "--budget is {budget}; expected a multiple of the profile's iterations from {} to {}",
                BUDGETS.start(),
                BUDGETS.end()
            )));
        }
        if let Some(seeds) = request.seeds {
            counted("--seeds", seeds, MOST).map_err(Error::Usage)?;
        }
        let seeds = request.seeds.unwrap_or(profile.seeds);
        for wanted in &request.rows {
            if !spec.row.iter().any(|row| row.id == *wanted) {
                let known = || spec.row.iter().map(|row| row.id.as_str());
                return Err(Error::UnknownRow {
                    table: spec.name(),
                    row: wanted.clone(),
                    hint: did_you_mean(wanted, known()),
                    known: known().collect::<Vec<_>>().join(", "),
                });
            }
        }

        let resolver = Resolver { sources, request, profile: name, dataset: &dataset };
        let mut rows = Vec::with_capacity(spec.row.len());
        let mut usual_splits = true;
        for row in &spec.row {
            let work = resolver.work(&spec, &file, &cast, row)?;
            let facts = match work.target() {
                // A row of another table may be tested on a data set that only that table declares.
                Some(set) => Some(drawn(sources.facts(set)?, request)),
                None => None,
            };
            let facts = facts.as_ref();
            let usual = facts.map_or_else(Vec::new, |facts| match profile.splits.get(&facts.name) {
                Some(named) => named.iter().flat_map(|name| of_draws(facts, name)).collect(),
                None => facts.splits.iter().map(|split| split.name.clone()).collect(),
            });
            // A fusion needs the records of its streams, which say where their weights are.
            let fused = |other: &Row| {
                let streams = other.fuse.iter().flat_map(|fuse| &fuse.streams);
                request.rows.contains(&other.id) && streams.into_iter().any(|stream| *stream == row.id)
            };
            let wanted =
                request.rows.is_empty() || request.rows.contains(&row.id) || spec.row.iter().any(fused);
            let splits = match facts.filter(|_| wanted && !request.splits.is_empty()) {
                Some(facts) => asked_splits(facts, &request.splits)?,
                None => usual.clone(),
            };
            usual_splits &= splits == usual;
            rows.push(RowPlan { row: row.clone(), work, splits, seeds: (0..seeds as u64).collect(), wanted });
        }

        let run = RunName {
            dataset: dataset.clone(),
            profile: name,
            data_seeds: if cast == own { Vec::new() } else { request.data_seeds.clone() },
            splits: if usual_splits { Vec::new() } else { request.splits.clone() },
            seeds: (seeds != profile.seeds).then_some(seeds),
            budget: request.budget.filter(|budget| *budget != 1.0),
            extraction: request.extraction,
            accept_messages: request.accept_messages,
            from: request.from.clone(),
            precision: request.precision,
        };
        let results = PathBuf::from(&spec.paper).join(spec.short_name()).join(run.to_string());
        let longer = profile.longer(request.budget.unwrap_or(1.0));
        let departures = departures::of(&spec, &longer, &cast, &rows);
        let data_seeds = request.data_seeds.clone();
        Ok(Self { results, departures, file, profile: name, dataset, cast, data_seeds, rows, spec })
    }
}

/// Returns the number that is in a list twice, if any.
fn twice(seeds: &[u64]) -> Option<u64> {
    seeds.iter().enumerate().find(|(index, seed)| seeds[..*index].contains(seed)).map(|(_, &seed)| seed)
}

/// Returns the splits with a name; in a data set of several draws, one of each draw.
fn of_draws(facts: &DatasetFacts, name: &str) -> Vec<String> {
    facts.splits_named(name).map(|split| split.name.clone()).collect()
}

fn asked_splits(facts: &DatasetFacts, asked: &[String]) -> Result<Vec<String>> {
    match asked.iter().find(|split| facts.splits_named(split).next().is_none()) {
        None => {
            let mut once: Vec<String> = Vec::with_capacity(asked.len());
            for split in asked.iter().flat_map(|split| of_draws(facts, split)) {
                if !once.contains(&split) {
                    once.push(split);
                }
            }
            Ok(once)
        }
        Some(split) => {
            let known: Vec<&str> = facts.splits.iter().map(|split| split.name.as_str()).collect();
            Err(Error::Usage(format!(
                "data set `{}` has no split `{split}`; it has {}",
                facts.name,
                known.join(", ")
            )))
        }
    }
}
