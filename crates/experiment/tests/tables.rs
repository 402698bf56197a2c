//! Snapshots of printed tables, from made-up records.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::collections::BTreeMap;
use std::path::Path;

use experiment::budgets::Budgets;
use experiment::claim::Verdict;
use experiment::compare::CompareRequest;
use experiment::grid::Screen;
use experiment::judged::outcomes;
use experiment::record::{
    DatasetRecord, Environment, RECORD_VERSION, Record, RunRecord, StageRecord, TestOutcome, TrainOutcome,
};
use experiment::statistics::Estimate;
use experiment::statistics::Statistics;
use experiment::table::{Claim, Row, State, Table};
use experiment::{Request, Workspace};
use plan::TablePlan;
use plan::spec::{ProfileName, Quoted};

fn record(plan: &TablePlan, row: usize, top1: f64, scored: usize, seeds: u64) -> Record {
    let row = &plan.rows[row];
    let run = |seed: u64| RunRecord {
        split: "1".into(),
        seed,
        stages: vec![StageRecord {
            unit: "train-0".into(),
            training: TrainOutcome {
                iterations: 1000,
                seconds: 41.0,
                samples_per_second: 1500.0,
                peak_memory_mib: Some(700),
                videos: 924,
                ranks: None,
                contrastive: None,
                gpu: None,
                loss: vec![(1000, 0.5)],
            },
        }],
        test_unit: "test-0".into(),
        top1: top1 + seed as f64,
        right: None,
        pairs: None,
        test: TestOutcome {
            videos_expected: 462,
            videos_scored: scored,
            seconds: 5.0,
            streams: Vec::new(),
            svm: None,
        },
    };
    Record {
        version: RECORD_VERSION,
        table: plan.spec.name(),
        row: row.row.id.clone(),
        label: row.row.label.clone(),
        column: row.row.column.clone(),
        reported: row.row.reported,
        data: vec![DatasetRecord {
            name: "synth".into(),
            data_seeds: vec![0],
            fingerprints: BTreeMap::new(),
            cautions: Vec::new(),
            accepted: 0,
        }],
        profile: ProfileName::Mini,
        measure: Default::default(),
        top1: Estimate { value: top1, low: top1 - 4.0, high: top1 + 4.0 },
        top5: None,
        blocks: BTreeMap::new(),
        recall: BTreeMap::new(),
        confusion: BTreeMap::new(),
        work: row.work.clone(),
        parameters: 1,
        multiply_adds: 1,
        runs: (0..seeds).map(run).collect(),
        environment: Environment {
            commit: None,
            version: "0.1.0".into(),
            candle: "candle-core 0.11.1".into(),
            device: "cpu".into(),
            threads: 2,
            processor: None,
            system: "linux x86_64".into(),
        },
    }
}

/// Makes a table with rows in every state.
fn table(seeds: u64) -> Table {
    of_spec("table1b", seeds)
}

fn of_spec(name: &str, seeds: u64) -> Table {
    let workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
    let (spec, file) = workspace.spec(name).unwrap();
    let plan = TablePlan::resolve(spec, file, &Request::default(), &workspace).unwrap();
    let state = |i: usize| match i {
        0 => State::Done { record: Box::new(record(&plan, i, 55.4, 462, seeds)) },
        1 => State::Done { record: Box::new(record(&plan, i, 69.5, 460, seeds)) },
        2 => State::Failed { message: "training diverged at iteration 7: the loss is NaN".into() },
        3 => State::Unavailable { reason: "[data] names nothing for hmdb51".into() },
        _ => State::NotRun,
    };
    let rows = plan.rows.iter().enumerate().map(|(i, row)| Row {
        id: row.row.id.clone(),
        label: row.row.label.clone(),
        column: row.row.column.clone(),
        place: row.row.place.clone(),
        reported: row.row.reported,
        state: state(i),
    });
    let verdicts = [Verdict::Holds, Verdict::Contradicted, Verdict::Undecided, Verdict::NotRun];
    let claims = plan.spec.claim.iter().zip(verdicts).map(|(claim, verdict)| Claim {
        id: claim.id.clone(),
        says: claim.says.clone(),
        place: claim.place.clone(),
        rule: claim.holds.clone(),
        verdict,
        margin: (verdict != Verdict::NotRun).then_some(Estimate { value: 14.1, low: 11.0, high: 17.2 }),
    });
    Table {
        name: plan.spec.name(),
        title: plan.spec.title.clone(),
        source: plan.spec.source.clone(),
        data: "synth (data seed 0), split 1, 1 training seed".into(),
        profile: ProfileName::Mini,
        columns: plan.spec.columns.clone(),
        rows: rows.collect(),
        quoted: vec![Quoted {
            label: "other work".into(),
            column: None,
            top1: 65.4,
            place: "Table 4".into(),
        }],
        claims: claims.collect(),
        departures: plan.departures.clone(),
        cautions: Vec::new(),
        own_data: false,
        more: false,
    }
}

