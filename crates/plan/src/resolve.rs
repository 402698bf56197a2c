//! Resolution of a spec and a request to a plan.

mod row;

use std::path::PathBuf;

use base::did_you_mean;

use self::row::Resolver;
use crate::cast::{cast, reseeded};
use crate::departures;
use crate::error::{Error, Result};
use crate::remembered::Remembered;
use crate::run_name::RunName;
use crate::spec::range::{MOST, counted};
use crate::spec::{ProfileName, Row, Spec};
use crate::table::{DatasetFacts, Request, RowPlan, Sources, TablePlan};

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
        let generated = |facts: &&DatasetFacts| facts.data_seed.is_some();
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
                Some(set) => Some(sources.facts(set)?),
                None => None,
            };
            let facts = facts.as_ref();
            let usual = facts.map_or_else(Vec::new, |facts| {
                let all = || facts.splits.iter().map(|split| split.name.clone()).collect();
                profile.splits.get(&facts.name).cloned().unwrap_or_else(all)
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
            data_seed: (cast != own).then_some(request.data_seed.unwrap_or(0)),
            splits: if usual_splits { Vec::new() } else { request.splits.clone() },
            seeds: (seeds != profile.seeds).then_some(seeds),
            extraction: request.extraction,
            accept_messages: request.accept_messages,
            from: request.from.clone(),
            precision: request.precision,
        };
        let results = PathBuf::from(&spec.paper).join(spec.short_name()).join(run.to_string());
        let departures = departures::of(&spec, profile, &cast, &rows);
        let data_seed = request.data_seed;
        Ok(Self { results, departures, file, profile: name, dataset, cast, data_seed, rows, spec })
    }
}

fn asked_splits(facts: &DatasetFacts, asked: &[String]) -> Result<Vec<String>> {
    match asked.iter().find(|split| !facts.splits.iter().any(|known| known.name == **split)) {
        None => {
            let mut once: Vec<String> = Vec::with_capacity(asked.len());
            for split in asked {
                if !once.contains(split) {
                    once.push(split.clone());
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
