//! Checks of a spec beyond its types: names must exist, keys must fit together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use data::sample::SpelledSample;
use models::{Consensus, ModelName};

use super::{AlsoAs, Cast, Fuse, Learns, Losses, Net, Player, Row, Spec, StartFrom, Streams, TestBy};
use base::{did_you_mean, there_are};

use crate::error::{Error, Result};

/// Result of a check, with the problem in words.
type Checked = std::result::Result<(), String>;

/// Returns the first name that occurs a second time.
fn twice<'a>(names: &[&'a String]) -> Option<&'a String> {
    names.iter().enumerate().find(|(at, name)| names[..*at].contains(name)).map(|(_, name)| *name)
}

/// Returns the number of the last line that sets this id.
fn last_line(text: &str, id: &str) -> usize {
    let named = |line: &&str| line.trim_start().starts_with("id") && line.contains(&format!("\"{id}\""));
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().rposition(named).map_or(1, |at| at + 1)
}

impl Spec {
    /// Checks names and combinations of keys; `path` must match paper and table.
    pub(super) fn check(&self, path: &Path, text: &str) -> Result<()> {
        let file = path.display().to_string();
        let claims = self.claim.iter().map(|claim| &claim.id).collect::<Vec<_>>();
        let rows = self.row.iter().map(|row| &row.id).collect::<Vec<_>>();
        for (what, ids) in [("rows", rows), ("claims", claims)] {
            if let Some(id) = twice(&ids) {
                let file = format!("{file}:{}", last_line(text, id));
                return Err(Error::Spec {
                    file,
                    message: format!("two {what} have the id `{id}`; ids must be unique"),
                });
            }
        }
        self.check_all(path).map_err(|message| Error::Spec { file, message })
    }

    fn check_all(&self, path: &Path) -> Checked {
        let expected = PathBuf::from(&self.paper).join(format!("{}.toml", self.short_name()));
        if !path.ends_with(&expected) {
            return Err(format!(
                "paper = \"{}\" and table = \"{}\" belong in {}; rename the file or change the keys",
                self.paper,
                self.table,
                expected.display()
            ));
        }
        if self.row.is_empty() {
            return Err("the table has no [[row]]; add at least one".into());
        }
        self.row.iter().try_for_each(|row| self.check_row(row))?;
        for (name, net) in &self.net {
            if self.row.iter().any(|row| row.id == *name) {
                return Err(format!("[net.{name}] has the same name as a row; rename one of them"));
            }
            self.check_net(net).map_err(|message| format!("[net.{name}]: {message}"))?;
        }
        self.check_names_of_sets()?;
        self.check_names_of_protocols()?;
        self.claim.iter().try_for_each(|claim| {
            self.check_rule(&claim.holds).map_err(|message| format!("claim `{}` {message}", claim.id))
        })
    }

    /// Checks that `[overlap]` and the splits of the profiles name data sets of `[data]`.
    fn check_names_of_sets(&self) -> Checked {
        let known: BTreeSet<&str> =
            self.data.values().flat_map(Cast::values).filter_map(Player::set).collect();
        let splits =
            self.profile.written().flat_map(|profile| profile.splits.keys()).map(|name| ("splits", name));
        let overlap = self.overlap.keys().map(|name| ("[overlap]", name));
        match overlap.chain(splits).find(|(_, name)| !known.contains(name.as_str())) {
            None => Ok(()),
            Some((place, name)) => {
                Err(format!("{place}: data set `{name}` is not in [data]{}", there_are(name, known)))
            }
        }
    }

    /// Checks that `iterations-of` and `rate-of` of the profiles name existing training protocols.
    fn check_names_of_protocols(&self) -> Checked {
        let names = self.profile.written().flat_map(|profile| {
            let iterations = profile.iterations_of.keys().map(|name| ("iterations-of", name));
            iterations.chain(profile.rate_of.keys().map(|name| ("rate-of", name)))
        });
        match names.into_iter().find(|(_, name)| !self.shared.train.contains_key(*name)) {
            None => Ok(()),
            Some((key, name)) => Err(format!(
                "{key}: unknown training protocol [shared.train.{name}]{}",
                there_are(name, self.protocols())
            )),
        }
    }

    fn protocols(&self) -> impl Iterator<Item = &str> {
        self.shared.train.keys().map(String::as_str)
    }

