// SPDX-License-Identifier: MPL-2.0
//! A trial that outlives its process: what has to be kept, and how it is taken again.
//!
//! The tests are products over labels, whatever their order (`judgement/mixture.rs`), and each label counts once over all
//! runs. So the evidence of all runs together is one product, valid at every look, as long as nobody looks while only some
//! of it is there. That is why a trial with a ledger decides in [`Trial::look`] alone, after all that other runs have kept
//! was taken, and why a decision that was kept stands. Between runs, blocks of proposals end, because two lines or two days
//! need not be alike.
//!
//! Errors and latency are what one process saw, and are not kept. So that their guards spend their share of alpha once over
//! all runs, the k-th run has 1/(k(k + 1)) of it. The shares of ng parts are kept with the parts.
//!
//! A part is one observation over all runs. The same id in two runs may be one part that came again, such as a recording that is
//! played twice, or two of them, such as the first of each day: only a person can know. So the later one is in no evidence, and
//! a label that names none of the two runs belongs to neither ([`Taken::Ambiguous`]).

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use andon_core::{json, result::ModelId, text};
use serde::{Deserialize, Serialize};

use super::{
    Entry, LabelEntry, Limit, MOST_AHEAD, PartEntry, Rules, RunEntry, TRIAL_SCHEMA, Taken, Tally, Trial, guards,
};
use crate::{
    agreement::Each,
    judgement::{Cell, Design, Grounds},
};

/// The lines that one run has kept.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// The run, by the name of its file.
    pub run: String,
    /// Its lines, the first one first, or those that are new.
    pub lines: Vec<String>,
}

/// What was taken of a ledger.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    /// Runs whose evidence counts.
    pub runs: u64,
    /// Those of them that were not known before, and are not this one.
    pub runs_new: u64,
    /// Parts that were taken.
    pub parts: u64,
    /// Labels that were taken.
    pub labels: u64,
    /// Lines that could not be read. Those of a run that was killed may end in one.
    pub unreadable: u64,
    /// Why the evidence of other runs does not count, a sentence for each reason.
    pub aside: Vec<String>,
    /// Whether somebody has begun the trial anew. Nothing was taken: begin a new trial, and take the whole ledger.
    pub begins_anew: bool,
}

/// What a trial with a ledger keeps, and knows of others.
#[derive(Debug)]
pub(super) struct Keeping {
    models: Each<Arc<ModelId>>,
    /// What has not been taken to the ledger yet.
    entries: Vec<Entry>,
    /// Whether a ledger was read before.
    has_read: bool,
    /// Files that were seen, with the run whose evidence they are, and whether what comes in them counts.
    seen: HashMap<String, (u32, bool)>,
    /// Labels of parts that no ledger has shown yet.
    later: Vec<LabelEntry>,
}

impl Trial {
    /// Makes the trial one that is kept: from now on it decides in [`Trial::look`] alone, and [`Trial::take_entries`] has what
    /// a ledger must keep, the first line first.
    pub fn keep_for(&mut self, models: &Each<Arc<ModelId>>) {
        let first = RunEntry {
            schema: TRIAL_SCHEMA.into(),
            run: self.runs[0].clone(),
            utc_ns: self.now,
            models: models.clone(),
            rules: Limit::from(&self.rules),
        };
        self.judge.defer();
        let entries = vec![Entry::Run(Box::new(first))];
        self.kept =
            Some(Keeping { models: models.clone(), entries, has_read: false, seen: HashMap::new(), later: Vec::new() });
    }

    /// Returns whether the trial has a ledger.
    pub fn is_kept(&self) -> bool {
        self.kept.is_some()
    }

    /// Takes out what has to be kept since the last call, in order.
    pub fn take_entries(&mut self) -> Vec<Entry> {
        self.kept.as_mut().map(|kept| std::mem::take(&mut kept.entries)).unwrap_or_default()
    }

    pub(super) fn keep(&mut self, entry: Entry) {
        if let Some(kept) = &mut self.kept {
            kept.entries.push(entry);
        }
    }

    /// Keeps that the trial begins anew: nothing that was kept until now counts any more.
    pub fn keep_reset(&mut self) {
        self.keep(Entry::Reset(self.now));
    }

