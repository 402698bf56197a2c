//! `show`: the plan of a table, before it is run.

use data::augment::CropRule;
use data::extracted::Extraction;
use data::sample::{At, TimeSteps};
use flow::Method;
use nn::Factors;

use crate::error::{Error, Result};
use crate::grid::{Grid, Screen, wrapped};
use crate::speed;
use base::text::{NONE, duration, gibibytes, reported, thousands};
use plan::Workspace;
use plan::cost::{self, Nets};
use plan::fusion::ScoresOf;
use plan::spec::{Learns, TestBy, TestOn};
use plan::{
    ContrastivePlan, NetPlan, PairsPlan, Protocol, Request, Start, TablePlan, TestPlan, VideoPlan, Work,
};

/// The resolved plan of a table as text.
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
/// If the spec cannot be read or resolved.
pub fn show(workspace: &Workspace, table: &str, request: &Request, screen: Screen) -> Result<Shown> {
    let (spec, file) = workspace.spec(table)?;
    let plan = TablePlan::resolve(spec, file, request, workspace)?;
    let records = workspace.results.join(&plan.results);
    let records = records.strip_prefix(&workspace.root).unwrap_or(&records).display().to_string();
    Ok(Shown { plan: describe(&plan, &records, screen)?, estimate: estimate(&plan, screen)? })
}

/// Resolves a table and returns the plan as JSON: training and test of each row, every value explicit.
///
/// # Errors
/// If the spec cannot be read or resolved.
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
        #[serde(skip_serializing_if = "Vec::is_empty")]
        cautions: Vec<String>,
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
        cautions: plan.cautions(),
        rows: rows.collect(),
        claims: &plan.spec.claim,
    };
    Ok(serde_json::to_string_pretty(&shown).expect("a plan holds strings, numbers and lists only"))
}

