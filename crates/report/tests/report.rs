//! Checks the report page made from the committed results, and from a folder with many missing files.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use experiment::pictures::{INDEX, Picture, Shows};
use experiment::record::{
    DatasetRecord, Environment, RECORD_VERSION, Record, RunRecord, StageRecord, TestOutcome, TrainOutcome,
};
use experiment::statistics::Estimate;
use experiment::store::write_json;
use experiment::{Request, Workspace};
use plan::TablePlan;
use plan::spec::ProfileName;
use report::{Written, report};
use roxmltree::{Document, Node, ParsingOptions};

const HOSTILE: &str = "</script><img src=http://x.invalid/ onerror=alert(1)> \"quoted\" 'too' & more";

fn checkout() -> Workspace {
    Workspace::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("../.."))
}

/// Splits the page into XML with empty elements closed, and the texts of the style sheet and the script.
fn parts(html: &str) -> (String, String) {
    let (mut page, mut inside) = (String::new(), String::new());
    let mut rest = html;
    while let Some((before, after)) = ["<style>", "<script>"]
        .iter()
        .filter_map(|tag| rest.split_once(tag))
        .min_by_key(|(before, _)| before.len())
    {
        let (inner, after) = after.split_once("</s").unwrap();
        page.push_str(before);
        inside.push_str(inner);
        rest = after.split_once('>').unwrap().1;
    }
    page.push_str(rest);
    (closed(&page), inside)
}

/// Adds a slash to the elements that HTML never closes. Every `>` in an attribute is escaped.
fn closed(page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    for (i, part) in page.split('<').enumerate() {
        let name = part.split([' ', '>']).next().unwrap_or_default();
        out.push_str(if i > 0 { "<" } else { "" });
        if matches!(name, "meta" | "link" | "img") {
            let (tag, after) = part.split_once('>').unwrap();
            out.push_str(&format!("{tag}/>{after}"));
        } else {
            out.push_str(part);
        }
    }
    out
}

fn parsed(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap()
}

/// Checks everything that must hold for every page.
fn check(html: &str) {
    let (page, inside) = parts(html);
    let document = parsed(&page);
    for word in ["http:", "https:", "url(", "@import", "import(", "fetch("] {
        assert!(!inside.contains(word), "the style sheet or the script has {word}");
    }
    let mut ids = BTreeSet::new();
    for node in document.descendants() {
        if let Some(id) = node.attribute("id") {
            assert!(ids.insert(id), "{id} stands twice");
            assert!(!id.contains(char::is_whitespace) && !id.is_empty(), "{id:?} is no fragment");
        }
        assert!(node.attribute("style").is_none(), "the policy forbids style attributes");
        assert!(!node.attributes().any(|a| a.name().starts_with("on")), "{:?}", node.attributes());
    }
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        if let Some(address) = node.attribute("href") {
            let is_here = address.strip_prefix('#').is_some_and(|id| ids.contains(id));
            assert!(is_here || (name == "link" && address == "data:,"), "{name} {address} leads nowhere");
        }
        if let Some(address) = node.attribute("src") {
            assert!(name == "img" && address.starts_with("data:image/"), "{name} {address}");
            assert!(node.attribute("alt").is_some_and(|alt| !alt.is_empty()), "a picture without words");
        }
        for list in ["aria-labelledby", "aria-describedby"].iter().filter_map(|name| node.attribute(*name)) {
            assert!(list.split(' ').all(|id| ids.contains(id)), "{list} is not there");
        }
        assert!(!matches!(name, "iframe" | "object" | "embed" | "base" | "form"), "{name}");
        if name == "table" {
            check_table(node);
        }
    }
    let policy = document.descendants().find(|n| n.attribute("http-equiv").is_some()).unwrap();
    assert!(
        policy
            .attribute("content")
            .unwrap()
            .starts_with("default-src 'none'; img-src data:; style-src 'sha256-")
    );
}

