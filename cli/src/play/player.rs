// SPDX-License-Identifier: MPL-2.0
//! Plays a pipeline on the main loop, to its end.

use std::{
    cell::{Cell, RefCell},
    io::{IsTerminal, Write, stderr},
    path::PathBuf,
    process::ExitCode,
    rc::Rc,
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use andon_report::words::plain;
use anyhow::{Context, Error, Result, anyhow};
use gst::{MessageView, prelude::*};
use indicatif::ProgressBar;

use super::{
    bar,
    failure::error,
    graphs::Graphs,
    holding,
    listener::{Course, Listener},
    paint::{Colour, Paint},
    service::Service,
    supervisor::{Act, Care, Supervisor},
    warning,
};
use crate::terminal;

/// Time between two looks of the progress bar at the position.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// Time between two looks at what only time tells.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// How long a pipeline may take to stop before the program ends without waiting for it.
const STOPPING: Duration = Duration::from_secs(5);
/// The message by which the thread that starts a pipeline says that it is done.
const STARTED: &str = "andon-started";
/// The message by which anybody asks for the end of the stream.
pub const QUIT: &str = "andon-quit";
/// Signals that end a program politely. Their numbers are the same on every Unix.
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// The end of a pipeline that did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The end of the stream reached every sink.
    Eos,
    /// A second Ctrl-C cut the stream short.
    Stopped,
}

impl End {
    /// Returns the program's exit code.
    pub fn code(self) -> ExitCode {
        match self {
            End::Eos => ExitCode::SUCCESS,
            End::Stopped => ExitCode::from(130),
        }
    }
}

/// How a pipeline is played. The default plays to the first failure, as gst-launch-1.0 does.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// Look after the sources so.
    pub care: Option<Care>,
    /// How long the end of the stream may take once it was asked for.
    pub stop_timeout: Option<Duration>,
    /// Draw the pipeline into this folder.
    pub graphs: Option<PathBuf>,
    /// Tell a service manager how the line fares.
    pub service: bool,
    /// Say nothing but failures and warnings, and show no bar.
    pub quiet: bool,
}

/// Plays the pipeline to its end and leaves it stopped. The listener hears the bus, and comes back.
pub fn play<L: Listener + 'static>(pipeline: &gst::Pipeline, listener: L, settings: &Settings) -> (Result<End>, L) {
    let player = Rc::new(Player {
        pipeline: pipeline.clone(),
        main: glib::MainLoop::new(None, false),
        listener: RefCell::new(listener),
        bar: ProgressBar::hidden(),
        begun: Instant::now(),
        quiet: settings.quiet,
        stop_timeout: settings.stop_timeout,
        asked_to_end: Cell::new(None),
        starting: Cell::new(true),
        supervisor: RefCell::new(settings.care.map(|care| Supervisor::new(pipeline, care))),
        service: RefCell::new(settings.service.then(Service::of_this_process).flatten()),
        graphs: RefCell::new(None),
        rebuild: Cell::new(None),
        end: RefCell::new(None),
    });
    let end = run(&player, settings);
    let player = Rc::into_inner(player).expect("all sources that share the player are removed");
    (end, player.listener.into_inner())
}

struct Player<L> {
    pipeline: gst::Pipeline,
    main: glib::MainLoop,
    listener: RefCell<L>,
    bar: ProgressBar,
    begun: Instant,
    quiet: bool,
    stop_timeout: Option<Duration>,
    /// When the end of the stream was asked for.
    asked_to_end: Cell<Option<Instant>>,
    /// Whether the pipeline is still on its way to play.
    starting: Cell<bool>,
    supervisor: RefCell<Option<Supervisor>>,
    service: RefCell<Option<Service>>,
    graphs: RefCell<Option<Graphs>>,
    /// The pipeline is being stopped to be started anew, by a thread that says when it is down; not before then.
    rebuild: Cell<Option<(mpsc::Receiver<()>, Instant)>>,
    end: RefCell<Option<Result<End>>>,
}

/// Ends the program at once: a thread that cannot be stopped is still at work.
fn leave(status: i32) -> ! {
    gstandon::control::remove_files();
    andon_inference::leave(status)
}

