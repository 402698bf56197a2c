//! The page around all else.

use base::text::printable;
use base64::Engine;
use maud::{DOCTYPE, Markup, html};
use sha2::{Digest, Sha256};

use super::album::Album;
use super::book::{Book, Paper, Tabled};
use super::depth::Depth;
use super::html::{link, permalink, trusted};
use super::{cost, overview, rows, run};
use experiment::compare::gather::Entry;

const SCRIPT: &str = include_str!("page.js");

/// What it is made from.
pub(super) struct Page<'a> {
    pub(super) book: &'a Book,
    pub(super) entries: &'a [Entry],
    pub(super) album: &'a Album,
    pub(super) depth: Depth,
    /// The way to `docs/`, empty where there is none.
    pub(super) docs: &'a str,
}

impl Page<'_> {
    /// The document. Characters of untrusted texts that no page may have, and those that turn the direction of writing, are
    /// replaced.
    pub(super) fn html(&self) -> String {
        self.document().into_string().chars().map(printable).collect()
    }

    fn document(&self) -> Markup {
        let style = figure::style() + include_str!("page.css");
        let cost = cost::section(self.book, self.entries);
        html! {
            (DOCTYPE)
            html lang="en-GB" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy(&style));
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    link rel="icon" href="data:,";
                    title { "Video action recognition, table by table" }
                    style { (trusted(style)) }
                }
                body {
                    a.skip href="#~main" { "Skip to the report" }
                    header {
                        h1 { "Video action recognition, table by table" }
                        p {
                            "Tables of papers beside our own runs of them: each number with its 95\u{a0}% interval, each claim of a \
                             paper judged on our numbers. Ours are from the data and at the scale that is named with each run; compare \
                             the order of rows, which the verdicts judge, before their height."
                        }
                    }
                    div.columns {
                        nav aria-label="Contents" { (self.contents()) }
                        main id="~main" tabindex="-1" {
                            section aria-labelledby="~overview" {
                                h2 id="~overview" { "Overview" }
                                (overview::section(self.book))
                            }
                            section aria-labelledby="~missing" {
                                h2 id="~missing" { "What was not run" }
                                (overview::not_run(self.book, self.album))
                            }
                            section aria-labelledby="~cost" {
                                h2 id="~cost" { "Accuracy against cost" }
                                @if let Some(cost) = cost { (cost) }
                                @else { p { "No row is recorded whose cost is known." } }
                            }
                            @for paper in &self.book.papers { (self.paper(paper)) }
                        }
                    }
                    footer { (self.foot()) }
                    p.hidden id="~said" role="status" {}
                    script { (trusted(SCRIPT)) }
                }
            }
        }
    }

    fn contents(&self) -> Markup {
        html! {
            ul {
                li { a href="#~overview" { "Overview" } }
                li { a href="#~missing" { "What was not run" } }
                li { a href="#~cost" { "Accuracy against cost" } }
                @for paper in &self.book.papers {
                    li {
                        (link(&paper.anchor(), &paper.title))
                        ul {
                            @for table in &paper.tables {
                                li { (link(&table.anchor(), &table.spec.short_name())) }
                            }
                        }
                    }
                }
            }
        }
    }

    fn paper(&self, paper: &Paper) -> Markup {
        let id = paper.anchor();
        html! {
            section aria-labelledby=(id) {
                h2 id=(id) { (paper.title) " " (permalink(&id, &paper.title)) }
                p.quiet { (paper.source()) }
                @for table in &paper.tables { (self.table(paper, table)) }
                @if let Some(pictures) = self.album.of_paper(paper) {
                    h3 id={ (id) "/~pictures" } { "Pictures of the documentation" }
                    (pictures)
                }
            }
            "\n"
        }
    }

    fn table(&self, paper: &Paper, table: &Tabled) -> Markup {
        let id = table.anchor();
        let name = table.spec.name();
        // Of a paper's only table it stands above.
        let source = if paper.tables.len() > 1 { table.spec.source.as_str() } else { "" };
        html! {
            section.table aria-labelledby=(id) {
                h3 id=(id) { (name) " " (permalink(&id, &name)) }
                p.lead { (table.spec.title) " " span.quiet { (source) } }
                @if table.runs.is_empty() {
                    p { "Not run yet: " code { "cargo xtask run " (name) } " runs it." }
                }
                (rows::glance(table))
                @for (index, ran) in table.runs.iter().enumerate() {
                    (run::section(table, ran, self.album, self.depth, index == 0))
                }
                (rows::quoted(table))
            }
            "\n"
        }
    }

    fn foot(&self) -> Markup {
        html! {
            p {
                "Made by " code { "cargo xtask report" } ", version " (env!("CARGO_PKG_VERSION"))
                ", from the specs, records and verdicts of the checkout alone. Every departure from a paper, and why a claim does not hold: "
                @if self.docs.is_empty() { code { "docs/deviations.md" } }
                @else { a href={ (self.docs) "deviations.md" } { "docs/deviations.md" } }
                "."
                @if self.depth == Depth::Tables {
                    " Curves and confusions of single rows are left out for the size of the page."
                }
            }
            p {
                "A verdict is that of a paired bootstrap over test videos: a claim holds where the whole 95\u{a0}% interval of its margin \
                 is above zero, is contradicted where it is below, and is undecided otherwise."
            }
        }
    }
}

/// Nothing is loaded from anywhere; the style sheet and the script are those that are here.
fn policy(style: &str) -> String {
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(SCRIPT)
    )
}
