//! Draws feature vectors of videos in the plane (t-SNE, van der Maaten & Hinton, JMLR 2008).

use bhtsne::tSNE;

use super::colour::{BORDER, GROUND, INK, QUIET, SERIES};
use super::nets::mark;
use super::svg::{Drawing, MARGIN, Style, WIDTH, legend};
use super::{FigureError, Result};

const WHAT: &str = "an embedding";
/// Approximate number of neighbours of each point; less if there are few points.
const PERPLEXITY: f32 = 20.0;
const EPOCHS: usize = 1000;
/// Space between panels.
const GAP: f64 = 16.0;

/// Width in pixels of a legend entry in addition to its text.
const BESIDE: f64 = 34.0;

/// The features of a net for some videos.
#[derive(Clone, Copy, Debug)]
pub struct Embedded<'a> {
    /// The net.
    pub name: &'a str,
    /// One vector per video.
    pub features: &'a [Vec<f32>],
    /// Class of each video, as an index into the names.
    pub classes: &'a [usize],
    /// True for each video with a dark outline; no outlines if empty.
    pub outlined: &'a [bool],
}

/// Draws one panel for each net: a mark for each video, close to the videos with similar features. Large distances mean
/// little, and directions nothing. The same features give the same picture. `outline` explains the dark outline, if marks
/// have one.
///
/// # Errors
/// [`FigureError::Empty`]; [`FigureError::Shape`] for fewer than four videos, for vectors of different sizes, and for
/// classes without a name; [`FigureError::Value`] for features that are not finite.
pub fn embeddings(
    nets: &[Embedded<'_>],
    classes: &[&str],
    outline: Option<&str>,
    title: &str,
) -> Result<Drawing> {
    if nets.is_empty() || classes.is_empty() {
        return Err(FigureError::Empty { what: WHAT });
    }
    let (legend, below) = legend(classes.iter().copied(), BESIDE);
    let side = (WIDTH - 2.0 * MARGIN - GAP * (nets.len() - 1) as f64) / nets.len().max(2) as f64;
    let top = below + 24.0;
    let mut svg = Drawing::new(WIDTH, top + side + 24.0);
    let videos = nets[0].features.len();
    let says =
        format!("t-SNE of the classifier\u{2019}s input, {videos} test videos of {} classes", classes.len());
    svg.head(title, &says);
    for (class, x, y) in legend {
        svg.shape(mark_of(x + 6.0, y + 4.0, class), SERIES[class % SERIES.len()], GROUND, classes[class]);
        svg.text(x + 16.0, y + 8.0, Style::new(12.0), classes[class]);
    }
    for (panel, net) in nets.iter().enumerate() {
        check(net, classes.len())?;
        let left = MARGIN + panel as f64 * (side + GAP);
        svg.text(left, top - 8.0, Style::new(12.0).bold(), net.name);
        svg.frame(left, top, side, side, BORDER);
        let points = in_the_plane(net.features);
        let (from, span) = bounds(&points);
        for (video, (point, &class)) in points.iter().zip(net.classes).enumerate() {
            let place = |axis: usize| 10.0 + (point[axis] - from[axis]) / span * (side - 20.0);
            let (x, y) = (left + place(0), top + place(1));
            let edge = if net.outlined.get(video) == Some(&true) { INK } else { GROUND };
            svg.shape(mark_of(x, y, class), SERIES[class % SERIES.len()], edge, classes[class]);
        }
    }
    let outline = outline.map_or(String::new(), |outline| format!("; dark outline: {outline}"));
    svg.text(
        MARGIN,
        top + side + 16.0,
        Style::new(11.0).fill(QUIET),
        &format!("nearby marks have similar features; axes have no meaning{outline}"),
    );
    let description =
        format!("{} panels of {videos} marks, a colour and a shape for each class.", nets.len());
    Ok(svg.described(description))
}

/// Returns the path of a class's mark: four shapes in seven colours distinguish 28 classes.
fn mark_of(x: f64, y: f64, class: usize) -> String {
    mark(x, y, 3 - class / SERIES.len() % 4, 3)
}

fn check(net: &Embedded<'_>, classes: usize) -> Result<()> {
    let refused = |expected: String, found: String| FigureError::Shape { what: WHAT, expected, found };
    let count = net.features.len();
    if count < 4 || net.classes.len() != count {
        return Err(refused(
            "at least four videos, each with a class".into(),
            format!("{count} videos and {} classes", net.classes.len()),
        ));
    }
    if let Some(class) = net.classes.iter().find(|class| **class >= classes) {
        return Err(refused(format!("classes below {classes}"), format!("class {class}")));
    }
    let size = net.features[0].len();
    if let Some(other) = net.features.iter().find(|features| features.len() != size) {
        return Err(refused(format!("vectors of {size} values"), format!("one of {}", other.len())));
    }
    match net.features.iter().position(|features| !features.iter().all(|value| value.is_finite())) {
        None => Ok(()),
        Some(index) => Err(FigureError::Value {
            what: WHAT,
            expected: "finite features".into(),
            found: "others".into(),
            index,
            hint: "check the weights that they come from",
        }),
    }
}

/// Embeds the vectors in the plane.
fn in_the_plane(features: &[Vec<f32>]) -> Vec<[f64; 2]> {
    let samples: Vec<&[f32]> = features.iter().map(Vec::as_slice).collect();
    let generator = base::random::generator("t-SNE", 0, "");
    let perplexity = PERPLEXITY.min((features.len() - 1) as f32 / 3.0);
    let embed = || {
        let mut embedding = tSNE::<f32, &[f32], 2>::new(&samples);
        embedding
            .perplexity(perplexity)
            .epochs(EPOCHS)
            .initial_embedding(base::random::normal(&generator, 1e-4, 2 * features.len()))
            .exact(|a, b| a.iter().zip(b.iter()).map(|(a, b)| (a - b) * (a - b)).sum::<f32>().sqrt());
        embedding.embedding()
    };
    // With several threads the order of sums would differ from run to run.
    let flat = match rayon::ThreadPoolBuilder::new().num_threads(1).build() {
        Ok(pool) => pool.install(embed),
        Err(_) => embed(),
    };
    flat.chunks_exact(2).map(|point| [f64::from(point[0]), f64::from(point[1])]).collect()
}

/// Returns the least value of each axis, and the larger of both spans.
fn bounds(points: &[[f64; 2]]) -> ([f64; 2], f64) {
    let least = |axis: usize| points.iter().map(|point| point[axis]).fold(f64::INFINITY, f64::min);
    let most = |axis: usize| points.iter().map(|point| point[axis]).fold(f64::NEG_INFINITY, f64::max);
    let span = (most(0) - least(0)).max(most(1) - least(1));
    ([least(0), least(1)], if span > 0.0 { span } else { 1.0 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three classes of twelve videos, far apart in twenty dimensions.
    fn clusters() -> (Vec<Vec<f32>>, Vec<usize>) {
        let vector = |i: usize| {
            let mut noise = testkit::noise(i as u64, 20);
            noise[i % 3] += 20.0;
            noise
        };
        ((0..36).map(vector).collect(), (0..36).map(|i| i % 3).collect())
    }

    #[test]
    fn what_is_alike_lies_together_and_the_picture_is_the_same_again() {
        let (features, classes) = clusters();
        let points = in_the_plane(&features);
        let distance = |a: usize, b: usize| (points[a][0] - points[b][0]).hypot(points[a][1] - points[b][1]);
        for i in 0..36 {
            let others = (0..36).filter(|&other| other != i);
            let nearest = others.min_by(|&a, &b| distance(i, a).total_cmp(&distance(i, b))).unwrap();
            assert_eq!(classes[nearest], classes[i], "the nearest of {i} is {nearest}");
        }
        let net = Embedded { name: "B", features: &features, classes: &classes, outlined: &[] };
        let draw = || embeddings(&[net, net], &["a", "<b>", "c"], None, "T").unwrap().file();
        let svg = draw();
        roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(svg, draw());
        assert_eq!(svg.matches("<title>&lt;b&gt;").count(), 2 * 12 + 1);
    }

    #[test]
    fn what_cannot_be_embedded_is_refused() {
        let (mut features, classes) = clusters();
        let message = |features: &[Vec<f32>], classes: &[usize]| {
            let net = Embedded { name: "B", features, classes, outlined: &[] };
            embeddings(&[net], &["a", "b", "c"], None, "T").unwrap_err().to_string()
        };
        assert!(message(&features[..3], &classes[..3]).contains("3 videos"));
        assert!(message(&features, &classes[..35]).contains("35 classes"));
        assert!(message(&features, &[3; 36]).contains("class 3"));
        features[7][3] = f32::NAN;
        assert!(message(&features, &classes).contains("index 7"));
        features[7].pop();
        assert!(message(&features, &classes).contains("one of 19"));
        assert!(embeddings(&[], &["a"], None, "T").is_err());
    }
}