/// Every line of a text fits the screen.
#[track_caller]
fn assert_fits(text: &str, width: usize) {
    for line in text.lines() {
        assert!(line.chars().count() <= width, "wider than {width}: {line}\n{text}");
    }
}

#[test]
fn accepted_videos_are_counted_below_the_table() {
    let mut table = table(1);
    let note = "Accepted although ffmpeg reports errors";
    assert!(!table.markdown().contains(note));
    for (row, accepted) in table.rows.iter_mut().zip([2, 3]) {
        let State::Done { record } = &mut row.state else { panic!("{:?}", row.state) };
        let json = serde_json::to_string(&record).unwrap();
        assert!(!json.contains("accepted"), "records without such videos are as they were");
        record.data[0].accepted = accepted;
    }
    let said = "Accepted although ffmpeg reports errors in them (--accept-messages): 3 videos of synth.";
    assert!(table.markdown().contains(said), "{}", table.markdown());
}

/// A workspace with made-up records of two tables on different draws of the generated videos, so that nothing depends on the
/// committed ones.
fn recorded() -> (tempfile::TempDir, Workspace) {
    let folder = tempfile::tempdir().unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let results = folder.path().join("results");
    let workspace = Workspace { cache: "none".into(), results, ..Workspace::new(root) };
    for (table, data_seed, seeds) in [("table1b", None, 1), ("pyramid/snippets", Some(105), 3)] {
        let (spec, file) = workspace.spec(table).unwrap();
        let data_seeds = Vec::from_iter(data_seed);
        let request = Request { data_seeds, seeds: Some(seeds), ..Request::default() };
        let plan = TablePlan::resolve(spec, file, &request, &workspace).unwrap();
        let place = workspace.results.join(&plan.results);
        std::fs::create_dir_all(&place).unwrap();
        let available = |row: &&plan::RowPlan| row.work.target().is_some();
        for (number, row) in plan.rows.iter().filter(available).enumerate() {
            let mut record = record(&plan, number, 0.0, 462, seeds as u64);
            (record.row, record.label) = (row.row.id.clone(), row.row.label.clone());
            (record.work, record.top5) = (row.work.clone(), Some(90.0));
            record.data[0].data_seeds = vec![data_seed.unwrap_or(0)];
            record.data[0].fingerprints = [("1".to_owned(), format!("{data_seed:?}"))].into();
            record.blocks = [("1".to_owned(), (0..462).collect())].into();
            record.recall = [("spin".to_owned(), 50.0 + number as f64)].into();
            for run in &mut record.runs {
                let is_right = |v: usize| (37 * v + 11 * run.seed as usize) % 100 < 45 + 3 * number;
                run.right = Some((0..462).map(is_right).collect());
                run.test_unit = format!("test-{table}-{number}");
                run.top1 = 100.0 * (0..462).filter(|&v| is_right(v)).count() as f64 / 462.0;
            }
            let outcomes = outcomes(&record).unwrap();
            record.top1 = Statistics::new(&[("row".to_owned(), outcomes)].into()).accuracy("row").unwrap();
            let text = serde_json::to_string(&record).unwrap();
            std::fs::write(place.join(format!("{}.json", row.row.id)), text).unwrap();
        }
        let claims: Vec<Claim> = of_spec(table, 1).claims;
        std::fs::write(place.join("claims.json"), serde_json::to_string(&claims).unwrap()).unwrap();
    }
    (folder, workspace)
}

