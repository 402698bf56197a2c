//! Recall of each class by all rows of a run, beside one another.

use std::collections::BTreeMap;

use super::book::{Ran, Tabled};
use super::confusion::shade;
use super::html::{Column, details, escape, link, table};

/// With more classes than this only each row's extremes are listed.
const MOST: usize = 30;

/// A row's place on the page, its name, and its recall of each class.
type Line<'a> = (&'a str, &'a str, &'a BTreeMap<String, f64>);

/// A table a set of classes: rows that were tested on other classes stand in another.
pub(super) fn section(of: &Tabled, run: &Ran) -> String {
    let mut groups: BTreeMap<Vec<&str>, Vec<Line<'_>>> = BTreeMap::new();
    for (found, recorded) in run.recorded().filter(|(_, recorded)| !recorded.record.recall.is_empty()) {
        let recall = &recorded.record.recall;
        let classes = recall.keys().map(String::as_str).collect();
        groups.entry(classes).or_default().push((&found.anchor, &found.row.id, recall));
    }
    if groups.is_empty() {
        let pairs = run.recorded().any(|(_, recorded)| recorded.record.recall.is_empty());
        let why = if pairs { "Pairs of views have no classes to be recalled." } else { "No row was run." };
        return format!("<p class=\"quiet\">Recall of each class: none. {why}</p>\n");
    }
    let mut out = String::new();
    for (number, (classes, rows)) in groups.iter().enumerate() {
        let id = format!("{}/~recall{}", run.anchor(of), number + 1);
        out.push_str(&if classes.len() > MOST {
            extremes(&id, run, rows)
        } else {
            heat(&id, run, classes, rows)
        });
    }
    let summary = "Recall of each class, row by row";
    details(&format!("{}/~recall", run.anchor(of)), "part", false, summary, &out)
}

fn heat(id: &str, run: &Ran, classes: &[&str], rows: &[Line<'_>]) -> String {
    let mut body = String::new();
    for (anchor, row, recall) in rows {
        body.push_str(&format!("<tr><th scope=\"row\">{}</th>", link(anchor, row)));
        for class in classes {
            let value = recall.get(*class).copied().unwrap_or(0.0);
            let shade = shade(value / 100.0);
            body.push_str(&format!("<td class=\"h{shade}\">{value:.0}</td>"));
        }
        body.push_str("</tr>\n");
    }
    let mut columns = vec![Column::words("Row")];
    columns.extend(classes.iter().map(|class| Column::upright(class)));
    let caption = format!("Recall of each class on {}, in percent of its test videos", escape(&run.name));
    table(id, "heat", &caption, &columns, &body)
}

fn extremes(id: &str, run: &Ran, rows: &[Line<'_>]) -> String {
    let mut body = String::new();
    for (anchor, row, recall) in rows {
        let mut order: Vec<(&String, &f64)> = recall.iter().collect();
        order.sort_by(|a, b| b.1.total_cmp(a.1).then_with(|| a.0.cmp(b.0)));
        let words = |part: &[(&String, &f64)]| {
            let named: Vec<String> =
                part.iter().map(|(class, value)| format!("{class} {value:.0}")).collect();
            escape(&named.join(", "))
        };
        body.push_str(&format!(
            "<tr><th scope=\"row\">{}</th><td>{}</td><td>{}</td></tr>\n",
            link(anchor, row),
            words(&order[..order.len().min(5)]),
            words(&order[order.len().saturating_sub(5)..])
        ));
    }
    let columns = [Column::words("Row"), Column::words("Best recalled"), Column::words("Worst recalled")];
    let caption = format!("Recall of classes on {}, in percent: each row's extremes", escape(&run.name));
    table(id, "plain", &caption, &columns, &body)
}