/// Checks that a table has a caption and headings, that all rows have the width of the head, and that columns sorted by
/// numbers have numbers.
fn check_table(table: Node<'_, '_>) {
    let of = |node: Node<'_, '_>, name: &str| {
        node.descendants().filter(|n| n.has_tag_name(name)).collect::<Vec<_>>().len()
    };
    assert_eq!(of(table, "caption"), 1);
    let rows: Vec<Node<'_, '_>> = table.descendants().filter(|n| n.has_tag_name("tr")).collect();
    let heads: Vec<Node<'_, '_>> = rows[0].children().filter(Node::is_element).collect();
    assert!(heads.iter().all(|head| head.attribute("scope") == Some("col")));
    for row in &rows[1..] {
        let cells: Vec<Node<'_, '_>> = row.children().filter(Node::is_element).collect();
        assert_eq!(cells.len(), heads.len(), "{:?}", row.descendants().find_map(|n| n.text()));
        assert_eq!(cells[0].attribute("scope"), Some("row"));
        for (cell, head) in
            cells.iter().zip(&heads).filter(|(_, head)| head.attribute("data-sort") == Some("number"))
        {
            if let Some(value) = cell.attribute("data-v") {
                assert!(value.parse::<f64>().unwrap().is_finite(), "{:?} {value}", head.text());
            } else {
                // Otherwise the script reads the text, and texts that are not numbers come last.
                let text: String = cell.descendants().filter_map(|n| n.text()).collect();
                let first = text.split([' ', '\u{a0}']).next().unwrap_or_default();
                assert!(
                    first.parse::<f64>().is_ok() || !text.contains(|c: char| c.is_ascii_digit()),
                    "{text}"
                );
            }
        }
    }
}

fn written(workspace: &Workspace, folder: &Path) -> (Written, String) {
    let file = folder.join("page.html");
    let written = report(workspace, Some(&file)).unwrap();
    let html = std::fs::read_to_string(&file).unwrap();
    assert_eq!((written.path.as_path(), written.bytes), (file.as_path(), html.len()));
    (written, html)
}

#[test]
fn the_committed_results_fit_on_one_page() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = checkout();
    let (_, html) = written(&workspace, folder.path());
    assert!(html.len() < 5_000_000, "{} bytes", html.len());
    check(&html);
    // Every committed record has its row and its details.
    for table in workspace.tables().unwrap() {
        let (spec, _) = workspace.spec(&table).unwrap();
        let Ok(runs) = std::fs::read_dir(workspace.results.join(&table)) else { continue };
        for run in runs.map(|run| run.unwrap().path()) {
            for row in spec.row.iter().filter(|row| run.join(format!("{}.json", row.id)).exists()) {
                let anchor = format!("{table}/{}/{}", run.file_name().unwrap().to_string_lossy(), row.id);
                assert!(html.contains(&format!("<tr id=\"{anchor}\">")), "{anchor}");
                assert!(html.contains(&format!("<details id=\"{anchor}/~more\"")), "{anchor}");
            }
        }
    }
    assert!(html.contains("of other work are quoted from the papers and were never run here"));
    let (_, again) = written(&workspace, folder.path());
    assert_eq!(html, again, "the same files make the same bytes");
}

