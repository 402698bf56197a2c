//! Ranks as threads of one process, for tests of their communication.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::{Collective, Ranks};
use crate::{Error, Result};

/// Makes `size` ranks, one for each of `size` threads. A rank ends when its handle is dropped; ranks that wait for it then
/// get an error.
#[must_use]
pub fn thread_ranks(size: usize) -> Vec<Ranks> {
    let room = Arc::new(Room { state: Mutex::new(State::new(size)), changed: Condvar::new() });
    let of = |rank| Ranks::of(Arc::new(ThreadRank { rank, size, room: Arc::clone(&room) }));
    (0..size).map(of).collect()
}

/// Contribution of a rank to a meeting.
#[derive(Debug, Clone)]
enum Brought {
    Single(Vec<f32>),
    Double(Vec<f64>),
    Bytes(Vec<u8>),
}

/// Shared state of all ranks.
#[derive(Debug)]
struct Room {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    /// Contributions to the present meeting.
    brought: Vec<Option<Brought>>,
    /// Contributions to the last complete meeting. A rank reads them before it can contribute to the meeting after the next.
    last: Arc<Vec<Brought>>,
    meetings: u64,
    mail: Vec<VecDeque<Vec<u8>>>,
    ended: Option<usize>,
}

impl State {
    fn new(size: usize) -> Self {
        Self {
            brought: vec![None; size],
            last: Arc::default(),
            meetings: 0,
            mail: vec![VecDeque::new(); size],
            ended: None,
        }
    }
}

impl Room {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'a>(&self, state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn end(&self, rank: usize) {
        self.lock().ended.get_or_insert(rank);
        self.changed.notify_all();
    }
}

#[derive(Debug)]
struct ThreadRank {
    rank: usize,
    size: usize,
    room: Arc<Room>,
}

impl ThreadRank {
    fn ended(rank: usize) -> Error {
        Error::Ranks { problem: format!("rank {rank} has ended") }
    }

    /// Waits for the contributions of all ranks and returns them.
    fn meet(&self, mine: Brought) -> Result<Arc<Vec<Brought>>> {
        let mut state = self.room.lock();
        let meeting = state.meetings;
        state.brought[self.rank] = Some(mine);
        if state.brought.iter().all(Option::is_some) {
            state.last = Arc::new(state.brought.iter_mut().filter_map(Option::take).collect());
            state.meetings += 1;
            self.room.changed.notify_all();
        }
        while state.meetings == meeting {
            if let Some(rank) = state.ended {
                return Err(Self::ended(rank));
            }
            state = self.room.wait(state);
        }
        Ok(Arc::clone(&state.last))
    }

    /// Sums the values that `of` extracts from all contributions, rank by rank.
    fn sum<T: Copy + std::ops::AddAssign + Default>(
        &self,
        mine: Brought,
        all: &mut [T],
        of: fn(&Brought) -> Option<&[T]>,
    ) -> Result<()> {
        let brought = self.meet(mine)?;
        all.fill(T::default());
        for (rank, values) in brought.iter().enumerate() {
            let Some(values) = of(values).filter(|values| values.len() == all.len()) else {
                let problem =
                    format!("rank {rank} does not sum {} values, as rank {} does", all.len(), self.rank);
                return Err(Error::Ranks { problem });
            };
            all.iter_mut().zip(values).for_each(|(sum, &value)| *sum += value);
        }
        Ok(())
    }
}

impl Drop for ThreadRank {
    fn drop(&mut self) {
        self.room.end(self.rank);
    }
}

impl Collective for ThreadRank {
    fn rank(&self) -> usize {
        self.rank
    }

    fn size(&self) -> usize {
        self.size
    }

    fn sum_f32(&self, mine: &[f32], all: &mut [f32]) -> Result<()> {
        self.sum(Brought::Single(mine.to_vec()), all, |brought| match brought {
            Brought::Single(values) => Some(values),
            _ => None,
        })
    }

