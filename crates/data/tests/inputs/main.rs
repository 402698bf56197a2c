//! Temporal inputs, crops, sampling and the loader, on planted flow.

mod crops;
mod differences;
mod draws;
mod dynamic;
mod jitter;
mod kept;
mod loader;
mod pairs;
mod rgb;
mod samples;
mod sampling;
mod spelled;
mod stacks;
mod support;
mod views;