    /// Takes what runs have kept: first all of it, the run that began first first, then what is new. Decides nothing.
    pub fn replay(&mut self, all: &[Kept]) -> Replayed {
        let mut replayed = Replayed::default();
        let Some(mut kept) = self.kept.take() else { return replayed };
        let is_first = !std::mem::replace(&mut kept.has_read, true);
        let mut read: Vec<(u32, Vec<Entry>)> = Vec::new();
        for file in all {
            let before = replayed.unreadable;
            let mut entries: Vec<Entry> = Vec::with_capacity(file.lines.len());
            for line in &file.lines {
                match json::read(line) {
                    Ok(entry) => entries.push(entry),
                    Err(_) => replayed.unreadable += 1,
                }
            }
            let run = match (kept.seen.get(&file.run), entries.first()) {
                (Some((run, _)), _) => *run,
                (None, Some(Entry::Run(first))) => {
                    let at = self.runs.iter().position(|run| *run == first.run).unwrap_or_else(|| {
                        self.runs.push(first.run.clone());
                        self.runs.len() - 1
                    });
                    at as u32
                }
                // The first line is still being written.
                (None, None) if replayed.unreadable == before => continue,
                (None, _) => {
                    replayed.aside.push(format!("run {}: its first line cannot be read", text::shown(&file.run)));
                    continue;
                }
            };
            let is_new = !kept.seen.contains_key(&file.run);
            let (_, counts) = kept.seen.entry(file.run.clone()).or_insert((run, false));
            // A process may begin again by other rules, or with other models, in the same file.
            entries.retain(|entry| {
                if let Entry::Run(first) = entry {
                    let why = stranger(first, &kept.models, &self.rules);
                    *counts = why.is_none();
                    replayed.aside.extend(why.filter(|why| !replayed.aside.contains(why)));
                }
                *counts
            });
            if !entries.is_empty() {
                replayed.runs_new += u64::from(is_new && run > 0);
                read.push((run, entries));
            }
        }
        let resets = read.iter().flat_map(|(_, entries)| entries).filter_map(|entry| match entry {
            Entry::Reset(utc_ns) => Some(*utc_ns),
            _ => None,
        });
        let reset = resets.max();
        if !is_first && reset.is_some() {
            self.kept = Some(kept);
            return Replayed { begins_anew: true, ..replayed };
        }
        replayed.runs = read.len() as u64;
        let mut fresh = Vec::new();
        for (run, entries) in read {
            self.judge.begin_block();
            let mut is_old = false;
            for entry in entries {
                let of = |utc_ns: u64| reset.is_none_or(|reset| utc_ns > reset);
                match entry {
                    Entry::Run(first) => is_old = !of(first.utc_ns),
                    Entry::Part(part) if of(part.utc_ns) => {
                        replayed.parts += u64::from(self.replay_part(run, &part, &mut fresh));
                    }
                    Entry::Label(label) if of(label.utc_ns) => {
                        replayed.labels += 1;
                        if !self.replay_label(&label) && kept.later.len() < MOST_AHEAD {
                            kept.later.push(label);
                        }
                    }
                    Entry::Decision(judgement) => {
                        let stands = |d: &&crate::judgement::Decided| d.by != Grounds::Guards && of(d.utc_ns);
                        let Some(by) = judgement.decided.as_ref().filter(stands).map(|d| d.by) else { continue };
                        if self.decided.is_some() {
                            continue;
                        }
                        match by {
                            Grounds::Labels => self.judge.adopt(judgement.decision),
                            _ => {
                                self.broken = Some((by, judgement.reasons.join("; ")));
                                self.judge.mark();
                            }
                        }
                        self.parts[1] = self.parts[0];
                        self.decided = Some(judgement);
                    }
                    Entry::Forgotten(tallies) if !is_old => self.replay_tallies(&tallies),
                    Entry::Part(_) | Entry::Label(_) | Entry::Forgotten(_) | Entry::Reset(_) => {}
                }
            }
        }
        kept.later.retain(|label| !self.replay_label(label));
        self.judge.begin_block();
        if is_first {
            let k = replayed.runs_new as f64 + 1.0;
            self.guards = guards(&self.rules, 1.0 / (k * (k + 1.0)));
        }
        self.kept = Some(kept);
        for (key, verdict, source) in fresh {
            self.label_of(&key, verdict, &source);
        }
        replayed
    }