    fn check_row(&self, row: &Row) -> Checked {
        let id = &row.id;
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if !id.starts_with(|c: char| c.is_ascii_lowercase()) || !id.chars().all(allowed) {
            return Err(format!(
                "row id `{id}` must be lowercase letters, digits and `-`, starting with a letter"
            ));
        }
        match (&self.columns, &row.column) {
            (None, None) => {}
            (Some(_), None) if row.place.is_some() => {}
            (Some(columns), Some(column)) if columns.names.contains(column) => {}
            (Some(columns), _) => {
                return Err(format!(
                    "row `{id}` needs column = one of {} (or where = \"...\", if the paper has its number outside \
                     the table)",
                    columns.names.join(", ")
                ));
            }
            (None, Some(_)) => {
                return Err(format!("row `{id}` names a column, but the table has no [columns]"));
            }
        }
        match (&row.net, &row.same_as, &row.fuse) {
            (Some(net), None, None) => self.check_net(net),
            (None, Some(name), None) => self.check_same_as(name),
            (None, None, Some(fuse)) => self.check_fuse(fuse),
            _ => {
                Err("expected exactly one of net (a net to train), same-as (a net or row of this or another \
                      table) and fuse (rows to fuse)"
                    .into())
            }
        }
        .and_then(|()| match (&row.fuse, row.tested) {
            (Some(_), Some(_)) => Err("tested applies to a single net, and this row fuses several".into()),
            (Some(_), None) if row.budget.is_some() => {
                Err("budget applies to a single net, and this row fuses several; give their rows a budget"
                    .into())
            }
            _ if row.budget.is_some() && self.profile.written().any(|profile| profile.budget.is_none()) => {
                Err("budget is a share of the profile's; give every profile budget = { multiply-adds = ... }"
                    .into())
            }
            _ => Ok(()),
        })
        .map_err(|message| format!("row `{id}`: {message}"))
    }

    /// Checks a name in `same-as`; a name without a slash belongs to this table.
    fn check_same_as(&self, name: &str) -> Checked {
        if name.contains('/') || self.stage(name).is_some() {
            return Ok(());
        }
        Err(format!(
            "same-as = \"{name}\" is neither a [net] nor a row with a net{}",
            there_are(name, self.stages())
        ))
    }

    fn check_net(&self, net: &Net) -> Checked {
        if !self.shared.train.contains_key(&net.train) {
            let known = there_are(&net.train, self.protocols());
            return Err(format!("unknown training protocol [shared.train.{}]{known}", net.train));
        }
        if net.learns == Learns::LastLayer && net.start.is_none() {
            return Err(
                "learns = \"last-layer\" keeps the initial weights of all other layers; add start = \"...\""
                    .into(),
            );
        }
        let roles: BTreeSet<&str> = self.data.values().flat_map(Cast::keys).map(String::as_str).collect();
        for role in std::iter::once(&net.on).chain(net.also.as_ref().map(|also| &also.on)) {
            if !roles.contains(role.as_str()) {
                return Err(format!("[data] has no stand-in for `{role}`{}", there_are(role, roles)));
            }
        }
        self.check_input(net)?;
        self.check_pyramid(net)?;
        self.check_consensus(net)?;
        self.check_statistics(net)?;
        self.check_losses(net)?;
        if let Some(StartFrom::Streams(Streams { appearance: None, motion: None })) = net.start {
            return Err("start = {} names no net; give appearance = \"...\", motion = \"...\" or both".into());
        }
        let mut unknown = net.start.iter().flat_map(StartFrom::names);
        match unknown.find(|start| !start.contains('/') && self.stage(start).is_none()) {
            Some(start) => Err(format!(
                "start = \"{start}\" is neither a [net] nor a row with a net{}",
                there_are(start, self.stages())
            )),
            None => Ok(()),
        }
    }

    fn check_input(&self, net: &Net) -> Checked {
        if net.input.has_grid() && self.shared.test.frames.is_some() {
            return Err(
                "input.every and [shared] test.frames both set the time steps of a test; remove one of them"
                    .into(),
            );
        }
        net.input.check().map_err(|e| e.to_string())
    }

