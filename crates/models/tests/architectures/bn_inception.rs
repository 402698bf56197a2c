//! BN-Inception.

use std::path::Path;

use models::{Architecture, BatchStatistics, BnInceptionConfig, Channels, Summary};
use nn::Params;
use testkit::{fixture, sizes};

use crate::support::{self, agrees_with_its_summary, device, input, loss_after};

fn small() -> BnInceptionConfig {
    BnInceptionConfig {
        input: [64, 64],
        width_divisor: 16,
        dropout: 0.0,
        ..BnInceptionConfig::paper(Channels::FRAME, 4)
    }
}

fn agrees_with_pytorch(name: &str, batch_statistics: BatchStatistics, rate: f64) {
    let tensors = fixture(name);
    let (_, channels, height, width) = input(&tensors).dims4().unwrap();
    let config = BnInceptionConfig {
        input: [height, width],
        width_divisor: sizes(&tensors["width-divisor"])[0],
        dropout: 0.0,
        batch_statistics,
        ..BnInceptionConfig::paper(support::channels(channels), 5)
    };
    let params = Params::new(device());
    let network = config.build(&params.builder(0)).unwrap();
    support::agrees_with_pytorch(name, &tensors, &params, &network, rate);
}

#[test]
fn it_agrees_with_pytorch_in_training() {
    agrees_with_pytorch("bn_inception_batch", BatchStatistics::All, 1e-4);
}

#[test]
fn it_agrees_with_pytorch_with_all_but_the_first_statistics_frozen() {
    agrees_with_pytorch("bn_inception_partial", BatchStatistics::First, 1e-3);
}

fn paper() -> Summary {
    BnInceptionConfig::paper(Channels::FRAME, 101).summary().unwrap()
}

#[test]
fn the_paper_network_has_its_exact_size() {
    assert_eq!(paper().parameters(), 10_373_765);
    assert!((2.025e9..2.035e9).contains(&(paper().multiply_adds() as f64)));
    let last = paper().rows.into_iter().find(|row| row.name == "inception_5b/output");
    assert_eq!(last.unwrap().output, [1024, 7, 7]);
    insta::assert_snapshot!("paper_spatial", paper());
    let temporal = BnInceptionConfig {
        batch_statistics: BatchStatistics::First,
        ..BnInceptionConfig::paper(Channels::flow(20), 101)
    };
    insta::assert_snapshot!("paper_temporal", temporal.summary().unwrap());
}

/// The table that the PyTorch version is made from has every layer, in the same order.
#[test]
fn it_follows_the_table() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../testkit/reference/bn_inception.tsv");
    let text = std::fs::read_to_string(path).unwrap();
    let summary = paper();
    let mut rows = summary.rows.iter().filter(|row| !row.name.ends_with("_bn")).peekable();
    for line in text.lines().skip(1) {
        let [name, kind, _, width, kernel, stride, pad] =
            line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let row = rows.next().unwrap();
        assert_eq!(row.name, name);
        let padded = if pad == "0" { String::new() } else { format!(" pad {pad}") };
        let window = format!("{kernel}x{kernel} stride {stride}");
        let operation = match kind {
            "conv+bn+relu" => format!("conv {window} pad {pad}"),
            "max_pool" => format!("max-pool {window}{padded}, rounding up"),
            "ave_pool" if name == "global_pool" => "average over 7x7".into(),
            "ave_pool" => format!("average-pool {window}{padded}, rounding up"),
            other => other.to_owned(),
        };
        let found = row.operation.split(" <- ").next().unwrap();
        assert!(found.starts_with(&operation), "{name}: {found}, expected {operation}");
        if !width.is_empty() {
            assert_eq!(row.output[0].to_string(), width, "{name}");
        }
    }
    assert!(rows.next().is_none());
}

#[test]
fn the_summary_lists_what_runs() {
    let params = Params::new(device());
    let network = small().build(&params.builder(0)).unwrap();
    agrees_with_its_summary(&small().summary().unwrap(), &params, &network);
}

#[test]
fn one_batch_is_learnt_by_heart() {
    let params = Params::new(device());
    let network = small().build(&params.builder(1)).unwrap();
    let last = loss_after(150, &small().summary().unwrap(), &params, &network, 0.01);
    assert!(last < 0.05, "the loss is still {last}");
}

#[test]
fn sizes_that_do_not_fit_are_refused() {
    let divisor = BnInceptionConfig { width_divisor: 3, ..small() };
    insta::assert_snapshot!(
        divisor.summary().unwrap_err(),
        @"BN-Inception: width-divisor is 3, expected 1, 2, 4, 8, 16 or 32"
    );
    let odd = BnInceptionConfig { input: [72, 72], ..small() };
    insta::assert_snapshot!(
        odd.summary().unwrap_err(),
        @"BN-Inception, layer inception_3c/output: cannot concatenate feature maps of different sizes: [[10, 5, 5], [6, 5, 5], [20, 4, 4]]"
    );
}
