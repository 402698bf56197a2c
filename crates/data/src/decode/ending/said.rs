//! What a file says about its end.

/// What a file says about its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::decode) enum Ending {
    /// Nothing that contradicts its length.
    Fits,
    /// It has at least this many bytes when it is whole, more than were found.
    Longer(u64),
    /// This part, which stands at the end, is missing.
    Lacks(&'static str),
}

/// Compares a declared length with the one found.
pub(super) fn longer(declared: u64, found: u64) -> Ending {
    if declared > found { Ending::Longer(declared) } else { Ending::Fits }
}