fn run<L: Listener + 'static>(player: &Rc<Player<L>>, settings: &Settings) -> Result<End> {
    let pipeline = &player.pipeline;
    let bus = pipeline.bus().context("a pipeline without a bus")?;
    if let Some(folder) = &settings.graphs {
        let graphs = Graphs::into(folder).with_context(|| format!("{} cannot be drawn into", folder.display()))?;
        *player.graphs.borrow_mut() = Some(graphs);
        player.draw("ready");
    }
    let p = player.clone();
    let watch = bus.add_watch_local(move |_, message| {
        p.hear(message);
        glib::ControlFlow::Continue
    })?;
    let mut sources: Vec<_> = [SIGINT, SIGTERM]
        .into_iter()
        .map(|signal| {
            let p = player.clone();
            glib_unix::unix_signal_add_local(signal, move || p.interrupted())
        })
        .collect();
    if stderr().is_terminal() && !player.quiet {
        let p = player.clone();
        sources.push(glib::timeout_add_local(PROGRESS_EVERY, move || p.progress()));
    }
    let p = player.clone();
    sources.push(glib::timeout_add_local(LOOK_EVERY, move || p.look()));

    player.start()?;
    player.main.run();
    player.bar.finish_and_clear();
    if player.starting.get() && matches!(*player.end.borrow(), Some(Ok(End::Stopped))) {
        // What loads cannot be cut short, and the state cannot be changed before it is done.
        player.note("stopped while a model loads");
        leave(130)
    }
    drop(watch);
    sources.into_iter().for_each(glib::SourceId::remove);
    let failed = matches!(*player.end.borrow(), Some(Err(_)));
    if failed {
        player.draw("error");
    }
    if let Some(service) = &*player.service.borrow() {
        service.stopping();
    }
    let restarts = player.supervisor.borrow().as_ref().map(Supervisor::restarts).unwrap_or_default();
    player.listener.borrow_mut().before_stop(pipeline, &Course { played: player.begun.elapsed(), restarts });

    let end = player.end.take().unwrap_or(Ok(End::Stopped));
    player.stop(&end, settings.stop_timeout.is_some());
    if let Ok(end) = &end {
        let what = if *end == End::Eos { "end of stream" } else { "stopped" };
        player.news(&format!("{what} after {:.1} s", player.begun.elapsed().as_secs_f64()));
    }
    end
}

impl<L: Listener> Player<L> {
    /// Sets the pipeline to play, on a thread of its own, so that signals are heard while a model loads. The element that makes
    /// the change fail says why on the bus, before this thread says how it ended.
    fn start(&self) -> Result<()> {
        let pipeline = self.pipeline.clone();
        let start = move || {
            let failed = pipeline.set_state(gst::State::Playing).is_err();
            let done = gst::Structure::builder(STARTED).field("failed", failed).build();
            // It fails if the bus is being flushed; then nobody listens any more.
            let _ = pipeline.post_message(gst::message::Application::new(done));
        };
        self.starting.set(true);
        thread::Builder::new().name("andon-start".into()).spawn(start).context("there is no thread to start")?;
        Ok(())
    }

    /// Stops the pipeline. With `limited`, one that does not stop ends the program.
    fn stop(&self, end: &Result<End>, limited: bool) {
        let pipeline = self.pipeline.clone();
        let (done, is_done) = mpsc::channel();
        let stop = move || {
            // A failure on the way down changes nothing: the result is known.
            let _ = pipeline.set_state(gst::State::Null);
            let _ = done.send(());
        };
        if !limited {
            return stop();
        }
        let thread = thread::Builder::new().name("andon-stop".into()).spawn(stop);
        if thread.is_err() || is_done.recv_timeout(STOPPING) != Err(mpsc::RecvTimeoutError::Timeout) {
            return;
        }
        if let Err(error) = end {
            self.note(&format!("andon: {error:#}"));
        }
        self.note(&format!("the pipeline does not stop within {} s: ended without it", STOPPING.as_secs()));
        leave(1)
    }

    /// Prints a line of results. Playing goes on if nobody reads them.
    fn print(&self, line: &str) {
        self.bar.suspend(|| terminal::line(line));
    }

