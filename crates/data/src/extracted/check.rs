//! Comparison of extracted flow with the extracted frames.
//!
//! Two extractions that differ by a frame or by a bound look alike, but one of them costs accuracy unnoticed. On a few
//! pairs of each video the flow is therefore compared with the project's own fast TV-L1 on the frames of the folder, at the
//! pair itself and one frame earlier and later. Two values are computed per pair, over the pixels that move in either field
//! and are not clipped by the bound, f being the folder's field and g ours:
//!
//! - correlation: sum of f.g over the root of sum of f.f times sum of g.g (1: same directions and proportions);
//! - scale: f.g over g.g, the slope of f on g by least squares, for each pixel that moves in g; the median of these, so that
//!   places where one of the two fields is wrong do not count.
//!
//! The median over the pairs counts for both, so that a cut or a flash in one of them does not matter. A flow method
//! other than ours correlates less, but at the same place; the thresholds leave room for that. Where the motion is so steady
//! that neighbouring fields are almost equal, a shift by a frame is recognised by the unexplained share (1 minus the squared
//! correlation).

use super::{ExtractedFolder, ExtractedProblem, Extraction, Mismatch, Picture};
use crate::error::DataError;
use flow::{Estimator, FlowField, GrayImage, Method, TvL1Params, Workspace};

/// Number of pairs considered first, evenly spaced over the video.
const CANDIDATES: usize = 16;
/// Number of these compared for the most motion in the flow, and again for the most change in the frames.
const CHOSEN: usize = 3;
/// Least number of pairs with motion for a verdict (unless the video has fewer pairs).
const NEEDED: usize = 2;
/// Least speed that counts as motion, in pixels a frame; two steps of a byte if those are larger.
const LEAST_SPEED: f32 = 0.5;
/// Least share of the pixels that must move in a pair.
const LEAST_AREA: f64 = 0.01;
/// Least correlation of flow that is accepted as that of the frames.
pub const LEAST_CORRELATION: f64 = 0.5;
/// Least gain in correlation for which another place is taken to fit better ...
pub const LEAST_GAIN: f64 = 0.05;
/// ... or least factor by which the unexplained share is smaller there.
pub const LEAST_RATIO: f64 = 1.5;
/// Range of the bytes of a field in which nothing moves; a JPEG of it may differ a little from place to place.
const FLAT: u8 = 2;
/// Scales at which the stated bound is accepted.
pub const SCALES: std::ops::RangeInclusive<f64> = 0.8..=1.25;

/// The result of the comparison.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Verdict {
    /// The flow is that of the frames.
    Fits {
        /// Pairs compared.
        pairs: usize,
        /// Median correlation.
        correlation: f64,
        /// Median scale.
        scale: f64,
    },
    /// Too little moves to tell; the flow is accepted.
    NotJudged,
}

/// The comparison of one pair.
#[derive(Debug, Clone, Copy)]
struct Compared {
    /// Correlation of the folder's field with ours at the pair before, the pair itself and the pair after.
    correlation: [Option<f64>; 3],
    /// Correlation at the pair itself, with the folder's components swapped.
    swapped: f64,
    /// Scale; `None` if nothing moves in our field.
    scale: Option<f64>,
}

/// Compares the flow of a video with its frames.
///
/// # Errors
/// [`DataError::Extracted`] with [`ExtractedProblem::Mismatch`], or for a picture that cannot be read.
pub fn check(folder: &ExtractedFolder, extraction: Extraction) -> Result<Verdict, DataError> {
    let pairs = folder.layout.flow.len();
    let first = folder.frame(0, None)?;
    let size = (first.width, first.height);
    if same_components(folder, size)? {
        return Err(folder.problem(ExtractedProblem::Mismatch(Mismatch::SameComponents)));
    }
    let tvl1 = Estimator::new(Method::TvL1(TvL1Params::fast()))?;
    let mut workspace = tvl1.workspace();
    let mut compared = Vec::new();
    for t in chosen(folder, extraction, size)? {
        compared.extend(compare(folder, extraction, size, t, (&tvl1, &mut workspace))?);
    }
    if compared.len() < NEEDED.min(pairs) || compared.is_empty() {
        return Ok(Verdict::NotJudged);
    }
    tracing::debug!(folder = %folder.path.display(), ?compared, "extracted flow beside our own");
    judge(&compared, extraction.bound).map_err(|what| folder.problem(ExtractedProblem::Mismatch(what)))
}

