//! Stand-ins for the paper's data sets.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::spec::{Player, Spec};
use crate::table::{DatasetFacts, Request, Sources};

/// Returns the stand-ins by the paper's names. A data set that the spec does not name stands in for the main one only.
pub(crate) fn cast(
    spec: &Spec,
    dataset: &str,
    sources: &dyn Sources,
) -> Result<BTreeMap<String, DatasetFacts>> {
    let alone = || BTreeMap::from([(spec.main_role().to_owned(), Player::Set(dataset.to_owned()))]);
    let players = spec.data.get(dataset).cloned().unwrap_or_else(alone);
    let sets = players.iter().filter_map(|(role, player)| Some((role, player.set()?)));
    sets.map(|(role, set)| Ok((role.clone(), sources.facts(set)?))).collect()
}

/// Replaces the seeds of the generated data sets by the requested ones, if there are any.
pub(crate) fn reseeded(
    spec: &Spec,
    cast: BTreeMap<String, DatasetFacts>,
    request: &Request,
) -> Result<BTreeMap<String, DatasetFacts>> {
    if let Some(main) = cast.get(spec.main_role()).filter(|facts| !facts.is_generated())
        && !request.data_seeds.is_empty()
    {
        return Err(Error::Usage(format!(
            "--data-seed applies to generated data sets only, and `{}` holds real videos; leave the flag out",
            main.name
        )));
    }
    Ok(cast.into_iter().map(|(role, facts)| (role, drawn(facts, request))).collect())
}

/// Gives a generated data set the requested seeds, if there are any.
pub(crate) fn drawn(facts: DatasetFacts, request: &Request) -> DatasetFacts {
    if facts.is_generated() && !request.data_seeds.is_empty() {
        facts.drawn(&request.data_seeds)
    } else {
        facts
    }
}