fn describe(plan: &TablePlan, records: &str, screen: Screen) -> Result<String> {
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
    for caution in plan.cautions() {
        text.push_str(&format!("caution    {caution}\n"));
    }
    text.push_str(&protocols(plan));
    text.push_str(&format!("records    {records}\n\n"));
    text = hanging(&text, 11, screen);

    let mut lines = vec![
        ["row", "paper", "input", "learns", "channels x side", "parameters", "multiply-adds"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in plan.wanted() {
        let (id, paper) = (row.row.id.clone(), row.row.reported.map_or(NONE.into(), reported));
        lines.push(match &row.work {
            Work::Net(protocol) => {
                let NetFacts { sees, learns, channels, side, parameters, multiply_adds, .. } =
                    NetFacts::of(&protocol.net)?;
                let channels: Vec<String> = channels.iter().map(usize::to_string).collect();
                vec![
                    id,
                    paper,
                    sees,
                    learns,
                    format!("{} x {side}x{side}", channels.join(" + ")),
                    thousands(parameters),
                    format!("{:.3} G", multiply_adds as f64 / 1e9),
                ]
            }
            Work::Fusion(fusion) => {
                let streams = row.row.fuse.as_ref().map_or(String::new(), |fuse| fuse.streams.join(" + "));
                let by = fusion.fusion.words();
                vec![id, paper, streams, by, NONE.into(), NONE.into(), NONE.into()]
            }
            Work::Unavailable { reason } => {
                let [learns, channels, parameters, multiply_adds] = [NONE; 4].map(str::to_owned);
                vec![
                    id,
                    paper,
                    format!("not available: {reason}"),
                    learns,
                    channels,
                    parameters,
                    multiply_adds,
                ]
            }
        });
    }
    let grid = Grid::new(lines, 4).dispensable(&["multiply-adds", "parameters", "channels x side", "paper"]);
    text.push_str(&grid.terminal(screen));
    if let Some(protocol) = plan.wanted().flat_map(|row| row.work.protocols()).last() {
        let summary = protocol.net.model.summary().map_err(Error::network("describing the network"))?;
        text.push_str(&format!("\n\nThe network of the last row:\n{}\n", network(&summary, screen)));
    }
    text.push_str("\nClaims to be judged:\n");
    for claim in &spec.claim {
        let line = format!("  {} ({}): {}\n", claim.says, claim.place, claim.holds);
        text.push_str(&hanging(&line, 4, screen));
    }
    let departures = format!(
        "\nDepartures from the paper (docs/deviations.md): {}.\n",
        if plan.departures.is_empty() { "none".to_owned() } else { plan.departures.join("; ") }
    );
    text.push_str(&hanging(&departures, 0, screen));
    Ok(text)
}

/// Breaks lines that are too long for the screen. What is left of a line is indented.
fn hanging(text: &str, indent: usize, screen: Screen) -> String {
    let Some(width) = screen.width else { return text.to_owned() };
    let line = |line: &str| {
        // The beginning is laid out in columns, whose blanks stay.
        let begin = line.char_indices().nth(indent).map_or(line.len(), |(at, _)| at);
        let (begin, rest) = line.split_at(begin);
        let rest = wrapped(rest, width.saturating_sub(indent));
        format!("{begin}{}\n", rest.replace('\n', &format!("\n{}", " ".repeat(indent))))
    };
    text.lines().map(line).collect()
}

/// The layers of a network, in columns that fit the screen.
fn network(summary: &models::Summary, screen: Screen) -> String {
    let text = summary.to_string();
    if screen.width.is_none_or(|width| text.lines().all(|line| line.chars().count() <= width)) {
        return text;
    }
    let head = ["layer", "operation", "output", "parameters", "multiply-adds"];
    let count = |count: u64| if count == 0 { String::new() } else { thousands(count) };
    let rows = summary.rows.iter().map(|row| {
        let output: Vec<String> = row.output.iter().map(usize::to_string).collect();
        vec![
            row.name.clone(),
            row.operation.clone(),
            output.join("x"),
            count(row.parameters as u64),
            count(row.multiply_adds),
        ]
    });
    let lines = std::iter::once(head.map(str::to_owned).to_vec()).chain(rows);
    let grid = Grid::new(lines.collect(), 2).dispensable(&["multiply-adds", "parameters"]).terminal(screen);
    let last = text.lines().last().unwrap_or_default();
    [
        wrapped(&summary.title, screen.width.unwrap_or(usize::MAX)),
        grid,
        hanging(last, 0, screen).trim_end().to_owned(),
    ]
    .join("\n")
}

/// Facts about a row's net that are known before training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NetFacts {
    /// The architecture, as specs name it.
    pub architecture: &'static str,
    /// Its inputs, in words.
    pub sees: String,
    /// Initial weights, trained layers, training data and iterations, in words.
    pub learns: String,
    /// Channels of each input.
    pub channels: Vec<usize>,
    /// Height and width of its inputs in pixels.
    pub side: usize,
    /// Number of parameters.
    pub parameters: u64,
    /// Multiply-adds of one sample.
    pub multiply_adds: u64,
}

impl NetFacts {
    /// Derives the facts from a planned net.
    ///
    /// # Errors
    /// If the network cannot be described.
    pub fn of(net: &NetPlan) -> Result<Self> {
        let summary = net.model.summary().map_err(Error::network("describing the network"))?;
        Ok(Self {
            architecture: net.model.kind(),
            sees: sees(net),
            learns: learns(net),
            channels: net.inputs().map(|input| input.channels()).collect(),
            side: net.crop,
            parameters: summary.parameters() as u64,
            multiply_adds: summary.multiply_adds(),
        })
    }
}

/// A fact with its name, such as "rate" and "1e-2, throughout".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// Its name, one word.
    pub name: &'static str,
    /// The fact, in words.
    pub what: String,
}

