//! The operations: against PyTorch, against their plain versions, and what they promise besides.

#![expect(clippy::unwrap_used, reason = "a failed unwrap is a failed test")]

mod behaviour;
mod differences;
mod levels;
mod properties;
mod reference;
mod support;
mod torch;
