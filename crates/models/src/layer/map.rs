//! Layers of one input, without weights, that treat each time step separately.

use nn::ops::{self, Lrn, Pool2d};

use super::{Layer, free, in_words, map};

/// Added to the mean square in the L2 normalisation.
const EPSILON: f64 = 1e-5;

/// Added under the signed square root, so that its slope at zero is 16 instead of infinite.
const ROOT_EPSILON: f32 = 1e-3;

impl Layer {
    /// Makes a local response normalisation across channels.
    pub fn lrn(lrn: Lrn) -> Self {
        let measure = move |x: &[usize]| {
            map(x)?;
            Ok(free(format!("LRN over {} channels", lrn.size), x))
        };
        Self::plain(measure, move |x, pass| pass.apply(ops::LocalResponseNorm(lrn), x))
    }

    /// Makes a layer that takes the maximum over windows.
    pub fn max_pool(pool: Pool2d) -> Self {
        Self::plain(
            move |x| Ok(free(format!("max-pool {}", words(&pool)), pooled(&pool, x)?)),
            move |x, pass| pass.apply(ops::MaxPool2d::new(pool), x),
        )
    }

    /// Makes a layer that averages over windows; zeros of the padding count, as in Caffe.
    pub fn avg_pool(pool: Pool2d) -> Self {
        Self::plain(
            move |x| Ok(free(format!("average-pool {}", words(&pool)), pooled(&pool, x)?)),
            move |x, pass| pass.apply(ops::AvgPool2d { pool, count_padding: true }, x),
        )
    }

    /// Makes a layer that averages each channel of a feature map.
    pub fn global_avg_pool() -> Self {
        let measure = |x: &[usize]| {
            let [c, h, w] = map(x)?;
            Ok(free(format!("average over {h}x{w}"), [c]))
        };
        Self::plain(measure, |x, pass| pass.apply(ops::GlobalAvgPool, x))
    }

    /// Makes a layer that selects channels of the network's input, such as some frames of a stack.
    pub fn channels(from: usize, count: usize) -> Self {
        let measure = move |x: &[usize]| {
            let [c, h, w] = map(x)?;
            let end = from.saturating_add(count);
            if count == 0 || end > c {
                return Err(format!("channels {from} to {end} are outside the {c} input channels"));
            }
            Ok(free(format!("channels {from} to {}", end - 1), [count, h, w]))
        };
        // The input has no gradient, so nothing needs to be recorded.
        let layer = Self::plain(measure, move |x, _| Ok(x[0].narrow(3, from, count)?.contiguous()?));
        Self { of_input: true, ..layer }
    }

    /// Makes a layer that takes the square root of each absolute value and keeps the sign.
    pub fn signed_sqrt() -> Self {
        Self::plain(
            |x| Ok(free("signed square root", x)),
            |x, pass| pass.apply(ops::SignedSqrt { epsilon: ROOT_EPSILON }, x),
        )
    }

    /// Makes an L2 normalisation to the square root of the number of channels.
    pub fn rms_norm() -> Self {
        Self::plain(
            |x| Ok(free("L2 norm to sqrt(d)", x)),
            |x, pass| pass.apply(ops::RmsNorm { epsilon: EPSILON }, x),
        )
    }

    /// Makes a softmax over the spatial positions of a map of one channel.
    pub fn position_softmax() -> Self {
        let measure = |x: &[usize]| match *x {
            [1, h, w] => Ok(free(format!("softmax over {h}x{w}"), x)),
            ref other => Err(format!("expected a map of one channel, found {other:?}")),
        };
        Self::plain(measure, |x, pass| pass.apply(ops::PositionSoftmax, x))
    }
}

fn pooled(pool: &Pool2d, x: &[usize]) -> Result<Vec<usize>, String> {
    let [c, h, w] = map(x)?;
    let [oh, ow] = pool.output_size([h, w]).map_err(in_words)?;
    Ok(vec![c, oh, ow])
}

/// Describes the window of a pooling layer.
fn words(pool: &Pool2d) -> String {
    let padding = if pool.padding == [0, 0] { String::new() } else { format!(" pad {}", axis(pool.padding)) };
    let rounding = if pool.ceil_mode { ", rounding up" } else { "" };
    let [kh, kw] = pool.kernel;
    format!("{kh}x{kw} stride {}{padding}{rounding}", axis(pool.stride))
}

/// Formats two sizes: `2`, or `2x1` if the axes differ.
fn axis([a, b]: [usize; 2]) -> String {
    if a == b { a.to_string() } else { format!("{a}x{b}") }
}
