//! `report`: everything that is recorded, on one page.
//!
//! The page is one HTML file that needs nothing beside it and asks nobody for anything: styles and the script are in it,
//! pictures are `data:` addresses, and its own policy forbids the rest. It is made from specs, records, judged claims and
//! the pictures that `figures` has drawn; the same files make the same bytes. What is missing or damaged is named on it.
//! All texts from outside are escaped by the templates; drawings are those of [`figure`], in the page's colours; all of it can be read without the script, which sorts tables and opens what a
//! link leads to.

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

/// The report among the results, unless another file is named.
pub const FILE: &str = "report.html";

/// Pictures do not make a page larger than this, in bytes: five megabytes are promised.
pub const MOST: usize = 4_900_000;

/// A report that was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// Where it is.
    pub path: PathBuf,
    /// Its size.
    pub bytes: usize,
    /// Pictures on it.
    pub pictures: usize,
    /// Pictures that it has no room for.
    pub left_out: usize,
}

impl std::fmt::Display for Written {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { path, bytes, pictures, left_out } = self;
        write!(f, "{}: {}, {pictures} pictures", path.display(), megabytes(*bytes as f64))?;
        if *left_out > 0 {
            write!(f, ", {left_out} left out for their size")?;
        }
        Ok(())
    }
}

/// Writes the report to `output`, or to [`FILE`] among the results.
///
/// # Errors
/// Specs that cannot be read; [`crate::Error::Io`] for a file that cannot be written. Records and pictures that cannot be
/// read are named on the page.
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

    // What pictures may take is what the rest leaves.
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

/// The way from the page to `docs/`, for links: relative where the page lies below the checkout, else none.
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
