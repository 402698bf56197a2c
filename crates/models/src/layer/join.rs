//! Layers that join several inputs.

use nn::{BilinearInput, CompactBilinear, ops};

use super::{Facts, Layer, Shape, free, map, runs, without_parameters};

impl Layer {
    /// Makes a layer that concatenates the channels of feature maps of the same size.
    pub fn concat() -> Self {
        let measure = |inputs: &[&[usize]]| {
            let maps = inputs.iter().map(|x| map(x)).collect::<Result<Vec<_>, _>>()?;
            let &[[_, h, w], ..] = maps.as_slice() else { return Err("nothing to concatenate".into()) };
            if maps.iter().any(|&[_, oh, ow]| [oh, ow] != [h, w]) {
                return Err(format!("cannot concatenate feature maps of different sizes: {maps:?}"));
            }
            let channels = maps.iter().fold(0, |sum: usize, [c, ..]| sum.saturating_add(*c));
            Ok(free("concat", [channels, h, w]))
        };
        Self::each(measure, without_parameters(|x, pass| pass.apply(ops::Concat, x)))
    }

    /// Makes a layer that adds two values of the same shape.
    pub fn add() -> Self {
        let measure = |inputs: &[&[usize]]| match *inputs {
            [x, y] if x == y => Ok(free("sum", x)),
            [x, y] => Err(format!("cannot add {y:?} to {x:?}")),
            _ => Err(format!("expected 2 inputs, found {}", inputs.len())),
        };
        Self::each(measure, without_parameters(|x, pass| pass.apply(ops::Add { relu: false }, x)))
    }

    /// Makes a layer that reads weights and a feature map, and sums the map over the spatial positions with these weights.
    pub fn weighted_pool() -> Self {
        let measure = |inputs: &[&[usize]]| {
            let &[weights, x] = inputs else {
                return Err(format!("expected 2 inputs, found {}", inputs.len()));
            };
            let [c, h, w] = map(x)?;
            if *weights != [1, h, w] {
                return Err(format!("weights of shape {weights:?} do not fit a map of shape {x:?}"));
            }
            Ok(free(format!("weighted sum over {h}x{w}"), [c]))
        };
        Self::each(measure, without_parameters(|x, pass| pass.apply(ops::WeightedPool, x)))
    }

    /// Makes a layer that computes the count sketch, of `size` values, of the outer product of all inputs. Every time step of
    /// a clip and every vector is one factor. `pooled` takes the mean over the spatial positions.
    pub fn compact_bilinear(size: usize, pooled: bool) -> Self {
        Self::new(
            move |inputs| sketch(inputs, size, pooled),
            move |inputs, builder| {
                let input = |shape: &&Shape| BilinearInput {
                    channels: shape.each[0],
                    time_steps: shape.time_steps.unwrap_or(1),
                };
                let inputs: Vec<BilinearInput> = inputs.iter().map(input).collect();
                let fusion = CompactBilinear::new(builder, &inputs, size, pooled)?;
                runs(move |x, _, pass| fusion.forward(x, pass))
            },
        )
    }
}

/// Returns the facts of a compact bilinear fusion of feature maps of the same size, clips of such maps, and vectors.
fn sketch(inputs: &[&Shape], size: usize, pooled: bool) -> Result<Facts, String> {
    let maps: Vec<&[usize]> = inputs.iter().map(|x| x.each.as_slice()).filter(|x| x.len() != 1).collect();
    let positions = |x: &&[usize]| map(x).map(|[_, h, w]| [h, w]);
    let sizes = maps.iter().map(positions).collect::<Result<Vec<_>, _>>()?;
    let Some(&[h, w]) = sizes.first() else { return Err("expected at least one feature map".into()) };
    if sizes.iter().any(|&other| other != [h, w]) {
        return Err(format!("cannot fuse feature maps of different sizes: {maps:?}"));
    }
    if inputs.iter().any(|x| x.each.len() == 1 && x.time_steps.is_some()) {
        return Err("expected vectors without time steps".into());
    }
    let factors = inputs.iter().fold(0, |sum: usize, x| sum.saturating_add(x.time_steps.unwrap_or(1)));
    let over = if pooled { format!(", average over {h}x{w}") } else { String::new() };
    let each = if pooled { vec![size] } else { vec![size, h, w] };
    Ok(Facts {
        operation: format!("compact bilinear, {factors} factors{over}"),
        output: Shape { each, time_steps: None },
        parameters: 0,
        multiply_adds: 0,
    })
}
