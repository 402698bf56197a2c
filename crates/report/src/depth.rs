//! How much is on the page.

/// How much the page has room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// All.
    Whole,
    /// Without each row's own curves and confusions.
    Tables,
}
