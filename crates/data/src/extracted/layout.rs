//! The layout of an extracted folder: from file names to frames and the fields between them.

use super::ExtractedProblem;
use std::collections::BTreeMap;

/// Allowed number of digits in a name.
const DIGITS: std::ops::RangeInclusive<usize> = 4..=6;
const ENDING: &str = ".jpg";
/// The prefixes of horizontal and vertical flow.
const FLOW: [[&str; 2]; 2] = [["flow_x_", "flow_y_"], ["x_", "y_"]];
const IMAGE: &str = "img_";

/// The frames that flow pair K leads between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// Equal numbers of pairs and frames: the extractor of dense_flow and TSN. Image K is decoded frame K, the very first
    /// frame has no file, and pair K leads from frame K - 1 to frame K. The first pair leads from
    /// the frame without a file and is dropped.
    IntoFrame,
    /// One pair fewer than frames: pair K leads from image K to the next.
    OutOfFrame,
}

/// The files of a video in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Frames, T names.
    pub images: Vec<String>,
    /// Horizontal and vertical component of the field from frame t to t + 1; T - 1 pairs of names.
    pub flow: Vec<[String; 2]>,
    /// Numbering of the pairs relative to the frames.
    pub convention: Convention,
}

/// Names of one kind by their number.
type Numbered = BTreeMap<u32, String>;

impl Layout {
    /// Parses the names in a folder, in any order. Files with other names are ignored.
    ///
    /// # Errors
    /// An [`ExtractedProblem`] that names the file.
    pub fn of(names: &[String]) -> Result<Self, ExtractedProblem> {
        let images = numbered(names, IMAGE)?;
        if images.is_empty() {
            return Err(ExtractedProblem::NoFrames);
        }
        let mut sets = Vec::new();
        for [x, y] in FLOW {
            sets.push([numbered(names, x)?, numbered(names, y)?]);
        }
        let firsts = sets.iter().filter_map(|[x, y]| x.values().chain(y.values()).next());
        if let [one, other] = firsts.collect::<Vec<_>>().as_slice() {
            return Err(ExtractedProblem::TwoFlows { one: (*one).clone(), other: (*other).clone() });
        }
        let used = sets.into_iter().zip(FLOW).find(|([x, y], _)| !x.is_empty() || !y.is_empty());
        let Some(([x, y], [x_prefix, y_prefix])) = used else {
            return Err(ExtractedProblem::NoFlow { images: images.len() });
        };
        unpaired(&x, &y, x_prefix, y_prefix)?;
        unpaired(&y, &x, y_prefix, x_prefix)?;
        let (image_start, images) = in_order(images)?;
        let (flow_start, x) = in_order(x)?;
        let (_, y) = in_order(y)?;
        if image_start != flow_start || image_start > 1 {
            return Err(ExtractedProblem::Start { image: images[0].clone(), flow: x[0].clone() });
        }
        let (convention, dropped) = match images.len().checked_sub(x.len()) {
            Some(0) => (Convention::IntoFrame, 1),
            Some(1) => (Convention::OutOfFrame, 0),
            _ => return Err(ExtractedProblem::Counts { images: images.len(), flows: x.len() }),
        };
        let flow = x.into_iter().zip(y).skip(dropped).map(|(x, y)| [x, y]).collect();
        Ok(Self { images, flow, convention })
    }
}

/// Returns `true` if a name begins like that of a frame or a flow picture.
pub(super) fn looks_extracted(name: &str) -> bool {
    std::iter::once(IMAGE).chain(FLOW.into_iter().flatten()).any(|prefix| digits(name, prefix).is_some())
}

/// Returns `true` if a name is that of a frame.
pub(super) fn is_frame(name: &str) -> bool {
    digits(name, IMAGE).is_some_and(|(digits, rest)| DIGITS.contains(&digits.len()) && rest == ENDING)
}

/// Splits a name after `prefix` into its digits and the rest; `None` if there are no digits.
fn digits<'a>(name: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let rest = name.strip_prefix(prefix)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    (end > 0).then(|| rest.split_at(end))
}

/// Collects the names with a prefix, which must all have the same number of digits.
fn numbered(names: &[String], prefix: &str) -> Result<Numbered, ExtractedProblem> {
    let mut found = Numbered::new();
    let mut width = None;
    for name in names {
        let Some((digits, rest)) = digits(name, prefix) else { continue };
        let bad = |expected: String| Err(ExtractedProblem::Name { file: name.clone(), expected });
        if rest != ENDING || !DIGITS.contains(&digits.len()) {
            return bad(format!("{prefix}, 4 to 6 digits, {ENDING}"));
        }
        let width = *width.get_or_insert(digits.len());
        if width != digits.len() {
            return bad(format!("as many digits ({width}) as the other {prefix} files have"));
        }
        // Six digits always fit.
        found.insert(digits.parse().unwrap_or(u32::MAX), name.clone());
    }
    Ok(found)
}

