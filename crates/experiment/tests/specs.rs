//! Tests of specs and plans: the resolved plans of committed tables, and the
//! error messages for mistakes.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::path::Path;

use experiment::grid::Screen;
use plan::spec::{ProfileName, Spec};
use plan::{Error, Request, Workspace};
use plan::{TablePlan, Work};

fn workspace() -> Workspace {
    Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

/// Parses and resolves a changed table.
fn resolve_in(table: &str, from: &str, to: &str) -> Result<TablePlan, Error> {
    let path = workspace().find(table).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    assert!(text.contains(from), "`{from}` is not in the spec");
    let file = path.strip_prefix(workspace().root).unwrap().to_owned();
    let experiments = workspace().root.join("experiments");
    let spec = Spec::parse(&text.replacen(from, to, 1), &file, &experiments)?;
    TablePlan::resolve(spec, file, &Request::default(), &workspace())
}

/// Resolves a committed table.
fn plan(table: &str, request: &Request) -> TablePlan {
    let (spec, file) = workspace().spec(table).unwrap();
    TablePlan::resolve(spec, file, request, &workspace()).unwrap()
}

#[test]
fn every_committed_spec_resolves_at_every_profile() {
    let workspace = workspace();
    for file in workspace.spec_files().unwrap() {
        for profile in [ProfileName::Paper, ProfileName::Mini, ProfileName::Smoke] {
            let request = Request { profile: Some(profile), ..Request::default() };
            let spec = Spec::read(&file).unwrap();
            TablePlan::resolve(spec, file.clone(), &request, &workspace).unwrap();
        }
    }
}

/// Their records say where the weights of a fused row are.
#[test]
fn a_fusion_brings_the_rows_that_it_fuses() {
    let rows = |row: &str| -> Vec<String> {
        let plan = plan("table3", &Request { rows: vec![row.into()], ..Request::default() });
        plan.wanted().map(|row| row.row.id.clone()).collect()
    };
    assert_eq!(rows("average"), ["spatial", "temporal", "average"]);
    assert_eq!(rows("temporal"), ["temporal"]);
}

#[test]
fn the_plan_of_table_1b() {
    for profile in [ProfileName::Paper, ProfileName::Mini] {
        let request = Request { profile: Some(profile), ..Request::default() };
        let shown = experiment::show::show(&workspace(), "table1b", &request, Screen::default()).unwrap();
        insta::assert_snapshot!(format!("table1b-{profile}"), shown.plan);
    }
}

/// At every profile, the rows of Table 1b differ only in their inputs.
#[test]
fn rows_of_a_table_share_all_but_their_input() {
    let plan = plan("table1b", &Request::default());
    let cells = plan.rows.iter().filter(|row| row.row.column.is_some());
    let mut protocols = cells.map(|row| {
        let Work::Net(protocol) = &row.work else { panic!("{} is no net", row.row.id) };
        let mut protocol = protocol.clone();
        protocol.net.sample = plan.rows[0].work.protocols()[0].net.sample.clone();
        let models::ModelConfig::CnnM2048(model) = &mut protocol.net.model else {
            panic!("table 1b is of CNN-M-2048, found {:?}", protocol.net.model);
        };
        model.channels = 0;
        protocol
    });
    let first = protocols.next().unwrap();
    assert!(protocols.all(|protocol| protocol == first));
}

#[test]
fn the_plans_of_the_other_tables() {
    for table in [
        "table1a",
        "table2",
        "table3",
        "two-stream/table4",
        "st-resnet/results",
        "st-resnet/table4",
        "pyramid/snippets",
        "pyramid/attention",
        "pyramid/stacking",
        "pyramid/comparison",
    ] {
        let shown =
            experiment::show::show(&workspace(), table, &Request::default(), Screen::default()).unwrap();
        let rows = shown.plan.split("\n\nThe network").next().unwrap();
        // Snapshots of the first paper's tables are named without the paper.
        let name = table.strip_prefix("two-stream/").unwrap_or(table).replace('/', "-");
        insta::assert_snapshot!(name, rows);
    }
}

/// Table 3 fuses nets of Tables 1a and 1b: every value is equal, so that they are trained once.
#[test]
fn a_row_of_another_table_is_the_same_net() {
    let other = |table: &str, id: &str| {
        let plan = plan(table, &Request::default());
        plan.rows.iter().find(|row| row.row.id == id).unwrap().work.protocols().last().unwrap().clone()
    };
    assert_eq!(other("table3", "spatial"), other("table1a", "last-layer-low"));
    assert_eq!(other("table3", "average"), other("table1b", "stack-10-on"));
    assert_eq!(other("two-stream/table4", "temporal-hmdb51"), other("table2", "multi-task"));
    assert_eq!(other("two-stream/table4", "temporal-ucf101"), other("table3", "multi-task-svm"));
    let stage = |protocol: plan::Protocol| protocol.net.stages()[0].clone();
    assert_eq!(
        stage(other("two-stream/table4", "spatial-hmdb51")),
        stage(other("table1a", "fine-tuned-high"))
    );
}

/// The heads also work on other base networks.
#[test]
fn a_pyramid_may_stand_on_another_base() {
    let plan = resolve_in("pyramid/snippets", "model = \"bn-inception\"", "model = \"resnet-50\"").unwrap();
    let model = |id: &str| {
        let row = plan.rows.iter().find(|row| row.row.id == id).unwrap();
        row.work.protocols()[0].net.model.clone()
    };
    assert_eq!(model("concatenation-1").kind(), "resnet-50");
    let models::ModelConfig::Pyramid(pyramid) = model("compact-bilinear-5") else { panic!("no pyramid") };
    assert!(matches!(pyramid.base, models::PyramidBase::ResNet50(_)));
}

/// Rows whose data are unavailable are reported, not omitted or replaced.
#[test]
fn rows_that_need_a_second_data_set_say_so_where_there_is_none() {
    let request = Request { dataset: Some("weizmann".into()), ..Request::default() };
    let reasons = |table: &str| -> Vec<String> {
        let plan = plan(table, &request);
        let reason = |work: &Work| match work {
            Work::Unavailable { reason } => Some(reason.clone()),
            _ => None,
        };
        plan.rows.iter().filter_map(|row| Some(format!("{}: {}", row.row.id, reason(&row.work)?))).collect()
    };
    assert_eq!(reasons("table1a"), Vec::<String>::new());
    assert_eq!(reasons("table2").len(), 4);
    insta::assert_debug_snapshot!(reasons("table3"));
}

/// `run` names them, so that equal numbers surprise nobody.
#[test]
fn rows_that_a_profile_makes_equal() {
    let alike = |profile| {
        let of_table = |file: std::path::PathBuf| {
            let request = Request { profile: Some(profile), ..Request::default() };
            let spec = Spec::read(&file).unwrap();
            let plan = TablePlan::resolve(spec, file, &request, &workspace()).unwrap();
            let groups = plan.rows_alike().into_iter().map(|ids| ids.join(", ")).collect::<Vec<_>>();
            (plan.spec.name().to_owned(), groups)
        };
        let tables = workspace().spec_files().unwrap().into_iter().map(of_table);
        tables.filter(|(_, groups)| !groups.is_empty()).collect::<Vec<_>>()
    };
    let at =
        [ProfileName::Paper, ProfileName::Mini, ProfileName::Smoke].map(|profile| (profile, alike(profile)));
    insta::assert_debug_snapshot!(at);
}

#[test]
fn a_question_of_its_own_has_a_folder_of_its_own() {
    let results = |request: Request| {
        plan("table1b", &request).results.file_name().unwrap().to_string_lossy().into_owned()
    };
    assert_eq!(results(Request::default()), "synth-mini");
    assert_eq!(results(Request { data_seeds: vec![0], ..Request::default() }), "synth-mini");
    assert_eq!(results(Request { data_seeds: vec![7], ..Request::default() }), "synth-mini.data-seed-7");
    assert_eq!(results(Request { seeds: Some(3), ..Request::default() }), "synth-mini.seeds-3");
    let split = Request { splits: vec!["2".into(), "3".into()], ..Request::default() };
    assert_eq!(results(split), "synth-mini.splits-2+3");
    let real = Request { dataset: Some("weizmann".into()), accept_messages: true, ..Request::default() };
    assert_eq!(results(real.clone()), "weizmann-mini.accept-messages");
    let accepts = |request: &Request| plan("table1b", request).stages().any(|net| net.video.accept_messages);
    assert!(accepts(&real) && !accepts(&Request { accept_messages: false, ..real.clone() }));
    let said = "videos in which ffmpeg reports errors are taken as they are".to_owned();
    assert!(plan("table1b", &real).departures.contains(&said));
}

#[test]
fn generated_videos_have_no_messages_to_accept() {
    let request = Request { accept_messages: true, ..Request::default() };
    let (spec, file) = workspace().spec("table1b").unwrap();
    let error = TablePlan::resolve(spec, file, &request, &workspace()).unwrap_err().to_string();
    assert!(error.contains("--accept-messages applies to real videos only"), "{error}");
}

/// Tests mistakes, each with its error message.
macro_rules! mistakes {
    ($($name:ident: $table:literal, $from:expr => $to:expr;)*) => {
        $(#[test]
        fn $name() {
            let error = resolve_in($table, $from, $to).expect_err("the mistake was not noticed");
            insta::assert_snapshot!(stringify!($name), format!("exit code {}\n{error}", error.exit_code()));
        })*
    };
}

mistakes! {
    misspelt_key: "table1b", "mean-subtraction = true" => "mean-substraction = true";
    misspelt_key_of_a_section: "table1b", "weight-decay = 5e-4" => "weight-decai = 5e-4";
    unknown_section: "table1b", "[shared.train.scratch]" => "[shared.training.scratch]";
    unknown_kind_of_model: "table1b", "model = \"cnn-m-2048\"" => "model = \"cnn-m\"";
    wrong_type: "table1b", "batch = 256" => "batch = \"many\"";
    broken_toml: "table1b", "title = \"" => "title = ";
    missing_key: "table1b", "momentum = 0.9\n" => "\n";
    bi_directional_with_odd_length: "table1b",
        "sampling = \"bi-directional\", length = 10" => "sampling = \"bi-directional\", length = 9";
    empty_stack: "table1b", "sampling = \"stack\", length = 1," => "sampling = \"stack\", length = 0,";
    two_rows_of_one_name: "table1b", "id = \"stack-5-on\"" => "id = \"single-on\"";
    row_name_with_a_blank: "table1b", "id = \"stack-5-on\"" => "id = \"stack 5\"";
    column_that_the_table_does_not_have: "table1b", "column = \"off\"" => "column = \"maybe\"";
    claim_about_an_unknown_row: "table1b",
        "holds = \"stack-5-on > single-on\"" => "holds = \"stack-5-on > singel-on\"";
    claim_that_is_no_comparison: "table1b", "holds = \"stack-5-on > single-on\"" => "holds = \"stack-5-on\"";
    name_that_does_not_fit_the_path: "table1b", "table = \"1b\"" => "table = \"1c\"";
    rate_steps_out_of_order: "table1b", "at = 50_000" => "at = 75_000";
    picture_too_small_for_the_network: "table1b",
        "size = 0.25\nwidth = 0.125" => "size = 0.03\nwidth = 0.125";
    factor_of_zero: "table1b", "width = 0.125" => "width = 0.0";
    dropout_of_everything: "table1b", "dropout = 0.9" => "dropout = 1.5";
    momentum_that_is_no_number: "table1b", "momentum = 0.9" => "momentum = nan";
    momentum_of_two: "table1b", "momentum = 0.9" => "momentum = 2.0";
    momentum_below_zero: "table1b", "momentum = 0.9" => "momentum = -1.0";
    weight_decay_without_end: "table1b", "weight-decay = 5e-4" => "weight-decay = inf";
    batch_of_nothing: "table1b", "batch = 256" => "batch = 0";
    batch_of_a_trillion: "table1b", "batch = 256" => "batch = 1_000_000_000_000";
    batch_below_zero: "table1b", "batch = 256" => "batch = -1";
    no_iterations: "table1b", "iterations = 80_000" => "iterations = 0";
    test_without_frames: "table1b", "test = { frames = 25" => "test = { frames = 0";
    two_claims_of_one_name: "table1b", "id = \"ten-beats-one\"" => "id = \"stacking-helps\"";
    unknown_data_set: "table1b", "dataset = \"synth\"" => "dataset = \"sinth\"";
    slow_fusion_of_too_few_frames: "table1b", "frames = 11" => "frames = 9";
    row_of_a_table_that_does_not_have_it: "table1b", "table1a/scratch-high" => "table1a/scratch-hihg";
    row_of_no_table: "table1b", "table1a/scratch-high" => "table9/scratch-high";
    protocol_that_is_not_there: "table1a", "net.train = \"scratch\"" => "net.train = \"scrach\"";
    last_layer_of_nothing: "table1a",
        "net.start = \"imagenet\"\nnet.learns = \"last-layer\"" => "net.learns = \"last-layer\"";
    start_that_is_not_there: "table1a", "net.start = \"imagenet\"" => "net.start = \"imagnet\"";
    start_from_another_kind_of_net: "table2", "net.start = \"ucf101\"\nnet.input = { kind = \"flow\", sampling = \"stack\", length = 10" =>
        "net.start = \"ucf101\"\nnet.input = { kind = \"flow\", sampling = \"stack\", length = 5";
    data_set_that_nothing_stands_for: "table1a", "net.on = \"ucf101\"" => "net.on = \"ufc101\"";
    split_of_a_stage_that_is_not_there: "table1a", "of = \"1\"" => "of = \"7\"";
    overlap_that_the_data_set_does_not_have: "table2", "\"sway-slow\"" => "\"sway-slwo\"";
    stage_of_no_split: "table1a", "videos = { of = \"1\" }\n" => "\n";
    stage_that_learns_from_test_videos: "table2", "on = \"ucf101\"\nvideos = \"all\"" => "on = \"hmdb51\"\nvideos = \"all\"";
    fusion_of_a_row_that_is_not_there: "table3", "[\"spatial\", \"temporal-bi\"]" => "[\"spatial\", \"temporal-by\"]";
    fusion_of_one: "table3", "[\"spatial\", \"temporal-bi\"]" => "[\"spatial\"]";
    fusion_of_different_videos: "two-stream/table4",
        "[\"spatial-ucf101\", \"temporal-ucf101\"]" => "[\"spatial-ucf101\", \"temporal-hmdb51\"]";
    splits_of_no_data_set: "table2", "splits = { hmdb51 = [\"1\"], synth-hmdb" => "splits = { hmdb51 = [\"1\"], synth-hmbd";
    one_fold: "table3", "folds = 2" => "folds = 1";
    row_that_is_nothing: "table3", "same-as = \"table1a/last-layer-low\"\n" => "\n";
    row_without_a_column: "two-stream/table4", "column = \"UCF-101\"\nreported = 73.0" => "reported = 73.0";
    start_of_one_stream: "st-resnet/results",
        "{ appearance = \"appearance-ucf101\", motion = \"motion-ucf101\" }" => "{ appearance = \"appearance-ucf101\" }";
    start_of_one_net_for_two_streams: "st-resnet/results",
        "{ appearance = \"appearance-ucf101\", motion = \"motion-ucf101\" }" => "\"appearance-ucf101\"";
    streams_the_wrong_way_round: "st-resnet/results",
        "{ appearance = \"appearance-ucf101\", motion = \"motion-ucf101\" }" =>
        "{ appearance = \"motion-ucf101\", motion = \"appearance-ucf101\" }";
    streams_of_other_classes: "st-resnet/results", "motion = \"motion-ucf101\"" => "motion = \"motion-hmdb51\"";
    one_stream_twice: "st-resnet/results", "motion = \"motion-ucf101\"" => "motion = \"appearance-ucf101\"";
    stream_that_saw_other_flow: "st-resnet/results",
        "net.input = { kind = \"clip\", frames = 5, stride = [5, 15], length = 10, mean-subtraction = true }" =>
        "net.input = { kind = \"clip\", frames = 5, stride = [5, 15], length = 10, mean-subtraction = false }";
    snippets_without_a_pyramid: "pyramid/snippets",
        "net.pyramid = { snippets = \"concatenation\", classifies = \"motion\" }\n" => "\n";
    pyramid_that_is_given_no_frame: "pyramid/attention", "frame = true" => "frame = false";
    fusion_of_one_snippet: "pyramid/attention",
        "{ classifies = \"attended\" }" => "{ snippets = \"sum\", classifies = \"attended\" }";
    pyramid_without_sizes: "pyramid/snippets", "pyramid = { sketch = 8192, attention = 512 }" => "";
    pyramid_on_another_network: "pyramid/stacking",
        "net.start = { appearance" => "net.model = \"slow-fusion\"\nnet.start = { appearance";
    pyramid_with_a_sketch_without_end: "pyramid/snippets", "sketch = 8192" => "sketch = 80_000_000_000";
    snippets_without_end: "pyramid/snippets", "count = 3" => "count = 1_000_000";
    start_of_a_stream_that_is_not_there: "pyramid/snippets",
        "{ motion = \"imagenet\" }" => "{ appearance = \"imagenet\", motion = \"imagenet\" }";
    start_of_no_stream: "pyramid/snippets", "{ motion = \"imagenet\" }" => "{}";
    stream_that_is_no_stream: "pyramid/stacking",
        "motion = \"snippets/concatenation-1\"" => "motion = \"snippets/concatenation-3\"";
    gradients_clipped_at_nothing: "pyramid/snippets", "clip-gradient-norm = 20.0" => "clip-gradient-norm = 0.0";
    factor_of_no_protocol: "pyramid/attention", "iterations-of = { rgb" => "iterations-of = { rbg";
    budget_of_nothing: "across/papers", "budget = { multiply-adds = 8e12 }" => "budget = { multiply-adds = 0 }";
    budget_of_no_profile: "across/papers", "[profile.mini]\nbudget = { multiply-adds = 8e12 }\n" => "";
    budget_too_small_for_whole_iterations: "across/papers", "multiply-adds = 8e12" => "multiply-adds = 2e9";
    budget_of_a_fusion: "across/papers",
        "streams = [\"two-stream-spatial\", \"two-stream-temporal\"]" =>
        "streams = [\"two-stream-spatial\", \"two-stream-temporal\"]\nbudget = 1.0";
    row_of_no_paper: "across/papers", "two-stream/table1b/stack-10-on" => "two-streams/table1b/stack-10-on";
    width_that_no_inception_has: "pyramid/snippets", "width = 0.125" => "width = 0.3";
    clip_of_one_frame: "st-resnet/results", "frames = 5, stride" => "frames = 1, stride";
    clip_of_too_many_frames: "st-resnet/results", "frames = 5, stride" => "frames = 100_000_000_000, stride";
    stack_without_end: "table1b", "sampling = \"stack\", length = 1," => "sampling = \"stack\", length = 9_000_000_000,";
    clip_for_one_stream: "st-resnet/results", "net.model = \"st-resnet\"\n" => "\n";
    frame_for_two_streams: "st-resnet/results",
        "net.input = { kind = \"clip\", frames = 5, stride = [5, 15], length = 10, mean-subtraction = true }" =>
        "net.input = { kind = \"rgb\", frames = 1 }";
    strides_in_the_wrong_order: "st-resnet/results", "stride = [5, 15]" => "stride = [15, 5]";
    batch_norm_that_nothing_is_said_of: "st-resnet/results", "batch-statistics = \"all\"" => "";
    batch_norm_that_there_is_not: "table1b", "model = \"cnn-m-2048\"" => "model = \"cnn-m-2048\"\nbatch-statistics = \"all\"";
    losses_without_pairs: "siamese/cross-view", "pairs = 20 " => "";
    pairs_that_are_all_similar: "siamese/cross-view", "pairs = 20 " => "pairs = 0 ";
    accuracy_against_an_area: "siamese/cross-view", "both-l1-pairs > softmax-pairs" => "both-l1-pairs > softmax";
    pairs_of_any_time_steps: "siamese/cross-view",
        "test = { crops = \"center\" }" => "test = { frames = 5, crops = \"center\" }";
    losses_of_nothing: "siamese/cross-view",
        "{ softmax = false, contrastive = \"l1\" }" => "{ softmax = false }";
    contrastive_loss_without_sizes: "siamese/cross-view", "contrastive = { margin = 1.0, weight = 1.0 }" => "";
    margin_of_nothing: "siamese/cross-view", "margin = 1.0" => "margin = -1.0";
    distance_of_no_form: "siamese/cross-view", "contrastive = \"l2\"" => "contrastive = \"l3\"";
    softmax_that_learnt_nothing: "siamese/cross-view", "tested = { by = \"nearest-neighbour\" }" => "";
    same_as_nothing: "siamese/cross-view", "same-as = \"both-l1\"" => "same-as = \"both-l3\"";
    test_of_nothing_known: "siamese/cross-view", "{ on = \"seen-views\" }" => "{ on = \"seen-view\" }";
    test_frames_besides_a_grid: "siamese/cross-view",
        "test = { crops = \"center\" }" => "test = { frames = 25, crops = \"center\" }";
    test_frames_that_nothing_says: "table1b", "test = { frames = 25, crops = \"ten\" }" => "test = { crops = \"ten\" }";
    grid_without_steps: "siamese/cross-view", "every = 10" => "every = 0";
    rate_of_no_protocol: "siamese/cross-view", "rate-of = { pairs" => "rate-of = { pears";
    groups_that_no_width_fits: "siamese/cross-view", "width = 0.125" => "width = 0.011";
    weights_without_a_sum: "table1a", "imagenet = \"synth-stills\"" =>
        "imagenet = { repository = \"a/b\", revision = \"main\", file = \"f.safetensors\", names = \"caffe\" }";
    weights_with_half_a_sum: "table1a", "imagenet = \"synth-stills\"" =>
        "imagenet = { repository = \"a/b\", revision = \"main\", file = \"f.safetensors\", sha256 = \"12ab\", names = \"caffe\" }";
}

#[test]
fn a_short_name_of_several_papers_is_that_of_the_commands_paper() {
    let names = |asked: &[&str]| workspace().full_names(asked);
    assert_eq!(names(&["table1b", "table4"]).unwrap(), ["two-stream/table1b", "two-stream/table4"]);
    assert_eq!(names(&["table4", "results"]).unwrap(), ["st-resnet/table4", "st-resnet/results"]);
    let refused = |asked: &[&str]| names(asked).unwrap_err().to_string();
    let both = "`table4` is ambiguous: st-resnet/table4 or two-stream/table4; give the full name";
    assert_eq!(refused(&["table4"]), both);
    assert_eq!(refused(&["table1b", "results", "table4"]), both);
    assert!(refused(&["table1b", "table44"]).starts_with("unknown table `table44` (did you mean `table4`?)"));
}

/// Finds every number of a table, by its path.
fn numbers(value: &toml::Value, at: Vec<String>, found: &mut Vec<Vec<String>>) {
    let below = |key: &str| [at.clone(), vec![key.to_owned()]].concat();
    match value {
        toml::Value::Integer(_) | toml::Value::Float(_) => found.push(at),
        toml::Value::Array(list) => {
            list.iter().enumerate().for_each(|(key, value)| numbers(value, below(&key.to_string()), found));
        }
        toml::Value::Table(table) => {
            table.iter().for_each(|(key, value)| numbers(value, below(key), found));
        }
        _ => {}
    }
}

fn at<'a>(value: &'a mut toml::Value, path: &[String]) -> &'a mut toml::Value {
    path.iter().fold(value, |value, key| match value {
        toml::Value::Array(list) => &mut list[key.parse::<usize>().unwrap()],
        other => &mut other[key.as_str()],
    })
}

