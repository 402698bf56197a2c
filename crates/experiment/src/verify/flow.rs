//! Compares TV-L1 flow of several pairs at once.

use candle_core::Device;
use flow::{Estimator, FlowField, GrayImage, Method, TvL1Params};
use nn::verify::noise;

use super::line::Line;
use crate::device_flow::batched;

/// Width and height of the pictures: not multiples of any block size.
const SIZE: (usize, usize) = (93, 61);

/// Maximum mean difference of the vectors, in pixels.
const ALLOWED: f64 = 1e-3;

pub(super) fn lines(device: &Device) -> Vec<Line> {
    let presets = [("fast", TvL1Params::fast()), ("accurate", TvL1Params::accurate())];
    presets
        .map(|(name, params)| Line::new("flow", format!("TV-L1, {name}"), compare(device, &params), ALLOWED))
        .to_vec()
}

/// A smooth texture, shifted by some pixels: a sum of waves in random directions.
fn picture(moved: f32) -> GrayImage {
    let waves = noise(17, 3 * 12);
    let value = |at: usize| {
        let (x, y) = ((at % SIZE.0) as f32 + moved, (at / SIZE.0) as f32 - 0.5 * moved);
        let wave = |wave: &[f32]| (0.35 * (wave[0] * x + wave[1] * y) + 9.0 * wave[2]).sin();
        128.0 + 9.0 * waves.chunks_exact(3).map(wave).sum::<f32>()
    };
    GrayImage { width: SIZE.0, height: SIZE.1, data: (0..SIZE.0 * SIZE.1).map(value).collect() }
}

fn compare(device: &Device, params: &TvL1Params) -> Result<f64, String> {
    let frames = [picture(0.0), picture(1.4), picture(3.3)];
    let pairs = [(0, 1), (1, 2), (2, 0)];
    let there = batched(device).map_err(|e| e.to_string())?.ok_or("this device estimates no flow")?;
    let found = there.compute(params, &frames, &pairs).map_err(|e| e.to_string())?;
    let here = Estimator::new(Method::TvL1(params.clone())).map_err(|e| e.to_string())?;
    let mut worst = 0.0f64;
    for (found, (from, to)) in found.iter().zip(pairs) {
        let expected = here.compute(&frames[from], &frames[to]).map_err(|e| e.to_string())?;
        worst = worst.max(mean_difference(found, &expected));
    }
    Ok(worst)
}

fn mean_difference(a: &FlowField, b: &FlowField) -> f64 {
    let apart = |(a, b): (&f32, &f32)| f64::from(a - b);
    let across = a.u.iter().zip(&b.u).map(apart);
    let down = a.v.iter().zip(&b.v).map(apart);
    let sum: f64 = across.zip(down).map(|(u, v)| u.hypot(v)).sum();
    sum / a.u.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pictures_move_and_a_difference_is_measured() {
        let estimator = Estimator::new(Method::TvL1(TvL1Params::fast())).unwrap();
        let field = estimator.compute(&picture(0.0), &picture(1.4)).unwrap();
        let (u, v) = (median(&field.u), median(&field.v));
        assert!((u + 1.4).abs() < 0.1 && (v - 0.7).abs() < 0.1, "{u}, {v}");
        assert_eq!(mean_difference(&field, &field), 0.0);
        let other = FlowField { u: field.u.iter().map(|u| u + 3.0).collect(), ..field.clone() };
        assert!((mean_difference(&other, &field) - 3.0).abs() < 1e-5);
        // The CPU has no batched estimator to compare.
        assert!(compare(&Device::Cpu, &TvL1Params::fast()).unwrap_err().contains("no flow"));
    }

    fn median(values: &[f32]) -> f32 {
        let mut values = values.to_vec();
        values.sort_by(f32::total_cmp);
        values[values.len() / 2]
    }
}
