//! Macro for lists of architectures.

/// Defines an enum of architectures, one line each; `kind` is the tag of the serialised configuration. The enum dereferences
/// to the architecture that it holds, so other code needs no `match`.
macro_rules! one_of {
    (
        $(#[doc = $what:literal])*
        #[points_to($architecture:ident)]
        pub enum $list:ident {
            $($(#[doc = $doc:literal])* #[kind = $kind:literal] $variant:ident($config:ty),)+
        }
    ) => {
        $(#[doc = $what])*
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(tag = "kind", deny_unknown_fields)]
        pub enum $list {
            $($(#[doc = $doc])* #[serde(rename = $kind)] $variant($config),)+
        }

        impl $list {
            /// The `kind` of each architecture.
            pub const KINDS: &'static [&'static str] = &[$($kind),+];
        }

        impl std::ops::Deref for $list {
            type Target = dyn $architecture;

            fn deref(&self) -> &Self::Target {
                match self {
                    $(Self::$variant(config) => config,)+
                }
            }
        }

        impl $crate::architecture::Listed for $list {
            fn names() -> Vec<$crate::architecture::Name<Self>> {
                let mut names = Vec::new();
                $(names.extend(<$config>::names().into_iter().map(|name| name.map(Self::$variant)));)+
                names
            }

            fn cases() -> Vec<$crate::architecture::Case<Self>> {
                let mut cases = Vec::new();
                $(cases.extend(<$config>::cases().into_iter().map(|case| case.map(Self::$variant)));)+
                cases
            }
        }
    };
}
