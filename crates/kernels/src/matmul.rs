//! A safe matrix product over slices, on one thread.
//!
//! The product runs where it is called; the operations of this crate cut their
//! work into products themselves, so that the cuts (and with them the order of
//! every sum) depend on shapes only.

/// A matrix inside a slice: element (i, j) is `data[i * row_stride + j * column_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct Matrix<'a> {
    pub(crate) data: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) row_stride: usize,
    pub(crate) column_stride: usize,
}

impl<'a> Matrix<'a> {
    /// A matrix whose rows lie `row_stride` apart.
    pub(crate) fn new(data: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Self {
        Self { data, rows, columns, row_stride, column_stride: 1 }
    }

    /// The same data read with rows and columns exchanged.
    pub(crate) fn transposed(self) -> Self {
        Self {
            data: self.data,
            rows: self.columns,
            columns: self.rows,
            row_stride: self.column_stride,
            column_stride: self.row_stride,
        }
    }
}

/// Length that a slice must have to hold the matrix.
fn extent(rows: usize, columns: usize, row_stride: usize, column_stride: usize) -> usize {
    if rows == 0 || columns == 0 { 0 } else { (rows - 1) * row_stride + (columns - 1) * column_stride + 1 }
}

/// `out = left * right`, or `out += left * right` when `accumulate` is set.
///
/// `out` holds `left.rows` rows of `right.columns` values, `out_stride` apart.
pub(crate) fn product(
    out: &mut [f32],
    out_stride: usize,
    left: Matrix<'_>,
    right: Matrix<'_>,
    accumulate: bool,
) {
    let (m, n, k) = (left.rows, right.columns, left.columns);
    assert_eq!(left.columns, right.rows);
    assert!(n <= out_stride || m <= 1);
    assert!(extent(m, n, out_stride, 1) <= out.len());
    for matrix in [&left, &right] {
        let needed = extent(matrix.rows, matrix.columns, matrix.row_stride, matrix.column_stride);
        assert!(needed <= matrix.data.len());
    }
    // SAFETY: the asserts above keep every element that `gemm` reads or writes inside its
    // slice, rows of `out` do not overlap, and `out` is borrowed mutably, so it overlaps
    // neither operand. Strides are far below `isize::MAX` because slices are.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            out.as_mut_ptr(),
            1,
            out_stride as isize,
            accumulate,
            left.data.as_ptr(),
            left.column_stride as isize,
            left.row_stride as isize,
            right.data.as_ptr(),
            right.column_stride as isize,
            right.row_stride as isize,
            1.0,
            1.0,
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}
