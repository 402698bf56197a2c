//! Writes the script of a job array, for Slurm to run and the user to read.

use std::fmt::Write as _;
use std::path::Path;

use super::array::Array;
use super::folder::RunFolder;
use crate::config::SlurmConfig;
use experiment::error::{Error, Result};

/// Seconds before its time limit at which a job is warned: enough to finish a step and write a checkpoint.
const WARNING: u64 = 120;

/// Values shared by all scripts of a run.
#[derive(Debug, Clone, Copy)]
pub(super) struct Common<'a> {
    pub(super) folder: &'a RunFolder,
    pub(super) config: &'a SlurmConfig,
    /// Path of the program, visible to all nodes.
    pub(super) program: &'a Path,
    /// Folder in which the command was run; its paths may be relative to it.
    pub(super) given_in: &'a Path,
}

/// Writes the script of the array with the given number.
///
/// # Errors
/// [`Error::Usage`] for a path that cannot be written in a script.
pub(super) fn script(common: &Common<'_>, number: usize, array: &Array<'_>) -> Result<String> {
    let Common { folder, config, program, given_in } = *common;
    let r = &array.resources;
    let mut text = String::from("#!/bin/bash\n");
    let mut line = |words: String| _ = writeln!(text, "{words}");
    line(format!("# {}, {} of {}", array.kind.words(), tasks(array.tasks.len()), folder.name()));
    for (index, unit) in &array.tasks {
        line(format!("#   {index:3}  {} ({})", unit.title.replace(['\n', '\r'], " "), unit.name));
    }
    let mut option = |words: String| line(format!("#SBATCH {words}"));
    option(format!("--job-name={}.{number}", folder.name()));
    option(format!("--array={}", indices(array, config.at_once)));
    for (name, value) in
        [("partition", &config.partition), ("account", &config.account), ("qos", &config.qos)]
    {
        if let Some(value) = value {
            option(format!("--{name}={}", quoted_option(value)?));
        }
    }
    option(format!("--ntasks={}", r.ranks));
    option(format!("--cpus-per-task={}", r.cpus));
    option(format!("--mem-per-cpu={}M", r.memory_mib.div_ceil(r.cpus as u64)));
    if r.gpus > 0 {
        option(format!("--gpus-per-task={}", r.gpus));
    }
    option(format!("--time={}", r.minutes));
    if r.minutes * 60 > 2 * WARNING {
        option(format!("--signal=B:USR1@{WARNING}"));
    }
    option("--requeue".into());
    option("--open-mode=append".into());
    // Slurm replaces `%` patterns in the names of logs.
    let logs = path(&folder.path().join("logs"))?.replace('%', "%%");
    option(format!("--output={}", quoted_option(&format!("{logs}/{number}-%a.log"))?));
    option(format!("--chdir={}", quoted_option(path(given_in)?)?));
    for extra in &config.extra {
        option(extra.clone());
    }

    let notes = quoted(path(&folder.path().join("notes").join(format!("{number}-")))?);
    let manifest = quoted(path(&folder.manifest_path(number))?);
    let program = quoted(path(program)?);
    let start = match r.ranks {
        1 => program,
        ranks => format!("{} -n {ranks} {program}", config.launcher),
    };
    let setup: String = config.setup.iter().map(|line| format!("{line}\n")).collect();
    _ = write!(
        text,
        r#"
task=$SLURM_ARRAY_TASK_ID
job=${{SLURM_ARRAY_JOB_ID}}_$task
node=${{SLURMD_NODENAME:-$(hostname)}}
note={notes}$task
rm -f "$note.end" "$note.error" "$note.progress"
printf '{{"job": "%s", "node": "%s"}}\n' "$job" "$node" >"$note.start"
export RAYON_NUM_THREADS=${{SLURM_CPUS_PER_TASK:-1}} CANDLE_NUM_THREADS=1
{setup}
# Shortly before the time limit: write a last checkpoint and requeue.
again=
trap 'again=yes; kill -TERM "$child"' USR1
trap 'kill -TERM "$child"' TERM

{start} work {manifest} "$task" >"$note.out" &
child=$!
# A signal ends `wait` before the program ends.
while kill -0 "$child" 2>/dev/null; do wait "$child"; done
wait "$child"
code=$?

if [ -n "$again" ] && [ "$code" = 130 ]; then
  exec scontrol requeue "$job"
fi
printf '{{"job": "%s", "node": "%s", "code": %d}}\n' "$job" "$node" "$code" >"$note.end.new"
mv "$note.end.new" "$note.end"
exit "$code"
"#
    );
    Ok(text)
}

fn tasks(count: usize) -> String {
    if count == 1 { "1 task".into() } else { format!("{count} tasks") }
}

