//! Formats the table of a verification.

use super::{Line, Verified};
use crate::grid::{Grid, Screen};

impl Verified {
    /// Formats the result for a terminal: one line per comparison, and the number that passed.
    pub fn terminal(&self, screen: Screen) -> String {
        let mut lines = vec![["", "what", "difference", "allowed", ""].map(str::to_owned).to_vec()];
        for line in &self.lines {
            let difference = line.difference.map_or_else(|| "failed".into(), written);
            let verdict = if line.passed() { "ok" } else { "DIFFERS" };
            let (kind, name) = (line.kind.to_owned(), line.name.clone());
            lines.push(vec![kind, name, difference, written(line.allowed), verdict.to_owned()]);
        }
        let mut text = Grid::new(lines, 5).terminal(screen);
        for Line { name, problem, .. } in &self.lines {
            if let Some(problem) = problem {
                text.push_str(&format!("\n{name}: {problem}"));
            }
        }
        let passed = self.lines.iter().filter(|line| line.passed()).count();
        let precision = if self.precision.is_fp32() { "fp32" } else { "tf32" };
        let total = self.lines.len();
        text + &format!("\n{}, products in {precision}: {passed} of {total} agree with the CPU", self.device)
    }
}

/// Formats a difference. Zero is written `0`, since it means equal bits.
fn written(difference: f64) -> String {
    if difference == 0.0 { "0".into() } else { format!("{difference:.1e}") }
}

#[cfg(test)]
mod tests {
    use nn::Precision;

    use super::*;

    #[test]
    fn what_differs_and_what_failed_is_seen() {
        let verified = Verified {
            device: "cuda:0 NVIDIA Example".into(),
            precision: Precision::Fp32,
            lines: vec![
                Line::new("operation", "relu", Ok(0.0), 1e-5),
                Line::new("operation", "linear", Ok(2e-3), 1e-4),
                Line::new("network", "ResNet-50: outputs", Err("the GPU's memory is full".into()), 1e-4),
            ],
        };
        assert!(!verified.passed());
        insta::assert_snapshot!(verified.terminal(Screen::default()), @r"
        ╭───────────┬────────────────────┬────────────┬─────────┬─────────╮
        │           │ what               │ difference │ allowed │         │
        ├───────────┼────────────────────┼────────────┼─────────┼─────────┤
        │ operation │ relu               │ 0          │ 1.0e-5  │ ok      │
        │ operation │ linear             │ 2.0e-3     │ 1.0e-4  │ DIFFERS │
        │ network   │ ResNet-50: outputs │ failed     │ 1.0e-4  │ DIFFERS │
        ╰───────────┴────────────────────┴────────────┴─────────┴─────────╯
        ResNet-50: outputs: the GPU's memory is full
        cuda:0 NVIDIA Example, products in fp32: 1 of 3 agree with the CPU
        ");
        assert!(base::text::json(&verified).contains("\"difference\": null"));
    }
}
