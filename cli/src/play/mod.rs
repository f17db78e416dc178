// SPDX-License-Identifier: MPL-2.0
//! Plays pipelines: on the main loop with signals and a progress bar, or step by step for a subcommand that feeds one.

mod failure;
mod file;
mod links;
mod listener;
mod messages;
mod pictures;

pub use andon_evaluate::pipeline::bus::warning;
pub use failure::failure;
pub use file::PipelineFile;
pub use links::{apart, parse};
pub use listener::Listener;
pub use messages::Messages;

use std::{
    cell::{Cell, RefCell},
    io::{IsTerminal, Write, stderr, stdout},
    process::ExitCode,
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use gst::{MessageView, prelude::*};
use indicatif::{ProgressBar, ProgressDrawTarget};

use crate::progress;
use failure::error;

/// Time between two looks of the progress bar at the position.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// Least length of a stream that gets a bar.
const WORTH_A_BAR: gst::ClockTime = gst::ClockTime::from_seconds(2);
/// The message by which the thread that starts a pipeline says that it is done.
const STARTED: &str = "andon-started";
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

/// Plays the pipeline to its end and leaves it stopped. The listener hears the bus, and comes back.
pub fn play<L: Listener + 'static>(pipeline: &gst::Pipeline, listener: L) -> (Result<End>, L) {
    let player = Rc::new(Player {
        pipeline: pipeline.clone(),
        main: glib::MainLoop::new(None, false),
        listener: RefCell::new(listener),
        bar: ProgressBar::hidden(),
        asked_to_end: Cell::new(false),
        starting: Cell::new(true),
        end: RefCell::new(None),
    });
    let end = run(&player);
    let player = Rc::into_inner(player).expect("all sources that share the player are removed");
    (end, player.listener.into_inner())
}

/// Waits for the end of the stream of a pipeline that plays. The listener hears the bus on the way; an element's error,
/// or a bus that is silent for longer than `patience`, is the error.
pub fn wait(
    pipeline: &gst::Pipeline,
    listener: &mut impl Listener,
    patience: impl Into<Option<gst::ClockTime>>,
) -> Result<()> {
    let bus = pipeline.bus().context("a pipeline without a bus")?;
    let patience = patience.into();
    loop {
        let message = bus.timed_pop(patience).context("the pipeline came to a halt")?;
        hear(pipeline, &message, listener)?;
        if let MessageView::Eos(_) = message.view() {
            return Ok(());
        }
    }
}

/// Hands the messages that wait on the bus to the listener. An element's error is the error.
pub fn hear_pending(pipeline: &gst::Pipeline, listener: &mut impl Listener) -> Result<()> {
    let bus = pipeline.bus().context("a pipeline without a bus")?;
    while let Some(message) = bus.pop() {
        hear(pipeline, &message, listener)?;
    }
    Ok(())
}

fn hear(pipeline: &gst::Pipeline, message: &gst::Message, listener: &mut impl Listener) -> Result<()> {
    for line in listener.hear(message) {
        println!("{line}");
    }
    error(pipeline, message).map_or(Ok(()), Err)
}

struct Player<L> {
    pipeline: gst::Pipeline,
    main: glib::MainLoop,
    listener: RefCell<L>,
    bar: ProgressBar,
    asked_to_end: Cell<bool>,
    /// Whether the pipeline is still on its way to play.
    starting: Cell<bool>,
    end: RefCell<Option<Result<End>>>,
}

