//! Detection of a launcher that started several ranks, from the environment.

/// The way this process was started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Launched {
    /// A shell, or a launcher that started one rank.
    Alone,
    /// A launcher that started several ranks.
    Several {
        /// Number of ranks.
        ranks: usize,
        /// Name of the launcher.
        by: &'static str,
    },
}

/// Launchers, each with its variable for the number of ranks and a variable that only ranks have.
const LAUNCHERS: [(&str, &str, &str); 4] = [
    ("mpirun", "OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"),
    ("mpiexec", "PMI_SIZE", "PMI_RANK"),
    ("mpiexec", "MPI_LOCALNRANKS", "MPI_LOCALRANKID"),
    // A batch script sees the number of the job's tasks but is a single process; tasks of a step see that of the step.
    ("srun", "SLURM_STEP_NUM_TASKS", "SLURM_PROCID"),
];

/// Returns the way this process was started, according to its environment. The first launcher in the list whose variables
/// are set counts, because `srun` may have started an `mpirun`.
#[must_use]
pub fn launched(environment: &dyn Fn(&str) -> Option<String>) -> Launched {
    for (by, size, rank) in LAUNCHERS {
        // The script of a batch job is a separate step, which `srun` did not start.
        let script =
            by == "srun" && environment("SLURM_STEP_ID").is_some_and(|id| id.parse::<u32>().is_err());
        let number = |name: &str| environment(name).and_then(|text| text.trim().parse::<usize>().ok());
        if let (Some(ranks), Some(_), false) = (number(size), number(rank), script) {
            return if ranks > 1 { Launched::Several { ranks, by } } else { Launched::Alone };
        }
    }
    Launched::Alone
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(variables: &[(&str, &str)]) -> Launched {
        launched(&|name| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).into()))
    }

    #[test]
    fn launchers_are_known_by_their_variables() {
        assert_eq!(of(&[]), Launched::Alone);
        let mpirun = [("OMPI_COMM_WORLD_SIZE", "2"), ("OMPI_COMM_WORLD_RANK", "1")];
        assert_eq!(of(&mpirun), Launched::Several { ranks: 2, by: "mpirun" });
        let one = [("OMPI_COMM_WORLD_SIZE", "1"), ("OMPI_COMM_WORLD_RANK", "0")];
        assert_eq!(of(&one), Launched::Alone);
        let srun = [("SLURM_STEP_NUM_TASKS", "4"), ("SLURM_PROCID", "3"), ("SLURM_STEP_ID", "0")];
        assert_eq!(of(&srun), Launched::Several { ranks: 4, by: "srun" });
        assert_eq!(
            of(&[("PMI_SIZE", "3"), ("PMI_RANK", "0")]),
            Launched::Several { ranks: 3, by: "mpiexec" }
        );
    }

    #[test]
    fn a_batch_script_and_an_mpirun_of_one_within_a_job_are_alone() {
        // `sbatch` sets the number of the job's tasks for the script.
        assert_eq!(of(&[("SLURM_NTASKS", "8"), ("SLURM_PROCID", "0")]), Launched::Alone);
        let within = [
            ("OMPI_COMM_WORLD_SIZE", "1"),
            ("OMPI_COMM_WORLD_RANK", "0"),
            ("SLURM_STEP_NUM_TASKS", "2"),
            ("SLURM_PROCID", "0"),
            ("SLURM_STEP_ID", "1"),
        ];
        assert_eq!(of(&within), Launched::Alone);
    }
}
