// SPDX-License-Identifier: MPL-2.0
//! The work of the writer's thread: encode, make room, write, amend, and report when captures fail and succeed again.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::SystemTime,
};

use crate::{
    disk::{self, Disk},
    error::{Error, ReadError},
    events::{Failure, WriterCounters, WriterEvent},
    frame::HeldFrame,
    queue::{Amendment, Item, Job, Queue, RECENT},
    quota::{Inventory, Quota},
    sidecar::Sidecar,
    similarity::RecentHashes,
    trigger::{Role, Tag, Trigger},
};

/// The state of the writer's thread.
pub(crate) struct Worker<D, R> {
    disk: D,
    report: R,
    counters: Arc<WriterCounters>,
    /// The folder that has been made. A folder that vanishes is not made again: it may be an unmounted disk.
    made: Option<Arc<Path>>,
    /// Captures lost since they began to fail; None while they succeed.
    lost: Option<u64>,
    /// The sidecars of recent captures, which may still be amended.
    recent: VecDeque<(PathBuf, Sidecar)>,
    /// The captures in the folder, once a quota needs to know them.
    inventory: Option<Inventory>,
    hashes: RecentHashes,
}

impl<D: Disk, R: FnMut(WriterEvent<'_>)> Worker<D, R> {
    pub(crate) fn new(disk: D, report: R, counters: Arc<WriterCounters>) -> Self {
        Self {
            disk,
            report,
            counters,
            made: None,
            lost: None,
            recent: VecDeque::new(),
            inventory: None,
            hashes: RecentHashes::default(),
        }
    }

    /// Makes `folder`, then works until the queue ends.
    pub(crate) fn run<H: HeldFrame>(mut self, items: &Queue<H>, folder: Option<Arc<Path>>) {
        if let Some(folder) = folder {
            let made = self.make(&folder);
            self.note(&folder, 0, made);
        }
        while let Some(item) = items.pop() {
            match item {
                Item::Job(job) => self.capture(*job),
                Item::Amendment(amendment) => self.amend(&amendment),
            }
        }
    }

    fn make(&mut self, folder: &Arc<Path>) -> Result<(), Error> {
        if self.made.as_ref() != Some(folder) {
            disk::prepare(&mut self.disk, folder)?;
            self.made = Some(folder.clone());
            self.inventory = None;
        }
        Ok(())
    }

    fn capture<H: HeldFrame>(&mut self, job: Job<H>) {
        let written = self.write(&job);
        // The frame is dropped before the event is reported: the listener may take its time.
        let folder = job.folder.clone();
        drop(job);
        match written {
            Ok(None) => {
                self.counters.alike.fetch_add(1, Relaxed);
            }
            Ok(Some((path, sidecar))) => {
                self.counters.written.fetch_add(1, Relaxed);
                self.note(&folder, 0, Ok(()));
                (self.report)(WriterEvent::Written { path: &path, sidecar: &sidecar });
                if self.recent.len() == RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back((path.with_extension("json"), sidecar));
            }
            Err(error) => {
                self.counters.failed.fetch_add(1, Relaxed);
                self.note(&folder, 1, Err(error));
            }
        }
    }

    /// Writes a capture. Returns None if the frame looks like a recent capture and may be left out.
    fn write<H: HeldFrame>(&mut self, job: &Job<H>) -> Result<Option<(PathBuf, Sidecar)>, Error> {
        self.make(&job.folder)?;
        let mut size = [0; 2];
        let (mut file, mut hash) = (Err(Error::Unreadable(ReadError::Empty)), None);
        let Self { hashes, .. } = self;
        let compared = job.min_distance > 0 && job.tags.iter().all(may_be_left_out);
        job.frame.held.with_image(&mut |image| {
            size = [image.width as u32, image.height as u32];
            hash = compared.then(|| hashes.hash(image));
            let known = hash.as_ref().is_some_and(|h| hashes.is_known(h, job.min_distance));
            file = if known { Ok(None) } else { job.encoder.encode(image).map(Some).map_err(Error::from) };
        })?;
        let Some(file) = file? else { return Ok(None) };
        let sidecar = Sidecar::new(job, size);
        let text = sidecar.to_json();
        let path = job.folder.join(&sidecar.file);
        let bytes = (file.len() + text.len()) as u64;
        self.make_room(job, bytes)?;
        disk::store(&mut self.disk, (&path, &file), (&path.with_extension("json"), text.as_bytes()))?;
        if let Some(inventory) = &mut self.inventory {
            inventory.add(path.clone(), bytes, SystemTime::now());
        }
        hash.into_iter().for_each(|hash| self.hashes.add(hash));
        Ok(Some((path, sidecar)))
    }

    fn make_room<H: HeldFrame>(&mut self, job: &Job<H>, bytes: u64) -> Result<(), Error> {
        if job.quota == Quota::default() {
            return Ok(());
        }
        if self.inventory.is_none() {
            self.inventory = Some(Inventory::of(&mut self.disk, &job.folder)?);
        }
        let Some(inventory) = &mut self.inventory else { return Ok(()) };
        let removed = inventory.make_room(&mut self.disk, &job.folder, job.quota, bytes, SystemTime::now())?;
        self.counters.evicted.fetch_add(removed, Relaxed);
        Ok(())
    }

    fn amend(&mut self, amendment: &Amendment) {
        // A capture that is not among the recent ones was not written: that has been counted and reported.
        let Some((path, sidecar)) = self.recent.iter_mut().rfind(|(_, s)| s.key() == amendment.key) else { return };
        if !sidecar.amend(&amendment.change) {
            return;
        }
        let replaced = disk::replace(&mut self.disk, path, sidecar.to_json().as_bytes());
        let folder: Arc<Path> = path.parent().unwrap_or(Path::new(".")).into();
        if replaced.is_ok() {
            self.counters.amended.fetch_add(1, Relaxed);
        }
        self.note(&folder, 0, replaced);
    }

    /// Notes how a step went. Reports the first failure of an episode, and the end of the episode. `lost` is the number of
    /// captures that a failure cost.
    fn note(&mut self, folder: &Path, lost: u64, done: Result<(), Error>) {
        match done {
            Ok(()) => {
                let Some(lost) = self.lost.take() else { return };
                if let Some(last) = &mut *self.counters.last.lock() {
                    last.lasting = false;
                }
                (self.report)(WriterEvent::Resumed { lost, folder });
            }
            Err(error) => {
                *self.counters.last.lock() = Some(Failure { text: error.to_string(), lasting: true });
                let first = self.lost.is_none();
                *self.lost.get_or_insert(0) += lost;
                if first {
                    self.counters.episodes.fetch_add(1, Relaxed);
                    (self.report)(WriterEvent::Failed { error: &error, folder });
                }
            }
        }
    }
}

/// Returns whether a frame that looks like a recent capture may be left out. A frame that an action or chance asked for may
/// not, nor one around a hit.
fn may_be_left_out(tag: &Tag) -> bool {
    tag.role == Role::Hit && !matches!(tag.trigger, Trigger::Action | Trigger::Random)
}
