//! `show` and `list`: what a table is, before and after it is run.

use std::time::Instant;

use candle_core::{Device, Tensor};
use data::extracted::Extraction;
use flow::Method;

use crate::error::{Error, Result};
use crate::plan::{Protocol, Request, TablePlan, VideoPlan};
use crate::record::Record;
use crate::run::describe_data;
use crate::table::{duration, plain};
use crate::train::network_error;
use crate::workspace::Workspace;

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
    let plan = TablePlan::resolve(spec, file, request, |name| workspace.dataset_facts(name))?;
    Ok(Shown { plan: describe(&plan)?, estimate: estimate(&plan)? })
}

fn describe(plan: &TablePlan) -> Result<String> {
    let spec = &plan.spec;
    let mut text = format!(
        "{}: {}\n{}\n\nprofile    {}\ndata       {}, {} classes\n",
        spec.name(),
        spec.title,
        spec.source,
        plan.profile,
        describe_data(plan),
        plan.dataset.classes
    );
    let splits = plan.rows.first().map_or(&[][..], |row| &row.splits);
    for split in plan.dataset.splits.iter().filter(|s| splits.contains(&s.name)) {
        text.push_str(&format!(
            "split {:<4} {} training and {} test videos\n",
            split.name, split.train, split.test
        ));
    }
    if let Some(row) = plan.wanted().next() {
        text.push_str(&protocol_lines(&row.protocol));
    }
    text.push_str(&format!("records    results/{}\n\n", plan.results.display()));

    let mut lines = vec![
        ["row", "paper", "input", "channels x side", "parameters", "multiply-adds"]
            .map(str::to_owned)
            .to_vec(),
    ];
    for row in plan.wanted() {
        let p = &row.protocol;
        let summary = p.model.summary().map_err(network_error("describing the network"))?;
        lines.push(vec![
            row.row.id.clone(),
            row.row.reported.map_or("-".into(), |r| format!("{r:.1}")),
            format!(
                "{}, L = {}, mean subtraction {}",
                kebab(&p.input.sampling),
                p.input.length,
                if p.input.mean_subtraction { "on" } else { "off" }
            ),
            format!("{} x {}x{}", p.input.channels(), p.crop, p.crop),
            thousands(summary.parameters() as u64),
            format!("{:.3} G", summary.multiply_adds() as f64 / 1e9),
        ]);
    }
    text.push_str(&plain(lines, 3));
    if let Some(row) = plan.wanted().last() {
        let summary = row.protocol.model.summary().map_err(network_error("describing the network"))?;
        text.push_str(&format!("\n\nThe network of row {}:\n{summary}\n", row.row.id));
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

fn protocol_lines(p: &Protocol) -> String {
    let steps: Vec<String> = p
        .train
        .schedule
        .steps
        .iter()
        .map(|(at, factor)| {
            format!("{:.0e} from iteration {}", p.train.schedule.base_lr * factor, thousands(*at as u64))
        })
        .collect();
    format!(
        "video      short side {}, {}, stored as {}, x {} into the network\n\
         training   {} iterations of {} videos drawn across classes, random {}x{} crops{}\n\
         rate       {:.0e}, {}\n\
         sgd        momentum {}, weight decay {:.0e}, He-normal start\n\
         test       {} frames x {} crops, mean of the softmax\n",
        p.video.short_side,
        flow_words(&p.video),
        kebab(&p.video.storage),
        p.input.scale,
        thousands(p.train.iterations as u64),
        p.train.batch,
        p.crop,
        p.crop,
        if p.train.flip { " and flips" } else { "" },
        p.train.schedule.base_lr,
        steps.join(", "),
        p.train.momentum,
        p.train.weight_decay,
        p.test.frames,
        match p.test.crops {
            data::loader::Crops::Ten => 10,
            data::loader::Crops::Center => 1,
        },
    )
}

/// "TV-L1 flow", "extracted flow of bound 20".
fn flow_words(video: &VideoPlan) -> String {
    if let Some(Extraction { bound, check }) = video.extraction {
        return format!("extracted flow of bound {bound}{}", if check { "" } else { ", not checked" });
    }
    let method = match &video.flow {
        Method::TvL1(_) => "TV-L1 flow",
        Method::Brox(_) => "flow of Brox et al.",
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
        let p = &row.protocol;
        let summary = p.model.summary().map_err(network_error("describing the network"))?;
        let bytes = summary.training_bytes(p.train.batch) as f64;
        let work = 6.0 * summary.multiply_adds() as f64 * p.train.batch as f64 * p.train.iterations as f64;
        let seconds = work / (speed * 0.35);
        let runs = row.splits.len() * row.seeds.len();
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
         training in all: about {}, without preparing the videos and testing\n",
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

/// Every table: paper, rows, what has been run on what.
///
/// # Errors
/// Specs or records that cannot be read.
pub fn list(workspace: &Workspace) -> Result<String> {
    let mut lines = vec![["table", "title", "rows", "claims", "recorded"].map(str::to_owned).to_vec()];
    for file in workspace.spec_files()? {
        let shown = file.strip_prefix(&workspace.root).unwrap_or(&file);
        let text = std::fs::read_to_string(&file).map_err(Error::io("read", &file))?;
        let spec = crate::spec::Spec::parse(&text, shown)?;
        let folder = workspace.results.join(&spec.paper).join(format!("table{}", spec.table));
        let mut recorded = Vec::new();
        let mut runs: Vec<_> = std::fs::read_dir(&folder)
            .map(|entries| entries.filter_map(|e| e.ok().map(|e| e.path())).collect())
            .unwrap_or_default();
        runs.sort();
        for run in runs {
            let rows = spec
                .row
                .iter()
                .filter(|row| Record::read(&run.join(format!("{}.json", row.id))).is_ok())
                .count();
            if rows > 0 {
                let name = run.file_name().unwrap_or_default().to_string_lossy();
                recorded.push(format!("{name}: {rows} of {} rows", spec.row.len()));
            }
        }
        lines.push(vec![
            spec.name(),
            spec.title.clone(),
            spec.row.len().to_string(),
            spec.claim.len().to_string(),
            if recorded.is_empty() { "nothing yet".into() } else { recorded.join("\n") },
        ]);
    }
    Ok(plain(lines, 9))
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
