//! Lays out the whole page: header, contents, sections and footer.

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

/// Everything that the page is made from.
pub(super) struct Page<'a> {
    pub(super) book: &'a Book,
    pub(super) entries: &'a [Entry],
    pub(super) album: &'a Album,
    pub(super) depth: Depth,
    /// Relative path to `docs/`, empty if there is none.
    pub(super) docs: &'a str,
}

impl Page<'_> {
    /// Renders the document. Replaces control characters and those that change the writing direction, since untrusted texts
    /// may contain them.
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
                            "Tables of papers next to our own runs of them: each number with its 95\u{a0}% interval, each claim of a \
                             paper judged by our numbers. Each run names its data and its scale; compare the order of rows, which the \
                             verdicts judge, rather than their absolute values."
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
                                @else { p { "No recorded row has a known cost." } }
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
                    h3 id={ (id) "/~pictures" } { "Pictures from the documentation" }
                    (pictures)
                }
            }
            "\n"
        }
    }

    fn table(&self, paper: &Paper, table: &Tabled) -> Markup {
        let id = table.anchor();
        let name = table.spec.name();
        // The source of a paper's only table is already shown above.
        let source = if paper.tables.len() > 1 { table.spec.source.as_str() } else { "" };
        html! {
            section.table aria-labelledby=(id) {
                h3 id=(id) { (name) " " (permalink(&id, &name)) }
                p.lead { (table.spec.title) " " span.quiet { (source) } }
                @if table.runs.is_empty() {
                    p { "Not run yet; run it with " code { "cargo xtask run " (name) } "." }
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
                ", only from the specs, records and verdicts of the checkout. Departures from the papers, and why a claim does not hold: "
                @if self.docs.is_empty() { code { "docs/deviations.md" } }
                @else { a href={ (self.docs) "deviations.md" } { "docs/deviations.md" } }
                "."
                @if self.depth == Depth::Tables {
                    " Curves and confusions of single rows are left out to limit the size of the page."
                }
            }
            p {
                "Verdicts come from 95\u{a0}% intervals over blocks of test videos (a film, an actor, a single generated video) and, with \
                 several training seeds, over trainings: a claim holds if the whole interval of its margin is above zero, is contradicted \
                 if it is below zero, and is undecided otherwise."
            }
        }
    }
}

/// Returns the content security policy: nothing is loaded, and only this style sheet and this script are allowed.
fn policy(style: &str) -> String {
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(SCRIPT)
    )
}