/// Returns `true` if both components of all fields are the same files and show anything at all; where nothing moves, equal
/// files are right. Usually two files are read.
fn same_components(folder: &ExtractedFolder, size: (usize, usize)) -> Result<bool, DataError> {
    let mut moves = false;
    for t in 0..folder.layout.flow.len() {
        let [x, y] = folder.flow(t, size)?;
        if x.jpeg != y.jpeg {
            return Ok(false);
        }
        let (least, most) = x.pixels.iter().fold((u8::MAX, 0), |(a, b), &byte| (byte.min(a), byte.max(b)));
        moves |= most.saturating_sub(least) > FLAT;
    }
    Ok(moves)
}

/// Chooses the pairs to compare: among evenly spaced ones, those with the most motion in the flow and those with the most
/// change in the frames, so that neither flow without motion nor motion without flow goes unnoticed.
fn chosen(
    folder: &ExtractedFolder,
    extraction: Extraction,
    size: (usize, usize),
) -> Result<Vec<usize>, DataError> {
    let pairs = folder.layout.flow.len();
    // The first and the last pair lack a neighbour to compare with, but short videos need them.
    let inner = if pairs > CANDIDATES { 1..pairs - 1 } else { 0..pairs };
    let count = inner.len().min(CANDIDATES);
    let mut candidates = Vec::with_capacity(count);
    for i in 0..count {
        let t = inner.start + (2 * i + 1) * inner.len() / (2 * count);
        let speed: f64 = folder
            .flow(t, size)?
            .iter()
            .flat_map(|component| &component.pixels)
            .map(|&byte| f64::from(extraction.pixels(byte).abs()))
            .sum();
        let (one, two) = (folder.frame(t, Some(size))?, folder.frame(t + 1, Some(size))?);
        let change: u64 = one.pixels.iter().zip(&two.pixels).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        candidates.push((t, speed, change));
    }
    let mut chosen = Vec::with_capacity(2 * CHOSEN);
    candidates.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    chosen.extend(candidates.iter().take(CHOSEN).map(|candidate| candidate.0));
    candidates.retain(|candidate| !chosen.contains(&candidate.0));
    candidates.sort_by(|a, b| b.2.cmp(&a.2).then(a.0.cmp(&b.0)));
    chosen.extend(candidates.iter().take(CHOSEN).map(|candidate| candidate.0));
    chosen.sort_unstable();
    Ok(chosen)
}

/// Compares one field; `None` if too little moves.
fn compare(
    folder: &ExtractedFolder,
    extraction: Extraction,
    size: (usize, usize),
    t: usize,
    (tvl1, workspace): (&Estimator, &mut Workspace),
) -> Result<Option<Compared>, DataError> {
    let theirs = folder.flow(t, size)?;
    let frames = folder.layout.images.len();
    let mut grey = Vec::new();
    let from = t.saturating_sub(1);
    for k in from..(t + 3).min(frames) {
        let Picture { width, height, pixels, .. } = folder.frame(k, Some(size))?;
        grey.push(GrayImage::from_rgb8(width, height, &pixels)?);
    }
    let mut ours = [None, None, None];
    for (index, pair) in grey.windows(2).enumerate() {
        let field = tvl1.compute_with(workspace, &pair[0], &pair[1])?;
        ours[from + index + 1 - t] = Some(field);
    }
    let [_, Some(here), _] = &ours else { return Ok(None) };
    let pixels = moving(&theirs, here, extraction);
    if (pixels.len() as f64) < LEAST_AREA * theirs[0].pixels.len() as f64 {
        return Ok(None);
    }
    let sums = |field: &FlowField| {
        let mut sums = [0.0f64; 3];
        for &(at, u, v) in &pixels {
            let (gu, gv) = (f64::from(field.u[at]), f64::from(field.v[at]));
            let (u, v) = (f64::from(u), f64::from(v));
            sums[0] += u * gu + v * gv;
            sums[1] += u * u + v * v;
            sums[2] += gu * gu + gv * gv;
        }
        sums
    };
    let least = least_speed(extraction);
    let mut slopes = Vec::new();
    for &(at, u, v) in &pixels {
        let (gu, gv) = (here.u[at], here.v[at]);
        if gu.hypot(gv) > least {
            slopes.push(f64::from((u * gu + v * gv) / (gu * gu + gv * gv)));
        }
    }
    // If one of the two fields is zero everywhere, the correlation is taken as 0.
    let correlation = |field: &FlowField| {
        let [fg, ff, gg] = sums(field);
        if ff > 0.0 && gg > 0.0 { fg / (ff * gg).sqrt() } else { 0.0 }
    };
    let swapped: f64 = pixels.iter().map(|&(at, u, v)| f64::from(u * here.v[at] + v * here.u[at])).sum();
    let [_, ff, gg] = sums(here);
    let swapped = if ff > 0.0 && gg > 0.0 { swapped / (ff * gg).sqrt() } else { 0.0 };
    let correlation = [&ours[0], &ours[1], &ours[2]].map(|field| field.as_ref().map(correlation));
    Ok(Some(Compared { correlation, swapped, scale: median(slopes) }))
}

