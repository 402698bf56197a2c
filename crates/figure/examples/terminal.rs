//! Draws the output of commands as a recording of a terminal, an SVG whose lines appear one after the other:
//! `COMMAND | cargo run --release -p figure --example terminal -- OUT.svg [COLUMNS]`.
//!
//! Lines appear with the pauses with which they come in, shortened to [`LONGEST`] in all. Where animations are not shown, and for
//! readers who do not want them, all lines are there from the beginning.

use std::io::BufRead;
use std::time::Instant;

/// Seconds after which the last line appears.
const LONGEST: f64 = 10.0;

/// Size of a character, and the rim, in pixels.
const CHARACTER: (f64, f64) = (7.8, 17.0);
const RIM: f64 = 14.0;

/// A piece of a line in one colour.
struct Span {
    colour: &'static str,
    text: String,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let out = args.next().ok_or("usage: COMMAND | terminal OUT.svg [COLUMNS]")?;
    let columns: usize = args.next().map_or(Ok(100), |text| text.parse())?;
    let begun = Instant::now();
    let mut lines = Vec::new();
    for line in std::io::stdin().lock().lines() {
        lines.push((begun.elapsed().as_secs_f64(), spans(&line?)));
    }
    let last = lines.last().map_or(0.0, |(at, _)| *at);
    let pace = if last > LONGEST { LONGEST / last } else { 1.0 };
    let (width, height) =
        (CHARACTER.0 * columns as f64 + 2.0 * RIM, CHARACTER.1 * lines.len() as f64 + 2.0 * RIM);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n<style>text{{font:13px ui-monospace,Menlo,Consolas,monospace;\
         white-space:pre}}@keyframes h{{from{{opacity:0}}to{{opacity:0}}}}text{{animation-name:h}}\
         @media (prefers-reduced-motion:reduce){{text{{animation:none}}}}</style>\n\
         <rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#0d1117\"/>\n"
    );
    for (row, (at, spans)) in lines.iter().enumerate() {
        let y = RIM + CHARACTER.1 * (row as f64 + 0.75);
        svg.push_str(&format!(
            "<text x=\"{RIM}\" y=\"{y:.1}\" style=\"animation-duration:{:.2}s\">",
            at * pace
        ));
        for Span { colour, text } in spans {
            svg.push_str(&format!("<tspan fill=\"{colour}\">{}</tspan>", escaped(text)));
        }
        svg.push_str("</text>\n");
    }
    svg.push_str("</svg>\n");
    std::fs::write(out, svg)?;
    Ok(())
}

/// Splits a line by the terminal's sequences for colours; a command after `$ ` is brighter than what it prints.
fn spans(line: &str) -> Vec<Span> {
    let plain = if line.starts_with("$ ") { "#f0f6fc" } else { "#c9d1d9" };
    let mut colour = plain;
    let mut spans = Vec::new();
    for (at, part) in line.split("\u{1b}[").enumerate() {
        let mut text = part;
        if at > 0 {
            let (code, rest) = part.split_once('m').unwrap_or(("", part));
            colour = match code {
                "31" => "#ff7b72",
                "32" => "#7ee787",
                "33" => "#e3b341",
                _ => plain,
            };
            text = rest;
        }
        if !text.is_empty() {
            spans.push(Span { colour, text: text.to_owned() });
        }
    }
    spans
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}
