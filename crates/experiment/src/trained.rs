//! A row with its trained nets, from the records and the cache, or from an exported folder.

mod find;
mod nets;

use std::path::Path;

use crate::record::Record;
use crate::store::recorded_unit;
use crate::train::WEIGHTS;
use crate::{Error, Interrupt, Result};
use plan::{Fusion, Sources, Work, Workspace};

use nets::named;
pub use nets::{Trained, TrainedNet};

impl Trained {
    /// Finds the row of a record, such as `table3/average`, `two-stream/table3/synth-mini/average`, or the path of the
    /// record. The nets are those of its first split and seed.
    ///
    /// # Errors
    /// [`Error::Usage`] if there is no such record, if its weights are not in the cache, or if it has no class scores.
    pub fn from_record(workspace: &Workspace, name: &str) -> Result<Self> {
        let (name, question, record) = find::record(workspace, name)?;
        if record.work.tested_by() != plan::spec::TestBy::Softmax {
            return Err(Error::Usage(format!(
                "{name} is not tested by its softmax layer, so it has no class probabilities; choose another row"
            )));
        }
        fusion_of_one_video(&record, &name)?;
        let units = find::units(workspace, &record, &name)?;
        let protocols = record.work.protocols();
        let set = record.work.target();
        let set =
            set.ok_or_else(|| Error::Usage(format!("the record of {name} does not have a usable network")))?;
        // Only the names are needed, so the videos need not be there if the file states them.
        let classes = match workspace.dataset_spec(set)?.classes() {
            Some(classes) => classes.to_vec(),
            None => workspace.facts(set)?.classes,
        };
        // A folder of one's own can have changed since.
        let trained_on = protocols.first().map_or(0, |protocol| protocol.net.target().classes);
        if trained_on != classes.len() || record.recall.keys().any(|class| !classes.contains(class)) {
            return Err(Error::Usage(format!(
                "the data set {set} has other classes now ({}) than when {name} was trained on its {trained_on}; restore them, \
                 or run the row again",
                classes.join(", "),
            )));
        }
        let seed = record.runs[0].seed;
        let mut nets: Vec<TrainedNet> = Vec::with_capacity(protocols.len());
        for (protocol, stage) in protocols.iter().zip(units) {
            let unit =
                recorded_unit(&workspace.units(), &stage.unit).filter(|unit| unit.path(WEIGHTS).exists());
            let unit = unit.ok_or_else(|| {
                Error::Usage(format!(
                    "the weights of {name} are not in {}; `cargo xtask run {} --row {}` with the flags of that run trains \
                     them",
                    workspace.cache.display(),
                    record.table,
                    record.row
                ))
            })?;
            let weights = unit.verified(WEIGHTS)?;
            let name = named(protocol, &nets);
            let training = stage.training;
            nets.push(TrainedNet { name, protocol: protocol.clone(), seed, weights, training });
        }
        Ok(Self { name, classes, nets, record, run: 0, question })
    }

    /// Finds the row that a name refers to: an exported folder, or else a record.
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

/// Returns the fusion of a row for a single video; `None` if the row has only one net.
///
/// # Errors
/// [`Error::Usage`] for a fusion that does not work on a single video.
pub(crate) fn fusion_of_one_video<'a>(record: &'a Record, name: &str) -> Result<Option<&'a Fusion>> {
    let Work::Fusion(plan) = &record.work else { return Ok(None) };
    match plan.fusion.only_in_tests() {
        None => Ok(Some(&plan.fusion)),
        Some(why) => Err(Error::Usage(format!("{name} {why}"))),
    }
}