fn run<L: Listener + 'static>(player: &Rc<Player<L>>) -> Result<End> {
    let pipeline = &player.pipeline;
    let bus = pipeline.bus().context("a pipeline without a bus")?;
    let started = Instant::now();
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
    if stderr().is_terminal() {
        let p = player.clone();
        sources.push(glib::timeout_add_local(PROGRESS_EVERY, move || p.progress()));
    }

    // On a thread of its own, so that signals are heard while a model loads. The element that makes the change fail says why
    // on the bus, before this thread says how it ended.
    let starting = pipeline.clone();
    let start = move || {
        let failed = starting.set_state(gst::State::Playing).is_err();
        let done = gst::Structure::builder(STARTED).field("failed", failed).build();
        // It fails if the bus is being flushed; then nobody listens any more.
        let _ = starting.post_message(gst::message::Application::new(done));
    };
    let start =
        thread::Builder::new().name("andon-start".into()).spawn(start).context("there is no thread to start")?;
    player.main.run();
    player.bar.finish_and_clear();
    if player.starting.get() && matches!(*player.end.borrow(), Some(Ok(End::Stopped))) {
        // What loads cannot be cut short, and the state cannot be changed before it is done.
        player.note("stopped while a model loads");
        std::process::exit(130);
    }
    // The hook has reported a panic.
    let _ = start.join();
    drop(watch);
    sources.into_iter().for_each(glib::SourceId::remove);
    // A failure on the way down changes nothing: the result is known.
    let _ = pipeline.set_state(gst::State::Null);

    let end = player.end.take().unwrap_or(Ok(End::Stopped));
    if let Ok(end) = &end {
        let what = if *end == End::Eos { "end of stream" } else { "stopped" };
        player.note(&format!("{what} after {:.1} s", started.elapsed().as_secs_f64()));
    }
    end
}

impl<L: Listener> Player<L> {
    /// Prints a line of results.
    fn print(&self, line: &str) {
        if self.bar.suspend(|| writeln!(stdout(), "{line}")).is_err() {
            self.finish(Err(anyhow!("the standard output is closed")));
        }
    }

    /// Prints a line about the run. Playing goes on if the standard error is closed.
    fn note(&self, line: &str) {
        let _ = self.bar.suspend(|| writeln!(stderr(), "{line}"));
    }

    fn finish(&self, end: Result<End>) {
        self.end.borrow_mut().get_or_insert(end);
        self.main.quit();
    }

    fn hear(&self, message: &gst::Message) {
        let lines = self.listener.borrow_mut().hear(message);
        for line in lines {
            self.print(&line);
        }
        if let Some(error) = error(&self.pipeline, message) {
            return self.finish(Err(error));
        }
        if let Some(warning) = warning(message) {
            return self.note(&format!("warning: {warning}"));
        }
        match message.view() {
            MessageView::Eos(_) => self.finish(Ok(End::Eos)),
            MessageView::Application(a) => {
                if let Some(failed) = a.structure().filter(|s| s.name() == STARTED).and_then(|s| s.get("failed").ok()) {
                    self.starting.set(false);
                    if failed {
                        let why = "the pipeline does not start, and no element says why; see GST_DEBUG=3";
                        self.finish(Err(anyhow!(why)));
                    } else if self.asked_to_end.get() {
                        self.pipeline.send_event(gst::event::Eos::new());
                    }
                }
            }
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

    fn interrupted(&self) -> glib::ControlFlow {
        if self.asked_to_end.replace(true) {
            self.finish(Ok(End::Stopped));
        } else if self.starting.get() {
            // An event would wait for the state to change.
            self.note("ending the stream when its model is loaded; once more stops at once");
        } else {
            self.note("ending the stream; once more stops at once");
            self.pipeline.send_event(gst::event::Eos::new());
        }
        glib::ControlFlow::Continue
    }

    fn progress(&self) -> glib::ControlFlow {
        let total = self.pipeline.query_duration::<gst::ClockTime>().filter(|d| *d >= WORTH_A_BAR);
        let state = self.listener.borrow().state();
        if total.is_none() && state.is_empty() {
            return glib::ControlFlow::Continue;
        }
        self.bar.set_style(progress::stream(total.map(gst::ClockTime::seconds_f64), !state.is_empty()));
        if self.bar.is_hidden() {
            self.bar.set_draw_target(ProgressDrawTarget::stderr());
        }
        self.bar.set_message(state);
        if let Some(total) = total {
            self.bar.set_length(total.mseconds());
            if let Some(at) = self.pipeline.query_position::<gst::ClockTime>() {
                self.bar.set_position(at.mseconds());
            }
        }
        self.bar.tick();
        glib::ControlFlow::Continue
    }
}
