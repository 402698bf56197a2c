//! `show`: what a table is before it is run.

use std::time::Instant;

use candle_core::{Device, Tensor};
use data::augment::CropRule;
use data::extracted::Extraction;
use data::sample::{At, Moments};
use flow::Method;

use crate::error::{Error, Result};
use crate::table::{self, duration, plain};
use plan::Workspace;
use plan::cost;
use plan::spec::{FuseBy, Learns, TestBy, TestOn};
use plan::{
    ContrastivePlan, NetPlan, PairsPlan, Protocol, Request, Start, TablePlan, TestPlan, VideoPlan, Work,
};

/// The resolved plan of a table, for people.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Everything that follows from the spec and the profile.
    pub plan: String,
    /// Estimates for this machine.
    pub estimate: String,
}

/// Resolves a table and describes it.
///
/// # Errors
/// Those of reading and resolving a spec.
pub fn show(workspace: &Workspace, table: &str, request: &Request) -> Result<Shown> {
    let (spec, file) = workspace.spec(table)?;
    let plan = TablePlan::resolve(spec, file, request, workspace)?;
    Ok(Shown { plan: describe(&plan)?, estimate: estimate(&plan)? })
}

/// Resolves a table, as JSON: what each row trains and tests, every value explicit.
///
/// # Errors
/// Those of reading and resolving a spec.
pub fn show_json(workspace: &Workspace, table: &str, request: &Request) -> Result<String> {
    #[derive(serde::Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Shown<'a> {
        table: String,
        title: &'a str,
        profile: String,
        data: String,
        results: String,
        departures: &'a [String],
        rows: Vec<ShownRow<'a>>,
        claims: &'a [plan::spec::Claim],
    }
    #[derive(serde::Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct ShownRow<'a> {
        id: &'a str,
        label: &'a str,
        column: Option<&'a str>,
        reported: Option<f64>,
        splits: &'a [String],
        seeds: &'a [u64],
        work: &'a Work,
    }
    let (spec, file) = workspace.spec(table)?;
    let plan = TablePlan::resolve(spec, file, request, workspace)?;
    let rows = plan.wanted().map(|row| ShownRow {
        id: &row.row.id,
        label: &row.row.label,
        column: row.row.column.as_deref(),
        reported: row.row.reported,
        splits: &row.splits,
        seeds: &row.seeds,
        work: &row.work,
    });
    let shown = Shown {
        table: plan.spec.name(),
        title: &plan.spec.title,
        profile: plan.profile.to_string(),
        data: plan.data_words(),
        results: plan.results.display().to_string(),
        departures: &plan.departures,
        rows: rows.collect(),
        claims: &plan.spec.claim,
    };
    Ok(serde_json::to_string_pretty(&shown).expect("a plan holds strings, numbers and lists only"))
}

