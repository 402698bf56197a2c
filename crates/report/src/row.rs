//! Renders one row: its settings, stages, confusions and pictures.

use base::text::{counted, duration, numbered, whole};
use maud::{Markup, html};

use super::album::Album;
use super::book::{Line, Ran, Tabled};
use super::depth::Depth;
use super::html::{Column, details, interval, link, number, number_or_dash, points, table};
use super::{confusion, curves};
use experiment::record::Record;
use experiment::show::{Fact, NetFacts, protocol_facts};
use plan::Work;

/// Renders the rows of a run, each of which can be opened.
pub(super) fn section(of: &Tabled, run: &Ran, album: &Album, depth: Depth) -> Markup {
    html! {
        @if run.recorded().count() > 0 {
            h5 id={ (run.anchor(of)) "/~each" } { "Row by row" }
            div.each {
                @for (line, record) in run.recorded() { (one(of, run, line, record, album, depth)) }
            }
        }
    }
}

fn one(of: &Tabled, run: &Ran, line: Line<'_>, record: &Record, album: &Album, depth: Depth) -> Markup {
    let Line { row, beside } = line;
    let name = format!("{} on {}", row.id, run.name);
    let id = format!("{}/~more", beside.anchor);
    let body = html! {
        p.quiet { (record.label) " \u{b7} " (link(&beside.anchor, "in the table")) }
        (facts(record, &format!("{}/{}/{}.json", of.spec.name(), run.name, row.id)))
        (runs(record, &format!("{id}/~runs"), &name))
        @match (&beside.same_as, depth) {
            (Some(same), _) => {
                p {
                    "The same test of the same nets as " (link(&format!("{}/~more", same.anchor), &same.name))
                    "; see there for its learning curves and confusions."
                }
            }
            (None, Depth::Tables) => {
                p.quiet { "Curves and confusions are left out to limit the size of the page." }
            }
            (None, Depth::Whole) => {
                (curves::stages(record))
                (confusion::section(record, &format!("{id}/~confusion"), &name))
            }
        }
        (album.of_row(run, &row.id))
    };
    let summary = html! {
        b { (row.id) } " "
        span.quiet { (points(record.top1.value)) " [" (interval(record.top1.low, record.top1.high)) "]" }
    };
    details(&id, "row", false, &summary, &body)
}

/// Lists how the row's nets were trained and tested.
fn facts(record: &Record, file: &str) -> Markup {
    let mut facts: Vec<(String, String)> = Vec::new();
    if let Work::Fusion(fusion) = &record.work {
        facts.push((
            "fusion".into(),
            format!("{}; {}", counted(fusion.streams.len(), "net"), fusion.fusion.words()),
        ));
    }
    let protocols = record.work.protocols();
    let several = protocols.len() > 1;
    for (index, protocol) in protocols.iter().enumerate() {
        let which = if several { format!(" {}", index + 1) } else { String::new() };
        if let Ok(NetFacts { architecture, sees, learns, .. }) = NetFacts::of(&protocol.net) {
            facts.push((format!("net{which}"), architecture.to_owned()));
            facts.push((format!("sees{which}"), sees));
            facts.push((format!("learns{which}"), learns));
        }
        if !several {
            let further = protocol_facts(protocol).into_iter();
            facts.extend(further.map(|Fact { name, what }| (name.to_owned(), what)));
        }
    }
    let data: Vec<String> = record
        .data
        .iter()
        .map(|data| match &data.data_seeds[..] {
            [] => data.name.clone(),
            seeds => format!("{} ({})", data.name, numbered("data seed", seeds)),
        })
        .collect();
    let percent = |value: f64| format!("{} %", points(value));
    facts.extend(record.top5.map(|top5| ("top-5".into(), percent(top5))));
    facts.extend(record.mean_class_accuracy().map(|mean| ("mean over classes".into(), percent(mean))));
    facts.push(("data".into(), data.join(", ")));
    let memory =
        record.runs.iter().flat_map(|run| &run.stages).filter_map(|s| s.training.peak_memory_mib).max();
    facts.extend(memory.map(|memory| ("peak memory".into(), format!("{memory} MiB"))));
    facts.push(("record".into(), file.to_owned()));
    html! { dl.facts { @for (name, what) in facts { div { dt { (name) } dd { (what) } } } } }
}

/// Renders a table of splits and seeds, or nothing if there is only one.
fn runs(record: &Record, id: &str, name: &str) -> Markup {
    if record.runs.len() < 2 {
        return html! {};
    }
    let body = html! {
        @for run in &record.runs {
            @let last = run.stages.last().map(|stage| &stage.training);
            @let videos = format!("{} of {}", run.test.videos_scored, run.test.videos_expected);
            tr {
                th scope="row" { (run.split) }
                (number(Some(run.seed as f64), &run.seed.to_string()))
                (number(Some(run.top1), &points(run.top1)))
                (number(Some(run.test.videos_scored as f64), &videos))
                (number_or_dash(run.seconds(), duration))
                (number_or_dash(last.map(|t| t.samples_per_second), whole))
            }
            "\n"
        }
    };
    let columns = [
        Column::words("Split"),
        Column::number("Seed"),
        Column::number("Ours"),
        Column::number("Videos scored"),
        Column::number("Training"),
        Column::number("Samples/s"),
    ];
    let caption = html! { "Splits and training seeds of " (name) };
    table(id, "plain", &caption, &columns, &body)
}
