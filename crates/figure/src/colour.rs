//! The colours of all pictures.

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

pub(super) const INK: Rgb = [0x1f, 0x23, 0x28];
/// Texts that explain.
pub(super) const QUIET: Rgb = [0x57, 0x60, 0x6a];
pub(super) const BORDER: Rgb = [0xd0, 0xd7, 0xde];
/// Lines that carry no data.
pub(super) const GRID: Rgb = [0xe4, 0xe8, 0xec];
/// Ground of what holds nothing.
pub(super) const VOID: Rgb = [0xf6, 0xf8, 0xfa];
pub(super) const WHITE: Rgb = [255; 3];

/// Okabe and Ito's colours that stand out on white, the most distinct first.
pub(super) const SERIES: [Rgb; 7] = [
    [0x00, 0x72, 0xb2], // blue
    [0xd5, 0x5e, 0x00], // vermilion
    [0x00, 0x9e, 0x73], // bluish green
    [0xcc, 0x79, 0xa7], // reddish purple
    [0xe6, 0x9f, 0x00], // orange
    [0x56, 0xb4, 0xe9], // sky blue
    [0x00, 0x00, 0x00],
];

/// ColorBrewer's `YlGnBu` without its palest step: lightness falls steadily,
/// so that the order of shades survives any colour blindness and grey print.
const RAMP: [Rgb; 8] = [
    [0xed, 0xf8, 0xb1],
    [0xc7, 0xe9, 0xb4],
    [0x7f, 0xcd, 0xbb],
    [0x41, 0xb6, 0xc4],
    [0x1d, 0x91, 0xc0],
    [0x22, 0x5e, 0xa8],
    [0x25, 0x34, 0x94],
    [0x08, 0x1d, 0x58],
];

/// The shade of a share in 0..=1, pale for little and dark for much.
pub(super) fn shade(share: f64) -> Rgb {
    let position = share.clamp(0.0, 1.0) * (RAMP.len() - 1) as f64;
    let low = (position as usize).min(RAMP.len() - 2);
    let part = position - low as f64;
    std::array::from_fn(|i| {
        let (from, to) = (f64::from(RAMP[low][i]), f64::from(RAMP[low + 1][i]));
        (from + part * (to - from)).round() as u8
    })
}

/// Ink or white, whichever has more contrast on `ground` (WCAG 2).
pub(super) fn readable_on(ground: Rgb) -> Rgb {
    if contrast(INK, ground) >= contrast(WHITE, ground) { INK } else { WHITE }
}

/// The grey of a value in -`full`..=`full`: 0 is middle grey, more is lighter.
pub(super) fn signed_grey(value: f32, full: f32) -> u8 {
    let share = if full > 0.0 { f64::from(value) / f64::from(full) } else { 0.0 };
    (128.0 + 127.0 * share.clamp(-1.0, 1.0)).round() as u8
}

/// As in an attribute.
pub(super) fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// The contrast of two colours, 1 to 21 (WCAG 2).
fn contrast(a: Rgb, b: Rgb) -> f64 {
    let (a, b) = (luminance(a), luminance(b));
    (a.max(b) + 0.05) / (a.min(b) + 0.05)
}

fn luminance(colour: Rgb) -> f64 {
    let [r, g, b] = colour.map(|channel| {
        let c = f64::from(channel) / 255.0;
        if c <= 0.04045 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_is_darker_and_its_number_can_be_read() {
        let shades: Vec<Rgb> = (0..=100).map(|i| shade(f64::from(i) / 100.0)).collect();
        for pair in shades.windows(2) {
            assert!(luminance(pair[1]) < luminance(pair[0]), "{pair:?}");
        }
        for ground in shades {
            assert!(contrast(readable_on(ground), ground) >= 4.0, "{ground:?}");
        }
        assert_eq!((shade(0.0), shade(1.0)), (RAMP[0], RAMP[7]));
    }

    #[test]
    fn lines_stand_out_on_white() {
        for colour in SERIES {
            assert!(contrast(colour, WHITE) >= 2.2, "{colour:?}");
        }
        assert!(contrast(QUIET, WHITE) >= 4.5);
    }

    #[test]
    fn zero_is_middle_grey_and_the_range_is_symmetric() {
        assert_eq!([-2.0, -1.0, 0.0, 1.0, 9.0].map(|v| signed_grey(v, 2.0)), [1, 65, 128, 192, 255]);
        assert_eq!(signed_grey(0.0, 0.0), 128);
        assert_eq!(signed_grey(f32::MAX, f32::MIN_POSITIVE), 255);
    }
}
