//! Fusions as written in a table.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::path::Path;

use plan::spec::Spec;
use plan::{Fusion, FusionPlan, Request, TablePlan, Work, Workspace};

/// Resolves Table 3 with another text for its first fusion, and returns that fusion.
fn first_fusion(by: &str) -> Result<FusionPlan, String> {
    let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let path = workspace.find("table3").unwrap();
    let text = std::fs::read_to_string(&path).unwrap().replacen("fuse.by = \"average\"", by, 1);
    assert!(text.contains(by));
    let file = path.strip_prefix(&workspace.root).unwrap().to_owned();
    let spec =
        Spec::parse(&text, &file, &workspace.root.join("experiments")).map_err(|error| error.to_string())?;
    let plan =
        TablePlan::resolve(spec, file, &Request::default(), &workspace).map_err(|error| error.to_string())?;
    let fusions = plan.rows.into_iter().filter_map(|row| match row.work {
        Work::Fusion(fusion) => Some(fusion),
        Work::Net(_) | Work::Unavailable { .. } => None,
    });
    Ok(fusions.into_iter().next().unwrap())
}

/// A mean may have weights and use the scores before the softmax; it survives a round trip through a record.
#[test]
fn a_weighted_mean_is_written_as_a_table() {
    let plan = first_fusion("fuse.by = { mean = { weights = [1, 1.5], of = \"logits\" } }").unwrap();
    assert_eq!(plan.fusion.words(), "mean of the scores before the softmax, weights 1 : 1.5");
    assert!(plan.fusion.reads_logits());
    let work = Work::Fusion(plan);
    let text = serde_json::to_string(&work).unwrap();
    assert!(text.contains(r#""by":{"mean":{"weights":[1.0,1.5],"of":"logits"}}"#), "{text}");
    assert_eq!(serde_json::from_str::<Work>(&text).unwrap(), work);
}

#[test]
fn the_ways_of_before_are_written_as_before() {
    for (by, words, stored) in [
        ("fuse.by = \"average\"", "mean of the scores", r#""by":"average"}"#),
        ("fuse.by = \"svm\"", "SVM, scores of 2 held-out folds", r#""by":"svm","svm":{"folds":2,"c":["#),
    ] {
        let plan = first_fusion(by).unwrap();
        assert_eq!(plan.fusion.words(), words);
        assert!(serde_json::to_string(&plan).unwrap().contains(stored), "{stored}");
    }
    assert_eq!(
        first_fusion("fuse.by = { mean = {} }").unwrap().fusion,
        first_fusion("fuse.by = \"average\"").unwrap().fusion
    );
    assert!(matches!(first_fusion("fuse.by = \"svm\"").unwrap().fusion, Fusion::Svm(_)));
}

#[test]
fn a_slip_of_the_pen_is_answered_with_row_and_cure() {
    for (by, message) in [
        (
            "fuse.by = { mean = { weights = [1.0] } }",
            "row `bi-average`: mean.weights has 1 numbers for 2 streams; give one for each stream",
        ),
        ("fuse.by = { mean = { weights = [0.0, 0.0] } }", "at least one above 0"),
        ("fuse.by = { mean = { weights = [1.0, nan] } }", "expected numbers of 0 or more"),
        ("fuse.by = { mean = { weights = [1.0, -1.0] } }", "expected numbers of 0 or more"),
        ("fuse.by = { mean = { of = \"logit\" } }", "unknown variant `logit`"),
        ("fuse.by = { mean = { weight = [1.0, 1.0] } }", "weight"),
        ("fuse.by = \"median\"", "unknown variant `median`"),
    ] {
        let found = first_fusion(by).unwrap_err();
        assert!(found.contains(message) && found.contains("table3.toml"), "{by}: {found}");
    }
}
