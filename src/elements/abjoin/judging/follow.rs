// SPDX-License-Identifier: MPL-2.0
//! Reads the file of labels whenever it changes.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use gst::subclass::prelude::*;
use parking_lot::Mutex;

use super::{super::imp::AbJoin, News, labels::Labels};
use crate::{
    elements::watch::{Watched, watch},
    statistics::trial::Taken,
};

impl AbJoin {
    /// Reads and watches the file that the property `labels` names; none else.
    pub(in super::super) fn watch_labels(&self) {
        let watched = self.rules().labels.map(PathBuf::from).and_then(|path| match self.watch_file(&path) {
            Ok(watched) => Some(watched),
            Err(error) => {
                gst::element_imp_warning!(
                    self,
                    gst::ResourceError::OpenRead,
                    ("{}: cannot be watched ({error}): make its folder, and set labels anew", path.display())
                );
                None
            }
        });
        let before = std::mem::replace(&mut *self.judging.watched.lock(), watched);
        drop(before);
    }

    fn watch_file(&self, path: &Path) -> notify::Result<Watched> {
        let labels = Arc::new(Mutex::new(Labels::new(path)));
        let (weak, shared) = (self.obj().downgrade(), labels.clone());
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let name = path.file_name().and_then(|n| n.to_str()).unwrap_or_default();
        let watched = watch(folder, name, move || {
            if let Some(join) = weak.upgrade() {
                join.imp().read_labels(&mut shared.lock());
            }
        })?;
        self.read_labels(&mut labels.lock());
        Ok(watched)
    }

    fn read_labels(&self, labels: &mut Labels) {
        let mut bad = Vec::new();
        let path = labels.path().to_path_buf();
        let read = labels.read(|label| {
            let mut court = self.judging.court.lock();
            let Some(trial) = &mut court.trial else { return };
            let taken = label.and_then(|l| match trial.label(&l.id, l.verdict, &l.source) {
                Taken::Unknown => {
                    trial.expect(&l.id, l.verdict, &l.source);
                    Ok(())
                }
                Taken::Nothing => Err(format!("'{}': a label is ok or ng, not {}", l.id, l.verdict)),
                Taken::Tested | Taken::Shown => Ok(()),
            });
            if let Err(error) = taken {
                court.bad_labels += 1;
                bad.push(error);
            }
        });
        self.tell(News::Labelled);
        if let Err(error) = read {
            bad.push(format!("{}: {error}", path.display()));
        }
        if let Some(first) = bad.first() {
            let more = bad.len() - 1;
            gst::element_imp_warning!(
                self,
                gst::ResourceError::Read,
                (r#"{first} ({more} more such lines): a line is {{"id": "P7", "verdict": "ok", "source": "sample"}}"#)
            );
        }
    }
}
