//! Coordination of the ranks of a training: they agree on when to write a checkpoint and when to stop, and if one of them
//! fails, all end.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nn::{Params, Ranks, Share, tensors};

use crate::checkpoint::Checkpoint;
use crate::{Console, Error, Interrupt, Result};

/// Time after which a rank that was asked to stop prints that the others do not answer. A launcher asks the ranks to stop
/// when one has ended, and kills them soon after.
const LONG_AFTER_A_SIGNAL: Duration = Duration::from_millis(200);

/// Time after which a waiting rank prints the same otherwise.
const LONG: Duration = Duration::from_secs(60);

/// Time between two checks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One rank's side of the coordination.
pub(super) struct Together<'a> {
    ranks: &'a Ranks,
    /// Iteration of the last checkpoint plus one; 0 before it is known.
    stands: AtomicUsize,
}

/// The values that ranks exchange after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    /// The mean loss over the samples: of this rank before the exchange, of all ranks after it.
    pub(super) loss: f32,
    /// True if a checkpoint is due by the first rank's clock.
    pub(super) due: bool,
    /// True if any rank was asked to stop.
    pub(super) stop: bool,
}

pub(super) fn cannot(error: nn::Error) -> Error {
    Error::Ranks(error.to_string())
}

/// Does the work of one rank. An error that the others do not have is printed and ends them.
pub(super) fn side_by_side<T>(
    ranks: &Ranks,
    console: &Console,
    interrupt: &Interrupt,
    work: impl FnOnce(&Together<'_>) -> Result<T>,
) -> Result<T> {
    let together = Together { ranks, stands: AtomicUsize::new(0) };
    if ranks.is_alone() {
        return work(&together);
    }
    let found = std::thread::scope(|scope| {
        let (working, over) = channel();
        if ranks.is_first() {
            let together = &together;
            scope.spawn(move || together.watch(console, interrupt, &over));
        }
        let found = work(&together);
        drop(working);
        found
    });
    if let Err(error) = &found
        && !error.is_collective()
    {
        console.error(&format!(
            "rank {} of {}: {error}\n{}",
            ranks.rank(),
            ranks.size(),
            together.what_stands("This ends all ranks.")
        ));
        ranks.abort(error.exit_code());
    }
    found
}

impl Together<'_> {
    /// Notes the iteration of the last checkpoint; 0 if there is none.
    pub(super) fn stands(&self, iterations: usize) {
        self.stands.store(iterations + 1, Ordering::Relaxed);
    }

    fn what_stands(&self, what: &str) -> String {
        match self.stands.load(Ordering::Relaxed) {
            0 => format!("{what} The same command starts again, from the last checkpoint if there is one."),
            1 => format!("{what} There is no checkpoint yet; the same command starts from the beginning."),
            more => format!(
                "{what} The checkpoint of iteration {} is kept; the same command resumes from it.",
                more - 1
            ),
        }
    }

    /// Reads the checkpoint in the first rank and sends it to the others, which need no access to the file.
    pub(super) fn checkpoint(&self, path: &Path, params: &Params) -> Result<Option<Checkpoint>> {
        let most = Checkpoint::most_bytes(params);
        let own = if self.ranks.is_first() { Checkpoint::read_bytes(path, most)? } else { None };
        if self.ranks.is_alone() {
            return own.map(|bytes| Checkpoint::parse(&bytes, path)).transpose();
        }
        // The first byte says whether there is a checkpoint.
        let known = [vec![u8::from(own.is_some())], own.unwrap_or_default()].concat();
        let known = self.ranks.broadcast(known).map_err(cannot)?;
        match known.split_first() {
            Some((1, bytes)) => Checkpoint::parse(bytes, path).map(Some),
            _ => Ok(None),
        }
    }

    /// Checks that all ranks hold the same weights. Everything else relies on it, and nothing else would detect a difference.
    pub(super) fn agree(&self, params: &Params) -> Result<()> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let bytes =
            tensors::to_bytes(&params.tensors()).map_err(Error::network("comparing the ranks' weights"))?;
        let hash = blake3::hash(&bytes);
        self.ranks.agree("the weights", *hash.as_bytes()).map_err(|error| Error::Drifted(error.to_string()))
    }

    /// Exchanges values with the other ranks, and returns the combined ones.
    pub(super) fn tell(&self, own: Told, share: Option<&Share>) -> Result<Told> {
        let Some(share) = share else { return Ok(own) };
        let flag = |flag: bool| f64::from(u8::from(flag));
        let due = own.due && self.ranks.is_first();
        let mut sums = [f64::from(own.loss) * share.weight(), flag(due), flag(own.stop)];
        self.ranks.sum(&mut sums).map_err(cannot)?;
        let [loss, due, stop] = sums;
        Ok(Told { loss: loss as f32, due: due > 0.0, stop: stop > 0.0 })
    }

    /// Prints a line when the first rank has waited for the others for a long time.
    fn watch(&self, console: &Console, interrupt: &Interrupt, over: &Receiver<()>) {
        let mut said = [false; 2];
        while over.recv_timeout(LOOK_EVERY) == Err(RecvTimeoutError::Timeout) {
            let waiting = self.ranks.waiting().unwrap_or_default();
            let asked = interrupt.raised();
            let long = if asked { LONG_AFTER_A_SIGNAL } else { LONG };
            if waiting < long || std::mem::replace(&mut said[usize::from(asked)], true) {
                continue;
            }
            let what = if asked {
                "this rank was asked to stop, and the others do not answer: one of them may have ended."
            } else {
                "this rank has waited for the others for a minute: one of them may have ended without the launcher \
                 stopping the rest (srun does so with --kill-on-bad-exit=1)."
            };
            console.line(&format!("rank 0 of {}: {}", self.ranks.size(), self.what_stands(what)));
        }
    }
}
