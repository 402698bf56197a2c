//! The pictures that are there: what `figures` has drawn beside the records, and what the documentation shows of a paper.
//! They are put on the page as they are, each once, as many as there is room for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;

use super::book::{Book, Paper, Ran, State};
use super::html::{anchor, escape, link};
use plan::Workspace;

/// What a picture shows, the most wanted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Shows {
    Embedding,
    Streams,
    Filters,
    Attention,
    Input,
    Other,
}

impl Shows {
    /// From a file's name without its ending; `None` for what the page draws itself from the records.
    fn of(name: &str) -> Option<Self> {
        let ends = |with: &str| name == with || name.ends_with(&format!("-{with}"));
        if ends("loss") || ends("recall") || ends("confusion") {
            return None;
        }
        let kinds = [
            ("embedding", Self::Embedding),
            ("streams", Self::Streams),
            ("filters", Self::Filters),
            ("attention", Self::Attention),
            ("input", Self::Input),
        ];
        Some(kinds.into_iter().find(|(with, _)| ends(with)).map_or(Self::Other, |(_, shows)| shows))
    }

    fn words(self) -> &'static str {
        match self {
            Self::Embedding => "Features of test videos in the plane (t-SNE)",
            Self::Streams => "Recall of each class by several nets",
            Self::Filters => "First-layer filters",
            Self::Attention => "Where the network looks",
            Self::Input => "A frame, its flow, and what the network sees of it",
            Self::Other => "Picture",
        }
    }
}

/// Where a picture belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// The run of that folder, and its row if it is of one.
    Run(PathBuf, Option<String>),
    /// The paper of that name.
    Paper(String),
}

impl Place {
    fn is_of(&self, run: &Ran) -> bool {
        matches!(self, Self::Run(folder, _) if *folder == run.folder)
    }

    fn row(&self) -> Option<&str> {
        match self {
            Self::Run(_, row) => row.as_deref(),
            Self::Paper(_) => None,
        }
    }

    /// The run or the paper.
    fn whole(&self) -> Self {
        match self {
            Self::Run(folder, _) => Self::Run(folder.clone(), None),
            Self::Paper(_) => self.clone(),
        }
    }
}

struct Picture {
    /// The name of its place on the page.
    anchor: String,
    place: Place,
    shows: Shows,
    /// Its file, for people.
    file: String,
    /// The `data:` address.
    address: String,
    size: Option<(u32, u32)>,
    /// What it shows, in the words of the file or ours.
    title: String,
    alt: String,
    chosen: bool,
    /// The same picture elsewhere on the page.
    same: Option<usize>,
}

/// All pictures, in the order of the page.
pub(super) struct Album {
    pictures: Vec<Picture>,
    /// Files that are no pictures.
    refused: BTreeMap<Place, Vec<String>>,
}

impl Album {
    /// Reads what is there; nothing is chosen yet.
    pub(super) fn open(workspace: &Workspace, book: &Book) -> Self {
        let mut album = Self { pictures: Vec::new(), refused: BTreeMap::new() };
        // By what makes two pictures the same: their bytes, or their net and what they show of it.
        let mut known: BTreeMap<String, usize> = BTreeMap::new();
        for (table, run) in book.runs() {
            for file in files(&run.folder.join("figures")) {
                let stem = stem(&file);
                let row = row_of(run, stem);
                let row = row.map(|row| row.row.id.clone());
                let kind = row.as_ref().map_or(stem, |row| &stem[row.len()..]);
                let anchor = format!("{}/~figure/{}", run.anchor(table), anchor([name(&file).as_str()]));
                let units = row.as_ref().and_then(|row| units(run, row));
                let key = units.map(|units| format!("{units} {kind}"));
                let shown = format!("{}/{}/figures/{}", table.spec.name(), run.name, name(&file));
                let place = Place::Run(run.folder.clone(), row);
                album.add(&file, place, anchor, shown, key, &mut known);
            }
        }
        for paper in &book.papers {
            for file in files(&workspace.root.join("docs/figures").join(&paper.name)) {
                let anchor = format!("{}/~figure/{}", paper.anchor(), anchor([name(&file).as_str()]));
                let shown = format!("docs/figures/{}/{}", paper.name, name(&file));
                let place = Place::Paper(paper.name.clone());
                album.add(&file, place, anchor, shown, None, &mut known);
            }
        }
        album
    }