/// Describes the inputs: "stack, L = 10, mean subtraction on", "a frame and 3 time steps, 5 to 15 frames apart: ...".
fn sees(net: &NetPlan) -> String {
    let read = |at: At| -> Vec<String> {
        let inputs = net.sample.inputs.iter().filter(|input| input.at == at);
        inputs.map(|input| input.input.label()).collect()
    };
    let mut what = read(At::Middle);
    let every = read(At::Every).join(" and ");
    what.push(match net.sample.time_steps {
        TimeSteps::Strided { count, from, to } => {
            format!("{count} time steps, {from} to {to} frames apart: {every}")
        }
        TimeSteps::Windows { count, stride } => format!("{count} windows, {stride} frames apart: {every}"),
        TimeSteps::Segments { count } => format!("{count} segments: {every}"),
        _ => every,
    });
    what.join(" and ")
}

/// Describes the training: "pre-trained, last layer, on synth, 1,000 iterations".
fn learns(net: &NetPlan) -> String {
    let start = match &net.train.start {
        Start::HeNormal => "from scratch",
        Start::Streams { appearance: Some(_), motion: Some(_) } => "from both streams",
        Start::Streams { .. } => "pre-trained",
        Start::Net { classifiers: true, .. } => "continued",
        Start::Net { .. } | Start::Weights { .. } => "pre-trained",
    };
    let learns = match (&net.train.start, net.train.learns) {
        (Start::HeNormal, _) => "",
        (_, Learns::All) => ", all layers",
        (_, Learns::LastLayer) => ", last layer",
    };
    let data: Vec<&str> = net.data.iter().map(|data| data.set.as_str()).collect();
    let iterations = thousands(net.train.iterations as u64);
    format!("{start}{learns}, on {}, {iterations} iterations", data.join(" and "))
}

/// Describes the training and test of the rows' nets; rows with equal facts share one block.
fn protocols(plan: &TablePlan) -> String {
    let mut groups: Vec<(Vec<Fact>, Vec<&str>)> = Vec::new();
    for row in plan.wanted() {
        let Work::Net(protocol) = &row.work else { continue };
        let facts = protocol_facts(protocol);
        match groups.iter_mut().find(|(known, _)| *known == facts) {
            Some((_, rows)) => rows.push(&row.row.id),
            None => groups.push((facts, vec![&row.row.id])),
        }
    }
    let one = groups.len() == 1;
    let block = |(facts, rows): &(Vec<Fact>, Vec<&str>)| {
        let lines: String = facts.iter().map(|Fact { name, what }| format!("{name:10} {what}\n")).collect();
        if one { lines } else { format!("\nrows       {}\n{lines}", rows.join(", ")) }
    };
    let text: String = groups.iter().map(block).collect();
    if one { text } else { format!("{text}\n") }
}

/// Describes the training and test of a net: videos, training, learning rate, SGD, test.
pub fn protocol_facts(protocol: &Protocol) -> Vec<Fact> {
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
    let fact = |name, what| Fact { name, what };
    vec![
        fact("video", format!("short side {}, {values}", video.short_side)),
        fact(
            "training",
            format!(
                "{} iterations of {} {}, {crops} {}x{} crops{}{}",
                thousands(train.iterations as u64),
                train.batch,
                what_is_drawn(train.pairs),
                net.crop,
                net.crop,
                if augmentation.flip { " and flips" } else { "" },
                if augmentation.colour.is_some() { ", RGB jittering" } else { "" },
            ),
        ),
        fact(
            "rate",
            format!(
                "{}, {}",
                rate(train.schedule.base_lr),
                if steps.is_empty() { "throughout".to_owned() } else { steps.join(", ") }
            ),
        ),
        fact(
            "sgd",
            format!(
                "momentum {}, weight decay {:.0e}{}{}",
                train.momentum,
                train.weight_decay,
                factors_words(train.factors),
                train
                    .clip_gradient_norm
                    .map_or(String::new(), |norm| format!(", gradient norm clipped at {norm}")),
            ),
        ),
        fact(
            "test",
            format!(
                "{} frames{} x {} crops, {}",
                protocol.test.frames.map_or_else(|| grid_words(net), |frames| frames.to_string()),
                if protocol.test.as_clip { " as one clip" } else { "" },
                match protocol.test.crops {
                    data::loader::Crops::Ten => 10,
                    data::loader::Crops::Center => 1,
                },
                tested_words(&protocol.test),
            ),
        ),
    ]
}

