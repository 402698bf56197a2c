//! Tests of stages, tasks and fusions, run from the committed specs at the smallest scale.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use candle_core::{Device, Tensor};
use experiment::grid::Screen;
use experiment::pair_scores::PairScores;
use experiment::record::{Measure, Record};
use experiment::scores::Scores;
use experiment::table::Table;
use experiment::{Console, Interrupt, Runner, Workspace};
use nn::tensors::{self, Tensors};
use plan::spec::ProfileName;
use plan::{Request, Work};

/// A temporary workspace with the specs and data sets of the checkout.
struct Place {
    folder: tempfile::TempDir,
    workspace: Workspace,
}

/// Numbers of nets of a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Nets {
    needed: usize,
    trained: usize,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut workspace = Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."));
        workspace.results = folder.path().join("results");
        workspace.cache = folder.path().join("cache");
        Self { folder, workspace }
    }

    /// Runs rows of tables (all if none is named), and returns the numbers of nets needed and trained.
    fn run(&self, tables: &[&str], rows: &[&str]) -> (Vec<Table>, Nets) {
        self.with_runner(rows, |runner| {
            let tables = tables.iter().map(|table| runner.run(table).unwrap()).collect();
            (tables, Nets { needed: runner.census.nets(), trained: runner.census.nets_trained() })
        })
    }

    fn with_runner<T>(&self, rows: &[&str], then: impl FnOnce(&Runner<'_>) -> T) -> T {
        let request = Request {
            profile: Some(ProfileName::Smoke),
            rows: rows.iter().map(|row| (*row).to_owned()).collect(),
            ..Request::default()
        };
        then(&Runner::new(&self.workspace, &request, &Console::silent(), &Interrupt::never()))
    }

    fn weights(&self, unit: &str) -> Tensors {
        let path = self.workspace.cache.join("units").join(unit).join("weights.safetensors");
        tensors::read(&path, &Device::Cpu).unwrap()
    }

    /// Reads the class scores of every test unit that has them.
    fn scores(&self) -> Vec<Scores> {
        let units = std::fs::read_dir(self.folder.path().join("cache/units")).unwrap();
        let mut paths: Vec<_> = units.map(|unit| unit.unwrap().path().join("scores.parquet")).collect();
        paths.retain(|path| path.exists());
        // A test by pairs writes pairs.
        let classes = |path: &PathBuf| PairScores::read(path).is_err().then(|| Scores::read(path).unwrap());
        paths.iter().filter_map(classes).collect()
    }
}

fn record<'a>(table: &'a Table, row: &str) -> &'a Record {
    table.rows.iter().find(|r| r.id == row).unwrap().state.record().unwrap()
}

fn bits(tensor: &Tensor) -> Vec<u32> {
    testkit::values(tensor).into_iter().map(f32::to_bits).collect()
}

/// Table 1a: "last layer" keeps every other weight to the bit; fine-tuning changes all of them.
#[test]
fn training_the_last_layer_moves_no_other_weight() {
    let place = Place::new();
    let (tables, _) = place.run(&["table1a"], &["last-layer-low", "fine-tuned-low"]);
    let stages = |row: &str| {
        let stages = &record(&tables[0], row).runs[0].stages;
        assert_eq!(stages.len(), 2);
        (place.weights(&stages[0].unit), place.weights(&stages[1].unit))
    };
    let (before, after) = stages("last-layer-low");
    let (start, tuned) = stages("fine-tuned-low");
    assert!(before.len() > 10);
    for (name, weights) in &before {
        let classifier = name.starts_with("full8");
        assert_eq!(bits(weights), bits(&start[name]), "both rows start from one net");
        assert!(classifier || bits(weights) == bits(&after[name]), "{name} has moved");
        assert!(classifier || bits(weights) != bits(&tuned[name]), "{name} has not learnt");
    }
    // 24 kinds of pictures before, 14 actions after.
    assert_eq!((before["full8.bias"].dims(), after["full8.bias"].dims()), (&[24][..], &[14][..]));
}

