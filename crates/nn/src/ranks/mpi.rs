//! Ranks that are processes, by MPI.

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

/// How long a rank waits for the others to come to the same point before it gives the job up. Nobody needs so long for a
/// step or a checkpoint; a launcher that lets the others live when a rank ends would let them wait for ever.
const PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long a waiting rank only offers its core to other threads, before it sleeps between two looks.
const ALERT: Duration = Duration::from_micros(500);

/// Between two looks of one that sleeps.
const NAP: Duration = Duration::from_micros(50);

/// Between two looks for a message, which comes once a training.
const LONG_NAP: Duration = Duration::from_millis(5);

/// Values that are passed on at once; MPI counts with 32 bits.
const AT_ONCE: usize = 1 << 28;

/// The processes of this job.
pub(super) struct Mpi {
    /// Finalises MPI when it is dropped. MPI takes one call at a time.
    universe: Mutex<Universe>,
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
    /// Initialises MPI in a process of which `by` started `ranks`.
    pub(super) fn new(ranks: usize, by: &str) -> Result<Self> {
        let refuse = |problem: String| Err(Error::Ranks { problem });
        let Some((universe, threading)) = initialize_with_threading(Threading::Serialized) else {
            return refuse("MPI was initialised before in this process".into());
        };
        let world = universe.world();
        let (rank, size) = (world.rank() as usize, world.size() as usize);
        if threading < Threading::Serialized {
            return refuse(format!(
                "this MPI serves one thread alone ({threading:?}); install one that serves several"
            ));
        }
        if size != ranks {
            return refuse(format!(
                "{by} started {ranks} ranks, but MPI sees {size}; start them by the mpirun of the MPI that the program \
                 was built with, or by srun --mpi=pmix"
            ));
        }
        Ok(Self { universe: Mutex::new(universe), world: Mutex::default(), rank, size })
    }

    /// The communicator, for one thread at a time.
    fn world(&self) -> (SimpleCommunicator, MutexGuard<'_, ()>) {
        (SimpleCommunicator::world(), self.world.lock().unwrap_or_else(PoisonError::into_inner))
    }

    #[expect(clippy::disallowed_methods, reason = "MPI signals nothing; one can only look")]
    fn nap(time: Duration) {
        std::thread::sleep(time);
    }

    /// Waits until all ranks are here. MPI itself waits on a core of its own, which the loader's threads would miss.
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
                // It ends with the job.
                std::mem::forget(request);
                return Err(Error::Ranks {
                    problem: format!(
                        "rank {} has waited for the others for {} minutes; one of them has ended or stands still",
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
        // Finalising waits for all ranks; those of a panic are not coming.
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
        // Whoever holds the lock may be waiting for a rank that never comes.
        SimpleCommunicator::world().abort(i32::from(code));
    }
}
