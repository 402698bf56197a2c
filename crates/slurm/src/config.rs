//! A user's settings of the machines that they may use: one TOML file, apart from the checkout.

use std::path::{Path, PathBuf};
use std::time::Duration;

use base::parse_toml;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use experiment::error::{Error, Result};

/// The whole file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// Engines, by name.
    #[serde(default)]
    pub engine: Engines,
}

/// The section `[engine]`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct Engines {
    /// The section `[engine.slurm]`.
    #[serde(default)]
    pub slurm: SlurmConfig,
}

/// The section `[engine.slurm]`: what is asked of the cluster for every job. What is left out follows from the plan, or from
/// the cluster's own defaults.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SlurmConfig {
    /// `--partition`.
    pub partition: Option<String>,
    /// `--account`.
    pub account: Option<String>,
    /// `--qos`.
    pub qos: Option<String>,
    /// The longest that one job may take, as Slurm writes it: `90` (minutes), `12:00:00`, `2-12`. A training that is not done
    /// by then goes on from its checkpoint in the same job, queued again.
    #[serde(deserialize_with = "time")]
    pub time: Option<Duration>,
    /// Memory of one process, such as `16G`.
    #[serde(deserialize_with = "memory")]
    pub memory: Option<u64>,
    /// Cores of one process.
    pub cpus: usize,
    /// GPUs of one process, where the command has `--device cuda`.
    pub gpus: usize,
    /// Processes over which each training is divided; needs a program that was built with MPI.
    pub ranks: usize,
    /// What starts them, where there are several, up to its `-n`: `srun` or `mpirun` with their options.
    pub launcher: String,
    /// Jobs of one array that may run at once.
    pub at_once: Option<usize>,
    /// Videos that one job prepares at most.
    pub videos_per_job: usize,
    /// More `#SBATCH` options, such as `--constraint=avx512`.
    #[serde(deserialize_with = "lines")]
    pub extra: Vec<String>,
    /// Lines of shell before the program, such as `module load cuda`.
    #[serde(deserialize_with = "lines")]
    pub setup: Vec<String>,
}

impl Default for SlurmConfig {
    fn default() -> Self {
        Self {
            partition: None,
            account: None,
            qos: None,
            time: None,
            memory: None,
            cpus: 1,
            gpus: 1,
            ranks: 1,
            launcher: "srun --kill-on-bad-exit=1".into(),
            at_once: None,
            videos_per_job: 100,
            extra: Vec::new(),
            setup: Vec::new(),
        }
    }
}

impl Config {
    /// Reads the file that was named, or else the user's own, which need not be there.
    ///
    /// # Errors
    /// [`Error::File`] for a named file that cannot be read; [`Error::Data`] with line and column for what is no setting;
    /// [`Error::Usage`] for a value that cannot be used.
    pub fn load(named: Option<&Path>) -> Result<Self> {
        let Some(path) = named.map(Path::to_owned).or_else(usual_path) else { return Ok(Self::default()) };
        let text = match base::files::read_text(&path) {
            Ok(text) => text,
            Err(error) if named.is_none() && error.is_missing() => return Ok(Self::default()),
            Err(error) => return Err(error.into()),
        };
        Self::parse(&text, &path)
    }

    fn parse(text: &str, path: &Path) -> Result<Self> {
        let config: Self = parse_toml(path, text)?;
        let slurm = &config.engine.slurm;
        let numbers = [
            ("cpus", Some(slurm.cpus)),
            ("gpus", Some(slurm.gpus)),
            ("ranks", Some(slurm.ranks)),
            ("at-once", slurm.at_once),
            ("videos-per-job", Some(slurm.videos_per_job)),
        ];
        for (name, value) in numbers {
            if value == Some(0) {
                return Err(Error::Usage(format!(
                    "{}: engine.slurm.{name}: expected at least 1, found 0",
                    path.display()
                )));
            }
        }
        Ok(config)
    }
}

/// `config.toml` in the folder `xtask` of the user's configuration.
pub fn usual_path() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("xtask").join("config.toml"))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let expected = "expected a time as Slurm writes it: minutes, hours:minutes:seconds or days-hours";
    parse_time(&text).map(Some).ok_or_else(|| D::Error::custom(format!("{expected}; found `{text}`")))
}

