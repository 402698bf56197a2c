//! The claims of a run: verdict, margin, interval.

use figure::spark;
use maud::{Markup, html};

use super::book::{Ran, Tabled};
use super::html::{Column, NONE, drawing, number, number_or_dash, signed, signed_interval, table};
use experiment::claim::Verdict;
use experiment::table::Table;

/// All verdicts, in the order in which they are counted.
pub(super) const VERDICTS: [Verdict; 4] =
    [Verdict::Holds, Verdict::Undecided, Verdict::Contradicted, Verdict::NotRun];

/// Returns the CSS class of a verdict.
fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Holds => "holds",
        Verdict::Undecided => "undecided",
        Verdict::Contradicted => "contradicted",
        Verdict::NotRun => "missing",
    }
}

/// Renders a verdict in words, with a sign.
pub(super) fn badge(verdict: Verdict) -> Markup {
    let sign = match verdict {
        Verdict::Holds => "\u{2713}",
        Verdict::Undecided => "?",
        Verdict::Contradicted => "\u{2715}",
        Verdict::NotRun => NONE,
    };
    html! {
        span class={ "v " (class(verdict)) } {
            span aria-hidden="true" { (sign) } "\u{a0}" (verdict.to_string().replace(' ', "\u{a0}"))
        }
    }
}

/// Renders the claims of a run as a table, or a note if the paper makes no claim about this table.
pub(super) fn section(of: &Tabled, run: &Ran) -> Markup {
    let claims = &run.table.claims;
    if claims.is_empty() {
        return html! { p.quiet { "The paper makes no claim about this table that can be judged." } };
    }
    let ends = claims.iter().filter_map(|claim| claim.margin);
    let reach =
        ends.flat_map(|m| [m.low.abs(), m.high.abs()]).filter(|end| end.is_finite()).fold(5.0, f64::max);
    let body = html! {
        @for claim in claims {
            tr {
                th scope="row" {
                    (claim.says) span.sub { code { (claim.rule) } " \u{b7} " (claim.place) }
                }
                td data-v=[VERDICTS.iter().position(|known| *known == claim.verdict)] { (badge(claim.verdict)) }
                (number_or_dash(claim.margin.map(|m| m.value), signed))
                td {
                    @if let Some(m) = claim.margin {
                        (drawing(&spark::margin(m.value, m.low, m.high, reach), &format!("w {}", class(claim.verdict))))
                    }
                }
                (number(claim.margin.map(|m| m.low), &claim.margin.map_or(NONE.into(), |m| signed_interval(m.low, m.high))))
            }
            "\n"
        }
    };
    let columns = [
        Column::words("Claim of the paper"),
        Column::ordered("Verdict"),
        Column::number("Margin"),
        Column::mark(&format!("\u{2212}{reach:.0} to +{reach:.0} points")),
        Column::number("95\u{a0}% interval"),
    ];
    let caption = html! {
        "Claims about " (run.table.name) " judged on " (run.name)
        ": by how many points of accuracy the inequality is met, with its interval over test videos"
    };
    table(&format!("{}/~claims", run.anchor(of)), "claims", &caption, &columns, &body)
}

/// Draws the number of claims of each verdict as a bar, with the numbers next to it.
pub(super) fn bar(of: &Table) -> Markup {
    let parts = VERDICTS.map(|verdict| (class(verdict), of.verdicts(verdict)));
    html! { @if let Some(shares) = spark::shares(&parts) { (drawing(&shares, "stack")) } }
}

/// Counts the claims of each verdict.
pub(super) fn counts(of: &Table) -> [usize; 4] {
    VERDICTS.map(|verdict| of.verdicts(verdict))
}