    /// Prints a line about the run. Playing goes on if the standard error is closed.
    fn note(&self, line: &str) {
        let _ = self.bar.suspend(|| writeln!(stderr(), "{line}"));
    }

    /// Prints a warning, in its colour.
    fn warn(&self, what: &str) {
        self.note(&Paint::on(&stderr()).line(&format!("warning: {}", plain(what)), Colour::Yellow));
    }

    /// Prints a line that is no failure, unless nothing of that kind is wanted.
    fn news(&self, line: &str) {
        if !self.quiet {
            self.note(line);
        }
    }

    fn draw(&self, stage: &'static str) {
        if let Some(graphs) = &mut *self.graphs.borrow_mut()
            && let Err(e) = graphs.draw(&self.pipeline, stage)
        {
            self.warn(&format!("{stage}.dot cannot be written: {e}"));
        }
    }

    fn finish(&self, end: Result<End>) {
        self.end.borrow_mut().get_or_insert(end);
        self.main.quit();
    }

    /// Does what the supervisor wants done.
    fn act(&self, acts: Vec<Act>) {
        for act in acts {
            match act {
                Act::Note(line) => self.note(&Paint::on(&stderr()).line(&plain(&line), Colour::Yellow)),
                Act::Fail(error) => self.finish(Err(error)),
                Act::StartAgain => {
                    if let Err(error) = self.start() {
                        self.finish(Err(error));
                    }
                }
                Act::Rebuild(wait) => {
                    let pipeline = self.pipeline.clone();
                    let (down, is_down) = mpsc::channel();
                    let stop = move || {
                        let _ = pipeline.set_state(gst::State::Null);
                        let _ = down.send(());
                    };
                    match thread::Builder::new().name("andon-stop".into()).spawn(stop) {
                        Ok(_) => self.rebuild.set(Some((is_down, Instant::now() + wait))),
                        Err(e) => self.finish(Err(anyhow!("there is no thread to stop the pipeline: {e}"))),
                    }
                }
            }
        }
    }

    fn supervised(&self, what: impl FnOnce(&mut Supervisor) -> Option<Vec<Act>>) -> bool {
        let acts = self.supervisor.borrow_mut().as_mut().and_then(what);
        acts.map(|acts| self.act(acts)).is_some()
    }

    fn hear(&self, message: &gst::Message) {
        let lines = self.listener.borrow_mut().hear(message);
        for line in lines {
            self.print(&line);
        }
        let error = error(&self.pipeline, message);
        if error.is_some() {
            self.draw("error");
        }
        if self.supervised(|s| s.hear(message, error.as_ref())) {
            return;
        }
        if let Some(error) = error {
            return self.finish(Err(error));
        }
        if let Some(warning) = warning(message) {
            return self.warn(&warning);
        }
        let ending = self.asked_to_end.get().is_some();
        match message.view() {
            MessageView::Eos(_) => self.finish(self.at_the_end()),
            MessageView::Application(a) if !ending && a.structure().is_some_and(|s| s.name() == QUIT) => {
                self.interrupted();
            }
            MessageView::Application(a) => {
                if let Some(failed) = a.structure().filter(|s| s.name() == STARTED).and_then(|s| s.get("failed").ok()) {
                    self.started(failed);
                }
            }
            // Each takes the lock of the pipeline's state, which the thread that ends the stream may hold for long.
            MessageView::Latency(_) | MessageView::ClockLost(_) | MessageView::RequestState(_) if ending => {}
            MessageView::Latency(_) => {
                // It fails while an element does not know its latency yet; that element asks again.
                let _ = self.pipeline.recalculate_latency();
            }
            MessageView::ClockLost(_) => {
                let again = self
                    .pipeline
                    .set_state(gst::State::Paused)
                    .and_then(|_| self.pipeline.set_state(gst::State::Playing));
                if again.is_err() {
                    self.finish(Err(anyhow!("the clock is gone, and the pipeline does not go on with another")));
                }
            }
            MessageView::RequestState(r) => {
                // A refusal comes as an error message of its own.
                let _ = self.pipeline.set_state(r.requested_state());
            }
            _ => {}
        }
    }

