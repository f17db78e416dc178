// SPDX-License-Identifier: MPL-2.0
//! The work of the writer's thread: encode, make room, write, amend, keep the bounds of the folder while nothing is captured,
//! and report when captures fail and succeed again.

use std::{
    collections::VecDeque,
    io::ErrorKind,
    path::{Path, PathBuf},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant, SystemTime},
};

use crate::{
    disk::{self, Disk},
    error::{Error, ReadError},
    events::{Failure, WriterCounters, WriterEvent},
    frame::HeldFrame,
    inventory::{Inventory, check_free, clear_lonely},
    queue::{Amendment, Bounds, Item, Job, Next, Queue, RECENT},
    quota::Quota,
    sidecar::Sidecar,
    similarity::RecentHashes,
    trigger::{Role, Tag, Trigger},
    turn::Turn,
};

/// How often to look whether a folder has more than it may, although nothing is captured here: others may write to it.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

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
    /// The bounds to keep also while nothing is captured.
    bounds: Option<Bounds>,
    /// The bounds could not be kept at the last look, and are not tried at once again.
    stuck: bool,
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
            bounds: None,
            stuck: false,
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
        loop {
            match items.next(self.due()) {
                Next::Item(Item::Job(job)) => self.capture(*job),
                Next::Item(Item::Amendment(amendment)) => self.amend(&amendment),
                Next::Bounds(bounds) => {
                    self.bounds = bounds;
                    self.keep_bounds();
                }
                Next::Due => self.keep_bounds(),
                Next::End => return,
            }
        }
    }

    /// When to look at the folder although nothing is captured: when its oldest capture becomes too old, and now and then.
    fn due(&self) -> Option<Instant> {
        let (_, quota) = self.bounds.as_ref().filter(|(_, quota)| quota.removes())?;
        let oldest = self.inventory.as_ref().and_then(Inventory::oldest);
        let oldest = oldest.filter(|_| !self.stuck && quota.max_age > Duration::ZERO);
        let too_old = oldest.and_then(|oldest| oldest.checked_add(quota.max_age));
        let left = too_old.map(|at| at.duration_since(SystemTime::now()).unwrap_or_default());
        // A capture of exactly that age is kept.
        let left = left.map_or(LOOK_AGAIN, |left| (left + Duration::from_millis(1)).min(LOOK_AGAIN));
        Some(Instant::now() + left)
    }

    /// Removes what the folder has too much, if it is there.
    fn keep_bounds(&mut self) {
        let Some((folder, quota)) = self.bounds.clone().filter(|(_, quota)| quota.removes()) else { return };
        let mut turn = Turn::wait(&folder, true);
        let kept = self.make_room(&folder, quota, 0, turn.as_mut());
        self.stuck = kept.is_err();
        match kept {
            // A folder that is not there holds nothing too much; the next capture says that it is gone.
            Err(Error::Disk { source, .. }) if source.kind() == ErrorKind::NotFound => {}
            Err(error) => self.note(&folder, 0, Err(error)),
            Ok(()) => {}
        }
    }

    fn make(&mut self, folder: &Arc<Path>) -> Result<(), Error> {
        if self.made.as_ref() != Some(folder) {
            disk::prepare(&mut self.disk, folder)?;
            self.made = Some(folder.clone());
            let turn = Turn::wait(folder, false);
            // What cannot be cleared is in nobody's way.
            let cleared = clear_lonely(&mut self.disk, folder, turn.is_some()).unwrap_or_default();
            self.counters.cleared.fetch_add(cleared, Relaxed);
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
        let mut turn = Turn::wait(&job.folder, job.quota.removes());
        self.make_room(&job.folder, job.quota, bytes, turn.as_mut())?;
        check_free(&mut self.disk, &job.folder, job.quota, bytes)?;
        disk::store(&mut self.disk, (&path, &file), (&path.with_extension("json"), text.as_bytes()))?;
        let quota = Some(job.quota).filter(Quota::removes);
        self.changed(quota, turn.as_mut(), |inventory| inventory.add(&sidecar.file, bytes, SystemTime::now()));
        hash.into_iter().for_each(|hash| self.hashes.add(hash));
        Ok(Some((path, sidecar)))
    }

    /// Removes captures until the folder keeps the quota with `bytes` more bytes.
    fn make_room(
        &mut self,
        folder: &Arc<Path>,
        quota: Quota,
        bytes: u64,
        turn: Option<&mut Turn>,
    ) -> Result<(), Error> {
        if !quota.removes() {
            return Ok(());
        }
        let known = self.inventory.take().filter(|inventory| inventory.folder() == folder);
        let inventory = self.inventory.insert(known.unwrap_or_else(|| Inventory::new(folder.clone())));
        let cleared = inventory.look(&mut self.disk, turn.as_deref())?;
        self.counters.cleared.fetch_add(cleared, Relaxed);
        let removed = inventory.make_room(&mut self.disk, quota, bytes, SystemTime::now())?;
        if removed > 0 {
            inventory.end(&mut self.disk, turn);
            self.counters.evicted.fetch_add(removed, Relaxed);
        }
        Ok(())
    }

    /// Notes a change of our own, for this inventory if there are bounds, and for the writers that share the folder.
    fn changed(&mut self, quota: Option<Quota>, turn: Option<&mut Turn>, change: impl FnOnce(&mut Inventory)) {
        match (self.inventory.as_mut().filter(|_| quota.is_some()), turn) {
            (Some(inventory), turn) => {
                change(inventory);
                inventory.end(&mut self.disk, turn);
            }
            (None, Some(turn)) => turn.note_change(),
            (None, None) => {}
        }
    }

    fn amend(&mut self, amendment: &Amendment) {
        // A capture that is not among the recent ones was not written: that has been counted and reported.
        let Some((path, sidecar)) = self.recent.iter_mut().rfind(|(_, s)| s.key() == amendment.key) else { return };
        if !sidecar.amend(&amendment.change) {
            return;
        }
        let folder: Arc<Path> = path.parent().unwrap_or(Path::new(".")).into();
        let quota =
            self.bounds.as_ref().filter(|(of, quota)| *of == folder && quota.removes()).map(|(_, quota)| *quota);
        let mut turn = Turn::wait(&folder, quota.is_some());
        let text = sidecar.to_json();
        let (image, path) = (sidecar.file.clone(), path.clone());
        let before = self.disk.size_and_time(&path).map_or(0, |(bytes, _)| bytes);
        let more = (text.len() as u64).saturating_sub(before);
        let room = quota.map_or(Ok(()), |quota| self.make_room(&folder, quota, more, turn.as_mut()));
        if self.disk.size_and_time(&folder.join(&image)).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            // The capture has been removed meanwhile; a sidecar alone would stay for ever.
            return;
        }
        let replaced = room.and_then(|()| disk::replace(&mut self.disk, &path, text.as_bytes()));
        if replaced.is_ok() {
            self.changed(quota, turn.as_mut(), |inventory| inventory.grow(&image, more));
        }
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