    /// Takes a part of a run. Returns whether it is new.
    fn replay_part(
        &mut self,
        run: u32,
        part: &PartEntry,
        fresh: &mut Vec<(String, andon_core::result::Verdict, String)>,
    ) -> bool {
        let Some(drawn) = self.take_part(run, part, part.design(), part.plan()) else { return false };
        if let Some((verdict, source)) = drawn.ahead {
            fresh.push((drawn.key, verdict, source));
        }
        true
    }

    /// Takes a label. Returns false if its part is not known yet.
    fn replay_label(&mut self, label: &LabelEntry) -> bool {
        let Some(run) = self.runs.iter().position(|run| *run == label.run) else { return false };
        let mut names = [label.id.clone(), format!("{}/{}", label.run, label.id)].into_iter();
        let key = names.find(|name| self.recent.get(name).is_some_and(|part| part.run as usize == run));
        key.is_some_and(|key| self.label_of(&key, label.verdict, &label.source) != Taken::Unknown)
    }

    fn replay_tallies(&mut self, tallies: &[Tally]) {
        for tally in tallies {
            let design = tally.weight.map_or(Design::Paired, |weight| Design::Split { weight });
            self.parts[0] += tally.parts;
            (0..tally.parts).for_each(|_| self.ng_difference.add(design, tally.cell));
        }
    }
}

/// Returns why the evidence of a run does not count here.
fn stranger(first: &RunEntry, models: &Each<Arc<ModelId>>, rules: &Rules) -> Option<String> {
    if first.schema != TRIAL_SCHEMA {
        return Some(format!("a run was kept as {}, and this is {TRIAL_SCHEMA}", text::shown(&first.schema)));
    }
    let short = |digest: &str| digest.trim_start_matches("sha256:").chars().take(12).collect::<String>();
    for (arm, kept, here) in [("a", &first.models.a, &models.a), ("b", &first.models.b, &models.b)] {
        if kept == here {
            continue;
        }
        return Some(format!(
            "a run was kept of another arm {arm}: {} {} ({}), and here it is {} {} ({}): the trial of these files begins anew",
            text::shown(&kept.name),
            text::shown(&kept.version),
            short(&kept.digest),
            here.name,
            here.version,
            short(&here.digest)
        ));
    }
    let differences = first.rules.differences(&Limit::from(rules));
    (!differences.is_empty()).then(|| {
        format!(
            "a run was judged by other rules ({}), and evidence that was looked at is not judged again by others: set the same \
             rules to go on with it; by these ones the trial begins anew",
            differences.join(", ")
        )
    })
}

/// Drops the oldest parts without a label from a run's lines, until they take at most `most` bytes. `Forgotten` counts what
/// was dropped. `all` has the lines of all runs, because a label may stand in another than its part.
pub fn compacted(file: &Kept, all: &[Kept], most: usize) -> Vec<String> {
    let mut labelled = HashSet::new();
    for line in all.iter().flat_map(|kept| &kept.lines) {
        if let Ok(Entry::Label(label)) = json::read(line)
            && label.run == file.run
        {
            labelled.insert(label.id);
        }
    }
    let mut bytes: usize = file.lines.iter().map(|line| line.len() + 1).sum();
    let mut tallies: Vec<Tally> = Vec::new();
    let mut add = |cell: Cell, weight: Option<f64>, parts: u64| match tallies
        .iter_mut()
        .find(|t| t.cell == cell && t.weight == weight)
    {
        Some(tally) => tally.parts += parts,
        None => tallies.push(Tally { cell, weight, parts }),
    };
    let mut rest = Vec::new();
    for line in &file.lines {
        match json::read::<Entry>(line) {
            Ok(Entry::Part(part)) if bytes > most && part.truth.is_none() && !labelled.contains(&part.id) => {
                bytes -= line.len() + 1;
                if let Some(cell) = part.cell {
                    add(cell, part.weight, 1);
                }
            }
            Ok(Entry::Forgotten(before)) => before.iter().for_each(|t| add(t.cell, t.weight, t.parts)),
            Ok(_) => rest.push(line.clone()),
            // Torn.
            Err(_) => {}
        }
    }
    if !tallies.is_empty() {
        let line = serde_json::to_string(&Entry::Forgotten(tallies)).expect("plain data always serialises");
        rest.insert(rest.len().min(1), line);
    }
    rest
}
