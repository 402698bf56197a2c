//! Costs of the committed tables, at every profile.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::fmt::Write;
use std::path::Path;

use models::ModelConfig;
use plan::cost::{self, Speed, Views};
use plan::spec::{ProfileName, Spec};
use plan::{Protocol, Request, TablePlan, Work, Workspace};

const PROFILES: [ProfileName; 3] = [ProfileName::Paper, ProfileName::Mini, ProfileName::Smoke];
const GIB: f64 = (1 << 30) as f64;

fn workspace() -> Workspace {
    Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

fn plan(table: &str, profile: ProfileName) -> TablePlan {
    let (spec, file) = workspace().spec(table).unwrap();
    let request = Request { profile: Some(profile), ..Request::default() };
    TablePlan::resolve(spec, file, &request, &workspace()).unwrap()
}

fn protocol(plan: &TablePlan, row: &str) -> Protocol {
    let row = plan.rows.iter().find(|known| known.row.id == row).unwrap();
    let Work::Net(protocol) = &row.work else { panic!("{} is no net", row.row.id) };
    (**protocol).clone()
}

/// Shortens a number: 1234567 becomes 1.23 M.
fn short(number: f64) -> String {
    let (size, unit) = [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")]
        .into_iter()
        .find(|(size, _)| number >= *size)
        .unwrap_or((1e3, "k"));
    format!("{:.2} {unit}", number / size)
}

/// All costs of every committed net: a change of any number shows up in this table.
#[test]
fn every_row_of_every_table_at_every_profile() {
    let workspace = workspace();
    let mut text = String::from(
        "table, row, profile: samples an iteration, multiply-adds of a sample, operations and GiB of the training; \
         clips x crops of a test, at once, multiply-adds and GiB of a test video\n",
    );
    for file in workspace.spec_files().unwrap() {
        let name = Spec::read(&file).unwrap().name();
        for profile in PROFILES {
            let plan = plan(&name, profile);
            for row in &plan.rows {
                let Work::Net(protocol) = &row.work else { continue };
                let (training, testing) =
                    (cost::training(&protocol.net).unwrap(), cost::testing(protocol, 1).unwrap());
                let views = Views::of(protocol);
                writeln!(
                    text,
                    "{name} {} {profile}: {} x {}, {}, {:.2}; {}{} x {} / {}, {}, {:.2}",
                    row.row.id,
                    protocol.net.samples(),
                    short(protocol.net.model.summary().unwrap().multiply_adds() as f64),
                    short(training.operations),
                    training.bytes / GIB,
                    if views.known { "" } else { "about " },
                    views.clips,
                    views.crops,
                    views.at_once,
                    short(testing.operations / 2.0),
                    testing.bytes / GIB,
                )
                .unwrap();
            }
            let all = cost::of_table(&plan).unwrap();
            let (training, testing) = (short(all.training.operations), short(all.testing.operations));
            writeln!(text, "{name} {profile}: {} trainings, {training}; tests, {testing}", all.trainings)
                .unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

/// A network of clips sees its 25 test frames as one clip in ten crops; two such clips go through the network at once.
#[test]
fn a_clip_holds_its_frames_already() {
    let protocol = protocol(&plan("st-resnet/results", ProfileName::Paper), "st-resnet-ucf101");
    let views = Views::of(&protocol);
    assert_eq!((views.clips, views.crops, views.length, views.at_once), (1, 10, 5.0, 2));
    let one = protocol.net.model.summary().unwrap().multiply_adds() as f64;
    let testing = cost::testing(&protocol, 3).unwrap();
    assert_eq!(testing.operations, 2.0 * one * 10.0 * 5.0 * 3.0);
    assert_eq!(cost::multiply_adds_of_a_video(&Work::Net(Box::new(protocol))), Some(one * 50.0));
    assert!(testing.bytes < 24.0 * GIB, "{:.1} GiB", testing.bytes / GIB);
}

/// The network itself describes the clip of a test: five clips of five time steps cost as much as one of 25.
#[test]
fn a_longer_clip_costs_as_much_more() {
    let protocol = protocol(&plan("st-resnet/results", ProfileName::Paper), "st-resnet-ucf101");
    let ModelConfig::StResNet(config) = &protocol.net.model else { panic!("{:?}", protocol.net.model) };
    let of = |time_steps| {
        let config = models::StResNetConfig { time_steps, ..config.clone() };
        ModelConfig::StResNet(config).summary().unwrap().multiply_adds() as f64
    };
    assert!((of(25) / (5.0 * of(5)) - 1.0).abs() < 1e-3, "{} {}", of(25), of(5));
}

/// Ten crops of 25 positions are 250 views; 64 of them go through the network at once.
#[test]
fn a_test_holds_no_more_views_than_a_batch() {
    let protocol = protocol(&plan("two-stream/table1b", ProfileName::Paper), "stack-10-on");
    let views = Views::of(&protocol);
    assert_eq!((views.count(), views.at_once, views.length), (250, 64, 1.0));
    let summary = protocol.net.model.summary().unwrap();
    let found = cost::testing(&protocol, 100).unwrap().bytes;
    let maps = |views: f64| views * summary.activation_bytes() as f64;
    let inputs = 4.0 * 250.0 * (20 * 224 * 224 * 4) as f64;
    assert_eq!(found, 4.0 * summary.parameters() as f64 + inputs + maps(64.0));
}

/// The number of positions of a grid depends on the number of frames of the video.
#[test]
fn a_test_of_every_tenth_frame_is_no_test_of_every_frame() {
    let protocol = protocol(&plan("siamese/cross-view", ProfileName::Paper), "softmax");
    let views = Views::of(&protocol);
    assert_eq!((views.clips, views.known), (20, false));
    assert_eq!(cost::multiply_adds_of_a_video(&Work::Net(Box::new(protocol))), None);
}

/// Each task has a batch of its own, and a pair counts as two samples.
#[test]
fn samples_of_several_tasks_and_of_pairs_all_count() {
    let multi = protocol(&plan("two-stream/table2", ProfileName::Paper), "multi-task").net;
    assert_eq!((multi.tasks(), multi.samples()), (2, 2 * multi.train.batch));
    let pairs = protocol(&plan("siamese/cross-view", ProfileName::Paper), "softmax").net;
    assert!(pairs.train.pairs.is_some());
    assert_eq!(pairs.samples(), 2 * pairs.train.batch);
    for net in [multi, pairs] {
        let one = net.model.summary().unwrap().multiply_adds() as f64;
        let found = cost::training(&net).unwrap().operations;
        assert_eq!(found, 3.0 * 2.0 * one * (net.samples() * net.train.iterations) as f64);
    }
}

/// The cost of a row covers its whole chain, each stage once, and the folds of an SVM; shared nets count once in a table.
#[test]
fn a_row_costs_its_whole_chain_and_a_table_each_net_once() {
    let plan = plan("st-resnet/results", ProfileName::Mini);
    let row = plan.rows.iter().find(|row| row.row.id == "st-resnet-star-ucf101").unwrap();
    let stages = row.work.protocols()[0].net.stages();
    assert!(stages.len() > 2);
    let runs = row.splits.len() * row.seeds.len();
    let all: f64 = stages.iter().map(|net| cost::training(net).unwrap().operations).sum();
    let found = cost::of_row(&plan, row).unwrap();
    assert_eq!(runs, 1);
    assert_eq!((found.trainings, found.training.operations), (stages.len(), all));

    let rows: Vec<_> = plan.rows.iter().map(|row| cost::of_row(&plan, row).unwrap().trainings).collect();
    let table = cost::of_table(&plan).unwrap();
    assert!(table.trainings < rows.iter().sum::<usize>() && table.trainings > *rows.iter().max().unwrap());

    let plan = self::plan("two-stream/table3", ProfileName::Mini);
    let of = |id: &str| cost::of_row(&plan, plan.rows.iter().find(|row| row.row.id == id).unwrap()).unwrap();
    let (average, svm) = (of("average"), of("svm"));
    // Two more folds for each stream; the stage before the spatial stream is trained on other videos.
    assert_eq!((average.trainings, svm.trainings), (3, 7));
    assert!(svm.testing.operations > average.testing.operations);
}

#[test]
fn time_follows_the_speed() {
    let cost = cost::Cost { operations: 8e9, flow: 1e6, ..Default::default() };
    assert!((cost.seconds(&Speed::TRUSTED_CORE) - 3.5).abs() < 1e-9);
    assert!((cost.seconds(&Speed::TRUSTED_CORE.times(7)) - 0.5).abs() < 1e-9);
    let maps = Speed { maps: 1e9, ..Speed::TRUSTED_CORE };
    assert!((cost::Cost { maps: 2e9, ..Default::default() }.seconds(&maps) - 2.0).abs() < 1e-9);
}
