//! Ranks: processes that train one network together, each on its share of every batch.
//!
//! A training runs on [`Ranks`]: one process by default, the processes started by `mpirun` or `srun` ([`Ranks::world`]), or
//! threads of one process ([`thread_ranks`]). A [`Collective`] implements their communication.
//!
//! **The training does not depend on the number of ranks.** A batch is split by its places ([`Share`]); gradients are
//! weighted by the share and summed; batch statistics are those of the whole batch; dropout draws the rows of the whole
//! batch's masks. Only the order of sums differs.

mod collective;
mod launcher;
#[cfg(feature = "mpi")]
mod mpi;
mod share;
mod tensors;
mod threads;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

pub use self::collective::Collective;
pub use self::launcher::{Launched, launched};
pub use self::share::Share;
pub(crate) use self::tensors::sum_tensors;
pub use self::threads::thread_ranks;
use crate::{Error, Result};

/// The ranks of a training. Clones refer to the same ranks.
#[derive(Debug, Clone)]
pub struct Ranks {
    collective: Option<Arc<dyn Collective>>,
    waiting: Arc<Waiting>,
    #[cfg(feature = "nccl")]
    gpus: Arc<std::sync::OnceLock<kernels::cuda::nccl::Gpus>>,
}

impl Default for Ranks {
    fn default() -> Self {
        Self::alone()
    }
}

impl Ranks {
    /// Makes a single rank that computes whole batches, without communication.
    #[must_use]
    pub fn alone() -> Self {
        Self::with(None)
    }

    /// Makes ranks that communicate by a collective.
    #[must_use]
    pub fn of(collective: Arc<dyn Collective>) -> Self {
        Self::with(Some(collective))
    }

    fn with(collective: Option<Arc<dyn Collective>>) -> Self {
        Self {
            collective,
            waiting: Arc::default(),
            #[cfg(feature = "nccl")]
            gpus: Arc::default(),
        }
    }

    /// Returns the processes that a launcher (`mpirun`, `srun`) started together with this one, or [`Ranks::alone`] without a
    /// launcher or with a single process. MPI is initialised only for several processes, once in each, and finalised when
    /// the last clone is dropped.
    ///
    /// # Errors
    /// [`Error::Ranks`] if there are several processes and the program was built without the feature `mpi`, or if MPI is
    /// already initialised or sees a different number of processes than the launcher started.
    pub fn world() -> Result<Self> {
        match launched(&|name| std::env::var(name).ok()) {
            Launched::Alone => Ok(Self::alone()),
            #[cfg(feature = "mpi")]
            Launched::Several { ranks, by } => Ok(Self::of(Arc::new(mpi::Mpi::new(ranks, by)?))),
            #[cfg(not(feature = "mpi"))]
            Launched::Several { ranks, by } => Err(Error::Ranks {
                problem: format!(
                    "{by} started {ranks} ranks of a program built without MPI; build it with --features mpi"
                ),
            }),
        }
    }

