//! Specs and plans: what a person writes, what it becomes, and what a mistake
//! is answered with.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::path::{Path, PathBuf};

use experiment::plan::TablePlan;
use experiment::spec::{ProfileName, Spec};
use experiment::{Error, Request, Workspace};

fn workspace() -> Workspace {
    Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

fn table1b() -> String {
    std::fs::read_to_string(workspace().find("table1b").unwrap()).unwrap()
}

/// Parses and resolves a changed Table 1b.
fn resolve(from: &str, to: &str) -> Result<TablePlan, Error> {
    let text = table1b();
    assert!(text.contains(from), "`{from}` is not in the spec");
    let file = PathBuf::from("experiments/two-stream/table1b.toml");
    let spec = Spec::parse(&text.replacen(from, to, 1), &file)?;
    TablePlan::resolve(spec, file, &Request::default(), |name| workspace().dataset_facts(name))
}

#[test]
fn every_committed_spec_resolves_at_every_profile() {
    let workspace = workspace();
    for file in workspace.spec_files().unwrap() {
        for profile in [ProfileName::Paper, ProfileName::Mini, ProfileName::Smoke] {
            let request = Request { profile: Some(profile), ..Request::default() };
            let spec = Spec::read(&file).unwrap();
            TablePlan::resolve(spec, file.clone(), &request, |name| workspace.dataset_facts(name)).unwrap();
        }
    }
}

#[test]
fn the_plan_of_table_1b() {
    for profile in [ProfileName::Paper, ProfileName::Mini] {
        let request = Request { profile: Some(profile), ..Request::default() };
        let shown = experiment::show::show(&workspace(), "table1b", &request).unwrap();
        insta::assert_snapshot!(format!("table1b-{profile}"), shown.plan);
    }
}

/// Whatever a profile scales, the rows differ in their input alone.
#[test]
fn rows_of_a_table_share_all_but_their_input() {
    let plan = resolve("dropout = 0.9", "dropout = 0.9").unwrap();
    let mut protocols = plan.rows.iter().map(|row| {
        let mut protocol = row.protocol.clone();
        protocol.input = plan.rows[0].protocol.input;
        let models::ModelConfig::CnnM2048(model) = &mut protocol.model else {
            panic!("table 1b is of CNN-M-2048, found {:?}", protocol.model);
        };
        model.channels = 0;
        protocol
    });
    let first = protocols.next().unwrap();
    assert!(protocols.all(|protocol| protocol == first));
}

#[test]
fn a_question_of_its_own_has_a_folder_of_its_own() {
    let results = |request: Request| {
        let (spec, file) = workspace().spec("table1b").unwrap();
        TablePlan::resolve(spec, file, &request, |name| workspace().dataset_facts(name))
            .unwrap()
            .results
            .file_name()
            .unwrap()
            .to_string_lossy()
            .into_owned()
    };
    assert_eq!(results(Request::default()), "synth-mini");
    assert_eq!(results(Request { data_seed: Some(0), ..Request::default() }), "synth-mini");
    assert_eq!(results(Request { data_seed: Some(7), ..Request::default() }), "synth-mini.data-seed-7");
    assert_eq!(results(Request { seeds: Some(3), ..Request::default() }), "synth-mini.seeds-3");
    let split = Request { splits: vec!["2".into(), "3".into()], ..Request::default() };
    assert_eq!(results(split), "synth-mini.splits-2+3");
}

/// One mistake, and the answer to it.
macro_rules! mistakes {
    ($($name:ident: $from:expr => $to:expr;)*) => {
        $(#[test]
        fn $name() {
            let error = resolve($from, $to).expect_err("the mistake was not noticed");
            insta::assert_snapshot!(stringify!($name), format!("exit code {}\n{error}", error.exit_code()));
        })*
    };
}

mistakes! {
    misspelt_key: "mean-subtraction = true" => "mean-substraction = true";
    misspelt_key_of_a_section: "weight-decay = 5e-4" => "weight-decai = 5e-4";
    unknown_section: "[shared.train]" => "[shared.training]";
    unknown_kind_of_model: "kind = \"cnn-m-2048\"" => "kind = \"cnn-m\"";
    wrong_type: "batch = 256" => "batch = \"many\"";
    broken_toml: "title = \"" => "title = ";
    missing_key: "momentum = 0.9\n" => "\n";
    bi_directional_with_odd_length:
        "sampling = \"bi-directional\", length = 10" => "sampling = \"bi-directional\", length = 9";
    empty_stack: "sampling = \"stack\", length = 1," => "sampling = \"stack\", length = 0,";
    two_rows_of_one_name: "id = \"stack-5-on\"" => "id = \"single-on\"";
    row_name_with_a_blank: "id = \"stack-5-on\"" => "id = \"stack 5\"";
    column_that_the_table_does_not_have: "column = \"off\"" => "column = \"maybe\"";
    claim_about_an_unknown_row: "holds = \"stack-5-on > single-on\"" => "holds = \"stack-5-on > singel-on\"";
    claim_that_is_no_comparison: "holds = \"stack-5-on > single-on\"" => "holds = \"stack-5-on\"";
    name_that_does_not_fit_the_path: "table = \"1b\"" => "table = \"1c\"";
    rate_steps_out_of_order: "at = 50_000" => "at = 75_000";
    picture_too_small_for_the_network: "size = 0.25\nwidth = 0.125" => "size = 0.03\nwidth = 0.125";
    factor_of_zero: "width = 0.125" => "width = 0.0";
    dropout_of_everything: "dropout = 0.9" => "dropout = 1.5";
    unknown_data_set: "dataset = \"synth\"" => "dataset = \"sinth\"";
}
