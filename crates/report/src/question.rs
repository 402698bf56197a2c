//! Restores the command-line flags that ask for a run again.

use data::extracted::Extraction;

use plan::spec::ProfileName;
use plan::{Request, TablePlan};

/// Returns the flags to put after the table's name, each with a leading space.
pub(super) fn flags(plan: &TablePlan, request: &Request) -> String {
    let mut flags = String::new();
    let profile = plan.spec.profile.get(plan.profile);
    if profile.dataset != plan.dataset {
        flags.push_str(&format!(" --dataset {}", plan.dataset));
    }
    if plan.profile != ProfileName::Mini {
        flags.push_str(&format!(" --profile {}", plan.profile));
    }
    if plan.cast.get(plan.spec.main_role()).is_some_and(|facts| !facts.is_generated()) {
        flags.push_str(" --data-root DIR");
    }
    if !request.data_seeds.is_empty() {
        let seeds: Vec<String> = request.data_seeds.iter().map(u64::to_string).collect();
        flags.push_str(&format!(" --data-seed {}", seeds.join(",")));
    }
    if let Some(budget) = request.budget {
        flags.push_str(&format!(" --budget {budget}"));
    }
    if !request.splits.is_empty() {
        flags.push_str(&format!(" --split {}", request.splits.join(" ")));
    }
    if let Some(seeds) = request.seeds {
        flags.push_str(&format!(" --seeds {seeds}"));
    }
    if let Some(Extraction { bound, check }) = request.extraction {
        flags
            .push_str(&format!(" --extracted-bound {bound}{}", if check { "" } else { " --unchecked-flow" }));
    }
    if request.accept_messages {
        flags.push_str(" --accept-messages");
    }
    if request.from.is_some() {
        flags.push_str(" --from FOLDER");
    }
    flags
}
