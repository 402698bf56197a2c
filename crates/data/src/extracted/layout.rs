//! The layout of an extracted folder: from file names to frames and the fields between them.

use super::ExtractedProblem;
use std::collections::BTreeMap;

/// Allowed number of digits in a name.
const DIGITS: std::ops::RangeInclusive<usize> = 4..=6;
/// Allowed endings, in any case.
const ENDINGS: [&str; 2] = [".jpg", ".jpeg"];
/// The prefixes of horizontal and vertical flow; the last pair is that of flow in folders of its own
/// ([`super::trees`]), whose names are read with `u/` or `v/` before them.
const FLOW: [[&str; 2]; 3] = [["flow_x_", "flow_y_"], ["x_", "y_"], ["u/frame", "v/frame"]];
/// The prefix of frames in the layout of TSN and dense_flow. Where such frames are, files of the other kinds are ignored.
const IMAGE: &str = "img_";
/// The prefixes of frames that other extractors write.
const OTHER_IMAGES: [&str; 2] = ["image_", "frame"];

/// The frames that flow pair K leads between.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Convention {
    /// Equal numbers of pairs and frames: the extractor of dense_flow and TSN. Image K is decoded frame K, the very first
    /// frame has no file, and pair K leads from frame K - 1 to frame K. The first pair leads from
    /// the frame without a file and is dropped.
    IntoFrame,
    /// One pair fewer than frames: pair K leads from image K to the next.
    OutOfFrame,
    /// There are frames alone, which serve networks that see no flow.
    FramesAlone,
}

/// The files of a video in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// Frames, T names.
    pub images: Vec<String>,
    /// Horizontal and vertical component of the field from frame t to t + 1; T - 1 pairs of names, or none at all.
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
        let images = images(names)?;
        let mut sets = Vec::new();
        for [x, y] in FLOW {
            sets.push([numbered(names, x)?, numbered(names, y)?]);
        }
        let firsts = sets.iter().filter_map(|[x, y]| x.values().chain(y.values()).next());
        if let [one, other, ..] = firsts.collect::<Vec<_>>().as_slice() {
            return Err(ExtractedProblem::TwoFlows { one: (*one).clone(), other: (*other).clone() });
        }
        let used = sets.into_iter().zip(FLOW).find(|([x, y], _)| !x.is_empty() || !y.is_empty());
        let Some(([x, y], [x_prefix, y_prefix])) = used else {
            return match in_order(images)? {
                (0 | 1, images) => Ok(Self { images, flow: Vec::new(), convention: Convention::FramesAlone }),
                (_, images) => Err(ExtractedProblem::First { image: images[0].clone() }),
            };
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

/// Returns `true` if a name is that of a frame in the layout of TSN and dense_flow.
pub(super) fn is_frame(name: &str) -> bool {
    is_picture(name, IMAGE)
}

/// Returns `true` if a name is that of a frame of another extractor.
pub(super) fn is_other_frame(name: &str) -> bool {
    OTHER_IMAGES.iter().any(|prefix| is_picture(name, prefix))
}

/// Returns `true` if a name is that of a flow picture beside the frames.
pub(super) fn is_flow(name: &str) -> bool {
    FLOW.iter().flatten().any(|prefix| is_picture(name, prefix))
}

fn is_picture(name: &str, prefix: &str) -> bool {
    digits(name, prefix).is_some_and(|(digits, rest)| DIGITS.contains(&digits.len()) && is_ending(rest))
}

fn is_ending(rest: &str) -> bool {
    ENDINGS.iter().any(|ending| rest.eq_ignore_ascii_case(ending))
}

/// Splits a name after `prefix` into its digits and the rest; `None` if there are no digits.
fn digits<'a>(name: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let rest = name.strip_prefix(prefix)?;
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    (end > 0).then(|| rest.split_at(end))
}

/// Collects the frames, which are all of one kind.
fn images(names: &[String]) -> Result<Numbered, ExtractedProblem> {
    let found = numbered(names, IMAGE)?;
    if !found.is_empty() {
        return Ok(found);
    }
    let mut sets = Vec::new();
    for prefix in OTHER_IMAGES {
        sets.push(numbered(names, prefix)?);
    }
    sets.retain(|set| !set.is_empty());
    if let [one, other] = sets.iter().filter_map(|set| set.values().next()).collect::<Vec<_>>().as_slice() {
        return Err(ExtractedProblem::TwoFrames { one: (*one).clone(), other: (*other).clone() });
    }
    sets.pop().ok_or(ExtractedProblem::NoFrames)
}

