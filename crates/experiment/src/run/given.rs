//! Nets whose weights come with an exported row, and that are not trained here.

use super::runner::Runner;
use crate::changes::differences;
use crate::error::{Error, Result};
use crate::files::LARGEST;
use crate::store::{Store, Unit, write_atomic};
use crate::train::WEIGHTS;
use crate::trained::Trained;
use crate::weights::sha256;
use plan::{NetPlan, TablePlan};

/// A net that is already trained.
pub(super) struct Given {
    pub(super) net: NetPlan,
    pub(super) unit: Unit,
}

impl Given {
    /// Copies the weights of an exported row into the store, each under its checksum.
    ///
    /// # Errors
    /// [`Error::Usage`] if no requested row has a net with this plan.
    pub(super) fn all(runner: &Runner<'_>, plan: &TablePlan, store: &Store) -> Result<Vec<Self>> {
        let Some(trained) = runner.given else { return Ok(Vec::new()) };
        fits(trained, plan)?;
        let mut given = Vec::with_capacity(trained.nets.len());
        for net in &trained.nets {
            let sum = sha256(&net.weights, runner.interrupt)?;
            let unit = store.named(&format!("given-{}", &sum[..16]));
            let _lock = unit.lock(runner.console, runner.interrupt)?;
            let bytes = base::files::read(&net.weights, LARGEST)?;
            write_atomic(&unit.path(WEIGHTS), &bytes)?;
            unit.finish(&net.training, &[WEIGHTS])?;
            given.push(Self { net: net.protocol.net.clone(), unit });
        }
        Ok(given)
    }
}

/// Refuses weights that no requested row can use.
fn fits(trained: &Trained, plan: &TablePlan) -> Result<()> {
    let nets = || plan.wanted().flat_map(|row| row.work.protocols());
    if trained.nets.iter().all(|net| nets().any(|protocol| protocol.net == net.protocol.net)) {
        return Ok(());
    }
    let (Some(theirs), Some(ours)) = (trained.nets.first(), nets().next()) else {
        return Err(Error::Usage(format!("{}: none of the requested rows has a net", trained.name)));
    };
    let changes = differences(&theirs.protocol.net, &ours.net);
    let said: Vec<String> = changes.iter().take(8).map(ToString::to_string).collect();
    Err(Error::Usage(format!(
        "{}: no requested row has a net with the plan of these weights; differences from the first row's net: {}",
        trained.name,
        said.join("; ")
    )))
}
