//! Layers that join several inputs.

use nn::{BilinearInput, CompactBilinear, ops};

use super::{Facts, Layer, Shape, free, map, runs, without_parameters};

impl Layer {
    /// Joins the channels of feature maps of one size.
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

    /// The sum of two values of one shape.
    pub fn add() -> Self {
        let measure = |inputs: &[&[usize]]| match *inputs {
            [x, y] if x == y => Ok(free("sum", x)),
            [x, y] => Err(format!("cannot add {y:?} to {x:?}")),
            _ => Err(format!("it does not read {} inputs", inputs.len())),
        };
        Self::each(measure, without_parameters(|x, pass| pass.apply(ops::Add { relu: false }, x)))
    }

    /// Of weights and a feature map, the weighted sum over the spatial positions.
    pub fn weighted_pool() -> Self {
        let measure = |inputs: &[&[usize]]| {
            let &[weights, x] = inputs else {
                return Err(format!("it does not read {} inputs", inputs.len()));
            };
            let [c, h, w] = map(x)?;
            if *weights != [1, h, w] {
                return Err(format!("weights of shape {weights:?} for a map {x:?}"));
            }
            Ok(free(format!("weighted sum over {h}x{w}"), [c]))
        };
        Self::each(measure, without_parameters(|x, pass| pass.apply(ops::WeightedPool, x)))
    }

    /// The count sketch, of `size` values, of the outer product of all inputs, every time step of a clip and every vector
    /// among them; `pooled` takes the mean over the spatial positions.
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

/// Of feature maps of one size, clips of them, and vectors.
fn sketch(inputs: &[&Shape], size: usize, pooled: bool) -> Result<Facts, String> {
    let maps: Vec<&[usize]> = inputs.iter().map(|x| x.each.as_slice()).filter(|x| x.len() != 1).collect();
    let positions = |x: &&[usize]| map(x).map(|[_, h, w]| [h, w]);
    let sizes = maps.iter().map(positions).collect::<Result<Vec<_>, _>>()?;
    let Some(&[h, w]) = sizes.first() else { return Err("it reads one feature map at least".into()) };
    if sizes.iter().any(|&other| other != [h, w]) {
        return Err(format!("cannot fuse feature maps of different sizes: {maps:?}"));
    }
    if inputs.iter().any(|x| x.each.len() == 1 && x.time_steps.is_some()) {
        return Err("it reads vectors of one time step".into());
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
