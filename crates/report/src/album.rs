//! Collects the available pictures: those that `figures` has drawn beside the records, and those in the documentation of a
//! paper. They are embedded unchanged, each once, as far as the size limit of the page allows.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use base64::Engine;

use maud::{Markup, html};

use super::book::{Book, Paper, Ran};
use super::html::{anchor, joined, link};
use experiment::pictures::{self, INDEX, Shows};
use plan::Workspace;

/// Size in bytes of the largest picture that is read.
const LARGEST_PICTURE: u64 = 256 << 20;

/// The part of the page to which a picture belongs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// A run by its folder, and the id of a row if the picture belongs to one.
    Run(PathBuf, Option<String>),
    /// A paper by its name.
    Paper(String),
}

impl Place {
    /// Returns the place of a run, or of one of its rows.
    fn of(run: &Ran, row: Option<&str>) -> Self {
        Self::Run(run.folder.place().to_owned(), row.map(str::to_owned))
    }

    fn row(&self) -> Option<&str> {
        match self {
            Self::Run(_, row) => row.as_deref(),
            Self::Paper(_) => None,
        }
    }

    /// Returns the run or the paper, without the row.
    fn whole(&self) -> Self {
        match self {
            Self::Run(folder, _) => Self::Run(folder.clone(), None),
            Self::Paper(_) => self.clone(),
        }
    }
}

struct Picture {
    /// Its anchor on the page.
    anchor: String,
    place: Place,
    shows: Shows,
    /// Path of its file, as shown to the reader.
    file: String,
    /// Its content as a `data:` URL.
    address: String,
    size: Option<(u32, u32)>,
    /// Caption of one line.
    title: String,
    alt: String,
    chosen: bool,
    /// Index of the same picture elsewhere on the page.
    same: Option<usize>,
}

/// A folder of pictures.
struct Folder {
    path: PathBuf,
    /// The path as shown to the reader.
    shown: String,
    /// Run or paper to which its pictures belong.
    place: Place,
    /// Anchor of that run or paper on the page.
    anchor: String,
    /// Advice if the index is missing or cannot be read.
    advice: String,
}

/// Indices of pictures by identity: their bytes, or their net and the kind of picture.
type Known = BTreeMap<String, usize>;

/// All pictures, in the order of the page.
pub(super) struct Album {
    pictures: Vec<Picture>,
    /// Indices of the pictures of each place: a page of many runs and rows asks for each place once.
    at: BTreeMap<Place, Vec<usize>>,
    /// Problems with pictures that are not shown, in words.
    refused: BTreeMap<Place, Vec<String>>,
}

impl Album {
    /// Reads all available pictures without choosing any yet.
    pub(super) fn open(workspace: &Workspace, book: &Book) -> Self {
        let mut album = Self { pictures: Vec::new(), at: BTreeMap::new(), refused: BTreeMap::new() };
        let mut known = Known::new();
        for (table, run) in book.runs() {
            let (name, again) = (table.spec.name(), "draw them again with `cargo xtask figures");
            let folder = Folder {
                path: run.folder.file("figures"),
                shown: format!("{name}/{}/figures", run.name),
                place: Place::of(run, None),
                anchor: run.anchor(table),
                advice: format!("{again} {name}{}`", run.flags),
            };
            for picture in album.indexed(&folder) {
                let row =
                    picture.row.as_deref().and_then(|id| run.table.rows.iter().find(|row| row.id == id));
                let place = Place::of(run, row.map(|row| row.id.as_str()));
                let net = row.and_then(|row| row.state.record()).map(|record| {
                    let units: Vec<&str> = record.runs.iter().map(|run| run.test_unit.as_str()).collect();
                    format!("{units:?} {:?} {:?}", picture.shows, picture.stream)
                });
                album.add(&folder, picture, place, net, &mut known);
            }
        }
        for paper in &book.papers {
            let shown = format!("docs/figures/{}", paper.name);
            let folder = Folder {
                path: workspace.root.join(&shown),
                shown,
                place: Place::Paper(paper.name.clone()),
                anchor: paper.anchor(),
                advice: "list them there".to_owned(),
            };
            for picture in album.indexed(&folder) {
                album.add(&folder, picture, folder.place.clone(), None, &mut known);
            }
        }
        album
    }

