//! Loops over channels that are whole vectors, whatever the number of channels.
//!
//! An operation over few channels, or over a number that is no multiple of a vector, would
//! spend its time in the ends of short loops. Where positions do not matter, several of
//! them are taken together as one row, and the numbers of the channels are repeated to that
//! width ([`Lanes`]): values of one lane of a row always belong to one channel. Where they do,
//! the channels of a position are cut into blocks of constant widths ([`by_blocks`]).

/// Values of the widest vector, times two.
const VECTOR: usize = 32;
/// Narrowest row, so that a row is worth the start of a loop.
const NARROWEST: usize = 64;

/// How positions are taken together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Lanes {
    channels: usize,
    width: usize,
}

impl Lanes {
    pub(crate) fn new(channels: usize) -> Self {
        let channels = channels.max(1);
        // The smallest common multiple, and then wide enough.
        let width = channels * (VECTOR >> channels.trailing_zeros().min(VECTOR.trailing_zeros()));
        Self { channels, width: width * NARROWEST.div_ceil(width) }
    }

    /// Values of a row.
    pub(crate) fn width(&self) -> usize {
        self.width
    }

    /// Values of a task: enough to be worth its start, and a sum for every lane at its end.
    pub(crate) fn task(&self) -> usize {
        self.whole_rows((1 << 15).max(32 * self.width))
    }

    /// About `values` values, a whole number of rows.
    pub(crate) fn whole_rows(&self, values: usize) -> usize {
        self.width * (values / self.width).max(1)
    }

    /// The numbers of the channels, for every lane of a row.
    pub(crate) fn repeated(&self, channels: impl Iterator<Item = f32>) -> Vec<f32> {
        let once: Vec<f32> = channels.collect();
        once.iter().copied().cycle().take(self.width).collect()
    }

    /// Sums by channel from sums by lane, added part by part in order.
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

/// What is done to `N` neighbouring channels of one position, the first of them `at`.
pub(crate) trait ChannelBlock {
    fn run<const N: usize>(&mut self, at: usize);
}

/// Goes through the channels in blocks of a constant width, narrower ones at the end, so that
/// whatever their number few are handled one by one.
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