/// Refuses the first name of `these` without a partner in `those`.
fn unpaired(these: &Numbered, those: &Numbered, prefix: &str, other: &str) -> Result<(), ExtractedProblem> {
    match these.iter().find(|(number, _)| !those.contains_key(number)) {
        Some((_, name)) => Err(ExtractedProblem::Unpaired {
            missing: name.replacen(prefix, other, 1),
            partner: name.clone(),
        }),
        None => Ok(()),
    }
}

/// Returns the first number and the names in order; refuses a gap in the numbers.
fn in_order(names: Numbered) -> Result<(u32, Vec<String>), ExtractedProblem> {
    let Some((&start, first)) = names.first_key_value() else { return Ok((0, Vec::new())) };
    let gap = names.keys().zip(start..).find(|(number, expected)| *number != expected);
    if let Some((_, missing)) = gap {
        let last = names.values().next_back().unwrap_or(first).clone();
        let end = last.len() - ENDING.len();
        let begin = last[..end].rfind('_').map_or(0, |at| at + 1);
        let width = end - begin;
        return Err(ExtractedProblem::Gap {
            missing: format!("{}{missing:0width$}{ENDING}", &last[..begin]),
            last,
        });
    }
    Ok((start, names.into_values().collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn series(prefix: &str, numbers: std::ops::Range<usize>, digits: usize) -> Vec<String> {
        numbers.map(|n| format!("{prefix}{n:0digits$}.jpg")).collect()
    }

    fn folder(images: std::ops::Range<usize>, flows: std::ops::Range<usize>) -> Vec<String> {
        [series("img_", images, 5), series("flow_x_", flows.clone(), 5), series("flow_y_", flows, 5)].concat()
    }

    #[test]
    fn as_many_pairs_as_frames_is_dense_flow() {
        for start in [0, 1] {
            let layout = Layout::of(&folder(start..start + 7, start..start + 7)).unwrap();
            assert_eq!((layout.images.len(), layout.flow.len()), (7, 6));
            assert_eq!(layout.convention, Convention::IntoFrame);
            // The field from the first frame to the second is the one that leads into the second.
            let second = start + 1;
            let field = [format!("flow_x_{second:05}.jpg"), format!("flow_y_{second:05}.jpg")];
            assert_eq!(layout.flow[0], field);
        }
    }

    #[test]
    fn one_pair_fewer_leads_out_of_its_frame() {
        for start in [0, 1] {
            let mut names = folder(start..start + 7, start..start + 6);
            names.reverse();
            names.push("Thumbs.db".to_owned());
            let layout = Layout::of(&names).unwrap();
            assert_eq!((layout.images.len(), layout.flow.len()), (7, 6));
            assert_eq!(layout.convention, Convention::OutOfFrame);
            assert_eq!(layout.flow[0][0], format!("flow_x_{start:05}.jpg"));
        }
    }

    #[test]
    fn short_names_and_other_numbers_of_digits_are_read() {
        for digits in 4..=6 {
            let names =
                [series("img_", 1..4, digits), series("x_", 1..4, digits), series("y_", 1..4, digits)];
            assert_eq!(Layout::of(&names.concat()).unwrap().flow.len(), 2);
        }
        // The number of digits may differ between kinds, not within one.
        let names = [series("img_", 1..4, 4), series("x_", 1..4, 5), series("y_", 1..4, 6)].concat();
        assert_eq!(Layout::of(&names).unwrap().flow[0], ["x_00002.jpg", "y_000002.jpg"]);
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let without = |name: &str| {
            let mut names = folder(1..8, 1..8);
            names.retain(|n| n != name);
            Layout::of(&names).unwrap_err().to_string()
        };
        let with = |name: &str| {
            let mut names = folder(1..8, 1..8);
            names.push(name.to_owned());
            Layout::of(&names).unwrap_err().to_string()
        };
        let cases = [
            (without("img_00004.jpg"), "img_00004.jpg is missing: the numbers go on to img_00007.jpg"),
            (without("flow_x_00004.jpg"), "flow_x_00004.jpg is missing: flow_y_00004.jpg has no other"),
            (without("flow_y_00007.jpg"), "flow_y_00007.jpg is missing: flow_x_00007.jpg has no other"),
            (with("img_8.jpg"), "img_8.jpg: expected img_, 4 to 6 digits, .jpg"),
            (with("img_00008.png"), "img_00008.png: expected"),
            (with("img_0008.jpg"), "as many digits (5)"),
            (with("x_00001.jpg"), "found both flow_x_00001.jpg and x_00001.jpg"),
        ];
        for (found, says) in cases {
            assert!(found.contains(says), "{found}");
        }
        let refused = |names: &[String]| Layout::of(names).unwrap_err().to_string();
        assert!(
            refused(&folder(1..11, 1..6)).contains("found 10 frames and 5 flow pairs; expected 10 pairs")
        );
        assert!(refused(&folder(1..6, 1..8)).contains("found 5 frames and 7 flow pairs"));
        assert!(
            refused(&folder(0..6, 1..6)).contains("begin with img_00000.jpg, the flow with flow_x_00001")
        );
        assert!(refused(&folder(2..6, 2..6)).contains("0 or 1"));
        assert!(refused(&folder(1..6, 1..1)).contains("beside 5 frames"));
        assert!(refused(&[]).contains("found none"));
    }
}
