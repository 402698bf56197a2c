//! Whether extracted flow is that of the extracted frames.
//!
//! Two extractions that differ by a frame or by a bound look alike, and cost accuracy unnoticed. So on a few pairs of
//! each video the flow is compared with the project's own fast TV-L1 on the frames of the folder, at the pair itself
//! and one frame earlier and later. Per pair, over the pixels that move in either field and are
//! not clipped by the bound, f being the folder's field and g ours:
//!
//! - correlation: sum of f.g over the root of sum of f.f times sum of g.g (1: same directions and proportions);
//! - scale: f.g over g.g, the slope of f on g by least squares, for each pixel that moves in g; of these the median, so that
//!   places where one of the two fields is wrong do not count.
//!
//! Of both the median over the pairs counts, so that a cut or a flash among them does not. Another flow
//! method than ours correlates less but at the same place; the thresholds leave room for that. Where the motion is so
//! steady that neighbouring fields are all but equal, a shift by a frame is told by the share that is left unexplained (1 less
//! the squared correlation).

use super::{ExtractedFolder, ExtractedProblem, Extraction, Mismatch, Picture};
use crate::error::DataError;
use flow::{Estimator, FlowField, GrayImage, Method, TvL1Params, Workspace};

/// Pairs looked at first, evenly spaced over the video.
const CANDIDATES: usize = 16;
/// Of these, as many with the most motion in the flow, and as many with the most change in the frames, are compared.
const CHOSEN: usize = 3;
/// Fewer pairs with motion than this give no verdict (unless the video has no more).
const NEEDED: usize = 2;
/// Slower than this, in pixels a frame, is no motion. Where a byte is coarser, it is two steps of it.
const LEAST_SPEED: f32 = 0.5;
/// Share of the pixels that has to move in a pair.
const LEAST_AREA: f64 = 0.01;
/// Below this the flow is not that of the frames.
pub const LEAST_CORRELATION: f64 = 0.5;
/// How much better another place has to fit to be believed: by this much more correlation ...
pub const LEAST_GAIN: f64 = 0.05;
/// ... or by so many times less that is left unexplained.
pub const LEAST_RATIO: f64 = 1.5;
/// Outside of this the bound is another.
pub const SCALES: std::ops::RangeInclusive<f64> = 0.8..=1.25;

/// What came of the comparison.
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

/// One pair: how the folder's field goes with ours at the pair before, the pair itself and the pair behind.
#[derive(Debug, Clone, Copy)]
struct Compared {
    correlation: [Option<f64>; 3],
    /// At the pair itself, with the folder's components swapped.
    swapped: f64,
    /// `None` if nothing moves in ours.
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

/// The pairs to compare: of some evenly spaced ones those with the most motion in the flow, and those with the most change
/// in the frames, so that neither flow without motion nor motion without flow escapes.
fn chosen(
    folder: &ExtractedFolder,
    extraction: Extraction,
    size: (usize, usize),
) -> Result<Vec<usize>, DataError> {
    let pairs = folder.layout.flow.len();
    // The first and the last pair lack a neighbour to compare with; short videos cannot do without them.
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
    // Nothing at all in one of the two: no correlation, however it is counted.
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

/// Index and displacement of the pixels that move in either field and that the bound clips in neither.
fn moving(theirs: &[Picture; 2], ours: &FlowField, extraction: Extraction) -> Vec<(usize, f32, f32)> {
    let least = least_speed(extraction);
    let inside = 0.95 * extraction.bound;
    // Zero lies between two bytes. Taken for half a step, flow that is zero everywhere would point down and to the right.
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

/// What counts as motion, in pixels a frame.
fn least_speed(extraction: Extraction) -> f32 {
    LEAST_SPEED.max(4.0 * extraction.bound / 255.0)
}

fn judge(compared: &[Compared], bound: f32) -> Result<Verdict, Mismatch> {
    let at = |place: usize| median(compared.iter().filter_map(|pair| pair.correlation[place]).collect());
    let [before, here, behind] = [0, 1, 2].map(at);
    let here = here.unwrap_or(0.0);
    // Whether another reading fits so much better, and in most of the pairs, that it is the right one.
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
