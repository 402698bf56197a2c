//! Processes that train one network together, each on its share of every batch.
//!
//! [`Ranks`] is what a training holds: alone by default, the processes that `mpirun` or `srun` started
//! ([`Ranks::world`]), or threads of one process ([`thread_ranks`]). What they do together is a [`Collective`].
//!
//! **The same training, whatever the number of ranks.** A batch is split by places ([`Share`]); gradients are summed,
//! weighted by the share; batch statistics are those of the whole batch; dropout draws the rows of the whole batch's
//! masks. What differs is the order of sums.

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

/// The ranks that a training runs on. Clones are the same ranks.
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
    /// One process that computes whole batches; nothing is summed and nobody waits.
    #[must_use]
    pub fn alone() -> Self {
        Self::with(None)
    }

    /// These.
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

    /// The processes that a launcher (`mpirun`, `srun`) started together with this one; [`Ranks::alone`] if there was
    /// none, or it started one. MPI is initialised only where there are several, once a process, and is finalised when
    /// the last clone is dropped.
    ///
    /// # Errors
    /// [`Error::Ranks`] if there are several and the program was built without the feature `mpi`, or if MPI was
    /// initialised before or sees another number of processes than the launcher started.
    pub fn world() -> Result<Self> {
        match launched(&|name| std::env::var(name).ok()) {
            Launched::Alone => Ok(Self::alone()),
            #[cfg(feature = "mpi")]
            Launched::Several { ranks, by } => Ok(Self::of(Arc::new(mpi::Mpi::new(ranks, by)?))),
            #[cfg(not(feature = "mpi"))]
            Launched::Several { ranks, by } => Err(Error::Ranks {
                problem: format!(
                    "{by} started {ranks} ranks of a program that was built without MPI; build it with --features mpi"
                ),
            }),
        }
    }

    /// The number of this rank, from 0.
    #[must_use]
    pub fn rank(&self) -> usize {
        self.collective.as_ref().map_or(0, |all| all.rank())
    }

    /// The number of ranks.
    #[must_use]
    pub fn size(&self) -> usize {
        self.collective.as_ref().map_or(1, |all| all.size())
    }

    /// Whether there is no other rank.
    #[must_use]
    pub fn is_alone(&self) -> bool {
        self.collective.is_none()
    }

    /// Whether this is the rank that writes files and shows progress.
    #[must_use]
    pub fn is_first(&self) -> bool {
        self.rank() == 0
    }

    /// What this rank computes of batches of so many places for each of `tasks` tasks.
    ///
    /// # Errors
    /// [`Error::Ranks`] if there are more ranks than places.
    pub fn share(&self, places: usize, tasks: usize) -> Result<Share> {
        Share::of_rank(self.rank(), self.size(), places, tasks)
    }

    /// Replaces values by their sums over all ranks.
    ///
    /// # Errors
    /// As [`Collective::sum_f32`].
    pub fn sum(&self, values: &mut [f64]) -> Result<()> {
        let Some(all) = &self.collective else { return Ok(()) };
        let mine = values.to_vec();
        let _waits = self.waiting.begin();
        all.sum_f64(&mine, values)
    }

    /// The sums of values over all ranks.
    ///
    /// # Errors
    /// As [`Collective::sum_f32`].
    pub(crate) fn summed(&self, values: Vec<f32>) -> Result<Vec<f32>> {
        let Some(all) = &self.collective else { return Ok(values) };
        let mut sums = vec![0.0; values.len()];
        let _waits = self.waiting.begin();
        all.sum_f32(&values, &mut sums)?;
        Ok(sums)
    }

    /// The bytes that rank 0 passes.
    ///
    /// # Errors
    /// As [`Collective::broadcast`].
    pub fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        let Some(all) = &self.collective else { return Ok(bytes) };
        let _waits = self.waiting.begin();
        all.broadcast(bytes)
    }

    /// On rank 0: sends a message to all others, which [`Ranks::listen`] for it.
    ///
    /// # Errors
    /// As [`Collective::tell`].
    pub fn tell(&self, message: &[u8]) -> Result<()> {
        let Some(all) = &self.collective else { return Ok(()) };
        (1..all.size()).try_for_each(|rank| all.tell(rank, message))
    }

    /// On another rank: the next message of rank 0. Waits for it without taking a core.
    ///
    /// # Errors
    /// As [`Collective::listen`]; and if there is no other rank.
    pub fn listen(&self) -> Result<Vec<u8>> {
        match &self.collective {
            Some(all) => all.listen(),
            None => Err(Error::Ranks { problem: "there is no other rank to listen to".into() }),
        }
    }

    /// Checks that all ranks hold the same, by its hash.
    ///
    /// # Errors
    /// [`Error::Ranks`], on every rank, if one holds something else.
    pub fn agree(&self, what: &str, hash: [u8; 32]) -> Result<()> {
        if self.is_alone() {
            return Ok(());
        }
        // Sums of bytes and of their squares: equal to those of equal hashes only if all are equal, by Cauchy-Schwarz.
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
                "{what} are no longer the same on all {ranks} ranks; run them on processors, libraries and a program of \
                 one kind, and the same command again from the last checkpoint"
            ),
        })
    }

    /// How long this rank has been waiting for the others; `None` while it does something itself.
    #[must_use]
    pub fn waiting(&self) -> Option<Duration> {
        self.waiting.time()
    }

    /// Ends all ranks with an exit code; of processes, this one too.
    pub fn abort(&self, code: u8) {
        if let Some(all) = &self.collective {
            all.abort(code);
        }
    }

    /// Sums of tensors on the GPUs of all ranks.
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

/// Since when a rank has been waiting.
#[derive(Debug)]
struct Waiting {
    began: Instant,
    /// Milliseconds since then, plus one; 0 while nothing is waited for.
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
