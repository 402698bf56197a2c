//! One row: what was run, its stages, what was taken for what, what its net saw.

use super::album::Album;
use super::book::{Found, Ran, Recorded, Tabled};
use super::html::{Column, counted, details, escape, interval, link, number, points, table};
use super::page::Depth;
use super::{confusion, curves};
use experiment::record::Record;
use experiment::show;
use experiment::table::duration;
use plan::Work;
use plan::spec::FuseBy;

/// The rows of a run, each to be opened.
pub(super) fn section(of: &Tabled, run: &Ran, album: &Album, depth: Depth) -> String {
    let rows = run.recorded().map(|(found, recorded)| one(of, run, found, recorded, album, depth));
    let rows: String = rows.collect();
    if rows.is_empty() {
        return rows;
    }
    let id = format!("{}/~each", run.anchor(of));
    format!("<h5 id=\"{id}\">Row by row</h5>\n<div class=\"each\">{rows}</div>\n")
}

fn one(of: &Tabled, run: &Ran, found: &Found, recorded: &Recorded, album: &Album, depth: Depth) -> String {
    let record = &recorded.record;
    let name = format!("{} on {}", found.row.id, run.name);
    let id = format!("{}/~more", found.anchor);
    let mut body = format!("<p class=\"quiet\">{} \u{b7} {}</p>\n", escape(&record.label), back(found));
    body.push_str(&facts(record, &format!("{}/{}/{}.json", of.spec.name(), run.name, found.row.id)));
    body.push_str(&runs(record, &format!("{id}/~runs"), &name));
    match (&recorded.same_as, depth) {
        (Some(same), _) => body.push_str(&format!(
            "<p>The same test of the same nets as {}: its learning curves and confusions are there.</p>\n",
            link(&format!("{}/~more", same.anchor), &same.name)
        )),
        (None, Depth::Tables) => body.push_str(
            "<p class=\"quiet\">Curves and confusions are left out for the size of the page.</p>\n",
        ),
        (None, Depth::Whole) => {
            body.push_str(&curves::stages(record));
            body.push_str(&confusion::section(record, &format!("{id}/~confusion"), &name));
            if record.confusion.is_empty() {
                body.push_str("<p class=\"quiet\">Pairs of views have no confusions.</p>\n");
            }
        }
    }
    body.push_str(&album.of_row(run, &found.row.id));
    let summary = format!(
        "<b>{}</b> <span class=\"quiet\">{} [{}]</span>",
        escape(&found.row.id),
        points(record.top1.value),
        interval(record.top1.low, record.top1.high)
    );
    details(&id, "row", false, &summary, &body)
}

fn back(found: &Found) -> String {
    link(&found.anchor, "in the table")
}

/// How the row's nets were trained and tested.
fn facts(record: &Record, file: &str) -> String {
    let mut out = String::new();
    let mut fact = |name: &str, what: &str| {
        out.push_str(&format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(what)));
    };
    if let Work::Fusion(fusion) = &record.work {
        let by = match fusion.by {
            FuseBy::Average => "mean of the scores",
            FuseBy::Svm => "linear SVM on the stacked scores",
        };
        fact("fusion", &format!("{by} of {}", counted(fusion.streams.len(), "net")));
    }
    let several = record.work.protocols().len() > 1;
    for (index, protocol) in record.work.protocols().iter().enumerate() {
        let which = if several { format!(" {}", index + 1) } else { String::new() };
        fact(&format!("net{which}"), protocol.net.model.kind());
        if let Ok(line) = show::net_line("", String::new(), &protocol.net) {
            fact(&format!("sees{which}"), &line[2]);
            fact(&format!("learns{which}"), &line[3]);
        }
        // "rate       1e-2, ..." a line.
        for line in show::protocol_lines(protocol).lines().filter(|_| !several) {
            if let Some((name, what)) = line.split_once(' ') {
                fact(name, what.trim_start());
            }
        }
    }
    let data: Vec<String> = record
        .data
        .iter()
        .map(|data| match data.data_seed {
            Some(seed) => format!("{} (data seed {seed})", data.name),
            None => data.name.clone(),
        })
        .collect();
    fact("data", &data.join(", "));
    let memory =
        record.runs.iter().flat_map(|run| &run.stages).filter_map(|s| s.training.peak_memory_mib).max();
    if let Some(memory) = memory {
        fact("peak memory", &format!("{memory} MiB"));
    }
    fact("record", file);
    format!("<dl class=\"facts\">{out}</dl>\n")
}

/// Each split and seed; nothing where there is one.
fn runs(record: &Record, id: &str, name: &str) -> String {
    if record.runs.len() < 2 {
        return String::new();
    }
    let body: String = record
        .runs
        .iter()
        .map(|run| {
            let last = run.stages.last().map(|stage| &stage.training);
            format!(
                "<tr><th scope=\"row\">{}</th>{}{}{}{}{}</tr>\n",
                escape(&run.split),
                number(Some(run.seed as f64), &run.seed.to_string()),
                number(Some(run.top1), &points(run.top1)),
                number(
                    Some(run.test.videos_scored as f64),
                    &format!("{} of {}", run.test.videos_scored, run.test.videos_expected)
                ),
                number(last.map(|t| t.seconds), &last.map_or("\u{2013}".into(), |t| duration(t.seconds))),
                number(
                    last.map(|t| t.samples_per_second),
                    &last.map_or("\u{2013}".into(), |t| format!("{:.0}", t.samples_per_second))
                ),
            )
        })
        .collect();
    let columns = [
        Column::words("Split"),
        Column::number("Seed"),
        Column::number("Ours"),
        Column::number("Videos scored"),
        Column::number("Training"),
        Column::number("Samples/s"),
    ];
    let caption = format!("Splits and training seeds of {}", escape(name));
    table(id, "plain", &caption, &columns, &body)
}