    fn add(
        &mut self,
        file: &Path,
        place: Place,
        anchor: String,
        shown: String,
        net: Option<String>,
        known: &mut BTreeMap<String, usize>,
    ) {
        let Some(shows) = Shows::of(stem(file)) else { return };
        let picture = std::fs::read(file).map_err(|e| e.to_string()).and_then(|bytes| {
            let (address, size) = address(file, &bytes)?;
            Ok((bytes, address, size))
        });
        let (bytes, address, size) = match picture {
            Ok(picture) => picture,
            Err(message) => {
                self.refused.entry(place.whole()).or_default().push(format!("{shown}: {message}"));
                return;
            }
        };
        let (title, alt) = words(&bytes);
        let of_row = place.row().map_or(String::new(), |row| format!(" of {row}"));
        let title = title.unwrap_or_else(|| format!("{}{of_row}", shows.words()));
        let alt = alt.unwrap_or_else(|| title.clone());
        let index = self.pictures.len();
        let mut keys = vec![blake3::hash(&bytes).to_hex().to_string()];
        keys.extend(net);
        let same = keys.iter().find_map(|key| known.get(key)).copied();
        for key in keys {
            known.entry(key).or_insert(same.unwrap_or(index));
        }
        // Of pictures of the documentation those are left that no run shows.
        if same.is_some() && matches!(place, Place::Paper(_)) {
            return;
        }
        self.pictures.push(Picture {
            anchor,
            place,
            shows,
            file: shown,
            address,
            size,
            title,
            alt,
            chosen: false,
            same,
        });
    }

    /// Chooses pictures that take at most so many bytes, and says how many: all of the small kinds, then of the large ones
    /// the first of every run, the second, and so on.
    pub(super) fn choose(&mut self, most: usize) -> usize {
        let mut seen: BTreeMap<(Place, Shows), usize> = BTreeMap::new();
        let mut order: Vec<(bool, usize, Shows, usize)> = Vec::new();
        for (index, picture) in self.pictures.iter().enumerate().filter(|(_, picture)| picture.same.is_none())
        {
            let before = seen.entry((picture.place.whole(), picture.shows)).or_default();
            let large = picture.shows > Shows::Filters;
            order.push((large, *before, picture.shows, index));
            *before += 1;
        }
        order.sort();
        let mut left = most;
        let mut chosen = 0;
        for (_, _, _, index) in order {
            let size = self.pictures[index].html().len();
            if size <= left {
                left -= size;
                self.pictures[index].chosen = true;
                chosen += 1;
            }
        }
        chosen
    }

    /// Pictures on the page.
    pub(super) fn chosen(&self) -> usize {
        self.pictures.iter().filter(|picture| picture.chosen).count()
    }

    /// Pictures that there is no room for.
    pub(super) fn left_out(&self) -> usize {
        self.pictures.iter().filter(|picture| !picture.chosen && picture.same.is_none()).count()
    }

    /// Whether a run has any.
    pub(super) fn has(&self, run: &Ran) -> bool {
        self.pictures.iter().any(|picture| picture.place.is_of(run))
    }

    /// Those of a row.
    pub(super) fn of_row(&self, run: &Ran, row: &str) -> String {
        self.html(|picture| picture.place.is_of(run) && picture.place.row() == Some(row))
    }

    /// Those of a run that are of no row alone, and what is no picture.
    pub(super) fn of_run(&self, run: &Ran) -> String {
        let mut out = self.html(|picture| picture.place.is_of(run) && picture.place.row().is_none());
        for refused in self.refused.get(&Place::Run(run.folder.clone(), None)).into_iter().flatten() {
            out.push_str(&format!("<p class=\"warn\">Not shown: {}</p>\n", escape(refused)));
        }
        out
    }

    /// Those of the documentation that no run shows.
    pub(super) fn of_paper(&self, paper: &Paper) -> String {
        self.html(|picture| picture.place == Place::Paper(paper.name.clone()))
    }

    fn html(&self, wanted: impl Fn(&Picture) -> bool) -> String {
        let mut shown = String::new();
        let mut others = Vec::new();
        for picture in self.pictures.iter().filter(|picture| wanted(picture)) {
            match picture.same.map(|same| &self.pictures[same]) {
                Some(same) if same.chosen => {
                    let of = same.place.row().unwrap_or("the run");
                    let words = format!("{}: as of {of}", picture.shows.words());
                    others.push(link(&same.anchor, &words));
                }
                Some(_) => {}
                None if picture.chosen => shown.push_str(&picture.html()),
                None => others.push(format!("left out for the size of the page: {}", escape(&picture.file))),
            }
        }
        if !shown.is_empty() {
            shown = format!("<div class=\"pictures\">{shown}</div>\n");
        }
        if !others.is_empty() {
            shown.push_str(&format!("<p class=\"quiet\">{}.</p>\n", others.join("; ")));
        }
        shown
    }
}

impl Picture {
    fn html(&self) -> String {
        let size = self
            .size
            .map_or(String::new(), |(width, height)| format!(" width=\"{width}\" height=\"{height}\""));
        let small = if self.size.is_some_and(|(width, _)| width < 400) { " class=\"small\"" } else { "" };
        format!(
            "<figure class=\"picture\" id=\"{}\"><img src=\"{}\" alt=\"{}\"{size}{small} loading=\"lazy\" decoding=\"async\"/>\
             <figcaption>{} <span class=\"quiet\">{}</span></figcaption></figure>\n",
            self.anchor,
            self.address,
            escape(&self.alt),
            escape(&self.title),
            escape(&self.file)
        )
    }
}