    /// Checks that the levels of a pyramid fit its input.
    fn check_pyramid(&self, net: &Net) -> Checked {
        let (pyramid, count, frame) = match (net.pyramid, &net.input) {
            (None, SpelledSample::Snippets(_)) => {
                return Err(
                    "input.kind = \"snippets\" needs pyramid = { classifies = ... }, which joins the snippets"
                        .into(),
                );
            }
            (None, _) => return Ok(()),
            (Some(pyramid), SpelledSample::Snippets(snippets)) => (pyramid, snippets.count, snippets.frame),
            (Some(_), _) => {
                return Err("pyramid = { ... } joins snippets; set input.kind = \"snippets\"".into());
            }
        };
        if self.shared.pyramid.is_none() {
            return Err("pyramid = { ... } needs [shared.pyramid] with the sizes of its levels".into());
        }
        if !net.model.unwrap_or(self.shared.model).is_base() {
            let bases =
                ModelName::all().filter(|model| model.is_base()).map(|base| format!("\"{}\"", base.name()));
            let bases: Vec<String> = bases.collect();
            return Err(format!("pyramid = {{ ... }} needs model = {}", bases.join(" or ")));
        }
        if pyramid.snippets.is_some() != (count > 1) {
            return Err(format!(
                "count = {count}: pyramid.snippets joins several snippets; set it if count is above 1, and \
                 remove it otherwise"
            ));
        }
        if pyramid.classifies.sees_frame() != frame {
            return Err(format!(
                "pyramid.classifies needs input.frame = {}",
                pyramid.classifies.sees_frame()
            ));
        }
        Ok(())
    }

    /// Checks that a consensus or poolings come with several time steps, and that the network can see them.
    fn check_consensus(&self, net: &Net) -> Checked {
        let time_steps = net.input.segments().or(net.input.windows().map(|windows| windows.count));
        let key = if net.input.windows().is_some() { "windows" } else { "segments" };
        let (joins, pooled) = (net.consensus.is_some(), !net.pooling.is_empty());
        let name = if joins { "consensus" } else { "pooling" };
        let Some(time_steps) = time_steps else {
            return match joins || pooled {
                true => Err(format!(
                    "{name} joins the segments of a video; add segments = 3 to the input, or windows = \
                     {{ count = 10, stride = 6 }}"
                )),
                false => Ok(()),
            };
        };
        if joins == pooled {
            return Err(match joins {
                true => "consensus and pooling both join the time steps; remove one of them".into(),
                false => format!(
                    "input.{key} needs consensus = \"average\" or another one, or pooling = [{{ at = \"pool5\", by = \
                     \"maximum\" }}], which joins the {key}"
                ),
            });
        }
        if !net.model.unwrap_or(self.shared.model).is_of_snippets() {
            let all = ModelName::all().filter(|model| model.is_of_snippets());
            let all: Vec<String> = all.map(|model| format!("\"{}\"", model.name())).collect();
            return Err(format!("{name} needs model = {}", all.join(" or ")));
        }
        if let Some(Consensus::Top(count)) = net.consensus
            && count > time_steps
        {
            return Err(format!(
                "consensus = {{ top = {count} }}: the input has {time_steps} {key}; expected at most {time_steps}"
            ));
        }
        match self.shared.train.get(&net.train).and_then(|protocol| protocol.pairs) {
            Some(_) => {
                Err(format!("training on pairs sees one time step of a video; remove input.{key} and {name}"))
            }
            None => Ok(()),
        }
    }

    /// Checks that losses come with pairs, and a contrastive loss with dissimilar pairs and its sizes.
    fn check_losses(&self, net: &Net) -> Checked {
        let Losses { softmax, contrastive } = net.losses;
        let dissimilar = self.shared.train.get(&net.train).and_then(|protocol| protocol.pairs);
        if dissimilar.is_none() && net.losses != Losses::default() {
            return Err(format!(
                "losses apply to training on pairs, and [shared.train.{}] has no `pairs`; add pairs = 20 \
                 (dissimilar pairs for each similar one)",
                net.train
            ));
        }
        let several = net.also.as_ref().is_some_and(|also| also.role == AlsoAs::Task);
        if dissimilar.is_some() && several {
            return Err("training on pairs uses one data set; remove also = { ..., as = \"task\" }".into());
        }
        if contrastive.is_some() && dissimilar == Some(0) {
            return Err(
                "the contrastive loss needs dissimilar pairs; set pairs to 1 or more in its protocol".into(),
            );
        }
        if contrastive.is_some() && net.learns == Learns::LastLayer {
            return Err(
                "learns = \"last-layer\" fixes the features of the contrastive loss; remove one".into()
            );
        }
        if !softmax && contrastive.is_none() {
            return Err(
                "losses = { softmax = false } leaves no loss to learn from; add contrastive = \"l1\"".into(),
            );
        }
        let Some(sizes) = self.shared.contrastive else {
            return match contrastive {
                None => Ok(()),
                Some(_) => {
                    Err("the contrastive loss needs [shared] contrastive = { margin = 1.0, weight = 1.0 }"
                        .into())
                }
            };
        };
        let sizes = [("margin", sizes.margin), ("weight", sizes.weight)];
        match sizes.into_iter().find(|(_, size)| !(*size > 0.0 && size.is_finite())) {
            None => Ok(()),
            Some((key, size)) => Err(format!("[shared] contrastive.{key} = {size}; it must be above 0")),
        }
    }

