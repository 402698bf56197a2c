//! The colours of all pictures: on the white background of a file, and on a page in light or dark mode.

use std::fmt::Write;

/// Red, green, blue.
pub(super) type Rgb = [u8; 3];

/// The paint of a shape or a text, named by its purpose.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Paint {
    /// Texts and important shapes.
    Ink,
    /// Explanatory texts.
    Quiet,
    /// Outlines.
    Border,
    /// Lines that carry no data.
    Grid,
    /// Background of empty parts.
    Void,
    /// Background of the picture.
    Ground,
    /// Line, mark or bar with the given number, below seven.
    Series(u8),
    /// Shade of a share, with a level of 1 to [`SHADES`].
    Shade(u8),
    /// Text on the shade of that level.
    OnShade(u8),
    /// Colour of the context on a page, its property `--v`; ink if there is none.
    Context,
}

pub(super) const INK: Paint = Paint::Ink;
pub(super) const QUIET: Paint = Paint::Quiet;
pub(super) const BORDER: Paint = Paint::Border;
pub(super) const GRID: Paint = Paint::Grid;
pub(super) const VOID: Paint = Paint::Void;
pub(super) const GROUND: Paint = Paint::Ground;
pub(super) const WHITE: Rgb = [255; 3];

/// Paints of lines and marks, most distinct first.
pub(super) const SERIES: [Paint; 7] = [
    Paint::Series(0),
    Paint::Series(1),
    Paint::Series(2),
    Paint::Series(3),
    Paint::Series(4),
    Paint::Series(5),
    Paint::Series(6),
];

/// Number of levels of shades.
pub const SHADES: u8 = 9;

/// Returns the level of a share in 0..=1: 0 for none, at least 1 for any positive share.
pub fn shade(share: f64) -> u8 {
    if share > 0.0 { (share.min(1.0) * f64::from(SHADES)).ceil() as u8 } else { 0 }
}

struct Palette {
    ink: Rgb,
    quiet: Rgb,
    border: Rgb,
    grid: Rgb,
    void: Rgb,
    ground: Rgb,
    series: [Rgb; 7],
    /// True if large shares are pale and small ones dark.
    reversed: bool,
}

/// Palette of Okabe and Ito, darkened until each colour stands out on white.
const LIGHT: Palette = Palette {
    ink: [0x1f, 0x23, 0x28],
    quiet: [0x57, 0x60, 0x6a],
    border: [0xd0, 0xd7, 0xde],
    grid: [0xe4, 0xe8, 0xec],
    void: [0xf6, 0xf8, 0xfa],
    ground: WHITE,
    series: [
        [0x00, 0x72, 0xb2], // blue
        [0xc1, 0x4f, 0x00], // vermilion
        [0x00, 0x7f, 0x5b], // bluish green
        [0xa8, 0x50, 0x8a], // reddish purple
        [0x94, 0x64, 0x00], // orange
        [0x6a, 0x51, 0xc7], // violet
        [0x1f, 0x23, 0x28],
    ],
    reversed: false,
};

/// The same hues, lightened until each stands out on the dark page.
const DARK: Palette = Palette {
    ink: [0xe3, 0xe8, 0xee],
    quiet: [0x9d, 0xaa, 0xb6],
    border: [0x30, 0x39, 0x43],
    grid: [0x26, 0x2e, 0x36],
    void: [0x1a, 0x20, 0x27],
    ground: [0x12, 0x16, 0x1b],
    series: [
        [0x4a, 0xa8, 0xe8],
        [0xff, 0x94, 0x55],
        [0x3f, 0xcf, 0x9f],
        [0xe6, 0x9a, 0xc8],
        [0xe8, 0xbd, 0x4a],
        [0xb3, 0xa0, 0xff],
        [0xe3, 0xe8, 0xee],
    ],
    reversed: true,
};

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

impl Palette {
    fn of(&self, paint: Paint) -> Rgb {
        match paint {
            Paint::Ink | Paint::Context => self.ink,
            Paint::Quiet => self.quiet,
            Paint::Border => self.border,
            Paint::Grid => self.grid,
            Paint::Void => self.void,
            Paint::Ground => self.ground,
            Paint::Series(number) => self.series[usize::from(number) % self.series.len()],
            Paint::Shade(level) => self.shade(level),
            Paint::OnShade(level) => readable_on(self.shade(level)),
        }
    }

    /// Returns the colour of a level; levels are evenly spaced on the ramp.
    fn shade(&self, level: u8) -> Rgb {
        let share = f64::from(level.clamp(1, SHADES) - 1) / f64::from(SHADES - 1);
        let position = if self.reversed { 1.0 - share } else { share } * (RAMP.len() - 1) as f64;
        let low = (position as usize).min(RAMP.len() - 2);
        let part = position - low as f64;
        std::array::from_fn(|i| {
            let (from, to) = (f64::from(RAMP[low][i]), f64::from(RAMP[low + 1][i]));
            (from + part * (to - from)).round() as u8
        })
    }
}

