//! Temporal inputs, crops, sampling and the loader, on planted flow.

mod crops;
mod kept;
mod loader;
mod sampling;
mod stacks;
mod support;
mod views;
