// SPDX-License-Identifier: MPL-2.0
//! `andon top`: a live view of a running line. What it shows is in [`state`], how that changes in [`mod@update`], how it looks in
//! [`view`]; here they are tied to a terminal and a line.

mod form;
mod link;
mod rows;
mod state;
mod store;
#[cfg(test)]
mod tests;
mod update;
mod view;

use std::{
    io::{IsTerminal as _, stdout},
    process::ExitCode,
    sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    thread,
    time::Duration,
};

use andon_core::result::utc_ns;
use anyhow::{Context, Result};
use clap::Args;
use clap_complete::engine::ArgValueCandidates;
use ratatui::{
    DefaultTerminal,
    crossterm::event::{self, Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers},
};

use crate::{
    app::{Usage, user},
    ctl::{complete, line::Asker, target::Target, words},
};
use link::Talk;
use state::State;
use update::{Input, Key, Order, update};

/// How often the screen is drawn where nothing else changes it: the clock goes on.
const DRAW: Duration = Duration::from_millis(250);

const SIGHUP: i32 = 1;
const SIGTERM: i32 = 15;

/// Watch a running line, and capture, promote or roll back with a key.
///
/// A line is any process with Andon's elements that was started with ANDON_CONTROL. `?` shows the keys.
#[derive(Args)]
#[command(after_help = "Examples:
  andon top
  andon top --line /tmp/line.sock
  NO_COLOR=1 andon top --line left")]
pub struct Top {
    /// The line: its name, its process, or the path of its socket [default: $ANDON_CONTROL, else the only one]
    #[arg(long, value_name = "NAME|PATH", add = ArgValueCandidates::new(complete::lines))]
    line: Option<String>,
    /// Who presses the keys, for the records of the line and the store [default: the user's name]
    #[arg(long, value_name = "NAME")]
    who: Option<String>,
}

impl Top {
    /// Shows the line until somebody quits.
    pub fn execute(self) -> Result<ExitCode> {
        if !stdout().is_terminal() {
            return Err(Usage("a live view needs a terminal: `andon ctl stats` prints figures once".into()).into());
        }
        let target = Target::here(self.line.as_deref())?;
        // What cannot be meant, and a line that never was, is said at once; one that goes away later is waited for.
        target.find().and_then(|path| Ok(andon_control::client::Client::connect(path)?))?;
        let asker = Asker { who: self.who.unwrap_or_else(user), why: None };
        let (order, orders) = channel();
        let (news, inputs) = channel();
        let talk = Talk::new(target, asker, orders, news.clone());
        thread::Builder::new()
            .name("andon-top-line".into())
            .spawn(|| talk.run())
            .context("the system gives no thread")?;
        let typed = news.clone();
        thread::Builder::new()
            .name("andon-top-keys".into())
            .spawn(move || keys(&typed))
            .context("the system gives no thread")?;
        stop_by_signals(&news)?;
        let state = State::new(utc_ns(), words::offset());
        // By the convention of no-color.org.
        let colour = std::env::var_os("NO_COLOR").is_none_or(|set| set.is_empty());
        let terminal = ratatui::try_init().context("the terminal cannot be used for a live view")?;
        let shown = show(terminal, state, &inputs, &order, colour);
        ratatui::restore();
        shown.context("the terminal is gone")?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Draws, waits for something to happen, and does what follows from it.
fn show(
    mut terminal: DefaultTerminal,
    mut state: State,
    inputs: &Receiver<Input>,
    orders: &Sender<Order>,
    colour: bool,
) -> std::io::Result<()> {
    loop {
        terminal.draw(|frame| view::view(frame, &state, colour))?;
        let first = match inputs.recv_timeout(DRAW) {
            Ok(input) => Some(input),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => return Ok(()),
        };
        let time = Input::Time { now_ns: utc_ns() };
        // What has come meanwhile is drawn together.
        for input in std::iter::once(time).chain(first).chain(inputs.try_iter().take(1000)) {
            match update(&mut state, input) {
                Some(Order::Quit) => return Ok(()),
                // Without the other thread there is no line, which the screen says.
                Some(order) => drop(orders.send(order)),
                None => {}
            }
        }
    }
}

/// Passes on keys, until nobody wants them.
fn keys(inputs: &Sender<Input>) {
    while let Ok(event) = event::read() {
        let input = match event {
            Event::Key(key) => key_of(key).map(Input::Key),
            // The next drawing has the new size.
            Event::Resize(..) => Some(Input::Time { now_ns: utc_ns() }),
            _ => None,
        };
        if let Some(input) = input
            && inputs.send(input).is_err()
        {
            return;
        }
    }
    // Without a keyboard nobody could end it.
    let _ = inputs.send(Input::Key(Key::Interrupt));
}

/// Ends the view as Ctrl-C does when the program is asked to stop, so that the terminal is left as it was.
fn stop_by_signals(inputs: &Sender<Input>) -> Result<()> {
    for signal in [SIGHUP, SIGTERM] {
        let inputs = inputs.clone();
        glib_unix::unix_signal_add(signal, move || {
            // It fails if the view has ended already.
            let _ = inputs.send(Input::Key(Key::Interrupt));
            glib::ControlFlow::Continue
        });
    }
    let listen = || glib::MainLoop::new(None, false).run();
    thread::Builder::new().name("andon-top-signals".into()).spawn(listen).context("the system gives no thread")?;
    Ok(())
}

fn key_of(key: KeyEvent) -> Option<Key> {
    if key.kind == KeyEventKind::Release {
        return None;
    }
    Some(match key.code {
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Interrupt,
        KeyCode::Char(_) if key.modifiers.intersects(KeyModifiers::CONTROL | KeyModifiers::ALT) => return None,
        KeyCode::Char(c) => Key::Char(c),
        KeyCode::Enter => Key::Enter,
        KeyCode::Esc => Key::Escape,
        KeyCode::Backspace => Key::Backspace,
        KeyCode::Tab => Key::Tab,
        KeyCode::BackTab => Key::BackTab,
        KeyCode::Up => Key::Up,
        KeyCode::Down => Key::Down,
        _ => return None,
    })
}
