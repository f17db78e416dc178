// SPDX-License-Identifier: MPL-2.0
//! Keeps the trial's evidence in a ledger, and takes what other runs have kept. Only the judging thread comes here.
//!
//! A ledger that cannot be written or read is told once and counted; the judgement goes on with what the process itself saw.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
    time::SystemTime,
};

use andon_core::result::{ModelId, run_id};
use andon_model::{
    Store,
    trials::{Ledger, NewLines, News, folder_of},
};
use andon_statistics::{
    agreement::Each,
    trial::{Entry, Kept, Replayed, Trial, compacted},
};
use gst::subclass::prelude::*;

use super::{super::imp::AbJoin, book::Book, rules::Rules};

/// Bytes of a run's own file. With more, the oldest parts without a label are dropped until it has half of them.
const MOST_BYTES: u64 = 32 << 20;

impl AbJoin {
    /// Begins the ledger of the models that run, if there is to be one, and takes what it has.
    pub(super) fn open_ledger(&self) {
        let (rules, models) = (self.rules(), self.judge.state.lock().models.clone());
        let mut book = self.judge.book.lock();
        (book.ledger, book.runs, book.ended) = (None, 0, None);
        if models.a == models.b || *models.a == ModelId::default() {
            return;
        }
        let folder = match folder(&rules, &models) {
            Ok(None) => return,
            Ok(Some(folder)) => folder,
            Err(why) => {
                drop(book);
                gst::element_imp_warning!(
                    self,
                    gst::LibraryError::Settings,
                    ("the trial is not kept: {why}: set store to that of both models, or ledger to a folder")
                );
                return;
            }
        };
        let run = run_id().to_string();
        let Ok(mut trial) = Trial::new(rules.of_trial(), &run) else { return };
        trial.at(utc_ns());
        trial.keep_for(&models);
        let mut ledger = Ledger::new(&folder, &run);
        let replayed = match ledger.read() {
            Ok(News::Lines(all)) => trial.replay(&kept(all)),
            // A file that is replaced while it is read for the first time was not there before.
            Ok(News::Replaced) => Replayed::default(),
            Err(error) => {
                self.tell_failure(&mut book, &folder, "read", &error);
                Replayed::default()
            }
        };
        (book.ledger, book.runs) = (Some(ledger), replayed.runs_new);
        let aside: Vec<_> = replayed.aside.into_iter().filter(|why| !book.aside.contains(why)).collect();
        book.aside.extend(aside.iter().cloned());
        drop(book);
        for why in aside {
            gst::element_imp_warning!(self, gst::LibraryError::Settings, ("{}: {why}", folder.display()));
        }
        {
            // What came while the ledger was read: labels alone, for parts are judged by this thread.
            let mut state = self.judge.state.lock();
            if let Some(before) = state.trial.take() {
                trial.succeed(before);
            }
            let (ambiguous, twice) = (trial.ambiguous.clone(), trial.twice.clone());
            state.trial = Some(trial);
            drop(state);
            if let Some(id) = ambiguous {
                self.tell_ambiguous(&id);
            }
            if let Some(id) = twice {
                self.tell_twice(&id);
            }
        }
        self.keep(false);
    }

    /// Writes what has to be kept.
    pub(super) fn keep(&self, sync: bool) {
        let entries = match &mut self.judge.state.lock().trial {
            Some(trial) if trial.is_kept() => trial.take_entries(),
            _ => return,
        };
        let is_dear = |entry: &Entry| matches!(entry, Entry::Label(_) | Entry::Decision(_) | Entry::Reset(_));
        let sync = sync || entries.iter().any(is_dear);
        let lines: Vec<_> =
            entries.iter().map(|entry| serde_json::to_string(entry).expect("plain data always serialises")).collect();
        let mut book = self.judge.book.lock();
        let Some(ledger) = &mut book.ledger else { return };
        let folder = ledger.folder().to_path_buf();
        let mut written = ledger.append(&lines, sync);
        if written.is_ok() && ledger.bytes() > MOST_BYTES {
            written = compact(ledger);
        }
        match written {
            Ok(()) => book.told = false,
            Err(error) => self.tell_failure(&mut book, &folder, "written", &error),
        }
    }