#[test]
fn screens_of_80_120_and_200_columns() {
    let (_folder, workspace) = recorded();
    // The plan names the folder of records, which is another each time.
    let checkout = Workspace { cache: "none".into(), ..Workspace::new(workspace.root.clone()) };
    for width in [80, 120, 200] {
        let screen = Screen { width: Some(width), colours: false };
        let run = table(1).terminal(screen);
        let list = experiment::list::tables(&workspace, screen).unwrap();
        let show = experiment::show::show(&checkout, "table1b", &Request::default(), screen).unwrap().plan;
        let compare =
            experiment::compare::compare(&workspace, &CompareRequest::default()).unwrap().terminal(screen);
        let rows = ["table1b/stack-10-on", "two-stream/table1b/single-on", "snippets/sum-3"];
        let rows = rows.map(str::to_owned);
        let matrix = experiment::compare::matrix::matrix(&workspace, &rows).unwrap().terminal(screen);
        let screens =
            [("run", run), ("list", list), ("show", show), ("compare", compare), ("compare-rows", matrix)];
        for (name, text) in screens {
            assert_fits(&text, width);
            insta::assert_snapshot!(format!("{name}-at-{width}"), text);
        }
    }
}

/// Rows are ranked where they were tested on the same videos, and nowhere else.
#[test]
fn rows_on_different_videos_are_not_compared() {
    let (_folder, workspace) = recorded();
    let matrix = |rows: &[&str]| {
        let rows: Vec<String> = rows.iter().map(|row| (*row).to_owned()).collect();
        experiment::compare::matrix::matrix(&workspace, &rows).map(|matrix| matrix.csv())
    };
    let message = matrix(&["table1b/single-on", "snippets/sum-3"]).unwrap_err().to_string();
    assert!(message.contains("no two of these rows were tested on the same videos"), "{message}");
    let message = matrix(&["table1b/stack-10-onn", "snippets/sum-3"]).unwrap_err().to_string();
    assert!(message.contains("did you mean `table1b/stack-10-on`"), "{message}");
    let csv = matrix(&["table1b/single-on", "table1b/stack-5-on"]).unwrap();
    assert!(
        csv.lines().count() == 2 && csv.contains("\"synth (data seed 0), split 1: 462 test videos\""),
        "{csv}"
    );
}

/// The difference between two rows equals that of a textbook's paired t interval and McNemar's exact test, computed here from
/// the bits of their records.
#[test]
fn a_difference_follows_from_the_answers_in_the_records() {
    let (_folder, workspace) = recorded();
    let bits = |row: &str| -> Vec<f64> {
        let file = workspace.results.join(format!("two-stream/table1b/synth-mini/{row}.json"));
        let record: serde_json::Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let (videos, digits) = record["runs"][0]["right"].as_str().unwrap().split_once(':').unwrap();
        let digits = digits.chars().map(|digit| digit.to_digit(16).unwrap());
        let bits = digits.flat_map(|digit| [3, 2, 1, 0].map(|bit| f64::from(digit >> bit & 1)));
        bits.take(videos.parse().unwrap()).collect()
    };
    let (a, b) = (bits("stack-5-on"), bits("single-on"));
    let differences: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
    let n = differences.len() as f64;
    let mean = differences.iter().sum::<f64>() / n;
    let variance = differences.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / (n - 1.0);
    // SciPy: t.ppf(0.975, 461) = 1.965123.
    let half = 1.965_123 * (variance / n).sqrt();
    let count = |sign: f64| differences.iter().filter(|d| **d == sign).count();
    let (more, fewer) = (count(1.0).max(count(-1.0)), count(1.0).min(count(-1.0)));
    let discordant = (more + fewer) as f64;
    // Twice the share of fair coins with at most `fewer` heads.
    let (mut ways, mut sum) = (0.5_f64.powf(discordant), 0.0);
    for heads in 0..=fewer {
        sum += ways;
        ways *= (discordant - heads as f64) / (heads as f64 + 1.0);
    }
    let rows = ["table1b/stack-5-on", "table1b/single-on"].map(str::to_owned);
    let csv = experiment::compare::matrix::matrix(&workspace, &rows).unwrap().csv();
    let expected = format!(
        "{:.1},{:.1},{:.1},{:.4},false",
        100.0 * mean,
        100.0 * (mean - half),
        100.0 * (mean + half),
        (2.0 * sum).min(1.0)
    );
    assert!(csv.ends_with(&expected), "{csv}, expected {expected}");
}