fn describe(plan: &TablePlan) -> Result<String> {
    let spec = &plan.spec;
    let mut text = format!(
        "{}: {}\n{}\n\nprofile    {}\ndata       {}\n",
        spec.name(),
        spec.title,
        spec.source,
        plan.profile,
        plan.data_words(),
    );
    for facts in plan.cast.values() {
        let used: Vec<&str> = plan
            .rows
            .iter()
            .filter(|row| row.work.target() == Some(&facts.name))
            .flat_map(|row| &row.splits)
            .map(String::as_str)
            .collect();
        for split in facts.splits.iter().filter(|split| used.contains(&split.name.as_str())) {
            text.push_str(&format!(
                "{:10} {} classes; split {}: {} training and {} test videos\n",
                facts.name,
                facts.classes.len(),
                split.name,
                split.train,
                split.test
            ));
        }
    }
    text.push_str(&protocols(plan));
    text.push_str(&format!("records    results/{}\n\n", plan.results.display()));

    let mut lines = vec![
        ["row", "paper", "input", "learns", "channels x side", "parameters", "multiply-adds"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in plan.wanted() {
        let reported = row.row.reported.map_or("-".into(), table::reported);
        lines.push(match &row.work {
            Work::Net(protocol) => net_line(&row.row.id, reported, &protocol.net)?,
            Work::Fusion(fusion) => {
                let streams = row.row.fuse.as_ref().map_or(String::new(), |fuse| fuse.streams.join(" + "));
                let by = match (&fusion.by, &fusion.svm) {
                    (FuseBy::Average, _) => "mean of the scores".to_owned(),
                    (FuseBy::Svm, svm) => {
                        let folds = svm.as_ref().map_or(0, |svm| svm.folds);
                        format!("SVM, scores of {folds} held-out folds")
                    }
                };
                vec![row.row.id.clone(), reported, streams, by, "-".into(), "-".into(), "-".into()]
            }
            Work::Unavailable { reason } => {
                let id = row.row.id.clone();
                vec![
                    id,
                    reported,
                    format!("not available: {reason}"),
                    "-".into(),
                    "-".into(),
                    "-".into(),
                    "-".into(),
                ]
            }
        });
    }
    text.push_str(&plain(lines, 4));
    if let Some(protocol) = plan.wanted().flat_map(|row| row.work.protocols()).last() {
        let summary = protocol.net.model.summary().map_err(Error::network("describing the network"))?;
        text.push_str(&format!("\n\nThe network of the last row:\n{summary}\n"));
    }
    text.push_str("\nClaims to be judged:\n");
    for claim in &spec.claim {
        text.push_str(&format!("  {} ({}): {}\n", claim.says, claim.place, claim.holds));
    }
    text.push_str(&format!(
        "\nDepartures from the paper (docs/deviations.md): {}.\n",
        if plan.departures.is_empty() { "none".to_owned() } else { plan.departures.join("; ") }
    ));
    Ok(text)
}

/// The line of a row with a net of its own.
///
/// # Errors
/// For a network that cannot be described.
pub fn net_line(id: &str, reported: String, net: &NetPlan) -> Result<Vec<String>> {
    let summary = net.model.summary().map_err(Error::network("describing the network"))?;
    let read = |at: At| -> Vec<String> {
        let inputs = net.sample.inputs.iter().filter(|input| input.at == at);
        inputs.map(|input| input.input.label()).collect()
    };
    let mut what = read(At::Middle);
    let every = read(At::Every).join(" and ");
    what.push(match net.sample.moments {
        Moments::Strided { count, from, to } => {
            format!("{count} moments, {from} to {to} frames apart: {every}")
        }
        _ => every,
    });
    let what = what.join(" and ");
    let start = match &net.train.start {
        Start::HeNormal => "from scratch",
        Start::Streams { appearance: Some(_), motion: Some(_) } => "from both streams",
        Start::Streams { .. } => "pre-trained",
        Start::Net { classifiers: true, .. } => "goes on",
        Start::Net { .. } | Start::Weights { .. } => "pre-trained",
    };
    let learns = match (&net.train.start, net.train.learns) {
        (Start::HeNormal, _) => "",
        (_, Learns::All) => ", all layers",
        (_, Learns::LastLayer) => ", last layer",
    };
    let channels: Vec<String> = net.inputs().map(|input| input.channels().to_string()).collect();
    let data: Vec<&str> = net.data.iter().map(|data| data.set.as_str()).collect();
    let iterations = thousands(net.train.iterations as u64);
    Ok(vec![
        id.to_owned(),
        reported,
        what,
        format!("{start}{learns}, on {}, {iterations} iterations", data.join(" and ")),
        format!("{} x {}x{}", channels.join(" + "), net.crop, net.crop),
        thousands(summary.parameters() as u64),
        format!("{:.3} G", summary.multiply_adds() as f64 / 1e9),
    ])
}

/// How the rows' nets are trained and tested; rows that are alike in that stand together.
fn protocols(plan: &TablePlan) -> String {
    let mut groups: Vec<(String, Vec<&str>)> = Vec::new();
    for row in plan.wanted() {
        let Work::Net(protocol) = &row.work else { continue };
        let lines = protocol_lines(protocol);
        match groups.iter_mut().find(|(known, _)| *known == lines) {
            Some((_, rows)) => rows.push(&row.row.id),
            None => groups.push((lines, vec![&row.row.id])),
        }
    }
    let one = groups.len() == 1;
    let block = |(lines, rows): &(String, Vec<&str>)| {
        if one { lines.clone() } else { format!("\nrows       {}\n{lines}", rows.join(", ")) }
    };
    let text: String = groups.iter().map(block).collect();
    if one { text } else { format!("{text}\n") }
}

/// How a net is trained and tested.
pub fn protocol_lines(protocol: &Protocol) -> String {
    let net = &protocol.net;
    let train = &net.train;
    let steps: Vec<String> = train
        .schedule
        .steps
        .iter()
        .map(|(at, factor)| {
            format!("{} from iteration {}", rate(train.schedule.base_lr * factor), thousands(*at as u64))
        })
        .collect();
    let augmentation = &train.augmentation;
    let video = &net.video;
    let values = match net.flow().and_then(|input| input.flow()) {
        Some(flow) => format!(
            "{}, stored as {}, x {} into the network",
            flow_words(video),
            kebab(&video.storage),
            flow.scale
        ),
        None => format!("frames stored as {}", kebab(&video.storage)),
    };
    let crops = match augmentation.crop {
        CropRule::Random => "random",
        CropRule::Center => "central",
        CropRule::MultiScale(_) => "multi-scale corner",
    };
    format!(
        "video      short side {}, {values}\n\
         training   {} iterations of {} {}, {crops} {}x{} crops{}{}\n\
         rate       {}, {}\n\
         sgd        momentum {}, weight decay {:.0e}{}\n\
         test       {} frames{} x {} crops, {}\n",
        video.short_side,
        thousands(train.iterations as u64),
        train.batch,
        what_is_drawn(train.pairs),
        net.crop,
        net.crop,
        if augmentation.flip { " and flips" } else { "" },
        if augmentation.colour.is_some() { ", RGB jittering" } else { "" },
        rate(train.schedule.base_lr),
        if steps.is_empty() { "throughout".to_owned() } else { steps.join(", ") },
        train.momentum,
        train.weight_decay,
        train.clip_gradient_norm.map_or(String::new(), |norm| format!(", gradient norm clipped at {norm}")),
        protocol.test.frames.map_or_else(|| grid_words(net), |frames| frames.to_string()),
        if protocol.test.as_clip { " as one clip" } else { "" },
        match protocol.test.crops {
            data::loader::Crops::Ten => 10,
            data::loader::Crops::Center => 1,
        },
        tested_words(&protocol.test),
    )
}

/// 0.01 as 1e-2, 0.002857 as 2.86e-3.
fn rate(rate: f64) -> String {
    let (round, exact) = (format!("{rate:.0e}"), format!("{rate:.2e}"));
    if (round.parse::<f64>().unwrap_or(0.0) / rate - 1.0).abs() < 1e-9 { round } else { exact }
}

/// "videos drawn across classes", "pairs of views, 20 dissimilar for each similar one".
fn what_is_drawn(pairs: Option<PairsPlan>) -> String {
    let Some(PairsPlan { dissimilar, softmax, contrastive }) = pairs else {
        return "videos drawn across classes".into();
    };
    let mut losses: Vec<String> = softmax.then(|| "softmax".into()).into_iter().collect();
    if let Some(ContrastivePlan { distance, margin, weight }) = contrastive {
        let distance = kebab(&distance).to_uppercase();
        losses.push(format!("contrastive ({distance}, relative margin {margin}, weight {weight})"));
    }
    format!("pairs of views, {dissimilar} dissimilar for each similar one, {} loss", losses.join(" + "))
}

/// "all of one in 10".
fn grid_words(net: &NetPlan) -> String {
    match net.sample.moments {
        Moments::Grid { every } => format!("all of one in {every}"),
        _ => "all".into(),
    }
}

/// What a test asks, and of which videos.
fn tested_words(test: &TestPlan) -> String {
    let by = match test.by {
        TestBy::Softmax => "mean of the softmax",
        TestBy::NearestNeighbour => "mean over nearest neighbours among the training frames",
        TestBy::Pairs => "area under the ROC curve of pairs",
    };
    let on = match test.on {
        TestOn::Test => "",
        TestOn::SeenViews => ", on the views of the training",
    };
    format!("{by}{on}")
}

/// "TV-L1 flow", "extracted flow of bound 20".
fn flow_words(video: &VideoPlan) -> String {
    if let Some(Extraction { bound, check }) = video.extraction {
        return format!("extracted flow of bound {bound}{}", if check { "" } else { ", not checked" });
    }
    let method = match &video.flow {
        Some(Method::TvL1(_)) => "TV-L1 flow",
        Some(Method::Brox(_)) => "flow of Brox et al.",
        _ => "flow",
    };
    match video.flow_bound {
        Some(bound) => format!("{method} clipped to {bound} pixels"),
        None => method.to_owned(),
    }
}

/// The name that a unit variant has in a spec.
fn kebab(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// 90707781 as 90,707,781.
fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Time and memory of the plan on this machine, from the speed of one large
/// matrix product measured now: training needs three forward passes of
/// arithmetic an iteration and reaches about a third of that speed.
fn estimate(plan: &TablePlan) -> Result<String> {
    let speed = matrix_speed().map_err(Error::tensor("measuring this machine's speed"))?;
    let mut lines = vec![["row", "memory", "training, each run", "runs"].map(str::to_owned).to_vec()];
    let mut total = 0.0;
    for row in plan.wanted() {
        let Work::Net(protocol) = &row.work else { continue };
        let runs = row.splits.len() * row.seeds.len();
        let (mut bytes, mut seconds) = (0f64, 0.0);
        let mut stages: Vec<&NetPlan> = Vec::new();
        for net in protocol.net.stages() {
            // Two streams may come from one net.
            if stages.contains(&net) {
                continue;
            }
            stages.push(net);
            let cost = cost::training(net)?;
            bytes = bytes.max(cost.bytes);
            seconds += cost.operations / (speed * 0.35);
        }
        total += seconds * runs as f64;
        lines.push(vec![
            row.row.id.clone(),
            format!("{:.1} GiB", bytes / f64::from(1 << 30)),
            format!("about {}", duration(seconds)),
            runs.to_string(),
        ]);
    }
    Ok(format!(
        "Estimate for this machine ({} threads, {:.0} GFLOP/s in a matrix product):\n{}\n\
         training in all: about {}, without preparing the videos, testing and the folds of an SVM, and nets that rows \
         share counted for each\n",
        rayon::current_num_threads(),
        speed / 1e9,
        plain(lines, 1),
        duration(total)
    ))
}

/// Floating-point operations a second in a 1024 x 1024 matrix product, the
/// best of a few.
fn matrix_speed() -> candle_core::Result<f64> {
    const N: usize = 1024;
    let a = Tensor::ones((N, N), candle_core::DType::F32, &Device::Cpu)?;
    let mut best = f64::MAX;
    for _ in 0..6 {
        let begun = Instant::now();
        std::hint::black_box(a.matmul(&a)?);
        best = best.min(begun.elapsed().as_secs_f64());
    }
    Ok(2.0 * (N * N * N) as f64 / best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_are_grouped() {
        assert_eq!(thousands(90_707_781), "90,707,781");
        assert_eq!(thousands(256), "256");
        assert_eq!(thousands(1_000), "1,000");
    }
}
