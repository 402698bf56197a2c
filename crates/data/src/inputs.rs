//! Inputs of networks: displacement fields or frames of a video, stacked as channels.
//!
//! | input | channels | frames read from its start s |
//! |---|---|---|
//! | [`FlowStack`] | 2L: x and y of each field in turn | s ..= s + L |
//! | [`FrameStack`] | 3 a frame: R, G, B of each frame in turn | s, s + stride, ... |
//! | [`FrameDifferences`] | 3n: R, G, B of each difference in turn | s ..= s + n |
//! | [`DynamicImage`] | 3, or 2 of flow: one picture of a window | s .. s + n, or all |
//!
//! An input is painted into [`View`]s: crops of it, each with its place in a batch. A view that is
//! larger or smaller than its crop is interpolated bilinearly: pixel centres map to pixel centres, the
//! border is repeated, and there is no smoothing before a reduction. As in Temporal Segment Networks,
//! displacements are not rescaled with the picture: they stay in pixels of the prepared frame.

mod kind;
mod paint;
mod resample;
mod view;

use std::ops::Deref;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

pub use self::difference::FrameDifferences;
pub use self::dynamic::{DynamicImage, Summarises, Summary};
pub use self::flow::{FlowStack, Sampling};
pub use self::kind::{FlowUse, Kind, Spelled};
pub use self::paint::Scratch;
pub use self::rgb::FrameStack;
pub use self::view::View;
pub use crate::error::InputError;
use crate::schema::of_kind;

/// Lists all inputs, one per line: the file, whose name is also the `kind` of a spec, the variant of [`Input`], and the
/// type, which implements [`Kind`] and [`Spelled`].
macro_rules! inputs {
    (
        $(#[$of_input:meta])*
        pub enum $input:ident;
        $(#[$of_spelled:meta])*
        pub enum $spelled:ident;
        $($(#[$when:meta])? pub mod $file:ident { $name:ident($kind:ident) })*
    ) => {
        $($(#[$when])? pub mod $file;)*

        $(#[$of_input])*
        #[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
        #[serde(rename_all = "kebab-case")]
        pub enum $input {
            $($(#[$when])? #[doc = concat!("See [`", stringify!($file), "::", stringify!($kind), "`].")] $name($file::$kind),)*
        }

        impl Deref for $input {
            type Target = dyn Kind;

            fn deref(&self) -> &(dyn Kind + 'static) {
                match self { $($(#[$when])? Self::$name(kind) => kind,)* }
            }
        }

        $($(#[$when])? impl From<$file::$kind> for $input {
            fn from(kind: $file::$kind) -> Self { Self::$name(kind) }
        })*

        $(#[$of_spelled])*
        #[derive(Clone, Debug)]
        pub enum $spelled {
            $($(#[$when])? #[doc = concat!("See [`", stringify!($file), "::", stringify!($kind), "`].")] $name(<$file::$kind as Spelled>::Keys),)*
        }

        impl $spelled {
            /// Allowed values of `kind`.
            pub const KINDS: &[&str] = &[$($(#[$when])? stringify!($file),)*];

            /// Reads the keys beside `kind`; `None` if the kind is unknown.
            pub(crate) fn read(kind: &str, keys: toml::Table) -> Option<Result<Self, toml::de::Error>> {
                match kind {
                    $($(#[$when])? stringify!($file) => Some(keys.try_into().map(Self::$name)),)*
                    _ => None,
                }
            }

            /// Schemas of the keys of each kind.
            pub(crate) fn schemas(generator: &mut SchemaGenerator) -> Vec<Schema> {
                vec![$($(#[$when])? of_kind(
                    stringify!($file),
                    <<$file::$kind as Spelled>::Keys as JsonSchema>::json_schema(generator),
                ),)*]
            }

            /// The input for pictures whose sides are `size` times the paper's.
            #[must_use]
            pub fn scaled(&self, size: f64) -> Input {
                match self { $($(#[$when])? Self::$name(keys) => <$file::$kind>::scaled(keys, size).into(),)* }
            }

            /// See [`Spelled::every`].
            #[must_use]
            pub fn every(&self) -> Option<usize> {
                match self { $($(#[$when])? Self::$name(keys) => <$file::$kind>::every(keys),)* }
            }
        }
    };
}

inputs! {
    /// One input of a network. It dereferences to [`Kind`], which defines its behaviour.
    pub enum Input;
    /// An input as a spec spells it, before the scale of a profile is known.
    pub enum SpelledInput;
    pub mod rgb { Rgb(FrameStack) }
    pub mod flow { Flow(FlowStack) }
    pub mod difference { Difference(FrameDifferences) }
    pub mod dynamic { Dynamic(DynamicImage) }
    #[cfg(test)] pub mod toy { Toy(Toy) }
}
