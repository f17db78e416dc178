// SPDX-License-Identifier: MPL-2.0
//! Threads that the system may refuse, for `TasksMax`, `pids.max` or `RLIMIT_NPROC` is reached: an element goes on without,
//! says so once, counts, and tries again.
//!
//! A [`Lack`] is the state of one such thread. A [`PadThread`] makes the thread of a source pad's task: GStreamer's own pool
//! leaves a task that is refused its thread in a state in which it can neither run nor be joined (`gst_task_join` waits for
//! ever), and whether a thread can be had is not known before it is made.

use std::{
    io,
    sync::{
        Arc,
        atomic::{
            AtomicBool, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed, Release},
        },
    },
    thread::{Builder, JoinHandle},
    time::Duration,
};

use andon_core::result::monotonic_ns;
use gst::{prelude::*, subclass::prelude::*};
use parking_lot::Mutex;

/// The least time between two attempts, ns.
const PAUSE_NS: u64 = 1_000_000_000;

/// What to do about it, as every warning says.
pub(super) const ADVICE: &str = "it is tried again every second: raise the limit of threads (TasksMax of the service, pids.max of the container, \
     ulimit -u of the user), or stop other work";

/// Whether a thread is missing. Where none is, every question costs one load.
#[derive(Debug)]
pub(super) struct Lack {
    /// What the thread is for, as it stands in `stats`.
    of: &'static str,
    /// What happens meanwhile.
    meanwhile: &'static str,
    /// The thread was refused, and is not there yet.
    lasting: AtomicBool,
    /// When it may be tried again, by [`monotonic_ns`].
    next: AtomicU64,
    /// Since when it is missing, by [`monotonic_ns`].
    since: AtomicU64,
    /// Attempts that failed since the start.
    refused: AtomicU64,
}

