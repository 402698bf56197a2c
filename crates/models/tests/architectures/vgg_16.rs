//! VGG-16. Its trunk is compared with PyTorch as a base of the pyramid (`pyramid.rs`).

use models::{Architecture, Channels, Summary, Vgg16Config};
use nn::Params;

use crate::support::{agrees_with_its_summary, device, loss_after};

fn small() -> Vgg16Config {
    Vgg16Config {
        input: [32, 32],
        width: 4,
        full: 16,
        dropout: 0.0,
        ..Vgg16Config::paper(Channels::FRAME, 4)
    }
}

fn paper(classes: usize) -> Summary {
    Vgg16Config::paper(Channels::FRAME, classes).summary().unwrap()
}

#[test]
fn the_paper_network_has_its_exact_size() {
    // torchvision's count, with 1,000 classes.
    assert_eq!(paper(1000).parameters(), 138_357_544);
    let output = |layer: &str| paper(1000).rows.into_iter().find(|row| row.name == layer).unwrap().output;
    assert_eq!(output("features.30"), [512, 7, 7]);
    assert_eq!(output("features.28"), [512, 14, 14]);
    insta::assert_snapshot!("paper_vgg", paper(101));
}

#[test]
fn the_summary_lists_what_runs() {
    for pooled in [[true; 5], [true, true, true, false, false]] {
        let config = Vgg16Config { pooled, ..small() };
        let params = Params::new(device());
        let network = config.build(&params.builder(0)).unwrap();
        agrees_with_its_summary(&config.summary().unwrap(), &params, &network);
    }
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
    assert!(Vgg16Config { input: [16, 16], ..small() }.summary().is_err());
    assert!(Vgg16Config { full: 0, ..small() }.summary().is_err());
    assert!(Vgg16Config { dropout: 1.0, ..small() }.summary().is_err());
}