/// Index and extracted displacement of the pixels that move in either field and that the bound does not clip.
fn moving(theirs: &[Picture; 2], ours: &FlowField, extraction: Extraction) -> Vec<(usize, f32, f32)> {
    let least = least_speed(extraction);
    let inside = 0.95 * extraction.bound;
    // Zero lies between two bytes. Read as half a step, flow that is zero everywhere would point down and to the right.
    let displacement = |byte: u8| if matches!(byte, 127 | 128) { 0.0 } else { extraction.pixels(byte) };
    let [x, y] = theirs;
    let mut moving = Vec::new();
    for (at, (&x, &y)) in x.pixels.iter().zip(&y.pixels).enumerate() {
        let (u, v, gu, gv) = (displacement(x), displacement(y), ours.u[at], ours.v[at]);
        let fast = u.hypot(v) > least || gu.hypot(gv) > least;
        let clipped = [u, v].iter().any(|d| d.abs() > inside);
        if fast && !clipped {
            moving.push((at, u, v));
        }
    }
    moving
}

/// Least speed that counts as motion, in pixels a frame.
fn least_speed(extraction: Extraction) -> f32 {
    LEAST_SPEED.max(4.0 * extraction.bound / 255.0)
}

fn judge(compared: &[Compared], bound: f32) -> Result<Verdict, Mismatch> {
    let at = |place: usize| median(compared.iter().filter_map(|pair| pair.correlation[place]).collect());
    let [before, here, behind] = [0, 1, 2].map(at);
    let here = here.unwrap_or(0.0);
    // True if another reading fits much better, and in most of the pairs, so that it is taken as the right one.
    let clear = |there: f64, wins: usize| {
        let unexplained = |correlation: f64| 1.0 - correlation.max(0.0).powi(2);
        let better = there - here >= LEAST_GAIN || unexplained(here) >= LEAST_RATIO * unexplained(there);
        better && 3 * wins >= 2 * compared.len() && there >= LEAST_CORRELATION && there > here
    };
    let neighbours = before.unwrap_or(0.0).max(behind.unwrap_or(0.0));
    let swapped = median(compared.iter().map(|pair| pair.swapped).collect()).unwrap_or(0.0);
    let wins = compared.iter().filter(|pair| Some(pair.swapped) > pair.correlation[1]).count();
    if swapped > neighbours && clear(swapped, wins) {
        return Err(Mismatch::Swapped { swapped, here });
    }
    for (later, place, there) in [(false, 0, before), (true, 2, behind)] {
        let Some(there) = there else { continue };
        let wins = compared.iter().filter(|pair| pair.correlation[place] > pair.correlation[1]).count();
        if there >= neighbours && clear(there, wins) {
            return Err(Mismatch::Shifted { later, there, here });
        }
    }
    if here <= -LEAST_CORRELATION {
        return Err(Mismatch::Opposite { correlation: here });
    }
    if here < LEAST_CORRELATION {
        let best = [before, behind].into_iter().flatten().fold(here, f64::max);
        return Err(Mismatch::Unrelated { best });
    }
    let scale = median(compared.iter().filter_map(|pair| pair.scale).collect()).unwrap_or(1.0);
    if !SCALES.contains(&scale) {
        let probable = f64::from(bound) / scale;
        return Err(Mismatch::Scaled { scale, correlation: here, bound, probable });
    }
    Ok(Verdict::Fits { pairs: compared.len(), correlation: here, scale })
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() % 2 {
        1 => Some(values[middle]),
        _ => Some((values.get(middle.wrapping_sub(1))? + values.get(middle)?) / 2.0),
    }
}