fn record(plan: &TablePlan, row: usize) -> Record {
    let row = &plan.rows[row];
    let class = |name: &str| name.to_owned();
    Record {
        version: RECORD_VERSION,
        table: plan.spec.name(),
        row: row.row.id.clone(),
        label: HOSTILE.into(),
        column: row.row.column.clone(),
        reported: row.row.reported,
        data: vec![DatasetRecord {
            name: HOSTILE.into(),
            data_seeds: vec![0],
            fingerprints: BTreeMap::new(),
            cautions: Vec::new(),
            accepted: 0,
        }],
        profile: ProfileName::Mini,
        measure: Default::default(),
        top1: Estimate { value: 61.7, low: 57.1, high: 66.0 },
        top5: None,
        blocks: BTreeMap::new(),
        recall: BTreeMap::from([(class("spin"), 75.0), (class(HOSTILE), 50.0)]),
        confusion: BTreeMap::from([
            (class("spin"), BTreeMap::from([(class("spin"), 3), (class(HOSTILE), 1)])),
            (class(HOSTILE), BTreeMap::from([(class("spin"), 1), (class(HOSTILE), 1)])),
        ]),
        work: row.work.clone(),
        parameters: 532_202,
        multiply_adds: 8_387_392,
        runs: [0, 1]
            .map(|seed| RunRecord {
                split: HOSTILE.into(),
                seed,
                stages: vec![StageRecord {
                    unit: format!("train-{seed}"),
                    training: TrainOutcome {
                        iterations: 640,
                        seconds: 41.0,
                        samples_per_second: 1500.0,
                        peak_memory_mib: Some(700),
                        videos: 924,
                        ranks: None,
                        contrastive: None,
                        gpu: None,
                        loss: vec![(320, 2.5), (640, 0.5)],
                    },
                }],
                test_unit: format!("test-{seed}"),
                top1: 61.7,
                right: None,
                pairs: None,
                test: TestOutcome {
                    videos_expected: 6,
                    videos_scored: 5,
                    seconds: 5.0,
                    streams: Vec::new(),
                    svm: None,
                },
            })
            .into(),
        environment: Environment {
            commit: Some("0123456789ab+changes".into()),
            version: "0.1.0".into(),
            candle: "candle-core 0.11.1".into(),
            device: "cpu".into(),
            threads: 2,
            processor: Some(HOSTILE.into()),
            system: "linux x86_64".into(),
        },
    }
}

/// One record of Table 1b, one that cannot be read, and seven that are missing.
fn made_up(folder: &Path) -> (Workspace, PathBuf) {
    let workspace = Workspace { results: folder.join("results"), cache: folder.join("cache"), ..checkout() };
    let (spec, file) = workspace.spec("table1b").unwrap();
    let plan = TablePlan::resolve(spec, file, &Request::default(), &workspace).unwrap();
    let run = workspace.results.join(&plan.results);
    std::fs::create_dir_all(run.join("figures")).unwrap();
    write_json(&run.join("stack-10-on.json"), &record(&plan, 3)).unwrap();
    std::fs::write(run.join("stack-5-on.json"), "{ \"version\": \"<b>two</b>\"").unwrap();
    std::fs::write(run.join("of-no-row.json"), "{}").unwrap();
    std::fs::write(run.join("claims.json"), "[1, 2").unwrap();
    (workspace, run)
}

#[test]
fn what_is_missing_or_damaged_is_named_and_stops_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let (workspace, _) = made_up(folder.path());
    let (_, html) = written(&workspace, folder.path());
    check(&html);
    let (page, _) = parts(&html);
    let document = parsed(&page);
    let text = |id: &str| -> String {
        let node = document.descendants().find(|n| n.attribute("id") == Some(id)).unwrap();
        node.descendants().filter_map(|n| n.text()).collect()
    };
    let run = "two-stream/table1b/synth-mini";
    assert!(text(&format!("{run}/trajectory-10-on")).contains("not run"));
    let damaged = text(&format!("{run}/stack-5-on"));
    assert!(damaged.contains("damaged") && damaged.contains("expected u32"), "{damaged}");
    let recorded = text(&format!("{run}/stack-10-on"));
    for part in ["61.7", "57.1", "10 of 12", "(partial)", "2 of 1 splits and seeds were run", "\u{2212}19.3"]
    {
        assert!(recorded.contains(part), "{part} of {recorded}");
    }
    let all = text(run);
    for part in [
        "cannot read claims.json",
        "of-no-row.json does not belong to any row",
        "cargo xtask figures two-stream/table1b",
    ] {
        assert!(all.contains(part), "{part}");
    }
    assert!(!html.contains("<b>two</b>"));
    assert!(html.contains("No row of <a href=\"#two-stream/table1a\">two-stream/table1a</a> was run."));
    assert!(html.contains("No row was run at the papers\u{2019} own scale"));
}