    /// Takes what other runs have kept since the last time.
    pub(super) fn hear_others(&self) {
        let news = {
            let mut book = self.judge.book.lock();
            let Some(ledger) = &mut book.ledger else { return };
            let folder = ledger.folder().to_path_buf();
            match ledger.read() {
                Ok(news) => news,
                Err(error) => return self.tell_failure(&mut book, &folder, "read", &error),
            }
        };
        let begins_anew = match news {
            News::Replaced => true,
            News::Lines(all) if all.is_empty() => return,
            News::Lines(all) => {
                let replayed = match &mut self.judge.state.lock().trial {
                    Some(trial) => trial.replay(&kept(all)),
                    None => return,
                };
                self.judge.book.lock().runs += replayed.runs_new;
                replayed.begins_anew
            }
        };
        if begins_anew {
            self.open_ledger();
        }
    }

    /// Ends the ledger.
    pub(super) fn close_ledger(&self) {
        self.keep(true);
        let mut book = self.judge.book.lock();
        *book = Book { ended: book.figures(), ..Book::default() };
    }

    /// Tells of a label whose id parts of several runs have.
    pub(super) fn tell_ambiguous(&self, id: &str) {
        gst::element_imp_warning!(
            self,
            gst::ResourceError::Read,
            ("the label of '{id}' counts for nothing: parts of several runs have this id, and it could be of any of them: \
                 write RUN/{id} in the labels, or give parts ids that no other run has")
        );
    }

    /// Tells of a part whose id a part of another run has, once in a trial.
    pub(super) fn tell_twice(&self, id: &str) {
        if std::mem::replace(&mut self.judge.book.lock().told_twice, true) {
            return;
        }
        gst::element_imp_warning!(
            self,
            gst::LibraryError::Settings,
            ("the part '{id}' came in an earlier run, too, and counts once: if it is the same part, or a recording that is \
                 played again, nothing is to be done; if it is another, give parts ids that no other run has, as part-by \
                 does: a serial number, or a counter with the date")
        );
    }

    fn tell_failure(&self, book: &mut Book, folder: &Path, what: &str, error: &io::Error) {
        book.failures += 1;
        if !std::mem::replace(&mut book.told, true) {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Write,
                (
                    "the ledger {} cannot be {what}: {error}: the judgement goes on, and it is tried again, but what is \
                     not kept ends with this process: make room, or set ledger to a folder that can be written",
                    folder.display()
                )
            );
        }
    }

    /// Adds the statistics of the ledger to `stats`.
    pub(super) fn set_ledger_stats(&self, s: &mut gst::Structure) {
        let Some(ledger) = self.judge.book.lock().figures() else { return };
        s.set("ledger", ledger.folder);
        for (name, value) in [
            ("ledger-runs", ledger.runs),
            ("ledger-bytes", ledger.bytes),
            ("ledger-failures", ledger.failures),
            ("ledger-lines-lost", ledger.lost),
        ] {
            s.set(name, value);
        }
    }
}

/// The time now, ns since 1970 in UTC.
pub(super) fn utc_ns() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_nanos() as u64)
}

/// Returns the folder of the trial. None if it is not kept.
fn folder(rules: &Rules, models: &Each<Arc<ModelId>>) -> Result<Option<PathBuf>, String> {
    let of = |trials: &Path| Some(folder_of(trials, &models.a, &models.b));
    match (&rules.ledger, &rules.store) {
        (Some(ledger), _) if !ledger.is_empty() => Ok(of(Path::new(ledger))),
        (Some(_), _) | (None, None) => Ok(None),
        (None, Some(named)) => {
            let store = Store::open(Path::new(named)).map_err(|e| e.to_string())?;
            match [&models.a, &models.b].into_iter().find(|model| model.name != store.name()) {
                None => Ok(of(&store.trials())),
                Some(other) => Err(format!("{named} holds '{}', and an arm runs '{}'", store.name(), other.name)),
            }
        }
    }
}

fn kept(all: Vec<NewLines>) -> Vec<Kept> {
    all.into_iter().map(|NewLines { run, lines }| Kept { run, lines }).collect()
}

/// Drops the oldest parts without a label from the run's own file.
fn compact(ledger: &mut Ledger) -> io::Result<()> {
    let News::Lines(all) = Ledger::read_only(ledger.folder()).read()? else { return Ok(()) };
    let all = kept(all);
    let own = ledger.run().and_then(|run| all.iter().find(|kept| kept.run == run));
    own.map_or(Ok(()), |own| ledger.rewrite(&compacted(own, &all, MOST_BYTES as usize / 2)))
}
