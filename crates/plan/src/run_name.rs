//! The name of a run: its folder under `results/<paper>/<table>/`, which encodes the request.

use std::fmt;
use std::str::FromStr;

use data::extracted::Extraction;
use nn::Precision;

use crate::error::{Error, Result};
use crate::spec::ProfileName;
use crate::table::Request;

/// Name of a run, such as `synth-mini`. A request that differs from the profile adds to the name, as in
/// `synth-mini.data-seed-7`, so that it overwrites no records of another request.
#[derive(Debug, Clone, PartialEq)]
pub struct RunName {
    /// The data set.
    pub dataset: String,
    /// The profile.
    pub profile: ProfileName,
    /// Seeds of the generated data sets, if they are not their own; otherwise empty.
    pub data_seeds: Vec<u64>,
    /// The splits, if they differ from the profile's; otherwise empty.
    pub splits: Vec<String>,
    /// Number of training seeds, if it differs from the profile's.
    pub seeds: Option<usize>,
    /// Factor on all iterations.
    pub budget: Option<f64>,
    /// Facts about extracted frames and flow.
    pub extraction: Option<Extraction>,
    /// Takes videos although ffmpeg reports errors in them.
    pub accept_messages: bool,
    /// First digits of the checksum of the exported row whose nets are used.
    pub from: Option<String>,
    /// Precision of matrix products; f32 adds nothing to the name.
    pub precision: Precision,
}

impl fmt::Display for RunName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.dataset, self.profile)?;
        if !self.data_seeds.is_empty() {
            let seeds: Vec<String> = self.data_seeds.iter().map(u64::to_string).collect();
            write!(f, ".data-seed-{}", seeds.join("+"))?;
        }
        if !self.splits.is_empty() {
            write!(f, ".splits-{}", self.splits.join("+"))?;
        }
        if let Some(seeds) = self.seeds {
            write!(f, ".seeds-{seeds}")?;
        }
        if let Some(budget) = self.budget {
            write!(f, ".{}{budget}", PARTS[7])?;
        }
        if let Some(Extraction { bound, check }) = self.extraction {
            write!(f, ".extracted-{bound}{}", if check { "" } else { "-unchecked" })?;
        }
        if self.accept_messages {
            write!(f, ".{}", PARTS[6])?;
        }
        if let Some(from) = &self.from {
            write!(f, ".from-{from}")?;
        }
        if self.precision == Precision::Tf32 {
            write!(f, ".{}", PARTS[5])?;
        }
        Ok(())
    }
}

impl FromStr for RunName {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        parse(name).ok_or_else(|| {
            Error::Usage(format!(
                "`{name}` is not the name of a run; expected a data set and a profile, such as synth-mini or \
                 synth-mini.data-seed-7"
            ))
        })
    }
}

fn parse(name: &str) -> Option<RunName> {
    let (scale, rest) = name.split_once('.').map_or((name, ""), |(scale, rest)| (scale, rest));
    let (dataset, profile) = scale.rsplit_once('-')?;
    let mut run = RunName {
        dataset: dataset.to_owned(),
        profile: profile.parse().ok()?,
        data_seeds: Vec::new(),
        splits: Vec::new(),
        seeds: None,
        budget: None,
        extraction: None,
        accept_messages: false,
        from: None,
        precision: Precision::Fp32,
    };
    // A bound may have a decimal point, and so may the name of a split; so parts are told apart by their beginning.
    let mut parts: Vec<String> = Vec::new();
    for piece in rest.split('.').filter(|_| !rest.is_empty()) {
        match parts.last_mut() {
            Some(last) if !PARTS.iter().any(|part| piece.starts_with(part)) => {
                last.push('.');
                last.push_str(piece);
            }
            _ => parts.push(piece.to_owned()),
        }
    }
    for part in parts {
        let value = |name: &str| part.strip_prefix(name);
        if let Some(seeds) = value(PARTS[0]) {
            run.data_seeds = seeds.split('+').map(|seed| seed.parse().ok()).collect::<Option<_>>()?;
        } else if let Some(splits) = value(PARTS[1]) {
            run.splits = splits.split('+').map(str::to_owned).collect();
        } else if let Some(seeds) = value(PARTS[2]) {
            run.seeds = Some(seeds.parse().ok()?);
        } else if let Some(from) = value(PARTS[4]) {
            run.from = Some(from.to_owned());
        } else if let Some(budget) = value(PARTS[7]) {
            run.budget = Some(budget.parse().ok()?);
        } else if part == PARTS[5] {
            run.precision = Precision::Tf32;
        } else if part == PARTS[6] {
            run.accept_messages = true;
        } else {
            let bound = value(PARTS[3])?;
            let (bound, check) =
                bound.strip_suffix("-unchecked").map_or((bound, true), |bound| (bound, false));
            let extraction = Extraction::new(bound.parse().ok()?).ok()?;
            run.extraction = Some(Extraction { check, ..extraction });
        }
    }
    (run.to_string() == name).then_some(run)
}

/// Beginnings of the parts that may follow the profile.
const PARTS: [&str; 8] =
    ["data-seed-", "splits-", "seeds-", "extracted-", "from-", "tf32", "accept-messages", "budget-"];

impl RunName {
    /// Returns the request that leads to this name.
    pub fn request(&self) -> Request {
        Request {
            profile: Some(self.profile),
            dataset: Some(self.dataset.clone()),
            splits: self.splits.clone(),
            seeds: self.seeds,
            budget: self.budget,
            data_seeds: self.data_seeds.clone(),
            extraction: self.extraction,
            accept_messages: self.accept_messages,
            from: self.from.clone(),
            precision: self.precision,
            rows: Vec::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_read_as_it_was_written() {
        for name in [
            "synth-mini",
            "synth-hmdb-smoke.data-seed-7",
            "synth-mini.data-seed-201+202+203.seeds-3",
            "weizmann-loao-mini.splits-1+2.5+x.seeds-3",
            "ucf101-paper.extracted-20.5-unchecked",
            "synth-views-mini.data-seed-1.splits-a.seeds-2.extracted-20.from-0a1b2c3d",
            "synth-mini.tf32",
            "synth-mini.budget-0.25",
            "synth-midi.data-seed-7.seeds-2.budget-4.tf32",
            "ucf101-paper.splits-1.extracted-20.5.tf32",
            "ucf101-paper.accept-messages",
            "ucf101-paper.splits-1.accept-messages.from-0a1b2c3d.tf32",
        ] {
            let run: RunName = name.parse().unwrap();
            assert_eq!(run.to_string(), name);
        }
        let run: RunName = "weizmann-loao-mini.splits-1+2.5+x.seeds-3".parse().unwrap();
        assert_eq!((run.dataset.as_str(), run.splits.len(), run.seeds), ("weizmann-loao", 3, Some(3)));
    }

    #[test]
    fn another_folder_is_no_run() {
        for name in
            ["synth", "synth-huge", "", "synth-mini.", "synth-mini.tired", "synth-mini.seeds-x", "figures"]
        {
            let message = name.parse::<RunName>().unwrap_err().to_string();
            assert!(message.contains("is not the name of a run"), "{message}");
        }
    }
}
