//! `report`: puts all recorded results on one page.
//!
//! The page is one self-contained HTML file that makes no requests: it includes its styles and its script, pictures are
//! `data:` URLs, and its content security policy forbids everything else. It is made from specs, records, judged claims and
//! the pictures that `figures` has drawn; the same files give the same bytes. Missing and damaged files are named on it.
//! The templates escape all texts from outside. Drawings come from [`figure`], in the page's colours. The page can be read
//! without the script, which only sorts tables and opens the targets of links.

mod album;
mod book;
mod claims;
mod confusion;
mod cost;
mod curves;
mod depth;
mod html;
mod overview;
mod page;
mod question;
mod recall;
mod row;
mod rows;
mod run;

use std::path::{Component, Path, PathBuf};

use self::album::Album;
use self::book::Book;
use self::depth::Depth;
use self::page::Page;
use base::text::megabytes;
use experiment::compare::gather;
use experiment::error::{Error, Result};
use experiment::store::write_atomic;
use plan::Workspace;

/// Default name of the report in the results folder.
pub const FILE: &str = "report.html";

/// Size in bytes beyond which no picture is added to the page; the documented limit is five megabytes.
pub const MOST: usize = 4_900_000;

/// Summary of a written report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Path of the file.
    pub path: PathBuf,
    /// Size of the file in bytes.
    pub bytes: usize,
    /// Number of pictures on the page.
    pub pictures: usize,
    /// Number of pictures left out because of their size.
    pub left_out: usize,
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, bytes, pictures, left_out } = self;
        write!(f, "{}: {}, {pictures} pictures", path.display(), megabytes(*bytes as f64))?;
        if *left_out > 0 {
            write!(f, ", {left_out} left out to limit the size")?;
        }
        Ok(())
    }
}

/// Writes the report to `output`, or to [`FILE`] in the results folder.
///
/// # Errors
/// An error for a spec that cannot be read or a report that cannot be written. Records and pictures that cannot be read are
/// named on the page instead.
pub fn report(workspace: &Workspace, output: Option<&Path>) -> Result<Written> {
    let path = output.map_or_else(|| workspace.results.join(FILE), Path::to_owned);
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    if let Some(folder) = folder.filter(|folder| output.is_some() && !folder.is_dir()) {
        return Err(Error::Usage(format!(
            "cannot write {}: there is no folder {}; create it, or name another file",
            path.display(),
            folder.display()
        )));
    }
    let book = Book::open(workspace)?;
    let entries = gather::entries(workspace)?;
    let docs = docs_from(workspace, &path);
    let page =
        |album: &Album, depth| Page { book: &book, entries: &entries, album, depth, docs: &docs }.html();

    // Pictures fill the room that the rest of the page leaves.
    let mut depth = Depth::Whole;
    let mut album = Album::open(workspace, &book);
    let mut html = page(&album, depth);
    if html.len() > MOST {
        depth = Depth::Tables;
        html = page(&album, depth);
    }
    if album.choose(MOST.saturating_sub(html.len())) > 0 {
        html = page(&album, depth);
    }
    write_atomic(&path, html.as_bytes())?;
    Ok(Written { path, bytes: html.len(), pictures: album.chosen(), left_out: album.left_out() })
}

/// Returns the relative path from the page to `docs/`, for links, or an empty string if the page is outside the checkout.
fn docs_from(workspace: &Workspace, page: &Path) -> String {
    let page = std::path::absolute(page).unwrap_or_else(|_| page.to_owned());
    let below = page.strip_prefix(&workspace.root).ok().map(|below| below.components().collect::<Vec<_>>());
    match below {
        Some(below) if !below.contains(&Component::ParentDir) => {
            "../".repeat(below.len().saturating_sub(1)) + "docs/"
        }
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_in_the_checkout_finds_the_documentation() {
        let workspace = Workspace::new("/checkout");
        let docs = |page: &str| docs_from(&workspace, Path::new(page));
        assert_eq!(docs("/checkout/results/report.html"), "../docs/");
        assert_eq!(docs("/checkout/report.html"), "docs/");
        assert_eq!(docs("/elsewhere/report.html"), "");
        assert_eq!(docs("/checkout/results/../../report.html"), "");
    }
}
