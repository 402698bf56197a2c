//! Tests on generated pairs: the pairs themselves, the errors of the presets, and the common
//! interface of all methods.

mod estimator;
#[path = "../pairs/mod.rs"]
mod pairs;
mod presets;
mod scenes;
