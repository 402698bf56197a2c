//! The claims of a run: verdict, margin, interval.

use super::book::{Ran, Tabled};
use super::charts;
use super::html::{Column, escape, number, signed, signed_interval, table};
use experiment::claim::Verdict;

/// Every verdict, as they are counted.
pub(super) const VERDICTS: [Verdict; 4] =
    [Verdict::Holds, Verdict::Undecided, Verdict::Contradicted, Verdict::NotRun];

/// The class of a verdict's colour.
pub(super) fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Undecided => "undecided",
        Verdict::Contradicted => "contradicted",
        Verdict::NotRun => "missing",
    }
}

/// A verdict in words, with a sign.
pub(super) fn badge(verdict: Verdict) -> String {
    let sign = match verdict {
        Verdict::Holds => "\u{2713}",
        Verdict::Undecided => "?",
        Verdict::Contradicted => "\u{2715}",
        Verdict::NotRun => "\u{2013}",
    };
    format!(
        "<span class=\"v {}\"><span aria-hidden=\"true\">{sign}</span>\u{a0}{}</span>",
        class(verdict),
        verdict.to_string().replace(' ', "\u{a0}")
    )
}

/// The claims of a run as a table; nothing where the paper's table makes none.
pub(super) fn section(of: &Tabled, run: &Ran) -> String {
    if run.claims.is_empty() {
        return "<p class=\"quiet\">The paper makes no claim about this table that could be judged.</p>\n"
            .into();
    }
    let ends = run.claims.iter().filter_map(|claim| claim.judged.as_ref()?.margin);
    let reach =
        ends.flat_map(|m| [m.low.abs(), m.high.abs()]).filter(|end| end.is_finite()).fold(5.0, f64::max);
    let mut body = String::new();
    for claim in &run.claims {
        let verdict = claim.judged.as_ref().map_or(Verdict::NotRun, |judged| judged.verdict);
        let margin = claim.judged.as_ref().and_then(|judged| judged.margin);
        let order = VERDICTS.iter().position(|known| *known == verdict).unwrap_or(0);
        let bar =
            margin.map_or(String::new(), |m| charts::margin(m.value, m.low, m.high, reach, class(verdict)));
        body.push_str(&format!(
            "<tr><th scope=\"row\">{}<span class=\"sub\"><code>{}</code> \u{b7} {}</span></th><td data-v=\"{order}\">{}</td>{}\
             <td>{bar}</td>{}</tr>\n",
            escape(&claim.claim.says),
            escape(&claim.claim.holds),
            escape(&claim.claim.place),
            badge(verdict),
            number(margin.map(|m| m.value), &margin.map_or("\u{2013}".into(), |m| signed(m.value))),
            number(margin.map(|m| m.low), &margin.map_or("\u{2013}".into(), |m| signed_interval(m.low, m.high))),
        ));
    }
    let columns = [
        Column::words("Claim of the paper"),
        Column::ordered("Verdict"),
        Column::number("Margin"),
        Column::mark(&format!("\u{2212}{reach:.0} to +{reach:.0} points")),
        Column::number("95\u{a0}% interval"),
    ];
    let caption = format!(
        "Claims about {} judged on {}: by how many points of accuracy the inequality is met, paired bootstrap over test videos",
        escape(&of.spec.name()),
        escape(&run.name)
    );
    table(&format!("{}/~claims", run.anchor(of)), "claims", &caption, &columns, &body)
}

/// How many claims came out how, as a bar; the numbers stand beside it.
pub(super) fn bar(counts: [usize; 4]) -> String {
    let total: usize = counts.iter().sum();
    if total == 0 {
        return String::new();
    }
    let mut parts = String::new();
    let mut x = 0.0;
    for (verdict, count) in VERDICTS.into_iter().zip(counts) {
        let width = 100.0 * count as f64 / total as f64;
        if count > 0 {
            parts.push_str(&format!(
                "<rect class=\"{}\" x=\"{x:.1}\" width=\"{:.1}\" height=\"10\"/>",
                class(verdict),
                (width - 1.0).max(0.5)
            ));
        }
        x += width;
    }
    format!(
        "<svg class=\"stack\" width=\"100\" height=\"10\" viewBox=\"0 0 100 10\" aria-hidden=\"true\">{parts}</svg>"
    )
}

/// How many of its claims have each verdict.
pub(super) fn counts(run: &Ran) -> [usize; 4] {
    VERDICTS.map(|verdict| run.verdicts(verdict))
}