impl Lack {
    /// Makes the state of a thread that is not missing.
    pub(super) const fn new(of: &'static str, meanwhile: &'static str) -> Self {
        Self {
            of,
            meanwhile,
            lasting: AtomicBool::new(false),
            next: AtomicU64::new(0),
            since: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Returns whether the thread is missing.
    pub(super) fn lasts(&self) -> bool {
        self.lasting.load(Acquire)
    }

    /// Returns whether it is time to try again: to one caller a second. Streaming threads may ask with every frame.
    pub(super) fn is_due(&self) -> bool {
        if !self.lasts() {
            return false;
        }
        let (now, next) = (monotonic_ns(), self.next.load(Acquire));
        now >= next && self.next.compare_exchange(next, now + PAUSE_NS, AcqRel, Relaxed).is_ok()
    }

    /// Puts the next attempt off, because one takes much.
    pub(super) fn put_off(&self, pause: Duration) {
        self.next.store(monotonic_ns().saturating_add(pause.as_nanos() as u64), Release);
    }

    /// Notes that the thread was refused. Returns whether that is news.
    pub(super) fn refused(&self) -> bool {
        let now = monotonic_ns();
        self.next.store(now + PAUSE_NS, Release);
        self.refused.fetch_add(1, Relaxed);
        let is_news = !self.lasting.swap(true, AcqRel);
        if is_news {
            self.since.store(now, Release);
        }
        is_news
    }

    /// Notes that the thread is there. Returns for how long it was missing, if it was.
    pub(super) fn ended(&self) -> Option<Duration> {
        let lasted = self.lasting.load(Relaxed) && self.lasting.swap(false, AcqRel);
        lasted.then(|| Duration::from_nanos(monotonic_ns().saturating_sub(self.since.load(Acquire))))
    }

    /// Takes in what came of an attempt, and tells the application what is new in it. Returns whether the thread is there.
    pub(super) fn tried(&self, element: &impl IsA<gst::Element>, attempt: &io::Result<()>) -> bool {
        match attempt {
            Ok(()) => self.tell_end(element),
            Err(error) if self.refused() => {
                let Self { of, meanwhile, .. } = self;
                gst::element_warning!(
                    element,
                    gst::ResourceError::NoSpaceLeft,
                    ("the system gives no thread for {of} ({error}): {meanwhile}; {ADVICE}")
                );
            }
            Err(_) => {}
        }
        attempt.is_ok()
    }

    /// Notes that the thread is there, and tells the application if it was missing.
    pub(super) fn tell_end(&self, element: &impl IsA<gst::Element>) {
        if let Some(lasted) = self.ended() {
            let of = self.of;
            gst::element_info!(
                element,
                gst::ResourceError::NoSpaceLeft,
                ("there is a thread for {of} again, after {:.1} s", lasted.as_secs_f64())
            );
        }
    }

    /// Begins anew, with nothing missing and nothing counted.
    pub(super) fn reset(&self) {
        self.lasting.store(false, Release);
        self.refused.store(0, Relaxed);
    }
}

/// Adds to `stats` what is missing now, and how often a thread was refused since the start.
pub(super) fn write(stats: &mut gst::Structure, all: &[&Lack]) {
    write_all(stats, all, without(all));
}

/// Adds to `stats` what is missing now by `without`, and how often a thread of `all` was refused since the start.
pub(super) fn write_all(stats: &mut gst::Structure, all: &[&Lack], without: String) {
    stats.set("threads-refused", all.iter().map(|lack| lack.refused.load(Relaxed)).sum::<u64>());
    stats.set("without-thread", without);
}

/// Adds `of` to what [`without`] has returned.
pub(super) fn also(without: String, of: &str) -> String {
    if without.is_empty() { of.into() } else { format!("{without}, {of}") }
}

/// Returns what has no thread, separated by commas; nothing if all have theirs.
pub(super) fn without(all: &[&Lack]) -> String {
    all.iter().filter(|lack| lack.lasts()).map(|lack| lack.of).collect::<Vec<_>>().join(", ")
}

/// What a thread is to do.
type Work = Box<dyn FnOnce() + Send>;

/// Work that is kept if the system gives no thread for it.
struct Job(Arc<Mutex<Option<Work>>>);

impl Job {
    /// Takes the work of a thread.
    fn new(work: impl FnOnce() + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Some(Box::new(work)))))
    }

    /// Makes a thread of that name for it. If the system refuses, the work stays for another call.
    fn spawn(&self, name: &str) -> io::Result<JoinHandle<()>> {
        let work = self.0.clone();
        Builder::new().name(name.into()).stack_size(STACK).spawn(move || {
            let work = work.lock().take();
            if let Some(work) = work {
                work();
            }
        })
    }

    /// Does it here.
    fn run(self) {
        let work = self.0.lock().take();
        if let Some(work) = work {
            work();
        }
    }
}

/// The thread of a source pad's task.
#[derive(Default)]
pub(super) struct PadThread {
    pool: std::sync::OnceLock<Pool>,
    /// The task, from its start to its stop.
    task: Mutex<Option<gst::Task>>,
}

impl PadThread {
    fn pool(&self) -> &Pool {
        self.pool.get_or_init(Pool::default)
    }

    /// Gives the task of `pad` its pool, when the pad announces it. For the element's `post_message`: an application that
    /// hears of the task after that may still give it a pool of its own.
    pub(super) fn serve(&self, pad: &gst::Pad, message: &gst::Message) {
        let gst::MessageView::StreamStatus(status) = message.view() else { return };
        let is_new = status.get().0 == gst::StreamStatusType::Create;
        if !is_new || message.src() != Some(pad.upcast_ref()) {
            return;
        }
        if let Some(Ok(task)) = status.stream_status_object().map(|object| object.get::<gst::Task>()) {
            task.set_pool(self.pool());
            *self.task.lock() = Some(task);
        }
    }

    /// Starts the pad's task, which calls `step`. The inner result says whether it has its thread; if not, it waits for one
    /// ([`PadThread::try_again`]).
    pub(super) fn start(
        &self,
        pad: &gst::Pad,
        step: impl FnMut() + Send + 'static,
    ) -> Result<io::Result<()>, glib::BoolError> {
        pad.start_task(step)?;
        Ok(self.pool().imp().waiting.lock().as_ref().map_or(Ok(()), Waiting::refusal))
    }