/// The pictures of a folder, in name order.
fn files(folder: &Path) -> Vec<PathBuf> {
    let is_picture = |path: &PathBuf| path.extension().is_some_and(|e| e == "svg" || e == "png");
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder)
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path())).filter(is_picture).collect())
        .unwrap_or_default();
    files.sort();
    files
}

fn stem(file: &Path) -> &str {
    file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default()
}

fn name(file: &Path) -> String {
    file.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The row whose picture it is: the longest name that the file's begins with.
fn row_of<'a>(run: &'a Ran, stem: &str) -> Option<&'a super::book::Found> {
    let begins = |id: &str| stem.strip_prefix(id).is_some_and(|rest| rest.starts_with('-'));
    run.rows.iter().filter(|row| begins(&row.row.id)).max_by_key(|row| row.row.id.len())
}

/// The tests that stand for a row's nets.
fn units(run: &Ran, row: &str) -> Option<String> {
    let found = run.rows.iter().find(|found| found.row.id == row)?;
    let State::Recorded(recorded) = &found.state else { return None };
    let units: Vec<&str> = recorded.record.runs.iter().map(|run| run.test_unit.as_str()).collect();
    Some(units.join(" "))
}

type Addressed = (String, Option<(u32, u32)>);

/// The picture as a `data:` address, and its size.
fn address(file: &Path, bytes: &[u8]) -> Result<Addressed, String> {
    if file.extension().is_some_and(|extension| extension == "png") {
        let header = bytes.get(..24).filter(|header| header.starts_with(b"\x89PNG\r\n\x1a\n"));
        let header = header.ok_or("expected a PNG, found something else")?;
        let side =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let coded = base64::engine::general_purpose::STANDARD.encode(bytes);
        return Ok((format!("data:image/png;base64,{coded}"), Some((side(16), side(20)))));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "expected an SVG, found bytes that are no text")?;
    if !text.trim_start().starts_with("<svg") {
        return Err("expected an SVG, found another text".into());
    }
    let mut address = String::with_capacity(text.len() + text.len() / 8 + 32);
    address.push_str("data:image/svg+xml,");
    for byte in text.trim().bytes() {
        match byte {
            // Between two elements it says nothing; shorter than its code.
            b'\n' => address.push(' '),
            b'<' | b'>' | b'"' | b'#' | b'%' | b'&' => address.push_str(&format!("%{byte:02X}")),
            b' '..=b'~' => address.push(char::from(byte)),
            _ => address.push_str(&format!("%{byte:02X}")),
        }
    }
    let tag = text.trim_start().split('>').next().unwrap_or_default();
    let side = |name: &str| -> Option<u32> {
        let after = tag.split_once(&format!(" {name}=\""))?.1;
        after
            .split('"')
            .next()?
            .parse::<f64>()
            .ok()
            .filter(|side| (1.0..1e5).contains(side))
            .map(|s| s.round() as u32)
    };
    Ok((address, side("width").zip(side("height"))))
}

/// What an SVG says of itself: title and description.
fn words(bytes: &[u8]) -> (Option<String>, Option<String>) {
    // Both stand at its beginning.
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(8192)]);
    let of = |tag: &str| {
        let after = text.split_once(&format!("<{tag}>"))?.1;
        let (inner, _) = after.split_once('<')?;
        let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")]
            .iter()
            .fold(inner.trim().to_owned(), |text, (code, letter)| text.replace(code, letter));
        (!plain.is_empty()).then_some(plain)
    };
    (of("title"), of("desc"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_known_by_its_name() {
        assert_eq!(Shows::of("embedding"), Some(Shows::Embedding));
        assert_eq!(Shows::of("stack-10-on-filters"), Some(Shows::Filters));
        assert_eq!(Shows::of("views"), Some(Shows::Other));
        for drawn in ["loss", "a-recall", "a-confusion"] {
            assert_eq!(Shows::of(drawn), None, "{drawn} is drawn from the records");
        }
    }

    #[test]
    fn an_svg_becomes_an_address_that_stays_in_its_attribute() {
        let svg = b"<svg xmlns=\"x\" width=\"12.4\" height=\"7\">\n<title>a &lt;b&gt;</title><desc>100 % #1</desc></svg>";
        let (address, size) = address(Path::new("a.svg"), svg).unwrap();
        assert_eq!(size, Some((12, 7)));
        assert!(!address.contains(['"', '<', '>', '#', '&']), "{address}");
        assert!(address.contains("100 %25 %231"), "{address}");
        assert_eq!(words(svg), (Some("a <b>".into()), Some("100 % #1".into())));
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(address(Path::new("a.png"), b"GIF89a").is_err());
        assert!(address(Path::new("a.svg"), b"<html>").is_err());
        assert!(address(Path::new("a.svg"), &[0xff, 0xfe]).is_err());
    }
}
