//! Systems of single papers, from the spec to the plan.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

mod dynamic;
mod segments;
mod tables;
