//! The work of a whole command, and the time that is left of it.
//!
//! Each part has an expected time. What has been done so far tells how fast this machine is beside that.

use std::time::Instant;

use base::text::duration;

/// Share of the expected time after which the pace is trusted.
const ENOUGH: f64 = 0.03;

/// The parts of a command's work.
#[derive(Debug, Default)]
pub(super) struct Whole {
    begun: Option<Instant>,
    /// The current work for display, such as "two-stream/table1b, row 3 of 9".
    title: String,
    /// Expected seconds of finished work and of waiting work, and the parts in progress, the innermost last.
    done: f64,
    waiting: f64,
    parts: Vec<Part>,
}

/// A part in progress.
#[derive(Debug)]
struct Part {
    expected: f64,
    /// The share that is done.
    share: f64,
}

impl Whole {
    /// Expects this many more seconds of work.
    pub(super) fn expect(&mut self, seconds: f64) {
        self.begun.get_or_insert_with(Instant::now);
        self.waiting += seconds;
    }

    /// Begins a part that was expected to take so long.
    pub(super) fn begin(&mut self, title: &str, seconds: f64) {
        title.clone_into(&mut self.title);
        self.waiting = (self.waiting - seconds).max(0.0);
        self.parts.push(Part { expected: seconds, share: 0.0 });
    }

    /// Begins a part that nobody expected, inside the one in progress. The title stays.
    pub(super) fn insert(&mut self, seconds: f64) {
        self.begun.get_or_insert_with(Instant::now);
        self.parts.push(Part { expected: seconds, share: 0.0 });
    }

    /// Ends the innermost part.
    pub(super) fn end(&mut self) {
        self.done += self.parts.pop().map_or(0.0, |part| part.expected);
    }

    /// Returns `true` if no part is in progress.
    pub(super) fn is_idle(&self) -> bool {
        self.parts.is_empty()
    }

    /// Notes how much of the innermost part is done.
    pub(super) fn reach(&mut self, share: f64) {
        if let Some(part) = self.parts.last_mut() {
            part.share = share.clamp(0.0, 1.0);
        }
    }

    /// Returns the title and, once the pace is known, the time left; `None` if nothing was expected.
    pub(super) fn line(&self) -> Option<String> {
        self.begun?;
        let left = self.time_left().map_or(String::new(), |left| format!(", {left}"));
        Some(format!("{}{left}", self.title))
    }

    /// Returns the time left in words; `None` before the pace is known, or if nothing was expected.
    pub(super) fn time_left(&self) -> Option<String> {
        let left = self.left(self.begun?.elapsed().as_secs_f64())?;
        Some(format!("about {} left in all", duration(left)))
    }

    /// Returns the seconds left after so many seconds of work.
    fn left(&self, spent: f64) -> Option<f64> {
        let reached: f64 = self.parts.iter().map(|part| part.expected * part.share).sum();
        let expected: f64 = self.parts.iter().map(|part| part.expected).sum();
        let done = self.done + reached;
        let left = self.waiting + expected - reached;
        (done > ENOUGH * (done + left)).then(|| left * spent / done)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_follows_from_the_pace_so_far() {
        let mut whole = Whole::default();
        assert_eq!(whole.line(), None);
        whole.expect(100.0);
        whole.begin("a table, row 1 of 2", 40.0);
        assert_eq!(whole.left(1.0), None, "nothing is known yet");
        // Videos have to be prepared first, which nobody had counted.
        whole.insert(50.0);
        whole.reach(0.5);
        // 25 of 150 took 50 seconds: the other 125 take 250.
        assert_eq!(whole.left(50.0), Some(250.0));
        whole.end();
        whole.reach(0.5);
        // 70 of 150 took 70.
        assert_eq!(whole.left(70.0), Some(80.0));
        whole.end();
        whole.begin("a table, row 2 of 2", 60.0);
        whole.reach(1.0);
        assert_eq!(whole.left(150.0), Some(0.0));
    }
}