    /// Returns the index of this rank, from 0.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.collective.as_ref().map_or(0, |all| all.rank())
    }

    /// Returns the number of ranks.
    #[must_use]
    pub fn size(&self) -> usize {
        self.collective.as_ref().map_or(1, |all| all.size())
    }

    /// Returns `true` if there is no other rank.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.collective.is_none()
    }

    /// Returns `true` for the rank that writes files and shows progress.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// Returns this rank's share of batches with `places` places for each of `tasks` tasks.
    ///
    /// # Errors
    /// [`Error::Ranks`] if there are more ranks than places.
    pub fn share(&self, places: usize, tasks: usize) -> Result<Share> {
        Share::of_rank(self.rank(), self.size(), places, tasks)
    }

    /// Replaces values by their sums over all ranks.
    ///
    /// # Errors
    /// See [`Collective::sum_f32`].
    pub fn sum(&self, values: &mut [f64]) -> Result<()> {
        let Some(all) = &self.collective else { return Ok(()) };
        let mine = values.to_vec();
        let _waits = self.waiting.begin();
        all.sum_f64(&mine, values)
    }

    /// Returns the sums of values over all ranks.
    ///
    /// # Errors
    /// See [`Collective::sum_f32`].
    pub(crate) fn summed(&self, values: Vec<f32>) -> Result<Vec<f32>> {
        let Some(all) = &self.collective else { return Ok(values) };
        let mut sums = vec![0.0; values.len()];
        let _waits = self.waiting.begin();
        all.sum_f32(&values, &mut sums)?;
        Ok(sums)
    }

    /// Returns the bytes of rank 0 on every rank.
    ///
    /// # Errors
    /// See [`Collective::broadcast`].
    pub fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let Some(all) = &self.collective else { return Ok(bytes) };
        let _waits = self.waiting.begin();
        all.broadcast(bytes)
    }

    /// Sends a message from rank 0 to all others, which receive it with [`Ranks::listen`].
    ///
    /// # Errors
    /// See [`Collective::tell`].
    pub fn tell(&self, message: &[u8]) -> Result<()> {
        let Some(all) = &self.collective else { return Ok(()) };
        (1..all.size()).try_for_each(|rank| all.tell(rank, message))
    }

    /// Waits for the next message of rank 0 on another rank, without using a core.
    ///
    /// # Errors
    /// See [`Collective::listen`]; also if there is no other rank.
    pub fn listen(&self) -> Result<Vec<u8>> {
        match &self.collective {
            Some(all) => all.listen(),
            None => Err(Error::Ranks { problem: "there is no other rank to listen to".into() }),
        }
    }

    /// Checks that all ranks have the same hash; `what` names the hashed values in the error.
    ///
    /// # Errors
    /// [`Error::Ranks`] on every rank if the hashes differ.
    pub fn agree(&self, what: &str, hash: [u8; 32]) -> Result<()> {
        if self.is_alone() {
            return Ok(());
        }
        // Compares sums of bytes with sums of their squares: by Cauchy-Schwarz, equality means that all hashes are equal.
        let bytes = || hash.iter().map(|&byte| f64::from(byte));
        let mut sums: Vec<f64> = bytes().chain(bytes().map(|byte| byte * byte)).collect();
        self.sum(&mut sums)?;
        let (sums, squares) = sums.split_at(hash.len());
        let ranks = self.size() as f64;
        if sums.iter().zip(squares).all(|(sum, square)| sum * sum == ranks * square) {
            return Ok(());
        }
        Err(Error::Ranks {
            problem: format!(
                "{what} are no longer the same on all {ranks} ranks; use the same kind of processor, \
                 libraries and program for all of them, and run the command again from the last checkpoint"
            ),
        })
    }

    /// Returns the time that this rank has been waiting for the others; `None` if it is not waiting.
    #[must_use]
    pub fn waiting(&self) -> Option<Duration> {
        self.waiting.time()
    }

    /// Ends all ranks with an exit code; if ranks are processes, also this one.
    pub fn abort(&self, code: u8) {
        if let Some(all) = &self.collective {
            all.abort(code);
        }
    }

    /// Returns the sums of tensors on the GPUs of all ranks.
    #[cfg(feature = "nccl")]
    pub(crate) fn summed_on_gpus(&self, tensors: &[candle_core::Tensor]) -> Result<Vec<candle_core::Tensor>> {
        use kernels::cuda::nccl::{Gpus, unique_id};

        let gpus = match self.gpus.get() {
            Some(gpus) => gpus,
            None => {
                let id = self.broadcast(if self.is_first() { unique_id()? } else { Vec::new() })?;
                let device = tensors[0].device();
                let found = Gpus::join(device, &id, self.rank(), self.size())?;
                self.gpus.get_or_init(|| found)
            }
        };
        Ok(gpus.sum(tensors)?)
    }
}

impl kernels::SumOverRanks for Ranks {
    fn sum(&self, values: &mut [f64]) -> candle_core::Result<()> {
        Self::sum(self, values).map_err(candle_core::Error::wrap)
    }
}

/// Start of a rank's present wait.
#[derive(Debug)]
struct Waiting {
    began: Instant,
    /// Start of the wait in milliseconds after `began`, plus one; 0 without a wait.
    since: AtomicU64,
}

impl Default for Waiting {
    fn default() -> Self {
        Self { began: Instant::now(), since: AtomicU64::new(0) }
    }
}

impl Waiting {
    fn now(&self) -> u64 {
        self.began.elapsed().as_millis() as u64 + 1
    }

    fn begin(&self) -> impl Drop + '_ {
        struct Wait<'a>(&'a Waiting);
        impl Drop for Wait<'_> {
            fn drop(&mut self) {
                self.0.since.store(0, Ordering::Relaxed);
            }
        }
        self.since.store(self.now(), Ordering::Relaxed);
        Wait(self)
    }

    fn time(&self) -> Option<Duration> {
        match self.since.load(Ordering::Relaxed) {
            0 => None,
            since => Some(Duration::from_millis(self.now().saturating_sub(since))),
        }
    }
}
