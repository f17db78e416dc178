// SPDX-License-Identifier: MPL-2.0
//! A pipeline on the main loop: from the first state change to end of stream, error, or a second Ctrl-C.

mod failure;
mod file;
mod listener;
mod messages;

pub use failure::{complaint, failure};
pub use file::PipelineFile;
pub use listener::Listener;
pub use messages::Voice;

use std::{
    cell::{Cell, RefCell},
    io::{IsTerminal, Write, stderr, stdout},
    process::ExitCode,
    rc::Rc,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, anyhow};
use gst::{MessageView, prelude::*};
use indicatif::{ProgressBar, ProgressStyle};

/// How often the progress bar looks at the position.
const PROGRESS_EVERY: Duration = Duration::from_millis(250);
/// Shorter streams need no bar.
const WORTH_A_BAR: gst::ClockTime = gst::ClockTime::from_seconds(2);
/// The signals that end a program politely; numbers are the same on every Unix.
const SIGINT: i32 = 2;
const SIGTERM: i32 = 15;

/// How it ended, when it did not fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The stream's end reached every sink.
    Eos,
    /// It was cut short before that.
    Stopped,
}

impl End {
    /// What the shell is told.
    pub fn code(self) -> ExitCode {
        match self {
            End::Eos => ExitCode::SUCCESS,
            End::Stopped => ExitCode::from(130),
        }
    }
}

struct Player {
    pipeline: gst::Pipeline,
    main: glib::MainLoop,
    listener: Box<dyn Listener>,
    bar: ProgressBar,
    asked_to_end: Cell<bool>,
    end: RefCell<Option<Result<End>>>,
}

/// Plays the pipeline to its end and leaves it stopped; `listener` hears what is on the bus.
pub fn play(pipeline: &gst::Pipeline, listener: impl Listener + 'static) -> Result<End> {
    let player = Rc::new(Player {
        pipeline: pipeline.clone(),
        main: glib::MainLoop::new(None, false),
        listener: Box::new(listener),
        bar: ProgressBar::hidden(),
        asked_to_end: Cell::new(false),
        end: RefCell::new(None),
    });
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

    // What made a state change fail is told on the bus; the loop hears it.
    let failed = pipeline.set_state(gst::State::Playing).is_err();
    if failed && !bus.have_pending() {
        player.finish(Err(anyhow!("the pipeline does not start, and no element says why; see GST_DEBUG=3")));
    } else {
        player.main.run();
    }
    player.bar.finish_and_clear();
    drop(watch);
    sources.into_iter().for_each(glib::SourceId::remove);
    // On the way down nothing is left that could still be told to anybody.
    let _ = pipeline.set_state(gst::State::Null);

    let end = player.end.take().unwrap_or(Ok(End::Stopped));
    if let Ok(end) = &end {
        let what = if *end == End::Eos { "end of stream" } else { "stopped" };
        player.note(&format!("{what} after {:.1} s", started.elapsed().as_secs_f64()));
    }
    end
}

impl Player {
    /// A line of results.
    fn say(&self, line: &str) {
        if self.bar.suspend(|| writeln!(stdout(), "{line}")).is_err() {
            self.finish(Err(anyhow!("nobody reads the standard output any more")));
        }
    }

    /// A line about the run, for whoever watches; playing goes on where nobody does.
    fn note(&self, line: &str) {
        let _ = self.bar.suspend(|| writeln!(stderr(), "{line}"));
    }

    fn finish(&self, end: Result<End>) {
        self.end.borrow_mut().get_or_insert(end);
        self.main.quit();
    }

    fn hear(&self, message: &gst::Message) {
        for line in self.listener.hear(message) {
            self.say(&line);
        }
        match message.view() {
            MessageView::Eos(_) => self.finish(Ok(End::Eos)),
            MessageView::Error(e) => {
                self.finish(Err(anyhow!(complaint(message.src().cloned(), &e.error(), e.debug()))));
            }
            MessageView::Warning(w) => {
                let line = complaint(message.src().cloned(), &w.error(), w.debug());
                self.note(&format!("warning: {line}"));
            }
            MessageView::Latency(_) => {
                // A failure is an element's that does not know its latency yet; it will ask again.
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
                // A refusal is told as an error message of its own.
                let _ = self.pipeline.set_state(r.requested_state());
            }
            _ => {}
        }
    }

    fn interrupted(&self) -> glib::ControlFlow {
        if self.asked_to_end.replace(true) {
            self.finish(Ok(End::Stopped));
        } else {
            self.note("ending the stream; once more stops at once");
            self.pipeline.send_event(gst::event::Eos::new());
        }
        glib::ControlFlow::Continue
    }

    fn progress(&self) -> glib::ControlFlow {
        let total = self.pipeline.query_duration::<gst::ClockTime>().filter(|d| *d >= WORTH_A_BAR);
        let state = self.listener.state();
        if total.is_none() && state.is_empty() {
            return glib::ControlFlow::Continue;
        }
        let template = match total {
            Some(total) => {
                let bar = if state.is_empty() { 40 } else { 16 };
                format!("{{bar:{bar}}} {{percent}}% of {:.0} s, {{eta}} left {{wide_msg}}", total.seconds_f64())
            }
            None => "{spinner} {wide_msg}".into(),
        };
        self.bar.set_style(ProgressStyle::with_template(&template).expect("only numbers are put into the template"));
        if self.bar.is_hidden() {
            self.bar.set_draw_target(indicatif::ProgressDrawTarget::stderr());
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
