//! Data sets from file to cache: one program, because each more would be linked with the whole crate.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, which is what its helpers want too")]

mod cache;
mod common;
mod decode;
mod layout;
mod prepare;
mod spec;
mod splits;
mod weizmann;
