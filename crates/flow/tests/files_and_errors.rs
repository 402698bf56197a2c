//! `.flo` files, good and hostile, and the error measures.

use flow::{
    FloProblem, FlowError, FlowField, GrayImage, angular_error, encode_flo, endpoint_error, parse_flo,
    read_flo, write_flo,
};
use proptest::prelude::*;

fn field(width: usize, height: usize) -> FlowField {
    let values = |scale: f32| (0..width * height).map(|i| i as f32 * scale).collect();
    FlowField::new(width, height, values(0.5), values(-0.25)).expect("sizes agree")
}

fn header(width: i32, height: i32) -> Vec<u8> {
    [*b"PIEH", width.to_le_bytes(), height.to_le_bytes()].concat()
}

fn problem(bytes: &[u8]) -> FloProblem {
    let from_file = {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let path = folder.path().join("hostile.flo");
        std::fs::write(&path, bytes).expect("room for a small file");
        match read_flo(&path).expect_err("a hostile file") {
            FlowError::FloFile { problem, path: named } if named == path => problem,
            other => panic!("{other}"),
        }
    };
    match parse_flo(bytes).expect_err("hostile bytes") {
        FlowError::Flo(problem) => {
            assert_eq!(problem, from_file);
            problem
        }
        other => panic!("{other}"),
    }
}

#[test]
fn a_field_survives_a_file_and_replaces_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.flo");
    std::fs::write(&path, "old").unwrap();
    let mut field = field(5, 3);
    field.u[4] = 1.6e9;
    write_flo(&path, &field).unwrap();
    assert_eq!(read_flo(&path).unwrap(), field);
    assert_eq!(std::fs::read(&path).unwrap().len(), 12 + 8 * 15);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn hostile_files_are_refused_without_taking_memory_for_them() {
    assert_eq!(problem(b""), FloProblem::NoHeader(0));
    assert_eq!(problem(b"PIEH\x01\0\0\0"), FloProblem::NoHeader(8));
    assert!(matches!(problem(b"PIEX12345678"), FloProblem::Magic(_)));
    for (width, height) in [(0, 4), (4, -1), (i32::MIN, 2), (i32::MAX, i32::MAX), (100_000, 1)] {
        assert_eq!(problem(&header(width, height)), FloProblem::Size { width, height });
    }
    // Would take eighty gigabytes if the header were trusted.
    assert!(matches!(problem(&header(99_999, 99_999)), FloProblem::Truncated { found: 12, .. }));
    let good = encode_flo(&field(4, 2)).unwrap();
    assert!(matches!(
        problem(&good[..good.len() - 1]),
        FloProblem::Truncated { expected: 76, found: 75, .. }
    ));
    let long = [&good[..], b"x"].concat();
    assert!(matches!(problem(&long), FloProblem::Trailing { expected: 76, found: 77, .. }));
}

#[test]
fn files_that_cannot_be_opened_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("no/such.flo");
    let read = read_flo(&missing).unwrap_err().to_string();
    assert!(read.starts_with("cannot read ") && read.contains("such.flo"), "{read}");
    std::fs::write(folder.path().join("file"), "").unwrap();
    let write = write_flo(folder.path().join("file/such.flo"), &field(2, 2)).unwrap_err().to_string();
    assert!(write.starts_with("cannot write ") && write.contains("such.flo"), "{write}");
    assert!(matches!(write_flo(folder.path(), &field(2, 2)), Err(FlowError::File(_))));
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn error_measures_leave_unknown_vectors_out() {
    let truth = FlowField::new(4, 1, vec![0.0, 3.0, 2e9, f32::NAN], vec![0.0, 0.0, 0.0, 1.0]).unwrap();
    let mut estimate = truth.clone();
    assert_eq!(endpoint_error(&estimate, &estimate).unwrap(), 0.0);
    assert_eq!(angular_error(&estimate, &estimate).unwrap(), 0.0);
    (estimate.u, estimate.v) = (vec![3.0, 3.0, 0.0, 0.0], vec![4.0, 0.0, 0.0, 0.0]);
    assert_eq!(endpoint_error(&estimate, &truth).unwrap(), 2.5);
    let angle = 26.0_f64.sqrt().recip().acos().to_degrees() / 2.0;
    assert!((angular_error(&estimate, &truth).unwrap() - angle).abs() < 1e-9);

    let unknown = FlowField::new(1, 1, vec![2e9], vec![0.0]).unwrap();
    assert!(matches!(endpoint_error(&unknown, &unknown), Err(FlowError::NothingKnown)));
    assert!(matches!(endpoint_error(&unknown, &truth), Err(FlowError::SizeMismatch { .. })));
}

#[test]
fn buffers_must_match_sizes() {
    assert!(matches!(GrayImage::from_rgb8(2, 2, &[0; 11]), Err(FlowError::Length { .. })));
    assert!(matches!(GrayImage::new(0, 2, Vec::new()), Err(FlowError::Size { .. })));
    assert!(matches!(FlowField::new(usize::MAX, 2, Vec::new(), Vec::new()), Err(FlowError::Size { .. })));
    let grey = GrayImage::from_rgb8(1, 1, &[255, 255, 255]).unwrap();
    assert!((grey.data[0] - 255.0).abs() < 1e-3);
    let mut broken = field(2, 2);
    broken.v.pop();
    assert!(matches!(encode_flo(&broken), Err(FlowError::Length { .. })));
}

proptest! {
    #[test]
    fn what_is_written_is_read(width in 1usize..9, height in 1usize..9, bits: u32) {
        let mut field = field(width, height);
        field.v[0] = f32::from_bits(bits);
        let bytes = encode_flo(&field).unwrap();
        let read = encode_flo(&parse_flo(&bytes).unwrap()).unwrap();
        prop_assert_eq!(read, bytes);
    }

    #[test]
    fn no_bytes_make_the_reader_panic(
        width in -2i32..6,
        height in -2i32..6,
        mut bytes in proptest::collection::vec(any::<u8>(), 0..300),
        sensible: bool,
    ) {
        if sensible {
            bytes.splice(0..0, header(width, height));
        }
        if let Ok(field) = parse_flo(&bytes) {
            prop_assert_eq!(bytes.len(), 12 + 8 * field.u.len());
        }
    }
}
