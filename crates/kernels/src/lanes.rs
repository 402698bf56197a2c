//! Loops over channels in whole vectors, for any number of channels.
//!
//! An operation over few channels, or over a number that is not a multiple of a vector, would
//! spend its time in the remainders of short loops. If positions do not matter, several of
//! them are combined into one row, and the coefficients of the channels are repeated to that
//! width ([`Lanes`]): values of one lane of a row always belong to one channel. Otherwise the
//! channels of a position are divided into blocks of constant widths ([`by_blocks`]).

/// Number of values in two of the widest vectors.
const VECTOR: usize = 32;
/// Minimum width of a row, so that a row is worth the start of a loop.
const NARROWEST: usize = 64;

/// The combination of positions into rows.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lanes {
    channels: usize,
    width: usize,
}

impl Lanes {
    pub(crate) fn new(channels: usize) -> Self {
        let channels = channels.max(1);
        // The least common multiple, multiplied until it is wide enough.
        let width = channels * (VECTOR >> channels.trailing_zeros().min(VECTOR.trailing_zeros()));
        Self { channels, width: width * NARROWEST.div_ceil(width) }
    }

    /// Returns the number of values in a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Returns the number of values in a task: enough to outweigh its start and the sum for every lane at its end.
    pub(crate) fn task(&self) -> usize {
        self.whole_rows((1 << 15).max(32 * self.width))
    }

    /// Rounds a number of values to whole rows, at least one.
    pub(crate) fn whole_rows(&self, values: usize) -> usize {
        self.width * (values / self.width).max(1)
    }

    /// Repeats the coefficients of the channels for every lane of a row.
    pub(crate) fn repeated(&self, channels: impl Iterator<Item = f32>) -> Vec<f32> {
        let once: Vec<f32> = channels.collect();
        once.iter().copied().cycle().take(self.width).collect()
    }

    /// Computes sums by channel from sums by lane, added part by part in order.
    pub(crate) fn folded<'a>(&self, parts: impl Iterator<Item = &'a [f64]>) -> Vec<f64> {
        let mut out = vec![0f64; self.channels];
        for part in parts {
            for position in part.chunks_exact(self.channels) {
                for (out, value) in out.iter_mut().zip(position) {
                    *out += value;
                }
            }
        }
        out
    }
}

/// An action on `N` neighbouring channels of one position, starting with channel `at`.
pub(crate) trait ChannelBlock {
    fn run<const N: usize>(&mut self, at: usize);
}

/// Goes through the channels in blocks of constant width, with narrower blocks at the end, so that
/// only a few channels are handled one by one.
#[inline(always)]
pub(crate) fn by_blocks(channels: usize, mut block: impl ChannelBlock) {
    let mut at = 0;
    while at + 32 <= channels {
        block.run::<32>(at);
        at += 32;
    }
    if at + 16 <= channels {
        block.run::<16>(at);
        at += 16;
    }
    if at + 8 <= channels {
        block.run::<8>(at);
        at += 8;
    }
    if at + 4 <= channels {
        block.run::<4>(at);
        at += 4;
    }
    while at < channels {
        block.run::<1>(at);
        at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_whole_vectors_and_whole_positions() {
        for channels in 1..300 {
            let width = Lanes::new(channels).width();
            assert!(
                width.is_multiple_of(channels) && width.is_multiple_of(VECTOR) && width >= NARROWEST,
                "{channels}: {width}"
            );
            assert!(width < NARROWEST + VECTOR * channels, "{channels}: {width} is more than is needed");
        }
        assert_eq!(Lanes::new(256).width(), 256);
    }

    #[test]
    fn folding_undoes_repeating() {
        let lanes = Lanes::new(3);
        let row: Vec<f64> = lanes.repeated([1.0, 2.0, 4.0].into_iter()).into_iter().map(f64::from).collect();
        let times = (lanes.width() / 3) as f64;
        assert_eq!(lanes.folded([&row[..], &row].into_iter()), [2.0 * times, 4.0 * times, 8.0 * times]);
    }
}
