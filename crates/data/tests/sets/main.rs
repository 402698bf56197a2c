//! Data sets from file to cache: one program, because every further one would have to be linked with the whole crate.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what its helpers want too")]

mod batched;
mod cache;
mod common;
mod decode;
mod endings;
mod extracted;
mod frames_only;
#[cfg(unix)]
mod impostors;
mod jhmdb;
mod kill;
mod layout;
mod messages;
mod outcomes;
mod own;
mod partial;
mod pictures;
mod prepare;
mod readers;
mod spec;
mod splits;
mod ut_interaction;
mod views;
mod weizmann;
