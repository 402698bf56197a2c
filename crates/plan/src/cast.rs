//! Which data sets play the paper's.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::spec::{Player, Spec};
use crate::table::{DatasetFacts, Request, Sources};

/// The data sets that play the paper's. A data set that the spec does not name plays the main one alone.
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

/// The same with the seed that is asked for.
pub(crate) fn reseeded(
    spec: &Spec,
    mut cast: BTreeMap<String, DatasetFacts>,
    request: &Request,
) -> Result<BTreeMap<String, DatasetFacts>> {
    let Some(seed) = request.data_seed else { return Ok(cast) };
    if let Some(main) = cast.get(spec.main_role()).filter(|facts| facts.data_seed.is_none()) {
        return Err(Error::Usage(format!(
            "--data-seed renders a fresh draw of a generated data set, and `{}` holds real videos; \
             leave the flag out",
            main.name
        )));
    }
    for facts in cast.values_mut() {
        facts.data_seed = facts.data_seed.map(|_| seed);
    }
    Ok(cast)
}