/// Collects the names with a prefix, which must all have the same number of digits.
fn numbered(names: &[String], prefix: &str) -> Result<Numbered, ExtractedProblem> {
    let mut found = Numbered::new();
    let mut width = None;
    for name in names {
        let Some((digits, rest)) = digits(name, prefix) else { continue };
        let bad = |expected: String| Err(ExtractedProblem::Name { file: name.clone(), expected });
        if !is_ending(rest) || !DIGITS.contains(&digits.len()) {
            return bad(format!("{prefix}, 4 to 6 digits, .jpg or .jpeg"));
        }
        let width = *width.get_or_insert(digits.len());
        if width != digits.len() {
            return bad(format!("as many digits ({width}) as the other {prefix} files have"));
        }
        // Six digits always fit.
        if let Some(other) = found.insert(digits.parse().unwrap_or(u32::MAX), name.clone()) {
            return Err(ExtractedProblem::Twice { one: other, other: name.clone() });
        }
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
        let (stem, ending) = last.rfind('.').map_or((&*last, ""), |at| last.split_at(at));
        let prefix = stem.trim_end_matches(|c: char| c.is_ascii_digit());
        let width = stem.len() - prefix.len();
        let missing = format!("{prefix}{missing:0width$}{ending}");
        return Err(ExtractedProblem::Gap { missing, last });
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
        assert!(refused(&[]).contains("expected frames as img_00001.jpg"));
    }

    #[test]
    fn frames_have_several_names_and_the_endings_any_case() {
        for prefix in ["img_", "image_", "frame"] {
            for ending in [".jpg", ".JPG", ".jpeg", ".Jpeg"] {
                let renamed = |(index, name): (usize, String)| {
                    let name = name.replace("img_", prefix);
                    // One file keeps its ending: a folder may mix them.
                    if index == 1 { name } else { name.replace(".jpg", ending) }
                };
                let names: Vec<String> = folder(1..8, 1..7).into_iter().enumerate().map(renamed).collect();
                let layout = Layout::of(&names).unwrap();
                assert_eq!((layout.images.len(), layout.flow.len()), (7, 6), "{prefix} {ending}");
                assert_eq!(layout.images[0], format!("{prefix}00001{ending}"));
                assert_eq!(layout.flow[5][1], format!("flow_y_00006{ending}"));
            }
        }
        let frames = series("frame", 1..5, 6);
        let refused = |names: &[Vec<String>]| Layout::of(&names.concat()).unwrap_err().to_string();
        assert!(refused(&[series("image_", 1..3, 5), frames.clone()]).contains("two sets of frames"));
        let twice = refused(&[frames.clone(), vec!["frame000002.JPG".to_owned()]]);
        assert!(twice.contains("found both frame000002.jpg and frame000002.JPG"), "{twice}");
        let gap = refused(&[frames[..2].to_vec(), frames[3..].to_vec()]);
        assert!(gap.contains("frame000003.jpg is missing: the numbers go on to frame000004.jpg"), "{gap}");
        // Where TSN's frames are, files that only look like frames of another kind stay ignored.
        let names = [folder(1..8, 1..8), vec!["frame1.png".to_owned(), "image_00001.jpg".to_owned()]];
        assert_eq!(Layout::of(&names.concat()).unwrap(), Layout::of(&folder(1..8, 1..8)).unwrap());
    }

    #[test]
    fn frames_may_be_alone_and_flow_in_folders_of_its_own() {
        let alone = Layout::of(&series("img_", 0..7, 5)).unwrap();
        assert_eq!((alone.images.len(), alone.flow.len()), (7, 0));
        assert_eq!(alone.convention, Convention::FramesAlone);
        let late = Layout::of(&series("img_", 2..7, 5)).unwrap_err().to_string();
        assert!(late.contains("begin with img_00002.jpg"), "{late}");

        let tree = |pairs| {
            let names = [series("frame", 1..8, 6), series("u/frame", pairs, 6)].concat();
            [names.clone(), names.iter().skip(7).map(|name| name.replace("u/", "v/")).collect()].concat()
        };
        let layout = Layout::of(&tree(1..7)).unwrap();
        assert_eq!(layout.convention, Convention::OutOfFrame);
        assert_eq!((layout.images[0].as_str(), layout.flow.len()), ("frame000001.jpg", 6));
        assert_eq!(layout.flow[5], ["u/frame000006.jpg", "v/frame000006.jpg"]);
        let mut names = tree(1..7);
        names.retain(|name| name != "v/frame000003.jpg");
        let unpaired = Layout::of(&names).unwrap_err().to_string();
        assert!(unpaired.contains("v/frame000003.jpg is missing: u/frame000003.jpg has no"), "{unpaired}");
        names = [tree(1..7), series("x_", 1..7, 5)].concat();
        assert!(Layout::of(&names).unwrap_err().to_string().contains("two sets of flow"));
    }
}