    fn started(&self, failed: bool) {
        self.starting.set(false);
        if !self.supervised(|s| s.started(failed)) && failed {
            let why = "the pipeline does not start, and no element says why; see GST_DEBUG=3";
            self.finish(Err(anyhow!(why)));
        } else if self.asked_to_end.get().is_some() {
            self.send_end();
        }
    }

    /// What the end of the stream is, if sources failed on the way.
    fn at_the_end(&self) -> Result<End> {
        let failures = self.supervisor.borrow().as_ref().map(|s| s.failures().join("\n")).unwrap_or_default();
        if failures.is_empty() { Ok(End::Eos) } else { Err(Error::msg(failures)) }
    }

    fn interrupted(&self) -> glib::ControlFlow {
        if self.asked_to_end.get().is_some() {
            self.finish(Ok(End::Stopped));
            return glib::ControlFlow::Continue;
        }
        self.asked_to_end.set(Some(Instant::now()));
        if let Some(service) = &*self.service.borrow() {
            service.stopping();
        }
        let rebuild = self.rebuild.take();
        if rebuild.is_some() {
            // It is down, or on its way there.
            self.finish(self.at_the_end());
        } else if self.starting.get() {
            // An event would wait for the state to change.
            self.note("ending the stream when its model is loaded; once more stops at once");
        } else {
            self.note("ending the stream; once more stops at once");
            self.send_end();
        }
        glib::ControlFlow::Continue
    }

    fn send_end(&self) {
        if let Some(supervisor) = &mut *self.supervisor.borrow_mut() {
            supervisor.end();
        }
        // From a thread of its own: a source may be slow to take it, and signals have to be heard.
        let pipeline = self.pipeline.clone();
        let end = move || {
            pipeline.send_event(gst::event::Eos::new());
        };
        if let Err(e) = thread::Builder::new().name("andon-end".into()).spawn(end) {
            self.finish(Err(anyhow!("there is no thread to end the stream: {e}")));
        }
    }

    /// Looks at what only time tells.
    fn look(&self) -> glib::ControlFlow {
        self.supervised(|s| Some(s.tick(Instant::now())));
        if let Some((is_down, not_before)) = self.rebuild.take() {
            if Instant::now() >= not_before && is_down.try_recv().is_ok() {
                self.supervised(|s| {
                    s.rebuilt();
                    None
                });
                if let Err(error) = self.start() {
                    self.finish(Err(error));
                }
            } else {
                self.rebuild.set(Some((is_down, not_before)));
            }
        }
        let played = self.supervisor.borrow().as_ref().is_some_and(Supervisor::has_played);
        if played {
            self.draw("playing");
        }
        if let Some(service) = &mut *self.service.borrow_mut() {
            let supervisor = self.supervisor.borrow();
            let moves = supervisor.as_ref().is_none_or(|s| s.moves(service.patience()));
            service.tick(&self.pipeline, played, moves, || {
                let down = supervisor.as_ref().map(Supervisor::down).unwrap_or_default();
                let words = [vec![self.listener.borrow().state()], down].concat();
                words.into_iter().filter(|w| !w.is_empty()).collect::<Vec<_>>().join("; ")
            });
        }
        // A pipeline tells its end while it plays; one that a decoder of a restarted branch took back to PAUSED does not.
        let over = self.supervisor.borrow().as_ref().is_some_and(|s| s.is_over() || self.asked_to_end.get().is_some());
        if over && !self.starting.get() && holding::without_end(&self.pipeline).is_empty() {
            self.finish(self.at_the_end());
        }
        if let (Some(since), Some(limit)) = (self.asked_to_end.get(), self.stop_timeout)
            && since.elapsed() >= limit
        {
            let holders = holding::without_end(&self.pipeline).join("; ");
            let limit = limit.as_secs_f64();
            self.finish(Err(anyhow!("the end of the stream did not come through within {limit} s: {holders}")));
        }
        glib::ControlFlow::Continue
    }

    fn progress(&self) -> glib::ControlFlow {
        let state = self.listener.borrow().state();
        bar::show(&self.bar, &self.pipeline, self.begun, state);
        glib::ControlFlow::Continue
    }
}