/// Table 2: the results of each way of using a second data set.
#[test]
fn a_second_data_set_adds_classes_or_a_task() {
    let place = Place::new();
    let (tables, nets) = place.run(&["table2"], &[]);
    assert_eq!(nets, Nets { needed: 5, trained: 5 });
    let outputs = |row: &str| -> Vec<(String, usize)> {
        let stage = record(&tables[0], row).runs[0].stages.last().unwrap();
        let weights = place.weights(&stage.unit);
        let heads = weights.iter().filter(|(name, _)| name.starts_with("full8") && name.ends_with("bias"));
        heads.map(|(name, bias)| (name.clone(), bias.dims()[0])).collect()
    };
    assert_eq!(outputs("hmdb51-only"), [("full8.bias".to_owned(), 12)]);
    assert_eq!(outputs("fine-tuned"), [("full8.bias".to_owned(), 12)]);
    assert_eq!(outputs("classes-added"), [("full8.bias".to_owned(), 12 + 8)]);
    assert_eq!(outputs("multi-task"), [("full8_1.bias".to_owned(), 12), ("full8_2.bias".to_owned(), 14)]);
    // All splits of the second set together: 14 classes of 99 videos; smoke takes two of each.
    let videos = |row: &str| record(&tables[0], row).runs[0].stages.last().unwrap().training.videos;
    assert_eq!(videos("hmdb51-only"), 2 * 12);
    assert_eq!(videos("classes-added"), 2 * 12 + 2 * 8);
    assert_eq!(videos("multi-task"), 2 * 12 + 2 * 14);
    // A net that knows other classes too is tested only on the twelve classes.
    for scores in place.scores() {
        assert_eq!((scores.classes.len(), scores.videos.len()), (12, 24));
    }
}

/// Table 3: the SVM learns from scores of videos that their nets were not trained on, and never sees a test video.
#[test]
fn an_svm_learns_from_folds_that_its_nets_have_not_seen() {
    let place = Place::new();
    let (tables, nets) = place.run(&["table3"], &["svm", "average"]);
    // Each row needs both streams, the spatial one with its previous stage; the SVM needs them again for each of two folds.
    assert_eq!(nets, Nets { needed: 7, trained: 7 });
    let svm = record(&tables[0], "svm").runs[0].test.svm.clone().unwrap();
    assert_eq!(svm.videos, 28);
    assert!(svm.converged && svm.candidates.iter().any(|(c, _)| *c == svm.c));
    let Work::Fusion(plan) = &record(&tables[0], "svm").work else { panic!("a fusion") };
    assert_eq!(plan.fusion.folds(), 2);

    let set = |scores: &Scores| -> BTreeSet<String> { scores.videos.iter().cloned().collect() };
    let tested = set(place.scores().iter().max_by_key(|scores| scores.videos.len()).unwrap());
    assert_eq!(tested.len(), 28);
    let folds: Vec<_> = place.scores().iter().map(set).filter(|videos| *videos != tested).collect();
    // Two folds, each scored by two streams.
    assert_eq!(folds.len(), 4);
    let all: BTreeSet<_> = folds.iter().flatten().cloned().collect();
    assert_eq!(all.len(), 28, "every training video is scored");
    assert!(all.is_disjoint(&tested), "a test video has reached the SVM");
    let distinct: BTreeSet<_> = folds.iter().collect();
    assert_eq!(distinct.len(), 2);
    assert!(distinct.first().unwrap().is_disjoint(distinct.last().unwrap()));
}

/// ST-ResNet: streams, then the joined network, then the maximum over time, each from the previous weights.
#[test]
fn a_joined_network_comes_after_its_streams() {
    let place = Place::new();
    let rows = ["two-streams-ucf101", "st-resnet-ucf101", "st-resnet-star-ucf101"];
    let (tables, nets) = place.run(&["st-resnet/results"], &rows);
    // A stream needs itself and the previous stage; both streams start from the same net.
    assert_eq!(nets, Nets { needed: 5, trained: 5 });
    let stages = |row: &str| -> Vec<String> {
        record(&tables[0], row).runs[0].stages.iter().map(|stage| stage.unit.clone()).collect()
    };
    let (joined, star) = (stages("st-resnet-ucf101"), stages("st-resnet-star-ucf101"));
    assert_eq!((joined.len(), star.len()), (4, 5));
    assert_eq!(joined, star[..4]);
    assert_eq!(place.weights(&star[4])["motion.layer3.1.conv3.weight"].dims()[2..], [3, 1, 1]);
    assert_eq!(place.weights(&star[1])["fc.bias"].dims(), [14]);
    // The other table shows the same net.
    let (tables, nets) = place.run(&["st-resnet/table4"], &["st-resnet-star-ucf101"]);
    assert_eq!(nets, Nets { needed: 5, trained: 0 });
    assert_eq!(record(&tables[0], "st-resnet-star-ucf101").runs[0].stages.len(), 5);
}

