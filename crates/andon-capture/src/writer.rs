// SPDX-License-Identifier: MPL-2.0
//! The thread that writes captures: its start and its end.

use std::{
    io,
    path::Path,
    sync::{Arc, atomic::Ordering::Relaxed},
    thread,
    time::Duration,
};

use parking_lot::Mutex;

use crate::{
    disk::Disk,
    events::{WriterCounters, WriterEvent},
    frame::HeldFrame,
    queue::Queue,
    worker::Worker,
};

/// What the thread does.
type Work = Box<dyn FnOnce() + Send>;

/// A writer, and its thread as soon as the system gives one.
pub struct Writer<H: HeldFrame> {
    queue: Arc<Queue<H>>,
    counters: Arc<WriterCounters>,
    /// The work, until the thread takes it.
    work: Arc<Mutex<Option<Work>>>,
    thread: Mutex<Option<thread::JoinHandle<()>>>,
}

impl<H: HeldFrame> Writer<H> {
    /// Makes a writer, without its thread: see [`Writer::start`]. The thread makes `folder` first, so that a wrong folder is
    /// reported before it is needed. `report` is called on the writer's thread.
    pub fn new(
        disk: impl Disk,
        queue: Arc<Queue<H>>,
        counters: Arc<WriterCounters>,
        folder: Option<Arc<Path>>,
        report: impl FnMut(WriterEvent<'_>) + Send + 'static,
    ) -> Self {
        let worker = Worker::new(disk, report, counters.clone());
        let items = queue.clone();
        let work: Work = Box::new(move || {
            let _finish = Finish(items.clone());
            worker.run(&items, folder);
        });
        Self { queue, counters, work: Arc::new(Mutex::new(Some(work))), thread: Mutex::default() }
    }

    /// Starts the thread unless it is there.
    ///
    /// # Errors
    /// The system refuses another thread: the queue takes what it has room for, and a later call may succeed.
    pub fn start(&self) -> io::Result<()> {
        let mut thread = self.thread.lock();
        if thread.is_none() {
            let work = self.work.clone();
            let run = move || {
                let work = work.lock().take();
                work.expect("it is taken once, by the one thread")();
            };
            *thread = Some(thread::Builder::new().name("andon-capture".into()).spawn(run)?);
        }
        Ok(())
    }

    /// Writes the frames left in the queue and ends the thread, or gives up after `within`. Returns the number of captures
    /// given up.
    ///
    /// A thread that hangs in the disk is not waited for. It ends as soon as the disk answers. Without a thread, although it is
    /// tried once more, nothing is waited for.
    pub fn drain(mut self, within: Duration) -> usize {
        let within = if self.start().is_ok() { within } else { Duration::ZERO };
        let given_up = self.queue.close(within);
        self.counters.given_up.fetch_add(given_up as u64, Relaxed);
        if let Some(thread) = self.thread.get_mut().take().filter(|_| self.queue.is_finished()) {
            // The panic hook has printed a panic; the captures it cost are counted as given up.
            let _ = thread.join();
        }
        given_up
    }
}

impl<H: HeldFrame> Drop for Writer<H> {
    fn drop(&mut self) {
        if self.thread.get_mut().is_some() {
            self.queue.close(Duration::ZERO);
        }
    }
}

/// Tells the queue that the thread has ended, also by a panic.
struct Finish<H>(Arc<Queue<H>>);

impl<H> Drop for Finish<H> {
    fn drop(&mut self) {
        self.0.finish();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        LocalDisk, Quota, Role, Sidecar, Tag, Trigger,
        queue::{Amendment, Change, Job},
        testing::{Flat, frame},
    };
    use std::sync::mpsc::{Receiver, Sender, channel};

    /// A disk that waits for an answer before each file: true to write it, false to refuse it as a full disk does.
    struct Slow {
        answers: Receiver<bool>,
    }

    impl Disk for Slow {
        fn make_folder(&mut self, folder: &Path) -> io::Result<()> {
            LocalDisk.make_folder(folder)
        }

        fn write(&mut self, path: &Path, bytes: &[u8]) -> io::Result<()> {
            match self.answers.recv() {
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
            frame: frame(id, Vec::new()),
            tags: vec![tag()],
            number: id,
            encoder: Arc::default(),
            min_distance: 0,
            quota: Quota::default(),
        }
    }

