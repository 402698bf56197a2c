//! Measures time and endpoint error by method and pair.
//!
//!     cargo bench -p flow --bench pairs
//!     cargo bench -p flow --bench pairs -- --against-opencv venv/bin/python [--rounds N]
//!
//! Alone, criterion measures (or `--serve` lets a peer take turns, see
//! [`testkit::bench`]). Against OpenCV, both sides get the same pictures and take turns,
//! and Markdown tables are printed. The generated pairs always run; the six real pairs run if
//! the folder of real clips exists.

#[path = "../../tests/pairs/mod.rs"]
mod generated;
mod opencv;
mod real;
mod versus;

use std::num::NonZeroUsize;
use std::rc::Rc;

use flow::{BroxParams, DisParams, Estimator, FlowField, GrayImage, Method, TvL1Params, Workspace};
use generated::{Kind, pair};
use serde_json::json;
use testkit::bench::{Case, Phase, Unit, Work};

/// The seed of the generated pairs; it was not used to choose presets.
const SEED: u64 = 1;

/// Width and height of the generated pairs, and of RubberWhale.
const SMALL: [usize; 2] = [320, 240];
const LARGE: [usize; 2] = [584, 388];

/// A pair with its name.
struct Named {
    name: String,
    from: GrayImage,
    to: GrayImage,
    truth: FlowField,
}

impl Named {
    fn generated(kind: Kind, [width, height]: [usize; 2]) -> Self {
        let generated::Pair { from, to, truth } = pair(kind, width, height, SEED);
        Self { name: kind.name().to_owned(), from, to, truth }
    }
}

/// Our methods.
fn methods() -> [(&'static str, Method); 7] {
    [
        ("dis-fast", Method::Dis(DisParams::fast())),
        ("dis", Method::Dis(DisParams::balanced())),
        ("dis-accurate", Method::Dis(DisParams::accurate())),
        ("tv-l1-fast", Method::TvL1(TvL1Params::fast())),
        ("tv-l1-accurate", Method::TvL1(TvL1Params::accurate())),
        ("brox-fast", Method::Brox(BroxParams::fast())),
        ("brox-accurate", Method::Brox(BroxParams::accurate())),
    ]
}

fn estimator(method: Method, threads: usize) -> Estimator {
    let threads = NonZeroUsize::new(threads).expect("at least one thread");
    Estimator::new(method).expect("presets are valid").with_threads(threads)
}

struct Run {
    estimator: Estimator,
    workspace: Workspace,
    pair: Rc<Named>,
}

impl Work for Run {
    fn sizes(&mut self) -> Vec<u64> {
        vec![2 * self.pair.from.data.len() as u64]
    }

    fn run(&mut self, _: usize) {
        let Self { estimator, workspace, pair } = self;
        estimator.compute_with(workspace, &pair.from, &pair.to).expect("the pictures are good");
    }
}

fn cases(threads: usize) -> Vec<Case> {
    let mut pairs: Vec<_> =
        [[64, 64], SMALL, LARGE].map(|size| Rc::new(Named::generated(Kind::Occlusion, size))).into();
    pairs.extend(real::pairs().into_iter().map(Rc::new));
    let mut cases = Vec::new();
    for pair in pairs {
        for (name, method) in methods() {
            let (width, height) = (pair.from.width, pair.from.height);
            let work = 2 * (width * height) as u64;
            let pair = Rc::clone(&pair);
            cases.push(Case {
                name: format!("{name}-{}-{width}x{height}", pair.name),
                group: "pairs",
                size: format!("{width}x{height}"),
                unit: Unit::Values,
                work,
                phases: vec![Phase { name: "flow", work }],
                apart: false,
                whole: false,
                facts: json!({"method": &method}),
                start: Box::new(move || {
                    let estimator = estimator(method.clone(), threads);
                    let workspace = estimator.workspace();
                    Box::new(Run { estimator, workspace, pair: Rc::clone(&pair) })
                }),
            });
        }
    }
    cases
}

fn main() {
    let arguments: Vec<String> = std::env::args().collect();
    let after = |flag: &str| arguments.iter().skip_while(|a| *a != flag).nth(1);
    if let Some(python) = after("--against-opencv") {
        let rounds = after("--rounds").map_or(7, |n| n.parse().expect("--rounds is followed by a number"));
        versus::against_opencv(python, rounds);
    } else {
        let threads = after("--threads").map_or(1, |n| n.parse().expect("--threads is followed by a number"));
        testkit::bench::main(&[("flow", env!("CARGO_PKG_VERSION").to_owned())], threads, &cases(threads));
    }
}
