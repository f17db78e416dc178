// SPDX-License-Identifier: MPL-2.0
//! Watches the file of labels, and takes its labels to the trial whenever it changes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use andon_core::inspection::{LabelError, Labels};
use andon_statistics::trial::{MOST_AHEAD, Taken, Trial};
use gst::subclass::prelude::*;
use parking_lot::Mutex;

use super::{super::imp::AbJoin, events::TrialEvent, keeping};
use crate::watch::{Watched, watch};

impl AbJoin {
    /// Reads and watches the file that the property `labels` names, and no longer the one before.
    pub(in super::super) fn watch_labels(&self) {
        let watched = self.rules().labels.map(PathBuf::from).map(|path| {
            let watched = self.watch_file(&path);
            let folder = folder_of(&path);
            if !folder.is_dir() {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::OpenRead,
                    (
                        "{}: there is no folder {} yet: make it, or set labels to a file in one that is there",
                        path.display(),
                        folder.display()
                    )
                );
            } else if let Some(problem) = watched.problem() {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::OpenRead,
                    ("{}: {problem}: its labels are read as soon as that has passed", path.display())
                );
            }
            watched
        });
        let before = std::mem::replace(&mut *self.judge.watched.lock(), watched);
        drop(before);
    }

    fn watch_file(&self, path: &Path) -> Watched {
        let labels = Arc::new(Mutex::new(Labels::new(path)));
        let (weak, shared) = (self.obj().downgrade(), labels.clone());
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let watched = watch(folder_of(path), name, move || {
            if let Some(join) = weak.upgrade() {
                join.imp().read_labels(&mut shared.lock());
            }
        });
        self.read_labels(&mut labels.lock());
        watched
    }

    fn read_labels(&self, labels: &mut Labels) {
        // The first line that is no label, and the number of such lines.
        let mut bad: (Option<LabelError>, u64) = (None, 0);
        let mut ambiguous: Option<String> = None;
        let path = labels.path().to_path_buf();
        let let_go = || self.judge.state.lock().trial.as_ref().map_or(0, Trial::let_go);
        let let_go_before = let_go();
        let read = labels.read(|label| {
            let mut state = self.judge.state.lock();
            let Some(trial) = &mut state.trial else { return };
            trial.at(keeping::utc_ns());
            let taken = label.and_then(|l| match trial.label(&l.id, l.verdict, &l.source) {
                Taken::Unknown => {
                    trial.expect(&l.id, l.verdict, &l.source);
                    Ok(())
                }
                Taken::Nothing => Err(LabelError::Verdict { id: l.id, verdict: l.verdict }),
                Taken::Ambiguous => {
                    ambiguous.get_or_insert(l.id);
                    Ok(())
                }
                Taken::Tested | Taken::Shown => Ok(()),
            });
            if let Err(error) = taken {
                state.bad_labels += 1;
                bad.0.get_or_insert(error);
                bad.1 += 1;
            }
        });
        self.queue_event(TrialEvent::Labelled);
        if let Some(id) = ambiguous {
            self.tell_ambiguous(&id);
        }
        if let Err(error) = read {
            self.judge.state.lock().bad_labels += 1;
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Read,
                (
                    "{}: {error}: its labels do not count: set labels to a file of lines that can be read",
                    path.display()
                )
            );
        }
        if let (Some(first), lines) = bad {
            let more = lines - 1;
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Read,
                (r#"{first} ({more} more such lines): a line is {{"id": "P7", "verdict": "ok", "source": "sample"}}, or a row of a table with the columns id;verdict;source"#)
            );
        }
        let lost = let_go().saturating_sub(let_go_before);
        if lost > 0 {
            gst::element_imp_warning!(
                self,
                gst::ResourceError::NoSpaceLeft,
                (
                    "{}: {lost} labels came too long before their parts and were dropped, because only the last {MOST_AHEAD} \
                  are kept: write labels when their parts come, or after",
                    path.display()
                )
            );
        }
    }
}

/// Returns the folder of a file.
fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."))
}
