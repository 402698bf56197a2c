//! Errors in the examples or the settings of an SVM.

/// An error of training or evaluating an SVM.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum SvmError {
    /// No examples.
    #[error("no examples to train on; expected at least one row of features with its label")]
    Empty,

    /// A list with one entry per example whose length differs from that of the labels.
    #[error(
        "expected one {what} for each of {expected} labels, found {found}; pass lists of the same videos"
    )]
    Lengths {
        /// Name of the list's entries.
        what: &'static str,
        /// The number of labels.
        expected: usize,
        /// The list's length.
        found: usize,
    },

    /// Training features that do not form rows.
    #[error(
        "{found} values cannot be cut into {rows} rows of equal, positive length; pass as many rows of \
         features as there are labels"
    )]
    Rows {
        /// The number of labels.
        rows: usize,
        /// The number of feature values.
        found: usize,
    },

    /// Rows of features whose length differs from training.
    #[error(
        "expected rows of {expected} features, as in training, found {found} values, not a multiple; \
         stack the same streams"
    )]
    Width {
        /// Number of features per row.
        expected: usize,
        /// The number of feature values.
        found: usize,
    },

    /// A label that is not a class.
    #[error(
        "expected labels below {classes}, the number of classes, found {label} at example {example}; count \
         classes from 0"
    )]
    Label {
        /// Index of the example, from 0.
        example: usize,
        /// Its label.
        label: u32,
        /// The number of classes.
        classes: usize,
    },

    /// Too many classes.
    #[error(
        "expected at most {most} classes, found {found}; pass the number of classes, not of videos or bytes"
    )]
    Classes {
        /// The limit.
        most: usize,
        /// The number of classes.
        found: usize,
    },

    /// A feature that is infinite or NaN.
    #[error(
        "expected finite features, found {value} in row {row}, column {column} (from 0); check the scores \
         it was computed from"
    )]
    NotFinite {
        /// The row, from 0.
        row: usize,
        /// The column, from 0.
        column: usize,
        /// The value.
        value: f32,
    },

    /// A setting that is not a positive number.
    #[error(
        "expected {what} to be positive and at most 3.4e38, found {value}; 1 is usual for C, 1e-4 for \
         the tolerance"
    )]
    Setting {
        /// Name of the setting.
        what: &'static str,
        /// Its value.
        value: f64,
    },

    /// No sweep allowed.
    #[error("expected max-sweeps of at least 1, found 0; 100000 is usual")]
    NoSweeps,

    /// Weights that overflowed.
    #[error("the weights overflowed with C = {c}; use a smaller C, or features of norm 1")]
    Overflow {
        /// The value of C.
        c: f64,
    },

    /// Cross-validation with fewer than two folds.
    #[error(
        "expected at least 2 different folds, found {found}; give the videos of different groups \
         different folds"
    )]
    Folds {
        /// The number of folds.
        found: usize,
    },

    /// No candidates for C.
    #[error("expected at least one candidate for C, found none; `svm::CANDIDATES` is the usual list")]
    NoCandidates,
}