/// `EXECUTIONS=100000` tests more.
#[test]
fn no_number_of_a_spec_makes_a_plan_panic() {
    let executions: usize =
        std::env::var("EXECUTIONS").map_or(300, |text| text.parse().expect("EXECUTIONS is a number"));
    let odd = [i64::MIN, -1, 0, 1, 2, 3, 17, 65_536, 65_537, 1 << 31, 1 << 32, 1 << 40, 1 << 62, i64::MAX];
    let odd = odd.map(toml::Value::Integer).into_iter();
    let floats = [f64::NAN, f64::INFINITY, -1.0, 0.0, 1e-300, 1e300, 0.5].map(toml::Value::Float);
    let odd: Vec<toml::Value> = odd.chain(floats).collect();
    let workspace = workspace();
    let files = workspace.spec_files().unwrap();
    let specs: Vec<toml::Value> =
        files.iter().map(|file| toml::from_str(&std::fs::read_to_string(file).unwrap()).unwrap()).collect();
    let (mut refused, mut resolved) = (0, 0);
    // Nothing is drawn: all numbers of all tables, and all odd values, take turns.
    for execution in 0..executions {
        let which = execution % files.len();
        let mut spec = specs[which].clone();
        let mut places = Vec::new();
        numbers(&spec, Vec::new(), &mut places);
        let place = &places[execution.wrapping_mul(7919) % places.len()];
        *at(&mut spec, place) = odd[execution.wrapping_mul(104_729) % odd.len()].clone();
        let text = toml::to_string(&spec).unwrap();
        let file = files[which].strip_prefix(&workspace.root).unwrap().to_owned();
        let request = Request { profile: Some(ProfileName::Smoke), ..Request::default() };
        let experiments = workspace.root.join("experiments");
        let plan = Spec::parse(&text, &file, &experiments)
            .and_then(|spec| TablePlan::resolve(spec, file, &request, &workspace));
        match plan {
            Ok(_) => resolved += 1,
            Err(error) => {
                assert_eq!(error.exit_code(), 2, "{place:?}: {error}");
                refused += 1;
            }
        }
    }
    eprintln!("{executions} specs: {refused} refused, {resolved} resolved");
    assert!(refused > 0 && resolved > 0);
}