    /// Starts a writer. Returns it with its queue, its counters and its events as text.
    fn start(disk: impl Disk) -> (Writer<Flat>, Arc<Queue<Flat>>, Arc<WriterCounters>, Receiver<String>) {
        let (queue, counters) = (Arc::<Queue<Flat>>::default(), Arc::<WriterCounters>::default());
        let (send, events) = channel();
        let report = move |event: WriterEvent<'_>| {
            let text = match event {
                WriterEvent::Written { sidecar, .. } => format!("written {}", sidecar.frame_id),
                WriterEvent::Failed { .. } => "failed".into(),
                WriterEvent::Resumed { lost, .. } => format!("resumed after {lost}"),
            };
            let _ = send.send(text);
        };
        let writer = Writer::new(disk, queue.clone(), counters.clone(), None, report);
        writer.start().unwrap();
        (writer, queue, counters, events)
    }

    fn slow() -> (Slow, Sender<bool>) {
        let (give, answers) = channel();
        (Slow { answers }, give)
    }

    fn images(folder: &Path) -> usize {
        let all = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
        all.filter(|p| p.extension().is_some_and(|e| e == "png")).count()
    }

    const AMPLE: Duration = Duration::from_secs(60);

    #[test]
    fn queued_frames_are_written_before_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, queue, counters, _events) = start(LocalDisk);
        (0..10).for_each(|i| assert!(queue.offer(job(folder.path(), i), 10).is_ok()));
        assert_eq!(writer.drain(AMPLE), 0);
        assert_eq!((images(folder.path()), counters.written.load(Relaxed)), (10, 10));
    }

    #[test]
    fn a_disk_that_hangs_is_given_up_in_time_and_the_captures_are_counted() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, give) = slow();
        let (writer, queue, counters, _events) = start(disk);
        (0..4).for_each(|i| assert!(queue.offer(job(folder.path(), i), 10).is_ok()));
        while queue.len() == 4 {
            thread::yield_now();
        }
        assert_eq!(writer.drain(Duration::from_millis(1)), 4, "three that wait and the one it hangs in");
        assert_eq!(counters.given_up.load(Relaxed), 4);
        drop(give);
    }

    #[test]
    fn a_full_disk_is_reported_once_and_captures_resume_by_themselves() {
        let folder = tempfile::tempdir().unwrap();
        let (disk, give) = slow();
        let (writer, queue, counters, events) = start(disk);
        for id in 0..5 {
            assert!(queue.offer(job(folder.path(), id), 10).is_ok());
        }
        // Three captures find no room in the folder; then the probe takes one answer, and each capture two.
        [false, false, false, true, true, true, true, true].iter().for_each(|&b| give.send(b).unwrap());
        assert_eq!(writer.drain(AMPLE), 0);
        let events: Vec<_> = events.iter().collect();
        assert_eq!(events, ["failed", "resumed after 3", "written 3", "written 4"]);
        assert_eq!((counters.failed.load(Relaxed), counters.episodes.load(Relaxed)), (3, 1));
        let last = counters.last.lock().clone().unwrap();
        assert!(!last.lasting && last.text.contains("free some space"), "{}", last.text);
    }

    #[test]
    fn a_folder_that_vanishes_is_not_made_again_and_resumes_when_it_is_back() {
        let base = tempfile::tempdir().unwrap();
        let folder = base.path().join("captures");
        let (writer, queue, _counters, events) = start(LocalDisk);
        let send = |id| assert!(queue.offer(job(&folder, id), 10).is_ok());
        let next = || events.recv_timeout(AMPLE).unwrap();
        send(0);
        assert_eq!(next(), "written 0");
        std::fs::remove_dir_all(&folder).unwrap();
        send(1);
        assert_eq!(next(), "failed");
        assert!(!folder.exists());
        std::fs::create_dir(&folder).unwrap();
        send(2);
        assert_eq!((next(), next()), ("resumed after 1".into(), "written 2".into()));
        assert_eq!(writer.drain(AMPLE), 0);
    }

    /// Bytes of the captures in a folder.
    fn bytes(folder: &Path) -> u64 {
        let shown = |p: &std::path::PathBuf| !p.file_name().unwrap().to_string_lossy().starts_with('.');
        let all = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(shown);
        // One that is being removed has no size any more.
        all.filter_map(|p| Some(std::fs::metadata(p).ok()?.len())).sum()
    }

    #[test]
    fn writers_that_share_a_folder_keep_its_bounds_together() {
        let folder = tempfile::tempdir().unwrap();
        let quota = Quota { max_total: 4000, ..Quota::default() };
        // The last has no bounds of its own, and joins the turns of the others.
        let quotas = [quota, quota, Quota::default()];
        let writers = [(); 3].map(|()| start(LocalDisk));
        for id in 0..30 {
            for (n, (_, queue, ..)) in writers.iter().enumerate() {
                let job = Job { quota: quotas[n], ..job(folder.path(), id + 100 * n as u64) };
                assert!(queue.offer(job, 30).is_ok());
            }
        }
        let evicted: u64 = writers
            .into_iter()
            .rev()
            .map(|(writer, _, counters, _)| {
                assert_eq!(writer.drain(AMPLE), 0);
                assert_eq!(counters.written.load(Relaxed), 30);
                counters.evicted.load(Relaxed)
            })
            .sum();
        let (writer, queue, ..) = start(LocalDisk);
        queue.bound(Some(folder.path().into()), quota);
        while bytes(folder.path()) > 4000 {
            thread::yield_now();
        }
        assert_eq!(writer.drain(AMPLE), 0);
        let left = images(folder.path());
        assert!(left > 2 && evicted + left as u64 <= 90, "{left} are left, {evicted} were removed");
    }

    #[test]
    fn captures_become_too_old_without_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let old = |name: &str, age: u64| {
            let path = folder.path().join(name);
            std::fs::write(path.with_extension("json"), "{}").unwrap();
            let file = std::fs::File::create(path).unwrap();
            file.set_modified(std::time::SystemTime::now() - Duration::from_millis(age)).unwrap();
        };
        old("r-1-1-ng.png", 4000);
        old("r-2-2-ng.png", 1500);
        old("r-3-3-ng.png", 0);
        let (writer, queue, counters, _events) = start(LocalDisk);
        let wait = |evicted| {
            while counters.evicted.load(Relaxed) < evicted {
                thread::yield_now();
            }
        };
        queue.bound(Some(folder.path().into()), Quota { max_age: Duration::from_secs(2), ..Quota::default() });
        wait(1);
        assert!(!folder.path().join("r-1-1-ng.png").exists(), "it is too old from the start");
        wait(2);
        assert!(!folder.path().join("r-2-2-ng.png").exists() && folder.path().join("r-3-3-ng.png").exists());
        queue.bound(Some(folder.path().into()), Quota { max_age: Duration::from_secs(3600), ..Quota::default() });
        assert_eq!(writer.drain(AMPLE), 0);
        assert_eq!((images(folder.path()), counters.evicted.load(Relaxed)), (1, 2));
    }

    #[test]
    fn what_is_added_to_a_capture_that_is_gone_leaves_no_sidecar_alone() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, queue, counters, events) = start(LocalDisk);
        let first = job(folder.path(), 7);
        let key = first.frame.key();
        assert!(queue.offer(first, 10).is_ok());
        assert_eq!(events.recv_timeout(AMPLE).unwrap(), "written 7");
        std::fs::read_dir(folder.path()).unwrap().for_each(|e| std::fs::remove_file(e.unwrap().path()).unwrap());
        assert!(queue.amend(Amendment { key, change: Change::Tag(Tag { trigger: Trigger::Ng, ..tag() }) }, 10));
        assert_eq!(writer.drain(AMPLE), 0);
        assert_eq!((std::fs::read_dir(folder.path()).unwrap().count(), counters.amended.load(Relaxed)), (0, 0));
    }

    #[test]
    fn late_additions_are_written_to_the_sidecar() {
        let folder = tempfile::tempdir().unwrap();
        let (writer, queue, counters, _events) = start(LocalDisk);
        let first = job(folder.path(), 7);
        let key = first.frame.key();
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
        assert_eq!(counters.amended.load(Relaxed), 1);
    }
}
