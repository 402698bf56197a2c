//! Ranks as processes, with MPI.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use mpi::Threading;
use mpi::collective::SystemOperation;
use mpi::environment::{Universe, initialize_with_threading};
use mpi::point_to_point::{Destination, MatchedReceiveVec, Source};
use mpi::topology::{Communicator, SimpleCommunicator};
use mpi::traits::{CommunicatorCollectives, Equivalence, Root};

use super::Collective;
use crate::{Error, Result};

/// Time after which a rank that waits for the others gives up. No step or checkpoint takes this long. Without this limit,
/// ranks would wait forever under a launcher that keeps them running after one has ended.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// Time for which a waiting rank only yields its core to other threads, before it sleeps between two checks.
const ALERT: Duration = Duration::from_micros(500);

/// Sleep between two checks of a waiting rank.
const NAP: Duration = Duration::from_micros(50);

/// Sleep between two checks for a message, which arrives once per training.
const LONG_NAP: Duration = Duration::from_millis(5);

/// Number of values in one MPI call; MPI counts with 32 bits.
const AT_ONCE: usize = 1 << 28;

/// The processes of this job.
pub(super) struct Mpi {
    /// Finalises MPI when dropped.
    universe: Mutex<Universe>,
    /// Serialises all calls of MPI.
    world: Mutex<()>,
    rank: usize,
    size: usize,
}

impl std::fmt::Debug for Mpi {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Mpi").field("rank", &self.rank).field("size", &self.size).finish()
    }
}

impl Mpi {
    /// Initialises MPI in one of `ranks` processes that the launcher `by` started.
    pub(super) fn new(ranks: usize, by: &str) -> Result<Self> {
        let refuse = |problem: String| Err(Error::Ranks { problem });
        let Some((universe, threading)) = initialize_with_threading(Threading::Serialized) else {
            return refuse("MPI is already initialised in this process".into());
        };
        let world = universe.world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        if threading < Threading::Serialized {
            return refuse(format!(
                "this MPI supports a single thread only ({threading:?}); install one that supports threads"
            ));
        }
        if size != ranks {
            return refuse(format!(
                "{by} started {ranks} ranks, but MPI sees {size}; start them with the mpirun of the MPI \
                 that the program was built with, or with srun --mpi=pmix"
            ));
        }
        Ok(Self { universe: Mutex::new(universe), world: Mutex::default(), rank, size })
    }

    /// Returns the communicator and its lock, for one thread at a time.
    fn world(&self) -> (SimpleCommunicator, MutexGuard<'_, ()>) {
        (SimpleCommunicator::world(), self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[expect(clippy::disallowed_methods, reason = "MPI signals nothing; one can only look")]
    fn nap(time: Duration) {
        std::thread::sleep(time);
    }

    /// Waits until all ranks have called this. MPI's own wait would occupy a core that the loader's threads need.
    fn meet(&self, world: &SimpleCommunicator) -> Result<()> {
        let began = Instant::now();
        let mut request = world.immediate_barrier();
        loop {
            match request.test() {
                Ok(_) => return Ok(()),
                Err(open) => request = open,
            }
            let waited = began.elapsed();
            if waited < ALERT {
                std::thread::yield_now();
            } else if waited < PATIENCE {
                Self::nap(NAP);
            } else {
                // The request ends with the job.
                std::mem::forget(request);
                return Err(Error::Ranks {
                    problem: format!(
                        "rank {} has waited for the others for {} minutes; one of them has ended or hangs",
                        self.rank,
                        PATIENCE.as_secs() / 60
                    ),
                });
            }
        }
    }

    fn sum<T: Equivalence>(&self, mine: &[T], all: &mut [T]) -> Result<()> {
        let (world, _one) = self.world();
        self.meet(&world)?;
        for (mine, all) in mine.chunks(AT_ONCE).zip(all.chunks_mut(AT_ONCE)) {
            world.all_reduce_into(mine, all, SystemOperation::sum());
        }
        Ok(())
    }
}

impl Drop for Mpi {
    fn drop(&mut self) {
        // Finalising waits for all ranks, which do not arrive after a panic.
        if std::thread::panicking() {
            SimpleCommunicator::world().abort(101);
        }
        let _ = self.universe.get_mut();
    }
}

impl Collective for Mpi {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum_f32(&self, mine: &[f32], all: &mut [f32]) -> Result<()> {
        self.sum(mine, all)
    }

    fn sum_f64(&self, mine: &[f64], all: &mut [f64]) -> Result<()> {
        self.sum(mine, all)
    }

    fn broadcast(&self, mut bytes: Vec<u8>) -> Result<Vec<u8>> {
        let (world, _one) = self.world();
        self.meet(&world)?;
        let root = world.process_at_rank(0);
        let mut count = bytes.len() as u64;
        root.broadcast_into(&mut count);
        bytes.resize(count as usize, 0);
        for bytes in bytes.chunks_mut(AT_ONCE) {
            root.broadcast_into(bytes);
        }
        Ok(bytes)
    }

    fn tell(&self, rank: usize, message: &[u8]) -> Result<()> {
        let (world, _one) = self.world();
        world.process_at_rank(rank as i32).send(message);
        Ok(())
    }

    fn listen(&self) -> Result<Vec<u8>> {
        loop {
            let (world, one) = self.world();
            if let Some(found) = world.process_at_rank(0).immediate_matched_probe() {
                return Ok(found.matched_receive_vec().0);
            }
            drop(one);
            Self::nap(LONG_NAP);
        }
    }

    fn abort(&self, code: u8) {
        // Without the lock: its holder may be waiting for a rank that never arrives.
        SimpleCommunicator::world().abort(i32::from(code));
    }
}
