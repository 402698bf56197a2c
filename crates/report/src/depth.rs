//! The level of detail of the page.

/// The level of detail that fits the size limit of the page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// All details.
    Whole,
    /// Tables without the curves and confusions of single rows.
    Tables,
}