/// Formats the value of `--array`, such as "0-3,7%2".
fn indices(array: &Array<'_>, at_once: Option<usize>) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &index in array.tasks.keys() {
        match runs.last_mut() {
            Some((_, last)) if *last + 1 == index => *last = index,
            _ => runs.push((index, index)),
        }
    }
    let run = |(first, last): &(u32, u32)| {
        if first == last { first.to_string() } else { format!("{first}-{last}") }
    };
    let list = runs.iter().map(run).collect::<Vec<_>>().join(",");
    at_once.map_or(list.clone(), |most| format!("{list}%{most}"))
}

fn path(path: &Path) -> Result<&str> {
    path.to_str().filter(|text| !text.contains(['\n', '\r'])).ok_or_else(|| {
        Error::Usage(format!(
            "{path:?}: the path of a job must be one line of valid UTF-8; use another folder"
        ))
    })
}

/// Quotes a word for the shell.
fn quoted(word: &str) -> String {
    format!("'{}'", word.replace('\'', r"'\''"))
}

/// Quotes the value of an `#SBATCH` option.
fn quoted_option(value: &str) -> Result<String> {
    if value.chars().all(|c| c.is_ascii_alphanumeric() || "/._-+%:,@=".contains(c)) {
        return Ok(value.to_owned());
    }
    if value.contains(['"', '\\', '\n', '\r']) {
        return Err(Error::Usage(format!(
            "{value:?} cannot be used as a job option: it contains a quotation mark, a backslash or a line break"
        )));
    }
    Ok(format!("\"{value}\""))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::array::{After, Awaited, Kind, Resources};
    use super::*;
    use experiment::run::{Planned, Task};
    use plan::cost::Cost;

    fn unit(title: &str) -> Planned {
        Planned {
            name: format!("train-{title}"),
            title: title.into(),
            task: Task::Finish,
            after: Vec::new(),
            done: false,
            cost: Cost::default(),
        }
    }

    fn write(config: &SlurmConfig, cache: &str, resources: Resources) -> Result<String> {
        let units = [unit("stack-10-on"), unit("slow-fusion"), unit("single-on")];
        let tasks = BTreeMap::from([(0, &units[0]), (1, &units[1]), (4, &units[2])]);
        let after = After::SameTask(Awaited::Queued(12));
        let array = Array { kind: Kind::Train, resources, tasks, after };
        let common = Common {
            folder: &RunFolder::new(Path::new(cache), "table1b-synth-mini-0a1b2c3d"),
            config,
            program: Path::new("/shared/it's here/xtask"),
            given_in: Path::new("/home/ann/checkout"),
        };
        script(&common, 3, &array)
    }

    const SMALL: Resources = Resources { minutes: 10, memory_mib: 2048, cpus: 2, gpus: 0, ranks: 1 };

    #[test]
    fn a_script_is_for_a_person_too() {
        let config = SlurmConfig {
            partition: Some("short".into()),
            account: Some("vision lab".into()),
            at_once: Some(2),
            extra: vec!["--constraint=avx512".into()],
            setup: vec!["module load ffmpeg".into()],
            ..SlurmConfig::default()
        };
        insta::assert_snapshot!(write(&config, "/shared/cache", SMALL).unwrap());
    }

    #[test]
    fn ranks_are_started_by_the_launcher_with_a_gpu_each() {
        let text = write(&SlurmConfig::default(), "/shared/cache", Resources { gpus: 1, ranks: 4, ..SMALL })
            .unwrap();
        for expected in [
            "#SBATCH --ntasks=4\n#SBATCH --cpus-per-task=2\n#SBATCH --mem-per-cpu=1024M\n#SBATCH --gpus-per-task=1\n",
            r"srun --kill-on-bad-exit=1 -n 4 '/shared/it'\''s here/xtask' work '/shared/cache/",
        ] {
            assert!(text.contains(expected), "{expected}\n{text}");
        }
    }

    #[test]
    fn paths_are_quoted_or_refused() {
        let config = SlurmConfig::default();
        let text = write(&config, "/a b/50%", SMALL).unwrap();
        let expected = r#"--output="/a b/50%%/slurm/table1b-synth-mini-0a1b2c3d/logs/3-%a.log""#;
        assert!(text.contains(expected), "{text}");
        for wrong in ["/a\nb", "/a\"b"] {
            assert!(matches!(write(&config, wrong, SMALL), Err(Error::Usage(_))), "{wrong}");
        }
    }

    #[test]
    fn a_short_job_is_not_warned() {
        let text = write(&SlurmConfig::default(), "/c", Resources { minutes: 3, ..SMALL }).unwrap();
        assert!(!text.contains("--signal"), "{text}");
    }
}