    /// Returns the pictures named in a folder's index, except those that the page itself draws from the records.
    fn indexed(&mut self, folder: &Folder) -> Vec<pictures::Picture> {
        let Folder { path, shown, place, advice, .. } = folder;
        let mut named = match pictures::read(path) {
            Ok(Some(named)) => named,
            Ok(None) if !has_pictures(path) => Vec::new(),
            Ok(None) => {
                let message = format!("the pictures of {shown}: no {INDEX} describes them; {advice}");
                self.refuse(place, message);
                Vec::new()
            }
            Err(error) => {
                self.refuse(place, format!("the pictures of {shown}: {error}; {advice}"));
                Vec::new()
            }
        };
        named.retain(|picture| !picture.shows.is_of_records());
        named
    }

    fn refuse(&mut self, place: &Place, message: String) {
        self.refused.entry(place.clone()).or_default().push(message);
    }

    /// Adds a picture. `place` is that of its row, if it has one; `net` identifies its nets and the kind of picture.
    fn add(
        &mut self,
        folder: &Folder,
        named: pictures::Picture,
        place: Place,
        net: Option<String>,
        known: &mut Known,
    ) {
        let pictures::Picture { file: name, shows, title, description: alt, .. } = named;
        let file = format!("{}/{name}", folder.shown);
        let read = || {
            if Path::new(&name).file_name().is_none_or(|own| own != name.as_str()) {
                return Err(format!("expected the name of a file beside {INDEX}, found a path"));
            }
            let bytes =
                base::files::read(&folder.path.join(&name), LARGEST_PICTURE).map_err(|e| e.to_string())?;
            let (address, size) = address(Path::new(&name), &bytes)?;
            Ok((bytes, address, size))
        };
        let (bytes, address, size) = match read() {
            Ok(picture) => picture,
            Err(message) => return self.refuse(&folder.place, format!("{file}: {message}")),
        };
        let index = self.pictures.len();
        let mut keys = vec![blake3::hash(&bytes).to_hex().to_string()];
        keys.extend(net);
        let same = keys.iter().find_map(|key| known.get(key)).copied();
        for key in keys {
            known.entry(key).or_insert(same.unwrap_or(index));
        }
        // A picture of the documentation that a run already shows is skipped.
        if same.is_some() && matches!(place, Place::Paper(_)) {
            return;
        }
        let anchor = format!("{}/~figure/{}", folder.anchor, anchor([name.as_str()]));
        let chosen = false;
        self.at.entry(place.clone()).or_default().push(index);
        self.pictures.push(Picture { anchor, place, shows, file, address, size, title, alt, chosen, same });
    }

    /// Chooses pictures that take at most `most` bytes in all, and returns their number: first all small kinds, then from
    /// the large kinds the first of every run, the second of every run, and so on.
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
            let size = self.pictures[index].html().into_string().len();
            if size <= left {
                left -= size;
                self.pictures[index].chosen = true;
                chosen += 1;
            }
        }
        chosen
    }

    /// Returns the number of pictures on the page.
    pub(super) fn chosen(&self) -> usize {
        self.pictures.iter().filter(|picture| picture.chosen).count()
    }

    /// Returns the number of pictures left out because of their size.
    pub(super) fn left_out(&self) -> usize {
        self.pictures.iter().filter(|picture| !picture.chosen && picture.same.is_none()).count()
    }

    /// Returns `true` if a run has any pictures.
    pub(super) fn has(&self, run: &Ran) -> bool {
        // The places of a run's rows come right after that of the run itself.
        let first = Place::of(run, None);
        self.at.range(first.clone()..).next().is_some_and(|(place, _)| place.whole() == first)
    }

    /// Renders the pictures of a row.
    pub(super) fn of_row(&self, run: &Ran, row: &str) -> Markup {
        self.html(&Place::of(run, Some(row)))
    }

    /// Renders the pictures of a run that belong to no single row, and the problems with others.
    pub(super) fn of_run(&self, run: &Ran) -> Markup {
        let place = Place::of(run, None);
        html! { (self.html(&place)) (self.refused(&place)) }
    }

    /// Renders the pictures of the documentation that no run shows; `None` if there are none.
    pub(super) fn of_paper(&self, paper: &Paper) -> Option<Markup> {
        let place = Place::Paper(paper.name.clone());
        let any = self.at.contains_key(&place) || self.refused.contains_key(&place);
        any.then(|| html! { (self.html(&place)) (self.refused(&place)) })
    }

    fn refused(&self, place: &Place) -> Markup {
        html! { @for why in self.refused.get(place).into_iter().flatten() { p.warn { "Not shown: " (why) } } }
    }

    fn html(&self, place: &Place) -> Markup {
        let mut shown = Vec::new();
        let mut others = Vec::new();
        for picture in self.at.get(place).into_iter().flatten().map(|&index| &self.pictures[index]) {
            match picture.same.map(|same| &self.pictures[same]) {
                Some(same) if same.chosen => {
                    let of = same.place.row().unwrap_or("the run");
                    let words = format!("{}: same as {of}", picture.shows.words());
                    others.push(link(&same.anchor, &words));
                }
                Some(_) => {}
                None if picture.chosen => shown.push(picture.html()),
                None => others.push(html! { "left out to limit the size of the page: " (picture.file) }),
            }
        }
        html! {
            @if !shown.is_empty() { div.pictures { @for picture in shown { (picture) } } }
            @if !others.is_empty() { p.quiet { (joined(&others, "; ")) "." } }
        }
    }
}

