//! Summary of a network as a table: layers, shapes, parameters, multiply-adds.

use std::fmt;

use base::Modality;

use crate::layer::product;

/// One layer, for one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Name of the layer.
    pub name: String,
    /// Description of the operation, such as `conv 7x7 stride 2`.
    pub operation: String,
    /// Output shape without the batch.
    pub output: Vec<usize>,
    /// Number of trained values.
    pub parameters: usize,
    /// Multiply-adds of convolutions and fully connected layers; 0 for all others.
    pub multiply_adds: u64,
}

/// All layers of a network, for one sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Title of the table.
    pub title: String,
    /// The inputs and their shapes without the batch: (C, H, W), or (C, T, H, W) for clips.
    pub inputs: Vec<(Modality, Vec<usize>)>,
    /// Layers in order.
    pub rows: Vec<Row>,
}

/// Bytes of one value.
const BYTES: u64 = 4;

impl Summary {
    /// Returns the number of trained values in all layers.
    pub fn parameters(&self) -> usize {
        self.rows.iter().fold(0, |sum: usize, row| sum.saturating_add(row.parameters))
    }

    /// Returns the multiply-adds of a forward pass of one sample.
    pub fn multiply_adds(&self) -> u64 {
        self.rows.iter().fold(0, |sum: u64, row| sum.saturating_add(row.multiply_adds))
    }

    /// Returns the bytes of all layers' outputs for one sample, which training keeps for the
    /// backward pass.
    pub fn activation_bytes(&self) -> u64 {
        bytes(self.rows.iter().map(|row| &row.output))
    }

    /// Returns the bytes of the inputs of one sample.
    pub fn input_bytes(&self) -> u64 {
        bytes(self.inputs.iter().map(|(_, shape)| shape))
    }

    /// Estimates the memory for training, in bytes: weights, velocities and gradients, the
    /// input in two layouts, and the activations of a batch plus a quarter for the gradients
    /// that are alive at the same time.
    pub fn training_bytes(&self, batch: usize) -> u64 {
        let maps = self.activation_bytes();
        let sample = self.input_bytes().saturating_mul(2).saturating_add(maps).saturating_add(maps / 4);
        let weights = (self.parameters() as u64).saturating_mul(3 * BYTES);
        sample.saturating_mul(batch as u64).saturating_add(weights)
    }
}

/// Returns the bytes of arrays of these shapes.
fn bytes<'a>(shapes: impl Iterator<Item = &'a Vec<usize>>) -> u64 {
    let values = shapes.map(|shape| product(shape.iter().copied()) as u64);
    values.fold(0, u64::saturating_add).saturating_mul(BYTES)
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = vec![[
            "layer".to_owned(),
            "operation".to_owned(),
            "output".to_owned(),
            "parameters".to_owned(),
            "multiply-adds".to_owned(),
        ]];
        for (modality, dims) in &self.inputs {
            let name = if self.inputs.len() == 1 { "input" } else { modality.name() };
            lines.push([name.into(), String::new(), shape(dims), String::new(), String::new()]);
        }
        for row in &self.rows {
            lines.push([
                row.name.clone(),
                row.operation.clone(),
                shape(&row.output),
                count(row.parameters as u64),
                count(row.multiply_adds),
            ]);
        }
        lines.push([
            "total".into(),
            String::new(),
            String::new(),
            grouped(self.parameters() as u64),
            grouped(self.multiply_adds()),
        ]);
        let width = |column: usize| lines.iter().map(|line| line[column].len()).max().unwrap_or(0);
        let [a, b, c, d, e] = [0, 1, 2, 3, 4].map(width);
        writeln!(f, "{}", self.title)?;
        for [name, operation, output, parameters, multiply_adds] in &lines {
            let line =
                format!("{name:<a$}  {operation:<b$}  {output:<c$}  {parameters:>d$}  {multiply_adds:>e$}");
            writeln!(f, "{}", line.trim_end())?;
        }
        write!(
            f,
            "activations of one sample: {:.1} MB; training at batch 8: about {:.2} GB",
            self.activation_bytes() as f64 / 1e6,
            self.training_bytes(8) as f64 / 1e9
        )
    }
}

/// Formats a shape, such as `96x109x109`.
fn shape(dimensions: &[usize]) -> String {
    let dimensions: Vec<_> = dimensions.iter().map(ToString::to_string).collect();
    dimensions.join("x")
}

/// Formats a count; empty for 0.
fn count(number: u64) -> String {
    if number == 0 { String::new() } else { grouped(number) }
}

/// Formats a number in groups of three digits, such as `90,707,781`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