    fn sum_f64(&self, mine: &[f64], all: &mut [f64]) -> Result<()> {
        self.sum(Brought::Double(mine.to_vec()), all, |brought| match brought {
            Brought::Double(values) => Some(values),
            _ => None,
        })
    }

    fn broadcast(&self, bytes: Vec<u8>) -> Result<Vec<u8>> {
        match self.meet(Brought::Bytes(bytes))?.first() {
            Some(Brought::Bytes(bytes)) => Ok(bytes.clone()),
            _ => Err(Error::Ranks { problem: "rank 0 broadcasts nothing".into() }),
        }
    }

    fn tell(&self, rank: usize, message: &[u8]) -> Result<()> {
        let mut state = self.room.lock();
        if let Some(rank) = state.ended {
            return Err(Self::ended(rank));
        }
        state.mail[rank].push_back(message.to_vec());
        self.room.changed.notify_all();
        Ok(())
    }

    fn listen(&self) -> Result<Vec<u8>> {
        let mut state = self.room.lock();
        loop {
            if let Some(message) = state.mail[self.rank].pop_front() {
                return Ok(message);
            }
            if let Some(rank) = state.ended {
                return Err(Self::ended(rank));
            }
            state = self.room.wait(state);
        }
    }

    fn abort(&self, _code: u8) {
        self.room.end(self.rank);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs `work` on every rank and returns the results.
    fn each<T: Send>(size: usize, work: impl Fn(&Ranks) -> T + Sync) -> Vec<T> {
        let work = &work;
        std::thread::scope(|scope| {
            let threads: Vec<_> =
                thread_ranks(size).into_iter().map(|ranks| scope.spawn(move || work(&ranks))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        })
    }

    #[test]
    fn sums_and_messages_reach_every_rank() {
        let found = each(3, |ranks| {
            let rank = ranks.rank() as f64;
            let mut values = [rank, 1.0];
            for _ in 0..20 {
                values = [rank, 1.0];
                ranks.sum(&mut values).unwrap();
            }
            let singles = ranks.summed(vec![rank as f32; 4]).unwrap();
            let told = match ranks.is_first() {
                true => ranks.tell(b"a net").map(|()| b"a net".to_vec()).unwrap(),
                false => ranks.listen().unwrap(),
            };
            let broadcast = ranks.broadcast(vec![ranks.rank() as u8 + 7]).unwrap();
            (values, singles, told, broadcast)
        });
        for found in found {
            assert_eq!(found, ([3.0, 3.0], vec![3.0; 4], b"a net".to_vec(), vec![7]));
        }
    }

    #[test]
    fn what_differs_on_one_rank_is_found_by_all() {
        let agreed = each(3, |ranks| ranks.agree("the weights", [9; 32]).is_ok());
        assert_eq!(agreed, [true; 3]);
        let messages = each(3, |ranks| {
            let mut hash = [9; 32];
            hash[31] += u8::from(ranks.rank() == 2);
            ranks.agree("the weights", hash).unwrap_err().to_string()
        });
        assert!(messages.iter().all(|message| message.contains("no longer the same on all 3 ranks")));
    }

    #[test]
    fn who_waits_for_a_rank_that_ended_gets_an_error() {
        let found = each(2, |ranks| match ranks.is_first() {
            true => {
                let message = ranks.sum(&mut [1.0]).unwrap_err().to_string();
                assert!(ranks.waiting().is_none());
                message
            }
            false => String::new(),
        });
        assert!(found[0].contains("rank 1 has ended"), "{}", found[0]);
    }

    #[test]
    fn nobody_waits_alone() {
        let ranks = Ranks::alone();
        let mut values = [2.0];
        ranks.sum(&mut values).unwrap();
        assert_eq!((values, ranks.size(), ranks.is_first()), ([2.0], 1, true));
        assert!(ranks.agree("nothing", [0; 32]).is_ok() && ranks.listen().is_err());
    }
}