impl Paint {
    /// Returns its colour in a file, as an attribute value.
    pub(super) fn hex(self) -> String {
        hex(LIGHT.of(self))
    }

    /// Returns its CSS class on a page.
    pub(super) fn class(self) -> String {
        match self {
            Self::Ink => "ink".into(),
            Self::Quiet => "qu".into(),
            Self::Border => "bo".into(),
            Self::Grid => "gr".into(),
            Self::Void => "vo".into(),
            Self::Ground => "bg".into(),
            Self::Series(number) => format!("s{number}"),
            Self::Shade(level) => format!("h{level}"),
            Self::OnShade(level) => format!("o{level}"),
            Self::Context => "cx".into(),
        }
    }
}

/// Lists all paints.
fn paints() -> impl Iterator<Item = Paint> {
    let shades = (1..=SHADES).flat_map(|level| [Paint::Shade(level), Paint::OnShade(level)]);
    [INK, QUIET, BORDER, GRID, VOID, GROUND].into_iter().chain(SERIES).chain(shades)
}

/// Returns the style sheet that inline drawings need: a property for each paint (`--ink`, `--s0`, ...) in light and dark
/// mode, and classes that set `--c`, the colour of shapes and texts, to it. Classes of shades also set `--t`, the colour
/// of text on them.
pub fn style() -> String {
    let properties = |palette: &Palette| {
        paints().fold(String::new(), |mut text, paint| {
            // Writing to a string cannot fail.
            let _ = write!(text, "--{}:{};", paint.class(), hex(palette.of(paint)));
            text
        })
    };
    let classes = paints().fold(String::new(), |mut text, paint| {
        let on = match paint {
            Paint::Shade(level) => format!(";--t:var(--{})", Paint::OnShade(level).class()),
            _ => String::new(),
        };
        let _ = write!(text, ".{0}{{--c:var(--{0}){on}}}", paint.class());
        text
    });
    format!(
        ":root{{{}}}\n@media screen and (prefers-color-scheme:dark){{:root{{{}}}}}\n{classes}\n{}\n",
        properties(&LIGHT),
        properties(&DARK),
        ".cx{--c:var(--v,var(--ink))}.fig{font-size:12px}.fig :is(text,rect,circle){fill:var(--c)}.fig path{fill:none;stroke:var(--c);stroke-linejoin:round}\
         .fig path.f{fill:var(--c);stroke:var(--bg)}.fig rect.out{fill:none;stroke:var(--c)}.fig .m{text-anchor:middle}.fig .e{text-anchor:end}"
    )
}

/// Returns black or white, whichever has more contrast on `ground` (WCAG 2). A dark grey would have too little contrast on
/// middle shades.
fn readable_on(ground: Rgb) -> Rgb {
    if contrast([0; 3], ground) >= contrast(WHITE, ground) { [0; 3] } else { WHITE }
}

/// Returns the grey level of a value in -`full`..=`full`: 0 is middle grey, larger values are lighter.
pub(super) fn signed_grey(value: f32, full: f32) -> u8 {
    let share = if full > 0.0 { f64::from(value) / f64::from(full) } else { 0.0 };
    (128.0 + 127.0 * share.clamp(-1.0, 1.0)).round() as u8
}

fn hex([r, g, b]: Rgb) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Returns the contrast of two colours, 1 to 21 (WCAG 2).
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
    fn one_video_of_many_is_seen_and_all_of_them_are_the_last_level() {
        assert_eq!([0.0, 0.001, 0.5, 0.99, 1.0, 7.0, f64::NAN].map(shade), [0, 1, 5, 9, 9, 9, 0]);
    }

    #[test]
    fn more_stands_out_more_and_its_number_can_be_read() {
        for palette in [LIGHT, DARK] {
            let contrasts: Vec<f64> =
                (1..=SHADES).map(|level| contrast(palette.shade(level), palette.ground)).collect();
            assert!(contrasts.windows(2).all(|pair| pair[0] < pair[1]), "{contrasts:?}");
            for level in 1..=SHADES {
                let (ground, text) = (Paint::Shade(level), Paint::OnShade(level));
                assert!(contrast(palette.of(text), palette.of(ground)) >= 4.5, "{level}");
            }
        }
        assert_eq!((LIGHT.shade(1), LIGHT.shade(SHADES)), (RAMP[0], RAMP[7]));
    }

    #[test]
    fn lines_and_texts_stand_out_on_their_ground() {
        for palette in [LIGHT, DARK] {
            for paint in SERIES.into_iter().chain([INK, QUIET]) {
                assert!(contrast(palette.of(paint), palette.ground) >= 4.5, "{paint:?}");
            }
        }
    }

    #[test]
    fn zero_is_middle_grey_and_the_range_is_symmetric() {
        assert_eq!([-2.0, -1.0, 0.0, 1.0, 9.0].map(|v| signed_grey(v, 2.0)), [1, 65, 128, 192, 255]);
        assert_eq!(signed_grey(0.0, 0.0), 128);
        assert_eq!(signed_grey(f32::MAX, f32::MIN_POSITIVE), 255);
    }
}
