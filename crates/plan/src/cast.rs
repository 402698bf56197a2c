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

/// Replaces the seeds of the generated data sets by the requested one, if there is one.
pub(crate) fn reseeded(
    spec: &Spec,
    mut cast: BTreeMap<String, DatasetFacts>,
    request: &Request,
) -> Result<BTreeMap<String, DatasetFacts>> {
    let Some(seed) = request.data_seed else { return Ok(cast) };
    if let Some(main) = cast.get(spec.main_role()).filter(|facts| facts.data_seed.is_none()) {
        return Err(Error::Usage(format!(
            "--data-seed applies to generated data sets only, and `{}` holds real videos; leave the flag out",
            main.name
        )));
    }
    for facts in cast.values_mut() {
        facts.data_seed = facts.data_seed.map(|_| seed);
    }
    Ok(cast)
}
