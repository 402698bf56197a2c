//! Renders the confusions between classes.

use base::text::counted;
use figure::Counts;
use maud::{Markup, html};

use super::html::{Column, drawing, number, table};
use experiment::record::Record;

/// Number of classes above which a matrix is too wide to read, so the largest confusions are listed instead.
const MOST: usize = 30;
/// Number of confusions that are listed.
const LISTED: usize = 25;

/// Renders the confusions of a row; `id` is the table's, `what` names the row.
pub(super) fn section(record: &Record, id: &str, what: &str) -> Markup {
    if record.confusion.len() > MOST {
        return list(&record.confusion, id, what);
    }
    let Ok(matrix) = figure::confusion(&record.confusion, "Confusion") else {
        return html! { p.quiet { "Pairs of views have no confusions." } };
    };
    html! {
        figure.chart {
            figcaption id=(id) {
                (matrix.title) " of " (what) ", over all splits and seeds: " (matrix.subtitle)
                "; shades and numbers are percent of the true class"
            }
            div.scroll role="group" tabindex="0" aria-labelledby=(id) { (drawing(&matrix, "matrix")) }
        }
        "\n"
    }
}

fn list(counts: &Counts, id: &str, what: &str) -> Markup {
    let mut wrong: Vec<(&str, &str, usize, usize)> = Vec::new();
    for (class, taken) in counts {
        let total = taken.values().sum();
        let others = taken.iter().filter(|(other, _)| *other != class);
        wrong.extend(others.map(|(other, &videos)| (class.as_str(), other.as_str(), videos, total)));
    }
    let pairs = wrong.len();
    wrong.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| (a.0, a.1).cmp(&(b.0, b.1))));
    wrong.truncate(LISTED);
    let body = html! {
        @for (class, other, videos, total) in &wrong {
            tr {
                th scope="row" { (class) }
                td { (other) }
                (number(Some(*videos as f64), &videos.to_string()))
                (number(Some(*total as f64), &total.to_string()))
            }
        }
    };
    let columns = [
        Column::words("True class"),
        Column::words("Taken for"),
        Column::number("Videos"),
        Column::number("of"),
    ];
    let caption = html! {
        "Confusion of " (what) ": the " (wrong.len()) " most frequent of "
        (counted(pairs, "confused pair")) " of classes"
    };
    table(id, "plain", &caption, &columns, &body)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn of_many_classes_the_most_frequent_confusions_are_listed() {
        let taken = |class: usize| BTreeMap::from([(format!("{class:02}"), 9), ("00".to_owned(), class)]);
        let counts: Counts = (1..40).map(|class| (format!("{class:02}"), taken(class))).collect();
        let html = list(&counts, "id", "row").into_string();
        assert_eq!(html.matches("<tr>").count(), 1 + LISTED);
        let first = "<tr><th scope=\"row\">39</th><td>00</td><td class=\"n\" data-v=\"39\">39</td><td class=\"n\" data-v=\"48\">48</td></tr>";
        assert!(html.contains(&format!("<tbody>{first}")), "{html}");
        assert!(html.contains("the 25 most frequent of 39 confused pairs of classes"), "{html}");
    }
}
