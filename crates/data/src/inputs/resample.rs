//! Positions of the pixels of a resized crop between the pixels of the frame.

/// Output pixels along one axis, each between two source pixels.
#[derive(Debug)]
pub(super) struct Taps {
    /// The left (or upper) of the two source pixels.
    pub(super) index: Vec<u32>,
    /// Distance from it towards the next, 0 to 1.
    pub(super) fraction: Vec<f32>,
}

impl Taps {
    /// Places `to` output pixels over `from` source pixels, in reverse if `flip` is set.
    pub(super) fn new(from: usize, to: usize, flip: bool) -> Self {
        let place = |i: usize| position(if flip { to - 1 - i } else { i }, from, to);
        Self {
            index: (0..to).map(|i| place(i) as u32).collect(),
            fraction: (0..to).map(|i| place(i).fract()).collect(),
        }
    }
}

/// Position of output pixel `i` of `to` among `from` source pixels. Centres map to centres, and no position
/// lies beyond the centres of the outermost pixels.
pub(super) fn position(i: usize, from: usize, to: usize) -> f32 {
    if from == to {
        return i as f32;
    }
    let place = (i as f64 + 0.5) * from as f64 / to as f64 - 0.5;
    place.clamp(0.0, (from - 1) as f64) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn twice_as_many_pixels_lie_at_quarters() {
        let taps = Taps::new(3, 6, false);
        assert_eq!(taps.index, [0, 0, 0, 1, 1, 2]);
        assert_eq!(taps.fraction, [0.0, 0.25, 0.75, 0.25, 0.75, 0.0]);
    }

    #[test]
    fn half_as_many_lie_between_two() {
        let taps = Taps::new(4, 2, true);
        assert_eq!(taps.index, [2, 0]);
        assert_eq!(taps.fraction, [0.5, 0.5]);
    }

    #[test]
    fn one_source_pixel_is_enough() {
        let taps = Taps::new(1, 3, false);
        assert_eq!((taps.index, taps.fraction), (vec![0; 3], vec![0.0; 3]));
    }
}
