//! Tests of the operations against PyTorch and against their plain versions, and of their other guarantees.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod behaviour;
mod differences;
mod levels;
mod properties;
mod reference;
mod support;
mod torch;
