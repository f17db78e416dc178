// SPDX-License-Identifier: MPL-2.0
//! Watches files for changes: one watcher for the whole process, however many elements watch something.
//!
//! A *timer* thread waits for the system to report a change, and every few seconds has each file looked at anyway: where
//! another machine changes a share, where a folder is exchanged for another, or where there is no way to be told, nothing is
//! reported. It never touches a disk itself. A *runner* thread does: it looks, and calls who watches. A disk that does not
//! answer holds up the runner alone. The timer puts another in its place, and leaves alone what lies on that disk until the
//! first one comes back.
//!
//! Both threads are made when they are first needed, and stay. Where the system gives none, nothing is watched yet, and
//! [`revive`] tries again.

mod look;
mod notices;
#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    path::Path,
    sync::{
        Arc, LazyLock,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use parking_lot::{Condvar, Mutex};

use look::File;
use notices::{Notice, Notices};

/// Makes a thread of that name.
type Spawn = fn(&str, Box<dyn FnOnce() + Send>) -> io::Result<()>;

/// How a watcher works.
#[derive(Clone, Copy)]
struct Options {
    /// How often each file is looked at, even if no change was reported.
    interval: Duration,
    /// How long a look may take until its disk counts as one that does not answer.
    patience: Duration,
    /// Whether the system is asked to report changes.
    notices: bool,
    /// Makes a thread.
    spawn: Spawn,
}

/// How often a thread is tried for that the system did not give.
const AGAIN: Duration = Duration::from_secs(1);

impl Default for Options {
    fn default() -> Self {
        let spawn =
            |name: &str, run: Box<dyn FnOnce() + Send>| thread::Builder::new().name(name.into()).spawn(run).map(drop);
        Self { interval: Duration::from_secs(2), patience: Duration::from_secs(2), notices: true, spawn }
    }
}

static WATCHER: LazyLock<Arc<Watcher>> = LazyLock::new(|| Watcher::new(Options::default()));

/// A file that is watched, until this is dropped. A call that is under way then may still end later.
pub(crate) struct Watched {
    watcher: Arc<Watcher>,
    file: Arc<File>,
}

/// Calls `changed` whenever the file of that name may have been made, changed, renamed or removed, also if that is because
/// its folder was, or a link on the way to it. Neither needs to exist. A read is no change: a callback that reads the file
/// would never come to rest. The first call comes at once, whatever the file is.
///
/// `changed` is called on a thread that all files share, and may touch the disk: if it takes long, others are called on
/// another one. It is never called twice at the same time. Watching needs no thread at once, see [`Watched::problem`].
pub(crate) fn watch(folder: &Path, name: &str, changed: impl Fn() + Send + Sync + 'static) -> Watched {
    WATCHER.watch(folder, name, changed)
}

/// Tries again for a thread, if there was none to watch with: at most once a second, and without waiting. Costs nothing
/// while all is well, so that a streaming thread may call it.
pub(crate) fn revive() {
    WATCHER.revive();
}

impl Watched {
    /// Returns why changes of the file are not seen just now: there is no thread, its folder is not there or cannot be
    /// read, or its disk does not answer. They are seen when that has passed.
    pub(crate) fn problem(&self) -> Option<String> {
        let state = self.watcher.state.lock();
        if let Some(error) = &state.no_thread {
            return Some(format!("there is no thread to watch it with ({error})"));
        }
        if let Some(run) = state.runs.iter().find(|run| run.left && run.file.hangs_with(&self.file)) {
            return Some(format!("{} does not answer", run.file.folder().display()));
        }
        drop(state);
        self.file.problem()
    }
}

impl Watched {
    /// Returns whether there is no thread to watch with.
    pub(crate) fn lacks_thread(&self) -> bool {
        self.watcher.state.lock().no_thread.is_some()
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.file.drop_it();
        let mut state = self.watcher.state.lock();
        state.files.retain(|f| !Arc::ptr_eq(f, &self.file));
        self.watcher.release(&state, self.file.take_watch());
    }
}

/// What the threads share. The lock is held for a few moves only, and never while a disk is touched or somebody is called.
#[derive(Default)]
struct State {
    /// All files.
    files: Vec<Arc<File>>,
    /// Those that are to be looked at now, each once.
    due: VecDeque<Arc<File>>,
    /// The looks under way.
    runs: Vec<Run>,
    /// The number of the last look.
    count: u64,
    /// How many runners there are, without those that were left.
    runners: usize,
    /// Whether the timer is there.
    timer: bool,
    /// When all files are looked at next.
    next: Option<Instant>,
    /// Why there is no thread, and when one was last tried for.
    no_thread: Option<String>,
    tried: Option<Instant>,
}

/// A look under way.
struct Run {
    number: u64,
    file: Arc<File>,
    since: Instant,
    /// Whether it has taken too long, so that its runner was replaced.
    left: bool,
}

struct Watcher {
    options: Options,
    state: Mutex<State>,
    /// There is something due.
    work: Condvar,
    /// Whether the timer is missing: all that [`revive`] looks at if it is not.
    stalled: AtomicBool,
    notices: Notices,
}

/// For who watches.
impl Watcher {
    fn new(options: Options) -> Arc<Self> {
        let (state, work, stalled) = (Mutex::default(), Condvar::new(), AtomicBool::new(false));
        Arc::new(Self { options, state, work, stalled, notices: Notices::new(options.notices) })
    }

    fn watch(self: &Arc<Self>, folder: &Path, name: &str, changed: impl Fn() + Send + Sync + 'static) -> Watched {
        let file = Arc::new(File::new(folder, name, Box::new(changed)));
        let mut state = self.state.lock();
        state.files.push(file.clone());
        state.queue(&file);
        self.start(&mut state);
        drop(state);
        self.notices.wake();
        Watched { watcher: self.clone(), file }
    }

    fn revive(self: &Arc<Self>) {
        if !self.stalled.load(Ordering::Relaxed) {
            return;
        }
        let Some(mut state) = self.state.try_lock() else { return };
        if state.tried.is_none_or(|tried| tried.elapsed() >= AGAIN) {
            self.start(&mut state);
        }
    }

    /// Makes the timer, if it is not there.
    fn start(self: &Arc<Self>, state: &mut State) {
        if !state.timer {
            let this = self.clone();
            state.timer = self.spawn(state, "andon-watch", move || this.time());
            self.stalled.store(!state.timer, Ordering::Relaxed);
        }
    }

    /// Makes a thread. Returns whether it could be made.
    fn spawn(&self, state: &mut State, name: &str, run: impl FnOnce() + Send + 'static) -> bool {
        let made = (self.options.spawn)(name, Box::new(run));
        state.tried = Some(Instant::now());
        state.no_thread = made.as_ref().err().map(ToString::to_string);
        made.is_ok()
    }

    /// Lets the system forget a folder, unless it reports changes of another file there.
    fn release(&self, state: &State, folder: Option<i32>) {
        if let Some(number) = folder.filter(|n| !state.files.iter().any(|f| f.watch() == Some(*n))) {
            self.notices.forget(number);
        }
    }
}

/// The timer.
impl Watcher {
    fn time(self: &Arc<Self>) {
        loop {
            self.notices.open();
            let timeout = self.hand_out(&mut self.state.lock());
            let notices = self.notices.wait(timeout);
            if !notices.is_empty() {
                let mut state = self.state.lock();
                let State { files, due, .. } = &mut *state;
                for file in files.iter().filter(|file| notices.iter().any(|n| n.concerns(file))) {
                    file.set_reported();
                    queue(due, file);
                }
                // Another folder may stand in its place.
                for gone in notices.iter().filter_map(Notice::gone) {
                    files.iter().filter(|f| f.watch() == Some(gone)).for_each(|f| {
                        f.take_watch();
                    });
                    self.notices.forget(gone);
                }
            }
        }
    }

    /// Gives the runner what is due, and makes one if there is none or it hangs. Returns when there is more to do, if that is
    /// known.
    fn hand_out(self: &Arc<Self>, state: &mut State) -> Option<Duration> {
        let (now, Options { interval, patience, .. }) = (Instant::now(), self.options);
        for run in state.runs.iter_mut().filter(|run| !run.left && now.duration_since(run.since) >= patience) {
            run.left = true;
            state.runners -= 1;
        }
        if state.next.is_none_or(|next| next <= now) {
            state.next = Some(now + interval);
            let State { files, due, .. } = &mut *state;
            files.iter().for_each(|file| queue(due, file));
        }
        let mut again = None;
        if !state.due.is_empty() && state.runners == 0 {
            let this = self.clone();
            state.runners = self.spawn(state, "andon-watch-run", move || this.run()).into();
            again = (state.runners == 0).then_some(AGAIN);
        }
        self.work.notify_all();
        if state.files.is_empty() && state.runs.is_empty() {
            return None;
        }
        let next = state.next.map(|next| next.saturating_duration_since(now));
        let hangs = state.runs.iter().filter(|run| !run.left);
        let hangs = hangs.map(|run| (run.since + patience).saturating_duration_since(now)).min();
        [again, next, hangs].into_iter().flatten().min()
    }
}

/// The runner.
impl Watcher {
    fn run(self: &Arc<Self>) {
        let mut state = self.state.lock();
        loop {
            let Some(file) = state.due.pop_front() else {
                self.work.wait(&mut state);
                continue;
            };
            file.set_queued(false);
            // What lies on a disk that does not answer waits until that does.
            if state.runs.iter().any(|run| run.left && run.file.hangs_with(&file)) {
                continue;
            }
            state.count += 1;
            let number = state.count;
            state.runs.push(Run { number, file: file.clone(), since: Instant::now(), left: false });
            drop(state);
            // The panic hook reports a panic of who watches; it is no reason to call the others no more.
            let _ = catch_unwind(AssertUnwindSafe(|| {
                let before = file.look(&self.notices);
                self.release(&self.state.lock(), before);
                file.call();
            }));
            state = self.state.lock();
            if file.is_dropped() {
                self.release(&state, file.take_watch());
            }
            let at = state.runs.iter().position(|run| run.number == number).expect("only its runner removes it");
            if state.runs.swap_remove(at).left {
                // Another runs in its place, if there was a thread for it.
                if state.runners > 0 {
                    return;
                }
                state.runners = 1;
            }
        }
    }
}

impl State {
    fn queue(&mut self, file: &Arc<File>) {
        queue(&mut self.due, file);
    }
}

/// Puts a file among those that are due, unless it is there.
fn queue(due: &mut VecDeque<Arc<File>>, file: &Arc<File>) {
    if !file.set_queued(true) {
        due.push_back(file.clone());
    }
}

impl Notice {
    /// Returns the folder that is gone.
    fn gone(&self) -> Option<i32> {
        match self {
            Self::Folder(watch) => Some(*watch),
            _ => None,
        }
    }

    fn concerns(&self, file: &File) -> bool {
        match self {
            Self::All => true,
            Self::Folder(watch) => file.watch() == Some(*watch),
            Self::File(watch, name) => file.watch() == Some(*watch) && file.name() == name,
        }
    }
}
