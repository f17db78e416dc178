// SPDX-License-Identifier: MPL-2.0
//! The thread that encodes and writes, so that no thread with frames on it ever does.

use std::{
    collections::VecDeque,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    thread,
    time::{Duration, SystemTime},
};

use parking_lot::Mutex;

use super::{
    Amendment, Disk, Error, HeldFrame, Job, Queue, Quota, RECENT, Role, Sidecar, Tag, Trigger, disk, queue::Item,
    quota::Inventory, similarity::RecentHashes,
};

/// What the writer has to say; said on its own thread.
#[derive(Debug)]
pub enum WriterEvent<'a> {
    /// An image and its sidecar are there.
    Written {
        /// The image.
        path: &'a Path,
        /// What is beside it.
        sidecar: &'a Sidecar,
    },
    /// Captures have begun to fail. Said once, until one succeeds again.
    Failed {
        /// Why, and what to do.
        error: &'a Error,
        /// Where to.
        folder: &'a Path,
    },
    /// The first capture after some that failed is written.
    Resumed {
        /// Captures that were lost in between.
        lost: u64,
        /// Where to.
        folder: &'a Path,
    },
}

/// What the writer has counted.
#[derive(Debug, Default)]
pub struct WriterCounters {
    /// Images written.
    pub written: AtomicU64,
    /// Sidecars written again, for what came late.
    pub amended: AtomicU64,
    /// Frames that were left aside, for they look like captures of late.
    pub alike: AtomicU64,
    /// Captures that had to make room.
    pub evicted: AtomicU64,
    /// Captures lost because they could not be read, encoded or written.
    pub failed: AtomicU64,
    /// Captures given up because the writer was not through in time at the end.
    pub given_up: AtomicU64,
    /// Times that captures began to fail.
    pub episodes: AtomicU64,
    /// The last failure.
    pub last: Mutex<Option<Failure>>,
}

impl WriterCounters {
    /// SamplerCounts from nothing again. A failure that lasts is still known.
    pub fn reset(&self) {
        let Self { written, amended, alike, evicted, failed, given_up, episodes, .. } = self;
        for count in [written, amended, alike, evicted, failed, given_up, episodes] {
            count.store(0, Relaxed);
        }
    }
}

/// What went wrong last.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Why, and what to do.
    pub text: String,
    /// Whether captures still fail.
    pub lasting: bool,
}

/// A running writer.
pub struct Writer<H: HeldFrame> {
    queue: Arc<Queue<H>>,
    tally: Arc<WriterCounters>,
    thread: Option<thread::JoinHandle<()>>,
}

impl<H: HeldFrame> Writer<H> {
    /// Starts the thread, which makes `folder` first, so that a wrong one is told before it is needed.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub fn start(
        disk: impl Disk,
        queue: Arc<Queue<H>>,
        tally: Arc<WriterCounters>,
        folder: Option<Arc<Path>>,
        report: impl FnMut(WriterEvent<'_>) + Send + 'static,
    ) -> io::Result<Self> {
        let mut work = Worker {
            disk,
            report,
            tally: tally.clone(),
            made: None,
            lost: None,
            recent: VecDeque::new(),
            shelf: None,
            alike: RecentHashes::default(),
        };
        let from = queue.clone();
        let thread = thread::Builder::new().name("andon-capture".into()).spawn(move || {
            let _over = Over(from.clone());
            if let Some(folder) = folder {
                let made = work.make(&folder);
                work.settle(&folder, 0, made);
            }
            while let Some(item) = from.pop() {
                match item {
                    Item::Job(job) => work.job(*job),
                    Item::Amendment(amend) => work.amend(&amend),
                }
            }
        })?;
        Ok(Self { queue, tally, thread: Some(thread) })
    }

    /// Writes what is queued and ends the thread, or gives up after `within`; answers the captures given up.
    ///
    /// A thread that hangs in the disk is left to itself, and ends as soon as the disk answers.
    pub fn drain(mut self, within: Duration) -> usize {
        let given_up = self.queue.close(within);
        self.tally.given_up.fetch_add(given_up as u64, Relaxed);
        if let Some(thread) = self.thread.take().filter(|_| self.queue.is_finished()) {
            // A panic has been printed by its hook; what it cost is counted as given up.
            let _ = thread.join();
        }
        given_up
    }
}

