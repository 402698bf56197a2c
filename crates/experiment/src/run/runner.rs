//! What a command that runs tables needs.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use candle_core::Device;
use nn::Ranks;
use plan::{Request, TablePlan, Workspace};

use super::census::Census;
use crate::train::CHECKPOINT_EVERY;
use crate::trained::Trained;
use crate::{Console, Interrupt, Result};

/// What a command that runs tables needs beside their names.
pub struct Runner<'a> {
    /// Where things lie.
    pub workspace: &'a Workspace,
    /// What is asked of the tables.
    pub request: &'a Request,
    /// The folders of real videos.
    pub data_roots: DataRoots,
    /// Whether finished units are done again, once each.
    pub fresh: bool,
    /// Where networks are computed, and TV-L1 flow.
    pub device: &'a Device,
    /// Time between checkpoints, see [`crate::train::Training::checkpoint_every`].
    pub checkpoint_every: Duration,
    /// Where progress goes.
    pub console: &'a Console,
    /// The way to stop.
    pub interrupt: &'a Interrupt,
    /// An exported row, whose nets are not trained but taken as they are.
    pub given: Option<&'a Trained>,
    /// The processes that train nets together with this one.
    pub ranks: Ranks,
    /// Counts the nets of all tables.
    pub census: Census,
    /// Whether cache files are taken as they are, up to their headers: where another process has just prepared them. What is
    /// damaged in them is an error when it is read.
    pub trust_cache: bool,
    /// Where nothing is trained, tested or fused here, and rows stand on what is done: says why a unit is not.
    pub absent: Option<&'a dyn Fn(&str) -> String>,
}

impl<'a> Runner<'a> {
    /// A runner on the CPU, alone, without wishes of its own.
    pub fn new(
        workspace: &'a Workspace,
        request: &'a Request,
        console: &'a Console,
        interrupt: &'a Interrupt,
    ) -> Self {
        Self {
            workspace,
            request,
            data_roots: DataRoots::default(),
            fresh: false,
            device: &Device::Cpu,
            checkpoint_every: CHECKPOINT_EVERY,
            console,
            interrupt,
            given: None,
            ranks: Ranks::alone(),
            census: Census::default(),
            trust_cache: false,
            absent: None,
        }
    }

    /// The plan of a table.
    pub(super) fn plan(&self, table: &str, request: &Request) -> Result<TablePlan> {
        let (spec, file) = self.workspace.spec(table)?;
        Ok(TablePlan::resolve(spec, file, request, self.workspace)?)
    }
}

/// The folders of real videos.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataRoots {
    /// Of the data set that the table is run on.
    pub main: Option<PathBuf>,
    /// Of data sets by name.
    pub named: BTreeMap<String, PathBuf>,
}

impl DataRoots {
    /// The folder of a data set; `main` is the one that the table is run on.
    pub(super) fn of(&self, set: &str, main: &str) -> Option<PathBuf> {
        self.named.get(set).or(self.main.as_ref().filter(|_| set == main)).cloned()
    }
}
