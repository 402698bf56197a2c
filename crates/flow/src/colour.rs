//! Draws flow as a picture: hue is direction, saturation is length.
//!
//! The colour wheel of Baker et al., "A Database and Evaluation Methodology
//! for Optical Flow" (IJCV 2011), as in Middlebury's `colorcode.cpp`.

use crate::{FlowError, FlowField};

/// Number of colours between red and yellow, yellow and green, and so on around
/// the wheel, chosen by its authors for perceptual similarity.
const SEGMENTS: [usize; 6] = [15, 6, 4, 11, 13, 6];
const COLOURS: usize = 55;

/// Draws the field as interleaved RGB bytes, three per pixel, row by row.
///
/// A vector of `full_scale` pixels is fully saturated, a shorter one paler,
/// a longer one darker; `None` takes the longest known vector of the field.
/// No motion is white and unknown vectors are black.
///
/// # Errors
/// If the field's buffers have the wrong length or `full_scale` is not a
/// positive number.
pub fn flow_to_rgb8(field: &FlowField, full_scale: Option<f32>) -> Result<Vec<u8>, FlowError> {
    field.check()?;
    let full_scale = match full_scale {
        Some(scale) if scale > 0.0 && scale.is_finite() => scale,
        Some(scale) => return Err(FlowError::ColourScale(scale)),
        None => longest_known(field),
    };
    let wheel = colour_wheel();
    let mut rgb = Vec::with_capacity(field.u.len() * 3);
    for (&u, &v) in field.u.iter().zip(&field.v) {
        rgb.extend_from_slice(&if FlowField::is_known(u, v) {
            colour(&wheel, u / full_scale, v / full_scale)
        } else {
            [0, 0, 0]
        });
    }
    Ok(rgb)
}

/// Returns the length of the longest known vector, or 1 if nothing moves, like
/// Middlebury's program.
fn longest_known(field: &FlowField) -> f32 {
    let longest = field
        .u
        .iter()
        .zip(&field.v)
        .filter(|&(&u, &v)| FlowField::is_known(u, v))
        .map(|(u, v)| u.hypot(*v))
        .fold(0.0, f32::max);
    if longest > 0.0 { longest } else { 1.0 }
}

fn colour_wheel() -> [[f32; 3]; COLOURS] {
    let mut wheel = [[0.0; 3]; COLOURS];
    let mut at = 0;
    for (segment, &count) in SEGMENTS.iter().enumerate() {
        // Even segments raise the next channel, odd ones lower the last one.
        let full = (segment / 2 + segment % 2) % 3;
        let moving = if segment % 2 == 0 { (segment / 2 + 1) % 3 } else { segment / 2 };
        for i in 0..count {
            let ramp = (255 * i / count) as f32;
            wheel[at][full] = 255.0;
            wheel[at][moving] = if segment % 2 == 0 { ramp } else { 255.0 - ramp };
            at += 1;
        }
    }
    wheel
}

fn colour(wheel: &[[f32; 3]; COLOURS], u: f32, v: f32) -> [u8; 3] {
    let radius = u.hypot(v);
    let turn = (-v).atan2(-u) / std::f32::consts::PI;
    let position = (turn + 1.0) / 2.0 * (COLOURS - 1) as f32;
    let low = (position as usize).min(COLOURS - 1);
    let high = (low + 1) % COLOURS;
    let share = position - low as f32;
    std::array::from_fn(|channel| {
        let hue = ((1.0 - share) * wheel[low][channel] + share * wheel[high][channel]) / 255.0;
        let shade = if radius <= 1.0 { 1.0 - radius * (1.0 - hue) } else { hue * 0.75 };
        (255.0 * shade) as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wheel_starts_at_red_and_passes_the_primaries() {
        let wheel = colour_wheel();
        assert_eq!(wheel[0], [255.0, 0.0, 0.0]);
        assert_eq!(wheel[15], [255.0, 255.0, 0.0]);
        assert_eq!(wheel[21], [0.0, 255.0, 0.0]);
        assert_eq!(wheel[25], [0.0, 255.0, 255.0]);
        assert_eq!(wheel[36], [0.0, 0.0, 255.0]);
        assert_eq!(wheel[49], [255.0, 0.0, 255.0]);
    }

    #[test]
    fn stillness_is_white_unknown_is_black_right_is_red() {
        let field = FlowField::new(4, 1, vec![0.0, 2e9, 2.0, f32::NAN], vec![0.0; 4]).unwrap();
        let rgb = flow_to_rgb8(&field, None).unwrap();
        assert_eq!(rgb[..3], [255, 255, 255]);
        assert_eq!(rgb[3..6], [0, 0, 0]);
        assert!(rgb[6] == 255 && rgb[7] < 30 && rgb[8] < 30, "{:?}", &rgb[6..9]);
        assert_eq!(rgb[9..], [0, 0, 0]);
    }

    #[test]
    fn a_scale_that_is_not_positive_is_refused() {
        let field = FlowField::new(1, 1, vec![0.0], vec![0.0]).unwrap();
        for scale in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(matches!(flow_to_rgb8(&field, Some(scale)), Err(FlowError::ColourScale(_))));
        }
    }
}
