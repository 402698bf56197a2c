//! Makes numbered items on threads, a bounded number ahead, and hands them out in order.

use std::any::Any;
use std::collections::BTreeMap;
use std::ops::Range;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle};

use crate::DataError;
use crate::inputs::InputError;

/// A flag that is set once the items are no longer wanted.
pub(super) struct Stop(AtomicBool);

impl Stop {
    /// # Errors
    /// [`DataError::Interrupted`] once nobody waits for the item; checked
    /// between two samples, so that a dropped loader ends soon.
    pub(super) fn check(&self) -> Result<(), DataError> {
        if self.0.load(Ordering::Relaxed) { Err(DataError::Interrupted) } else { Ok(()) }
    }
}

/// An iterator over the items of a range, made ahead by threads.
///
/// It ends after the first error. Dropping it stops the threads and waits for them.
pub(super) struct Prefetch<T> {
    shared: Arc<Shared<T>>,
    threads: Vec<JoinHandle<()>>,
    wanted: Range<u64>,
}

struct Shared<T> {
    state: Mutex<State<T>>,
    /// Signalled when an item was taken, or everything must stop.
    room: Condvar,
    /// Signalled when an item was made.
    ready: Condvar,
    stop: Stop,
}

struct State<T> {
    /// Items that no thread has begun; those below `limit` may be begun.
    open: Range<u64>,
    limit: u64,
    made: BTreeMap<u64, Result<T, DataError>>,
}

impl<T: Send + 'static> Prefetch<T> {
    /// Starts `workers` threads that make the `items` with `make`. At any time at most
    /// `depth` items are begun or finished, but not yet taken.
    ///
    /// # Errors
    /// [`InputError::Spawn`] if the system refuses a thread.
    pub(super) fn new<F>(items: Range<u64>, depth: usize, workers: usize, make: F) -> Result<Self, InputError>
    where
        F: Fn(u64, &Stop) -> Result<T, DataError> + Send + Sync + 'static,
    {
        let state = State {
            open: items.clone(),
            limit: items.start.saturating_add(depth as u64),
            made: BTreeMap::new(),
        };
        let shared = Arc::new(Shared {
            state: Mutex::new(state),
            room: Condvar::new(),
            ready: Condvar::new(),
            stop: Stop(AtomicBool::new(false)),
        });
        let make = Arc::new(make);
        let mut this = Self { shared, threads: Vec::new(), wanted: items };
        for worker in 0..workers {
            let (shared, make) = (Arc::clone(&this.shared), Arc::clone(&make));
            let thread = Builder::new()
                .name(format!("loader-{worker}"))
                .spawn(move || shared.work(&*make))
                .map_err(|source| InputError::Spawn { worker, source })?;
            this.threads.push(thread);
        }
        Ok(this)
    }
}

impl<T> Iterator for Prefetch<T> {
    type Item = Result<T, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = self.wanted.next()?;
        let mut state = self.shared.lock();
        let made = loop {
            if let Some(made) = state.made.remove(&item) {
                break made;
            }
            state = self.shared.ready.wait(state).unwrap_or_else(PoisonError::into_inner);
        };
        state.limit = state.limit.saturating_add(1);
        drop(state);
        self.shared.room.notify_one();
        if made.is_err() {
            self.wanted = 0..0;
            self.shared.halt();
        }
        Some(made)
    }
}

impl<T> Drop for Prefetch<T> {
    fn drop(&mut self) {
        self.shared.halt();
        for thread in self.threads.drain(..) {
            // A panic in `make` was caught and handed out; there is no other.
            let _ = thread.join();
        }
    }
}

impl<T> Shared<T> {
    fn lock(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells all threads to stop, waiting or working.
    fn halt(&self) {
        self.stop.0.store(true, Ordering::Relaxed);
        // Under the lock, so that no thread misses it between its check and its wait.
        let _state = self.lock();
        self.room.notify_all();
    }

    /// Runs a thread: takes the next open item, makes it and stores it, until none is left.
    fn work(&self, make: &dyn Fn(u64, &Stop) -> Result<T, DataError>) {
        while let Some(item) = self.take() {
            let made = catch_unwind(AssertUnwindSafe(|| make(item, &self.stop)))
                .unwrap_or_else(|panic| Err(panicked(item, &*panic).into()));
            self.lock().made.insert(item, made);
            self.ready.notify_one();
        }
    }

    /// Takes the next item to make, after waiting for room; `None` at the end.
    fn take(&self) -> Option<u64> {
        let mut state = self.lock();
        loop {
            if self.stop.check().is_err() || state.open.is_empty() {
                return None;
            }
            if state.open.start < state.limit {
                return state.open.next();
            }
            state = self.room.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn panicked(iteration: u64, panic: &(dyn Any + Send)) -> InputError {
    let message = match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(message), _) => (*message).to_owned(),
        (_, Some(message)) => message.clone(),
        _ => "no message".to_owned(),
    };
    InputError::Panicked { iteration, message }
}