/// Minutes, M:S, H:M:S, D-H, D-H:M, D-H:M:S; more than nothing.
fn parse_time(text: &str) -> Option<Duration> {
    let (days, rest) = match text.split_once('-') {
        Some((days, rest)) => (Some(number(days)?), rest),
        None => (None, text),
    };
    let parts: Vec<u64> = rest.split(':').map(number).collect::<Option<_>>()?;
    let [hours, minutes, seconds] = match (days, parts[..].try_into(), &parts[..]) {
        (_, Ok(all), _) => all,
        (Some(_), _, &[hours, minutes]) => [hours, minutes, 0],
        (Some(_), _, &[hours]) => [hours, 0, 0],
        (None, _, &[minutes, seconds]) => [0, minutes, seconds],
        (None, _, &[minutes]) => [0, minutes, 0],
        _ => return None,
    };
    let seconds = ((days.unwrap_or(0) * 24 + hours) * 60 + minutes) * 60 + seconds;
    (seconds > 0).then(|| Duration::from_secs(seconds))
}

/// A number that no sum of a few overflows with.
fn number(text: &str) -> Option<u64> {
    text.parse().ok().filter(|&number| number < 1 << 32)
}

fn memory<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let (digits, unit) = match text.find(|c: char| !c.is_ascii_digit()) {
        Some(at) => text.split_at(at),
        None => (&*text, "M"),
    };
    let shift = match unit {
        "M" | "MB" | "MiB" => Some(20),
        "G" | "GB" | "GiB" => Some(30),
        "T" | "TB" | "TiB" => Some(40),
        _ => None,
    };
    let bytes = shift.and_then(|shift| Some(number(digits).filter(|&n| n > 0 && n < 1 << 20)? << shift));
    bytes.map(Some).ok_or_else(|| {
        D::Error::custom(format!("expected an amount of memory, such as 16G or 800M; found `{text}`"))
    })
}

/// Lines that stay lines: one with a line break in it would be two.
fn lines<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let lines = Vec::<String>::deserialize(deserializer)?;
    match lines.iter().find(|line| line.contains(['\n', '\r'])) {
        None => Ok(lines),
        Some(line) => Err(D::Error::custom(format!("expected one line each; found {line:?}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slurm(text: &str) -> Result<SlurmConfig, String> {
        let text = format!("[engine.slurm]\n{text}\n");
        Config::parse(&text, Path::new("config.toml")).map(|c| c.engine.slurm).map_err(|e| e.to_string())
    }

    #[test]
    fn an_empty_file_asks_for_nothing_special() {
        assert_eq!(Config::parse("", Path::new("config.toml")).unwrap(), Config::default());
        assert_eq!(slurm("").unwrap(), SlurmConfig::default());
    }

    #[test]
    fn times_and_memory_are_read_as_slurm_writes_them() {
        let seconds = |text: &str| slurm(&format!("time = \"{text}\"")).unwrap().time.unwrap().as_secs();
        for (text, expected) in [
            ("90", 5400),
            ("1:30", 90),
            ("12:00:00", 43_200),
            ("2-12", 216_000),
            ("1-0:30", 88_200),
            ("1-1:1:1", 90_061),
        ] {
            assert_eq!(seconds(text), expected, "{text}");
        }
        let mib = |text: &str| slurm(&format!("memory = \"{text}\"")).unwrap().memory.unwrap() >> 20;
        assert_eq!((mib("800"), mib("800M"), mib("16G"), mib("1T")), (800, 800, 16 << 10, 1 << 20));
    }

    #[test]
    fn what_is_no_setting_is_refused_with_its_line() {
        for (text, expected) in [
            ("partitoin = \"gpu\"", "did you mean `partition`"),
            ("time = \"soon\"", "hours:minutes:seconds"),
            ("time = \"0\"", "found `0`"),
            ("time = \"99999999999999999999\"", "found `9999"),
            ("memory = \"16X\"", "such as 16G"),
            ("memory = \"0\"", "found `0`"),
            ("cpus = 0", "cpus: expected at least 1"),
            ("extra = [\"--a\\n--b\"]", "one line each"),
        ] {
            let message = slurm(text).unwrap_err();
            assert!(message.contains("config.toml") && message.contains(expected), "{text}: {message}");
        }
        assert!(slurm("partitoin = \"gpu\"").unwrap_err().contains("config.toml:2:1"));
    }

    #[test]
    fn a_file_that_was_named_has_to_be_there() {
        let message = Config::load(Some(Path::new("/nowhere/config.toml"))).unwrap_err().to_string();
        assert!(message.contains("/nowhere/config.toml"), "{message}");
    }
}