/// Nets that tables share are trained once, and a second call trains none.
#[test]
fn tables_share_their_nets() {
    let place = Place::new();
    let rows = ["last-layer-low", "stack-10-on", "spatial", "temporal", "average"];
    let run = |tables: &[&str]| {
        let known = |table: &str| {
            let (spec, _) = place.workspace.spec(table).unwrap();
            rows.into_iter().filter(|id| spec.row.iter().any(|row| row.id == *id)).collect::<Vec<_>>()
        };
        tables.iter().map(|table| place.run(&[table], &known(table)).1).collect::<Vec<_>>()
    };
    let first = run(&["table1a", "table1b", "table3"]);
    assert_eq!((first[0].trained, first[1].trained), (2, 1));
    assert_eq!(first[2], Nets { needed: 3, trained: 0 });
    let again = run(&["table1a", "table1b", "table3"]);
    assert!(again.iter().all(|nets| nets.trained == 0), "{again:?}");
}

/// The cross-view table: three rows of one net, tested on three things, over two held-out views.
#[test]
fn one_net_of_pairs_is_tested_on_held_out_and_seen_views_and_by_pairs() {
    let place = Place::new();
    let rows = ["both-l1", "both-l1-seen", "both-l1-pairs", "contrastive-l2", "contrastive-l2-seen"];
    let (tables, nets) = place.run(&["siamese/cross-view"], &rows);
    let table = &tables[0];
    // Two nets on two splits, and one common pre-training.
    assert_eq!(nets, Nets { needed: 5, trained: 5 });
    let [unseen, seen, pairs] = ["both-l1", "both-l1-seen", "both-l1-pairs"].map(|row| record(table, row));
    for (run, (other, third)) in unseen.runs.iter().zip(seen.runs.iter().zip(&pairs.runs)) {
        let unit = |run: &experiment::record::RunRecord| run.stages.last().unwrap().unit.clone();
        assert_eq!((unit(run), unit(run)), (unit(other), unit(third)), "one net");
        assert!(run.test_unit != other.test_unit && run.test_unit != third.test_unit);
    }
    // Two events of ten classes: in the held-out view, and in the four others.
    assert_eq!((unseen.videos(), seen.videos(), pairs.videos()), ((40, 40), (160, 160), (40, 40)));
    assert_eq!((unseen.measure, pairs.measure), (Measure::Top1, Measure::PairArea));
    assert!(pairs.recall.is_empty() && unseen.recall.len() == 10);
    assert!((0.0..=100.0).contains(&pairs.top1.value) && pairs.top1.low <= pairs.top1.high);
    // The scale of the loss is in the record, and softmax alone has none.
    let scale = unseen.runs[0].stages.last().unwrap().training.contrastive.unwrap();
    assert!(scale.margin > 0.0 && scale.weight > 0.0, "{scale:?}");
    assert!(unseen.runs[0].stages[0].training.contrastive.is_none(), "pre-training");
    // Intervals treat actors as independent, of which each has several events.
    let actors = |record: &Record| BTreeSet::from_iter(record.blocks["1"].numbers().iter().copied());
    assert_eq!(actors(unseen), actors(seen));
    assert_eq!(unseen.blocks["1"].numbers().len(), 20, "of one of two splits");
    assert!(actors(unseen).len() < 20, "{:?}", unseen.blocks);
    let pairs_of = pairs.runs[0].pairs.as_ref().unwrap();
    assert_eq!(BTreeSet::from_iter(pairs_of.keys().copied()), actors(unseen));
    let text = table.terminal(Screen::default());
    assert!(text.contains("area under the ROC curve"), "{text}");
    // Running the same command again trains and tests nothing.
    let (again, nets) = place.run(&["siamese/cross-view"], &rows);
    assert_eq!(nets.trained, 0);
    assert_eq!(record(&again[0], "both-l1-pairs"), pairs);
}

/// A picture of nets of pairs shows views that these rows were not tested on.
#[test]
fn nets_of_pairs_are_drawn_from_one_row() {
    let place = Place::new();
    place.run(&["siamese/cross-view"], &["softmax"]);
    let files = place.with_runner(&["softmax"], |runner| runner.figures("siamese/cross-view").unwrap());
    let embedding = files.iter().find(|file| file.ends_with("embedding.svg")).unwrap();
    let svg = std::fs::read_to_string(embedding).unwrap();
    assert!(svg.contains("the view that training never saw") && svg.contains("stroke=\"#1f2328\""));
}
