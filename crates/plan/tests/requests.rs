//! What draws and budgets of a request, and budgets of rows, make of a plan.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::path::Path;

use plan::spec::ProfileName::{Midi, Mini, Paper, Smoke};
use plan::{Request, RowPlan, TablePlan, Workspace, cost};

fn resolved(table: &str, request: &Request) -> plan::Result<TablePlan> {
    let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let (spec, file) = workspace.spec(table).unwrap();
    TablePlan::resolve(spec, file, request, &workspace)
}

/// Multiply-adds of the training of each net of a row.
fn training(row: &RowPlan) -> Vec<f64> {
    let nets = row.work.protocols().iter();
    nets.map(|protocol| cost::chain(&protocol.net).unwrap().multiply_adds()).collect()
}

#[test]
fn rows_with_a_budget_have_the_same_compute_whatever_their_protocols() {
    let mut seen = 0;
    for profile in [Paper, Midi, Mini, Smoke] {
        let plan =
            resolved("across/papers", &Request { profile: Some(profile), ..Request::default() }).unwrap();
        let budget = plan.spec.profile.get(profile).budget.unwrap().multiply_adds;
        for row in plan.rows.iter().filter(|row| row.row.budget.is_some() || row.row.fuse.is_some()) {
            let (nets, id) = (training(row), &row.row.id);
            if !id.ends_with("-equal") || nets.is_empty() {
                continue;
            }
            // A stream has half of the budget.
            let share = row.row.budget.unwrap_or(1.0);
            let off = nets.iter().sum::<f64>() / (share * budget) - 1.0;
            assert!(off.abs() < 0.05, "{profile} {id}: {off}");
            seen += 1;
        }
    }
    assert!(seen >= 3 * 11, "{seen}");
}

#[test]
fn a_budget_multiplies_iterations_and_rate_steps_of_all_stages() {
    let of = |budget, profile| {
        let request = Request { budget, profile: Some(profile), ..Request::default() };
        resolved("st-resnet/results", &request).unwrap()
    };
    let (usual, longer, midi) = (of(None, Mini), of(Some(6.0), Mini), of(None, Midi));
    for (a, b) in usual.rows.iter().zip(&longer.rows) {
        for (a, b) in a.work.stages().zip(b.work.stages()) {
            assert_eq!(6 * a.train.iterations, b.train.iterations);
            let steps =
                |net: &plan::NetPlan| net.train.schedule.steps.iter().map(|step| step.0).collect::<Vec<_>>();
            assert!(steps(a).iter().zip(steps(b)).all(|(a, b)| (6 * a).abs_diff(b) <= 3), "{:?}", steps(b));
        }
    }
    assert_eq!(usual.rows.iter().filter(|row| !training(row).is_empty()).count(), 10);
    // The nets of `midi` are those of six times the iterations of `mini`, so that they are trained once for both.
    assert!(longer.rows.iter().zip(&midi.rows).all(|(a, b)| a.work == b.work));
    assert!(longer.results.ends_with("synth-mini.budget-6") && midi.results.ends_with("synth-midi"));
    assert!(of(Some(1.0), Mini).results.ends_with("synth-mini"));
    let refused = resolved("table1b", &Request { budget: Some(0.0), ..Request::default() }).unwrap_err();
    assert!(refused.to_string().contains("--budget is 0; expected a multiple"), "{refused}");
}

#[test]
fn several_data_seeds_make_a_split_of_each_draw() {
    let of = |data_seeds: &[u64], splits: &[&str]| {
        let splits = splits.iter().map(|split| (*split).to_owned()).collect();
        resolved("table1a", &Request { data_seeds: data_seeds.to_vec(), splits, ..Request::default() })
    };
    let one = of(&[201], &[]).unwrap();
    let three = of(&[201, 202, 203], &[]).unwrap();
    assert_eq!(one.rows[0].splits, ["1"]);
    assert_eq!(three.rows[0].splits, ["1@201", "1@202", "1@203"]);
    assert!(three.results.ends_with("synth-mini.data-seed-201+202+203"));
    assert_eq!(three.data_words().split(';').nth(1), Some(" split 1"));
    assert!(three.data_words().contains("synth (data seeds 201, 202, 203)"), "{}", three.data_words());
    // The nets are those of single draws; there are three of each, the pre-trained ones included.
    assert!(one.rows.iter().zip(&three.rows).all(|(a, b)| a.work == b.work));
    let trainings = |plan| cost::of_table(plan).unwrap().trainings;
    assert_eq!(trainings(&three), 3 * trainings(&one));
    assert_eq!(of(&[201, 202], &["2"]).unwrap().rows[0].splits, ["2@201", "2@202"]);
    assert_eq!(of(&[201, 202], &["2@202"]).unwrap().rows[0].splits, ["2@202"]);
    for (seeds, splits, said) in [
        (&[7, 8, 7][..], &[][..], "--data-seed has 7 twice"),
        (&[7, 8], &["9"], "has no split `9`"),
        (&[7], &["1@7"], "has no split `1@7`"),
    ] {
        let error = of(seeds, splits).unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
}
