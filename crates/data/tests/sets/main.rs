//! Data sets from file to cache: one program, because each more would be linked with the whole crate.

mod cache;
mod common;
mod decode;
mod layout;
mod prepare;
mod spec;
mod splits;
mod weizmann;