#[test]
fn texts_of_a_record_stay_texts() {
    let folder = tempfile::tempdir().unwrap();
    let (workspace, _) = made_up(folder.path());
    let (_, html) = written(&workspace, folder.path());
    assert!(!html.contains("<img src=http"));
    assert_eq!(html.matches("</script>").count(), 1);
    let (page, _) = parts(&html);
    let document = parsed(&page);
    let said =
        document.descendants().filter(|n| n.is_text() && n.text().is_some_and(|t| t.contains(HOSTILE)));
    // Label, data, processor, a class in the head of a table, and the same class with another one in tips of the matrix.
    assert!(said.count() >= 6);
}

#[test]
fn pictures_are_taken_once_and_only_if_they_are_pictures() {
    let folder = tempfile::tempdir().unwrap();
    let (workspace, run) = made_up(folder.path());
    // The pictures of the documentation.
    let (before, _) = written(&workspace, folder.path());
    let svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"20\" height=\"10\"></svg>";
    let figures = run.join("figures");
    let row = || Some("stack-10-on".to_owned());
    let mut index = Vec::new();
    for (file, shows, row) in [
        ("embedding.svg", Shows::Embedding, None),
        ("a.svg", Shows::Filters, row()),
        ("b.svg", Shows::Recall, row()),
        ("c.png", Shows::Input, row()),
        ("../notes.svg", Shows::Attention, row()),
    ] {
        std::fs::write(figures.join(file), if file.ends_with(".png") { "no picture" } else { svg }).unwrap();
        let (title, description) = (HOSTILE.to_owned(), "Dots.".to_owned());
        index.push(Picture { file: file.into(), shows, row, stream: None, title, description });
    }
    let (report, html) = written(&workspace, folder.path());
    assert_eq!(report.pictures, before.pictures);
    assert!(html.contains(
        "no index.json describes them; draw them again with `cargo xtask figures two-stream/table1b`"
    ));
    write_json(&figures.join(INDEX), &index).unwrap();
    let (report, html) = written(&workspace, folder.path());
    check(&html);
    assert_eq!(
        (report.pictures, report.left_out),
        (before.pictures + 1, 0),
        "both files are the same picture"
    );
    let (page, _) = parts(&html);
    let document = parsed(&page);
    let picture = document.descendants().find(|n| n.attribute("alt") == Some("Dots.")).unwrap();
    assert_eq!((picture.attribute("width"), picture.attribute("height")), (Some("20"), Some("10")));
    assert!(html.contains("figures/c.png: expected a PNG"));
    assert!(html.contains("figures/../notes.svg: expected the name of a file beside index.json"));
    assert!(html.contains("First-layer filters: same as the run"), "the row says where its picture is");
    // Pictures of rows alone are pictures of the run.
    assert!(!html.contains("have not been drawn"));
    index.retain(|picture| picture.row.is_some());
    write_json(&figures.join(INDEX), &index).unwrap();
    let (_, html) = written(&workspace, folder.path());
    assert!(!html.contains("have not been drawn") && !html.contains("same as the run"));
    assert_eq!(html.matches("alt=\"Dots.\"").count(), 1);
}

#[test]
fn nothing_at_all_is_a_page_too() {
    let folder = tempfile::tempdir().unwrap();
    let workspace = Workspace { results: folder.path().join("none"), ..checkout() };
    let (_, html) = written(&workspace, folder.path());
    check(&html);
    assert!(html.contains("No row of <a href=\"#two-stream/table1b\">two-stream/table1b</a> was run."));
    assert!(html.contains("cargo xtask run two-stream/table1b"));
}
