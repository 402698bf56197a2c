//! Processes that train nets together: the first does the command's work and calls the others for each training.

use serde::{Deserialize, Serialize};

use super::graph::Does;
use super::job::Job;
use super::runner::Runner;
use crate::error::{Error, Result};
use crate::store::Unit;

/// A message from the first rank to the others.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Call {
    /// Train a net of a table together with it.
    Train { table: String, unit: String },
    /// The command is over.
    End,
}

impl Runner<'_> {
    /// Joins every training of the first rank until its command is over.
    ///
    /// # Errors
    /// [`Error::Ranks`] if the first rank has ended; any error that keeps this rank from training. After that, the other
    /// ranks must be ended ([`nn::Ranks::abort`]).
    pub fn train_along(&self) -> Result<()> {
        loop {
            let message = self.ranks.listen().map_err(|error| Error::Ranks(error.to_string()))?;
            let call = serde_json::from_slice(&message).map_err(|error| {
                Error::Ranks(format!(
                    "cannot read the message of the first rank ({error}): all ranks must run the same program"
                ))
            })?;
            let Call::Train { table, unit } = call else { return Ok(()) };
            let plan = self.plan(&table, self.request)?;
            match Job::open(self, &plan)?.join(&unit) {
                // The first rank has the same error, and may have more to do.
                Err(error) if error.is_collective() => {}
                joined => joined?,
            }
        }
    }

    /// Dismisses the other ranks. The first rank calls this when it has nothing more to train.
    ///
    /// # Errors
    /// [`Error::Ranks`] if another rank has already ended.
    pub fn dismiss_ranks(&self) -> Result<()> {
        self.tell(&Call::End)
    }

    fn tell(&self, call: &Call) -> Result<()> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let message = serde_json::to_vec(call).expect("a call holds strings only");
        self.ranks.tell(&message).map_err(|error| Error::Ranks(error.to_string()))
    }
}

impl Job<'_> {
    /// Calls the other ranks to a training.
    pub(super) fn call_ranks(&self, unit: &Unit) -> Result<()> {
        self.runner.tell(&Call::Train { table: self.plan.spec.name(), unit: unit.name.clone() })
    }

    /// Trains a net of the wanted rows together with the first rank.
    fn join(&self, unit: &str) -> Result<()> {
        self.set_precision()?;
        if let Some((_, step)) = self.find(unit)
            && let Does::Train { net, repeat, unit, starts } = &step.does
        {
            return self.train_along(net, repeat, unit, starts);
        }
        Err(Error::Ranks(format!(
            "this rank has no unit {unit} in {}: all ranks need the same checkout, videos and command",
            self.plan.spec.name()
        )))
    }
}