impl<H: HeldFrame> Drop for Writer<H> {
    fn drop(&mut self) {
        if self.thread.is_some() {
            self.queue.close(Duration::ZERO);
        }
    }
}

/// Tells the queue that the thread is over, however it ended.
struct Over<H>(Arc<Queue<H>>);

impl<H> Drop for Over<H> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

/// Whether a frame may be left aside where it looks like another: what was asked for, chance, and what stands around a hit may
/// not.
fn may_be_left(tag: &Tag) -> bool {
    tag.role == Role::Hit && !matches!(tag.trigger, Trigger::Action | Trigger::Random)
}

/// The thread's own state.
struct Worker<D, R> {
    disk: D,
    report: R,
    tally: Arc<WriterCounters>,
    /// The folder that exists as far as we know. One that vanishes is not made again: it may be an unmounted disk.
    made: Option<Arc<Path>>,
    /// Captures lost since they began to fail; none while all is well.
    lost: Option<u64>,
    /// The captures written last, which may still be amended.
    recent: VecDeque<(PathBuf, Sidecar)>,
    /// What the folder holds, once a limit asks for it.
    shelf: Option<Inventory>,
    alike: RecentHashes,
}

impl<D: Disk, R: FnMut(WriterEvent<'_>)> Worker<D, R> {
    fn make(&mut self, folder: &Arc<Path>) -> Result<(), Error> {
        if self.made.as_ref() != Some(folder) {
            disk::prepare(&mut self.disk, folder)?;
            self.made = Some(folder.clone());
            self.shelf = None;
        }
        Ok(())
    }

    fn job<H: HeldFrame>(&mut self, job: Job<H>) {
        let written = self.write(&job);
        // The frame is let go of before anybody is told: who listens may take his time.
        let folder = job.folder.clone();
        drop(job);
        match written {
            Ok(None) => {
                self.tally.alike.fetch_add(1, Relaxed);
            }
            Ok(Some((path, sidecar))) => {
                self.tally.written.fetch_add(1, Relaxed);
                self.settle(&folder, 0, Ok(()));
                (self.report)(WriterEvent::Written { path: &path, sidecar: &sidecar });
                if self.recent.len() == RECENT {
                    self.recent.pop_front();
                }
                self.recent.push_back((path.with_extension("json"), sidecar));
            }
            Err(error) => {
                self.tally.failed.fetch_add(1, Relaxed);
                self.settle(&folder, 1, Err(error));
            }
        }
    }

    /// Writes a capture; none where it looks like one of late.
    fn write<H: HeldFrame>(&mut self, job: &Job<H>) -> Result<Option<(PathBuf, Sidecar)>, Error> {
        self.make(&job.folder)?;
        let mut size = [0; 2];
        let (mut file, mut hash) = (Err(Error::Unreadable("nothing was shown".into())), None);
        let Self { alike, .. } = self;
        let compared = job.look.least_distance > 0 && job.tags.iter().all(may_be_left);
        let read = job.shot.held.read(&mut |image| {
            size = [image.width as u32, image.height as u32];
            hash = compared.then(|| alike.hash(image));
            if !hash.as_ref().is_some_and(|h| alike.is_known(h, job.look.least_distance)) {
                file = job.look.encode(image).map(Some).map_err(Error::Encode);
            } else {
                file = Ok(None);
            }
        });
        read.map_err(Error::Unreadable)?;
        let Some(file) = file? else { return Ok(None) };
        let sidecar = Sidecar::new(job, size);
        let text = sidecar.to_json();
        let path = job.folder.join(&sidecar.file);
        let bytes = (file.len() + text.len()) as u64;
        self.make_room(job, bytes)?;
        disk::store(&mut self.disk, (&path, &file), (&path.with_extension("json"), text.as_bytes()))?;
        if let Some(shelf) = &mut self.shelf {
            shelf.add(path.clone(), bytes, SystemTime::now());
        }
        hash.into_iter().for_each(|hash| self.alike.add(hash));
        Ok(Some((path, sidecar)))
    }

    fn make_room<H: HeldFrame>(&mut self, job: &Job<H>, bytes: u64) -> Result<(), Error> {
        if job.quota == Quota::default() {
            return Ok(());
        }
        if self.shelf.is_none() {
            self.shelf = Some(Inventory::of(&mut self.disk, &job.folder)?);
        }
        let Some(shelf) = &mut self.shelf else { return Ok(()) };
        let gone = shelf.make_room(&mut self.disk, &job.folder, job.quota, bytes, SystemTime::now())?;
        self.tally.evicted.fetch_add(gone, Relaxed);
        Ok(())
    }

    fn amend(&mut self, amend: &Amendment) {
        // What is not found was not written: that has been counted, and reported, already.
        let Some((path, sidecar)) = self.recent.iter_mut().rfind(|(_, s)| s.key() == amend.key) else { return };
        if !sidecar.amend(&amend.change) {
            return;
        }
        let outcome = disk::replace(&mut self.disk, path, sidecar.to_json().as_bytes());
        let folder: Arc<Path> = path.parent().unwrap_or(Path::new(".")).into();
        if outcome.is_ok() {
            self.tally.amended.fetch_add(1, Relaxed);
        }
        self.settle(&folder, 0, outcome);
    }

    /// Tells the first failure of several, and the end of them; `cost` is the captures that this one lost.
    fn settle(&mut self, folder: &Path, cost: u64, outcome: Result<(), Error>) {
        match outcome {
            Ok(()) => {
                let Some(lost) = self.lost.take() else { return };
                if let Some(last) = &mut *self.tally.last.lock() {
                    last.lasting = false;
                }
                (self.report)(WriterEvent::Resumed { lost, folder });
            }
            Err(error) => {
                *self.tally.last.lock() = Some(Failure { text: error.to_string(), lasting: true });
                let first = self.lost.is_none();
                *self.lost.get_or_insert(0) += cost;
                if first {
                    self.tally.episodes.fetch_add(1, Relaxed);
                    (self.report)(WriterEvent::Failed { error: &error, folder });
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Change, LocalDisk,
        testing::{Flat, shot},
    };
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A disk that takes one breath for each file: it waits until it is given one, and full means it refuses.
    struct Slow {
        breaths: Receiver<bool>,
    }

    impl Disk for Slow {
        fn make_folder(&mut self, folder: &Path) -> io::Result<()> {
            LocalDisk.make_folder(folder)
        }

        fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            match self.breaths.recv() {
                Ok(true) => LocalDisk.write(path, bytes),
                _ => Err(io::ErrorKind::StorageFull.into()),
            }
        }

        fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
            LocalDisk.rename(from, to)
        }

        fn remove(&mut self, path: &Path) -> io::Result<()> {
            LocalDisk.remove(path)
        }

        fn sync_folder(&mut self, folder: &Path) -> io::Result<()> {
            LocalDisk.sync_folder(folder)
        }
    }

    fn tag() -> Tag {
        Tag { trigger: Trigger::Action, reason: "look".into(), role: Role::Hit, offset: 0 }
    }

    fn job(folder: &Path, id: u64) -> Job<Flat> {
        Job {
            folder: folder.into(),
            element: "s".into(),
            shot: shot(id, Vec::new()),
            tags: vec![tag()],
            number: id,
            look: Arc::default(),
            quota: Quota::default(),
        }
    }

    /// A writer to `folder` on a disk of that kind, and what it reports, as text.
    fn start(disk: impl Disk) -> (Writer<Flat>, Arc<Queue<Flat>>, Arc<WriterCounters>, Receiver<String>) {
        let (queue, tally) = (Arc::<Queue<Flat>>::default(), Arc::<WriterCounters>::default());
        let (say, said) = channel();
        let report = move |r: WriterEvent<'_>| {
            let text = match r {
                WriterEvent::Written { sidecar, .. } => format!("written {}", sidecar.frame_id),
                WriterEvent::Failed { .. } => "failed".into(),
                WriterEvent::Resumed { lost, .. } => format!("resumed after {lost}"),
            };
            let _ = say.send(text);
        };
        let writer = Writer::start(disk, queue.clone(), tally.clone(), None, report).unwrap();
        (writer, queue, tally, said)
    }

    fn slow() -> (Slow, Sender<bool>) {
        let (give, breaths) = channel();
        (Slow { breaths }, give)
    }

    fn images(folder: &Path) -> usize {
        let all = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        all.filter(|p| p.extension().is_some_and(|e| e == "png")).count()
    }

    const AMPLE: Duration = Duration::from_secs(60);

    #[test]
    fn what_is_queued_is_written_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, queue, tally, _said) = start(LocalDisk);
        (0..10).for_each(|i| assert!(queue.offer(job(folder.path(), i), 10).is_ok()));
        assert_eq!(writer.drain(AMPLE), 0);
        assert_eq!((images(folder.path()), tally.written.load(Relaxed)), (10, 10));
    }

    #[test]
    fn a_disk_that_hangs_is_given_up_in_time_and_the_captures_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, give) = slow();
        let (writer, queue, tally, _said) = start(disk);
        (0..4).for_each(|i| assert!(queue.offer(job(folder.path(), i), 10).is_ok()));
        while queue.len() == 4 {
            thread::yield_now();
        }
        assert_eq!(writer.drain(Duration::from_millis(1)), 4, "three that wait and the one it hangs in");
        assert_eq!(tally.given_up.load(Relaxed), 4);
        drop(give);
    }

    #[test]
    fn a_full_disk_is_told_once_and_captures_resume_by_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, give) = slow();
        let (writer, queue, tally, said) = start(disk);
        for id in 0..5 {
            assert!(queue.offer(job(folder.path(), id), 10).is_ok());
        }
        // Three captures find no room in the folder; then one breath for the trial, and two for each capture.
        [false, false, false, true, true, true, true, true].iter().for_each(|&b| give.send(b).unwrap());
        assert_eq!(writer.drain(AMPLE), 0);
        let said: Vec<_> = said.iter().collect();
        assert_eq!(said, ["failed", "resumed after 3", "written 3", "written 4"]);
        assert_eq!((tally.failed.load(Relaxed), tally.episodes.load(Relaxed)), (3, 1));
        let last = tally.last.lock().clone().unwrap();
        assert!(!last.lasting && last.text.contains("free some space"), "{}", last.text);
    }

    #[test]
    fn a_folder_that_vanishes_is_not_made_again_and_resumes_when_it_is_back() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("captures");
        let (writer, queue, _tally, said) = start(LocalDisk);
        let send = |id| assert!(queue.offer(job(&folder, id), 10).is_ok());
        let hear = || said.recv_timeout(AMPLE).unwrap();
        send(0);
        assert_eq!(hear(), "written 0");
        std::fs::remove_dir_all(&folder).unwrap();
        send(1);
        assert_eq!(hear(), "failed");
        assert!(!folder.exists());
        std::fs::create_dir(&folder).unwrap();
        send(2);
        assert_eq!((hear(), hear()), ("resumed after 1".into(), "written 2".into()));
        assert_eq!(writer.drain(AMPLE), 0);
    }

    #[test]
    fn what_comes_late_is_added_to_the_sidecar() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, queue, tally, _said) = start(LocalDisk);
        let first = job(folder.path(), 7);
        let key = first.shot.key();
        assert!(queue.offer(first, 10).is_ok());
        let more = Tag { trigger: Trigger::Ng, ..tag() };
        assert!(queue.amend(Amendment { key, change: Change::Tag(more) }, 10));
        assert_eq!(writer.drain(AMPLE), 0);
        let path = std::fs::read_dir(folder.path())
            .unwrap()
            .map(|e| e.unwrap().path())
            .find(|p| p.extension().is_some_and(|e| e == "json"))
            .unwrap();
        let sidecar: Sidecar = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        assert_eq!(sidecar.triggers.iter().map(|t| t.trigger).collect::<Vec<_>>(), [Trigger::Action, Trigger::Ng]);
        assert_eq!(tally.amended.load(Relaxed), 1);
    }
}
