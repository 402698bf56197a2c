//! The user's settings for a cluster: one TOML file outside the checkout.

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

/// The section `[engine.slurm]`: options of every job. Missing values follow from the plan or from the cluster's own
/// defaults.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct SlurmConfig {
    /// `--partition`.
    pub partition: Option<String>,
    /// `--account`.
    pub account: Option<String>,
    /// `--qos`.
    pub qos: Option<String>,
    /// Time limit of one job in Slurm's notation: `90` (minutes), `12:00:00`, `2-12`. A training that reaches the limit is
    /// requeued as the same job and goes on from its checkpoint.
    #[serde(deserialize_with = "time")]
    pub time: Option<Duration>,
    /// Memory of one process in bytes; written as `16G`, for example.
    #[serde(deserialize_with = "memory")]
    pub memory: Option<u64>,
    /// Cores of one process.
    pub cpus: usize,
    /// GPUs of one process if the command has `--device cuda`.
    pub gpus: usize,
    /// Processes that share each training; needs a program built with MPI.
    pub ranks: usize,
    /// Command that starts several processes, up to but without `-n`: `srun` or `mpirun` with options.
    pub launcher: String,
    /// Maximum number of jobs of one array that run at once.
    pub at_once: Option<usize>,
    /// Maximum number of videos that one job prepares.
    pub videos_per_job: usize,
    /// Additional `#SBATCH` options, such as `--constraint=avx512`.
    #[serde(deserialize_with = "lines")]
    pub extra: Vec<String>,
    /// Shell lines to run before the program, such as `module load cuda`.
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
    /// Reads the named file, or else the user's own file, which may be missing.
    ///
    /// # Errors
    /// [`Error::File`] for a named file that cannot be read; [`Error::Toml`] with line and column for an unknown or
    /// malformed setting; [`Error::Usage`] for a number that is 0.
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

/// Returns the path of `xtask/config.toml` in the user's configuration folder.
pub fn usual_path() -> Option<PathBuf> {
    Some(dirs::config_dir()?.join("xtask").join("config.toml"))
}

fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let expected = "expected a time in Slurm's notation: minutes, hours:minutes:seconds or days-hours";
    parse_time(&text).map(Some).ok_or_else(|| D::Error::custom(format!("{expected}; found `{text}`")))
}

/// Parses a positive time: minutes, M:S, H:M:S, D-H, D-H:M or D-H:M:S.
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

/// Parses a number below 2^32, so that the sums above cannot overflow.
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

/// Refuses entries that contain a line break, since each must stay one line of the script.
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