    /// Tries to get the thread that the task waits for.
    pub(super) fn try_again(&self) -> io::Result<()> {
        // Locked during the attempt, so that the work is either here or on its way, for `stop`.
        let mut waiting = self.pool().imp().waiting.lock();
        if let Some(kept) = waiting.as_mut() {
            match kept.job.spawn(NAME) {
                Ok(_) => *waiting = None,
                Err(error) => {
                    kept.error = error;
                    return kept.refusal();
                }
            }
        }
        Ok(())
    }

    /// Stops a task that waits for its thread, here: GStreamer waits until a task has run. For the element, before the pad is
    /// deactivated.
    pub(super) fn end_waiting(&self) {
        let task = self.task.lock().take();
        let waiting = self.pool().imp().waiting.lock().take();
        if let (Some(task), Some(waiting)) = (task, waiting) {
            // A task that is stopped before it runs does nothing. Stopping fails only without a thread, which it never gets.
            let _ = task.stop();
            waiting.job.run();
        }
    }

    /// Stops the task.
    pub(super) fn stop(&self, pad: &gst::Pad) -> Result<(), glib::BoolError> {
        self.end_waiting();
        pad.stop_task()
    }
}

/// The stack of such a thread, bytes: what GStreamer's own have on Linux. Elements of all kinds run on it.
const STACK: usize = 8 << 20;

/// The name of the threads until their tasks give them those of their pads.
const NAME: &str = "andon-task";

/// The work of a task that waits for a thread.
struct Waiting {
    job: Job,
    /// Why it waits.
    error: io::Error,
}

impl Waiting {
    fn refusal(&self) -> io::Result<()> {
        let code = self.error.raw_os_error();
        Err(code.map_or_else(|| self.error.kind().into(), io::Error::from_raw_os_error))
    }
}

glib::wrapper! {
    /// Makes a thread for each task, and keeps the work of a task for which the system gives none.
    pub struct Pool(ObjectSubclass<imp::Pool>) @extends gst::TaskPool, gst::Object;
}

impl Default for Pool {
    fn default() -> Self {
        glib::Object::new()
    }
}

mod imp {
    use gst::subclass::TaskPoolFunction;

    use super::*;

    /// See the wrapper.
    #[derive(Default)]
    pub struct Pool {
        pub(super) waiting: Mutex<Option<Waiting>>,
    }

    #[glib::object_subclass]
    impl ObjectSubclass for Pool {
        const NAME: &'static str = "GstAndonTaskPool";
        type Type = super::Pool;
        type ParentType = gst::TaskPool;
    }

    impl ObjectImpl for Pool {}
    impl GstObjectImpl for Pool {}

    impl TaskPoolImpl for Pool {
        type Handle = Thread;

        fn push(&self, work: TaskPoolFunction) -> Result<Option<Thread>, glib::Error> {
            let job = Job::new(move || work.call());
            match job.spawn(NAME) {
                Ok(thread) => Ok(Some(Thread(thread))),
                Err(error) => {
                    *self.waiting.lock() = Some(Waiting { job, error });
                    Ok(None)
                }
            }
        }
    }

    /// A thread, which the task that it ran for joins.
    pub struct Thread(JoinHandle<()>);

    impl gst::TaskHandle for Thread {
        fn join(self) {
            // The panic hook has reported a panic, and GStreamer's code has none.
            let _ = self.0.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_is_missing_is_tried_once_a_second_and_told_once_an_episode() {
        let lack = Lack::new("judging", "");
        assert!(!lack.is_due() && lack.ended().is_none());
        assert!(lack.refused() && !lack.refused(), "news once");
        assert!(!lack.is_due(), "not at once");
        lack.next.store(0, Release);
        assert!(lack.is_due() && !lack.is_due(), "to one caller a second");
        assert_eq!(without(&[&lack, &Lack::new("other", "")]), "judging");
        assert!(lack.ended().is_some() && lack.ended().is_none());
        assert!(lack.refused(), "another episode");
        assert_eq!(lack.refused.load(Relaxed), 3);
    }
}
