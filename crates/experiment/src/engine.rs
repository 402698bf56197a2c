//! Where units of work are done when it is not in this process: on a cluster, by its own scheduler.

pub mod config;
pub mod slurm;