/// Formats a learning rate: 0.01 as 1e-2, 0.002857 as 2.86e-3.
fn rate(rate: f64) -> String {
    let (round, exact) = (format!("{rate:.0e}"), format!("{rate:.2e}"));
    if (round.parse::<f64>().unwrap_or(0.0) / rate - 1.0).abs() < 1e-9 { round } else { exact }
}

/// Describes a batch: "videos drawn across classes", "pairs of views, 20 dissimilar for each similar one".
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

/// Describes the tested frames: "one in 10".
fn grid_words(net: &NetPlan) -> String {
    match net.sample.time_steps {
        TimeSteps::Grid { every } => format!("one in {every}"),
        _ => "all".into(),
    }
}

/// Describes the factors that are not 1: ", biases at 2 x the rate and 0 x the decay".
fn factors_words(factors: Factors) -> String {
    let Factors { bias_rate, bias_decay, first_layer_rate } = factors;
    let mut words = String::new();
    if (bias_rate, bias_decay) != (1.0, 1.0) {
        words.push_str(&format!(", biases at {bias_rate} x the rate and {bias_decay} x the decay"));
    }
    if first_layer_rate != 1.0 {
        words.push_str(&format!(", first layer at {first_layer_rate} x the rate"));
    }
    words
}

/// Describes how a test scores, and on which videos.
fn tested_words(test: &TestPlan) -> String {
    let by = match test.by {
        TestBy::Softmax => match test.scores {
            ScoresOf::Softmax => "mean of the softmax",
            ScoresOf::Logits => "softmax of the mean scores",
        },
        TestBy::NearestNeighbour => "mean over nearest neighbours among the training frames",
        TestBy::Pairs => "area under the ROC curve of pairs",
    };
    let on = match test.on {
        TestOn::Test => "",
        TestOn::SeenViews => ", on the views of the training",
    };
    format!("{by}{on}")
}

/// Describes the flow: "TV-L1 flow", "extracted flow of bound 20".
fn flow_words(video: &VideoPlan) -> String {
    if let Some(Extraction { bound, check }) = video.extraction {
        return format!("extracted flow of bound {bound}{}", if check { "" } else { ", not checked" });
    }
    let method = match &video.flow {
        Some(Method::TvL1(_)) => "TV-L1 flow",
        Some(Method::Brox(_)) => "flow of Brox et al.",
        Some(Method::Dis(_)) => "flow of dense inverse search",
        _ => "flow",
    };
    match video.flow_bound {
        Some(bound) => format!("{method} clipped to {bound} pixels"),
        None => method.to_owned(),
    }
}

/// Returns the name of a unit variant in a spec.
fn kebab(value: &impl serde::Serialize) -> String {
    serde_json::to_value(value).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default()
}

/// Estimates time and memory of the plan on this machine, from the measured speed of training a convolution.
fn estimate(plan: &TablePlan, screen: Screen) -> Result<String> {
    let speed = speed::of_this_machine()?;
    let mut lines = vec![["row", "memory", "nets", "training", "testing"].map(str::to_owned).to_vec()];
    let line = |name: &str, nets: &Nets| {
        vec![
            name.to_owned(),
            gibibytes(nets.training.bytes.max(nets.testing.bytes)),
            nets.trainings.to_string(),
            format!("about {}", duration(nets.training.seconds(&speed))),
            format!("about {}", duration(nets.testing.seconds(&speed))),
        ]
    };
    for row in plan.wanted().filter(|row| !row.work.protocols().is_empty()) {
        lines.push(line(&row.row.id, &cost::of_row(plan, row)?));
    }
    let all = cost::of_table(plan)?;
    lines.push(line("all, each net once", &all));
    Ok(format!(
        "Estimate for this machine ({} threads, {:.0} GFLOP/s in a convolution), excluding the preparation of videos:\n{}\n",
        rayon::current_num_threads(),
        speed.operations / 1e9,
        Grid::new(lines, 1).dispensable(&["nets", "memory"]).terminal(screen),
    ))
}
