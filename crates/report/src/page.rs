//! The page around all else.

use base64::Engine;
use sha2::{Digest, Sha256};

use super::album::Album;
use super::book::{Book, Paper, Tabled};
use super::html::{escape, link, permalink};
use super::{cost, overview, rows, run};
use experiment::compare::gather::Entry;

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// How much of it there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// All.
    Whole,
    /// Without each row's own curves and confusions.
    Tables,
}

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
    /// The document.
    pub(super) fn html(&self) -> String {
        let papers: String = self.book.papers.iter().map(|paper| self.paper(paper)).collect();
        let cost = cost::section(self.book, self.entries);
        let cost =
            if cost.is_empty() { "<p>No row is recorded whose cost is known.</p>\n".into() } else { cost };
        format!(
            "<!DOCTYPE html>\n<html lang=\"en-GB\">\n<head>\n<meta charset=\"utf-8\"/>\n\
             <meta http-equiv=\"Content-Security-Policy\" content=\"{}\"/>\n\
             <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
             <meta name=\"color-scheme\" content=\"light dark\"/>\n\
             <link rel=\"icon\" href=\"data:,\"/>\n\
             <title>Video action recognition, table by table</title>\n\
             <style>{STYLE}</style>\n</head>\n<body>\n\
             <a class=\"skip\" href=\"#~main\">Skip to the report</a>\n\
             <header>\n<h1>Video action recognition, table by table</h1>\n\
             <p>Tables of papers beside our own runs of them: each number with its 95\u{a0}% interval, each claim of a paper judged on our numbers. \
             Ours are from the data and at the scale that is named with each run; compare the order of rows, which the verdicts judge, \
             before their height.</p>\n</header>\n\
             <div class=\"columns\">\n<nav aria-label=\"Contents\">\n{}</nav>\n\
             <main id=\"~main\" tabindex=\"-1\">\n\
             <section aria-labelledby=\"~overview\">\n<h2 id=\"~overview\">Overview</h2>\n{}</section>\n\
             <section aria-labelledby=\"~missing\">\n<h2 id=\"~missing\">What was not run</h2>\n{}</section>\n\
             <section aria-labelledby=\"~cost\">\n<h2 id=\"~cost\">Accuracy against cost</h2>\n{cost}</section>\n\
             {papers}</main>\n</div>\n\
             <footer>\n{}</footer>\n\
             <p id=\"~said\" class=\"hidden\" role=\"status\"></p>\n<script>{SCRIPT}</script>\n</body>\n</html>\n",
            policy(),
            self.contents(),
            overview::section(self.book),
            overview::not_run(self.book, self.album),
            self.foot(),
        )
    }

    fn contents(&self) -> String {
        let mut out = String::from(
            "<ul>\n<li><a href=\"#~overview\">Overview</a></li>\n<li><a href=\"#~missing\">What was not run</a></li>\n\
             <li><a href=\"#~cost\">Accuracy against cost</a></li>\n",
        );
        for paper in &self.book.papers {
            let tables: String = paper
                .tables
                .iter()
                .map(|table| format!("<li>{}</li>\n", link(&table.anchor(), &table.spec.short_name())))
                .collect();
            out.push_str(&format!("<li>{}\n<ul>\n{tables}</ul></li>\n", link(&paper.anchor(), &paper.title)));
        }
        out.push_str("</ul>\n");
        out
    }

    fn paper(&self, paper: &Paper) -> String {
        let id = paper.anchor();
        let tables: String = paper.tables.iter().map(|table| self.table(paper, table)).collect();
        let pictures = self.album.of_paper(paper);
        let pictures = if pictures.is_empty() {
            pictures
        } else {
            format!("<h3 id=\"{id}/~pictures\">Pictures of the documentation</h3>\n{pictures}")
        };
        format!(
            "<section aria-labelledby=\"{id}\">\n<h2 id=\"{id}\">{} {}</h2>\n<p class=\"quiet\">{}</p>\n{tables}{pictures}</section>\n",
            escape(&paper.title),
            permalink(&id, &paper.title),
            escape(&paper.source())
        )
    }

    fn table(&self, paper: &Paper, table: &Tabled) -> String {
        let id = table.anchor();
        let name = table.spec.name();
        // Of a paper's only table it stands above.
        let source = if paper.tables.len() > 1 { table.spec.source.as_str() } else { "" };
        let mut out = format!(
            "<section class=\"table\" aria-labelledby=\"{id}\">\n<h3 id=\"{id}\">{} {}</h3>\n<p class=\"lead\">{} <span class=\"quiet\">{}</span></p>\n",
            escape(&name),
            permalink(&id, &name),
            escape(&table.spec.title),
            escape(source),
        );
        if table.runs.is_empty() {
            out.push_str(&format!(
                "<p>Not run yet: <code>cargo xtask run {}</code> runs it.</p>\n",
                escape(&name)
            ));
        }
        out.push_str(&rows::glance(table));
        for (index, ran) in table.runs.iter().enumerate() {
            out.push_str(&run::section(table, ran, self.album, self.depth, index == 0));
        }
        out.push_str(&rows::quoted(table));
        out.push_str("</section>\n");
        out
    }

    fn foot(&self) -> String {
        let deviations = if self.docs.is_empty() {
            "<code>docs/deviations.md</code>".to_owned()
        } else {
            format!("<a href=\"{}deviations.md\">docs/deviations.md</a>", escape(self.docs))
        };
        let short = match self.depth {
            Depth::Whole => "",
            Depth::Tables => " Curves and confusions of single rows are left out for the size of the page.",
        };
        format!(
            "<p>Made by <code>cargo xtask report</code>, version {}, from the specs, records and verdicts of the checkout alone. Every departure \
             from a paper, and why a claim does not hold: {deviations}.{short}</p>\n\
             <p>A verdict is that of a paired bootstrap over test videos: a claim holds where the whole 95\u{a0}% interval of its margin is above zero, \
             is contradicted where it is below, and is undecided otherwise.</p>\n",
            env!("CARGO_PKG_VERSION")
        )
    }
}

/// Nothing is loaded from anywhere; the style sheet and the script are those that are here.
fn policy() -> String {
    let hash = |text: &str| base64::engine::general_purpose::STANDARD.encode(Sha256::digest(text));
    format!(
        "default-src 'none'; img-src data:; style-src 'sha256-{}'; script-src 'sha256-{}'; base-uri 'none'; form-action 'none'",
        hash(STYLE),
        hash(SCRIPT)
    )
}
