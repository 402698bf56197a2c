//! A row whose nets are at hand: from the records and the cache, or from a folder that was exported.

mod find;
mod nets;

use std::path::Path;

use crate::error::{Error, Result};
use crate::interrupt::Interrupt;
use crate::store::unit_file;
use crate::train::WEIGHTS;
use plan::Workspace;
use plan::spec::FuseBy;
use plan::{FusionPlan, Sources, Work};

pub(crate) use nets::is_whole;
use nets::named;
pub use nets::{Trained, TrainedNet};

impl Trained {
    /// The row of a record, such as `table3/average`, `two-stream/table3/synth-mini/average`, or the path of the record.
    /// The nets are those of its first split and seed.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such record, if its weights are not in the cache, or if it has no scores of classes.
    pub fn from_record(workspace: &Workspace, name: &str) -> Result<Self> {
        let (name, question, record) = find::record(workspace, name)?;
        if record.work.tested_by() != plan::spec::TestBy::Softmax {
            return Err(Error::Usage(format!(
                "{name} is not tested by its softmax layer, so it has no probabilities of classes; name another row"
            )));
        }
        if let Work::Fusion(FusionPlan { by: FuseBy::Svm, .. }) = record.work {
            return Err(Error::Usage(format!(
                "{name} fuses its streams by an SVM, which is not kept; name the row that averages them"
            )));
        }
        let units = find::units(workspace, &record, &name)?;
        let protocols = record.work.protocols();
        let set = record.work.target().filter(|_| protocols.iter().all(is_whole));
        let set =
            set.ok_or_else(|| Error::Usage(format!("the record of {name} holds no net that can be used")))?;
        let classes = workspace.facts(set)?.classes;
        let seed = record.runs[0].seed;
        let mut nets: Vec<TrainedNet> = Vec::with_capacity(protocols.len());
        for (protocol, stage) in protocols.iter().zip(units) {
            let weights = unit_file(&workspace.units(), &stage.unit, WEIGHTS).filter(|file| file.exists());
            let weights = weights.ok_or_else(|| {
                Error::Usage(format!(
                    "the weights of {name} are not in {}; `cargo xtask run {} --row {}` with the flags of that run trains \
                     them",
                    workspace.cache.display(),
                    record.table,
                    record.row
                ))
            })?;
            let name = named(protocol, &nets);
            let training = stage.training;
            nets.push(TrainedNet { name, protocol: protocol.clone(), seed, weights, training });
        }
        Ok(Self { name, classes, nets, record, run: 0, question })
    }

    /// The row that a name means: a folder that was exported, or else a record.
    ///
    /// # Errors
    /// As [`Trained::from_record`].
    pub fn find(workspace: &Workspace, name: &str, interrupt: &Interrupt) -> Result<Self> {
        let folder = Path::new(name);
        if folder.join(crate::export::CONFIG).is_file() {
            return crate::export::open(folder, interrupt);
        }
        Self::from_record(workspace, name)
    }
}