/// On a data set that the spec does not name, there is no number of the paper beside ours.
#[test]
fn a_table_on_own_data_has_no_numbers_of_the_paper() {
    let text = Table { own_data: true, ..table(1) }.terminal(Screen::default());
    assert!(text.contains("55.4") && !text.contains("73.9") && !text.contains("ours - paper"), "{text}");
}

#[test]
fn further_measures_are_printed_on_request() {
    let mut table = table(1);
    if let State::Done { record } = &mut table.rows[0].state {
        record.top5 = Some(87.6);
        record.recall = [("walk".to_owned(), 20.0), ("run".to_owned(), 31.0)].into();
    }
    let usual = table.terminal(Screen::default());
    let more = Table { more: true, ..table }.terminal(Screen::default());
    assert!(!usual.contains("top-5") && !usual.contains("87.6"), "{usual}");
    assert!(more.contains("87.6") && more.contains("25.5") && more.contains("mean over classes"), "{more}");
}

#[test]
fn budgets_stand_side_by_side_from_the_smallest() {
    let at = |top1: f64| {
        let mut table = table(1);
        if let State::Done { record } = &mut table.rows[0].state {
            record.top1 = Estimate { value: top1, low: top1 - 1.0, high: top1 + 1.0 };
        }
        table
    };
    let budgets = Budgets::new(vec![(4.0, at(71.5)), (0.5, at(33.25))]);
    insta::assert_snapshot!(budgets.terminal(Screen::default()));
    let folder = tempfile::tempdir().unwrap();
    let files = budgets.write(folder.path()).unwrap();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_str().unwrap()).collect();
    assert_eq!(names, ["budgets.md", "budgets.svg"]);
    let chart = std::fs::read_to_string(&files[1]).unwrap();
    let tip = |budget: &str, top1: &str| format!("at x {budget}: {top1} %");
    assert!(chart.contains(&tip("0.5", "33.2")) && chart.contains(&tip("4", "71.5")), "{chart}");
}

#[test]
fn an_undecided_claim_says_how_many_videos_would_decide_it() {
    let mut claim = table(1).claims.swap_remove(0);
    let margin = |value, low, high| Some(Estimate { value, low, high });
    claim.verdict = Verdict::Undecided;
    claim.margin = margin(1.0, -2.0, 4.0);
    assert_eq!(claim.videos_to_decide(), Some(9.0));
    claim.margin = margin(-2.0, -5.0, 1.0);
    assert_eq!(claim.videos_to_decide(), Some(2.25));
    claim.margin = margin(0.0, -5.0, 5.0);
    assert_eq!(claim.videos_to_decide(), None);
    claim.verdict = Verdict::Holds;
    claim.margin = margin(3.0, 1.0, 5.0);
    assert_eq!(claim.videos_to_decide(), None);
}

#[test]
fn a_row_alone_is_printed_alone() {
    let whole = table(1);
    let alone = whole.of_rows(&[whole.rows[0].id.clone(), whole.rows[1].id.clone()]);
    let text = alone.terminal(Screen::default());
    assert!(!text.contains("not run") && !text.contains("failed") && !text.contains("other work"), "{text}");
    assert_eq!(alone.rows.len(), 2);
    assert!(alone.claims.iter().all(|claim| claim.verdict != Verdict::NotRun) && !alone.claims.is_empty());
}

#[test]
fn a_table_in_a_terminal() {
    insta::assert_snapshot!(table(1).terminal(Screen::default()));
}

#[test]
fn a_table_in_markdown() {
    insta::assert_snapshot!(table(1).markdown());
}

/// A table without columns describes its rows in words.
#[test]
fn a_table_of_one_column() {
    insta::assert_snapshot!(of_spec("table3", 1).markdown());
}

#[test]
fn several_seeds_show_their_spread() {
    let text = table(3).terminal(Screen::default());
    assert!(text.contains("sd over seeds") && text.contains("1.0"), "{text}");
}

#[test]
fn a_record_comes_back_from_its_file_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("row.json");
    let table = table(2);
    let record = table.rows[0].state.record().unwrap();
    experiment::store::write_json(&path, record).unwrap();
    assert_eq!(&Record::read(&path).unwrap(), record);
    std::fs::write(&path, "{\"version\": 1}").unwrap();
    assert!(Record::read(&path).unwrap_err().to_string().contains("row.json"));
}
