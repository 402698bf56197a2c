//! Tests `--engine slurm` with stand-ins for Slurm's commands: `sbatch` does the tasks of a job immediately, one by one.
//! `.ci/cluster-check` tests a real Slurm with failing nodes.

#![expect(clippy::unwrap_used, reason = "a test that panics has failed, and so has what it is built from")]

mod support;

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::Output;

use support::{Place, assert_ok, text};

/// The stand-in for `sbatch`: logs the submitted tasks and does them. A task whose title is in the file `faults` is killed.
const SBATCH: &str = r#"#!/bin/bash
set -u
here=$(dirname "$0")
dependency=
for word in "$@"; do
  case $word in --dependency=*) dependency=$word ;; esac
  script=$word
done
id=$(( $(cat "$here/last" 2>/dev/null || echo 100) + 1 ))
echo "$id" >"$here/last"
echo "$id $dependency $(sed -n 's/^#SBATCH --array=//p' "$script") $(sed -n '2s/^# //p' "$script")" >>"$here/submitted"
if [ -e "$here/refuse" ]; then echo "sbatch: error: Batch job submission failed: Invalid partition" >&2; exit 1; fi
array=$(sed -n 's/^#SBATCH --array=//p' "$script" | tr ',' ' ')
output=$(sed -n 's/^#SBATCH --output=//p' "$script")
if [ ! -e "$here/hold" ]; then
  for range in $array; do
    for task in $(seq "${range%-*}" "${range#*-}"); do
      title=$(grep -E "^# +$task  " "$script")
      log=${output//%a/$task}
      if grep -qF "$(echo "$title" | sed 's/^# *[0-9]* *//; s/ (.*//')" "$here/faults" 2>/dev/null; then
        # A failing node: nothing is written at its end.
        sed "s/^.* work .* &\$/sleep 60 \&/; s/^child=.*/kill -9 \$\$/" "$script" >"$here/faulty"
        SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_JOB_ID=$id SLURMD_NODENAME=n1 bash "$here/faulty" >>"$log" 2>&1
      else
        SLURM_CPUS_PER_TASK=2 SLURM_ARRAY_TASK_ID=$task SLURM_ARRAY_JOB_ID=$id SLURMD_NODENAME=n2 bash "$script" >>"$log" 2>&1
      fi
    done
  done
fi
echo "$id"
"#;

/// A cluster, and a place for its results.
struct Cluster {
    place: Place,
    programs: PathBuf,
}

impl Cluster {
    fn new() -> Self {
        let place = Place::new();
        let programs = place.path("programs");
        std::fs::create_dir(&programs).unwrap();
        let cluster = Self { place, programs };
        cluster.program("sbatch", SBATCH);
        // The file `queue` is the queue.
        cluster.program("squeue", "#!/bin/bash\ncat \"$(dirname \"$0\")/queue\" 2>/dev/null\nexit 0\n");
        cluster.program("scancel", "#!/bin/bash\necho \"$*\" >>\"$(dirname \"$0\")/cancelled\"\n");
        cluster.program("scontrol", "#!/bin/bash\necho 'JobId=7 JobState=NODE_FAIL ExitCode=0:9'\n");
        cluster
    }

    fn program(&self, name: &str, script: &str) {
        let path = self.programs.join(name);
        std::fs::write(&path, script).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.programs.join(name)).unwrap_or_default()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.programs.join(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Output {
        let path = format!("{}:{}", self.programs.display(), std::env::var("PATH").unwrap());
        let mut command = self.place.command(arguments);
        // Ignores the settings of the user who runs the tests.
        command.env("PATH", path).env("XDG_CONFIG_HOME", self.place.path("nothing"));
        command.args(["--engine", "slurm"]).output().unwrap()
    }

    fn run(&self, more: &[&str]) -> Output {
        let arguments = ["run", "table1b", "--profile", "smoke", "--row", "single-on", "stack-5-on"];
        self.command(&[&arguments[..], more].concat())
    }

    /// Returns the submitted jobs: number, dependency, indices and title.
    fn submitted(&self) -> Vec<String> {
        let submitted = self.file("submitted");
        submitted.lines().map(|line| line.split(" of ").next().unwrap().to_owned()).collect()
    }
}

#[test]
fn jobs_leave_the_records_that_one_process_leaves() {
    let cluster = Cluster::new();
    let output = cluster.run(&[]);
    assert_ok(&output);
    assert!(text(&output.stdout).contains("Claims of the paper"), "{}", text(&output.stdout));
    assert_eq!(
        cluster.submitted(),
        [
            "101  0-15 preparing, 16 tasks",
            "102 --dependency=afterok:101 0-1 training, 2 tasks",
            "103 --dependency=aftercorr:102 0-1 testing, 2 tasks",
            "104 --dependency=afterany:101:102:103 0 finishing, 1 task",
        ]
    );
    let alone = Place::new();
    assert_ok(&alone.smoke(&["--row", "single-on", "stack-5-on"]));
    assert_eq!(cluster.place.numbers(), alone.numbers());

    // Everything is done: only the last job is submitted again.
    assert_ok(&cluster.run(&["--json"]));
    assert_eq!(cluster.submitted()[4..], ["105  0 finishing, 1 task"]);
}

#[test]
fn a_failed_unit_is_explained_and_alone_submitted_again() {
    let cluster = Cluster::new();
    cluster.write("faults", "stack-5-on\n");
    let output = cluster.run(&[]);
    let said = text(&output.stderr);
    assert_eq!(output.status.code(), Some(4), "{said}");
    for expected in [
        "training stack-5-on failed: job 102_0 on n1 stopped without reporting an error (Slurm says: NODE_FAIL",
        "training resumes from its last checkpoint",
        "1 of 9 rows failed: stack-5-on",
    ] {
        assert!(said.contains(expected), "{expected}\n{said}");
    }
    assert!(text(&output.stdout).contains("job 102_0 on n1"), "the table says why\n{}", text(&output.stdout));

    cluster.write("faults", "");
    assert_ok(&cluster.run(&[]));
    assert_eq!(
        cluster.submitted()[4..],
        [
            "105  0 training, 1 task",
            "106 --dependency=afterok:105_0 0 testing, 1 task",
            "107 --dependency=afterany:105:106 0 finishing, 1 task",
        ]
    );
}

#[test]
fn what_is_queued_is_not_submitted_again_and_what_is_held_is_cancelled() {
    let cluster = Cluster::new();
    // Jobs that wait: the stand-in does nothing.
    cluster.write("hold", "");
    let output = cluster.run(&["--detach"]);
    assert_ok(&output);
    let run = std::fs::read_dir(cluster.place.path("cache/slurm")).unwrap().next().unwrap().unwrap();
    let run = run.file_name().into_string().unwrap();
    let queue = |reason: &str| -> String {
        let mut lines = String::new();
        for (job, number, tasks) in [(101, 1, 16), (102, 2, 2), (103, 3, 2), (104, 4, 1)] {
            for index in 0..tasks {
                lines.push_str(&format!("{job}|{index}|PENDING||{reason}|{run}.{number}\n"));
            }
        }
        lines
    };
    cluster.write("queue", &queue("Dependency"));
    assert_ok(&cluster.run(&["--detach"]));
    assert_eq!(cluster.submitted().len(), 4, "everything is in the queue");
    let output = cluster.run(&["--fresh"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("scancel 101 102 103 104"), "{}", text(&output.stderr));

    cluster.write("queue", &queue("launch failed requeued held"));
    assert_ok(&cluster.run(&["--detach"]));
    assert_eq!(cluster.submitted().len(), 8);
    assert!(cluster.file("cancelled").contains("101_0 101_1"), "{}", cluster.file("cancelled"));
}

#[test]
fn no_video_is_in_two_jobs_when_several_tables_need_it() {
    let cluster = Cluster::new();
    cluster.write("hold", "");
    assert_ok(&cluster.command(&["run", "table1b", "table3", "--profile", "smoke", "--detach"]));
    let mut seen = std::collections::BTreeSet::new();
    let mut parts = 0;
    for run in std::fs::read_dir(cluster.place.path("cache/slurm")).unwrap() {
        for array in std::fs::read_dir(run.unwrap().path().join("arrays")).unwrap() {
            let path = array.unwrap().path();
            if path.extension().is_some_and(|e| e == "sh") {
                continue;
            }
            let manifest: serde_json::Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
            for entry in manifest["tasks"].as_object().unwrap().values() {
                let task = &entry["task"];
                for video in task["videos"].as_array().into_iter().flatten() {
                    let video = format!("{} {} {video}", task["set"], task["recipe"]);
                    assert!(seen.insert(video.clone()), "{video} is in two jobs");
                }
                parts += usize::from(task["do"] == "prepare");
            }
        }
    }
    assert!(parts > 16, "both tables have videos to prepare, {parts}");
}

#[test]
fn preparing_videos_by_jobs_leaves_the_files_that_one_process_leaves() {
    let cluster = Cluster::new();
    let arguments = ["prepare", "synth", "--profile", "smoke"];
    let output = cluster.command(&arguments);
    assert_ok(&output);
    assert!(text(&output.stdout).contains("are ready with their flow"), "{}", text(&output.stdout));
    let alone = Place::new();
    assert_ok(&alone.command(&arguments).output().unwrap());
    let files = |place: &Place| -> Vec<(PathBuf, Vec<u8>)> {
        let below = |path: PathBuf| path.strip_prefix(place.path("cache")).unwrap().to_owned();
        cache_files(place)
            .into_iter()
            .map(|path| (below(path.clone()), std::fs::read(path).unwrap()))
            .collect()
    };
    assert!(files(&cluster.place) == files(&alone), "the cache files differ");
}

/// Returns all cache files of videos in order.
fn cache_files(place: &Place) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![place.path("cache/videos")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "var") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn a_job_that_meets_a_damaged_cache_file_makes_it_again() {
    let cluster = Cluster::new();
    assert_ok(&cluster.command(&["prepare", "synth", "--profile", "smoke"]));
    for file in cache_files(&cluster.place).iter().filter(|file| file.to_string_lossy().contains("flow")) {
        let mut bytes = std::fs::read(file).unwrap();
        // Header and index come first.
        for at in (bytes.len() / 2..bytes.len()).step_by(64) {
            bytes[at] ^= 1;
        }
        std::fs::write(file, bytes).unwrap();
    }
    assert_ok(&cluster.run(&[]));
    let run = std::fs::read_dir(cluster.place.path("cache/slurm")).unwrap();
    let logs = run.map(|run| std::fs::read_to_string(run.unwrap().path().join("logs/1-0.log")).unwrap());
    let logs: String = logs.collect();
    assert!(logs.contains("checking all cached videos"), "{logs}");
    let alone = Place::new();
    assert_ok(&alone.smoke(&["--row", "single-on", "stack-5-on"]));
    assert_eq!(cluster.place.numbers(), alone.numbers());
}

#[test]
fn a_cluster_that_refuses_or_is_not_there_is_an_error_with_its_words() {
    let cluster = Cluster::new();
    cluster.write("refuse", "");
    let output = cluster.run(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("sbatch: error: Batch job submission failed: Invalid partition"));

    let place = Place::new();
    let output = place
        .command(&["run", "table1b", "--profile", "smoke", "--engine", "slurm"])
        .env("PATH", place.path("nothing"))
        .output()
        .unwrap();
    assert!(text(&output.stderr).contains("squeue: not found on this machine"), "{}", text(&output.stderr));
}

#[test]
fn scripts_are_printed_with_the_settings_of_the_user() {
    let cluster = Cluster::new();
    let config = cluster.place.path("config.toml");
    let print = |settings: &str| {
        std::fs::write(&config, settings).unwrap();
        cluster.run(&["--dry-run", "--config", config.to_str().unwrap()])
    };
    let output =
        print("[engine.slurm]\npartition = \"short\"\nmemory = \"3G\"\ntime = \"2:00:00\"\ncpus = 4\n");
    assert_ok(&output);
    let scripts = text(&output.stdout);
    for expected in [
        "20 units, 0 of them done, 0 in the queue; 4 job arrays would be submitted",
        "#SBATCH --partition=short",
        "#SBATCH --cpus-per-task=4\n#SBATCH --mem-per-cpu=768M\n#SBATCH --time=120\n",
        "$ sbatch --dependency=aftercorr:<job 2>",
    ] {
        assert!(scripts.contains(expected), "{expected}\n{scripts}");
    }
    assert!(cluster.submitted().is_empty(), "nothing is submitted");

    let output = print("[engine.slurm]\npartitoin = \"short\"\n");
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).contains("config.toml:2:1"), "{}", text(&output.stderr));
}

#[test]
fn a_bad_job_file_is_named() {
    let place = Place::new();
    let manifest = place.path("1.json");
    std::fs::write(&manifest, "{}").unwrap();
    let work = |task: &str| {
        std::process::Command::new(env!("CARGO_BIN_EXE_xtask"))
            .arg("work")
            .arg(&manifest)
            .arg(task)
            .output()
            .unwrap()
    };
    let said = text(&work("0").stderr);
    assert!(said.contains("1.json is damaged"), "{said}");
    std::fs::write(&manifest, r#"{"version": "1", "command": ["list"], "tasks": {}}"#).unwrap();
    let said = text(&work("0").stderr);
    assert!(said.contains("it has no task 0"), "{said}");
}
