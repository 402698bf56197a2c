//! Which class was taken for which: a table of shaded numbers.

use std::collections::{BTreeMap, BTreeSet};

use super::html::{Column, escape, number, points, table};
use experiment::record::Record;

/// With more classes than this a matrix is too wide to be read; the largest confusions are listed instead.
const MOST: usize = 30;
/// So many of them.
const LISTED: usize = 25;
/// Shades of a cell.
const SHADES: f64 = 9.0;

type Counts = BTreeMap<String, BTreeMap<String, usize>>;

/// The shade of a share in 0..=1: none for nothing, the first for as little as one video.
pub(super) fn shade(share: f64) -> usize {
    if share > 0.0 { (share.min(1.0) * SHADES).ceil() as usize } else { 0 }
}

/// The confusions of a row; `id` is the table's, `what` names the row.
pub(super) fn section(record: &Record, id: &str, what: &str) -> String {
    if record.confusion.is_empty() {
        return String::new();
    }
    let classes: BTreeSet<&str> = record
        .confusion
        .iter()
        .flat_map(|(class, taken)| std::iter::once(class).chain(taken.keys()))
        .map(String::as_str)
        .collect();
    if classes.len() > MOST {
        list(&record.confusion, id, what)
    } else {
        matrix(&record.confusion, &classes, id, what)
    }
}

fn matrix(counts: &Counts, classes: &BTreeSet<&str>, id: &str, what: &str) -> String {
    let none = BTreeMap::new();
    let mut body = String::new();
    for class in classes {
        let taken = counts.get(*class).unwrap_or(&none);
        let total: usize = taken.values().sum();
        body.push_str(&format!("<tr><th scope=\"row\">{}</th>", escape(class)));
        for other in classes {
            let videos = taken.get(*other).copied().unwrap_or(0);
            let diagonal = if class == other { " x" } else { "" };
            let shade = shade(videos as f64 / total.max(1) as f64);
            body.push_str(&match (videos, diagonal) {
                (0, "") => "<td></td>".to_owned(),
                (0, _) => "<td class=\"x\"></td>".to_owned(),
                _ => format!("<td class=\"h{shade}{diagonal}\">{videos}</td>"),
            });
        }
        let recall =
            (total > 0).then(|| 100.0 * taken.get(*class).copied().unwrap_or(0) as f64 / total as f64);
        body.push_str(&number(recall, &recall.map_or("\u{2013}".into(), points)));
        body.push_str("</tr>\n");
    }
    // Sorted it would be no matrix.
    let mut columns = vec![Column::mark("True class")];
    columns.extend(classes.iter().map(|class| Column::upright(class).fixed()));
    columns.push(Column::number("Recall, %").fixed());
    let caption = format!(
        "Confusion of {}: test videos by true class (down) and predicted class (across), over all splits and seeds; shades are \
         shares of the true class",
        escape(what)
    );
    table(id, "heat", &caption, &columns, &body)
}

fn list(counts: &Counts, id: &str, what: &str) -> String {
    let mut wrong: Vec<(&str, &str, usize, usize)> = Vec::new();
    for (class, taken) in counts {
        let total = taken.values().sum();
        let others = taken.iter().filter(|(other, _)| *other != class);
        wrong.extend(others.map(|(other, &videos)| (class.as_str(), other.as_str(), videos, total)));
    }
    let pairs = wrong.len();
    wrong.sort_by(|a, b| b.2.cmp(&a.2).then_with(|| (a.0, a.1).cmp(&(b.0, b.1))));
    wrong.truncate(LISTED);
    let body: String = wrong
        .iter()
        .map(|(class, other, videos, total)| {
            format!(
                "<tr><th scope=\"row\">{}</th><td>{}</td>{}{}</tr>\n",
                escape(class),
                escape(other),
                number(Some(*videos as f64), &videos.to_string()),
                number(Some(*total as f64), &total.to_string())
            )
        })
        .collect();
    let columns = [
        Column::words("True class"),
        Column::words("Taken for"),
        Column::number("Videos"),
        Column::number("of"),
    ];
    let caption = format!(
        "Confusion of {}: the {} most frequent of {pairs} confused pairs of classes",
        escape(what),
        wrong.len()
    );
    table(id, "plain", &caption, &columns, &body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_video_of_many_is_seen_and_all_of_them_are_darkest() {
        assert_eq!([0.0, 0.001, 0.5, 0.99, 1.0, 7.0, f64::NAN].map(shade), [0, 1, 5, 9, 9, 9, 0]);
    }

    #[test]
    fn a_matrix_has_a_row_and_a_column_for_every_class_that_is_named() {
        let counts = Counts::from([
            ("a".into(), BTreeMap::from([("a".into(), 3), ("<b>".into(), 1)])),
            ("c".into(), BTreeMap::new()),
        ]);
        let classes = BTreeSet::from(["a", "<b>", "c"]);
        let html = matrix(&counts, &classes, "id", "row");
        assert_eq!(html.matches("<tr>").count(), 1 + 3);
        assert!(
            html.contains("<td class=\"h7 x\">3</td>") && html.contains("<td class=\"h3\">1</td>"),
            "{html}"
        );
        assert!(html.contains("data-v=\"75\">75.0</td>") && !html.contains("<b>"), "{html}");
    }

    #[test]
    fn of_many_classes_the_most_frequent_confusions_are_listed() {
        let taken = |class: usize| BTreeMap::from([(format!("{class:02}"), 9), ("00".to_owned(), class)]);
        let counts: Counts = (1..40).map(|class| (format!("{class:02}"), taken(class))).collect();
        let html = list(&counts, "id", "row");
        assert_eq!(html.matches("<tr>").count(), 1 + LISTED);
        let first = "<tr><th scope=\"row\">39</th><td>00</td><td class=\"n\" data-v=\"39\">39</td><td class=\"n\" data-v=\"48\">48</td></tr>";
        assert!(html.contains(&format!("<tbody>\n{first}")), "{html}");
        assert!(html.contains("the 25 most frequent of 39 confused pairs"), "{html}");
    }
}
