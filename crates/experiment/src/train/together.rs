//! What the ranks of a training do together beside the steps: they agree on when to write a checkpoint and when to
//! stop, and if one of them cannot go on, none does.

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Duration;

use nn::{Params, Ranks, Share, tensors};

use crate::checkpoint::Checkpoint;
use crate::{Console, Error, Interrupt, Result};

/// A rank that waits so long for the others after it was asked to stop says what that may mean: a launcher asks the
/// ranks to stop when one has ended, and kills them soon after.
const LONG_AFTER_A_SIGNAL: Duration = Duration::from_millis(200);

/// So long it says nothing otherwise.
const LONG: Duration = Duration::from_secs(60);

/// Between two looks.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// One rank's view of what all do.
pub(super) struct Together<'a> {
    ranks: &'a Ranks,
    /// Iterations behind the last checkpoint, plus one; 0 before it is known.
    stands: AtomicUsize,
}

/// What ranks tell each other after a step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Told {
    /// The mean over the samples: of this rank before, of all afterwards.
    pub(super) loss: f32,
    /// Whether a checkpoint is due: by the first rank's clock.
    pub(super) due: bool,
    /// Whether to stop: if any was asked to.
    pub(super) stop: bool,
}

pub(super) fn cannot(error: nn::Error) -> Error {
    Error::Ranks(error.to_string())
}

/// Does the work of one rank. An error that the others do not share is said and ends them.
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
        && !error.is_of_all_ranks()
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
    /// A checkpoint of so many iterations is there, or none for 0.
    pub(super) fn stands(&self, iterations: usize) {
        self.stands.store(iterations + 1, Ordering::Relaxed);
    }

    fn what_stands(&self, what: &str) -> String {
        match self.stands.load(Ordering::Relaxed) {
            0 => format!("{what} The same command starts again, from the last checkpoint if there is one."),
            1 => format!("{what} There is no checkpoint yet; the same command starts from the beginning."),
            more => format!(
                "{what} The checkpoint of iteration {} stands; the same command goes on from there.",
                more - 1
            ),
        }
    }

    /// The checkpoint that the first rank finds; the others need not see the file.
    pub(super) fn checkpoint(&self, path: &Path, params: &Params) -> Result<Option<Checkpoint>> {
        let most = Checkpoint::most_bytes(params);
        let own = if self.ranks.is_first() { Checkpoint::read_bytes(path, most)? } else { None };
        if self.ranks.is_alone() {
            return own.map(|bytes| Checkpoint::parse(&bytes, path)).transpose();
        }
        // None is no bytes at all; a checkpoint has some, unless it is damaged.
        let known = [vec![u8::from(own.is_some())], own.unwrap_or_default()].concat();
        let known = self.ranks.broadcast(known).map_err(cannot)?;
        match known.split_first() {
            Some((1, bytes)) => Checkpoint::parse(bytes, path).map(Some),
            _ => Ok(None),
        }
    }

    /// Checks that all ranks hold the same weights. It is what all else relies on, and nothing else would show it.
    pub(super) fn agree(&self, params: &Params) -> Result<()> {
        if self.ranks.is_alone() {
            return Ok(());
        }
        let bytes =
            tensors::to_bytes(&params.tensors()).map_err(Error::network("comparing the ranks' weights"))?;
        let hash = blake3::hash(&bytes);
        self.ranks.agree("the weights", *hash.as_bytes()).map_err(|error| Error::Drifted(error.to_string()))
    }

    /// Tells the other ranks, and hears what all say.
    pub(super) fn tell(&self, own: Told, share: Option<&Share>) -> Result<Told> {
        let Some(share) = share else { return Ok(own) };
        let flag = |flag: bool| f64::from(u8::from(flag));
        let due = own.due && self.ranks.is_first();
        let mut sums = [f64::from(own.loss) * share.weight(), flag(due), flag(own.stop)];
        self.ranks.sum(&mut sums).map_err(cannot)?;
        let [loss, due, stop] = sums;
        Ok(Told { loss: loss as f32, due: due > 0.0, stop: stop > 0.0 })
    }

    /// Says so when the first rank waits for the others for long.
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