    /// Checks that `batch-statistics` is given if and only if the network has batch normalisation.
    fn check_statistics(&self, net: &Net) -> Checked {
        let architecture = net.model.unwrap_or(self.shared.model);
        let given = net.batch_statistics.or(self.shared.batch_statistics).is_some();
        if architecture.has_batch_norm() == given {
            return Ok(());
        }
        let statistics = "batch-statistics = \"all\", \"first\" or \"none\"";
        Err(if architecture.has_batch_norm() {
            format!("its network has batch normalisation; add {statistics} to [shared]")
        } else {
            "its network has no batch normalisation; remove batch-statistics".into()
        })
    }

    fn check_fuse(&self, fuse: &Fuse) -> Checked {
        if fuse.streams.len() < 2 {
            return Err(format!("fuse.streams names {} rows; expected two or more", fuse.streams.len()));
        }
        let single = || self.row.iter().filter(|row| row.fuse.is_none()).map(|row| row.id.as_str());
        for id in &fuse.streams {
            if !single().any(|known| known == id) {
                let hint = did_you_mean(id, single());
                return Err(format!("fuse.streams: `{id}` is not a row with a net{hint}"));
            }
        }
        let by_pairs = |row: &&Row| row.tested.is_some_and(|tested| tested.by == TestBy::Pairs);
        if let Some(row) = self.row.iter().filter(|row| fuse.streams.contains(&row.id)).find(by_pairs) {
            return Err(format!("fuse.streams: `{}` is tested by pairs and has no scores to fuse", row.id));
        }
        let on = |row: &Row| row.tested.unwrap_or_default().on;
        let fused: Vec<&Row> = self.row.iter().filter(|row| fuse.streams.contains(&row.id)).collect();
        if let Some(other) = fused.iter().find(|row| on(row) != on(fused[0])) {
            return Err(format!(
                "fuse.streams: `{}` and `{}` are tested on different videos",
                fused[0].id, other.id
            ));
        }
        let fusion = fuse.by.fusion(self.shared.svm.as_ref(), fuse.streams.len())?;
        let without_logits = |row: &&&Row| row.tested.is_some_and(|tested| tested.by != TestBy::Softmax);
        match fused.iter().find(without_logits) {
            Some(row) if fusion.reads_logits() => Err(format!(
                "fuse.streams: `{}` is not tested by its softmax layer and has no logits",
                row.id
            )),
            _ => Ok(()),
        }
    }

    fn check_rule(&self, rule: &str) -> Checked {
        let rule = crate::rule::Comparison::parse(rule).map_err(|e| format!("is not a comparison: {e}"))?;
        let by_pairs = |id: &str| {
            let row = self.row.iter().find(|row| row.id == id);
            row.and_then(|row| row.tested).is_some_and(|tested| tested.by == TestBy::Pairs)
        };
        let rows = rule.rows();
        if let Some(other) = rows.iter().find(|id| by_pairs(id) != by_pairs(rows[0])) {
            return Err(format!(
                "compares `{}` with `{other}`: one is an accuracy, the other an area under a curve",
                rows[0]
            ));
        }
        for id in rows {
            if !self.row.iter().any(|row| row.id == id) {
                let known = self.row.iter().map(|row| row.id.as_str());
                return Err(format!("has an unknown row `{id}`{}", did_you_mean(id, known)));
            }
        }
        Ok(())
    }
}
