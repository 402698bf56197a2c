//! Formats a prediction as text and as a chart.

use super::{Position, Prediction};
use crate::Result;
use crate::grid::{Grid, Screen, wrapped};
use base::text::{counted, points};
use figure::{Track, timeline};

/// Number of classes shown.
const TOP: usize = 5;

/// Bars from the lowest to the highest of eight levels.
const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

impl Prediction {
    /// Formats everything as JSON in one line, so that the predictions of several videos are lines of a file.
    ///
    /// # Panics
    /// Never: all numbers and names have a form in JSON.
    pub fn json(&self) -> String {
        serde_json::to_string(self).expect("a prediction holds only strings, numbers and lists")
    }

    /// Formats the most probable classes for a terminal: by all nets together, by each net, and along the video.
    pub fn terminal(&self, screen: Screen) -> String {
        let top: Vec<usize> = self.ranked().into_iter().take(TOP).collect();
        let several = self.streams.len() > 1;
        let mut head = vec!["class".to_owned()];
        if several {
            head.push("fused".into());
        }
        head.extend(self.streams.iter().map(|stream| stream.name.clone()));
        head.push("over time".into());
        let percent = |score: f32| format!("{} %", points(f64::from(100.0 * score)));
        let mut lines = vec![head];
        let along = self.fused_over_time();
        for &class in &top {
            let mut line = vec![self.classes[class].clone()];
            if several {
                line.push(percent(self.fused[class]));
            }
            line.extend(self.streams.iter().map(|stream| percent(stream.scores[class])));
            line.push(along.iter().map(|position| level(position.scores[class])).collect());
            lines.push(line);
        }
        let cuts = match self.cuts.len() {
            0 => String::new(),
            1 => ", one hard cut".into(),
            cuts => format!(", {cuts} hard cuts"),
        };
        let messages = match self.messages {
            None => String::new(),
            Some(count) => format!(", accepted with {} of ffmpeg", counted(count, "message")),
        };
        let grid = Grid::new(lines, 1).dispensable(&["over time"]).terminal(screen);
        let text = format!(
            "{}: {} frames{cuts}{messages}; {} knows the {} classes of {}\n{}\n{:.1} frames/s: {:.2} s for decoding and flow, {:.2} s for the networks",
            self.video,
            self.frames,
            self.run,
            self.classes.len(),
            self.trained_on,
            grid,
            self.frames_per_second(),
            self.seconds.preparing,
            self.seconds.networks
        );
        let flowed = |line: &str| match screen.width {
            Some(width) if !line.starts_with(['╭', '│', '├', '╰']) => wrapped(line, width),
            _ => line.to_owned(),
        };
        text.lines().map(flowed).collect::<Vec<_>>().join("\n")
    }

    /// Draws the probabilities along the video, with a panel for each net and one for all together.
    ///
    /// # Errors
    /// As [`timeline`].
    pub fn chart(&self) -> Result<String> {
        let top: Vec<usize> = self.ranked().into_iter().take(TOP).collect();
        let names: Vec<&str> = top.iter().map(|&class| self.classes[class].as_str()).collect();
        let points = |positions: &[Position]| {
            let of = |position: &Position| {
                (position.frame, top.iter().map(|&class| position.scores[class]).collect())
            };
            positions.iter().map(of).collect()
        };
        let mut tracks: Vec<Track<'_>> = Vec::new();
        if self.streams.len() > 1 {
            tracks.push(Track { name: "fused", points: points(&self.fused_over_time()) });
        }
        for stream in &self.streams {
            tracks.push(Track { name: &stream.name, points: points(&stream.over_time) });
        }
        let drawing = timeline(&self.video, &names, &tracks, self.frames, &self.cuts)?;
        Ok(drawing.file())
    }

    /// Computes the mean of the streams at each position.
    fn fused_over_time(&self) -> Vec<Position> {
        let count = self.streams.iter().map(|stream| stream.over_time.len()).min().unwrap_or(0);
        let streams = self.streams.len() as f32;
        let at = |number: usize| {
            let of = || self.streams.iter().map(move |stream| &stream.over_time[number]);
            let mean = |class: usize| of().map(|position| position.scores[class]).sum::<f32>() / streams;
            Position {
                frame: of().map(|position| position.frame).sum::<usize>() / self.streams.len(),
                scores: (0..self.classes.len()).map(mean).collect(),
            }
        };
        (0..count).map(at).collect()
    }
}

fn level(score: f32) -> char {
    let eighth = (score.clamp(0.0, 1.0) * LEVELS.len() as f32) as usize;
    LEVELS[eighth.min(LEVELS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::super::{Seconds, Stream};
    use super::*;

    fn prediction() -> Prediction {
        let stream = |name: &str, scores: [f32; 3]| Stream {
            name: name.into(),
            scores: scores.to_vec(),
            over_time: (0..3)
                .map(|i| Position {
                    frame: 10 * i,
                    scores: scores.iter().map(|s| s * i as f32 / 2.0).collect(),
                })
                .collect(),
        };
        Prediction {
            video: "walk.avi".into(),
            run: "two-stream/table3/synth-mini/average".into(),
            trained_on: "synth".into(),
            frames: 30,
            messages: None,
            cuts: vec![12],
            classes: ["run", "walk", "jump"].map(str::to_owned).to_vec(),
            fused: vec![0.2, 0.7, 0.1],
            streams: vec![stream("spatial", [0.3, 0.6, 0.1]), stream("temporal", [0.1, 0.8, 0.1])],
            seconds: Seconds { preparing: 0.5, networks: 0.25 },
        }
    }

    #[test]
    fn a_prediction_fits_the_screen() {
        for width in [80, 120, 200] {
            let text = prediction().terminal(Screen { width: Some(width), colours: false });
            assert!(text.lines().all(|line| line.chars().count() <= width), "{text}");
            insta::assert_snapshot!(format!("at-{width}"), text);
        }
    }

    #[test]
    fn a_person_reads_the_most_probable_first() {
        insta::assert_snapshot!(prediction().terminal(Screen::default()), @r"
        walk.avi: 30 frames, one hard cut; two-stream/table3/synth-mini/average knows the 3 classes of synth
        ╭───────┬────────┬─────────┬──────────┬───────────╮
        │ class │  fused │ spatial │ temporal │ over time │
        ├───────┼────────┼─────────┼──────────┼───────────┤
        │ walk  │ 70.0 % │  60.0 % │   80.0 % │       ▁▃▆ │
        │ run   │ 20.0 % │  30.0 % │   10.0 % │       ▁▁▂ │
        │ jump  │ 10.0 % │  10.0 % │   10.0 % │       ▁▁▁ │
        ╰───────┴────────┴─────────┴──────────┴───────────╯
        40.0 frames/s: 0.50 s for decoding and flow, 0.25 s for the networks
        ");
    }

    #[test]
    fn a_program_reads_one_line() {
        let line = prediction().json();
        assert!(!line.contains('\n'));
        let value: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!((&value["video"], &value["frames"]), (&"walk.avi".into(), &30.into()));
        assert_eq!(value["streams"][1]["over-time"][2]["frame"], 20);
    }

    #[test]
    fn a_picture_has_a_panel_for_each_net_and_for_all() {
        let svg = prediction().chart().unwrap();
        for name in ["fused", "spatial", "temporal"] {
            assert_eq!(svg.matches(&format!(">{name}</text>")).count(), 1, "{name}");
        }
    }
}