impl Picture {
    fn html(&self) -> Markup {
        let (width, height) = self.size.unzip();
        let small = width.is_some_and(|width| width < 400).then_some("small");
        html! {
            figure.picture id=(self.anchor) {
                img src=(self.address) alt=(self.alt) width=[width] height=[height] class=[small] loading="lazy"
                    decoding="async";
                figcaption { (self.title) " " span.quiet { (self.file) } }
            }
        }
    }
}

/// Returns `true` if a folder holds pictures.
fn has_pictures(folder: &Path) -> bool {
    let is_picture = |path: &PathBuf| path.extension().is_some_and(|e| e == "svg" || e == "png");
    base::files::list(folder).is_ok_and(|files| files.iter().any(is_picture))
}

type Addressed = (String, Option<(u32, u32)>);

/// Encodes a picture as a `data:` URL, and returns its size in pixels if known.
fn address(file: &Path, bytes: &[u8]) -> Result<Addressed, String> {
    if file.extension().is_some_and(|extension| extension == "png") {
        let header = bytes.get(..24).filter(|header| header.starts_with(b"\x89PNG\r\n\x1a\n"));
        let header = header.ok_or("expected a PNG, found something else")?;
        let side =
            |at: usize| u32::from_be_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]);
        let coded = base64::engine::general_purpose::STANDARD.encode(bytes);
        return Ok((format!("data:image/png;base64,{coded}"), Some((side(16), side(20)))));
    }
    let text = std::str::from_utf8(bytes).map_err(|_| "expected an SVG, found bytes that are not UTF-8")?;
    if !text.trim_start().starts_with("<svg") {
        return Err("expected an SVG, found other text".into());
    }
    let mut address = String::with_capacity(text.len() + text.len() / 8 + 32);
    address.push_str("data:image/svg+xml,");
    for byte in text.trim().bytes() {
        match byte {
            // A line break between elements means the same as a space, which is shorter than the escaped code.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_svg_becomes_an_address_that_stays_in_its_attribute() {
        let svg = b"<svg xmlns=\"x\" width=\"12.4\" height=\"7\">\n<title>a &lt;b&gt;</title><desc>100 % #1</desc></svg>";
        let (address, size) = address(Path::new("a.svg"), svg).unwrap();
        assert_eq!(size, Some((12, 7)));
        assert!(!address.contains(['"', '<', '>', '#', '&']), "{address}");
        assert!(address.contains("100 %25 %231"), "{address}");
    }

    #[test]
    fn what_is_no_picture_is_refused() {
        assert!(address(Path::new("a.png"), b"GIF89a").is_err());
        assert!(address(Path::new("a.svg"), b"<html>").is_err());
        assert!(address(Path::new("a.svg"), &[0xff, 0xfe]).is_err());
    }
}
