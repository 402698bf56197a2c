//! What a network sees of a video: displacement fields or frames, stacked as channels.
//!
//! | input | channels | frames read from its start s |
//! |---|---|---|
//! | [`FlowStack`] | 2L: x and y of each field in turn | s ..= s + L |
//! | [`FrameStack`] | 3 a frame: R, G, B of each frame in turn | s, s + stride, ... |
//! | [`FrameDifferences`] | 3n: R, G, B of each difference in turn | s ..= s + n |
//!
//! An input is painted into [`View`]s: crops of it, each with its place in a batch. A view that is
//! larger or smaller than its crop is interpolated bilinearly: pixel centres on pixel centres, the
//! border repeated, no smoothing before a reduction. Displacements are not rescaled with the
//! picture, as in Temporal Segment Networks: they stay in pixels of the prepared frame.

mod error;
mod kind;
mod paint;
mod resample;
mod view;

use std::ops::Deref;

use serde::{Deserialize, Serialize};

pub use self::error::InputError;
pub use self::flow::Sampling;
pub use self::kind::{FlowUse, Kind, Spelled};
pub use self::paint::Scratch;
pub use self::view::View;

/// All inputs, a line each: its file, which is also the `kind` of a spec; its variant of [`Input`]; its type, which implements
/// [`Kind`] and [`Spelled`].
macro_rules! inputs {
    ($($(#[$when:meta])? $file:ident: $name:ident($kind:ident),)*) => {
        $($(#[$when])? mod $file; $(#[$when])? pub use self::$file::$kind;)*

        /// One input of a network. What it is made of is behind [`Kind`], to which it dereferences.
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum Input {
            $($(#[$when])? #[doc = concat!("See [`", stringify!($kind), "`].")] $name($kind),)*
        }

        impl Deref for Input {
            type Target = dyn Kind;

            fn deref(&self) -> &(dyn Kind + 'static) {
                match self { $($(#[$when])? Self::$name(kind) => kind,)* }
            }
        }

        $($(#[$when])? impl From<$kind> for Input {
            fn from(kind: $kind) -> Self { Self::$name(kind) }
        })*

        /// An input as a spec spells it, before the scale of a profile is known.
        #[derive(Clone, Debug)]
        pub enum SpelledInput {
            $($(#[$when])? #[doc = concat!("See [`", stringify!($kind), "`].")] $name(<$kind as Spelled>::Keys),)*
        }

        impl SpelledInput {
            /// What `kind` may be.
            pub const KINDS: &[&str] = &[$($(#[$when])? stringify!($file),)*];

            /// Reads the keys beside `kind`; nothing if there is no such kind.
            pub(crate) fn read(kind: &str, keys: toml::Table) -> Option<Result<Self, toml::de::Error>> {
                match kind {
                    $($(#[$when])? stringify!($file) => Some(keys.try_into().map(Self::$name)),)*
                    _ => None,
                }
            }

            /// The input where the sides of pictures are `size` times the paper's.
            #[must_use]
            pub fn scaled(&self, size: f64) -> Input {
                match self { $($(#[$when])? Self::$name(keys) => <$kind>::scaled(keys, size).into(),)* }
            }

            /// As [`Spelled::every`].
            #[must_use]
            pub fn every(&self) -> Option<usize> {
                match self { $($(#[$when])? Self::$name(keys) => <$kind>::every(keys),)* }
            }
        }
    };
}

inputs! {
    rgb: Rgb(FrameStack),
    flow: Flow(FlowStack),
    difference: Difference(FrameDifferences),
    #[cfg(test)] toy: Toy(Toy),
}
